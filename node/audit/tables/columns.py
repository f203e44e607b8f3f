"""What a table is: named columns with one type each, and the rows that fit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, Union

from node.audit.acts.values import time_text

Cell: TypeAlias = Union[None, bool, int, str, tuple[str, ...]]
Row: TypeAlias = Sequence[Cell]

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


def plain(cell: Cell, kind: Kind) -> None | bool | int | str | list[str]:
    """A cell for JSON."""
    if kind is Kind.TIME and isinstance(cell, int):
        return time_text(cell) or None
    if kind is Kind.INTEGER and isinstance(cell, int) and abs(cell) > INTEGER_MAX:
        return None
    return list(cell) if isinstance(cell, tuple) else cell
