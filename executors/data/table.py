"""Typed rows of a CSV file: UTF-8, a header line, commas, quotes by RFC 4180.

Errors name the line and the column and never repeat a cell: they end up in logs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from executors.data.schema import Cell, Inference, Schema, check_names
from executors.errors import DataSetInvalid

FILE_SIZE_MAX = 512 << 20  # bytes; read as a stream, but copied into the home
ROWS_MAX = 1_000_000  # hashing them for the commitment takes about ten seconds


def infer_schema(path: Path, types: Mapping[str, str]) -> Schema:
    """The schema of a file; `types` forces single columns. Raises DataSetInvalid."""
    lines = _lines(path)
    _number, header = next(lines)
    inference = Inference(check_names(header), types)
    seen = 0
    for _number, cells in lines:
        inference.see(cells)
        seen += 1
    if not seen:
        raise DataSetInvalid(f"{path.name} has a header and no rows")
    return inference.schema()


def read_rows(path: Path, schema: Schema) -> Iterator[tuple[Cell, ...]]:
    """The typed rows in order. Raises DataSetInvalid where a cell does not fit the schema."""
    lines = _lines(path)
    _number, header = next(lines)
    names = tuple(column.name for column in schema.columns)
    if check_names(header) != names:
        raise DataSetInvalid(f"{path.name} has other columns than registered; register it anew")
    for number, cells in lines:
        yield _row(schema, cells, number)


def _row(schema: Schema, cells: list[str], line: int) -> tuple[Cell, ...]:
    row: list[Cell] = []
    for column, text in zip(schema.columns, cells, strict=True):
        try:
            row.append(column.cell(text))
        except ValueError as error:
            raise DataSetInvalid(f"line {line}, column {column.name}: {error}") from None
    return tuple(row)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of the header and of every row; widths are checked."""
    try:
        if path.stat().st_size > FILE_SIZE_MAX:
            raise DataSetInvalid(f"{path.name} exceeds {FILE_SIZE_MAX} bytes: split it")
        with path.open(encoding="utf-8-sig", newline="") as handle:
            yield from _checked(csv.reader(handle, strict=True), path.name)
    except OSError as error:
        raise DataSetInvalid(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataSetInvalid(f"{path.name} is not UTF-8: convert it first") from None


def _checked(reader: Iterator[list[str]], name: str) -> Iterator[tuple[int, list[str]]]:
    number = 0
    width = 0
    while True:
        number += 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataSetInvalid(f"{name}, record {number}: {error}") from None
        if cells is None:
            break
        width = width or len(cells)
        if len(cells) != width or not cells:
            raise DataSetInvalid(f"{name}, record {number}: {len(cells)} cells instead of {width}")
        if number > ROWS_MAX + 1:
            raise DataSetInvalid(f"{name} has more than {ROWS_MAX} rows: split it")
        # An empty cell is a missing value. To guess it would falsify results, so a person decides.
        if "" in cells:
            raise DataSetInvalid(
                f"{name}, record {number}: cell {cells.index('') + 1} is empty; fill it or "
                "leave the row out before adding the file"
            )
        yield number, cells
    if number == 1:
        raise DataSetInvalid(f"{name} is empty")
