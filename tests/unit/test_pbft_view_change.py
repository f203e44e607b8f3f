"""Replacing a primary, sentence by sentence."""

from __future__ import annotations

from consensus.pbft.messages import (
    NUMBER_MAX,
    Certified,
    Commit,
    NewView,
    Prepare,
    PrePrepare,
    RelayedNewView,
    RelayedVote,
    Status,
    ViewChange,
    null_proposal,
)
from consensus.pbft.types import (
    Accuse,
    Broadcast,
    Effect,
    FetchProposal,
    Halt,
    Persist,
    ProposalFetched,
)
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

TIMEOUT = 20
HUGE_VIEW = 1 << 50


def change(view: int, **fields: object) -> ViewChange:
    empty = {"stable": None, "prepared": (), "unfit": ()}
    return ViewChange(view=view, **{**empty, **fields})  # type: ignore[arg-type]


def enter_view(desk: Desk, view: int, **changes: ViewChange) -> list[Effect]:
    """The leader of `view` chose the view changes of 0, 2 and 3, or those given."""
    chosen = {sender: change(view) for sender in (0, 2, 3)}
    chosen.update({int(name[1:]): given for name, given in changes.items()})
    return desk.receive(view % desk.validators.size, desk.new_view(view, chosen))


def test_backup_suspects_a_primary_that_orders_nothing_while_transactions_wait() -> None:
    desk = Desk()
    assert said(desk.keep_alive(TIMEOUT - 1), ViewChange) == []
    effects = desk.keep_alive(1)
    assert said(effects, ViewChange) == [change(1)]
    assert not desk.replica.is_active


def test_idle_replica_never_suspects() -> None:
    desk = Desk()
    assert said(desk.tick(500), ViewChange) == []


def test_silent_primary_gets_a_short_time_out() -> None:
    desk = Desk()
    desk.keep_alive(18, pending=False, silent=(0,))
    assert said(desk.keep_alive(4, silent=(0,)), ViewChange) == []
    assert said(desk.keep_alive(1, silent=(0,)), ViewChange) == [change(1, unfit=(0,))]


def test_replica_that_hears_no_quorum_does_not_give_up() -> None:
    """It is the one that is cut off, or has just come back: a promise would only cost its vote."""
    desk = Desk()
    assert said(desk.keep_alive(500, silent=(2, 3)), ViewChange) == []
    assert said(desk.keep_alive(TIMEOUT - 1), ViewChange) == []
    assert len(said(desk.keep_alive(1), ViewChange)) == 1


def test_next_view_is_not_led_by_the_suspect_or_by_the_silent() -> None:
    desk = Desk(index=3, size=7)
    desk.keep_alive(18, pending=False, silent=(0, 1))
    assert said(desk.keep_alive(5, silent=(0, 1)), ViewChange) == [change(2, unfit=(0, 1))]
    rotated = Desk(index=3, rotate_every=1)
    for height in (1, 2):
        rotated.pre_prepare(proposal_of(height, proposer=height - 1), sender=height - 1)
    rotated.validated(proposal_of(1))
    rotated.prepares([2], proposal_of(1))
    rotated.commits([0, 2], proposal_of(1))
    views = [said_change.view for said_change in said(rotated.keep_alive(TIMEOUT), ViewChange)]
    assert views == [2], "height 2 is the turn of 1, which would also lead view 1"


def test_silence_of_a_primary_makes_no_later_time_out_longer() -> None:
    desk = Desk(index=3, size=7)
    desk.keep_alive(18, pending=False, silent=(0, 1))
    desk.keep_alive(5, silent=(0, 1))
    desk.view_changes([2, 4, 5, 6], 2)
    quiet = (0, 1)
    asked = [c.view for c in said(desk.keep_alive(TIMEOUT - 1, silent=quiet), ViewChange)]
    assert set(asked) <= {2}, "the same again"
    assert said(desk.keep_alive(1, silent=quiet), ViewChange)[-1].view > 2


def test_proposer_that_contradicts_itself_is_shown_to_all_and_left_at_once() -> None:
    desk = Desk()
    desk.pre_prepare(proposal_of(1, "a"))
    effects = desk.receive(0, PrePrepare(0, proposal_of(1, "b")))
    assert len(of_kind(effects, Accuse)) == 1
    digests = {proposal_digest(proposal_of(1, name)) for name in ("a", "b")}
    assert {relayed.vote.digest for relayed in said(effects, RelayedVote)} == digests
    assert said(desk.tick(), ViewChange) == [change(1, unfit=(0,))]


def test_replica_other_than_the_proposer_that_contradicts_itself_ends_no_view() -> None:
    desk = Desk()
    desk.prepares([2], proposal_of(1, "a"))
    effects = desk.prepares([2], proposal_of(1, "b"))
    assert len(of_kind(effects, Accuse)) == 1
    assert said(effects, RelayedVote) == []
    assert said(desk.keep_alive(TIMEOUT - 1), ViewChange) == []
    assert said(desk.keep_alive(1), ViewChange) == [change(1, unfit=(2,))]


def test_proposal_that_is_not_decided_makes_backups_suspect() -> None:
    desk = Desk()
    desk.pre_prepare(proposal_of(1))
    assert len(said(desk.keep_alive(TIMEOUT, pending=False), ViewChange)) == 1


def test_progress_resets_the_clock() -> None:
    desk = Desk()
    desk.keep_alive(TIMEOUT - 1)
    desk.order(proposal_of(1))
    assert said(desk.keep_alive(TIMEOUT - 1), ViewChange) == []


def test_withheld_transaction_forces_a_view_change_in_spite_of_progress() -> None:
    desk = Desk(window=40)
    effects: list[Effect] = []
    for height in range(1, TIMEOUT + 1):
        desk.order(proposal_of(height))
        effects += desk.tick(pending=True, withheld=True)
    assert said(effects, ViewChange)[0].view == 1


def test_full_window_is_not_the_primarys_fault() -> None:
    desk = Desk(window=2)
    desk.order(proposal_of(1))
    desk.order(proposal_of(2))
    assert said(desk.keep_alive(5 * TIMEOUT), ViewChange) == []


def test_view_change_is_saved_before_it_leaves_and_carries_what_was_prepared() -> None:
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    desk.prepares([2], proposal)
    effects = desk.keep_alive(TIMEOUT)
    kinds = [type(e) for e in effects if isinstance(e, Persist | Broadcast)]
    assert kinds[kinds.index(Persist) + 1] is Broadcast
    (carried,) = said(effects, ViewChange)[0].prepared
    assert (carried.view, carried.height) == (0, 1)
    assert [entry.validator for entry in carried.signatures] == [0, 1, 2]


def test_view_change_carries_the_stable_checkpoint_and_nothing_below_it() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    desk.execute(1)
    desk.checkpoints([2, 3], statement_of(1))
    carried = said(desk.keep_alive(TIMEOUT), ViewChange)[0]
    assert carried.stable is not None and carried.stable.statement == statement_of(1)
    assert carried.prepared == ()


def test_replica_that_gave_up_a_view_votes_in_it_no_more_but_still_learns() -> None:
    desk = Desk()
    desk.keep_alive(TIMEOUT)
    proposal = proposal_of(1)
    assert said(desk.pre_prepare(proposal), Prepare) == []
    effects = desk.prepares([2, 3], proposal)
    assert said(effects, Prepare) == []
    assert asked(desk.commits([0, 2, 3], proposal)) == [(1, False)]
    assert delivered(desk.validated(proposal)) == [1]


def test_replica_joins_at_f_plus_one_distinct_higher_views() -> None:
    desk = Desk()
    assert said(desk.receive(2, change(5)), ViewChange) == []
    assert [c.view for c in said(desk.receive(3, change(3)), ViewChange)] == [3]


def test_one_huge_view_moves_nobody() -> None:
    desk = Desk()
    desk.receive(2, change(HUGE_VIEW))
    desk.receive(2, change(HUGE_VIEW + 1))
    assert desk.replica.target_view == 0
    assert [c.view for c in said(desk.receive(3, change(1)), ViewChange)] == [1]


def test_f_huge_views_move_nobody_among_seven() -> None:
    desk = Desk(size=7)
    desk.receive(2, change(HUGE_VIEW))
    desk.receive(3, change(HUGE_VIEW))
    assert desk.replica.target_view == 0
    assert [c.view for c in said(desk.receive(4, change(2)), ViewChange)] == [2]


def test_leader_makes_the_new_view_from_a_quorum_and_saves_it_first() -> None:
    desk = Desk(index=1)
    desk.view_changes([2], 1)
    effects = desk.view_changes([3], 1)
    made = said(effects, NewView)
    assert [signed.sender for signed in made[0].view_changes] == [1, 2, 3]
    positions = [i for i, e in enumerate(effects) if isinstance(e, Persist)]
    broadcast = next(
        i for i, e in enumerate(effects) if isinstance(e, Broadcast) and e.message == made[0]
    )
    assert positions[-1] < broadcast
    assert desk.replica.view == 1 and desk.replica.can_propose


def test_other_replicas_do_not_make_the_new_view() -> None:
    desk = Desk(index=3)
    assert said(desk.view_changes([0, 2], 1), NewView) == []
    assert not desk.replica.is_active


def test_new_view_is_followed_even_if_we_did_not_ask_for_it() -> None:
    desk = Desk(index=1)
    enter_view(desk, 2)
    assert (desk.replica.view, desk.replica.is_active) == (2, True)


def test_prepared_proposal_is_ordered_again_with_its_time_and_its_digest() -> None:
    desk = Desk(index=1)
    proposal = proposal_of(1, time_ms=77)
    effects = enter_view(desk, 2, v3=change(2, prepared=(desk.prepared(proposal),)))
    wanted = of_kind(effects, FetchProposal)[0]
    assert (wanted.digest, wanted.holders) == (proposal_digest(proposal), (0, 2))
    assert asked(desk.step(ProposalFetched(proposal))) == [(1, False)], "its time is not judged"
    assert said(desk.validated(proposal), Prepare) == [Prepare(2, 1, proposal_digest(proposal))]


def test_gap_is_filled_with_a_null_proposal() -> None:
    desk = Desk(index=1)
    evidence = change(2, prepared=(desk.prepared(proposal_of(2)),))
    effects = enter_view(desk, 2, v3=evidence)
    null = null_proposal(1)
    assert said(effects, Prepare) == [Prepare(2, 1, proposal_digest(null))]
    desk.prepares([2, 3], null, view=2)
    assert delivered(desk.commits([2, 3], null, view=2)) == [1]


def test_the_latest_view_wins_among_prepared_proposals() -> None:
    desk = Desk(index=1)
    older, newer = proposal_of(1, "older"), proposal_of(1, "newer")
    effects = enter_view(
        desk,
        3,
        v0=change(3, prepared=(desk.prepared(older, view=0),)),
        v2=change(3, prepared=(desk.prepared(newer, view=2),)),
    )
    assert of_kind(effects, FetchProposal)[0].digest == proposal_digest(newer)


def test_new_primary_cannot_replace_what_the_new_view_fixed() -> None:
    desk = Desk(index=1)
    proposal = proposal_of(1, "fixed")
    enter_view(desk, 2, v3=change(2, prepared=(desk.prepared(proposal),)))
    effects = desk.pre_prepare(proposal_of(1, "other", proposer=2), view=2, sender=2)
    assert asked(effects) == [] and said(effects, Prepare) == []


def test_new_primary_proposes_above_what_the_new_view_fixed() -> None:
    desk = Desk(index=1)
    enter_view(desk, 2, v3=change(2, prepared=(desk.prepared(proposal_of(2)),)))
    assert asked(desk.pre_prepare(proposal_of(3, proposer=2), view=2, sender=2)) == [(3, True)]


def test_base_of_the_new_view_is_its_highest_stable_checkpoint() -> None:
    desk = Desk(index=1)
    stable = desk.certificate(statement_of(4))
    effects = enter_view(
        desk,
        2,
        v0=change(2, stable=stable),
        v3=change(2, prepared=(desk.prepared(proposal_of(1)),)),
    )
    assert said(effects, Prepare) == [], "heights up to 4 are settled"
    assert desk.replica.stable == 4
    assert asked(desk.pre_prepare(proposal_of(5, proposer=2), view=2, sender=2)) == [(5, True)]


def test_committed_proposal_survives_the_new_view() -> None:
    desk = Desk(index=1)
    proposal = proposal_of(1)
    desk.order(proposal)
    effects = enter_view(desk, 2, v3=change(2, prepared=(desk.prepared(proposal),)))
    assert said(effects, Prepare) == [Prepare(2, 1, proposal_digest(proposal))], "for the others"
    desk.prepares([2, 3], proposal, view=2)
    assert delivered(desk.commits([2, 3], proposal, view=2)) == [], "exactly once"


def test_new_view_that_drops_committed_proposals_halts_the_replica_once() -> None:
    desk = Desk()
    for height in (1, 2):
        desk.order(proposal_of(height))
    assert len(of_kind(enter_view(desk, 2), Halt)) == 1


def test_two_proposals_prepared_in_one_view_halt_the_replica() -> None:
    desk = Desk(index=1)
    effects = enter_view(
        desk,
        2,
        v0=change(2, prepared=(desk.prepared(proposal_of(1, "a")),)),
        v3=change(2, prepared=(desk.prepared(proposal_of(1, "b")),)),
    )
    assert len(of_kind(effects, Halt)) == 1


def test_what_was_in_flight_and_not_prepared_is_pending_again() -> None:
    desk = Desk(index=1)
    desk.pre_prepare(proposal_of(1, "a"))
    assert desk.replica.is_in_flight(ids("a")[0])
    enter_view(desk, 2)
    assert not desk.replica.is_in_flight(ids("a")[0])


def test_votes_for_a_future_view_wait_for_it() -> None:
    desk = Desk(index=1)
    proposal = proposal_of(1, proposer=2)
    assert desk.pre_prepare(proposal, view=2, sender=2) == []
    desk.prepares([3], proposal, view=2)
    assert asked(enter_view(desk, 2)) == [(1, True)]
    assert len(said(desk.validated(proposal), Commit)) == 1


def test_votes_for_a_huge_view_crowd_out_only_their_sender() -> None:
    desk = Desk(index=1, window=2)
    proposal = proposal_of(1, proposer=2)
    for number in range(100):
        desk.receive(3, Commit(HUGE_VIEW + number, 1, bytes(32)))
    desk.pre_prepare(proposal, view=2, sender=2)
    assert asked(enter_view(desk, 2)) == [(1, True)]


def test_time_outs_double_up_to_a_cap_while_nothing_is_decided() -> None:
    desk = Desk(index=3)
    waits: list[int] = []
    for view in range(1, 6):
        ticks = 0
        while desk.replica.target_view < view:
            assert ticks < 200
            desk.keep_alive(1)
            ticks += 1
        waits.append(ticks)
        desk.view_changes([0, 1, 2], view)  # a quorum waits, the leader says nothing
    assert waits == [20, 20, 40, 80, 100]


def test_alone_a_replica_does_not_run_away_through_the_views() -> None:
    desk = Desk()
    desk.keep_alive(50 * TIMEOUT)
    assert desk.replica.target_view == 1


def test_time_out_returns_to_normal_after_progress() -> None:
    desk = Desk(index=3)
    desk.keep_alive(TIMEOUT)
    desk.view_changes([0, 1], 1)
    desk.keep_alive(TIMEOUT)
    assert desk.replica.target_view == 2
    changes = {sender: change(2) for sender in (0, 1, 2)}
    desk.receive(2, desk.new_view(2, changes))
    proposal = proposal_of(1, proposer=2)
    desk.pre_prepare(proposal, view=2, sender=2)
    desk.validated(proposal)
    desk.prepares([1], proposal, view=2)
    desk.commits([1, 2], proposal, view=2)
    assert said(desk.keep_alive(TIMEOUT - 1), ViewChange) == []
    assert len(said(desk.keep_alive(1), ViewChange)) == 1


def test_named_silent_replica_loses_its_turns() -> None:
    desk = Desk(index=1, rotate_every=1)
    enter_view(desk, 2, v2=change(2, unfit=(3,)), v0=change(2, unfit=(3,)))
    assert desk.replica.proposer == 2
    desk.pre_prepare(proposal_of(1, proposer=2), view=2, sender=2)
    assert desk.replica.proposer == 0, "3 is skipped"


def test_replica_in_an_old_view_is_handed_the_new_view() -> None:
    desk = Desk(index=1)
    enter_view(desk, 2)
    status = Status(view=0, is_active=True, decided=0, certified=0)
    ((to, relayed),) = sent(desk.receive(0, status), RelayedNewView)
    assert (to, relayed.leader, relayed.new_view.view) == (0, 2, 2)
    other = Desk(index=0)
    other.receive(1, relayed)
    assert other.replica.view == 2


def test_replica_that_asks_for_an_old_view_is_handed_the_new_view_at_a_bounded_rate() -> None:
    desk = Desk(index=1)
    enter_view(desk, 2)
    assert len(sent(desk.receive(0, change(1)), RelayedNewView)) == 1
    assert sent(desk.receive(0, change(2)), RelayedNewView) == []
    desk.tick(10)
    assert len(sent(desk.receive(0, change(2)), RelayedNewView)) == 1


def test_view_change_is_repeated_ever_more_rarely() -> None:
    desk = Desk()
    desk.keep_alive(TIMEOUT)
    repeated = [bool(said(desk.keep_alive(1), ViewChange)) for _ in range(60)]
    assert [tick for tick, again in enumerate(repeated, start=2) if again] == [5, 10, 20, 40, 60]


def test_certificate_in_a_view_change_moves_the_window() -> None:
    desk = Desk()
    desk.receive(2, change(1, stable=desk.certificate(statement_of(30))))
    assert desk.replica.stable == 30
    assert desk.receive(3, Certified(desk.certificate(statement_of(30)))) == []


def test_pre_prepare_of_the_old_primary_is_worth_nothing_in_the_new_view() -> None:
    desk = Desk(index=1)
    enter_view(desk, 2)
    assert desk.receive(0, PrePrepare(0, proposal_of(1))) == []
    assert desk.pre_prepare(proposal_of(1), view=2, sender=0) == []


def test_two_certified_outcomes_of_one_height_halt_the_replica() -> None:
    desk = Desk(index=1)
    stable = [desk.certificate(statement_of(4, root=root)) for root in ("a", "b")]
    effects = enter_view(desk, 2, v0=change(2, stable=stable[0]), v3=change(2, stable=stable[1]))
    assert len(of_kind(effects, Halt)) == 1


def test_null_proposal_that_a_quorum_committed_needs_no_fetching() -> None:
    desk = Desk(index=1)
    null = null_proposal(1)
    effects = desk.commits([0, 2, 3], null)
    assert of_kind(effects, FetchProposal) == []
    assert delivered(effects) == [1]


def test_promise_above_a_new_view_holds_in_it() -> None:
    desk = Desk(index=1)
    desk.view_changes([0, 3], 6)
    assert desk.replica.target_view == 6
    enter_view(desk, 2)
    assert (desk.replica.view, desk.replica.is_active) == (2, False)
    assert said(desk.pre_prepare(proposal_of(1, proposer=2), view=2, sender=2), Prepare) == []
    repeated = said(desk.keep_alive(TIMEOUT), ViewChange)
    assert min(c.view for c in repeated) == 6


def test_no_view_follows_the_last_that_a_message_can_name() -> None:
    """More than f liars may lead us there; the log must stay readable all the same."""
    desk = Desk()
    desk.view_changes([0, 2, 3], NUMBER_MAX - 1)
    assert desk.replica.target_view == NUMBER_MAX - 1
    assert said(desk.keep_alive(20 * TIMEOUT), ViewChange)
    assert desk.replica.target_view == NUMBER_MAX - 1
    desk.restart()
    assert desk.replica.target_view == NUMBER_MAX - 1


def test_base_of_the_new_view_survives_a_restart() -> None:
    desk = Desk(index=1)
    enter_view(desk, 2, v0=change(2, stable=desk.certificate(statement_of(4))))
    desk.restart()
    assert (desk.replica.view, desk.replica.stable) == (2, 4)
