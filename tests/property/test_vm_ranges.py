"""Ranges of the state cache: what the block wrote over what the parent gives, page by page."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from contracts.vm.ranges import Range, RangePage, page_of, range_of
from contracts.vm.state import UNDECODED, State

SPACE = "shop"
KEYS = st.binary(min_size=1, max_size=2)
CHANGE = st.tuples(KEYS, st.none() | st.binary(max_size=3))
# Changes of one transaction, and whether it holds.
TRANSACTION = st.tuples(st.lists(CHANGE, max_size=4), st.booleans())


def page(stored: dict[tuple[str, bytes], bytes], size_max: int, asked: Range) -> RangePage:
    entries = range_of(stored, asked.namespace, asked.low, asked.high, is_reverse=asked.is_reverse)
    return page_of(asked, entries, size_max=size_max)


@given(
    before=st.dictionaries(KEYS, st.binary(max_size=3), max_size=8),
    block=st.lists(TRANSACTION, max_size=5),
    open_changes=st.lists(CHANGE, max_size=3),
    bounds=st.tuples(st.binary(max_size=2), st.binary(max_size=2)),
    is_reverse=st.booleans(),
    with_values=st.booleans(),
    count_max=st.integers(1, 4),
    size_max=st.integers(0, 8),
)
def test_a_range_is_the_state_of_now(
    before: dict[bytes, bytes],
    block: list[tuple[list[tuple[bytes, bytes | None]], bool]],
    open_changes: list[tuple[bytes, bytes | None]],
    bounds: tuple[bytes, bytes],
    is_reverse: bool,
    with_values: bool,
    count_max: int,
    size_max: int,
) -> None:
    stored = {(SPACE, key): value for key, value in before.items()}
    stored["other", b"a"] = b"never"
    state = State(lambda keys: [stored.get(key) for key in keys], partial(page, stored, size_max))
    expected = dict(before)
    removed: set[bytes] = set()

    def change(changes: list[tuple[bytes, bytes | None]]) -> None:
        for key, value in changes:
            state.write(SPACE, state.space(SPACE), key, (value, UNDECODED))
            state.note_sorted(SPACE, key)

    def expect(changes: list[tuple[bytes, bytes | None]]) -> None:
        for key, value in changes:
            removed.discard(key)
            expected.pop(key, None)
            if value is None:
                removed.add(key)
            else:
                expected[key] = value

    for changes, is_kept in block:
        change(changes)
        if is_kept:
            expect(changes)
            state.accept()
        else:
            state.revert()
    change(open_changes)
    expect(open_changes)

    asked = Range(SPACE, *bounds, is_reverse, with_values, count_max, 1 << 20)
    found = list(state.scan(asked))
    low, high = bounds
    wanted = sorted(
        (key for key in expected.keys() | removed if low <= key < high), reverse=is_reverse
    )
    assert [key for key, _ in found] == wanted
    assert {key for key, (raw, _) in found if raw is None} == removed & set(wanted)
    if with_values:
        assert [raw for _, (raw, _) in found] == [expected.get(key) for key in wanted]


def test_a_new_block_begins_without_leavings() -> None:
    stored = {(SPACE, b"a"): b"1"}
    state = State(lambda keys: [stored.get(key) for key in keys], partial(page, stored, 100))
    state.write(SPACE, state.space(SPACE), b"a", (None, UNDECODED))
    state.note_sorted(SPACE, b"a")
    state.accept()
    del stored[SPACE, b"a"]
    assert [write.value for write in state.take_writes()] == [None]
    assert list(state.scan(Range(SPACE, b"", b"\xff", False, True, 10, 100))) == []
    stored[SPACE, b"b"] = b"2"
    state.forget()
    assert [key for key, _ in state.scan(Range(SPACE, b"", b"\xff", True, False, 10, 100))] == [
        b"b"
    ]
