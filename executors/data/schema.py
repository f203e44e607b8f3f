"""Types of columns: text, whole numbers, and decimals kept as whole numbers at a fixed scale.

A schema is public: it goes into the catalogue. Hence `bits`, the bound that a computation needs,
is rounded up to whole bytes and tells no more than the order of magnitude of the largest value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from executors.errors import DataSetInvalid
from ledger.model import Record

COLUMNS_MAX = 64  # the catalogue's limit for an entry
COLUMN_NAME_MAX = 64  # characters; the catalogue's limit
TEXT_MAX = 1024  # characters of one text cell
DECIMALS_MAX = 9
DECIMALS_ROUNDED = 6  # kept of a column that has more decimals than DECIMALS_MAX
BITS_STEP = 8
BITS_MAX = 40  # of a scaled value; larger numbers are identifiers and stay text

TEXT = "text"
INTEGER = "integer"
DECIMAL = "decimal"

Cell = int | str

_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_TYPE = re.compile(r"text|integer|decimal:([1-9])", re.ASCII)


class Column(Record):
    """`decimals` is 0 for integers; `bits` bounds the scaled magnitude (0 for text)."""

    name: str
    kind: str
    decimals: int
    bits: int
    is_rounded: bool  # the file has more decimals than are kept

    @property
    def type_text(self) -> str:
        """The type as the catalogue shows it, at most 32 characters."""
        if self.kind == TEXT:
            return TEXT
        places = f"({self.decimals})" if self.kind == DECIMAL else ""
        return f"{self.kind}{places} {self.bits} bit"

    def cell(self, text: str) -> Cell:
        """The typed value of a cell. Raises ValueError with a reason that shows no value."""
        if self.kind == TEXT:
            if len(text) > TEXT_MAX:
                raise ValueError(f"text longer than {TEXT_MAX} characters")
            return text
        number = number_of(text)
        if number is None:
            raise ValueError(f"not {'an integer' if self.kind == INTEGER else 'a decimal'}")
        value = _scaled(number, self.decimals, is_rounded=self.is_rounded)
        if value is None:
            raise ValueError(f"more than {self.decimals} decimals")
        if abs(value).bit_length() > self.bits:
            raise ValueError(f"beyond {self.bits} bits at {self.decimals} decimals")
        return value


class Schema(Record):
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column `name`. Raises DataSetInvalid."""
        for column in self.columns:
            if column.name == name:
                return column
        raise DataSetInvalid(f"there is no column {name}; see `shuxin dataset show`")

    def position(self, name: str) -> int:
        return self.columns.index(self.column(name))

    def catalogued(self) -> list[tuple[str, str, str]]:
        """Name, type and remark of each column, as the catalogue wants them."""
        return [
            (
                column.name,
                column.type_text,
                f"rounded to {column.decimals} decimals" if column.is_rounded else "",
            )
            for column in self.columns
        ]


def number_of(text: str) -> Decimal | None:
    """The number that `text` writes in plain or exponent form; None for anything else."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def label_of(column: Column, cell: Cell) -> str:
    """How a cell is written in a public dictionary of groups: 25, 4.5, 保险."""
    if isinstance(cell, str):
        return cell
    return f"{Decimal(cell).scaleb(-column.decimals).normalize():f}" if cell else "0"


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """Column names that programs can name. Raises DataSetInvalid."""
    checked = tuple(names)
    if not 1 <= len(checked) <= COLUMNS_MAX:
        raise DataSetInvalid(f"line 1: {len(checked)} columns; a data set has 1 to {COLUMNS_MAX}")
    for name in checked:
        if not name.isidentifier() or len(name) > COLUMN_NAME_MAX:
            raise DataSetInvalid(
                f"line 1: column name {name[:COLUMN_NAME_MAX]!r}: use letters, digits and _, "
                f"at most {COLUMN_NAME_MAX}, not starting with a digit"
            )
    if len(set(checked)) != len(checked):
        raise DataSetInvalid("line 1: two columns have one name; rename one")
    return checked


class Inference:
    """Learns the schema from all rows: a column is as narrow as its widest cell allows."""

    def __init__(self, names: tuple[str, ...], types: Mapping[str, str]) -> None:
        for name, text in types.items():
            if name not in names:
                raise DataSetInvalid(f"a type was given for {name}, which is not a column")
            if not _TYPE.fullmatch(text):
                raise DataSetInvalid(f"type {text!r} of {name}: use text, integer or decimal:1..9")
        self._names = names
        self._types = types
        self._is_number = [types.get(name) != TEXT for name in names]
        self._decimals = [0] * len(names)
        self._largest = [Decimal(0)] * len(names)

    def see(self, row: list[str]) -> None:
        """Takes one row into account; types are judged at the end."""
        for position, text in enumerate(row):
            if not self._is_number[position]:
                continue
            number = number_of(text)
            if number is None:
                self._is_number[position] = False
                continue
            exponent = number.as_tuple().exponent
            assert isinstance(exponent, int), "the pattern admits finite numbers only"
            self._decimals[position] = max(self._decimals[position], -exponent)
            self._largest[position] = max(self._largest[position], abs(number))

    def schema(self) -> Schema:
        """The schema. Raises DataSetInvalid where a demanded type does not fit."""
        return Schema(tuple(self._column(position) for position in range(len(self._names))))

    def _column(self, position: int) -> Column:
        name = self._names[position]
        demanded = self._types.get(name, "")
        seen = self._decimals[position]
        if not self._is_number[position]:
            if demanded not in ("", TEXT):
                raise DataSetInvalid(f"column {name} is not {demanded}: a cell is no number")
            return Column(name, TEXT, 0, 0, False)
        decimals = _decimals(demanded, seen)
        if demanded == INTEGER and seen:
            raise DataSetInvalid(f"column {name} is not integer: a cell has decimals")
        largest = _scaled(self._largest[position], decimals, is_rounded=True)
        assert largest is not None, "rounding always gives a value"
        bits = -(-max(1, largest.bit_length()) // BITS_STEP) * BITS_STEP
        if bits > BITS_MAX:
            if demanded:
                raise DataSetInvalid(f"column {name} exceeds {BITS_MAX} bits at {decimals} places")
            return Column(name, TEXT, 0, 0, False)
        return Column(name, DECIMAL if decimals else INTEGER, decimals, bits, seen > decimals)


def _decimals(demanded: str, seen: int) -> int:
    if demanded.startswith(DECIMAL):
        return int(demanded.removeprefix(f"{DECIMAL}:"))
    if demanded == INTEGER:
        return 0
    return seen if seen <= DECIMALS_MAX else DECIMALS_ROUNDED


def _scaled(number: Decimal, decimals: int, *, is_rounded: bool) -> int | None:
    scaled = number.scaleb(decimals)
    whole = scaled.to_integral_value(ROUND_HALF_EVEN)
    return int(whole) if is_rounded or whole == scaled else None
