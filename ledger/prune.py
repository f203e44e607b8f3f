"""Which rows a ledger loses when its base rises, in writes that hold nobody up.

A write takes whole heights and raises the base with them, so whenever the process dies there is a
whole ledger with some base, and nothing to be finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger.committee import Epochs
from ledger.records import Records
from ledger.schema import (
    BASE_KEY,
    BLOCK,
    CHANGES,
    COMMIT_CERTIFICATE,
    EXECUTION_CERTIFICATE,
    HASH,
    HEADER,
    HEIGHT_TABLES,
    RECEIPTS,
    STATEMENT,
    TRANSACTION,
    at_height,
    number,
)

# Rows of one write, after which it is closed with the height that it has come to: the deletions
# take some 150 kB and 2 ms, and a commit waits for no more than that.
PRUNE_ROWS = 4_000

# Bytes that are given back at once: LevelDB reads them all, in less than a second. Less than a
# file of LevelDB is not worth the flush of its memory that goes before.
FREED_SIZE_MAX = 64 << 20
FREED_SIZE_MIN = 2 << 20

Pruned = Callable[[int], None]  # told of every new base; may wait, and may raise to stop


def ignore_pruned(base: int) -> None:
    """For callers that need no pace."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write: what it deletes, and the base after it."""

    base: int
    keys: tuple[bytes, ...]

    def pairs(self) -> Iterator[tuple[bytes, bytes | None]]:
        yield BASE_KEY, number(self.base)
        for key in self.keys:
            yield key, None


def next_step(records: Records, epochs: Epochs, base: int, goal: int) -> Step:
    """The heights from `base` on that go with the next write, up to `goal` at most.

    Raises LedgerDamaged: what cannot be read is not pruned either, lest damage goes unnoticed.
    """
    keys: list[bytes] = []
    height = base
    while height < goal and len(keys) < PRUNE_ROWS:
        tables = (BLOCK, HEADER, RECEIPTS, CHANGES, STATEMENT)
        keys += (at_height(table, height) for table in tables)
        if height:
            keys.append(at_height(COMMIT_CERTIFICATE, height))
        if height and not epochs.is_last(height):
            keys.append(at_height(EXECUTION_CERTIFICATE, height))
        keys.append(HASH + records.statement(height).block_hash)
        # The receipts name the transactions: a block would have to be hashed for that.
        keys += (TRANSACTION + receipt.transaction_id for receipt in records.receipts(height))
        height += 1
    return Step(height, tuple(keys))


def freed_ranges(
    base: int, size_of: Callable[[bytes, bytes], int]
) -> Iterator[tuple[bytes, bytes]]:
    """Ranges of keys below `base` that are worth giving back, each in bounded time.

    From the genesis on, each time: what an earlier life has not come to is there again, and what
    is freed costs nothing. Not the indexes: their keys are hashes, what is deleted there lies among
    what is kept, and LevelDB merges it away as new entries come.
    """
    for table in HEIGHT_TABLES:
        yield from _pieces(table, 0, base, size_of)


def _pieces(
    table: bytes, low: int, high: int, size_of: Callable[[bytes, bytes], int]
) -> Iterator[tuple[bytes, bytes]]:
    keys = at_height(table, low), at_height(table, high)
    size = size_of(*keys)
    if size > FREED_SIZE_MAX and high - low > 1:
        middle = (low + high) // 2
        yield from _pieces(table, low, middle, size_of)
        yield from _pieces(table, middle, high, size_of)
    elif size > FREED_SIZE_MIN:
        yield keys
