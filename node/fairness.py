"""Does the primary serve those who wait (8.1.3d)? What a backup holds against it.

Two ways to withhold are told apart. One that was *overtaken* waits while others that came much
later are in blocks. One is *starved* if it waits long although the blocks that went by had room for
it: the primary proposes slowly, little, or what is in the ledger already. Either forces a view
change; a queue that is long because blocks are full is nobody's fault.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ledger.model import Proposal
from node.mempool import Admitted, IsInFlight, Mempool
from node.rulebook import LimitsAt

WITHHELD_TICKS = 50  # overtaken by transactions that came this much later
# Longer than a re-offer to all takes to reach a primary that never heard of it.
STARVED_TICKS = 100
STARVED_BLOCKS = 4  # that went by meanwhile with room for it; fewer are a matter for time-outs
REMEMBERED_MAX = 64  # delivered blocks: more than STARVED_BLOCKS, and bounded


@dataclass(frozen=True, slots=True)
class _Room:
    """What a delivered block left unused."""

    tick: int
    transactions: int
    size: int
    gas: int

    def takes(self, item: Admitted) -> bool:
        return self.transactions > 0 and self.size >= item.size and self.gas >= item.gas_limit


class Fairness:
    """Watches one epoch's blocks. Main task only."""

    def __init__(self, pool: Mempool, limits_at: LimitsAt) -> None:
        self._pool = pool
        self._limits_at = limits_at
        self._rooms: deque[_Room] = deque(maxlen=REMEMBERED_MAX)

    def delivered(self, proposal: Proposal, tick: int) -> None:
        """Before the pool lets go of it. Ids that a block included before take no room."""
        items = [i for t in proposal.transaction_ids if (i := self._pool.get(t)) is not None]
        limits = self._limits_at(proposal.height)
        self._rooms.append(
            _Room(
                tick=tick,
                transactions=limits.block_transactions_max - len(items),
                size=limits.block_size_max - sum(item.size for item in items),
                gas=limits.block_gas_max - sum(item.gas_limit for item in items),
            )
        )

    def is_withheld(self, tick: int, is_in_flight: IsInFlight) -> bool:
        """Has the longest waiting transaction a complaint?"""
        if self._pool.is_overtaken(WITHHELD_TICKS, is_in_flight):
            return True
        age = self._pool.oldest_age(tick, is_in_flight)
        if age is None or age < STARVED_TICKS:
            return False
        oldest = next(self._pool.waiting(is_in_flight))
        since = [room for room in self._rooms if room.tick > tick - STARVED_TICKS]
        return len(since) >= STARVED_BLOCKS and all(room.takes(oldest) for room in since)
