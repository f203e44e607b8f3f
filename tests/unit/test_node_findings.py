"""What a node halted over, read back: who signed what, and who signed both sides."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from consensus.pbft.messages import (
    Checkpoint,
    NewView,
    Prepare,
    PreparedCertificate,
    SignedMessage,
    SignedViewChange,
    Status,
    ViewChange,
    encode_message,
    signing_bytes,
)
from consensus.pbft.types import Accuse
from ledger.certificates import VoteKind, vote_message
from ledger.committee import Epoch, Epochs
from ledger.encoding import encode
from ledger.model import CommitCertificate, ExecutionCertificate, execution_message
from node.accusations import Accusations
from node.findings import UNREADABLE, Finding, Reader
from tests.chain_world import Chain
from tests.ledger_world import World, fake_sign, fake_verify_batch, sign_all


class Desk:
    """A folder of accusations on a chain of one block."""

    def __init__(self, root: Path) -> None:
        self.chain = Chain(World(root / "chain"))
        self.chain.grow()
        self.world = self.chain.world
        self.validators = self.world.validators
        self.folder = root / "accusations"
        self.kept = Accusations(self.folder)

    def halted_over(self, *evidence: object) -> Finding:
        self.kept.keep_halt("for the test", [encode(one) for one in evidence])
        return self.only()

    def only(self) -> Finding:
        (found,) = self.read()
        return found

    def read(self) -> list[Finding]:
        epochs = Epochs([Epoch(0, self.validators, self.world.chain_id)])
        return Reader(epochs, fake_verify_batch).read(self.folder)

    def outcome(self, signers: tuple[int, ...], root: bytes) -> ExecutionCertificate:
        statement = msgspec.structs.replace(self.world.store.statement(1), state_root=root)
        message = execution_message(statement)
        return ExecutionCertificate(statement, sign_all(message, self.validators, signers))

    def votes(self, kind: VoteKind, signers: tuple[int, ...], digest: bytes) -> CommitCertificate:
        message = vote_message(kind, self.world.chain_id, 0, 1, digest)
        return CommitCertificate(0, 1, digest, sign_all(message, self.validators, signers))

    def change(self, sender: int, *prepared: PreparedCertificate) -> SignedViewChange:
        change = ViewChange(1, None, prepared, ())
        return SignedViewChange(sender, change, self.signature(sender, change))

    def signature(self, sender: int, message: Prepare | Checkpoint | ViewChange | Status) -> bytes:
        key = self.validators.validators[sender].public_key
        return fake_sign(key, signing_bytes(self.world.chain_id, message))

    def said(self, sender: int, message: Prepare | Checkpoint | Status) -> SignedMessage:
        return SignedMessage(sender, encode_message(message), self.signature(sender, message))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


ONE, OTHER = bytes([1]) * 32, bytes([2]) * 32


def test_who_certified_two_outcomes_is_named(desk: Desk) -> None:
    found = desk.halted_over(desk.outcome((0, 1, 2), ONE), desk.outcome((1, 2, 3), OTHER))
    assert found.reason == "for the test"
    assert found.both == ("v1", "v2")
    first, second = found.exhibits
    assert first.signers == ("v0", "v1", "v2") and not first.forged
    assert first.what.startswith("execution certificate: height 1, block ")
    assert ONE.hex() in first.what and OTHER.hex() in second.what


def test_who_committed_two_proposals_is_named(desk: Desk) -> None:
    found = desk.halted_over(
        desk.votes(VoteKind.COMMIT, (0, 1, 3), ONE), desk.votes(VoteKind.COMMIT, (0, 1, 2), OTHER)
    )
    assert found.both == ("v0", "v1")
    what = f"commit certificate: height 1, view 0, proposal {ONE.hex()}"
    assert found.exhibits[0].what == what


def test_prepared_certificates_are_told_from_commit_certificates(desk: Desk) -> None:
    found = desk.halted_over(
        desk.votes(VoteKind.PREPARE, (0, 1, 3), ONE), desk.votes(VoteKind.PREPARE, (0, 2, 3), OTHER)
    )
    assert found.exhibits[0].what.startswith("prepared certificate: height 1")
    assert found.both == ("v0", "v3")


def test_who_hides_what_he_committed_is_named(desk: Desk) -> None:
    commit = desk.votes(VoteKind.COMMIT, (0, 1, 2), ONE)
    prepared = desk.votes(VoteKind.PREPARE, (0, 1, 2), ONE)
    shown = PreparedCertificate(0, 1, ONE, prepared.signatures)
    changes = (desk.change(0, shown), desk.change(1), desk.change(3))
    found = desk.halted_over(commit, NewView(1, changes))
    assert found.both == ("v1",), "v0 shows it, v3 never committed"
    assert found.exhibits[1].signers == ("v0", "v1", "v3")


def test_a_forged_signature_accuses_nobody(desk: Desk) -> None:
    certificate = desk.outcome((0, 1, 2), ONE)
    first, *rest = certificate.signatures
    forged = msgspec.structs.replace(first, signature=bytes(64))
    certificate = msgspec.structs.replace(certificate, signatures=(forged, *rest))
    found = desk.halted_over(certificate, desk.outcome((0, 3), OTHER))
    assert found.exhibits[0].forged == ("v0",)
    assert found.both == ()


def test_a_node_that_diverged_shows_its_own_outcome_and_the_block(desk: Desk) -> None:
    own = desk.world.store.statement(1)
    found = desk.halted_over(own, desk.outcome((0, 1, 2), ONE), desk.chain.bundle(1))
    assert [side.what.partition(":")[0] for side in found.exhibits] == [
        "this node's outcome",
        "execution certificate",
        "the block of height 1",
    ]
    assert found.both == ()


def test_who_said_two_things_is_named(desk: Desk) -> None:
    desk.kept.keep(Accuse(desk.said(2, Prepare(0, 1, ONE)), desk.said(2, Prepare(0, 1, OTHER))))
    statement = desk.world.store.statement(1)
    other = msgspec.structs.replace(statement, state_root=ONE)
    desk.kept.keep(Accuse(desk.said(3, Checkpoint(statement)), desk.said(3, Checkpoint(other))))
    first, second = desk.read()
    assert (first.both, second.both) == (("v2",), ("v3",))
    assert first.exhibits[0].what == f"prepare: height 1, view 0, proposal {ONE.hex()}"
    assert second.exhibits[1].what.startswith("checkpoint: height 1")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        encode(("reason", ())),
        encode(("reason", (b"garbage", b"garbage"))),
        encode(("reason", (encode(CommitCertificate(0, 1, b"", ())),))),
    ],
)
def test_a_halt_that_cannot_be_read_says_so(desk: Desk, data: bytes) -> None:
    desk.folder.mkdir()
    (desk.folder / "halt-0.bin").write_bytes(data)
    found = desk.only()
    assert found.reason.startswith("it cannot be read")
    assert found.exhibits == (UNREADABLE,)


def test_messages_that_contradict_nothing_accuse_nobody(desk: Desk) -> None:
    status = desk.said(1, Status(0, is_active=True, decided=0, certified=0))
    desk.kept.keep(Accuse(status, status))
    assert desk.only().exhibits == (UNREADABLE,)


def test_a_signer_that_there_is_not_makes_a_file_unreadable(desk: Desk) -> None:
    strange = desk.said(0, Prepare(0, 1, ONE))
    for sender in (9, -1):
        named = msgspec.structs.replace(strange, sender=sender)
        desk.kept.keep(Accuse(named, named))
    assert all(found.reason.startswith("it cannot be read") for found in desk.read())
