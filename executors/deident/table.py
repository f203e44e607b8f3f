"""Rows of a CSV file as text: UTF-8, a header line, RFC 4180; read once, in constant memory.

Unlike the rows of a data set (`executors.data.table`), cells may be empty: what is missing says
something about its row, too, and what was suppressed is as good as empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from crypto import sm3
from executors.errors import DataSetInvalid

FILE_SIZE_MAX = 4 << 30  # bytes
ROWS_MAX = 5_000_000  # a million take 11 s on a quiet machine; a number fits four bytes
COLUMNS_MAX = 256  # wider tables are seldom of persons, and slow
CELL_MAX = 64 << 10  # characters


class Table:
    """One reading of a file. The digest is that of the bytes that were read, so it is there when
    the rows have come to their end."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._hasher = sm3.hasher()
        self._is_read = False

    @property
    def digest(self) -> bytes:
        """SM3 of the file."""
        assert self._is_read, "it is known when all rows have been read"
        return self._hasher.digest()

    def lines(self) -> Iterator[list[str]]:
        """The header, then every row; all are equally wide. Raises DataSetInvalid."""
        try:
            if self._path.stat().st_size > FILE_SIZE_MAX:
                raise DataSetInvalid(f"{self.name} exceeds {FILE_SIZE_MAX} bytes: split it")
            with self._path.open("rb") as file:
                bytes_read = io.BufferedReader(_Hashed(file, self._hasher), 1 << 20)
                text = io.TextIOWrapper(bytes_read, encoding="utf-8-sig", newline="")
                yield from self._checked(csv.reader(text, strict=True))
        except OSError as error:
            raise DataSetInvalid(f"{self.name} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise DataSetInvalid(f"{self.name} is not UTF-8: convert it first") from None
        self._is_read = True

    def _checked(self, reader: Iterator[list[str]]) -> Iterator[list[str]]:
        width = 0
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader, None)
            except csv.Error:
                raise DataSetInvalid(
                    f"{self.name}, record {number}: not CSV; see RFC 4180"
                ) from None
            if cells is None:
                break
            width = width or len(cells)
            if len(cells) != width or not cells:
                raise DataSetInvalid(
                    f"{self.name}, record {number}: {len(cells)} cells instead of {width}"
                )
            if number > ROWS_MAX + 1:
                raise DataSetInvalid(f"{self.name} has more than {ROWS_MAX} rows: split it")
            if max(map(len, cells)) > CELL_MAX:
                raise DataSetInvalid(f"{self.name}, record {number}: a cell over {CELL_MAX}")
            yield cells
        if number < 3:
            raise DataSetInvalid(f"{self.name} has no rows to measure")


def header_of(path: Path) -> tuple[str, ...]:
    """The names of the columns. Raises DataSetInvalid."""
    return checked_header(next(Table(path).lines()), path.name)


def checked_header(cells: list[str], name: str) -> tuple[str, ...]:
    """Column names that a plan can name. Raises DataSetInvalid."""
    if len(cells) > COLUMNS_MAX:
        raise DataSetInvalid(f"{name}: {len(cells)} columns; up to {COLUMNS_MAX} are measured")
    if any(not cell or len(cell) > 64 or not cell.isprintable() for cell in cells):
        raise DataSetInvalid(f"{name}, line 1: give each column a name of 1 to 64 characters")
    if len(set(cells)) != len(cells):
        raise DataSetInvalid(f"{name}, line 1: two columns have one name; rename one")
    return tuple(cells)


class _Hashed(io.RawIOBase):
    """The bytes of a file, hashed on their way."""

    def __init__(self, file: BinaryIO, hasher: sm3.Hasher) -> None:
        self._file = file
        self._hasher = hasher

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # the stub's buffer protocol is wider
        chunk = self._file.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._hasher.update(chunk)
        return len(chunk)
