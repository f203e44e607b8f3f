"""A node without a passphrase file: the agent, a process of its own, has its passphrase."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crypto.agent.ask import AGENT_VARIABLE
from tests.e2e.harness import REPOSITORY, LocalNetwork, shuxin
from tests.e2e.test_network import record

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@contextmanager
def running_agent(path: Path) -> Iterator[int]:
    """`shuxin key agent`; its process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "key", "agent", "--socket", str(path)],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        while "listening" not in (line := process.stderr.readline()):
            assert line, "the agent ended"
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and "wiped" in out
    assert not path.exists()


@pytest.mark.long
def test_a_node_starts_with_what_the_agent_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = LocalNetwork(tmp_path / "net")
    node = network.root / "nodes" / network.plan.nodes[1].name
    secret = tmp_path / "vault" / "passphrase"
    secret.parent.mkdir(mode=0o700)
    (node / "keys" / "passphrase").rename(secret)
    config = node / "node.toml"
    line = 'passphrase_file = "keys/passphrase"\n'
    assert line in config.read_text()
    config.write_text(config.read_text().replace(line, "", 1))
    monkeypatch.setenv(AGENT_VARIABLE, str(tmp_path / "agent.sock"))
    monkeypatch.delenv("SHUXIN_PASSPHRASE", raising=False)
    with running_agent(tmp_path / "agent.sock") as pid:
        key = str(node / "keys" / "consensus.pem")
        unlocked = shuxin("key", "unlock", key, "--passphrase-file", str(secret))
        assert unlocked.returncode == 0, unlocked.stderr
        secret.unlink()
        if os.getuid() != 0:  # root looks into everything
            with pytest.raises(PermissionError):
                Path(f"/proc/{pid}/mem").open("rb").close()
        status = Path(f"/proc/{pid}/status").read_text()
        locked = re.search(r"VmLck:\s+(\d+) kB", status)
        assert locked is not None and int(locked[1]) >= 24, status
        try:
            network.up()
            session = network.session("operator", 1)
            with session.node:
                record(session)
            network.restart(1, timeout_s=60)
            network.wait(network.agree, timeout_s=60, what="all nodes at one certified height")
        finally:
            network.down()
