"""What a table is: named columns with one type each, and the rows that fit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias, Union

Cell: TypeAlias = Union[None, bool, int, str, tuple[str, ...]]
Row: TypeAlias = Sequence[Cell]

_TIME_MAX_MS: Final = 253_402_300_799_999  # the end of the year 9999: beyond, no calendar agrees
TIMES_KEPT: Final = 256  # rows of one block have its time
INTEGER_MAX: Final = (1 << 63) - 1  # of a column; what is larger stands in a JSON text


class Kind(StrEnum):
    """The type of a column, as SQL names it."""

    INTEGER = "BIGINT"
    TEXT = "VARCHAR"  # digests, ids, addresses and signatures in hexadecimal; JSON where it says so
    TIME = "TIMESTAMP"  # UTC; a cell is Unix milliseconds
    TRUTH = "BOOLEAN"
    LIST = "VARCHAR[]"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind
    says: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    says: str
    columns: tuple[Column, ...]


def integer(name: str, says: str = "") -> Column:
    return Column(name, Kind.INTEGER, says)


def text(name: str, says: str = "") -> Column:
    return Column(name, Kind.TEXT, says)


def moment(name: str, says: str = "") -> Column:
    return Column(name, Kind.TIME, says)


def truth(name: str, says: str = "") -> Column:
    return Column(name, Kind.TRUTH, says)


def names(name: str, says: str = "") -> Column:
    return Column(name, Kind.LIST, says)


# Where an act stands: with these a row is proved by `shuxin tx prove`.
PLACE: Final = (
    integer("height", "block"),
    integer("index", "place in the block"),
    moment("time", "of the block, UTC"),
    text("transaction", "id, for `shuxin tx prove`"),
)


@lru_cache(maxsize=TIMES_KEPT)
def time_text(time_ms: int) -> str:
    """ISO 8601, UTC, milliseconds; "" for what no calendar has."""
    if not 0 <= time_ms <= _TIME_MAX_MS:
        return ""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"


def plain(cell: Cell, kind: Kind) -> None | bool | int | str | list[str]:
    """A cell for JSON."""
    if kind is Kind.TIME and isinstance(cell, int):
        return time_text(cell) or None
    if kind is Kind.INTEGER and isinstance(cell, int) and abs(cell) > INTEGER_MAX:
        return None
    return list(cell) if isinstance(cell, tuple) else cell
