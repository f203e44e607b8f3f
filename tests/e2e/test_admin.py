"""Who runs a node says whom it answers less, and tells it what to do while it runs.

And nobody else can: another user's process hears nothing, whatever it sends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import supervisor
from node.admin.form import SOCKET
from tests.e2e.harness import LocalNetwork, shuxin
from tests.e2e.test_identity import NOTICED_S, are_linked, certificate_of, renew, said

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]

NOBODY = 65_534
# Makes its way past the mode of the file while it is root, and asks as somebody else.
AS_NOBODY = f"""
import os, socket, sys
os.chdir(os.path.dirname(sys.argv[1]))
os.chmod(os.path.basename(sys.argv[1]), 0o666)
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
line = socket.socket(socket.AF_UNIX)
line.settimeout(20)
line.connect(os.path.basename(sys.argv[1]))
try:
    print(line.recv(1) or "nothing")
except ConnectionResetError:
    print("nothing")
"""


def admin(folder: Path, verb: str, *words: str) -> dict[str, object]:
    result = shuxin("admin", verb, str(folder), *words, "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert isinstance(answer, dict)
    return answer


def orders(network: LocalNetwork, name: str) -> list[str]:
    """What the log says a node was told."""
    log = (network.root / "nodes" / name / "node.log").read_text(errors="replace")
    found = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [entry["what"] for entry in found if entry.get("event") == "admin_order"]


def test_a_running_node_is_told_by_who_runs_it(tmp_path: Path) -> None:
    network = LocalNetwork(tmp_path / "net")
    name = network.plan.nodes[3].name
    data = network.root / "nodes" / name / "data"
    closed = "[access.methods]\nSubjectHistory = []\n"
    with (data.parent / "node.toml").open("a", encoding="utf-8") as config:
        config.write(closed)
    try:
        network.up()
        everyone = range(len(network.plan.nodes))
        network.wait(lambda: are_linked(network, everyone), timeout_s=NOTICED_S, what="all linked")
        pid = supervisor.process_pids(network.root)[name]

        inside = admin(data, "status")
        assert (inside["name"], inside["phase"], inside["log_level"]) == (name, "ordering", "info")
        links = inside["links"]
        assert isinstance(links, list) and len(links) == len(network.plan.nodes) - 1
        assert all(link["connected"] and link["certificate"] for link in links)
        assert {"what": "certificate", "where": str(certificate_of(network, 3))} in (
            inside["places"] if isinstance(inside["places"], list) else []
        )

        home = network.root / "parties" / "manager"
        for index, code in ((0, 0), (3, 1)):
            words = ("history", "subject", "nothing", "--no-verify", "--home", str(home))
            asked = shuxin(*words, "--node", network.plan.nodes[index].api)
            assert asked.returncode == code, asked.stderr
        assert "SubjectHistory is for nobody alone" in asked.stderr

        assert admin(data, "log-level", "error")["before"] == "info"
        before = len(orders(network, name))
        assert admin(data, "status")["log_level"] == "error"
        assert len(orders(network, name)) == before, "an order is no error, and not said now"
        assert admin(data, "log-level", "info")["before"] == "error"
        wrong = shuxin("admin", "log-level", str(data), "loud")
        assert wrong.returncode == 1 and "debug, info, warning, error" in wrong.stderr
        assert len(orders(network, name)) == before + 2

        assert admin(data, "reload")["taken_up"] is False
        renew(network, 3, tmp_path)
        assert admin(data, "reload")["taken_up"] is True
        assert said(network, 3, "certificate_renewed")

        if os.geteuid() == 0:  # only root can be somebody else
            with subprocess.Popen(
                [sys.executable, "-c", AS_NOBODY, str(data / SOCKET)], stdout=subprocess.PIPE
            ) as stranger:
                told, _ = stranger.communicate(timeout=NOTICED_S)
            assert told == b"nothing\n"
            assert said(network, 3, "admin_stranger")

        assert admin(data, "stop") == {"pid": pid, "has_ended": True}
        assert said(network, 3, "drained")
        network.wait(
            lambda: (
                supervisor.process_pids(network.root).get(name, pid) != pid
                and network.status(3) is not None
            ),
            timeout_s=NOTICED_S * 3,
            what="the supervisor started it again",
        )
        logged = shuxin("audit", "access", str(data), "--offline", "--json", timeout=NOTICED_S)
        assert logged.returncode == 0, logged.stderr
        assert "/admin/stop" in logged.stdout
    finally:
        network.down()
    gone = shuxin("admin", "status", str(data))
    assert gone.returncode == 1 and "as the user who runs it" in gone.stderr
