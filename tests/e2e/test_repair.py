"""One process of four computes a wrong state: it repairs itself on its own ports and goes on."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from cli import netfiles, supervisor
from tests.e2e.harness import LocalNetwork
from tests.e2e.test_network import record

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WRONG = 3  # the node that goes wrong
WRONG_AT = 4


def test_a_process_that_went_wrong_repairs_itself_and_agrees_again(tmp_path: Path) -> None:
    network = LocalNetwork(tmp_path / "net")
    programs = netfiles.programs(network.root, network.plan)
    config = str(network.root / "nodes" / network.plan.nodes[WRONG].name / "node.toml")
    command = (sys.executable, "-m", "tests.wrong_node", config, str(WRONG_AT))
    programs[WRONG] = dataclasses.replace(programs[WRONG], command=command)
    try:
        supervisor.start_detached(network.root, programs)
        network.wait(network.agree, timeout_s=60, what="all nodes up")
        session = network.session("operator")
        with session.node:
            for _ in range(WRONG_AT + 4):
                record(session)
            log = programs[WRONG].log
            network.wait(
                lambda: "repaired" in log.read_text(), timeout_s=60, what="the node repaired"
            )
            record(session)
        network.wait(network.agree, timeout_s=60, what="all nodes alike again")
        status = network.status(WRONG)
        assert status is not None and status.phase == "ordering"
        assert supervisor.ends(network.root) == [], "no process was restarted"
    finally:
        network.down()
    data = network.root / "nodes" / network.plan.nodes[WRONG].name / "data"
    assert (data / f"ledger.diverged-{WRONG_AT}").is_dir()
