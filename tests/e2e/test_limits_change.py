"""Four processes change limits of their chain by proposal, and an auditor replays it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.session import Session
from ledger.genesis import Limits
from tests.e2e.harness import LocalNetwork, shuxin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WINDOW = Limits().watermark_window
FEWER = 10  # transactions in a block
BEAT_MS = 1_000


@pytest.fixture
def network(tmp_path: Path) -> LocalNetwork:
    return LocalNetwork(tmp_path / "net")


def told(network: LocalNetwork, party: str, *arguments: str) -> tuple[int, str]:
    """Exit code of a party's command, and what it says."""
    home = str(network.root / "parties" / party)
    result = shuxin(*arguments, "--home", home, "--json")
    return result.returncode, result.stdout or result.stderr


def propose(network: LocalNetwork, proposal: str, *settings: str) -> tuple[int, str]:
    values = [part for setting in settings for part in ("--set", setting)]
    verb = ("proposal", "change-parameters", proposal)
    return told(network, "manager", *verb, *values, "--reason", "more blocks, smaller ones")


def figures(network: LocalNetwork) -> dict[str, dict[str, int]]:
    code, answer = told(network, "consumer", "parameter", "list")
    assert code == 0, answer
    return {row["name"]: row for row in json.loads(answer)}


def fill(session: Session, count: int) -> None:
    """So many records at once."""
    kinds = ("authorization.decision", "x", bytes(32), "")
    wanted = [session.build("evidence", "record", f"full-{n}", *kinds) for n in range(count)]
    taken = session.node.submit_batch(wanted)
    for verdict in taken:
        assert session.node.wait(verdict.transaction_id).receipt.status == 0


@pytest.mark.long
def test_a_network_changes_its_limits_by_proposal(network: LocalNetwork) -> None:
    try:
        network.up()
        code, answer = propose(network, "slower", "heartbeat_ms=60001")
        assert code == 1 and "parameter.value" in answer, answer
        code, answer = propose(
            network, "smaller", f"block_transactions_max={FEWER}", f"heartbeat_ms={BEAT_MS}"
        )
        assert code == 0, answer
        for party in ("operator", "supplier-a"):
            code, answer = told(network, party, "proposal", "approve", "smaller")
            assert code == 0, answer
        coming = figures(network)["heartbeat_ms"]
        assert (coming["value"], coming["coming"]) == (60_000, BEAT_MS)
        first = coming["from_height"]

        def is_in_force() -> bool:
            return figures(network)["heartbeat_ms"]["value"] == BEAT_MS

        network.wait(is_in_force, timeout_s=60, what="heights pass by themselves")
        network.kill(network.plan.nodes[3].name)
        with network.client() as node:
            session = Session(node, network.account("operator"))
            fill(session, 3 * FEWER)
            head = node.status().certified_height
            sizes = [len(node.block(h).block.transactions) for h in range(first, head + 1)]
        assert max(sizes) == FEWER, sizes
        network.wait(network.agree, timeout_s=60, what="all nodes alike, also the one killed")
    finally:
        network.down()
    data = network.root / "nodes" / network.plan.nodes[3].name / "data"
    genesis = network.root / "genesis.json"
    result = shuxin("audit", "replay", str(data), "--genesis", str(genesis), "--json")
    verdict = json.loads(result.stdout)
    assert str(verdict["verdict"]).startswith("intact")
    assert int(verdict["height"]) >= head
