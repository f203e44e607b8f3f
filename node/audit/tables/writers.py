"""Files of one table, written row by row: memory for one row, whatever their length.

CSV is RFC 4180 in UTF-8 with a header: lines end with CR LF, cells with commas, quotes or line ends
are quoted. A text whose first character would make a spreadsheet take it for a formula, or that
begins with the guard itself, gets the guard in front: whoever strips one leading guard from every
text has what was on the chain. Lists and JSON texts stand as JSON. An empty cell is no value, or
an empty text.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Final, Protocol

import msgspec

from node.audit.acts.values import time_text
from node.audit.tables.columns import Cell, Column, Kind, Row, Table, plain

GUARD: Final = "'"
# What spreadsheets take for the beginning of a formula; tab and line ends are skipped by some, and
# the wide forms are taken for the narrow ones.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", GUARD)


class Writer(Protocol):
    """One file of one table. Whoever opens it closes it."""

    def add(self, row: Row) -> None:
        """The next row, in the order of the columns. Raises OSError."""

    def close(self) -> None:
        """The file is whole. Raises OSError."""

    def discard(self) -> None:
        """The file will never be whole; it need not be there."""


class CsvWriter:
    def __init__(self, path: Path, table: Table) -> None:
        self._kinds = [column.kind for column in table.columns]
        self._file = path.open("x", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\r\n")
        self._writer.writerow([column.name for column in table.columns])

    def add(self, row: Row) -> None:
        self._writer.writerow([_csv_cell(c, k) for c, k in zip(row, self._kinds, strict=True)])

    def close(self) -> None:
        self._file.close()

    def discard(self) -> None:
        self._file.close()


class JsonWriter:
    """An array of objects, one on each line."""

    def __init__(self, path: Path, table: Table) -> None:
        self._columns = table.columns
        self._file = path.open("x", encoding="utf-8")
        self._file.write("[")
        self._rows = 0

    def add(self, row: Row) -> None:
        self._file.write(",\n" if self._rows else "\n")
        self._file.write(object_of(row, self._columns))
        self._rows += 1

    def close(self) -> None:
        self._file.write("\n]\n")
        self._file.close()

    def discard(self) -> None:
        self._file.close()


def object_of(row: Row, columns: tuple[Column, ...]) -> str:
    """A row as the text of a JSON object."""
    named = {c.name: plain(cell, c.kind) for cell, c in zip(row, columns, strict=True)}
    return msgspec.json.encode(named).decode()  # six times the rate of `json`


def guarded(words: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return GUARD + words if words.startswith(FORMULA) else words


def _csv_cell(cell: Cell, kind: Kind) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return time_text(cell) if kind is Kind.TIME else str(cell)
    if isinstance(cell, tuple):
        return json.dumps(list(cell), ensure_ascii=False)
    return guarded(cell)
