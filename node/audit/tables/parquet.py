"""Parquet, written by DuckDB: typed columns, for analysis of whole chains.

DuckDB comes with the extra `audit` alone. Rows go into a file of JSON lines first and from there
through DuckDB in row groups, so memory is bounded whatever the chain. It is told to load nothing
and to fetch nothing.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from node.audit.tables.columns import Row, Table
from node.audit.tables.writers import object_of

ROW_GROUP_ROWS: Final = 16_384  # in memory while they are written, with arguments of any size
MEMORY_LIMIT: Final = "1GB"  # of DuckDB; beyond, it spills into the folder that is written
# One row as JSON: arguments of 128 KiB, every byte escaped, and events of one transaction.
LINE_SIZE_MAX: Final = 64 << 20
SPILL: Final = ".duckdb"  # folder for what DuckDB cannot keep in memory
_SETTINGS: Final = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": MEMORY_LIMIT,
    "threads": "1",
}


class ParquetMissing(Exception):
    """Nothing here can write Parquet; says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "Parquet is written by DuckDB, which is not installed: `make setup`, or install "
            "shuxin[audit]; or leave parquet out of --format"
        )


def require_parquet() -> None:
    """Before work that takes long. Raises ParquetMissing."""
    if find_spec("duckdb") is None:
        raise ParquetMissing


class ParquetWriter:
    """Raises OSError; ParquetMissing."""

    def __init__(self, path: Path, table: Table) -> None:
        require_parquet()
        self._path = path
        self._table = table
        self._lines = path.with_name(f".{path.name}.lines")
        self._file = self._lines.open("x", encoding="utf-8")

    def add(self, row: Row) -> None:
        self._file.write(object_of(row, self._table.columns) + "\n")

    def close(self) -> None:
        self._file.close()
        try:
            convert(self._lines, self._path, self._table)
        finally:
            self._lines.unlink()
            shutil.rmtree(self._path.parent / SPILL, ignore_errors=True)

    def discard(self) -> None:
        self._file.close()


def convert(lines: Path, path: Path, table: Table) -> None:
    """JSON lines of a table as Parquet."""
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        **_SETTINGS,
        "temp_directory": str(path.parent / SPILL),
    }
    columns = ", ".join(f"{_name(c.name)}: {_text(c.kind.value)}" for c in table.columns)
    with duckdb.connect(":memory:", config=settings) as connection:
        connection.execute(
            f"COPY (SELECT * FROM read_json({_text(str(lines))}, format = 'newline_delimited', "
            f"columns = {{{columns}}}, maximum_object_size = {LINE_SIZE_MAX})) "
            f"TO {_text(str(path))} (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
        )


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
