"""Blocks without transactions: none while idle, but for a heartbeat at a long interval.

A heartbeat lets block time, expiry and checkpoints move, and shows that the primary is alive. The
rule is the chain's (`Limits.heartbeat_ms` of the height) and its verdict depends on the predecessor
alone, so all who have executed it agree; a faulty primary can neither spam empty blocks nor censor
by them.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
import trio

from ledger.genesis import Limits
from ledger.model import Proposal
from ledger.store import Store
from node.clock import SKEW_MS_MIN, CommitteeClock
from node.rulebook import LimitsAt

# A backup waits this much longer than `time_skew_ms_max`, by which the primary's clock may be late,
# before it minds: for a block that is still being executed, and for the way.
GRACE_MS = 2_000
PREDECESSOR_PATIENCE_S = 3.0  # for its execution here; who is slower leaves the vote to the others
# A transaction that waited this long was shown to the primary again twice (node.replica), so a
# primary that offers an empty block withholds it. Shorter than the time that withholding takes to
# show otherwise: empty blocks overtake nothing.
WAITED_TICKS_MAX = 30

_log = structlog.get_logger("node.heartbeat")


class Heartbeat:
    """When an empty block is due, for who proposes and for who judges. Main task only."""

    def __init__(self, *, store: Store, limits_at: LimitsAt, clock: CommitteeClock) -> None:
        self._store = store
        self._limits_at = limits_at
        self._clock = clock
        self._head = (store.height, store.header(store.height).time_ms)
        self._moved = trio.Event()
        # Does something wait for heights to pass? Then empty blocks may follow each other. The
        # answer must depend on the executed chain alone: all members have to give the same.
        self.wants_empty_blocks: Callable[[], bool] = lambda: False
        # Ticks that the longest waiting transaction not in flight has waited here.
        self.longest_wait: Callable[[], int | None] = lambda: None

    def head_moved(self) -> None:
        """The ledger has a new head."""
        self._moved.set()
        self._moved = trio.Event()

    def proposal_time_ms(self) -> int:
        """The time to propose with: the committee's, if need be raised above the head's.

        But not by more than every honest backup bears. A chain whose head is further in the future
        (all its clocks were wrong once) goes on by the rule of block making, which raises times.
        """
        now_ms, later_ms = self._clock.now_ms(), self._head_time_ms() + 1
        bearable_ms = self._limits().time_skew_ms_max - SKEW_MS_MIN
        return later_ms if 0 < later_ms - now_ms <= bearable_ms else now_ms

    def is_due(self, height: int) -> bool:
        """May we propose an empty block of `height` now?

        Not before a quorum is heard: at the start of a network, the first one up would wait in
        vain for votes on it and leave its view alone.
        """
        return (
            self._store.height == height - 1
            and self._clock.is_agreed
            and self._is_due_at(self.proposal_time_ms())
        )

    def is_overdue(self) -> bool:
        """Should the primary have proposed an empty block by now?

        A node that hears no quorum cannot tell: it may be the one that is cut off.
        """
        if not self._clock.is_agreed:
            return False
        grace_ms = self._limits().time_skew_ms_max + GRACE_MS
        return self._is_due_at(self._clock.now_ms() - grace_ms)

    async def is_welcome(self, proposal: Proposal) -> bool:
        """Whether this fresh proposal without ids may be prepared; in time, either way."""
        with trio.move_on_after(PREDECESSOR_PATIENCE_S):
            while self._store.height < proposal.height - 1:
                await self._moved.wait()
        if self._store.height >= proposal.height:
            return True  # the others have ordered it meanwhile
        reason = self._objection(proposal)
        if reason is not None:
            _log.warning("heartbeat_refused", height=proposal.height, reason=reason)
        return reason is None

    def _objection(self, proposal: Proposal) -> str | None:
        if self._store.height < proposal.height - 1:
            return "its predecessor is not executed here"
        waited = self.longest_wait()
        if waited is not None and waited > WAITED_TICKS_MAX:
            return "transactions wait"
        if not self._is_due_at(proposal.time_ms):
            return "it is not due"
        return None

    def _is_due_at(self, time_ms: int) -> bool:
        waited_ms = time_ms - self._head_time_ms()
        return self.wants_empty_blocks() or waited_ms >= self._limits().heartbeat_ms

    def _limits(self) -> Limits:
        """Of the next height."""
        return self._limits_at(self._store.height + 1)

    def _head_time_ms(self) -> int:
        height, time_ms = self._head
        if height != self._store.height:
            height = self._store.height
            time_ms = self._store.header(height).time_ms
            self._head = (height, time_ms)
        return time_ms
