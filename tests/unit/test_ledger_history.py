"""The history on disk: what is refused, what survives, and how pages hold still."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import plyvel
import pytest

from ledger.errors import DecodeError, HistoryDamaged, LedgerClosed, LedgerInUse
from ledger.history.database import History, open_history
from ledger.history.pages import (
    BYTES_MAX,
    HEIGHT_MAX,
    ROWS_MAX,
    SCANNED_MAX,
    Span,
    decode_cursor,
    encode_cursor,
)
from ledger.history.rows import SUBJECTS_MAX, Source, subjects_of
from ledger.history.schema import EVENTS, PART_SIZE_MAX, STANDING_KEY, key_prefix, part
from ledger.model import Event, StateWrite
from ledger.values import encode_value
from tests.history_world import CHAIN, TIME_MS, Blocks, address, event, pages, rows

GRANT = encode_value("g-1")


def _open(
    path: Path,
    *,
    chain: bytes = CHAIN,
    first: int = 0,
    is_block: Callable[[int, bytes], bool] = lambda height, found: True,
) -> tuple[History, str]:
    return open_history(path, chain, first, is_block)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return _open(tmp_path / "history")[0]


@pytest.fixture
def blocks() -> Blocks:
    return Blocks()


def _told(blocks: Blocks, subject: str = "g-1") -> Source:
    return blocks.block(
        [(1, [event(grant_id=subject)])], [StateWrite("n", b"k", b"%d" % blocks.height)]
    )


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cursor",
    [
        b"\x00",
        b"\x02" + bytes(12),
        b"\x01" + bytes(11),
        b"\x01" + bytes(13),
        b"\x01" + b"\xff" * 12,
        b"\x01" * 4096,
    ],
)
def test_a_cursor_that_is_none_is_refused(history: History, cursor: bytes) -> None:
    span = Span(after=cursor)
    with pytest.raises(DecodeError, match="begin again without one"):
        history.of_key("n", b"k", span)
    with pytest.raises(DecodeError):
        history.of_account(address(1), span)
    with pytest.raises(DecodeError):
        history.of_subject(GRANT, span)


def test_a_made_up_cursor_shows_nothing_of_anybody_else(history: History, blocks: Blocks) -> None:
    for subject in ("g-1", "g-2", "g-1"):
        history.add(_told(blocks, subject))
    for cursor in (encode_cursor(HEIGHT_MAX, 2**32 - 1), encode_cursor(0, 0), encode_cursor(1, 7)):
        for is_newest_first in (True, False):
            page = history.of_subject(GRANT, Span(is_newest_first, after=cursor))
            assert {row.event for row in page.rows} <= {event(grant_id="g-1")}
    assert decode_cursor(encode_cursor(5, 6)) == (5, 6)


def test_an_address_of_another_size_and_a_broken_namespace_are_refused(history: History) -> None:
    with pytest.raises(DecodeError, match="20 bytes"):
        history.of_account(bytes(19), Span())
    with pytest.raises(DecodeError, match="Unicode"):
        history.of_key("\ud800", b"k", Span())


def test_a_height_beyond_all_is_an_empty_span(history: History, blocks: Blocks) -> None:
    history.add(_told(blocks))
    for span in (Span(from_height=2**80), Span(from_height=9, to_height=3), Span(to_height=2**80)):
        assert len(history.of_key("n", b"k", span).rows) == (span.to_height == 2**80)


def test_it_is_not_opened_twice(tmp_path: Path, history: History) -> None:
    with pytest.raises(LedgerInUse, match="stop that node first"):
        _open(history.path)


def test_a_closed_one_says_so(history: History) -> None:
    history.close()
    with pytest.raises(LedgerClosed):
        history.of_key("n", b"k", Span())


def test_blocks_come_in_order(history: History, blocks: Blocks) -> None:
    blocks.block()
    with pytest.raises(AssertionError, match="in order"):
        history.add(blocks.block())


# --- what is begun anew ----------------------------------------------------------------------


def _reopened(history: History, reason: str, **changed: object) -> History:
    history.close()
    again, told = _open(history.path, **changed)  # type: ignore[arg-type]
    assert reason in told, told
    return again


def test_what_does_not_belong_to_the_ledger_is_begun_anew(history: History, blocks: Blocks) -> None:
    history.add(_told(blocks))
    history = _reopened(history, "another chain", chain=bytes(32))
    assert history.height == -1 and history.of_key("n", b"k", Span()).rows == ()
    history = _reopened(history, "another chain")
    history.add(_told(Blocks()))
    history = _reopened(history, "does not have its block 0", is_block=lambda height, found: False)
    history.add(_told(Blocks()))
    history = _reopened(history, "ends with block 0, the ledger begins with 9", first=9)
    assert (history.height, history.first) == (8, 9)


def test_what_it_has_is_gone_on_with(history: History, blocks: Blocks) -> None:
    history.add(_told(blocks))
    asked: list[tuple[int, bytes]] = []

    def is_block(height: int, found: bytes) -> bool:
        asked.append((height, found))
        return True

    history.close()
    again, reason = _open(history.path, is_block=is_block)
    assert reason == "" and asked == [(0, again.block_hash)] and again.height == 0


@pytest.mark.parametrize("row", [b"", b"\x93\x01\x02\x03", b"\xc1" * 90])
def test_one_that_does_not_say_where_it_stands_is_begun_anew(history: History, row: bytes) -> None:
    history.close()
    with plyvel.DB(str(history.path / "db")) as database:
        database.put(STANDING_KEY, row)
    history = _reopened(history, "")
    assert history.height == -1


def test_a_missing_row_is_damage_that_the_next_start_mends(
    history: History, blocks: Blocks
) -> None:
    history.add(_told(blocks))
    history.close()
    with plyvel.DB(str(history.path / "db")) as database:
        for key, _ in database.iterator(prefix=EVENTS):
            database.delete(key)
    history = _open(history.path)[0]
    with pytest.raises(HistoryDamaged, match="restart the node"):
        history.of_subject(GRANT, Span())
    history = _reopened(history, "it was damaged")
    assert history.height == -1


def test_damaged_tables_are_made_again(history: History, blocks: Blocks) -> None:
    for _ in range(30):
        history.add(_told(blocks))
    history.close()
    for file in (history.path / "db").iterdir():
        if file.name.startswith("MANIFEST"):
            file.write_bytes(b"\0" * 20)
    history = _reopened(history, "cannot be opened")
    assert history.height == -1


# --- a crash ---------------------------------------------------------------------------------


def test_after_a_crash_it_goes_on_where_it_stood(
    tmp_path: Path, history: History, blocks: Blocks
) -> None:
    """A copy of the files between two batches is what a killed process leaves."""
    sources = [_told(blocks) for _ in range(6)]
    for cut, source in enumerate(sources):
        history.add(source)
        for torn in (0, 3):  # bytes of the last batch that did not reach the disk
            copy = tmp_path / f"copy{cut}-{torn}"
            shutil.copytree(history.path, copy)
            log = max((copy / "db").glob("*.log"))
            os.truncate(log, log.stat().st_size - torn)
            again, reason = _open(copy)
            assert reason == "" and again.height == (cut - 1 if torn else cut)
            for missing in sources[again.height + 1 :]:
                again.add(missing)
            found = again.of_subject(GRANT, Span(is_newest_first=False))
            assert [row.height for row in found.rows] == list(range(6))
            again.close()


# --- pages -----------------------------------------------------------------------------------


def test_pages_do_not_shift_while_blocks_are_added(history: History, blocks: Blocks) -> None:
    for _ in range(10):
        history.add(_told(blocks))
    seen: list[int] = []
    for page in pages(lambda span: history.of_subject(GRANT, span), Span(rows_max=3)):
        seen += [row.height for row in page.rows]
        history.add(_told(blocks))
    assert seen == list(range(9, -1, -1))
    page = history.of_subject(GRANT, Span(is_newest_first=False))
    history.add(_told(blocks))
    later = history.of_subject(GRANT, Span(is_newest_first=False, after=page.cursor))
    assert [row.height for row in later.rows] == [blocks.height] and later.is_complete
    same = history.of_subject(GRANT, Span(is_newest_first=False, after=later.cursor))
    assert same.rows == () and same.cursor == later.cursor


def test_a_page_has_a_bound_in_rows_and_in_bytes(history: History, blocks: Blocks) -> None:
    big = "x" * (BYTES_MAX // 4)
    for _ in range(9):
        history.add(blocks.block([(1, [event(grant_id="g-1", text=big)])]))
    sizes = [len(page.rows) for page in pages(lambda span: history.of_subject(GRANT, span), Span())]
    assert sum(sizes) == 9 and max(sizes) <= 4
    for _ in range(3):
        history.add(blocks.block([(2, [])] * 100))
    page = history.of_account(address(2), Span(rows_max=10**9))
    assert len(page.rows) == ROWS_MAX and not page.is_complete
    assert len(history.of_account(address(2), Span(rows_max=0)).rows) == 1


def test_a_filter_gives_up_after_a_bounded_search_and_goes_on(
    history: History, blocks: Blocks
) -> None:
    history.add(blocks.block([(1, [event(contract="grant", grant_id="g-1")])]))
    flood = [event(contract="noise", grant_id="g-1", subject="g-1")] * (SCANNED_MAX // 2 + 1)
    for _ in range(2):
        history.add(blocks.block([(1, flood)]))
    found = list(pages(lambda span: history.of_subject(GRANT, span, contract="grant"), Span()))
    assert [len(page.rows) for page in found] == [0, 1]
    by_field = rows(lambda span: history.of_subject(GRANT, span, field="nothing"), Span())
    assert by_field == []


# --- rows ------------------------------------------------------------------------------------


def test_rows_tell_time_place_and_outcome(history: History, blocks: Blocks) -> None:
    history.add(blocks.block([(1, [event(grant_id="g-1")])], [StateWrite("n", b"k", b"v")]))
    history.add(blocks.block([(1, []), (2, [])], [StateWrite("n", b"k", None)]))
    removed, written = history.of_key("n", b"k", Span()).rows
    sent = history.of_account(address(1), Span()).rows
    assert (written.height, written.time_ms, written.value) == (0, TIME_MS, b"v")
    assert written.transaction_id == sent[1].transaction_id, "the only one of its block"
    assert (removed.value, removed.transaction_id) == (None, b"")
    assert [(row.height, row.index, row.status) for row in sent] == [(1, 0, 3), (0, 0, 0)]
    assert (sent[0].contract, sent[0].method) == ("notes", "m1")
    (told,) = history.of_subject(GRANT, Span(), contract="notes", field="grant_id").rows
    assert (told.transaction_id, told.fields) == (sent[1].transaction_id, ("grant_id",))


def test_texts_bytes_and_what_lists_hold_are_subjects() -> None:
    told = event(
        a="x", b=b"x", c=["x", "", b"y", 3], d="", e=7, f=True, g=None, h={"k": "v"}, i=b""
    )
    assert subjects_of(told) == {
        encode_value("x"): ("a", "c"),
        encode_value(b"x"): ("b",),
        encode_value(b"y"): ("c",),
    }
    assert subjects_of(Event("c", "E", (("broken", b"\x95\xc1"), ("none", b"")))) == {}


def test_an_event_has_a_bounded_number_of_subjects() -> None:
    told = event(first=[f"s{i}" for i in range(1000)], last="late")
    found = subjects_of(told)
    assert len(found) == SUBJECTS_MAX and encode_value("late") not in found


def test_no_part_is_the_beginning_of_another() -> None:
    parts = [part(bytes([255]) * n) for n in (0, 1, 31, 32, PART_SIZE_MAX, PART_SIZE_MAX + 1, 999)]
    parts += [part(b"\0" * n) for n in range(PART_SIZE_MAX + 2)]
    for one in parts:
        assert not any(other != one and other.startswith(one) for other in parts)
    assert key_prefix("ab", b"c") != key_prefix("a", b"bc")


def test_values_are_told_from_the_first_block_that_says_what_it_wrote(
    history: History, blocks: Blocks
) -> None:
    for _ in range(2):
        history.add(blocks.block([(1, [event(grant_id="g-1")])], None))
    history.add(_told(blocks))
    page = history.of_key("n", b"k", Span())
    assert (page.first, page.height) == (2, 2) and [row.height for row in page.rows] == [2]
    told = history.of_subject(GRANT, Span())
    assert told.first == 0 and len(told.rows) == 3


# --- keeping ---------------------------------------------------------------------------------


def test_a_history_of_bounded_length_says_where_it_begins(history: History, blocks: Blocks) -> None:
    for _ in range(20):
        history.add(_told(blocks))
        history.keep(5)
    page = history.of_subject(GRANT, Span())
    assert page.first == history.first == 15 and [row.height for row in page.rows] == [
        19,
        18,
        17,
        16,
        15,
    ]
    history.close()
    history, _ = _open(history.path)
    assert history.first == 15, "keeping more from now on brings nothing back"
    history.add(_told(blocks))
    history.keep(100)
    assert history.of_subject(GRANT, Span()).first == 15
