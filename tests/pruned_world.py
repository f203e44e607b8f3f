"""Ledgers that begin above the genesis, cut by hand: an opinion of its own about what is left."""

from __future__ import annotations

from pathlib import Path

import plyvel

from ledger.encoding import encode
from ledger.genesis import Limits
from ledger.model import transaction_id
from ledger.store import Store
from tests.ledger_world import World, committee

WINDOW = 2
LIMITS = Limits(watermark_window=WINDOW, valid_window=5)
KEPT = 16  # what is checked at every start is more than these windows


def cut(path: Path, base: int) -> None:
    """Take all below `base` out of the closed ledger at `path` that a pruned one does not have."""
    store = Store.open(path)
    ends = {epoch.base for epoch in store.epochs.all if epoch.base}
    keys: list[bytes] = []
    for stored in store.iterate_blocks(0, base - 1):
        height = stored.block.header.height
        number = height.to_bytes(8, "big")
        keys += [table + number for table in (b"B", b"H", b"R", b"D", b"S", b"C")]
        keys += [] if height in ends else [b"E" + number]
        keys.append(b"K" + stored.statement.block_hash)
        keys += [b"T" + transaction_id(found) for found in stored.block.transactions]
    store.close()
    with plyvel.DB(str(path / "db"), bloom_filter_bits=10) as database:
        for key in keys:
            database.delete(key)
        database.put(b"!base", base.to_bytes(8, "big"))


def grown(path: Path, heights: int, *, sizes: dict[int, int] | None = None) -> World:
    """A certified ledger; `sizes` are those of the committees that blocks decide."""
    world = World(path, limits=LIMITS)
    for height in range(1, heights + 1):
        size = (sizes or {}).get(height)
        valid_until = height + world.random.randrange(LIMITS.valid_window + 1)
        world.include(
            [world.transaction(valid_until=valid_until) for _ in range(2)],
            world.writes(4),
            decides=committee(size) if size else None,
        )
        world.certify(height)
    return world


def contents(store: Store) -> list[bytes]:
    """Everything that two stores of one chain must have in common from the base of `store` on."""
    blocks = [
        encode((found.block, found.receipts, found.statement, found.execution_certificate))
        for found in store.iterate_blocks(store.base, store.height)
    ]
    ends = [epoch.base for epoch in store.epochs.all if 0 < epoch.base <= store.certified_height]
    return blocks + [encode(store.execution_certificate(end)) for end in ends]
