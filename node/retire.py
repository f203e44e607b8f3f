"""A stop in order: what clients were told the node holds must not go down with it.

A transaction leaves for the other validators within FORWARD_SPACING_S of its arrival, and nothing
says when it is there. So a node that is to stop takes nothing new and stays in the committee until
what it holds is in certified blocks: clients that wait get their receipts instead of a refusal.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
import trio

from ledger.store import Store
from node.mempool import Mempool

DRAIN_S = 2.0  # a few blocks; without a quorum nothing will come, and whoever stops us waits
LOOK_S = 0.02

_log = structlog.get_logger("node")


async def drain(pool: Mempool, store: Store) -> None:
    """Until all that waits in `pool` now is final, at most DRAIN_S. Main task only."""
    held = [item.id for item in pool.waiting(lambda wanted: False)]
    height: int | None = None  # at which the last of them is included at the latest
    with trio.move_on_after(DRAIN_S):
        while True:
            if height is None and not _left(held, pool):
                height = store.height
            if height is not None and store.certified_height >= height:
                break
            await trio.sleep(LOOK_S)
    _log.info("drained", held=len(held), left=len(_left(held, pool)))


def _left(held: Sequence[bytes], pool: Mempool) -> list[bytes]:
    return [wanted for wanted in held if wanted in pool and not pool.has_expired(wanted)]
