"""The cache of the state keeps its bound, forgets what it can ask for again, never a write."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.vm import limits
from contracts.vm.ranges import page_in
from contracts.vm.state import ENTRY_OVERHEAD, UNDECODED, State, StateKey
from ledger.model import StateWrite

NO_RANGES = partial(page_in, {})
KEY_SIZE, VALUE_SIZE = 1, 100
ENTRY = ENTRY_OVERHEAD + KEY_SIZE + VALUE_SIZE


class Store:
    """A parent with a value under every key, that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[StateKey] = []

    def __call__(self, keys: Sequence[StateKey]) -> list[bytes | None]:
        self.asked += keys
        return [bytes(VALUE_SIZE)] * len(keys)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Beside it: a cache has room for four entries."""
    monkeypatch.setattr(limits, "STATE_CACHE_BYTES_MAX", 4 * ENTRY)
    return Store()


def write(state: State, key: bytes, value: bytes | None = bytes(VALUE_SIZE)) -> None:
    state.write("c", state.space("c"), key, (value, UNDECODED))


def test_what_was_only_read_is_dropped_beyond_the_bound(store: Store) -> None:
    state = State(store, NO_RANGES)
    space = state.space("c")
    write(state, b"w")
    for key in (b"1", b"2", b"3"):
        state.load("c", key)
    state.accept()
    assert space.keys() == {b"w", b"1", b"2", b"3"}, "at the bound all stays"
    state.load("c", b"4")
    state.accept()
    assert space.keys() == {b"w"}, "the same dict, which instances hold on to"
    assert state.load("c", b"4") == (bytes(VALUE_SIZE), UNDECODED)
    assert store.asked.count(("c", b"4")) == 2


def test_decoded_values_are_dropped_with_the_rest(store: Store) -> None:
    state = State(store, NO_RANGES)
    state.write("c", state.space("c"), b"w", (b"\x05", 5))
    for key in (b"1", b"2", b"3", b"4"):
        state.load("c", key)
    state.accept()
    assert state.space("c") == {b"w": (b"\x05", UNDECODED)}


def test_a_block_that_writes_much_is_not_walked_at_every_transaction(store: Store) -> None:
    """The bound rises with what a block has to keep, and falls back after it."""
    state = State(store, NO_RANGES)
    for key in range(6):
        write(state, bytes([key]))
        state.accept()
    assert len(state.space("c")) == 6
    state.load("c", b"r")
    state.accept()
    assert b"r" in state.space("c"), "twice what was kept may gather before the next walk"
    assert len(state.take_writes()) == 6
    assert state.space("c") == {}, "beyond the bound between blocks: afresh"
    state.load("c", b"r")
    assert store.asked == [("c", b"r")] * 2


def test_between_blocks_a_small_cache_stays(store: Store) -> None:
    state = State(store, NO_RANGES)
    write(state, b"w", None)
    state.accept()
    assert state.take_writes() == (StateWrite("c", b"w", None),)
    assert state.load("c", b"w") == (None, UNDECODED) and not store.asked


def test_a_reverted_transaction_leaves_nothing_beyond_the_bound_either(store: Store) -> None:
    state = State(store, NO_RANGES)
    state.load("c", b"old")
    for key in (b"old", b"1", b"2", b"3", b"4"):
        write(state, key)
    state.revert()
    assert state.space("c") == {} and state.take_writes() == ()


@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.none() | st.binary(max_size=900)),
        max_size=30,
    ),
    st.integers(0, 2000),
)
def test_a_full_cache_loses_no_write(writes: list[tuple[bytes, bytes | None]], room: int) -> None:
    state = State(lambda keys: [b"stored"] * len(keys), NO_RANGES)
    state._held_max = room
    expected: dict[bytes, bytes | None] = {}
    for position, (key, value) in enumerate(writes):
        state.load("c", bytes([position]))
        write(state, key, value)
        if position % 3 == 2:
            state.revert()
        else:
            state.accept()
            expected[key] = value
        assert state.load("c", key)[0] == expected.get(key, b"stored")
    assert {write.key: write.value for write in state.take_writes()} == expected
