"""Places, cursors and pages: how a long history is read piece by piece.

A cursor is 13 bytes: 1 (its version), height (8 bytes), index (4 bytes), big-endian; it says
after which row to go on, in the direction that is asked for. It is a place in the chain, not a
count of rows: pages do not shift while blocks are added. A made-up cursor does no harm: it
names a place like any other, and gives nothing that could not be asked for without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from ledger.errors import DecodeError
from ledger.history.schema import HEIGHT_SIZE, PLACE_SIZE, place_bytes
from ledger.model import Event

ROWS_MAX = 200  # of one page
BYTES_MAX = 1 << 20  # of the rows of one page, but a single row that is larger
# Rows looked at for one page when most do not pass the filter: some 50 ms of work. Such a page may
# be short, or empty, although more follow.
SCANNED_MAX = 10_000
HEIGHT_MAX = 2**63 - 1
CURSOR_SIZE = 1 + PLACE_SIZE
_VERSION = b"\x01"

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a history is wanted.

    `after`: the cursor of the page before, or empty. Heights are a closed range.
    """

    is_newest_first: bool = True
    from_height: int = 0
    to_height: int = HEIGHT_MAX
    after: bytes = b""
    rows_max: int = ROWS_MAX


WHOLE = Span()


@dataclass(frozen=True, slots=True)
class Page(Generic[R_co]):
    """Rows in order; `cursor` goes on behind them, also later, when more have come.

    `is_complete`: the span holds no more by now. `first` and `height`: the heights of which this
    history knows everything that the rows could be about.
    """

    rows: tuple[R_co, ...]
    cursor: bytes
    is_complete: bool
    first: int
    height: int


@dataclass(frozen=True, slots=True)
class KeyChange:
    height: int
    time_ms: int
    value: bytes | None
    transaction_id: bytes  # empty: one of the block's


@dataclass(frozen=True, slots=True)
class AccountEntry:
    height: int
    index: int
    time_ms: int
    transaction_id: bytes
    contract: str
    method: str
    status: int
    error: str


@dataclass(frozen=True, slots=True)
class SubjectEntry:
    """An event about the subject; `fields` are those of its fields that name it."""

    height: int
    index: int
    time_ms: int
    transaction_id: bytes
    event: Event
    fields: tuple[str, ...]


def encode_cursor(height: int, index: int) -> bytes:
    return _VERSION + place_bytes(height, index)


def decode_cursor(cursor: bytes) -> tuple[int, int]:
    """(height, index) of a cursor. Raises DecodeError."""
    if len(cursor) != CURSOR_SIZE or cursor[:1] != _VERSION:
        raise DecodeError("the cursor is none of this release: begin again without one")
    height = int.from_bytes(cursor[1 : 1 + HEIGHT_SIZE], "big")
    if height > HEIGHT_MAX:
        raise DecodeError("the cursor names no height: begin again without one")
    return height, int.from_bytes(cursor[1 + HEIGHT_SIZE :], "big")
