"""The data sets of an executor's home (8.2.2b2): add, list, show, remove, and load for a task.

    HOME/datasets/ID/data.csv       the rows, as they were added; mode 0600
    HOME/datasets/ID/record.bin     canonical bytes of the DataSet, with the salt; mode 0600
    HOME/datasets/ID/uses.jsonl     what tasks did with it (see `uses`)

A file is copied in, so that a change of the original cannot break the commitment unnoticed.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crypto.files import make_directory, sync_directory
from executors.data.commitment import SALT_SIZE, commit_leaves, row_leaf
from executors.data.schema import Cell, Schema
from executors.data.table import infer_schema, read_rows
from executors.errors import DataSetInvalid
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import Record

DATASETS_MAX = 1_000  # of one home; listing reads every record
RECORD_SIZE_MAX = 64 << 10  # bytes
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
_VERSION = 1


class DataSet(Record):
    """A registered data set. `salt` is secret: it would make guesses of rows checkable."""

    version: int
    dataset_id: str
    schema: Schema
    row_count: int
    commitment: bytes
    salt: bytes
    added_ms: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The columns that a task asked for, by name, verified against the commitment."""

    dataset: DataSet
    columns: dict[str, list[Cell]]


class Registry:
    """The data sets below `home`. Every method raises DataSetInvalid."""

    def __init__(self, home: Path) -> None:
        self._root = home / "datasets"

    def add(
        self, dataset_id: str, source: Path, *, types: Mapping[str, str], now_ms: int
    ) -> DataSet:
        """Copies a CSV file in, infers its schema and commits to its rows."""
        _check_id(dataset_id)
        make_directory(self._root, mode=0o700)
        if self._folder(dataset_id).exists():
            raise DataSetInvalid(f"{dataset_id} exists: remove it first, or choose another id")
        if len(self._ids()) >= DATASETS_MAX:
            raise DataSetInvalid(f"{DATASETS_MAX} data sets are registered: remove one first")
        staging = self._root / f".{dataset_id}.{secrets.token_hex(4)}"
        staging.mkdir(mode=0o700)
        try:
            dataset = _stage(staging, dataset_id, source, types, now_ms)
            sync_directory(staging)
            staging.rename(self._folder(dataset_id))
            sync_directory(self._root)
        except OSError as error:
            raise DataSetInvalid(f"{source.name}: {error.strerror}") from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return dataset

    def list(self) -> tuple[DataSet, ...]:
        """All data sets, by id."""
        return tuple(self.show(dataset_id) for dataset_id in self._ids())

    def show(self, dataset_id: str) -> DataSet:
        _check_id(dataset_id)
        try:
            data = (self._folder(dataset_id) / "record.bin").read_bytes()
        except OSError:
            raise DataSetInvalid(
                f"no data set {dataset_id} here; see `shuxin dataset list`"
            ) from None
        try:
            return decode(data, DataSet, size_max=RECORD_SIZE_MAX)
        except DecodeError as error:
            raise DataSetInvalid(f"the record of {dataset_id} is damaged: {error}") from None

    def remove(self, dataset_id: str) -> None:
        """Deletes the copy and its salt; the commitment on chain can no longer be opened."""
        self.show(dataset_id)
        shutil.rmtree(self._folder(dataset_id))

    def load(self, dataset_id: str, columns: tuple[str, ...]) -> Loaded:
        """The typed cells of `columns`; reads every row, and checks all against the commitment."""
        dataset = self.show(dataset_id)
        positions = [dataset.schema.position(name) for name in columns]
        cells: tuple[list[Cell], ...] = tuple([] for _name in columns)
        for row in self._committed_rows(dataset):
            for target, position in zip(cells, positions, strict=True):
                target.append(row[position])
        return Loaded(dataset, dict(zip(columns, cells, strict=True)))

    def check(self, dataset_id: str) -> DataSet:
        """The data set, once every row was read and all are found to be those committed to."""
        dataset = self.show(dataset_id)
        for _row in self._committed_rows(dataset):
            pass
        return dataset

    def folder(self, dataset_id: str) -> Path:
        """Where the data set lies. Raises DataSetInvalid when there is none."""
        self.show(dataset_id)
        return self._folder(dataset_id)

    def _committed_rows(self, dataset: DataSet) -> Iterator[tuple[Cell, ...]]:
        """Every row; raises after the last one unless they are those committed to."""
        leaves: list[bytes] = []
        for index, row in enumerate(read_rows(self._path(dataset.dataset_id), dataset.schema)):
            leaves.append(row_leaf(dataset.salt, index, row))
            yield row
        if commit_leaves(dataset.schema, leaves) != dataset.commitment:
            raise DataSetInvalid(
                f"the rows of {dataset.dataset_id} are not those committed to; add the file anew"
            )

    def _ids(self) -> tuple[str, ...]:
        if not self._root.is_dir():
            return ()
        names = (entry.name for entry in self._root.iterdir())
        return tuple(sorted(name for name in names if _ID.fullmatch(name)))

    def _folder(self, dataset_id: str) -> Path:
        return self._root / dataset_id

    def _path(self, dataset_id: str) -> Path:
        return self._folder(dataset_id) / "data.csv"


def _stage(
    folder: Path, dataset_id: str, source: Path, types: Mapping[str, str], now_ms: int
) -> DataSet:
    schema = infer_schema(source, types)
    copy = folder / "data.csv"
    _copy(source, copy)
    salt = secrets.token_bytes(SALT_SIZE)
    rows = read_rows(copy, schema)
    leaves = [row_leaf(salt, index, row) for index, row in enumerate(rows)]
    dataset = DataSet(
        version=_VERSION,
        dataset_id=dataset_id,
        schema=schema,
        row_count=len(leaves),
        commitment=commit_leaves(schema, leaves),
        salt=salt,
        added_ms=now_ms,
    )
    _write(folder / "record.bin", encode(dataset))
    return dataset


def _copy(source: Path, path: Path) -> None:
    """As `_write`, of what is in a file."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as rows, os.fdopen(handle, "wb") as copy:
        shutil.copyfileobj(rows, copy)
        copy.flush()
        os.fsync(copy.fileno())


def _write(path: Path, data: bytes) -> None:
    """A new file that only its owner can read, on disk when this returns."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_id(dataset_id: str) -> None:
    if not _ID.fullmatch(dataset_id):
        raise DataSetInvalid(f"data set id {dataset_id[:64]!r}: use 1 to 64 of a-z 0-9 _ - .")
