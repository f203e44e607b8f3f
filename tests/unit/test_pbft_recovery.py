"""Coming back from the log: a restarted replica never contradicts itself."""

from __future__ import annotations

import pytest

from consensus.pbft import wal
from consensus.pbft.messages import (
    Checkpoint,
    Commit,
    Decision,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
    decode_message,
    encode_message,
)
from consensus.pbft.types import Accuse, Certify, Recovered
from ledger.errors import DecodeError
from ledger.model import proposal_digest
from tests.sim.desk import (
    Desk,
    asked,
    delivered,
    ids,
    of_kind,
    proposal_of,
    said,
    sent,
    statement_of,
)


def test_new_replica_says_only_where_it_stands() -> None:
    effects = Desk().tick()
    assert said(effects, Status) == [Status(view=0, is_active=True, decided=0, certified=0)]
    assert len(effects) == 1


def test_restarted_backup_repeats_its_votes_and_takes_no_other_proposal() -> None:
    desk = Desk()
    proposal = proposal_of(1, "a")
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    desk.prepares([2], proposal)
    effects = desk.restart()
    digest = proposal_digest(proposal)
    assert said(effects, Prepare) == [Prepare(0, 1, digest)]
    assert said(effects, Commit) == [Commit(0, 1, digest)]
    assert asked(effects) == [(1, False)], "its bodies must be at hand again"
    assert asked(desk.pre_prepare(proposal_of(1, "b"))) == []
    assert desk.replica.proposal(digest) == proposal
    assert desk.replica.is_in_flight(ids("a")[0])


def test_restarted_primary_repeats_its_proposal_and_makes_no_other_at_that_height() -> None:
    desk = Desk(index=0)
    proposed = said(desk.propose("a"), PrePrepare)
    assert said(desk.restart(), PrePrepare) == proposed
    assert said(desk.propose("b"), PrePrepare)[0].proposal.height == 2


def test_commit_is_not_repeated_if_its_record_was_torn() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    desk.prepares([2], proposal)
    effects = desk.restart(records=desk.log[:-1])
    assert len(said(effects, Prepare)) == 1
    assert said(effects, Commit) == []


def test_torn_prepare_leaves_a_proposal_without_a_vote() -> None:
    desk = Desk()
    proposal = proposal_of(1, "a")
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    effects = desk.restart(records=desk.log[:1])
    assert said(effects, Prepare) == []
    other = proposal_of(1, "b")
    assert asked(desk.pre_prepare(other)) == [(1, True)], "nothing was said yet"


def test_prepared_evidence_survives_a_restart() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    desk.prepares([2], proposal)
    desk.restart()
    effects = desk.view_changes([2, 3], 2)
    assert [c.height for c in said(effects, ViewChange)[0].prepared] == [1]


def test_promise_of_a_view_change_survives_a_restart() -> None:
    desk = Desk()
    desk.view_changes([2, 3], 2)
    effects = desk.restart()
    assert [c.view for c in said(effects, ViewChange)] == [2]
    assert (desk.replica.view, desk.replica.target_view) == (0, 2)
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    assert said(desk.validated(proposal), Prepare) == []


def test_restarted_leader_stands_by_its_choice_of_view_changes() -> None:
    desk = Desk(index=1)
    made = said(desk.view_changes([2, 3], 1), NewView)[0]
    desk.restart()
    assert desk.replica.view == 1
    effects = desk.receive(0, Status(view=0, is_active=True, decided=0, certified=0))
    assert [getattr(e, "message", None) for e in effects] == [made]


def test_new_view_with_what_it_fixed_survives_a_restart() -> None:
    desk = Desk(index=1)
    proposal = proposal_of(1)
    evidence = ViewChange(2, None, (desk.prepared(proposal),), ())
    empty = ViewChange(2, None, (), ())
    desk.receive(2, desk.new_view(2, {0: empty, 2: empty, 3: evidence}))
    desk.restart()
    assert (desk.replica.view, desk.replica.is_active) == (2, True)
    other = proposal_of(1, "other", proposer=2)
    assert asked(desk.pre_prepare(other, view=2, sender=2)) == []


def test_delivered_blocks_that_were_not_durable_are_delivered_again() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    assert delivered(desk.order(proposal)) == [1]
    desk.restart()
    desk.validated(proposal)
    desk.prepares([0, 2], proposal)
    assert delivered(desk.commits([0, 2], proposal)) == [1]


def test_durable_blocks_are_not_delivered_again() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.order(proposal)
    desk.recovered = Recovered(head=1, statements=(statement_of(1),))
    effects = desk.restart()
    assert said(effects, Checkpoint) == [Checkpoint(statement_of(1))]
    assert delivered(desk.commits([0, 2, 3], proposal)) == []
    assert said(effects, Commit) != [], "others may still need our vote"


def test_compacted_log_recovers_the_same_replica() -> None:
    desk = Desk(window=4)
    for height in (1, 2, 3):
        desk.order(proposal_of(height))
    desk.execute(1)
    (certify,) = of_kind(desk.checkpoints([2, 3], statement_of(1)), Certify)
    desk.pre_prepare(proposal_of(4))
    desk.validated(proposal_of(4))
    desk.view_changes([2, 3], 2)
    compacted = desk.replica.compacted()
    assert [e.proposal.height for e in compacted if e.proposal is not None] == [2, 3, 4]
    desk.recovered = Recovered(head=1, certified=certify.certificate)
    full = desk.restart(records=desk.log)
    again = desk.restart(records=[effect.record for effect in compacted])
    assert again == full
    assert desk.replica.compacted() == compacted


def test_compaction_remembers_a_window_above_the_ledgers_certificates() -> None:
    desk = Desk(window=4)
    for height in range(1, 6):
        desk.order(proposal_of(height))
        desk.execute(height)
        desk.certified(height)
    proposal = proposal_of(6)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    compacted = [effect.record for effect in desk.replica.compacted()]
    # The certificates are not synced to the disk: a power failure may take all of them.
    statements = tuple(statement_of(height) for height in range(1, 6))
    for records in (compacted, desk.log):
        desk.recovered = Recovered(head=5, statements=statements)
        effects = desk.restart(records=records)
        assert said(effects, Prepare)[-1].height == 6


def test_own_votes_from_another_life_or_a_stolen_key_do_not_count() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    effects = desk.prepares([0, 1, 2], proposal)
    assert said(effects, Commit) == [] and of_kind(effects, Accuse) == []
    desk.receive(1, ViewChange(3, None, (), ()))
    assert desk.replica.target_view == 0


def test_unreadable_record_is_refused_with_advice() -> None:
    desk = Desk()
    with pytest.raises(DecodeError, match="sync from its peers"):
        desk.restart(records=[b"\x00"])


def test_torn_or_damaged_tail_of_the_log_is_cut_off() -> None:
    frames = [wal.frame(wal.RECORD, b"first"), wal.frame(wal.TRANSACTION, b"second")]
    whole = b"".join(frames)
    both = [(wal.RECORD, b"first"), (wal.TRANSACTION, b"second")]
    assert wal.read_frames(whole) == (both, len(whole))
    for end in range(len(frames[0]), len(whole)):
        assert wal.read_frames(whole[:end]) == ([(wal.RECORD, b"first")], len(frames[0]))
    for position in range(len(frames[0]), len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        assert wal.read_frames(bytes(damaged))[1] == len(frames[0])


def test_evidence_too_far_above_the_checkpoint_waits_for_a_later_one() -> None:
    """A view change that nobody can read, or one that hides evidence, would both be wrong."""
    desk = Desk(window=8)
    proposal = proposal_of(70)
    records = (
        wal.SavedProposal(proposal),
        wal.SavedPrepare(0, 70, proposal_digest(proposal)),
        wal.SavedPrepared(desk.prepared(proposal)),
    )
    desk.restart(records=[wal.encode_record(record) for record in records])
    assert said(desk.keep_alive(60) + desk.view_changes([0, 2], 1), ViewChange) == []
    assert desk.replica.is_active
    desk.certified(65)
    (change,) = said(desk.view_changes([3], 1), ViewChange)
    assert [certificate.height for certificate in change.prepared] == [70]
    assert decode_message(encode_message(change)) == change


def test_log_of_a_replica_that_said_nothing_compacts_to_nothing() -> None:
    desk = Desk()
    assert desk.replica.compacted() == []


def test_restarted_replica_gives_its_votes_where_it_lost_the_decision() -> None:
    """Commit certificates are in the ledger, not in the log: a quorum of votes is as good."""
    desk = Desk()
    proposal = proposal_of(1)
    desk.order(proposal)
    desk.recovered = Recovered(head=1, statements=(statement_of(1),))
    desk.restart()
    effects = desk.receive(3, Status(view=0, is_active=True, decided=0, certified=0))
    digest = proposal_digest(proposal)
    assert sent(effects, Decision) == []
    assert sent(effects, Prepare) == [(3, Prepare(0, 1, digest))]
    assert sent(effects, Commit) == [(3, Commit(0, 1, digest))]


def test_of_what_the_ledger_certified_nothing_is_taken_from_the_log() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    desk.recovered = Recovered(head=1, certified=desk.certificate(statement_of(1)))
    effects = desk.restart()
    assert said(effects, Prepare) == [] and said(effects, Commit) == []
    assert desk.replica.proposal(proposal_digest(proposal_of(1))) is None
