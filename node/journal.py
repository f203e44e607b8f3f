"""The consensus journal: what must be on disk before a vote leaves.

Append-only segments in the framing of `consensus.pbft.wal`. The replica's records and the
bodies of the transactions they name share one file, so that one sync covers both: a prepared
proposal must be executable after all replicas lost power at once.

A torn tail of the newest segment is cut off at opening: it was never synced, so nothing that
depended on it has left. Damage anywhere else is an error: a replica that forgot votes it sent could
contradict itself. Two things tell them apart. A mark is a frame that holds its own place in the
file, written only when everything before it was synced. And what is torn lacks bytes, or has zeros
where a file system had only made room: a whole frame whose checksum fails was altered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consensus.pbft import wal
from crypto.files import make_directory, sync_directory
from ledger.encoding import decode, encode
from ledger.model import Transaction

# Bytes after which the driver is asked to compact. If what must be kept is itself that large (a
# window of full blocks), it may double first: else every append would rewrite all of it.
ROTATE_SIZE = 24 << 20
MARK = 3  # kind of frame, beside those of consensus.pbft.wal
MARK_SIZE = 8  # bytes of its payload
ZEROS_MIN = 512  # bytes of zeros at an end that a file system left there: a sector
TRANSACTION_SIZE_MAX = 16 << 20  # bytes; our own writing, the chain's limits bind far below


class JournalDamaged(Exception):
    """A journal segment contradicts its checksums before its tail."""


class JournalFailed(Exception):
    """The disk does not take a record: nothing that depends on it may be said."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal held when it was opened, oldest first."""

    records: tuple[bytes, ...]
    transactions: tuple[Transaction, ...]


class Journal:
    """Single writer; every method blocks on the disk, so call them from a worker thread."""

    def __init__(self, directory: Path) -> None:
        """Raises JournalDamaged."""
        self._directory = directory
        make_directory(directory)
        segments = self._segments()
        self.recovered = _read(segments)
        self._compacted_size = 0
        self._is_failed = False
        self._is_suspect = False
        self._number = int(segments[-1].stem) if segments else 1
        self._file = open(self._path(self._number), "ab", buffering=0)  # noqa: SIM115
        self._size = self._file.tell()
        # What was read may be the last that an earlier life wrote before it was killed: not synced.
        os.fsync(self._file.fileno())
        sync_directory(directory)

    @property
    def wants_compaction(self) -> bool:
        return self._is_suspect or self._size >= max(ROTATE_SIZE, 2 * self._compacted_size)

    @staticmethod
    def check(directory: Path) -> None:
        """Look at a journal that nobody has open, changing nothing. Raises JournalDamaged."""
        _read(sorted(directory.glob("[0-9]*.log")), is_cutting=False)

    def renew(self) -> None:
        """What is on disk is damaged: have it written anew from memory soon. Main task."""
        self._is_suspect = True

    def release(self) -> None:
        """Forget what was recovered, once it was taken over: it may be many megabytes."""
        self.recovered = Recovered((), ())

    def append(self, entries: Iterable[tuple[Iterable[Transaction], bytes]]) -> None:
        """Write (bodies, record) pairs in order; returns when the disk has them.

        Raises JournalFailed, and from then on always: after a failed write or sync nobody knows
        what the disk holds, and what follows half a frame would be lost with it.
        """
        data = _mark(self._size) + _frames(entries)
        with self._failing("written"):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            os.fdatasync(self._file.fileno())
        self._size += len(data)

    def compact(self, entries: Iterable[tuple[Iterable[Transaction], bytes]]) -> None:
        """Start a segment that holds just these entries, then drop the older ones.

        Raises JournalFailed; the older segments are whole then.
        """
        data = _frames(entries)
        with self._failing("compacted"):
            self._replace(data + _mark(len(data)))

    def _replace(self, data: bytes) -> None:
        old = self._segments()
        fresh = self._path(self._number + 1)
        partial = fresh.with_suffix(".new")
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(fresh)
        sync_directory(self._directory)
        self._file.close()
        self._number += 1
        self._file = open(fresh, "ab", buffering=0)  # noqa: SIM115
        self._size = self._compacted_size = len(data)
        self._is_suspect = False
        for path in old:
            path.unlink()

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """Turns errors of the disk into JournalFailed, the first and all later ones."""
        if self._is_failed:
            raise JournalFailed(f"the journal in {self._directory} failed before")
        try:
            yield
        except OSError as error:
            self._is_failed = True
            raise JournalFailed(
                f"the journal in {self._directory} cannot be {what}: {error.strerror or error}; "
                "make room or repair the disk, then restart the node"
            ) from error

    def _segments(self) -> list[Path]:
        return sorted(self._directory.glob("[0-9]*.log"))

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:010d}.log"


def _frames(entries: Iterable[tuple[Iterable[Transaction], bytes]]) -> bytes:
    """A record's bodies stand before it: where the record is whole, they are."""
    data = bytearray()
    for transactions, record in entries:
        for transaction in transactions:
            data += wal.frame(wal.TRANSACTION, encode(transaction))
        data += wal.frame(wal.RECORD, record)
    return bytes(data)


def _read(segments: list[Path], *, is_cutting: bool = True) -> Recovered:
    records: list[bytes] = []
    transactions: list[Transaction] = []
    for path in segments:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # compacted away while it was only looked at
        frames, end = wal.read_frames(data)
        if end < len(data):
            if path != segments[-1] or _has_mark(data, end) or not _is_torn(data, end):
                raise JournalDamaged(
                    f"{path}: damaged at byte {end}, so votes are forgotten; see "
                    "docs/operations.md, When votes are lost"
                )
            if is_cutting:
                os.truncate(path, end)
        for kind, payload in frames:
            if kind == wal.RECORD:
                records.append(payload)
            elif kind == wal.TRANSACTION:
                size_max = TRANSACTION_SIZE_MAX
                transactions.append(decode(payload, Transaction, size_max=size_max))
    return Recovered(tuple(records), tuple(transactions))


def _mark(place: int) -> bytes:
    return wal.frame(MARK, place.to_bytes(MARK_SIZE, "big"))


def _has_mark(data: bytes, start: int) -> bool:
    """Whether a mark stands behind `start`: then what is before it had been synced."""
    head = _mark(0)[:5]  # kind and length; the checksum depends on the place
    place = data.find(head, start)
    while place >= 0:
        whole = _mark(place)
        if data[place : place + len(whole)] == whole:
            return True
        place = data.find(head, place + 1)
    return False


def _is_torn(data: bytes, start: int) -> bool:
    """Whether what begins at `start` was cut off, rather than altered."""
    torn = data[start:]
    written = torn.rstrip(b"\0")
    if not written or len(torn) - len(written) >= ZEROS_MIN:
        return True
    return not wal.begins_with_altered(torn)
