"""Keys of stored entries as they are for good, and bytes that are none."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.vm.codes import Code, Stop
from contracts.vm.declare import Storage
from contracts.vm.keys import (
    SORTED,
    beyond,
    declaration_of,
    key_part,
    key_prefix,
    part_writer,
    parts_reader,
)
from contracts.vm.ranges import Range, page_of
from contracts.vm.types import BOOL, BYTES, INT, STR, Type
from ledger.errors import DecodeError


def storage_of(kinds: tuple[Type, ...]) -> Storage:
    return Storage("entries", kinds, INT, is_map=True, is_sorted=True)


def written(storage: Storage, parts: tuple[Any, ...]) -> bytes:
    prefix = key_prefix(storage)
    return prefix + b"".join(map(part_writer(prefix), parts))


def test_bytes_that_are_no_text_are_refused() -> None:
    storage = storage_of((STR,))
    with pytest.raises(Stop, match="none of entries"):
        parts_reader(storage)(key_prefix(storage) + b"\xff\0\0")


def test_what_is_stored_today() -> None:
    """Stored for good: these bytes may never change."""
    storage = storage_of((STR, INT))
    assert key_prefix(storage) == bytes([SORTED]) + b"\xa7entries"
    assert written(storage, ("a\0", 258)) == b"\xc1\xa7entriesa\0\1\0\0\x82\1\2"
    assert written(storage, ("", -1)) == b"\xc1\xa7entries\0\0\x7f\xfe"
    assert written(storage, ("", 0)) == b"\xc1\xa7entries\0\0\x80"
    assert written(storage_of((BOOL, BYTES)), (True, b"\xff")) == b"\xc1\xa7entries\1\xff\0\0"


def test_a_map_keeps_the_canonical_list() -> None:
    storage = Storage("entries", (STR, INT), INT, is_map=True)
    assert written(storage, ("a", 1)) == b"\x93\xa7entries\xa1a\1"
    assert part_writer(key_prefix(storage)) is key_part


@pytest.mark.parametrize("name", ["x", "a" * 31, "a" * 32, "a" * 64])
@pytest.mark.parametrize("is_sorted", [False, True])
def test_a_key_names_its_declaration(name: str, is_sorted: bool) -> None:
    storage = Storage(name, (STR, INT), INT, is_map=True, is_sorted=is_sorted)
    assert declaration_of(written(storage, ("", -5))) == name


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\xc1",
        b"\xc1\xd9",
        b"\xc1\xd9\x05abc",
        b"\xc1\xa3ab",
        b"\xc1\xc0",
        b"\x90",
        b"\x91\1",
        b"\x92\xa1a\xc1",
    ],
)
def test_bytes_that_no_declaration_writes(key: bytes) -> None:
    with pytest.raises(DecodeError):
        declaration_of(key)


@pytest.mark.parametrize(
    ("kinds", "parts", "tail"),
    [
        ((INT,), (), b""),
        ((INT,), (), b"\x82\1"),
        ((BOOL,), (), b""),
        ((BYTES,), (), b"ab\0"),
        ((INT,), (1,), b"\0"),
        ((STR, INT), ("a",), b""),
    ],
)
def test_a_key_that_was_cut_or_grew(
    kinds: tuple[Type, ...], parts: tuple[Any, ...], tail: bytes
) -> None:
    storage = storage_of(kinds)
    with pytest.raises(Stop, match="none of entries") as stopped:
        parts_reader(storage)(written(storage, parts) + tail)
    assert stopped.value.code is Code.bad_storage


def test_beyond_steps_over_bytes_that_are_full() -> None:
    assert beyond(b"\xc1a") == b"\xc1b"
    assert beyond(b"\xc1a\xff\xff") == b"\xc1b"


# --- pages of ranges ---------------------------------------------------------------------------

ENTRIES = [(b"a", b"1"), (b"b", b"22"), (b"c", b"333")]


def test_a_page_ends_at_its_count_and_says_what_is_left() -> None:
    asked = Range("shop", b"a", b"z", False, True, 2, 100)
    page = page_of(asked, ENTRIES, size_max=100)
    assert (page.keys, page.values, page.is_last) == ([b"a", b"b"], [b"1", b"22"], False)
    assert page.rest(asked) == Range("shop", b"b\0", b"z", False, True, 2, 100)
    down = Range("shop", b"a", b"z", True, False, 1, 100)
    first = page_of(down, ENTRIES[::-1], size_max=100)
    assert (first.keys, first.values, first.is_last) == ([b"c"], [], False)
    assert first.rest(down) == Range("shop", b"a", b"c", True, False, 1, 100)


@pytest.mark.parametrize(
    ("asked_max", "answer_max", "count"),
    [(0, 100, 1), (100, 0, 1), (1, 100, 1), (2, 100, 2), (4, 100, 2), (5, 4, 2), (5, 5, 3)],
)
def test_a_page_ends_with_the_entry_that_goes_beyond_its_size(
    asked_max: int, answer_max: int, count: int
) -> None:
    asked = Range("shop", b"a", b"z", False, True, 10, asked_max)
    assert len(page_of(asked, ENTRIES, size_max=answer_max).keys) == count


def test_keys_alone_count_without_their_values() -> None:
    asked = Range("shop", b"a", b"z", False, False, 10, 2)
    page = page_of(asked, ENTRIES, size_max=100)
    assert (page.keys, page.is_last) == ([b"a", b"b", b"c"], True)
    assert page_of(asked, [], size_max=0).is_last
