"""Four processes change the engine of their chain at a height, decided by proposal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.vm.version import VM_VERSION, vm_version
from ledger.genesis import Limits
from tests.e2e.harness import LocalNetwork, shuxin
from tests.e2e.test_network import record

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

OLD = vm_version(1)
WINDOW = Limits().watermark_window
SPARE = 12  # heights for the votes, beyond the window that the rule asks for
NEWER = '''"""Says for whom its caller speaks: language 2."""

from contracts.dialect import ctx, view


@view
def who() -> str:
    """The party of the account that asks."""
    return ctx.party
'''


@pytest.fixture
def network(tmp_path: Path) -> LocalNetwork:
    return LocalNetwork(tmp_path / "net", vm_version=OLD)


def told(network: LocalNetwork, party: str, *arguments: str) -> tuple[int, dict[str, object]]:
    """What a party's command answers: exit code and JSON."""
    home = str(network.root / "parties" / party)
    result = shuxin(*arguments, "--home", home, "--json")
    text = result.stdout or result.stderr
    answer = json.loads(text)
    return result.returncode, answer if isinstance(answer, dict) else {"rows": answer}


@pytest.mark.long
def test_a_network_changes_its_engine_at_a_height(network: LocalNetwork, tmp_path: Path) -> None:
    source = tmp_path / "who.py"
    source.write_text(NEWER)
    deploy = ("contract", "deploy", "who", str(source))
    assert shuxin("contract", "check", str(source)).returncode == 0
    assert shuxin("contract", "check", str(source), "--vm-version", OLD).returncode == 1
    try:
        network.up()
        code, answer = told(network, "manager", *deploy)
        assert code == 1 and "check_failed" in json.dumps(answer), answer

        session = network.session("operator")
        with session.node:
            record(session)
            head = session.node.status().height
            change_at = head + WINDOW + SPARE
            proposal = ("proposal", "change-engine", "engine-2", "--vm-version", VM_VERSION)
            near = (*proposal, "--from-height", str(head + 2), "--reason", "x")
            code, answer = told(network, "manager", *near)
            assert code == 1 and "proposal.from_height" in json.dumps(answer), answer
            far = (*proposal, "--from-height", str(change_at), "--reason", "ctx.party")
            assert told(network, "manager", *far)[0] == 0
            for party in ("operator", "supplier-a"):
                code, answer = told(network, party, "proposal", "approve", "engine-2")
                assert code == 0, answer
            _, shown = told(network, "consumer", "contract", "engine")
            assert shown["rows"] == [
                {"from_height": 0, "vm_version": OLD, "state": "in force"},
                {"from_height": change_at, "vm_version": VM_VERSION, "state": "scheduled"},
            ]
            found = network.status(3)
            assert found is not None
            assert (found.engine.vm_version, found.engine.next_height) == (OLD, change_at)
            assert found.is_jailed and found.engine.missing_height == 0

            while session.node.status().height < change_at - 2:
                record(session)
            code, answer = told(network, "manager", *deploy)  # at the last heights of the old one
            assert code == 1 or session.node.status().height >= change_at
            while session.node.status().height < change_at:
                record(session)
            if code == 1:
                code, answer = told(network, "manager", *deploy)
            assert code == 0, answer
        network.wait(network.agree, timeout_s=30, what="all nodes alike after the change")
        for index in range(4):
            view = network.session("operator", index)
            with view.node:
                assert view.view("who", "who") == "operator"
            status = network.status(index)
            assert status is not None and status.engine.vm_version == VM_VERSION
    finally:
        network.down()
    data = network.root / "nodes" / network.plan.nodes[2].name / "data"
    genesis = network.root / "genesis.json"
    result = shuxin("audit", "replay", str(data), "--genesis", str(genesis), "--json")
    verdict = json.loads(result.stdout)
    assert str(verdict["verdict"]).startswith("intact")
    assert int(verdict["height"]) >= change_at
