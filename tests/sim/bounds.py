"""What a replica may hold in memory, whatever others send and however long it takes.

The one checker that looks inside: `consensus.pbft` has no reason to show its maps to drivers.
"""

from __future__ import annotations

from consensus.pbft.replica import Replica
from consensus.pbft.state import State

WINDOWS = 2  # of slots: one above the stable checkpoint and, while execution lags, one below
# The log of a former life reaches as far as its checkpoint did, which may be known only to peers;
# its size is bounded by compaction, and its slots go with the first certificate that comes.
WINDOWS_OF_RESTARTED = 8
PROPOSALS_PER_SLOT = 4  # decided, prepared, ordered by the NEW-VIEW, and the candidate
CHECKPOINT_WINDOWS = 6  # two on each side of the stable height, two above the certified one
CERTIFICATE_WINDOWS = 4  # two below the stable height, one on each side of the certified one
STATEMENT_WINDOWS = 2  # one below the certified height, one until garbage is collected
EARLY_WINDOWS = 4  # of each sender


def hole(replica: Replica) -> int:
    """Heights above a missing certificate that were executed or certified all the same.

    They wait for it, with our statements, and stay until the next block when it has come.
    """
    state = replica._state
    return max(state.executed, state.stable) - state.certified


def excesses(
    replica: Replica,
    *,
    batch_max: int,
    hole_max: int,
    is_restarted: bool = False,
    slots_max: int | None = None,
) -> list[str]:
    """What holds more than it may; `hole_max` is the largest hole of this life.

    `slots_max` is for who knows better what the log of the former life named.
    """
    state = replica._state
    window = state.config.window
    if slots_max is None:
        slots_max = window * (WINDOWS_OF_RESTARTED if is_restarted else WINDOWS)
    held = _held(state)
    bounds = {
        "slots": slots_max,
        "proposals": slots_max * PROPOSALS_PER_SLOT,
        "proposals of a slot": PROPOSALS_PER_SLOT,
        "wanted of a slot": PROPOSALS_PER_SLOT,
        "ids in flight": slots_max * batch_max,
        "checkpoints": window * CHECKPOINT_WINDOWS,
        "certificates": window * CERTIFICATE_WINDOWS + hole_max,
        "statements": window * STATEMENT_WINDOWS + hole_max,
        "early of a sender": window * EARLY_WINDOWS,
        "view changes": state.config.validators.size,
    }
    return [
        f"{name}: {held[name]} of {bound}" for name, bound in bounds.items() if held[name] > bound
    ]


def _held(state: State) -> dict[str, int]:
    slots = state.slots.values()
    return {
        "slots": len(state.slots),
        "proposals": len(state.by_digest),
        "proposals of a slot": max((len(slot.proposals) for slot in slots), default=0),
        "wanted of a slot": max((len(slot.wanted) for slot in slots), default=0),
        "ids in flight": len(state.in_flight),
        "checkpoints": len(state.checkpoints),
        "certificates": len(state.certificates),
        "statements": len(state.statements),
        "early of a sender": max(len(early) for early in state.early),
        "view changes": len(state.view_changes),
    }
