"""State as the executor sees it: a cache over the parent's store, a journal, a block's writes.

An entry keeps the stored bytes and, for immutable values, the decoded value beside them. The
worker makes all writes itself, so entries stay true as long as the parent commits what it was
given; `forget` starts afresh. Gas never depends on what is cached.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import repeat
from operator import itemgetter
from typing import Final, TypeAlias

from contracts.vm import limits
from contracts.vm.ranges import Range, RangePage
from contracts.vm.values import Inner
from ledger.model import StateWrite

StateKey: TypeAlias = tuple[str, bytes]  # namespace, key
Fetch: TypeAlias = Callable[[Sequence[StateKey]], Sequence[bytes | None]]
Scan: TypeAlias = Callable[[Range], RangePage]


class _Undecoded:
    pass


UNDECODED: Final = _Undecoded()
Entry: TypeAlias = tuple[bytes | None, Inner | _Undecoded]
Space: TypeAlias = dict[bytes, Entry]

_PRESENT: Final[Entry] = (b"", UNDECODED)  # an entry whose value was not asked for

ENTRY_OVERHEAD = 300  # bytes of Python objects per cached entry, measured


class State:
    """All namespaces. One transaction at a time may be open."""

    def __init__(self, fetch: Fetch, scan: Scan) -> None:
        self._fetch = fetch
        self._scan = scan
        self._spaces: dict[str, Space] = {}
        self._journal: list[tuple[Space, str, bytes, Entry | None]] = []
        self._dirty: dict[StateKey, None] = {}
        # Keys of SortedMaps that this block changed, in order, and those new in the transaction.
        self._changed: dict[str, list[bytes]] = {}
        self._noted: list[tuple[list[bytes], bytes]] = []
        self._held = 0  # bytes, approximately
        self._held_max = limits.STATE_CACHE_BYTES_MAX

    def space(self, namespace: str) -> Space:
        """The entries of a namespace; the same dict until `forget`."""
        space = self._spaces.get(namespace)
        if space is None:
            space = self._spaces[namespace] = {}
        return space

    def load(self, namespace: str, key: bytes) -> Entry:
        """The entry, from the parent if it is not here."""
        space = self.space(namespace)
        entry = space.get(key)
        if entry is None:
            (raw,) = self._fetch([(namespace, key)])
            entry = self._keep(space, key, raw)
        return entry

    def prefetch(self, keys: Sequence[StateKey]) -> None:
        """Bring in what is not here with one question; the answer may be cut short."""
        missing = [pair for pair in keys if pair[1] not in self.space(pair[0])]
        if not missing:
            return
        for (namespace, key), raw in zip(missing, self._fetch(missing), strict=False):
            self._keep(self.space(namespace), key, raw)

    def _keep(self, space: Space, key: bytes, raw: bytes | None) -> Entry:
        entry: Entry = (raw, UNDECODED)
        space[key] = entry
        self._held += ENTRY_OVERHEAD + len(key) + len(raw or b"")
        return entry

    def write(self, namespace: str, space: Space, key: bytes, entry: Entry) -> None:
        """Change an entry inside the open transaction."""
        self._journal.append((space, namespace, key, space.get(key)))
        space[key] = entry
        self._held += ENTRY_OVERHEAD + len(key) + len(entry[0] or b"")

    def note_sorted(self, namespace: str, key: bytes) -> None:
        """The key of a SortedMap was just written: `scan` finds it from now on."""
        keys = self._changed.setdefault(namespace, [])
        place = bisect_left(keys, key)
        if place == len(keys) or keys[place] != key:
            keys.insert(place, key)
            self._noted.append((keys, key))

    def scan(self, asked: Range) -> Iterator[tuple[bytes, Entry]]:
        """The entries of a range in order; those that this block removed come without bytes.

        If no values are asked for, entries may come with other bytes than theirs. What an entry
        is depends on the block alone, not on what is cached. Nothing may be written meanwhile.
        """
        space = self.space(asked.namespace)
        changed = self._changed.get(asked.namespace, [])
        places = range(bisect_left(changed, asked.low), bisect_left(changed, asked.high))
        mine = (changed[place] for place in (places[::-1] if asked.is_reverse else places))
        both = merge(
            zip(mine, repeat(b"")), self._stored(asked), key=itemgetter(0), reverse=asked.is_reverse
        )
        previous = None
        for key, raw in both:
            if key == previous:
                continue
            previous = key
            entry = space.get(key)
            if entry is None:
                entry = self._keep(space, key, raw) if asked.with_values else _PRESENT
            yield key, entry

    def _stored(self, asked: Range) -> Iterator[tuple[bytes, bytes]]:
        """What the parent has of a range; it was read before this block."""
        page = self._scan(asked)
        while True:
            values = page.values if asked.with_values else repeat(b"")
            yield from zip(page.keys, values, strict=False)
            if page.is_last:
                return
            asked = page.rest(asked)
            page = self._scan(asked)

    def accept(self) -> None:
        """Close the transaction; its writes become the block's."""
        for _, namespace, key, _ in self._journal:
            self._dirty[namespace, key] = None
        self._close()

    def revert(self) -> None:
        """Close the transaction as if it had never been."""
        for space, _, key, old in reversed(self._journal):
            if old is None:
                del space[key]
            else:
                space[key] = old
        for keys, key in self._noted:
            del keys[bisect_left(keys, key)]
        self._close()

    def _close(self) -> None:
        self._journal.clear()
        self._noted.clear()
        if self._held > self._held_max:
            self._shrink()

    def _shrink(self) -> None:
        """Within a block keep only what it wrote: what it read can be asked for again."""
        kept = 0
        for namespace, space in self._spaces.items():
            dirty = [pair for pair in space.items() if (namespace, pair[0]) in self._dirty]
            space.clear()
            for key, (raw, _) in dirty:
                space[key] = (raw, UNDECODED)
                kept += ENTRY_OVERHEAD + len(key) + len(raw or b"")
        self._held = kept
        self._held_max = max(limits.STATE_CACHE_BYTES_MAX, 2 * kept)

    def undecode(self, namespace: str) -> None:
        """Drop decoded values: the contract's code, and so its types, may have changed."""
        space = self.space(namespace)
        for key, entry in space.items():
            space[key] = (entry[0], UNDECODED)

    def take_writes(self) -> tuple[StateWrite, ...]:
        """The block's writes in order of namespace and key; the next block starts."""
        writes = tuple(
            StateWrite(namespace, key, self._spaces[namespace][key][0])
            for namespace, key in sorted(self._dirty)
        )
        self._dirty.clear()
        self._changed.clear()
        self._held_max = limits.STATE_CACHE_BYTES_MAX
        if self._held > self._held_max:
            self.forget()
        return writes

    def forget(self) -> None:
        """Drop everything, also an unfinished transaction or block."""
        for space in self._spaces.values():  # instances hold on to these dicts
            space.clear()
        self._journal.clear()
        self._noted.clear()
        self._dirty.clear()
        self._changed.clear()
        self._held = 0
        self._held_max = limits.STATE_CACHE_BYTES_MAX
