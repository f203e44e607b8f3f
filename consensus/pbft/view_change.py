"""Replacing a primary: suspect, promise, collect, follow (OSDI '99, section 4.4).

A view change is a promise never to vote in a lower view, with everything the promiser prepared
above the stable checkpoint. While it waits, a replica keeps counting commits of the view it
follows and keeps delivering, so one that suspected alone loses nothing but its vote.
"""

from __future__ import annotations

from consensus.pbft.checkpoint import adopt
from consensus.pbft.messages import NUMBER_MAX, WINDOW_MAX, NewView, SignedViewChange, ViewChange
from consensus.pbft.new_view import Conflict, Plan, plan_of
from consensus.pbft.ordering import advance_frontier, progress, replay_early
from consensus.pbft.quorum import Votes
from consensus.pbft.repair import relay_new_view
from consensus.pbft.schedule import Schedule, leader
from consensus.pbft.state import FollowedNewView, Slot, State
from consensus.pbft.timing import hears_quorum, is_silent, timeout_ticks, unfit_replicas
from consensus.pbft.types import HaltKind, Persist, Tick
from consensus.pbft.wal import SavedNewView, SavedViewChange, encode_record
from ledger.encoding import encode


def suspect(state: State, tick: Tick) -> None:
    """Let time pass; give up on a primary that should have acted and did not."""
    if not state.is_active:
        _await_new_view(state)
        return
    primary = _awaited_primary(state)
    _count_waiting(state, is_pending=tick.pending)
    _count_withheld(state, primary, is_withheld=tick.withheld)
    if (
        state.waiting_ticks >= timeout_ticks(state, primary)
        or state.withheld_ticks >= state.config.timeout_ticks
        or state.betrayed_view == state.view
    ):
        _give_up(state, primary)


def start_view_change(state: State, view: int, *, is_charged: bool = True) -> None:
    """Vote in no view below `view` from now on. `is_charged`: later time-outs are longer."""
    assert view > state.target
    if view >= NUMBER_MAX:
        return  # no record or message can name it; only more than f liars lead anyone there
    heights = sorted(height for height in state.slots if height > state.stable)
    certificates = (state.slots[height].prepared for height in heights)
    prepared = tuple(certificate for certificate in certificates if certificate is not None)
    if prepared and prepared[-1].height > state.stable + WINDOW_MAX:
        # After a restart with an old checkpoint: nobody would read a message with all of it, and
        # with less of it we would lie. A quorum stated later checkpoints: wait for one of them.
        return
    change = ViewChange(
        view=view,
        stable=state.stable_certificate,
        prepared=prepared,
        unfit=unfit_replicas(state),
        epoch=state.config.base,
    )
    state.target = view
    state.own_view_change = change
    state.attempts += is_charged
    _reset_clocks(state)
    state.emit(Persist(encode_record(SavedViewChange(change))))
    state.broadcast(change)


def on_view_change(state: State, sender: int, change: ViewChange, signature: bytes) -> None:
    """Collect it; join when f + 1 others are ahead; lead when a quorum waits for us."""
    if change.stable is not None:
        adopt(state, change.stable)
    if change.view <= state.view:
        relay_new_view(state, sender)
        return
    if sender == state.config.index and change != state.own_view_change:
        return  # signed with our key, but not by this life of ours
    known = state.view_changes.get(sender)
    if known is not None and known.view_change.view >= change.view:
        return
    state.view_changes[sender] = SignedViewChange(sender, change, signature)
    _join(state)
    _lead(state)


def on_new_view(state: State, sender: int, new_view: NewView, signature: bytes) -> None:
    """Follow a leader's choice, also into a view that we did not ask for."""
    if new_view.view > state.view and sender != state.config.index:
        _follow(state, FollowedNewView(sender, new_view, signature))


def enter(state: State, followed: FollowedNewView, plan: Plan) -> None:
    """Make the state that of the new view, without a vote or an effect."""
    view = followed.new_view.view
    state.schedule = Schedule(
        view=view,
        start=plan.start,
        skipped=plan.skipped,
        size=state.config.validators.size,
        rotate_every=state.config.rotate_every,
    )
    state.target = max(state.target, view)
    state.new_view = followed
    if state.is_active:
        state.own_view_change = None
    outdated = [sender for sender, s in state.view_changes.items() if s.view_change.view <= view]
    for sender in outdated:
        del state.view_changes[sender]
    _reset_clocks(state)
    ordered = {order.height: order for order in plan.orders}
    for height in sorted(state.slots):
        order = ordered.get(height)
        _reset_slot(state, state.slots[height], order.digest if order is not None else None)
    for order in plan.orders:
        if order.height > state.stable and not state.is_of_next_epoch(order.height):
            slot = state.slots.setdefault(order.height, Slot(order.height))
            slot.accepted = order.digest
            slot.holders = order.holders
            state.add_if_null(slot, order.digest)
            state.count_in_flight(slot)
    state.frontier = max(plan.start, state.settled)


# --- suspicion ------------------------------------------------------------------------------


def _awaited_primary(state: State) -> int:
    height = state.settled + 1
    schedule = state.schedule
    return schedule.proposer(height) if height > schedule.start else schedule.leader


def _count_waiting(state: State, *, is_pending: bool) -> None:
    """The primary is late if something is in flight, or waits and could be proposed.

    A replica that lags cannot tell: its pending transactions may have been executed by others.
    A full window is nobody's fault but of those who execute slowly.
    """
    has_room = state.settled < state.high
    can_tell = state.decided >= state.stable
    if state.frontier > state.settled or (is_pending and has_room and can_tell):
        # Without a quorum it is us who are cut off, and to give up would only cost our vote.
        state.waiting_ticks = state.waiting_ticks + 1 if hears_quorum(state) else 0
    else:
        state.waiting_ticks = 0
        state.attempts = 0  # nothing is left to do: the view is fine


def _count_withheld(state: State, primary: int, *, is_withheld: bool) -> None:
    """A new primary gets its own time to order what the last one withheld."""
    if not is_withheld or primary == state.config.index or primary != state.withheld_from:
        state.withheld_ticks = 0
    state.withheld_from = primary
    if is_withheld and primary != state.config.index:
        state.withheld_ticks += 1


def _await_new_view(state: State) -> None:
    """The clock runs only once a quorum wants the view: alone we would run away from the rest."""
    wanting = sum(s.view_change.view >= state.target for s in state.view_changes.values())
    if wanting < state.quorum:
        return
    state.new_view_ticks += 1
    awaited = leader(state.target, state.config.validators.size)
    if state.new_view_ticks >= timeout_ticks(state, awaited):
        _give_up(state, awaited)


def _give_up(state: State, suspect: int) -> None:
    """Ask for the next view whose leader may do better.

    Silence costs half a second and proves nothing about how fast the others are: it does not make
    later time-outs longer, or a few dead replicas would hand a liar all the time it wants.
    """
    size = state.config.validators.size
    avoided = {suspect, *unfit_replicas(state)} - {state.config.index}
    view = state.target + 1
    while leader(view, size) in avoided:  # at most f + 1 of them
        view += 1
    start_view_change(state, view, is_charged=not is_silent(state, suspect))


def _reset_clocks(state: State) -> None:
    state.waiting_ticks = 0
    state.withheld_ticks = 0
    state.new_view_ticks = 0
    state.stalled_ticks = 0


# --- collecting and following ---------------------------------------------------------------


def _join(state: State) -> None:
    """f + 1 replicas are ahead, one of them honest: go as far as an honest one surely went.

    A huge view of one replica, or of f, moves nobody.
    """
    views = sorted(
        (
            signed.view_change.view
            for sender, signed in state.view_changes.items()
            if sender != state.config.index
        ),
        reverse=True,
    )
    fault_bound = state.config.validators.fault_bound
    if len(views) > fault_bound and views[fault_bound] > state.target:
        start_view_change(state, views[fault_bound])


def _lead(state: State) -> None:
    view = state.target
    validators = state.config.validators
    if state.is_active or leader(view, validators.size) != state.config.index:
        return
    chosen = [
        state.view_changes[sender]
        for sender in sorted(state.view_changes)
        if state.view_changes[sender].view_change.view == view
    ][: validators.quorum]
    if len(chosen) == validators.quorum:
        new_view = NewView(view=view, view_changes=tuple(chosen))
        _follow(state, FollowedNewView(state.config.index, new_view, b""))


def _follow(state: State, followed: FollowedNewView) -> None:
    """Enter a new view: durable first, then the votes that it obliges us to."""
    try:
        plan = plan_of(followed.new_view, state.config.validators, epoch=state.config.base)
    except Conflict as conflict:
        state.halt(HaltKind.CONFLICT, conflict.reason, conflict.evidence)
        return
    if plan.base is not None:
        adopt(state, plan.base)
    _check_decisions(state, followed.new_view, plan)
    if state.is_halted:
        return
    enter(state, followed, plan)
    record = SavedNewView(followed.leader, followed.new_view, followed.signature)
    state.emit(Persist(encode_record(record)))
    if followed.leader == state.config.index:
        state.broadcast(followed.new_view)
    for height in sorted(state.slots):
        progress(state, state.slots[height])
    advance_frontier(state)
    replay_early(state)


def _check_decisions(state: State, new_view: NewView, plan: Plan) -> None:
    """What was committed in a lower view survives, unless more than f replicas lie."""
    ordered = {order.height: order.digest for order in plan.orders}
    for height in sorted(state.slots):
        decision = state.slots[height].decision
        if decision is None or height <= plan.base_height or decision.view >= new_view.view:
            continue
        if ordered.get(height) != decision.proposal_digest:
            evidence = (encode(decision), encode(new_view))
            reason = f"a new view does not keep what was committed at {height}"
            state.halt(HaltKind.CONFLICT, reason, evidence)


def _reset_slot(state: State, slot: Slot, ordered: bytes | None) -> None:
    decided = slot.decision.proposal_digest if slot.decision is not None else None
    prepared = slot.prepared.digest if slot.prepared is not None else None
    slot.accepted = None
    slot.candidate = None
    slot.holders = ()
    slot.has_prepared = False
    slot.has_committed = False
    slot.prepares = Votes()
    slot.commits = Votes()
    state.keep_proposals(slot, (decided, prepared, ordered))
    state.count_in_flight(slot)
