"""Repairing what the network lost: repeat ourselves when nothing moves, help who lags.

Links may drop any frame. A replica that is unsettled and sees no progress repeats its own votes
and says where it stands; whoever is ahead of a status sends what its sender lacks, at a bounded
rate. An idle network only exchanges heartbeats, by which a lagging replica is noticed too.
"""

from __future__ import annotations

from consensus.pbft.checkpoint import advance_certified, catch_up, check_outcomes
from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Decision,
    RelayedNewView,
    Status,
)
from consensus.pbft.ordering import ask_for_proposal, own_votes, progress
from consensus.pbft.state import State
from consensus.pbft.timing import (
    CATCH_UP_TICKS,
    HEARTBEAT_TICKS,
    HOLE_TICKS,
    RELAY_TICKS,
    REPLY_TICKS,
    hears_quorum,
    is_resend_due,
)
from consensus.pbft.types import Send

REPEAT_HEIGHTS = 4  # the lowest stuck heights; the others follow once these move
REPLY_HEIGHTS = 8  # sent to a lagging peer at once; block sync is better for more


def introduce(state: State) -> None:
    """First tick of a life: say again all that we said, so that our own votes count again."""
    state.is_restarted = False
    check_outcomes(state)
    if state.is_halted:
        return
    advance_certified(state)
    state.broadcast(status(state))
    if state.own_view_change is not None:
        state.broadcast(state.own_view_change)
    _repeat_votes(state, sorted(state.slots))
    for height in range(state.certified + 1, state.executed + 1):
        if (own := state.sayable(height)) is not None:
            state.broadcast(Checkpoint(own))
    for height in sorted(state.slots):
        progress(state, state.slots[height])


def repair(state: State) -> None:
    """Once per tick, after the clocks moved."""
    _notice_return(state)
    if _is_unsettled(state):
        state.stalled_ticks += 1
        if is_resend_due(state.stalled_ticks):
            _repeat(state)
    else:
        state.stalled_ticks = 0
    if state.now - state.last_broadcast >= HEARTBEAT_TICKS:
        state.broadcast(status(state))
    _notice_lag(state)


def status(state: State) -> Status:
    return Status(
        view=state.target,
        is_active=state.is_active,
        decided=state.decided,
        certified=state.certified,
    )


def on_status(state: State, sender: int, theirs: Status) -> None:
    """Send what the sender lacks; ask for what we lack."""
    if sender == state.config.index or state.now - state.last_reply[sender] < REPLY_TICKS:
        return
    before = len(state.effects)
    if theirs.view < state.view or (theirs.view == state.view and not theirs.is_active):
        relay_new_view(state, sender)
    _send_decisions(state, sender, theirs.decided)
    _send_certificates(state, sender, theirs.certified)
    is_ahead = (
        theirs.decided > state.settled
        or theirs.certified > state.stable
        or (theirs.is_active and theirs.view > state.view)
    )
    if is_ahead:
        state.emit(Send(sender, status(state)))
    if len(state.effects) > before:
        state.last_reply[sender] = state.now


def relay_new_view(state: State, to: int) -> None:
    """Hand the NEW-VIEW of our view to a replica that missed it."""
    followed = state.new_view
    if followed is None or to == state.config.index:
        return
    if state.now - state.last_relay[to] < RELAY_TICKS:
        return
    state.last_relay[to] = state.now
    if followed.leader == state.config.index:
        state.emit(Send(to, followed.new_view))
    else:
        relayed = RelayedNewView(followed.leader, followed.new_view, followed.signature)
        state.emit(Send(to, relayed))


def _is_unsettled(state: State) -> bool:
    return (
        not state.is_active
        or state.frontier > state.decided
        or state.certified < state.executed
        or state.certified < state.stable
    )


def _notice_return(state: State) -> None:
    """A quorum is heard again: what we said meanwhile reached too few, so say it now.

    After a long silence repetitions are two seconds apart, as long as a time-out.
    """
    was_cut_off, state.is_cut_off = state.is_cut_off, not hears_quorum(state)
    if was_cut_off and not state.is_cut_off and _is_unsettled(state):
        state.stalled_ticks = 0
        _repeat(state)


def _repeat(state: State) -> None:
    state.broadcast(status(state))
    if state.own_view_change is not None:
        state.broadcast(state.own_view_change)
    stuck = sorted(height for height in state.slots if height > state.decided)
    _repeat_votes(state, stuck[:REPEAT_HEIGHTS])
    _repeat_outcomes(state)
    for height in stuck:
        slot = state.slots[height]
        for digest in sorted(slot.wanted):
            ask_for_proposal(state, slot, digest)
        progress(state, slot)


def _repeat_outcomes(state: State) -> None:
    """Say again what came of the lowest heights whose certificate is missing."""
    first = state.certified + 1
    for height in range(first, min(state.executed + 1, first + REPEAT_HEIGHTS)):
        if (own := state.sayable(height)) is not None:
            state.broadcast(Checkpoint(own))


def _repeat_votes(state: State, heights: list[int]) -> None:
    for height in heights:
        for message in own_votes(state, state.slots[height]):
            state.broadcast(message)


def _send_decisions(state: State, to: int, decided: int) -> None:
    for height in range(decided + 1, min(state.decided, decided + REPLY_HEIGHTS) + 1):
        slot = state.slots.get(height)
        if slot is None:
            continue
        decision = slot.decision
        proposal = slot.proposals.get(decision.proposal_digest) if decision is not None else None
        if decision is not None and proposal is not None:
            state.emit(Send(to, Decision(proposal=proposal, certificate=decision)))
        else:
            for message in own_votes(state, slot):
                state.emit(Send(to, message))


def _send_certificates(state: State, to: int, certified: int) -> None:
    last = min(max(state.executed, state.stable), certified + REPLY_HEIGHTS)
    for height in range(certified + 1, last + 1):
        if height in state.certificates:
            state.emit(Send(to, Certified(state.certificates[height])))
        elif (own := state.sayable(height)) is not None:
            state.emit(Send(to, Checkpoint(own)))
    if state.stable > last and state.stable_certificate is not None:
        state.emit(Send(to, Certified(state.stable_certificate)))


def _notice_lag(state: State) -> None:
    """Others certified what we lack, and nothing that we could wait for is on its way.

    Blocks that go by bring back no certificate that is missing below them: the clock of a hole
    goes on while we execute.
    """
    if state.catching_up or state.certified >= state.stable:
        state.behind_ticks = state.hole_ticks = 0
        return
    state.hole_ticks += 1
    if is_resend_due(state.hole_ticks):  # under load nothing stalls, and nobody else would speak
        state.broadcast(status(state))
        _repeat_outcomes(state)
    if state.delivered > state.executed:
        state.behind_ticks = 0
        return
    state.behind_ticks += 1
    is_far = state.stable - state.executed > state.config.window
    is_behind = state.executed < state.stable and state.behind_ticks >= CATCH_UP_TICKS
    if is_far or is_behind or state.hole_ticks >= HOLE_TICKS:
        catch_up(state)
