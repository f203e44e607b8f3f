"""How long to wait, in ticks. Local and heuristic: nothing here can hurt safety."""

from __future__ import annotations

from consensus.pbft.state import State

HEARTBEAT_TICKS = 10  # say something at least once a second, also when idle
SILENT_TICKS = 18  # no word for almost two heartbeats: dead or cut off
TIMEOUT_SILENT_TICKS = 5  # waiting for a silent primary is not worth the full time-out
RESEND_TICKS = 5  # nothing moves for half a second: repeat ourselves, then ever more rarely
RESEND_TICKS_MAX = 20
REPLY_TICKS = 3  # one repair per peer in this time, however often it asks
RELAY_TICKS = 10  # a NEW-VIEW is large
CATCH_UP_TICKS = 10  # votes and decisions may still be on their way to us
HOLE_TICKS = 50  # only a certificate is missing below later ones: peers will repeat statements


def timeout_ticks(state: State, awaited: int) -> int:
    """How long to wait for replica `awaited`: doubles with every view change in vain, capped."""
    config = state.config
    doublings = min(max(state.attempts - 1, 0), 16)
    ticks = min(config.timeout_ticks << doublings, config.timeout_ticks_max)
    return min(ticks, TIMEOUT_SILENT_TICKS) if is_silent(state, awaited) else ticks


def is_silent(state: State, index: int) -> bool:
    return index != state.config.index and state.now - state.last_heard[index] >= SILENT_TICKS


def hears_quorum(state: State) -> bool:
    """Do enough replicas speak to us, ourselves among them, that something could be ordered?"""
    size = state.config.validators.size
    return sum(not is_silent(state, index) for index in range(size)) >= state.quorum


def unfit_replicas(state: State) -> tuple[int, ...]:
    """At most f replicas that should get no turn: proven liars, then the longest silent."""
    config = state.config
    silent = [
        index
        for index in range(config.validators.size)
        if is_silent(state, index) and index not in state.liars
    ]
    silent.sort(key=lambda index: (state.last_heard[index], index))
    return tuple(sorted([*sorted(state.liars), *silent][: config.validators.fault_bound]))


def is_resend_due(stalled_ticks: int) -> bool:
    """After 5, 10 and 20 ticks, then every 20."""
    return stalled_ticks in (RESEND_TICKS, 2 * RESEND_TICKS) or (
        stalled_ticks > 0 and stalled_ticks % RESEND_TICKS_MAX == 0
    )
