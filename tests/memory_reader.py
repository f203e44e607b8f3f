"""A state in memory, as the parent of a worker reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from contracts.vm.ranges import range_of
from ledger.model import StateWrite


class MemoryReader:
    """A RangeReader that keeps what blocks write, and can be made to misbehave."""

    def __init__(self, writes: Iterable[StateWrite] = ()) -> None:
        self.values: dict[tuple[str, bytes], bytes] = {}
        self.on_get: Callable[[], None] = lambda: None  # before every read
        self.commit(writes)

    def get(self, namespace: str, key: bytes) -> bytes | None:
        self.on_get()
        return self.values.get((namespace, key))

    def scan(
        self, namespace: str, low: bytes, high: bytes, *, is_reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        self.on_get()
        return range_of(self.values, namespace, low, high, is_reverse=is_reverse)

    def commit(self, writes: Iterable[StateWrite]) -> None:
        for write in writes:
            if write.value is None:
                self.values.pop((write.namespace, write.key), None)
            else:
                self.values[write.namespace, write.key] = write.value
