"""Proofs of a chain whose committee changed: from a node to a file, and to two checkers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli.main import main
from client.cluster import Cluster
from client.errors import Refused
from client.node import NodeClient
from crypto.providers.software import verify_batch
from ledger.bundle import StatesFacts, check_bundle, decode_bundle, encode_bundle
from ledger.errors import BundleInvalid, DecodeError
from ledger.genesis import load_genesis, save_genesis
from ledger.model import ExecutionCertificate
from ledger.succession import COMMITTEE_CHANGES_MAX, CommitteeChange, follow_changes
from node.api import service
from node.wire import committee_item
from shuxin.v1 import node_pb2 as pb
from tests import bundle_opinion
from tests.moving_chain import WINDOW, Moving, served

YEARS_S = 1 << 31  # the chain's blocks are of 2023


@pytest.fixture(scope="module")
def node(moving: Moving) -> Iterator[str]:
    with served(moving.chain) as target:
        yield target


@pytest.fixture
def genesis(moving: Moving) -> str:
    return str(moving.chain.root / "genesis.json")


def proven(node: str, genesis: str, transaction: bytes, path: Path) -> bytes:
    """The file that `tx prove` makes."""
    words = ["tx", "prove", transaction.hex(), "--output", str(path)]
    assert main([*words, "--node", node, "--genesis", genesis]) == 0
    return path.read_bytes()


# --- what a node tells ------------------------------------------------------------------------


def test_a_node_tells_the_changes_that_took_effect(node: str, moving: Moving) -> None:
    chain = moving.chain
    with NodeClient(node) as client, Cluster([node, node + "0"]) as cluster:
        changes = client.committee_changes()
        assert cluster.committee_changes() == changes
    assert [change.base for change in changes] == [moving.first_base, moving.second_base]
    epochs = follow_changes(chain.genesis.validators, changes, chain.chain_id, verify_batch)
    assert epochs.all == chain.store.epochs.all[:-1], "the coming one has not taken over"


def test_long_histories_come_in_pages(
    node: str, moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "COMMITTEES_MAX", 1)
    with NodeClient(node) as client:
        assert len(client.committee_changes()) == 2


def answered(monkeypatch: pytest.MonkeyPatch, client: NodeClient, *replies: object) -> None:
    """Let the client's node answer so, the last one for ever."""
    left = list(replies)

    def answer(request: pb.GetCommitteesRequest, timeout: float) -> object:
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(client._stub, "GetCommittees", answer)


def items(moving: Moving) -> list[pb.CommitteeItem]:
    store = moving.chain.store
    found = []
    for epoch in store.epochs.all[1:3]:
        certificate = store.execution_certificate(epoch.base)
        assert certificate is not None
        found.append(committee_item(epoch, certificate))
    return found


def test_answers_that_do_not_end_or_do_not_ascend_are_refused(
    node: str, moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = items(moving)
    renamed = pb.CommitteeItem(
        base=first.base - 1, validators=first.validators, certificate=first.certificate
    )
    empty = pb.CommitteesReply(committees=[], is_complete=False)
    for replies in (
        [empty],
        [pb.CommitteesReply(committees=[first], is_complete=False)],
        [pb.CommitteesReply(committees=[second, first], is_complete=True)],
        [pb.CommitteesReply(committees=[renamed], is_complete=True)],
    ):
        with NodeClient(node) as client, pytest.raises(Refused) as refused:
            answered(monkeypatch, client, *replies)
            client.committee_changes()
        assert refused.value.code == "answer.inconsistent"


def test_answers_that_cannot_be_read_are_refused(
    node: str, moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = items(moving)
    first.validators += b"\0"
    with NodeClient(node) as client, pytest.raises(Refused) as refused:
        answered(monkeypatch, client, pb.CommitteesReply(committees=[first], is_complete=True))
        client.committee_changes()
    assert refused.value.code == "answer.unreadable"


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", range(3), ids=["first", "second", "third"])
def test_a_transaction_under_each_committee_is_proven_offline(
    node: str,
    moving: Moving,
    genesis: str,
    which: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "tx"
    data = proven(node, genesis, moving.transactions[which], file)
    capsys.readouterr()
    assert main(["audit", "check", str(file), "--genesis", genesis, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["epoch"] == (0, moving.first_base, moving.second_base)[which]
    assert told["validators"] == (4, 5, 5)[which]
    assert told["party"] == "p0"
    assert told["party_proven_at"] == moving.head, "under the third committee, all the same"
    assert bundle_opinion.check(data, Path(genesis).read_bytes())[0] == "transaction"
    assert len(decode_bundle(data).committee_changes) == 2


def test_a_record_of_evidence_of_the_first_committee_is_proven_under_the_third(
    node: str, genesis: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "evidence")
    words = ["evidence", "prove", "early", "--output", file]
    common = ["--node", node, "--genesis", genesis]
    assert main([*words, *common]) == 1
    assert "refused: stale_certificate" in capsys.readouterr().err
    assert main([*words, *common, "--max-age", str(YEARS_S)]) == 0
    capsys.readouterr()
    assert main(["audit", "check", file, "--genesis", genesis, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["record"]["party"] == "p0"
    assert told["signers"] == ["node5", "node2", "node3", "node4"]


def test_two_checkers_refuse_altered_bytes_alike(
    node: str, moving: Moving, genesis: str, tmp_path: Path
) -> None:
    good = proven(node, genesis, moving.transactions[1], tmp_path / "tx")
    trusted, file = load_genesis(Path(genesis)), Path(genesis).read_bytes()
    step = len(good) // 40
    for position in range(0, len(good), step):
        changed = bytearray(good)
        changed[position] ^= 1 << position % 8
        with pytest.raises((BundleInvalid, DecodeError)):
            check_bundle(decode_bundle(bytes(changed)), trusted, verify_batch)
        with pytest.raises(bundle_opinion.Refused):
            bundle_opinion.check(bytes(changed), file)


def test_two_checkers_refuse_the_same_lists_of_changes(
    node: str, moving: Moving, genesis: str, tmp_path: Path
) -> None:
    data = proven(node, genesis, moving.transactions[2], tmp_path / "tx")
    bundle, trusted = decode_bundle(data), load_genesis(Path(genesis))
    first, second = bundle.committee_changes
    idle = CommitteeChange(first.validators, moving_certificate(moving, moving.first_base + 1))
    for listed, number in (
        ((), "7"),
        ((first,), "8"),
        ((second,), "7"),
        ((second, first), "7"),
        ((first, first, second), "4"),
        ((first, idle, second), "9"),
        ((first, replace(second, validators=first.validators)), "9"),
        ((first,) * (COMMITTEE_CHANGES_MAX + 1), "4"),
    ):
        forged = replace(bundle, committee_changes=listed)
        with pytest.raises(BundleInvalid):
            check_bundle(forged, trusted, verify_batch)
        with pytest.raises(bundle_opinion.Refused, match=f"^{number}$"):
            bundle_opinion.check(encode_bundle(forged), Path(genesis).read_bytes())


def moving_certificate(moving: Moving, height: int) -> ExecutionCertificate:
    certificate = moving.chain.store.execution_certificate(height)
    assert certificate is not None
    return certificate


# --- shuxin validator history -----------------------------------------------------------------


def test_the_history_names_members_bases_and_deciding_blocks(
    node: str, moving: Moving, genesis: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["validator", "history", "--node", node, "--genesis", genesis]
    assert main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    first, second = moving.first_base, moving.second_base
    assert [(row["first_height"], row["last_height"]) for row in rows] == [
        (1, first),
        (first + 1, second),
        (second + 1, None),
    ]
    assert [row["decided_height"] for row in rows] == [0, first - WINDOW, second - WINDOW]
    assert [row["quorum"] for row in rows] == [3, 4, 4]
    assert rows[2]["members"] == ["node0", "node5", "node2", "node3", "node4"]
    store = moving.chain.store
    assert any(
        event.contract == "governance" and event.name == "CommitteeDecided"
        for receipt in store.receipts(rows[1]["decided_height"])
        for event in receipt.events
    )
    assert main(words) == 0
    assert f"committees: 3, proven from {genesis}" in capsys.readouterr().out


def test_a_forged_history_is_refused(
    node: str,
    moving: Moving,
    genesis: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with NodeClient(node) as client:
        _, second = client.committee_changes()
    monkeypatch.setattr(NodeClient, "committee_changes", lambda self, above=0: (second,))
    assert main(["validator", "history", "--node", node, "--genesis", genesis]) == 1
    assert "refused: signers_invalid" in capsys.readouterr().err


def test_the_history_of_another_chain_is_refused(
    node: str, moving: Moving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "genesis.json"
    save_genesis(replace(moving.chain.genesis, name="another"), other)
    assert main(["validator", "history", "--node", node, "--genesis", str(other)]) == 1
    assert "refused: other_chain" in capsys.readouterr().err


def test_two_checkers_agree_on_a_proof_of_many_keys(
    node: str, moving: Moving, genesis: str, tmp_path: Path
) -> None:
    file, trusted = Path(genesis).read_bytes(), load_genesis(Path(genesis))
    bundle = tmp_path / "states"
    words = ["state", "prove", "evidence", "records", "early", "--output", str(bundle)]
    for height in range(1, 8):  # most of them absent
        words += ["--also", f"evidence records filler-{height}"]
    words += ["--also", "code evidence", "--also", "parties never so"]
    common = ["--node", node, "--genesis", genesis, "--max-age", str(YEARS_S)]
    assert main([*words, *common]) == 0
    good = bundle.read_bytes()
    facts = check_bundle(decode_bundle(good), trusted, verify_batch)
    kind, keys, proof, _ = bundle_opinion.check(good, file)
    assert isinstance(facts, StatesFacts) and kind == "states"
    assert [tuple(key) for key in keys] == list(facts.keys)
    assert tuple(proof[0]) == facts.values and None in facts.values
    claim = good.index(b"states", 20)
    step = (len(good) - claim) // 60
    for position in range(claim, len(good), step):
        changed = bytearray(good)
        changed[position] ^= 1 << position % 8
        ours = theirs = None
        with suppress(BundleInvalid, DecodeError):
            ours = check_bundle(decode_bundle(bytes(changed)), trusted, verify_batch)
        with suppress(bundle_opinion.Refused):
            theirs = bundle_opinion.check(bytes(changed), file)
        assert (ours is None) == (theirs is None), position
        if isinstance(ours, StatesFacts):  # an absent key became another absent one
            assert ours.values == facts.values
