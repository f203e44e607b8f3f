"""Writes the log: appends entries, begins a file each hour, removes what is too old.

An entry is with the kernel before its answer leaves, so that a killed process loses none; a power
failure takes at most the last second (SYNC_S). A node whose disk takes no entry answers nobody:
nothing is done for a client that is not on record.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from crypto.files import make_directory, sync_directory
from ledger.encoding import encode
from ledger.model import EMPTY_DIGEST, Address
from node.accesslog.entry import (
    LOG_VERSION,
    OWN,
    REFUSED,
    REMOVED,
    RESUMED,
    Opening,
    Request,
    entry_head,
    frame,
    opening_head,
)
from node.accesslog.folder import (
    LogDamaged,
    Read,
    files,
    is_torn,
    number_of,
    path_of,
    read_file,
    read_opening,
    torn_digest,
)
from node.accesslog.repeats import Repeats

SYNC_S = 1.0  # between two syncs: what a power failure can take
HOUR_MS = 3_600_000  # of a file, by the node's clock
DAY_MS = 24 * HOUR_MS
FILE_SIZE_MAX = 64 << 20  # bytes: read whole by who verifies it
CLOSED_MAX = 10_000  # files that wait for their anchors: more than a year of hours

_log = structlog.get_logger("node.accesslog")


class LogFailed(Exception):
    """The disk takes no entry."""


@dataclass(frozen=True, slots=True)
class LogKeep:
    """What is kept: closed files whose heads are on the chain leave after `days`, and the oldest
    of all when there are more than `bytes_max`.
    """

    days: int
    bytes_max: int


# Six months, which the Cybersecurity Law (网络安全法) asks for in article 21. A million requests
# have about 250 MB.
KEEP_DEFAULT: Final = LogKeep(days=190, bytes_max=8 << 30)


@dataclass(frozen=True, slots=True)
class Closed:
    """A file that gets no more entries: what an anchor says of it. Sequences are inclusive."""

    number: int
    first: int
    last: int
    head: bytes
    opened_ms: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose log it is."""

    chain_id: bytes
    account: Address


class AccessLog:
    """Thread safe. Files are begun and removed by `tick` alone, once a second."""

    def __init__(
        self,
        folder: Path,
        owner: Owner,
        *,
        keep: LogKeep,
        wall_ms: Callable[[], int],
        anchored: Closed | None = None,
    ) -> None:
        """Go on with what is in `folder`. `anchored`: the last file that the chain knows of.

        A log that was damaged is left as it is, for whoever verifies it, and another file begun.
        Raises OSError.
        """
        self._folder = folder
        self._owner = owner
        self._keep = keep
        self._wall_ms = wall_ms
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._repeats = Repeats()
        self._file, self._size = -1, 0  # the file that is written; its bytes
        self._opening: Opening
        self._head: bytes = EMPTY_DIGEST
        self._sequence = 1  # of the next entry
        self._missed = 0  # entries since the disk stopped taking them
        self._is_failed = False
        self._is_dirty = False
        self._closed: list[Closed] = []
        self._anchored = 0 if anchored is None else anchored.number
        make_directory(folder, mode=0o700)
        self._begin(anchored)
        self._closed = self._closed_on_disk()

    # --- for those who answer requests ------------------------------------------------------

    def check(self) -> None:
        """Whether requests may be answered. Raises LogFailed."""
        if self._is_failed:
            raise LogFailed("the access log cannot be written")

    def append(self, request: Request, outcome: str, code: str = "") -> None:
        """Put what became of a request on record. Raises LogFailed."""
        with self._lock:
            self._append(request, outcome, code)

    def append_repeated(self, request: Request, code: str) -> None:
        """A refusal that a flood brings by thousands: the first is an entry, others are counted."""
        with self._lock:
            if not self._repeats.take(request, code, self._wall_ms()):
                self._append(request, REFUSED, code)

    # --- life -------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """After the last request; doing it twice does no harm."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            if self._file < 0:
                return
            self._write_repeats(None)
            with contextlib.suppress(OSError):  # was told when it first failed
                os.fdatasync(self._file)
            os.close(self._file)
            self._file = -1

    def tick(self) -> None:
        """Sync, begin another file if it is time, remove what is too old."""
        with self._lock:
            self._resume()
            self._write_repeats(self._wall_ms())
            is_dirty, self._is_dirty = self._is_dirty, False
        try:
            if is_dirty:
                os.fdatasync(self._file)
            if self._is_over():
                with self._lock:
                    self._rotate()
                self._remove_old()
        except OSError as error:
            self._fail(error)

    def closed_after(self, anchored: int) -> Closed | None:
        """The oldest closed file above this number, whose anchors the chain has up to here."""
        with self._lock:
            self._anchored = max(self._anchored, anchored)
            self._closed = [one for one in self._closed if one.number > anchored]
            return self._closed[0] if self._closed else None

    @property
    def waiting(self) -> int:
        """Closed files whose heads are not on the chain yet."""
        return len(self._closed)

    @property
    def is_failed(self) -> bool:
        return self._is_failed

    def _run(self) -> None:
        while not self._ending.wait(SYNC_S):
            self.tick()

    # --- entries ----------------------------------------------------------------------------

    def _append(self, request: Request, outcome: str, code: str, count: int = 1) -> None:
        entry = request.entry(
            sequence=self._sequence,
            time_ms=self._wall_ms(),
            outcome=outcome,
            code=code,
            count=count,
        )
        body = encode(entry)
        head = entry_head(self._head, body)
        try:
            self._write(frame(body, head))
        except OSError as error:
            self._missed += 1
            self._fail(error)
            raise LogFailed(f"the access log cannot be written: {error.strerror}") from None
        self._head = head
        self._sequence += 1

    def _write(self, data: bytes) -> None:
        """All of it or nothing. Raises OSError."""
        try:
            written = os.pwrite(self._file, data, self._size)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with contextlib.suppress(OSError):  # what stands there is overwritten by the next
                os.ftruncate(self._file, self._size)
            raise
        self._size += written
        self._is_dirty = True

    def _fail(self, error: OSError) -> None:
        if not self._is_failed:
            _log.critical(
                "access_log_failed",
                error=error.strerror or str(error),
                advice="no client is answered until the disk takes entries: make room, repair it",
            )
        self._is_failed = True

    def _resume(self) -> None:
        """Try the disk again, and say in the log how many entries it lost."""
        if not self._is_failed:
            return
        missed = self._missed
        try:
            self._append(OWN, RESUMED, "", missed)
        except LogFailed:
            self._missed = missed  # what it says of itself is no entry that somebody misses
            return
        self._is_failed, self._missed = False, 0
        _log.warning("access_log_resumed", missed=missed)

    def _write_repeats(self, now_ms: int | None) -> None:
        with contextlib.suppress(LogFailed):
            for request, code, count in self._repeats.due(now_ms):
                self._append(request, REFUSED, code, count)

    # --- files ------------------------------------------------------------------------------

    def _begin(self, anchored: Closed | None) -> None:
        """Go on with the newest file, or behind it."""
        found = files(self._folder)
        number = number_of(found[-1]) if found else 0
        if anchored is not None and number <= anchored.number:
            # The newest file is younger than this one, or it is gone: the chain remembers it.
            _log.critical("access_log_lost", anchored=anchored.number, newest=number)
            self._open_next(anchored.number + 1, anchored.last + 1, anchored.head, b"")
            return
        if not found:
            self._open_next(1, 1, EMPTY_DIGEST, b"")
            return
        try:
            read = read_file(found[-1])
        except LogDamaged as damage:
            _log.critical("access_log_damaged", reason=str(damage))
            self._open_next(number + 1, *_known_end(found[:-1], anchored), b"")
            return
        if not read.tail and read.opening.account == self._owner.account:
            self._go_on(found[-1], read)
            return
        torn = b""
        if is_torn(read):
            torn = torn_digest(read.tail)
        else:
            reason = f"{found[-1].name}: entry {read.sequence} was altered"
            _log.critical("access_log_damaged", reason=reason)
        self._open_next(number + 1, read.sequence, read.head, torn)

    def _go_on(self, path: Path, read: Read) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._size, self._opening = read.size, read.opening
        self._head, self._sequence = read.head, read.sequence

    def _open_next(self, number: int, sequence: int, head: bytes, torn: bytes) -> None:
        """Raises OSError; the old file stays the one that is written then."""
        opening = Opening(
            version=LOG_VERSION,
            chain_id=self._owner.chain_id,
            account=self._owner.account,
            number=number,
            sequence=sequence,
            head=head,
            time_ms=self._wall_ms(),
            torn=torn,
        )
        body = encode(opening)
        path = path_of(self._folder, number)
        # Under its name only when it is whole: a file without an opening would be damage.
        partial = path.with_suffix(".new")
        file = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            whole = frame(body, opening_head(body))
            size = os.write(file, whole)
            if size != len(whole):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file)
            partial.rename(path)
            sync_directory(self._folder)
        except OSError:
            os.close(file)
            raise
        self._file, self._size = file, size
        self._opening, self._head, self._sequence = opening, opening_head(body), sequence

    def _is_over(self) -> bool:
        """A file without entries lasts: an hour without requests needs no anchor."""
        if self._sequence == self._opening.sequence or self._is_failed:
            return False
        opened_ms = self._opening.time_ms
        return self._size >= FILE_SIZE_MAX or self._wall_ms() // HOUR_MS > opened_ms // HOUR_MS

    def _rotate(self) -> None:
        old, opening = self._file, self._opening
        closed = Closed(
            number=opening.number,
            first=opening.sequence,
            last=self._sequence - 1,
            head=self._head,
            opened_ms=opening.time_ms,
        )
        os.fdatasync(old)  # an anchor must not name what a power failure takes
        self._open_next(opening.number + 1, self._sequence, self._head, b"")
        os.close(old)
        self._closed = [*self._closed, closed][-CLOSED_MAX:]

    def _closed_on_disk(self) -> list[Closed]:
        """Each file says in its opening where the one before ended."""
        found = []
        before: Opening | None = None
        for path in files(self._folder)[-CLOSED_MAX:]:
            if number_of(path) < self._anchored:
                continue
            try:
                opening = read_opening(path)
            except LogDamaged:
                before = None
                continue
            if before is not None and before.number + 1 == opening.number:
                found.append(
                    Closed(
                        before.number,
                        before.sequence,
                        opening.sequence - 1,
                        opening.head,
                        before.time_ms,
                    )
                )
            before = opening
        return [one for one in found if one.number > self._anchored and one.last >= one.first]

    def _remove_old(self) -> None:
        """On record first, then gone. Raises OSError."""
        old = self._old()
        if not old:
            return
        with self._lock, contextlib.suppress(LogFailed):
            self._append(OWN, REMOVED, "", number_of(old[-1]))
            os.fdatasync(self._file)
            for path in old:
                path.unlink()
            _log.info("access_log_removed", files=len(old), up_to=number_of(old[-1]))

    def _old(self) -> list[Path]:
        """Closed files that have to go: the oldest ones, without a gap."""
        closed = files(self._folder)[:-1]
        sizes = [path.stat().st_size for path in closed]
        excess = sum(sizes) + self._size - self._keep.bytes_max
        before_ms = self._wall_ms() - self._keep.days * DAY_MS - HOUR_MS
        old = []
        for path, size in zip(closed, sizes, strict=True):
            if excess <= 0 and not self._is_aged(path, before_ms):
                break
            excess -= size
            old.append(path)
        return old

    def _is_aged(self, path: Path, before_ms: int) -> bool:
        """Old enough, and known to the chain: until then there is nothing else that names it."""
        if number_of(path) > self._anchored:
            return False
        try:
            return read_opening(path).time_ms < before_ms
        except LogDamaged:
            return False  # it is proof of what somebody did


def _known_end(before: Sequence[Path], anchored: Closed | None) -> tuple[int, bytes]:
    """Sequence and head to go on with where the newest file says none.

    The chain takes no anchor of entries that it has: a log that began with 1 again had none any
    more. Raises OSError.
    """
    for path in reversed(before):
        with contextlib.suppress(LogDamaged):
            read = read_file(path)
            return read.sequence, read.head
    return (1, EMPTY_DIGEST) if anchored is None else (anchored.last + 1, anchored.head)
