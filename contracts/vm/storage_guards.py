"""What `Var`, `Map` and `SortedMap` do at run time: one set of guards per declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from contracts.vm import limits, prices
from contracts.vm.codes import Code, Stop
from contracts.vm.declare import Storage
from contracts.vm.guard_bounds import Guard
from contracts.vm.keys import KeyPart, beyond, key_prefix, part_writer, parts_reader
from contracts.vm.meter import Meter
from contracts.vm.ranges import Range
from contracts.vm.state import UNDECODED, Entry, Space, State
from contracts.vm.storage_ops import guard_name
from contracts.vm.values import Inner, StoredCodec


class Surroundings(Protocol):
    """What storage needs of the executor (apply.py)."""

    meter: Meter
    state: State
    is_read_only: bool


def _too_long() -> Stop:
    return Stop(Code.value_limit, "a storage key is too long")


def _key_maker(storage: Storage) -> Callable[..., bytes]:
    prefix = key_prefix(storage)
    write = part_writer(prefix)

    def one(part: Any) -> bytes:
        if (type(part) is str or type(part) is bytes) and len(part) > limits.STORED_KEY_SIZE_MAX:
            raise _too_long()
        key = prefix + write(part)
        if len(key) > limits.STORED_KEY_SIZE_MAX:
            raise _too_long()
        return key

    def many(*parts: Any) -> bytes:
        return _written(prefix, write, parts)

    return one if len(storage.keys) == 1 else many


def _written(prefix: bytes, write: Callable[[KeyPart], bytes], parts: Sequence[Any]) -> bytes:
    key = prefix
    for part in parts:
        if (type(part) is str or type(part) is bytes) and len(part) > limits.STORED_KEY_SIZE_MAX:
            raise _too_long()
        key += write(part)
    if len(key) > limits.STORED_KEY_SIZE_MAX:
        raise _too_long()
    return key


class _Slot:
    """Reading and writing entries of one storage declaration."""

    def __init__(self, storage: Storage, contract: str, executor: Surroundings) -> None:
        self.contract = contract
        self.executor = executor
        self.state = executor.state
        self.meter = executor.meter
        self.space: Space = executor.state.space(contract)
        self.codec = StoredCodec(storage.value, executor.meter)
        self._is_sorted = storage.is_sorted

    def read(self, key: bytes) -> tuple[bool, Inner]:
        """(is it there, its value); the value's bytes are paid for here."""
        entry: Entry | None = self.space.get(key)
        if entry is None:
            entry = self.state.load(self.contract, key)
        if entry[0] is None:
            return False, None
        return True, self.value(key, entry)

    def value(self, key: bytes, entry: Entry) -> Inner:
        """The value of an entry that is there; its bytes are paid for here."""
        raw, value = entry
        assert raw is not None
        self.meter.charge(len(raw) * prices.GAS_READ_BYTE)
        if value is UNDECODED:
            value = self.codec.decode(raw)
            if self.codec.is_immutable:
                self.space[key] = (raw, value)
        return value  # type: ignore[return-value]  # UNDECODED was replaced

    def has(self, key: bytes) -> bool:
        entry: Entry | None = self.space.get(key)
        if entry is None:
            entry = self.state.load(self.contract, key)
        return entry[0] is not None

    def write(self, key: bytes, value: Inner) -> None:
        self.demand_writable()
        raw = self.codec.encode(value)
        if len(raw) > limits.STORED_VALUE_SIZE_MAX:
            raise Stop(Code.value_limit, "a stored value is too large")
        self.meter.charge((len(raw) + len(key)) * prices.GAS_WRITE_BYTE)
        kept = value if self.codec.is_immutable else UNDECODED
        self._put(key, (raw, kept))

    def remove(self, key: bytes) -> None:
        self.demand_writable()
        self.meter.charge(len(key) * prices.GAS_WRITE_BYTE)
        self._put(key, (None, UNDECODED))

    def _put(self, key: bytes, entry: Entry) -> None:
        self.state.write(self.contract, self.space, key, entry)
        if self._is_sorted:
            self.state.note_sorted(self.contract, key)

    def demand_writable(self) -> None:
        if self.executor.is_read_only:
            raise Stop(Code.read_only, "a view does not write")


def storage_guards(storage: Storage, contract: str, executor: Surroundings) -> dict[str, Guard]:
    """The guards of one declaration, by the names that compiled code calls them by."""
    slot = _Slot(storage, contract, executor)
    key_of = _key_maker(storage)
    missing = f"{storage.name} holds nothing there"

    def item(*parts: Any) -> Inner:
        found, value = slot.read(key_of(*parts))
        if not found:
            raise Stop(Code.missing_key, missing)
        return value

    def get(*parts: Any) -> Inner:
        return slot.read(key_of(*parts))[1]

    def get_or(*parts: Any) -> Inner:
        found, value = slot.read(key_of(*parts[:-1]))
        return value if found else parts[-1]

    def put(*parts: Any) -> None:
        slot.write(key_of(*parts[:-1]), parts[-1])

    def has(*parts: Any) -> bool:
        return slot.has(key_of(*parts))

    def remove(*parts: Any) -> None:
        key = key_of(*parts)
        if not slot.has(key):
            raise Stop(Code.missing_key, missing)
        slot.remove(key)

    def clear(*parts: Any) -> None:
        slot.remove(key_of(*parts))

    operations: dict[str, Guard] = {
        "item": item,
        "get": get,
        "getor": get_or,
        "set": put,
        "has": has,
        "del": remove,
        "clear": clear,
    }
    if storage.is_sorted:
        operations |= _page_guards(storage, slot, key_of)
    return {guard_name(name, storage.name): guard for name, guard in operations.items()}


# --- pages of a SortedMap ----------------------------------------------------------------------


def _page_guards(storage: Storage, slot: _Slot, key_of: Callable[..., bytes]) -> dict[str, Guard]:
    key_in = parts_reader(storage)
    bounds = _bounds_maker(storage, key_of)
    charge = slot.meter.charge

    def keys(names: str, limit: int, *values: Any) -> list[Any]:
        page = []
        for key, _ in _page(slot, *bounds(names, values), limit, with_values=False):
            charge(prices.GAS_ITEM)
            page.append(key_in(key))
        return page

    def items(names: str, limit: int, *values: Any) -> list[Any]:
        page = []
        for key, entry in _page(slot, *bounds(names, values), limit, with_values=True):
            charge(3 * prices.GAS_ITEM)  # the slot, and a tuple of two
            page.append((key_in(key), slot.value(key, entry)))
        return page

    return {"keys": keys, "items": items}


def _page(
    slot: _Slot, low: bytes, high: bytes, is_reverse: bool, limit: int, *, with_values: bool
) -> Iterator[tuple[bytes, Entry]]:
    """The first `limit` entries of the range that are there, each one paid for."""
    if not 1 <= limit <= limits.PAGE_LENGTH_MAX:
        raise Stop(Code.value_limit, f"a page has 1 to {limits.PAGE_LENGTH_MAX} entries")
    if low >= high:
        return
    # The parent reads no more than what is left could pay for. Gas never depends on that.
    left = slot.meter.left
    count_max = min(limit, left // prices.GAS_SCAN_ITEM + 1)
    asked = Range(slot.contract, low, high, is_reverse, with_values, count_max, left)
    found = 0
    for key, entry in slot.state.scan(asked):
        # What this block removed is passed over, and costs what it costs to pass over it.
        slot.meter.charge(prices.GAS_SCAN_ITEM + len(key) * prices.GAS_READ_BYTE)
        if entry[0] is not None:
            yield key, entry
            found += 1
            if found == limit:
                return


def _bounds_maker(
    storage: Storage, key_of: Callable[..., bytes]
) -> Callable[[str, tuple[Any, ...]], tuple[bytes, bytes, bool]]:
    prefix = key_prefix(storage)
    write = part_writer(prefix)
    is_single = len(storage.keys) == 1

    def bounds(names: str, values: tuple[Any, ...]) -> tuple[bytes, bytes, bool]:
        """(lowest key, lowest key beyond, whether to walk down) of what was given by name."""
        given = dict(zip(names.split(), values, strict=True))
        is_reverse = given.pop("reverse", False)
        low = prefix
        if "within" in given:
            leading = given.pop("within")
            low = _written(prefix, write, leading if type(leading) is tuple else (leading,))
        high = beyond(low)
        for name, bound in given.items():
            edge = key_of(bound) if is_single else key_of(*bound)
            if (name == "after") != is_reverse:
                edge += b"\0"  # the smallest key above it
            if (name == "end") == is_reverse:
                low = max(low, edge)
            else:
                high = min(high, edge)
        return low, high, is_reverse

    return bounds
