"""What does not decode, and what does not count: untrusted bytes and certificates."""

from __future__ import annotations

import msgspec
import pytest

from consensus.pbft import schedule, verify
from consensus.pbft.messages import (
    MESSAGE_SIZE_MAX,
    NUMBER_MAX,
    WINDOW_MAX,
    Certified,
    Checkpoint,
    Decision,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    RelayedNewView,
    RelayedVote,
    Status,
    ViewChange,
    decode_message,
    encode_message,
)
from crypto.provider import SignedItem
from ledger.errors import DecodeError
from ledger.model import CommitCertificate, Proposal, Signature, proposal_digest
from tests.sim import keys
from tests.sim.desk import CHAIN_ID, Desk, ids, proposal_of, statement_of

DIGEST = bytes(32)


def view_change(desk: Desk, view: int = 2) -> ViewChange:
    stable = desk.certificate(statement_of(3))
    return ViewChange(view, stable, (desk.prepared(proposal_of(4)),), (1,))


def new_view(desk: Desk) -> NewView:
    return desk.new_view(2, {sender: view_change(desk) for sender in (0, 2, 3)})


def decision(desk: Desk) -> Decision:
    proposal = proposal_of(1)
    certificate = desk.prepared(proposal)
    commit = CommitCertificate(0, 1, certificate.digest, certificate.signatures)
    return Decision(proposal, commit)


def claims(desk: Desk, message: Message, sender: int = 2) -> list[SignedItem]:
    return verify.claims(message, sender, desk.validators, CHAIN_ID)


def refuses(message: Message, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode_message(encode_message(message))


def test_every_message_survives_its_bytes() -> None:
    desk = Desk()
    vote = Prepare(1, 2, DIGEST)
    for message in (
        PrePrepare(0, proposal_of(1)),
        vote,
        Checkpoint(statement_of(1)),
        view_change(desk),
        new_view(desk),
        Status(1, True, 2, 3),
        RelayedNewView(2, new_view(desk), bytes(64)),
        RelayedVote(0, vote, bytes(64)),
        decision(desk),
        Certified(desk.certificate(statement_of(1))),
    ):
        assert decode_message(encode_message(message)) == message


def test_garbage_does_not_decode() -> None:
    for data in (b"", b"\x00", b"\xc1", b"\x90", b"\x91\x63", b"\x94\x02\x01\x02", b"\xdd" * 9):
        with pytest.raises(DecodeError):
            decode_message(data)


def test_bytes_that_are_not_canonical_do_not_decode() -> None:
    canonical = encode_message(Status(1, True, 2, 3))
    assert canonical[:3] == b"\x95\x07\x01"
    with pytest.raises(DecodeError, match="canonical"):
        decode_message(canonical[:2] + b"\xcc\x01" + canonical[3:])
    with pytest.raises(DecodeError):
        decode_message(canonical + b"\x00")


def test_oversized_bytes_do_not_decode() -> None:
    with pytest.raises(DecodeError, match="exceed"):
        decode_message(bytes(MESSAGE_SIZE_MAX + 1))


def test_numbers_out_of_range_do_not_decode() -> None:
    refuses(Prepare(-1, 1, DIGEST), ">= 0")
    refuses(Prepare(1, NUMBER_MAX, DIGEST), "<")
    refuses(Prepare(1, 1, DIGEST[:31]), "length")
    refuses(PrePrepare(0, Proposal(-1, (), 0, 0)), "height")
    refuses(PrePrepare(0, Proposal(1, (), 64, 0)), "proposer")
    refuses(PrePrepare(0, Proposal(1, (), 0, -5)), "time")
    refuses(Checkpoint(statement_of(0)), "height")
    statement = msgspec.structs.replace(statement_of(1), state_root=b"short")
    refuses(Checkpoint(statement), "state root")


def test_transaction_ids_that_do_not_ascend_do_not_decode() -> None:
    first, second = ids("a", "b")
    refuses(PrePrepare(0, Proposal(1, (second, first), 0, 1)), "ascend")
    refuses(PrePrepare(0, Proposal(1, (first, first), 0, 1)), "ascend")
    refuses(PrePrepare(0, Proposal(1, (first[:31],), 0, 1)), "31 bytes")
    many = tuple(number.to_bytes(32, "big") for number in range(4097))
    refuses(PrePrepare(0, Proposal(1, many, 0, 1)), "limit")


def test_certificates_with_repeated_or_misplaced_signers_do_not_decode() -> None:
    desk = Desk()
    certificate = desk.certificate(statement_of(1))
    first = certificate.signatures[0]
    twice = msgspec.structs.replace(certificate, signatures=(first, first))
    refuses(Certified(twice), "ascend")
    stranger = msgspec.structs.replace(certificate, signatures=(Signature(64, bytes(64)),))
    refuses(Certified(stranger), "ascend")
    short = msgspec.structs.replace(certificate, signatures=(Signature(0, bytes(63)),))
    refuses(Certified(short), "63 bytes")


def test_view_changes_with_impossible_evidence_do_not_decode() -> None:
    desk = Desk()
    one, two = desk.prepared(proposal_of(1)), desk.prepared(proposal_of(2))
    stable = desk.certificate(statement_of(1))
    refuses(ViewChange(1, None, (two, one), ()), "ascend")
    refuses(ViewChange(1, None, (one, one), ()), "ascend")
    refuses(ViewChange(1, stable, (one,), ()), "window")
    refuses(ViewChange(1, None, (desk.prepared(proposal_of(WINDOW_MAX + 1)),), ()), "window")
    refuses(ViewChange(1, None, (desk.prepared(proposal_of(1), view=1),), ()), "below")
    refuses(ViewChange(1, None, (), (2, 1)), "ascend")


def test_new_views_that_do_not_belong_together_do_not_decode() -> None:
    message = new_view(Desk())
    first, second, third = message.view_changes
    refuses(NewView(3, message.view_changes), "another view")
    refuses(NewView(2, (second, first, third)), "ascend")
    refuses(NewView(2, (first, first, third)), "ascend")


def test_decision_for_another_proposal_does_not_decode() -> None:
    message = decision(Desk())
    other = msgspec.structs.replace(message, proposal=proposal_of(1, "other"))
    refuses(other, "another proposal")
    higher = msgspec.structs.replace(message, proposal=proposal_of(2))
    refuses(higher, "different heights")


def test_claims_name_every_embedded_signature_once() -> None:
    desk = Desk()
    assert claims(desk, PrePrepare(0, proposal_of(1))) == []
    assert len(claims(desk, view_change(desk))) == 3 + 3
    items = claims(desk, new_view(desk))
    assert len(items) == 3 + 3 + 3, "evidence that is repeated is checked once"
    assert all(keys.is_valid(item) for item in items)
    relayed = RelayedNewView(2, new_view(desk), desk.signature(2, new_view(desk)))
    items = claims(desk, relayed, sender=0)
    assert len(items) == 1 + 9
    assert all(keys.is_valid(item) for item in items)


def test_claims_show_a_forged_signature() -> None:
    desk = Desk()
    certificate = desk.certificate(statement_of(1))
    forged = msgspec.structs.replace(
        certificate, signatures=(*certificate.signatures[:2], Signature(3, bytes(64)))
    )
    assert not all(keys.is_valid(item) for item in claims(desk, Certified(forged)))


def test_outer_claim_is_the_senders() -> None:
    desk = Desk()
    message = Prepare(0, 1, DIGEST)
    good = desk.signature(2, message)
    assert keys.is_valid(verify.outer_claim(message, 2, good, desk.validators, CHAIN_ID))
    assert not keys.is_valid(verify.outer_claim(message, 3, good, desk.validators, CHAIN_ID))
    with pytest.raises(verify.ClaimInvalid):
        verify.outer_claim(message, 4, good, desk.validators, CHAIN_ID)


@pytest.mark.parametrize("missing", ["stable", "prepared", "new view", "certified", "decision"])
def test_certificates_without_a_quorum_are_refused(missing: str) -> None:
    desk, few = Desk(), Desk(size=3)  # two of three would do there
    messages: dict[str, Message] = {
        "stable": ViewChange(2, few.certificate(statement_of(1)), (), ()),
        "prepared": ViewChange(2, None, (few.prepared(proposal_of(1)),), ()),
        "new view": few.new_view(2, {0: view_change(desk), 2: view_change(desk)}),
        "certified": Certified(few.certificate(statement_of(1))),
        "decision": decision(few),
    }
    with pytest.raises(verify.ClaimInvalid):
        claims(desk, messages[missing])


def test_strangers_are_refused() -> None:
    desk, more = Desk(), Desk(size=7)
    with pytest.raises(verify.ClaimInvalid):
        claims(desk, Prepare(0, 1, DIGEST), sender=4)
    with pytest.raises(verify.ClaimInvalid):
        claims(desk, ViewChange(2, more.certificate(statement_of(1)), (), ()))
    with pytest.raises(verify.ClaimInvalid):
        claims(desk, ViewChange(2, None, (more.prepared(proposal_of(1)),), ()))
    with pytest.raises(verify.ClaimInvalid):
        claims(desk, ViewChange(2, None, (), (5,)))
    with pytest.raises(verify.ClaimInvalid):
        claims(desk, ViewChange(2, None, (), (0, 1)))
    with pytest.raises(verify.ClaimInvalid):
        claims(desk, RelayedVote(5, Prepare(0, 1, DIGEST), bytes(64)))


def test_new_view_of_another_than_the_leader_is_refused() -> None:
    desk = Desk()
    message = new_view(desk)
    with pytest.raises(verify.ClaimInvalid, match="leader"):
        claims(desk, message, sender=3)
    with pytest.raises(verify.ClaimInvalid, match="leader"):
        claims(desk, RelayedNewView(1, message, bytes(64)))


def test_statements_of_another_chain_are_refused() -> None:
    desk = Desk()
    statement = msgspec.structs.replace(statement_of(1), chain_id=bytes(32))
    with pytest.raises(verify.ClaimInvalid, match="chain"):
        claims(desk, Checkpoint(statement))
    with pytest.raises(verify.ClaimInvalid, match="chain"):
        claims(desk, Certified(desk.certificate(statement)))


def test_turns_go_round_and_skip_the_silent_for_a_while() -> None:
    turns = schedule.Schedule(view=5, start=10, skipped=(2,), size=4, rotate_every=3)
    assert [turns.proposer(height) for height in range(11, 23)] == [1] * 3 + [3] * 3 + [0] * 3 + [
        1
    ] * 3
    later = 10 + 3 * 3 * schedule.SKIP_ROUNDS
    assert [turns.proposer(later + 1 + 3 * turn) for turn in range(4)] == [1, 2, 3, 0]


def test_skipped_are_those_whom_one_honest_replica_names_but_never_the_leader() -> None:
    named = [(0,), (2,), (2, 3), (0, 3), (3,)]
    assert schedule.skipped_replicas(named, leader=1, size=7, fault_bound=2) == (3,)
    assert schedule.skipped_replicas(named, leader=3, size=7, fault_bound=2) == ()
    assert schedule.skipped_replicas(named, leader=1, size=7, fault_bound=1) == (3,)


def test_digest_of_a_proposal_names_no_view() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    assert desk.prepared(proposal, view=0).digest == desk.prepared(proposal, view=9).digest
    assert proposal_digest(proposal) != proposal_digest(proposal_of(2))


def test_new_view_whose_parts_do_not_belong_together_makes_no_claim() -> None:
    """`claims` does not lean on the checks of decoding."""
    desk = Desk()
    good = new_view(desk)
    repeated = (good.view_changes[0], *good.view_changes[:-1])
    other_view = (
        *good.view_changes[:-1],
        desk.new_view(6, {3: view_change(desk, 6)}).view_changes[0],
    )
    for changes in (repeated, other_view):
        with pytest.raises(verify.ClaimInvalid, match="do not belong together"):
            claims(desk, NewView(2, changes))


def test_prepared_certificate_with_a_repeated_signer_makes_no_claim() -> None:
    desk = Desk()
    good = desk.prepared(proposal_of(4))
    signatures = (good.signatures[0], *good.signatures[:-1])
    twice = msgspec.structs.replace(good, signatures=signatures)
    with pytest.raises(verify.ClaimInvalid, match="ascend"):
        claims(desk, ViewChange(2, None, (twice,), ()))


def test_view_change_with_more_evidence_than_a_window_does_not_decode() -> None:
    desk = Desk()
    one = desk.prepared(proposal_of(1))
    many = tuple(msgspec.structs.replace(one, height=h) for h in range(1, WINDOW_MAX + 2))
    refuses(ViewChange(2, None, many, ()), "more than")
