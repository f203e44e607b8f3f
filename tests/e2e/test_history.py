"""The history of a grant from request to revocation: alike on all nodes, proven, made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli import supervisor
from tests.e2e.desk import Desk, catalogued, granted
from tests.e2e.harness import LocalNetwork

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _rows(answer: dict[str, object]) -> list[dict[str, object]]:
    rows = answer["rows"]
    assert isinstance(rows, list)
    return rows


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_grant_is_traced_from_request_to_revocation(
    own_network: LocalNetwork, tmp_path: Path
) -> None:
    network = own_network
    desk = Desk(network, tmp_path)
    datasets = catalogued(desk)
    grant = granted(desk, datasets)
    demand = desk.name("demand")
    revoked = desk.ask("manager", "grant", "revoke", grant, "--reason", "the purpose has ended")
    note = "--kind", "development.result", "--subject", grant, "--digest", "ab" * 32
    desk.ask("operator", "evidence", "record", desk.name("e"), *note)
    genesis = "--prove", "--genesis", str(network.root / "genesis.json")
    asked = {
        "grant": ("history", "subject", grant, "--oldest-first", *genesis),
        "demand": ("history", "subject", demand, "--oldest-first", *genesis),
        "dataset": ("history", "subject", datasets[0], "--contract", "catalog", *genesis),
        "state": ("history", "key", "grant", "grants", grant, *genesis),
        "manager": ("history", "account", network.account("manager").address, *genesis),
        "consumer": ("history", "account", network.account("consumer").address),
    }
    nodes = [node.api for node in network.plan.nodes]

    def told(node: str) -> dict[str, list[dict[str, object]]]:
        return {
            what: _rows(desk.ask("manager", *words, "--node", node))
            for what, words in asked.items()
        }

    found = told(nodes[0])
    assert all(told(node) == found for node in nodes[1:])
    assert [row["event"] for row in found["grant"]] == [
        "grant.GrantRequested",
        "grant.GrantInReview",
        "grant.GrantDecided",
        "grant.Granted",
        "grant.Revoked",
        "evidence.EvidenceRecorded",
    ]
    assert found["grant"][4]["transaction"] == revoked["transaction"]
    named_by = [row["named_by"] for row in found["grant"]]
    assert named_by == [*[["grant_id"]] * 5, ["subject"]]
    assert [row["event"] for row in found["demand"]] == [
        "demand.DemandFiled",
        "demand.DemandPrescreened",
        "demand.DemandReviewed",
        "grant.GrantRequested",
        "grant.Granted",
    ]
    assert [row["event"] for row in found["dataset"]] == [  # newest first
        "catalog.DatasetRegistered",
        "catalog.DatasetCollected",
        "catalog.DatasetDrafted",
    ]
    assert found["state"][0]["transaction"] == revoked["transaction"]
    assert len(found["state"]) == 5 and "the purpose has ended" in str(found["state"][0]["value"])
    assert found["manager"][0]["transaction"] == revoked["transaction"]
    refused = [row["status"] for row in found["consumer"] if row["method"] == "prescreen"]
    assert refused == ["refused"], "what was refused is traced, too"
    _check_pages(desk, asked["demand"], found["demand"])
    assert "grant.Revoked" in desk.told("manager", *asked["grant"])
    _check_refusals(desk, grant)
    _check_rebuilt(network, lambda: told(nodes[3]) == found)


def _check_pages(desk: Desk, words: tuple[str, ...], expected: list[dict[str, object]]) -> None:
    """One row at a time gives the same rows."""
    found: list[dict[str, object]] = []
    cursor: tuple[str, ...] = ()
    for _ in expected:
        answer = desk.ask("manager", *words, "--limit", "1", *cursor)
        found += _rows(answer)
        cursor = "--cursor", str(answer["cursor"])
    assert found == expected


def _check_refusals(desk: Desk, grant: str) -> None:
    # No node is run by this party: at its own, a party is an operator.
    assert desk.refused("consumer", "history", "subject", grant) == "access.level"
    assert desk.refused("manager", "history", "subject", grant, "--cursor", "00") == (
        "query.invalid"
    )
    assert desk.enter("manager", "history", "account", "abcd").code == 2
    assert desk.enter("manager", "history", "subject", grant, "--limit", "0").code == 2
    nothing = desk.ask("manager", "history", "subject", "never-heard-of")
    assert (nothing["rows"], nothing["is_complete"], nothing["first_height"]) == ([], True, 0)


def _check_rebuilt(network: LocalNetwork, is_equal: object) -> None:
    """A history that somebody deletes is made again."""
    assert callable(is_equal)
    name = network.plan.nodes[3].name
    folders = list(network.root.glob(f"**/{name}/data/history"))
    assert len(folders) == 1
    shutil.rmtree(folders[0])
    pid = supervisor.process_pids(network.root)[name]
    network.kill(name)
    network.wait(
        lambda: supervisor.process_pids(network.root).get(name, pid) != pid,
        timeout_s=60,
        what="the node was started again",
    )
    network.wait(lambda: network.status(3) is not None, timeout_s=60, what="it answers")
    assert is_equal()
