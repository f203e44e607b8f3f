"""Operators agree on a recovery plan from the command line: draft, sign, apply, send again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.harness import LocalNetwork, shuxin
from tests.e2e.test_network import record

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def done(*arguments: str) -> dict[str, object]:
    result = shuxin(*arguments, "--json")
    assert result.returncode == 0, result.stderr
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


@pytest.mark.long
@pytest.mark.timeout(400)
def test_operators_take_a_network_back_to_an_agreed_block(tmp_path: Path) -> None:
    network = LocalNetwork(tmp_path / "net")
    nodes = [network.root / "nodes" / entry.name for entry in network.plan.nodes]
    plan = str(tmp_path / "plan")
    try:
        network.up()
        session = network.session("operator")
        with session.node:
            kept = record(session)
            height = session.node.transaction(kept, proof=False).height
            dropped = [record(session) for _ in range(3)]
        network.wait(network.agree, timeout_s=30, what="all nodes certified")
        network.down()

        done(
            "recovery",
            *("draft", str(nodes[0] / "data"), "--height", str(height)),
            *("--reason", "drill", "--output", plan),
        )
        refused = shuxin("node", "recover", str(nodes[0] / "node.toml"), "--plan", plan)
        assert refused.returncode == 1 and "organizations signed the plan" in refused.stderr
        signers = {entry.party for entry in network.plan.nodes} | {"manager"}
        for party in sorted(signers):
            done("recovery", "sign", plan, "--home", str(network.root / "parties" / party))
        shown = done("recovery", "show", plan)
        assert (shown["number"], shown["height"]) == (1, height)
        assert isinstance(shown["signed_by"], list) and len(shown["signed_by"]) == len(signers)
        for node in nodes:
            found = done("node", "recover", str(node / "node.toml"), "--plan", plan)
            assert (found["height"], found["dropped"]) == (height, 3)

        network.up()
        aside = nodes[0] / "data" / "recovered" / "1" / "dropped.jsonl"
        sent = shuxin(
            *("recovery", "resend", str(aside), "--node", network.plan.nodes[0].api, "--json"),
            *("--home", str(network.root / "parties" / "operator")),
        )
        assert [row["verdict"] for row in json.loads(sent.stdout)] == ["sent"] * 3
        with network.client(1) as client:
            for wanted in (kept, *dropped):
                client.wait(wanted)
        network.wait(network.agree, timeout_s=30, what="all nodes alike")
        _check_client(network.root / "parties" / "consumer", plan, kept, dropped[0])
    finally:
        network.down()
    verdict = done(
        "audit", "replay", str(nodes[2] / "data"), "--genesis", str(network.root / "genesis.json")
    )
    assert str(verdict["verdict"]).startswith("intact")
    assert verdict["recoveries"] == 1


def _check_client(home: Path, plan: str, kept: bytes, sent_again: bytes) -> None:
    """A client verifies what is above the plan once its home names it."""
    show = ("tx", "show", "--home", str(home))
    assert done(*show, kept.hex())["verified"] is True
    refused = shuxin(*show, sent_again.hex())
    assert refused.returncode == 1 and "refused: other_chain: " in refused.stderr
    with (home / "client.toml").open("a") as settings:
        settings.write(f'plans = "{plan}"\n')
    assert done(*show, sent_again.hex())["verified"] is True
    assert done("party", "show", "operator", "--home", str(home))["verified"] is True
