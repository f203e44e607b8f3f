"""The folder that an auditor takes away: tables in the formats that were asked for, all or nothing.

It is built beside its place under another name, and gets its own when everything is in it. Only its
owner may read it: an audit shows what parties show each other, not the world.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from crypto import sm3
from node.audit.parts import Figure, Part
from node.audit.tables.columns import Row, Table
from node.audit.tables.parquet import ParquetWriter, require_parquet
from node.audit.tables.writers import CsvWriter, JsonWriter, Writer

_READ_SIZE: Final = 1 << 20


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    HTML = "html"


TABLE_FORMATS: Final = (Format.CSV, Format.PARQUET, Format.JSON)
_WRITERS: Final[dict[Format, Callable[[Path, Table], Writer]]] = {
    Format.CSV: CsvWriter,
    Format.PARQUET: ParquetWriter,
    Format.JSON: JsonWriter,
}


class OutputRefused(Exception):
    """The folder or the formats cannot be what was asked for; says what to do."""


class FilePart(Part, frozen=True):
    """A file in the folder: `rows` of a table, -1 for what has none; SM3 of its bytes."""

    name: str
    rows: Figure
    bytes: Figure
    digest: str


def formats_of(words: str, allowed: Sequence[Format]) -> tuple[Format, ...]:
    """Formats from a list with commas. Raises OutputRefused, ParquetMissing."""
    found = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [word for word in found if word not in {known.value for known in allowed}]
    if unknown or not found:
        told = ", ".join(known.value for known in allowed)
        raise OutputRefused(f"--format takes {told}, with commas between; not {words[:80]!r}")
    if Format.PARQUET.value in found:
        require_parquet()
    return tuple(dict.fromkeys(Format(word) for word in found))


def check_free(folder: Path) -> None:
    """Before the work. Raises OutputRefused."""
    if folder.exists():
        raise OutputRefused(f"{folder} exists and is not overwritten; name a new folder")


class Files:
    """The files of a folder that is being built."""

    def __init__(self, folder: Path, formats: Sequence[Format]) -> None:
        self._folder = folder
        self._formats = formats
        self._open: dict[str, tuple[Writer, ...]] = {}
        self._rows: dict[str, int] = {}
        self._written: list[tuple[str, int]] = []

    def begin(self, *tables: Table) -> None:
        """Open these tables: all exist, also those that will have no row."""
        for table in tables:
            self._rows[table.name] = 0
            self._open[table.name] = tuple(
                _WRITERS[kind](self._folder / f"{table.name}.{kind.value}", table)
                for kind in self._formats
                if kind in _WRITERS
            )

    def add(self, table: Table, *rows: Row) -> None:
        for row in rows:
            self._rows[table.name] += 1
            for writer in self._open[table.name]:
                writer.add(row)

    def fill(self, table: Table, rows: Iterable[Row]) -> None:
        """A whole table."""
        self.begin(table)
        for row in rows:
            self.add(table, row)

    def put(self, name: str, content: bytes) -> None:
        """A file that is no table."""
        (self._folder / name).write_bytes(content)
        self._written.append((name, -1))

    def finish(self) -> tuple[FilePart, ...]:
        """Close all tables; every file with its digest, in order of name."""
        for table, writers in self._open.items():
            for kind, writer in zip(
                (k for k in self._formats if k in _WRITERS), writers, strict=True
            ):
                writer.close()
                self._written.append((f"{table}.{kind.value}", self._rows[table]))
        self._open = {}
        return tuple(
            FilePart(name, rows, (self._folder / name).stat().st_size, digest.hex())
            for name, rows in sorted(self._written)
            for digest in [digest_of(self._folder / name)]
        )

    def discard(self) -> None:
        """Let go of what is open, after an error."""
        for writers in self._open.values():
            for writer in writers:
                writer.discard()


@contextmanager
def building(folder: Path, formats: Sequence[Format]) -> Iterator[tuple[Path, Files]]:
    """Where to build what will be `folder`. Raises OutputRefused, OSError."""
    check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    files = Files(place, formats)
    try:
        yield place, files
        check_free(folder)
        place.rename(folder)
    except BaseException:
        files.discard()
        shutil.rmtree(place, ignore_errors=True)
        raise


def digest_of(path: Path) -> bytes:
    """SM3 of a file. Raises OSError."""
    state = sm3.hasher()
    with path.open("rb") as file:
        while piece := file.read(_READ_SIZE):
            state.update(piece)
    return state.digest()
