"""Epochs: a replica serves one committee, from the base of its epoch to the last height."""

from __future__ import annotations

import pytest

from consensus.pbft import verify
from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Decision,
    NewView,
    Prepare,
    RelayedNewView,
    ViewChange,
    decode_message,
    encode_message,
    null_proposal,
)
from consensus.pbft.types import Certify, Effect, ProposalFetched, Recovered, Retire, Synced
from ledger.errors import DecodeError
from ledger.model import CommitCertificate, Signature, proposal_digest
from tests.sim.desk import (
    CHAIN_ID,
    Desk,
    asked,
    delivered,
    of_kind,
    proposal_of,
    said,
    statement_of,
)

BASE = 40


def decision_at(desk: Desk, height: int) -> Decision:
    proposal = proposal_of(height)
    signers = range(desk.validators.quorum)
    signatures = tuple(Signature(index, bytes(64)) for index in signers)
    certificate = CommitCertificate(0, height, proposal_digest(proposal), signatures)
    return Decision(proposal, certificate)


def test_an_epoch_begins_above_its_base_in_view_zero() -> None:
    desk = Desk(base=BASE)
    assert (desk.replica.view, desk.replica.next_height) == (0, BASE + 1)
    assert asked(desk.pre_prepare(proposal_of(BASE))) == []
    assert delivered(desk.order(proposal_of(BASE + 1))) == [BASE + 1]


def test_nothing_is_voted_on_above_the_last_height_of_the_epoch() -> None:
    desk = Desk(base=BASE, window=4)
    desk.order(proposal_of(BASE + 1))
    desk.execute(BASE + 1, last=BASE + 2)
    desk.certified(BASE + 1)
    assert asked(desk.pre_prepare(proposal_of(BASE + 2))) == [(BASE + 2, True)]
    assert asked(desk.pre_prepare(proposal_of(BASE + 3))) == []


def test_a_primary_does_not_propose_above_the_last_height() -> None:
    desk = Desk(index=0, base=BASE, window=4)
    desk.recovered = Recovered(head=BASE, last=BASE + 1)
    desk.restart()
    assert desk.replica.can_propose
    desk.propose("a")
    assert not desk.replica.can_propose


def test_an_epoch_ends_when_its_last_height_is_executed_and_certified() -> None:
    desk = Desk(base=BASE, window=4)
    for height in (BASE + 1, BASE + 2):
        desk.order(proposal_of(height))
    desk.execute(BASE + 1, last=BASE + 2)
    desk.certified(BASE + 1)
    effects = desk.execute(BASE + 2)
    assert said(effects, Checkpoint) == [Checkpoint(statement_of(BASE + 2))]
    assert of_kind(effects, Retire) == []
    assert not desk.replica.is_retired
    effects = desk.certified(BASE + 2)
    certificate = desk.certificate(statement_of(BASE + 2))
    assert effects == [Certify(certificate), Retire(certificate)]
    assert desk.replica.is_retired
    assert desk.tick(20, pending=True) == []


def test_an_epoch_ends_through_block_sync_too() -> None:
    desk = Desk(base=BASE, window=4)
    desk.certified(BASE + 9)
    desk.tick(10)
    certificate = desk.certificate(statement_of(BASE + 9))
    effects = desk.step(Synced(BASE + 9, certificate, last=BASE + 9))
    assert of_kind(effects, Retire) == [Retire(certificate)]


def test_what_later_committees_certify_is_not_counted_with_our_indexes() -> None:
    desk = Desk(base=BASE, window=4)
    desk.order(proposal_of(BASE + 1))
    desk.execute(BASE + 1, last=BASE + 1)
    desk.certified(BASE + 2)
    assert desk.replica.stable == BASE
    desk.checkpoints([0, 2, 3], statement_of(BASE + 2))
    assert desk.replica.stable == BASE


def test_a_view_change_of_another_epoch_is_no_evidence() -> None:
    desk = Desk(base=BASE)
    for epoch in (0, BASE - 1, BASE + 1):
        change = ViewChange(1, None, (), (), epoch=epoch)
        with pytest.raises(verify.ClaimInvalid, match="another epoch"):
            verify.claims(change, 2, desk.validators, CHAIN_ID, base=BASE)
    mixed = desk.new_view(
        1, {0: desk.view_change(1), 1: desk.view_change(1), 2: ViewChange(1, None, (), ())}
    )
    for message in (mixed, RelayedNewView(1, mixed, bytes(64))):
        with pytest.raises(verify.ClaimInvalid, match="another epoch"):
            verify.claims(message, 1, desk.validators, CHAIN_ID, base=BASE)


def test_certificates_of_an_earlier_committee_are_not_judged_by_ours() -> None:
    desk = Desk(base=BASE)
    for message in (
        Certified(desk.certificate(statement_of(BASE))),
        decision_at(desk, BASE),
    ):
        with pytest.raises(verify.ClaimInvalid, match="another epoch"):
            verify.claims(message, 2, desk.validators, CHAIN_ID, base=BASE)


def test_a_checkpoint_at_or_below_the_base_cannot_stand_in_a_view_change() -> None:
    desk = Desk(base=BASE)
    stable = desk.certificate(statement_of(BASE))
    with pytest.raises(DecodeError, match="base of its epoch"):
        decode_message(encode_message(ViewChange(1, stable, (), (), epoch=BASE)))


def test_views_change_within_an_epoch_above_its_base() -> None:
    desk = Desk(base=BASE)
    proposal = proposal_of(BASE + 1)
    evidence = ViewChange(1, None, (desk.prepared(proposal),), (), epoch=BASE)
    desk = Desk(index=2, base=BASE)
    effects = desk.receive(1, desk.new_view(1, {0: evidence, 1: desk.view_change(1), 3: evidence}))
    assert desk.replica.view == 1
    assert desk.replica.next_height == BASE + 2
    assert effects != []


def test_a_log_that_outlived_its_epoch_is_not_taken_for_ours() -> None:
    old = Desk(index=1)
    old.view_changes([2, 3], 2)
    changes = {sender: ViewChange(2, None, (), ()) for sender in (0, 2, 3)}
    old.receive(2, old.new_view(2, changes))
    old.view_changes([2, 3], 3)
    desk = Desk(index=1, base=BASE)
    effects = desk.restart(records=old.log)
    assert (desk.replica.view, desk.replica.target_view) == (0, 0)
    assert said(effects, NewView) == [] and said(effects, Prepare) == []
    same = Desk(index=1)
    same.restart(records=old.log)
    assert (same.replica.view, same.replica.target_view) == (2, 3)


def test_block_sync_beyond_the_end_states_nothing_of_the_next_epoch() -> None:
    desk = Desk(base=BASE, window=4)
    desk.certified(BASE + 6)
    desk.tick(10)
    heights = range(BASE + 1, BASE + 7)
    statements = tuple(statement_of(height) for height in heights)
    effects = desk.step(Synced(BASE + 6, None, statements, last=BASE + 5))
    assert stated(effects) == list(range(BASE + 1, BASE + 6))
    assert desk.replica.last == BASE + 5
    desk.recovered = Recovered(head=BASE + 6, statements=statements, last=BASE + 5)
    assert stated(desk.restart()) == list(range(BASE + 1, BASE + 6)), "nor after a restart"


def test_nothing_is_delivered_above_the_last_height() -> None:
    """Of a larger committee, a quorum of ours is none; of a superset, our members sign alike."""
    desk = Desk(base=BASE, window=4)
    desk.certified(BASE + 7)
    desk.tick(1)
    for height in (BASE + 5, BASE + 6):
        desk.receive(2, signed_decision(desk, height))
        desk.validated(proposal_of(height))
    statements = tuple(statement_of(height) for height in range(BASE + 1, BASE + 5))
    effects = desk.step(Synced(BASE + 4, None, statements, last=BASE + 5))
    assert delivered(effects) == [BASE + 5]
    effects = desk.execute(BASE + 5, last=BASE + 5)
    assert delivered(effects) == []


def test_orders_of_a_new_view_above_our_watermark_wait_for_it() -> None:
    """Who did not execute the blocks below cannot know which committee votes there."""
    desk = Desk(window=2)
    above = proposal_of(4)
    evidence = ViewChange(2, desk.certificate(statement_of(2)), (desk.prepared(above),), ())
    effects = desk.receive(2, desk.new_view(2, dict.fromkeys((0, 2, 3), evidence)))
    assert desk.replica.stable == 2
    assert said(effects, Prepare) == [], "3 and 4 are more than a window above the block 0"
    desk.tick(10)
    effects = desk.step(Synced(2, desk.certificate(statement_of(2))))
    desk.step(ProposalFetched(above))
    effects += desk.validated(above)
    null = proposal_digest(null_proposal(3))
    assert said(effects, Prepare) == [Prepare(2, 3, null), Prepare(2, 4, proposal_digest(above))]


def test_a_new_view_beyond_the_epoch_fills_no_memory_and_survives_a_restart() -> None:
    desk = Desk(base=BASE, window=4)
    desk.recovered = Recovered(head=BASE, last=BASE + 5)
    desk.restart()
    for view in (4, 8):
        base = desk.certificate(statement_of(BASE + 10 * view))
        evidence = ViewChange(
            view, base, (desk.prepared(proposal_of(BASE + 10 * view + 4)),), (), BASE
        )
        desk.receive(0, desk.new_view(view, dict.fromkeys((0, 2, 3), evidence)))
    assert (desk.replica.view, desk.replica.stable) == (8, BASE)
    assert len(desk.replica.compacted()) == 1, "the NEW-VIEW"
    desk.restart()
    assert (desk.replica.view, desk.replica.stable) == (8, BASE)


def stated(effects: list[Effect]) -> list[int]:
    return [checkpoint.statement.height for checkpoint in said(effects, Checkpoint)]


def signed_decision(desk: Desk, height: int) -> Decision:
    proposal = proposal_of(height)
    digest = proposal_digest(proposal)
    vote = Commit(0, height, digest)
    signatures = tuple(Signature(index, desk.signature(index, vote)) for index in (0, 2, 3))
    return Decision(proposal, CommitCertificate(0, height, digest, signatures))
