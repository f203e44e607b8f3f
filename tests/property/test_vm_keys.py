"""Keys of a SortedMap: their bytes are in the order of the values, and give them back."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.vm.codes import Code, Stop
from contracts.vm.declare import Storage
from contracts.vm.keys import (
    beyond,
    declaration_of,
    key_prefix,
    part_writer,
    parts_reader,
)
from contracts.vm.types import BOOL, BYTES, INT, STR, Type
from ledger.errors import DecodeError

BOUND = 2**256
VALUES: dict[Type, st.SearchStrategy[Any]] = {
    INT: st.integers(-BOUND, BOUND) | st.integers(-300, 300),
    STR: st.text(alphabet=st.sampled_from("\0\1\2ab\x7f\xff\u4e2d\U0001f600"), max_size=6),
    BYTES: st.binary(max_size=3)
    | st.lists(st.sampled_from([0, 1, 254, 255]), max_size=5).map(bytes),
    BOOL: st.booleans(),
}


def storage_of(kinds: tuple[Type, ...]) -> Storage:
    return Storage("entries", kinds, INT, is_map=True, is_sorted=True)


def written(storage: Storage, parts: tuple[Any, ...]) -> bytes:
    prefix = key_prefix(storage)
    return prefix + b"".join(map(part_writer(prefix), parts))


@st.composite
def two_keys(draw: st.DrawFn) -> tuple[tuple[Type, ...], tuple[Any, ...], tuple[Any, ...]]:
    kinds = tuple(draw(st.lists(st.sampled_from([INT, STR, BYTES, BOOL]), min_size=1, max_size=3)))
    one = tuple(draw(VALUES[kind]) for kind in kinds)
    # Often alike in the first parts, or the later ones would never be compared.
    other = tuple(draw(st.just(part) | VALUES[kind]) for kind, part in zip(kinds, one, strict=True))
    return kinds, one, other


@given(two_keys())
@example(((BYTES, BYTES), (b"\0", b""), (b"", b"\1")))
@example(((BYTES, BYTES), (b"a", b"\xff"), (b"a\0", b"")))
@example(((INT,), (-BOUND,), (1 - BOUND,)))
@example(((INT,), (-256,), (-255,)))
@example(((STR, INT), ("a", BOUND), ("a\0", -BOUND)))
def test_bytes_are_ordered_as_the_values_are(
    drawn: tuple[tuple[Type, ...], tuple[Any, ...], tuple[Any, ...]],
) -> None:
    kinds, one, other = drawn
    storage = storage_of(kinds)
    first, second = written(storage, one), written(storage, other)
    assert (first < second, first == second) == (one < other, one == other)
    read = parts_reader(storage)
    assert read(first) == (one[0] if len(one) == 1 else one)
    for size in range(len(kinds)):
        within = written(storage, one[:size])
        assert within <= first < beyond(within)
        assert (within <= second < beyond(within)) == (one[:size] == other[:size])


@given(two_keys(), st.binary(max_size=4))
def test_a_key_that_was_cut_or_grew_is_refused(
    drawn: tuple[tuple[Type, ...], tuple[Any, ...], tuple[Any, ...]], tail: bytes
) -> None:
    kinds, one, _ = drawn
    storage = storage_of(kinds)
    key = written(storage, one)
    read = parts_reader(storage)
    cut = len(key_prefix(storage)) + len(tail) % max(1, len(key) - len(key_prefix(storage)))
    for wrong in (key[:cut], key + b"\0" + tail):
        with pytest.raises(Stop) as stopped:
            read(wrong)
        assert stopped.value.code is Code.bad_storage


@given(st.binary(max_size=6) | st.binary(max_size=6).map(lambda tail: b"\xc1" + tail))
@example(b"\xc1")
@example(b"\xc1\xd9")
@example(b"\xc1\xc0")
@example(b"\x90")
@example(b"\x91\x01")
def test_other_bytes_name_none_or_a_text(key: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert isinstance(declaration_of(key), str)
