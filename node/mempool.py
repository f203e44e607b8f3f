"""Which verified transactions wait for a block.

Pure bookkeeping: ages are counted in the driver's ticks, and the clock is only for what is shown
to people. A transaction stays
at hand until a block includes it or it expires. Which ones are in flight (named by a proposal
that is being ordered) the replica knows; it is asked, so that no second account can differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ledger.model import Transaction

IsInFlight = Callable[[bytes], bool]

ASIDE_KEPT = 128  # heights: twice the largest watermark window, so no proposal outlives them


@dataclass(frozen=True, slots=True)
class Admitted:
    """A transaction whose form and signature were verified. `size` in bytes."""

    id: bytes
    transaction: Transaction
    valid_until: int
    gas_limit: int
    size: int
    sender: bytes = b""  # public key


@dataclass(frozen=True, slots=True)
class _Entry:
    item: Admitted
    tick: int
    arrived_s: float


@dataclass(frozen=True, slots=True)
class _Aside:
    entry: _Entry
    height: int  # of the newest block when it was set aside
    takes_room: bool  # it waited here before: clients must not fill memory with what expires soon


class Mempool:
    """Bounded by count and bytes; single owner (the node's main task).

    What no block may include as things stand is set aside: at hand for proposals that name it, but
    never offered, proposed or waited for. A faulty primary can name anything, and what it names
    must not look like something that others withhold, nor come back in block after block.
    """

    def __init__(
        self, *, transactions_max: int, bytes_max: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._transactions_max = transactions_max
        self._bytes_max = bytes_max
        self._entries: dict[bytes, _Entry] = {}  # in order of arrival
        self._aside: dict[bytes, _Aside] = {}
        self._height = 0  # of the newest block, as far as it was told
        self._bytes = 0
        self._named_bytes = 0  # of what never waited, but was named in a proposal
        self._now = now
        self.on_included: Callable[[Admitted, float], None] = lambda item, waited_s: None
        self._newest_included = 0  # tick at which the latest included transaction had come

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, transaction_id: bytes) -> bool:
        return transaction_id in self._entries or transaction_id in self._aside

    def has_expired(self, transaction_id: bytes) -> bool:
        """Whether it was held here and no block can include it any more, whatever limits hold."""
        aside = self._aside.get(transaction_id)
        return aside is not None and aside.entry.item.valid_until <= self._height

    @property
    def size(self) -> int:
        """Bytes of all transactions held."""
        return self._bytes + self._named_bytes

    def add(self, item: Admitted, *, tick: int, beyond_bounds: bool = False) -> bool:
        """Hold `item`; False when there is no room (true when it is held already).

        `beyond_bounds` admits what a proposal needs: liveness of the network goes before this
        node's bound, and proposals in flight are bounded themselves.
        """
        if item.id in self:
            return True
        full = (
            len(self._entries) >= self._transactions_max
            or self._bytes + item.size > self._bytes_max
        )
        if full and not beyond_bounds:
            return False
        self._entries[item.id] = _Entry(item, tick, self._now())
        self._bytes += item.size
        return True

    def set_aside(self, item: Admitted, *, height: int) -> None:
        """Hold `item`, which no block after `height` may include as things stand.

        It takes no room: a faulty primary must not keep clients out by what it names.
        """
        if item.id not in self:
            self._height = max(self._height, height)
            self._aside[item.id] = _Aside(_Entry(item, 0, self._now()), height, takes_room=False)
            self._named_bytes += item.size

    def get(self, transaction_id: bytes) -> Admitted | None:
        entry = self._entries.get(transaction_id)
        if entry is None and (aside := self._aside.get(transaction_id)) is not None:
            entry = aside.entry
        return entry.item if entry else None

    def missing(self, ids: Iterable[bytes]) -> list[bytes]:
        return [wanted for wanted in ids if wanted not in self]

    def oldest_age(self, tick: int, is_in_flight: IsInFlight) -> int | None:
        """Ticks that the longest waiting transaction not in flight has waited, if any."""
        for waiting, entry in self._entries.items():
            if not is_in_flight(waiting):
                return tick - entry.tick
        return None

    def oldest_s(self) -> float:
        """Seconds that the one which came first has waited. Any thread."""
        entries = list(self._entries.values())[:1]  # copied in one go: the main task moves on
        return self._now() - entries[0].arrived_s if entries else 0.0

    def waiting(self, is_in_flight: IsInFlight) -> Iterator[Admitted]:
        """Transactions not in flight, the longest waiting first."""
        return (e.item for i, e in self._entries.items() if not is_in_flight(i))

    def select(
        self, is_in_flight: IsInFlight, *, count_max: int, bytes_max: int, gas_max: int
    ) -> list[bytes]:
        """Ids for a batch: the longest waiting first, within the block's limits."""
        chosen: list[bytes] = []
        size = gas = 0
        for item in self.waiting(is_in_flight):
            if item.size > bytes_max or item.gas_limit > gas_max:
                continue  # no block of these limits takes it, and it must not hold up the others
            size += item.size
            gas += item.gas_limit
            if len(chosen) >= count_max or size > bytes_max or gas > gas_max:
                break
            chosen.append(item.id)
        return chosen

    def is_overtaken(self, ticks: int, is_in_flight: IsInFlight) -> bool:
        """Whether one waits although another that came `ticks` later is in a block already.

        A queue that is merely long is served in order of arrival; this shows withholding.
        """
        for waiting, entry in self._entries.items():
            if not is_in_flight(waiting):
                return self._newest_included - entry.tick > ticks
        return False

    def include(self, ids: Iterable[bytes]) -> None:
        """A block includes `ids`: let go of them."""
        included = list(ids)
        for gone in included:
            entry = self._entries.get(gone)
            if entry is not None:
                self._newest_included = max(self._newest_included, entry.tick)
                self.on_included(entry.item, self._now() - entry.arrived_s)
        self.remove(included)

    def remove(self, ids: Iterable[bytes]) -> None:
        for gone in ids:
            if (entry := self._entries.pop(gone, None)) is not None:
                self._bytes -= entry.item.size
            elif (aside := self._aside.pop(gone, None)) is not None:
                self._bytes -= aside.entry.item.size if aside.takes_room else 0
                self._named_bytes -= 0 if aside.takes_room else aside.entry.item.size

    def expire(
        self,
        height: int,
        is_in_flight: IsInFlight,
        fits: Callable[[Admitted], bool] = lambda item: True,
    ) -> int:
        """Set aside what no block after `height` may include; how many those were.

        That is what expired, and what does not fit the limits; what fits them again is offered
        again. Bodies stay for ASIDE_KEPT heights: a proposal that names them may have been
        prepared, and it must stay executable, although its block will leave them out.
        """
        self._height = height

        def may_come(item: Admitted) -> bool:
            return item.valid_until > height and fits(item)

        again = [i for i, aside in self._aside.items() if may_come(aside.entry.item)]
        gone = [i for i, e in self._entries.items() if not may_come(e.item) and not is_in_flight(i)]
        for one in again:
            aside = self._aside.pop(one)
            entry, moved = aside.entry, 0 if aside.takes_room else aside.entry.item.size
            self._named_bytes -= moved
            self._bytes += moved
            # As if it came with the latest that is in a block: nobody has passed it over.
            self._entries[one] = _Entry(entry.item, self._newest_included, entry.arrived_s)
        for one in gone:
            self._aside[one] = _Aside(self._entries.pop(one), height, takes_room=True)
        self.remove(
            [
                i
                for i, aside in self._aside.items()
                if aside.height + ASIDE_KEPT <= height and not is_in_flight(i)
            ]
        )
        return len(gone)

    def bodies(self, ids: Iterable[bytes]) -> dict[bytes, Transaction]:
        """The transactions at hand among `ids`."""
        items = ((wanted, self.get(wanted)) for wanted in ids)
        return {wanted: item.transaction for wanted, item in items if item is not None}
