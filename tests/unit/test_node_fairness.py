"""What a backup holds against a primary."""

from __future__ import annotations

from ledger.genesis import Limits
from ledger.model import Proposal, Transaction
from node.fairness import STARVED_BLOCKS, STARVED_TICKS, WITHHELD_TICKS, Fairness
from node.mempool import Admitted, Mempool

LIMITS = Limits(block_transactions_max=3, block_size_max=1_000, block_gas_max=1_000)


def item(name: str, *, size: int = 10, gas: int = 10) -> Admitted:
    return Admitted(name.encode(), Transaction(b"", b""), 1_000, gas, size)


class Watch:
    """A pool, and blocks that go by without taking from it what is not named."""

    def __init__(self) -> None:
        self.pool = Mempool(transactions_max=100, bytes_max=1 << 20)
        self.fairness = Fairness(self.pool, lambda height: LIMITS)
        self.tick = 0
        self.height = 0

    def waits(self, *items: Admitted) -> None:
        for one in items:
            assert self.pool.add(one, tick=self.tick)

    def block(self, *items: Admitted) -> None:
        self.height += 1
        for one in items:
            self.pool.add(one, tick=self.tick)
        ids = tuple(sorted(one.id for one in items))
        self.fairness.delivered(Proposal(self.height, ids, 0, 1), self.tick)
        self.pool.include(ids)

    def blocks_for(self, ticks: int, *items: Admitted) -> None:
        """Blocks of these, evenly, while time goes by."""
        for _ in range(STARVED_BLOCKS + 1):
            self.tick += ticks // (STARVED_BLOCKS + 1)
            self.block(*items)

    @property
    def is_withheld(self) -> bool:
        return self.fairness.is_withheld(self.tick, lambda transaction: False)


def test_one_that_waits_while_blocks_have_room_is_starved() -> None:
    watch = Watch()
    watch.waits(item("waits"))
    watch.blocks_for(STARVED_TICKS - 10)
    assert not watch.is_withheld, "not yet"
    watch.blocks_for(STARVED_TICKS)
    assert watch.is_withheld


def test_one_that_waits_behind_full_blocks_is_not_starved() -> None:
    watch = Watch()
    batches = [
        [item(f"{number} {place}") for place in range(3)] for number in range(2 * STARVED_BLOCKS)
    ]
    watch.waits(*(one for batch in batches for one in batch), item("waits"))
    for batch in batches:
        watch.tick += STARVED_TICKS // STARVED_BLOCKS
        watch.block(*batch)
        assert not watch.is_withheld


def test_room_is_what_the_one_that_waits_needs() -> None:
    for waiting in (item("large", size=995), item("dear", gas=995)):
        watch = Watch()
        watch.waits(waiting)
        watch.pool.add(item("other"), tick=0)
        for number in range(3 * STARVED_BLOCKS):
            watch.tick += STARVED_TICKS // STARVED_BLOCKS
            watch.fairness.delivered(Proposal(number, (b"other",), 0, 1), watch.tick)
        assert not watch.is_withheld


def test_ids_that_are_in_the_ledger_already_take_no_room() -> None:
    watch = Watch()
    watch.waits(item("waits"))
    for _ in range(2 * STARVED_BLOCKS):
        watch.tick += STARVED_TICKS // STARVED_BLOCKS
        watch.height += 1
        ids = tuple(b"included %d" % number for number in range(3))
        watch.fairness.delivered(Proposal(watch.height, ids, 0, 1), watch.tick)
    assert watch.is_withheld


def test_without_blocks_it_is_a_matter_of_time_outs() -> None:
    watch = Watch()
    watch.waits(item("waits"))
    watch.tick += 10 * STARVED_TICKS
    assert not watch.is_withheld


def test_one_that_is_overtaken_is_withheld_at_once() -> None:
    watch = Watch()
    watch.waits(item("waits"))
    watch.tick += WITHHELD_TICKS + 1
    watch.block(item("later"))
    assert watch.is_withheld
