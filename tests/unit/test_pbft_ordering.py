"""The normal case, sentence by sentence."""

from __future__ import annotations

from consensus.pbft.messages import (
    Commit,
    Decision,
    Prepare,
    PrePrepare,
    RelayedVote,
    ViewChange,
    null_proposal,
)
from consensus.pbft.types import (
    Accuse,
    BatchReady,
    Broadcast,
    Deliver,
    FetchProposal,
    Halt,
    Persist,
    ProposalFetched,
)
from ledger.model import CommitCertificate, Proposal, Signature, proposal_digest
from tests.sim.desk import (
    CHAIN_ID,
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


def decision_of(desk: Desk, height: int, *names: str) -> Decision:
    proposal = proposal_of(height, *names)
    digest = proposal_digest(proposal)
    vote = Commit(0, height, digest)
    signatures = tuple(Signature(i, desk.signature(i, vote)) for i in (0, 2, 3))
    return Decision(proposal, CommitCertificate(0, height, digest, signatures))


def test_primary_proposes_at_its_turn_and_saves_first() -> None:
    desk = Desk(index=0)
    assert desk.replica.can_propose
    effects = desk.propose("a", "b")
    kinds = [type(effect) for effect in effects]
    assert kinds == [Persist, Persist, Broadcast]
    assert said(effects, PrePrepare)[0].proposal.transaction_ids == ids("a", "b")
    assert of_kind(effects, Persist)[0].proposal is not None, "the bodies must be durable too"


def test_backup_cannot_propose() -> None:
    desk = Desk(index=1)
    assert not desk.replica.can_propose
    assert desk.propose("a") == []


def test_primary_keeps_several_heights_in_flight_up_to_the_window() -> None:
    desk = Desk(index=0, window=3)
    for number in range(3):
        assert said(desk.propose(f"t{number}"), PrePrepare)[0].proposal.height == number + 1
    assert not desk.replica.can_propose
    assert desk.propose("late") == []


def test_backup_prepares_only_after_validation() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    effects = desk.pre_prepare(proposal)
    assert asked(effects) == [(1, True)]
    assert said(effects, Prepare) == []
    effects = desk.validated(proposal)
    assert [type(effect) for effect in effects] == [Persist, Persist, Broadcast]
    assert said(effects, Prepare) == [Prepare(0, 1, proposal_digest(proposal))]


def test_refused_proposal_gets_no_vote() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    assert desk.validated(proposal, ok=False) == []


def test_refused_proposal_that_a_quorum_prepared_is_only_checked_for_availability() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal, ok=False)
    effects = desk.prepares([2, 3], proposal)
    assert asked(effects) == [(1, False)]
    assert said(desk.validated(proposal), Commit) == [Commit(0, 1, proposal_digest(proposal))]


def test_commit_needs_a_quorum_of_prepares_and_is_saved_before_it_leaves() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    assert said(desk.validated(proposal), Commit) == [], "the primary's and ours are two"
    effects = desk.prepares([2], proposal)
    assert [type(effect) for effect in effects][:2] == [Persist, Broadcast]
    assert len(said(effects, Commit)) == 1


def test_delivery_needs_a_quorum_of_commits() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    desk.prepares([2], proposal)
    assert delivered(desk.commits([2], proposal)) == []
    effects = desk.commits([3], proposal)
    certificate = of_kind(effects, Deliver)[0].certificate
    assert [entry.validator for entry in certificate.signatures] == [1, 2, 3]


def test_a_vote_counts_once_however_often_it_comes() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    desk.prepares([2], proposal)
    assert delivered(desk.commits([2, 2, 2, 2], proposal)) == []


def test_five_replicas_need_four_votes() -> None:
    desk = Desk(size=5)
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    assert said(desk.prepares([2], proposal), Commit) == []
    assert len(said(desk.prepares([3], proposal), Commit)) == 1


def test_delivery_is_in_order_of_height_and_once() -> None:
    desk = Desk()
    first, second = proposal_of(1), proposal_of(2)
    for proposal in (first, second):
        desk.pre_prepare(proposal)
        desk.validated(proposal)
        desk.prepares([2], proposal)
    assert delivered(desk.commits([0, 2], second)) == []
    assert delivered(desk.commits([0, 2], first)) == [1, 2]
    assert delivered(desk.commits([3], first)) == []


def test_votes_that_come_before_the_pre_prepare_are_counted() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.prepares([2], proposal)
    desk.commits([0, 2], proposal)
    desk.pre_prepare(proposal)
    assert delivered(desk.validated(proposal)) == [1]


def test_proposal_waits_for_the_one_before_it() -> None:
    desk = Desk()
    assert asked(desk.pre_prepare(proposal_of(2))) == []
    assert asked(desk.pre_prepare(proposal_of(1))) == [(1, True), (2, True)]


def test_primary_cannot_skip_a_height_and_hide_transactions_in_it() -> None:
    desk = Desk()
    hidden = proposal_of(3, "hidden")
    desk.pre_prepare(hidden)
    assert not desk.replica.is_in_flight(hidden.transaction_ids[0])


def test_stranger_to_the_turn_cannot_propose() -> None:
    desk = Desk()
    assert desk.pre_prepare(proposal_of(1, proposer=2), sender=2) == []


def test_malformed_proposals_are_not_accepted() -> None:
    desk = Desk()
    assert desk.pre_prepare(proposal_of(1, proposer=3)) == [], "in another's name"
    desk = Desk()
    assert desk.pre_prepare(proposal_of(1, time_ms=0)) == [], "without a time"
    desk = Desk()
    names = [str(number) for number in range(desk.config.transactions_max + 1)]
    assert desk.pre_prepare(proposal_of(1, *names)) == [], "too large"


def heartbeat_of(height: int, *, time_ms: int = 60_000) -> Proposal:
    return Proposal(height, (), 0, time_ms)


def test_a_heartbeat_is_ordered_like_any_proposal() -> None:
    primary = Desk(index=0)
    (message,) = said(primary.step(BatchReady((), time_ms=60_000)), PrePrepare)
    assert message.proposal == heartbeat_of(1)
    backup = Desk()
    assert asked(backup.pre_prepare(message.proposal)) == [(1, True)], "its driver judges it"
    assert said(backup.validated(message.proposal), Prepare) != []
    backup.prepares([2], message.proposal)
    assert delivered(backup.commits([0, 2], message.proposal)) == [1]


def test_no_primary_fills_a_height_with_the_null_proposal() -> None:
    """Not even replica 0, whose name the null proposal bears: backups would not ask anyone."""
    desk = Desk()
    assert desk.pre_prepare(null_proposal(1)) == []
    assert desk.replica.next_height == 1, "nothing was accepted"


def test_a_heartbeat_keeps_its_time_in_a_new_view() -> None:
    desk = Desk()
    heartbeat = heartbeat_of(2)
    prepared = ViewChange(2, None, (desk.prepared(heartbeat),), ())
    empty = ViewChange(2, None, (), ())
    desk.receive(2, desk.new_view(2, {0: empty, 2: empty, 3: prepared}))
    digest = proposal_digest(heartbeat)
    assert digest != proposal_digest(null_proposal(2))
    assert asked(desk.step(ProposalFetched(heartbeat))) == [(2, False)], "judged long ago"
    assert said(desk.validated(heartbeat), Prepare) == [Prepare(2, 2, digest)]


def test_only_one_digest_is_prepared_per_view_and_height_and_the_other_is_accused() -> None:
    desk = Desk()
    first, second = proposal_of(1, "a"), proposal_of(1, "b")
    desk.pre_prepare(first)
    effects = desk.pre_prepare(second)
    accusation = of_kind(effects, Accuse)[0]
    assert (accusation.first.sender, accusation.second.sender) == (0, 0)
    assert asked(effects) == []
    assert said(desk.validated(first), Prepare) == [Prepare(0, 1, proposal_digest(first))]
    assert of_kind(desk.pre_prepare(second), Accuse) == [], "once is enough"


def test_two_different_votes_of_one_replica_are_accused() -> None:
    desk = Desk()
    desk.prepares([2], proposal_of(1, "a"))
    assert len(of_kind(desk.prepares([2], proposal_of(1, "b")), Accuse)) == 1
    desk.commits([3], proposal_of(1, "a"))
    assert len(of_kind(desk.commits([3], proposal_of(1, "b")), Accuse)) == 1


def test_replica_that_was_told_something_else_is_shown_the_primarys_vote() -> None:
    desk = Desk()
    desk.pre_prepare(proposal_of(1, "a"))
    effects = desk.prepares([2], proposal_of(1, "b"))
    ((to, relayed),) = sent(effects, RelayedVote)
    assert (to, relayed.voter, relayed.vote.digest) == (2, 0, proposal_digest(proposal_of(1, "a")))


def test_shown_vote_of_the_primary_proves_its_equivocation() -> None:
    desk = Desk()
    desk.pre_prepare(proposal_of(1, "a"))
    vote = Prepare(0, 1, proposal_digest(proposal_of(1, "b")))
    effects = desk.receive(2, RelayedVote(0, vote, desk.signature(0, vote)))
    assert len(of_kind(effects, Accuse)) == 1


def test_quorum_of_prepares_stands_for_a_lost_pre_prepare() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    effects = desk.prepares([0, 2, 3], proposal)
    wanted = of_kind(effects, FetchProposal)[0]
    assert (wanted.digest, wanted.holders) == (proposal_digest(proposal), (0, 2, 3))
    assert asked(desk.step(ProposalFetched(proposal))) == [(1, False)]
    assert len(said(desk.validated(proposal), Commit)) == 1


def test_fetched_proposal_that_nobody_asked_for_is_ignored() -> None:
    desk = Desk()
    desk.prepares([0, 2, 3], proposal_of(1, "a"))
    assert desk.step(ProposalFetched(proposal_of(1, "b"))) == []
    assert desk.step(ProposalFetched(proposal_of(7))) == []


def test_decision_of_a_peer_is_delivered_after_its_bodies_are_at_hand() -> None:
    desk = Desk()
    decision = decision_of(desk, 1)
    assert asked(desk.receive(2, decision)) == [(1, False)]
    assert delivered(desk.validated(decision.proposal)) == [1]


def test_conflicting_decisions_halt_the_replica() -> None:
    desk = Desk()
    desk.receive(2, decision_of(desk, 1, "a"))
    effects = desk.receive(3, decision_of(desk, 1, "b"))
    assert len(of_kind(effects, Halt)[0].evidence) == 2
    assert desk.replica.is_halted
    assert desk.tick(20, pending=True) == []


def test_execution_that_lags_by_a_window_holds_delivery_back() -> None:
    desk = Desk(window=2)
    for height in (1, 2):
        desk.order(proposal_of(height))
    desk.certified(3)  # others executed it
    decision = decision_of(desk, 3)
    desk.receive(2, decision)
    assert delivered(desk.validated(decision.proposal)) == []
    assert delivered(desk.execute(1)) == [3]


def test_nobody_votes_more_than_a_window_above_what_it_executed() -> None:
    """A change of the committee that it does not know yet may take effect there."""
    desk = Desk(window=2)
    for height in (1, 2):
        desk.order(proposal_of(height))
    desk.certified(2)  # others executed both
    assert asked(desk.pre_prepare(proposal_of(3))) == []
    assert asked(desk.execute(1)) == [(3, True)]


def test_transactions_are_in_flight_until_their_block_is_executed_and_certified() -> None:
    desk = Desk()
    proposal = proposal_of(1, "a")
    desk.pre_prepare(proposal)
    assert desk.replica.is_in_flight(ids("a")[0])
    assert desk.replica.proposal(proposal_digest(proposal)) == proposal
    desk.validated(proposal)
    desk.prepares([2], proposal)
    desk.commits([0, 2], proposal)
    desk.execute(1)
    desk.checkpoints([2, 3], statement_of(1))
    assert not desk.replica.is_in_flight(ids("a")[0])
    assert desk.replica.proposal(proposal_digest(proposal)) is None


def test_votes_above_the_window_wait_until_it_moves() -> None:
    desk = Desk(window=2)
    third = proposal_of(3)
    for height in (1, 2):
        desk.order(proposal_of(height))
        desk.execute(height)
    assert asked(desk.pre_prepare(third)) == []
    assert asked(desk.checkpoints([2, 3], statement_of(1))) == [(3, True)]


def test_votes_far_above_the_window_are_dropped() -> None:
    desk = Desk(window=2)
    desk.commits([0, 2, 3], proposal_of(100))
    desk.certified(99)
    assert desk.replica.decided == 0
    assert not of_kind(desk.tick(), FetchProposal)


def test_primaries_take_turns_without_a_view_change() -> None:
    desk = Desk(index=1, rotate_every=2)
    assert desk.replica.proposer == 0
    desk.order(proposal_of(1))
    assert not desk.replica.can_propose
    desk.pre_prepare(proposal_of(2))
    assert desk.replica.can_propose
    effects = desk.step(BatchReady(ids("mine"), time_ms=5))
    assert said(effects, PrePrepare)[0].proposal.height == 3
    assert desk.replica.view == 0


def test_signing_bytes_of_a_pre_prepare_are_the_primarys_prepare_vote() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    vote = Prepare(0, 1, proposal_digest(proposal))
    assert desk.signature(0, PrePrepare(0, proposal)) == desk.signature(0, vote)
    assert desk.signature(0, vote) != desk.signature(0, Commit(0, 1, vote.digest))
    assert desk.config.chain_id == CHAIN_ID


def test_relayed_votes_crowd_out_nobodys_early_votes() -> None:
    desk = Desk(window=2)
    proposal = proposal_of(3)
    desk.pre_prepare(proposal)  # a window of 2: it is early
    later = Prepare(5, 1, bytes(32))
    relayed = RelayedVote(0, later, desk.signature(0, later))
    for _ in range(100):
        desk.receive(3, relayed)
    for number in (1, 2):
        desk.order(proposal_of(number))
        desk.execute(number)
    assert asked(desk.checkpoints([2, 3], statement_of(1))) == [(3, True)]


def test_votes_two_windows_ahead_are_dropped() -> None:
    desk = Desk(window=2)
    desk.pre_prepare(proposal_of(5))
    for number in (1, 2, 3):
        desk.order(proposal_of(number))
        desk.execute(number)
        assert asked(desk.checkpoints([2, 3], statement_of(number))) == []


def test_second_answer_about_a_valid_proposal_changes_nothing() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    assert desk.validated(proposal, ok=False) == []
    assert len(said(desk.prepares([2], proposal), Commit)) == 1


def test_driver_can_ask_where_the_replica_stands() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    replica = desk.replica
    assert (replica.next_height, replica.decided, replica.delivered) == (2, 1, 1)
    assert (replica.certified, replica.stable, replica.view, replica.target_view) == (0, 0, 0, 0)
    assert not replica.is_catching_up and not replica.is_halted
    lagging = Desk()
    lagging.certified(40)
    lagging.tick()
    assert lagging.replica.is_catching_up


def test_commit_in_our_name_that_this_life_did_not_cast_is_not_counted() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    stolen = Commit(0, 1, proposal_digest(proposal))
    assert desk.step(desk.signed(1, stolen)) == []
    assert delivered(desk.commits([0, 2], proposal)) == []


def test_whoever_voted_otherwise_before_us_is_shown_the_primarys_vote_too() -> None:
    desk = Desk()
    assert desk.prepares([2], proposal_of(1, "b")) == []
    effects = desk.pre_prepare(proposal_of(1, "a"))
    ((to, relayed),) = sent(effects, RelayedVote)
    assert (to, relayed.vote.digest) == (2, proposal_digest(proposal_of(1, "a")))


def test_decisions_that_are_known_or_settled_change_nothing() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    assert desk.receive(2, decision_of(desk, 1)) == []
    desk.execute(1)
    desk.certified(1)
    assert desk.receive(2, decision_of(desk, 1)) == []
    assert desk.replica.next_height == 2
