"""The history against a model that forgets nothing: whatever blocks, pages and restarts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import plyvel
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.history.database import History, open_history
from ledger.history.pages import Span
from ledger.history.schema import BLOCKS
from ledger.model import Event, StateWrite
from ledger.values import encode_value
from tests.history_world import CHAIN, Blocks, Model, address, event, rows

# Values that try to run into each other: one is the beginning of another, holds separators,
# lengths or places, or is so long that it is hashed.
HOSTILE = ("a", "aa", "a\0", "a\x02", "\xff" * 40, "a" * 64, "a" * 65, "b" * 300, "数信", "a\0\0\0")
RAW = tuple(text.encode() for text in HOSTILE)
SPACES = ("n", "nn", "n\0", "x" * 200)

keys = st.tuples(st.sampled_from(SPACES), st.sampled_from(RAW))
writes = st.dictionaries(keys, st.one_of(st.none(), st.binary(max_size=5)), max_size=6)
subjects = st.one_of(st.sampled_from(HOSTILE), st.sampled_from(RAW))
events = st.builds(lambda one, two: event(one=one, two=two, amount=5, yes=True), subjects, subjects)
calls = st.lists(st.tuples(st.integers(0, 3), st.lists(events, max_size=3)), max_size=4)
spans = st.builds(
    Span,
    is_newest_first=st.booleans(),
    from_height=st.integers(0, 12),
    to_height=st.integers(0, 12),
    rows_max=st.integers(1, 5),
)
Drawn = list[tuple[list[tuple[int, list[Event]]], dict[tuple[str, bytes], bytes | None]]]


def _open(path: Path) -> History:
    history, _ = open_history(path, CHAIN, 0, lambda height, found: True)
    return history


def _compare(history: History, model: Model, span: Span) -> None:
    def wanted(height: int) -> bool:
        return span.from_height <= height <= span.to_height

    step = -1 if span.is_newest_first else 1
    for space, key in (*model.keys, ("n", b"never")):
        found = rows(lambda part: history.of_key(space, key, part), span)  # noqa: B023
        expected = [one for one in model.keys.get((space, key), ()) if wanted(one[0])][::step]
        assert [(one.height, one.value) for one in found] == expected
    for number in range(4):
        sent = rows(lambda part: history.of_account(address(number), part), span)  # noqa: B023
        expected_sent = [one for one in model.accounts[address(number)] if wanted(one[0])][::step]
        assert [(one.height, one.index, one.transaction_id) for one in sent] == expected_sent
    for value in (*model.subjects, encode_value("never")):
        told = rows(lambda part: history.of_subject(value, part), span)  # noqa: B023
        expected_told = [one for one in model.subjects.get(value, ()) if wanted(one[0])][::step]
        assert [(one.height, one.index, one.event) for one in told] == expected_told


@settings(max_examples=40)
@given(drawn=st.lists(st.tuples(calls, writes), max_size=8), span=spans, reopened=st.integers(0, 8))
def test_all_pages_together_are_what_the_model_kept(
    drawn: Drawn, span: Span, reopened: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history"
        history, model, blocks = _open(path), Model(), Blocks()
        for number, (called, written) in enumerate(drawn):
            if number == reopened:
                history.close()
                history = _open(path)
            changes = [StateWrite(*key, value) for key, value in written.items()]
            source = blocks.block(called, changes)
            history.add(source)
            model.add(source)
        _compare(history, model, span)
        history.close()


@settings(max_examples=40)
@given(drawn=st.lists(st.tuples(calls, writes), min_size=4, max_size=10), kept=st.integers(1, 6))
def test_of_what_is_not_kept_nothing_is_shown_and_in_the_end_nothing_is_there(
    drawn: Drawn, kept: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history, model, blocks = _open(Path(folder) / "history"), Model(), Blocks()
        for called, written in drawn:
            source = blocks.block(
                called, [StateWrite(*key, value) for key, value in written.items()]
            )
            history.add(source)
            history.keep(kept, swept_min=3)
            if blocks.height > len(drawn) - 1 - kept:
                model.add(source)
        _compare(history, model, Span(rows_max=3))
        for _ in range(100):
            history.add(blocks.block())
            history.keep(kept, swept_min=8)
        history.close()
        with plyvel.DB(str(Path(folder) / "history" / "db")) as database:
            left = [key for key, _ in database if key[:1] not in (BLOCKS, b"!")]
        assert left == []
