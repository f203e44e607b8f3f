"""LevelDB with our settings and our errors: everything read is checked, every fault has a name."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import plyvel

from crypto.files import sync_directory
from ledger.errors import REMEDY, LedgerClosed, LedgerDamaged, LedgerError, LedgerInUse
from ledger.mark import Mark
from ledger.schema import SEQUENCE_KEY, number
from ledger.tables import check_logs, check_tables

DATABASE, _MARK = "db", "mark"
_WRITE_BUFFER_SIZE = 8 << 20  # bytes of a memtable: eight full blocks between two flushes
_BLOCK_CACHE_SIZE = 8 << 20  # bytes of uncompressed database blocks kept in memory
# LevelDB maps this many tables, less ten, and takes no descriptor for them. What a process touched
# of them counts as resident, but the kernel takes it back when it needs the room. Where there are
# more, a table is opened anew for a read: with LevelDB's own 2 MB that began at 8 million keys.
_TABLE_SIZE = 8 << 20  # bytes
_FILES_OPEN_MAX = 1000
_FILTER_BITS = 10  # Bloom filter per key: looking for an unknown transaction id costs no read
_FILTER_BYTES_AT_OPEN = 2 << 20  # bytes of filters checked at every start: at most 0.3 s
# LevelDB syncs its log files but not their names. The kernel's clock for files ticks every 10 ms at
# most: a folder that changed just now may change again without looking different.
_CLOCK_NS = 100_000_000
_IN_USE = "another process has this ledger open; stop that node first"


class Readable(Protocol):
    """What the database and its snapshots have in common."""

    def get(self, key: bytes, /, *, verify_checksums: bool = ...) -> bytes | None: ...

    def raw_iterator(self, *, verify_checksums: bool = ...) -> plyvel._plyvel.RawIterator: ...


class Disk:
    """The open database. Many readers; writes are taken one at a time."""

    def __init__(self, path: Path, *, create: bool = False, is_durable: bool = True) -> None:
        """Open what stands at `path`. Raises LedgerDamaged or LedgerInUse.

        Not `is_durable`: a power failure may take the newest writes back, in their order, for
        ledgers that can be made again. Closing makes it durable.
        """
        self._is_durable = is_durable
        if create:
            path.mkdir(parents=True)
        elif not (path / DATABASE).is_dir():
            raise LedgerDamaged(f"{path} holds no ledger; check data_dir, or {REMEDY}")
        self.path = path
        # LevelDB replays logs and merges tables when it opens them: look at them before.
        check_logs(path / DATABASE)
        check_tables(path / DATABASE, filter_bytes_max=_FILTER_BYTES_AT_OPEN)
        self._database = open_database(path / DATABASE, create=create)
        try:
            if create:
                Mark.create(path / _MARK, 0)
            self._mark = Mark(path / _MARK)
            self._sequence = int.from_bytes(self.get(SEQUENCE_KEY) or b"", "big")
            if self._sequence < self._mark.sequence:
                raise LedgerDamaged(
                    f"{path}: the database ends at write {self._sequence}, but write "
                    f"{self._mark.sequence} was acknowledged; {REMEDY}"
                )
            self._names_ns = -1  # change time of the folder whose names are known to be durable
            self._sync_names()
            # An earlier life may have been killed before it synced these; what follows is in them.
            sync_directory(path)
            sync_directory(path.parent)
            self._mark.set(self._sequence)
        except BaseException:
            self._database.close()
            raise
        self._lock = threading.Lock()
        self._open = threading.Lock()

    @property
    def database_path(self) -> Path:
        return self.path / DATABASE

    def get(self, key: bytes, *, height: int | None = None) -> bytes | None:
        return read(self._database, key, height=height)

    def range(self, low: bytes, high: bytes, *, is_reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        """See `read_range`."""
        return read_range(self._database, low, high, is_reverse=is_reverse)

    def snapshot(self) -> Snapshot:
        return Snapshot(self._database.snapshot())

    def write(self, pairs: Iterable[tuple[bytes, bytes | None]], *, is_synced: bool = True) -> None:
        """Put all pairs (None deletes) or none; durable on return if `is_synced`."""
        with self._lock:
            sequence = self._sequence + 1
            is_synced = is_synced and self._is_durable
            try:
                with self._database.write_batch(sync=is_synced) as batch:
                    for key, value in pairs:
                        if value is None:
                            batch.delete(key)
                        else:
                            batch.put(key, value)
                    batch.put(SEQUENCE_KEY, number(sequence))
            except plyvel.CorruptionError as error:
                raise LedgerDamaged(
                    f"{self.path}: cannot be written: {error_text(error)}; {REMEDY}"
                ) from None
            except plyvel.Error as error:
                raise LedgerError(
                    f"{self.path}: cannot be written: {error_text(error)}; make room or repair the "
                    "disk, and start the node again"
                ) from error
            self._sequence = sequence
            if is_synced:
                self._sync_names()
                self._mark.set(sequence)

    def compact(self, low: bytes, high: bytes) -> None:
        """Give the disk back what was deleted between two keys; others read and write meanwhile."""
        with self._open:  # LevelDB must not be closed under it
            if self._database.closed:
                raise LedgerClosed("the ledger is closed")
            self._database.compact_range(start=low, stop=high)

    def size(self, low: bytes, high: bytes) -> int:
        """Bytes on disk from a key up to another, roughly: what was just written is missing."""
        with self._open:
            if self._database.closed:
                raise LedgerClosed("the ledger is closed")
            return int(self._database.approximate_size(low, high))

    def _sync_names(self) -> None:
        """Make the name of the log that took the last write durable, if LevelDB began a new one."""
        folder = self.path / DATABASE
        changed_ns = os.stat(folder).st_mtime_ns
        if changed_ns != self._names_ns:
            is_settled = time.time_ns() - changed_ns > _CLOCK_NS
            sync_directory(folder)
            self._names_ns = changed_ns if is_settled else -1

    def close(self) -> None:
        """Sync what is not, and let go of the files. Doing it twice does no harm."""
        with self._open:
            if self._database.closed:
                return
            self._is_durable = True
            with contextlib.suppress(LedgerError):  # what was not synced was never promised
                self.write(())
            self._database.close()
            self._mark.close()


class Snapshot:
    """The database as it was at one moment; freed when nobody holds it any more."""

    def __init__(self, snapshot: plyvel._plyvel.Snapshot) -> None:
        self._snapshot = snapshot

    def get(self, key: bytes, *, height: int | None = None) -> bytes | None:
        return read(self._snapshot, key, height=height)

    def range(self, low: bytes, high: bytes, *, is_reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        """See `read_range`."""
        return read_range(self._snapshot, low, high, is_reverse=is_reverse)

    def scan(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All pairs below `prefix` in order of key, past the caches, checksums verified."""
        try:
            with self._snapshot.iterator(
                prefix=prefix or None, verify_checksums=True, fill_cache=False
            ) as pairs:
                yield from pairs
        except plyvel.Error as error:
            raise LedgerDamaged(f"the database is damaged: {error_text(error)}; {REMEDY}") from None


def read_range(
    source: Readable, low: bytes, high: bytes, *, is_reverse: bool
) -> Iterator[tuple[bytes, bytes]]:
    """Pairs from `low` up to and without `high`, or down from there, checksums verified.

    Raises LedgerDamaged, also for what stands right beyond: a range never just ends at damage.
    """
    try:
        # A bounded iterator of plyvel looks at its bounds, not at why it found nothing.
        with contextlib.closing(source.raw_iterator(verify_checksums=True)) as place:
            place.seek(high if is_reverse else low)
            if is_reverse and place.valid():
                place.prev()
            elif is_reverse:
                place.seek_to_last()
            while place.valid():
                key, value = place.item()
                if not low <= key < high:
                    return
                yield key, value
                if is_reverse:
                    place.prev()
                else:
                    place.next()
    except plyvel.Error as error:
        raise LedgerDamaged(f"the database is damaged: {error_text(error)}; {REMEDY}") from None
    except RuntimeError as error:
        raise LedgerClosed(f"the ledger is closed: {error}") from None


def read(source: Readable, key: bytes, *, height: int | None = None) -> bytes | None:
    """The value of `key`, its checksum verified. Raises LedgerDamaged."""
    try:
        return source.get(key, verify_checksums=True)
    except plyvel.Error as error:
        where = "" if height is None else f"block {height}: "
        raise LedgerDamaged(
            f"{where}the database is damaged: {error_text(error)}; {REMEDY}", height=height
        ) from None
    except RuntimeError as error:
        raise LedgerClosed(f"the ledger is closed: {error}") from None


def open_database(path: Path, *, create: bool) -> plyvel.DB:
    """LevelDB alone, with the settings of a ledger. Raises LedgerDamaged or LedgerInUse."""
    try:
        return plyvel.DB(
            str(path),
            create_if_missing=create,
            error_if_exists=create,
            paranoid_checks=True,
            write_buffer_size=_WRITE_BUFFER_SIZE,
            lru_cache_size=_BLOCK_CACHE_SIZE,
            max_open_files=_FILES_OPEN_MAX,
            max_file_size=_TABLE_SIZE,
            bloom_filter_bits=_FILTER_BITS,
            compression=None,  # hashes and signatures do not shrink
        )
    except plyvel.IOError as error:
        if "lock" in str(error).lower():
            raise LedgerInUse(f"{path}: {_IN_USE}") from None
        raise LedgerDamaged(f"{path}: cannot be opened: {error_text(error)}; {REMEDY}") from None
    except plyvel.Error as error:
        raise LedgerDamaged(f"{path}: cannot be opened: {error_text(error)}; {REMEDY}") from None


def repair_database(path: Path) -> None:
    """Make what can be read of the files in `path` a database again. Raises LedgerDamaged.

    What cannot be read is missing then, and what stood there before it may be back.
    """
    try:
        plyvel.repair_db(
            str(path), paranoid_checks=True, bloom_filter_bits=_FILTER_BITS, compression=None
        )
    except plyvel.Error as error:
        raise LedgerDamaged(f"{path}: nothing can be read of it: {error_text(error)}") from None


@contextlib.contextmanager
def alone(database: Path) -> Iterator[None]:
    """Nobody opens the database inside, whether it could be opened or not. Raises LedgerInUse."""
    lock = os.open(database / "LOCK", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerInUse(f"{database}: {_IN_USE}") from None
        yield
    finally:
        os.close(lock)


def error_text(error: Exception) -> str:
    """What LevelDB said; plyvel hands its messages on as bytes."""
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
