"""Ranges of stored keys: what the worker asks the parent for, and what it gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec


class Range(msgspec.Struct, frozen=True, array_like=True):
    """The keys from `low` up to and without `high`, walked up or down."""

    namespace: str
    low: bytes
    high: bytes
    is_reverse: bool
    with_values: bool
    count_max: int  # entries that are of use now
    size_max: int  # bytes of keys and values beyond which no entry is of use now


class RangePage(msgspec.Struct, frozen=True, array_like=True):
    """The first entries of a range, at least one if there are any.

    `values` is empty if none were asked for. There may be more entries unless `is_last`.
    """

    keys: list[bytes]
    values: list[bytes]
    is_last: bool

    def rest(self, asked: Range) -> Range:
        """What is left of `asked` after this page, which is not the last."""
        if asked.is_reverse:
            return msgspec.structs.replace(asked, high=self.keys[-1])
        return msgspec.structs.replace(asked, low=self.keys[-1] + b"\0")


def page_of(asked: Range, entries: Iterable[tuple[bytes, bytes]], *, size_max: int) -> RangePage:
    """The page that answers `asked` from its entries in order, hardly beyond `size_max` bytes."""
    keys: list[bytes] = []
    values: list[bytes] = []
    size = 0
    for key, value in entries:
        if keys and (len(keys) >= asked.count_max or size > min(asked.size_max, size_max)):
            return RangePage(keys, values, is_last=False)
        keys.append(key)
        size += len(key)
        if asked.with_values:
            values.append(value)
            size += len(value)
    return RangePage(keys, values, is_last=True)


def range_of(
    state: Mapping[tuple[str, bytes], bytes],
    namespace: str,
    low: bytes,
    high: bytes,
    *,
    is_reverse: bool,
) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a range of a state in memory, in order or down."""
    keys = sorted(key for space, key in state if space == namespace and low <= key < high)
    return ((key, state[namespace, key]) for key in (reversed(keys) if is_reverse else keys))


def page_in(state: Mapping[tuple[str, bytes], bytes], asked: Range) -> RangePage:
    """The page of a state in memory that answers `asked`."""
    entries = range_of(state, asked.namespace, asked.low, asked.high, is_reverse=asked.is_reverse)
    return page_of(asked, entries, size_max=asked.size_max)
