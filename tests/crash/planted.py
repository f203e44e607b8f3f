"""Defects of which the enumeration must find each: what a careless change could do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest.mock import patch

from ledger import disk
from ledger.disk import Disk
from ledger.mark import Mark
from ledger.model import Transaction
from node import journal
from node.journal import Journal

Pairs = Iterable[tuple[bytes, bytes | None]]
Entries = Iterable[tuple[Iterable[Transaction], bytes]]


def _put(owner: object, name: str, value: object) -> None:
    """For as long as this process lives."""
    patch.object(owner, name, value).start()


def _do_nothing(*_: object) -> None:
    """In the place of a sync."""


def unsynced_batches() -> None:
    """A commit returns before the disk has it."""
    write = Disk.write

    def careless(self: Disk, pairs: Pairs, *, is_synced: bool = True) -> None:
        write(self, pairs, is_synced=False)

    _put(Disk, "write", careless)


def mark_before_batch() -> None:
    """The mark promises a write that may never come."""
    write = Disk.write

    def hasty(self: Disk, pairs: Pairs, *, is_synced: bool = True) -> None:
        self._mark.set(self._sequence + 1)
        write(self, pairs, is_synced=is_synced)

    _put(Disk, "write", hasty)


def log_names_unsynced() -> None:
    """LevelDB began a new log, and nobody made its name durable."""
    _put(Disk, "_sync_names", _do_nothing)


def ledger_names_unsynced() -> None:
    """A new ledger gets its name, and no folder is synced for it."""
    _put(disk, "sync_directory", _do_nothing)


def torn_batches() -> None:
    """A block in two batches."""
    write = Disk.write

    def halved(self: Disk, pairs: Pairs, *, is_synced: bool = True) -> None:
        listed = list(pairs)
        write(self, listed[: len(listed) // 2], is_synced=is_synced)
        write(self, listed[len(listed) // 2 :], is_synced=is_synced)

    _put(Disk, "write", halved)


def mark_in_place_of_two() -> None:
    """The mark is truncated, then written."""

    def twice(self: Mark, sequence: int) -> None:
        data = os.pread(self._file, 1 << 10, 0)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, data, 0)
        original(self, sequence)

    original = Mark.set
    _put(Mark, "set", twice)


def votes_unsynced() -> None:
    """A vote leaves before the journal has it."""
    append = Journal.append

    def careless(self: Journal, entries: Entries) -> None:
        with patch.object(os, "fdatasync", _do_nothing):
            append(self, entries)

    _put(Journal, "append", careless)


def compaction_without_sync() -> None:
    """The new segment gets its name before its content is on the disk."""
    replace = Journal._replace

    def careless(self: Journal, data: bytes) -> None:
        with patch.object(os, "fsync", _do_nothing):
            replace(self, data)

    _put(Journal, "_replace", careless)


def compaction_deletes_first() -> None:
    """The old segment goes before the new one has its name."""
    replace = Journal._replace

    def hasty(self: Journal, data: bytes) -> None:
        for path in self._segments():
            path.unlink()
        replace(self, data)

    _put(Journal, "_replace", hasty)


def journal_names_unsynced() -> None:
    """The journal's folder and segments are made, and their names not synced."""

    def made(directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)

    _put(journal, "make_directory", made)
    _put(journal, "sync_directory", _do_nothing)


DEFECTS: dict[str, Callable[[], None]] = {
    defect.__name__: defect
    for defect in (
        unsynced_batches,
        mark_before_batch,
        log_names_unsynced,
        ledger_names_unsynced,
        torn_batches,
        mark_in_place_of_two,
        votes_unsynced,
        compaction_without_sync,
        compaction_deletes_first,
        journal_names_unsynced,
    )
}
