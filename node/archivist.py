"""Old blocks leave the ledger: into signed archives in a folder of their own, and only then (5.3a).

Runs beside everything else, in a thread that rests most of the time. The order is: write a
segment, sync it, read it back and compare it with the ledger block by block, note it in the
ledger, prune. Whatever dies, fills up or is not mounted in between, no block is lost that is in no
archive; what could not be done is told and tried again.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

import structlog
import trio

from crypto.errors import CryptoError
from crypto.files import sync_directory
from crypto.provider import CryptoProvider
from ledger.archive import NO_ARCHIVE, Part
from ledger.base import base_max
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, LedgerDamaged, LedgerError
from ledger.model import Record
from ledger.segments import Segment, segment_end, write_segment
from ledger.store import Store
from node.config import Keep

NEWEST_KEY = b"archive/newest"
MARKER = "shuxin-archives"  # the file by which a folder is known to be this node's
MARKER_SIZE_MAX = 1 << 10  # bytes
LOOK_S = 10.0  # between two looks at whether a segment is complete
RETRY_S = 60.0  # after a failure; doubles up to an hour: who mounts a disk need not wait longer
RETRY_S_MAX = 3600.0
# The thread works for so long (seconds of a core), and rests until that was a fifth of the time: a
# core has other things to do, and so has the interpreter's lock.
WORK_S = 0.01
SHARE = 0.2
REST_S_MAX = 0.5
DAY_MS = 86_400_000

_log = structlog.get_logger("node.archivist")


class Newest(Record):
    """The segment that was written last, as the ledger remembers it."""

    last: int
    digest: bytes


class ArchivesAway(Exception):
    """The folder is not there, or is not this node's; says what to do."""


def base_wanted(store: Store, keep: Keep) -> int:
    """The lowest height that has to stay, by what the operator and the chain want.

    Days are counted back from the newest block by the chain's time: a clock that is wrong prunes
    nothing. Raises LedgerDamaged.
    """
    if keep.is_all:
        return store.base
    certified = store.certified_height
    wanted = base_max(certified, store.genesis.limits)
    if keep.blocks:
        wanted = min(wanted, certified + 1 - keep.blocks)
    if keep.days:
        since_ms = store.header(certified).time_ms - keep.days * DAY_MS
        heights = range(store.base, certified)
        place = bisect_left(heights, since_ms, key=lambda height: store.header(height).time_ms)
        wanted = min(wanted, store.base + place)
    return max(store.base, wanted)


def newest_segment(store: Store) -> Newest | None:
    """What this ledger was archived to last. Raises LedgerDamaged."""
    data = store.get_meta(NEWEST_KEY)
    if data is None:
        return None
    try:
        return decode(data, Newest, size_max=1 << 10)
    except DecodeError as error:
        raise LedgerDamaged(f"the note of the newest archive is damaged: {error}") from None


class Archivist:
    """Moves blocks from `store` to the archives, or discards them, as `keep` has it."""

    def __init__(
        self,
        store: Store,
        provider: CryptoProvider,
        keep: Keep,
        *,
        may_prune: Callable[[], bool] = lambda: True,
        needed_from: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`may_prune`: not while the ledger is in doubt. `needed_from`: the lowest height that
        something else has not read yet. Raises LedgerDamaged."""
        self._store = store
        self._provider = provider
        self._keep = keep
        self._may_prune = may_prune
        self._needed_from = needed_from
        # The head when something was pruned; an earlier life may have left room to be freed.
        self._unfreed_since: int | None = store.height if store.base else None
        newest = newest_segment(store)
        self.archived_height = -1 if newest is None else newest.last  # -1: no archive yet
        self.failure = ""  # why old blocks stay where they are

    @property
    def folder(self) -> Path | None:
        return self._keep.archives

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        if self._keep.is_all:
            return
        pause_s = LOOK_S
        while True:
            await trio.sleep(pause_s)
            if not self._may_prune():
                continue
            try:
                await trio.to_thread.run_sync(self.move, _Pace().rest)
            except (ArchivesAway, LedgerError, CryptoError, OSError) as error:
                pause_s = RETRY_S if not self.failure else min(2 * pause_s, RETRY_S_MAX)
                self.failure = str(error)
                _log.error("archiving_failed", reason=self.failure, again_in_s=pause_s)
            else:
                pause_s, self.failure = LOOK_S, ""

    def move(self, advance: Callable[[int], None]) -> None:
        """Archive and prune all segments that are complete; free the room of earlier ones.

        `advance(height)` is told of every block that is looked at, and may wait or raise. Raises
        ArchivesAway, LedgerError, CryptoError, OSError; then nothing is lost.
        """
        self._free(advance)
        while self._may_prune():
            wanted = base_wanted(self._store, self._keep)
            needed = self._needed_from()
            if needed is not None:
                wanted = min(wanted, needed)
            if self._store.base <= self.archived_height:  # noted, and not all of it pruned yet
                goal = min(self.archived_height + 1, wanted)
            else:
                goal = segment_end(self._store.base) + 1
            if not self._store.base < goal <= wanted:
                return
            if self._keep.archives is not None and goal > self.archived_height + 1:
                self._archive(self._keep.archives, goal - 1, advance)
            self._store.prune(goal, advance)
            self._unfreed_since = self._store.height
            _log.info("pruned", base=self._store.base)

    def _archive(self, folder: Path, last: int, advance: Callable[[int], None]) -> None:
        """All from the base to `last`."""
        self._check_folder(folder)
        first, newest = self._store.base, newest_segment(self._store)
        is_next = newest is not None and newest.last == first - 1
        previous = newest.digest if newest is not None and is_next else NO_ARCHIVE
        part = Part(first, last, previous)
        segment = write_segment(self._store, folder, part, self._provider, advance)
        self._note(segment)
        _log.info(
            "archived", file=str(segment.path), digest=segment.digest.hex(), bytes=segment.size
        )

    def _note(self, segment: Segment) -> None:
        newest = Newest(segment.last, segment.digest)
        self._store.put_meta(NEWEST_KEY, encode(newest))
        self.archived_height = segment.last

    def _free(self, advance: Callable[[int], None]) -> None:
        """Once no snapshot of the state shows what was pruned (see Store.give_back)."""
        if self._unfreed_since is not None and self._store.provable[0] > self._unfreed_since:
            self._store.give_back(advance)
            self._unfreed_since = None

    def _check_folder(self, folder: Path) -> None:
        """An empty mount point is a folder, too; so is that of another node."""
        if not folder.is_dir():
            raise ArchivesAway(
                f"{folder} is no folder: mount the disk, or make the folder for this node's "
                "archives; until then no block leaves the ledger"
            )
        marker, wanted = folder / MARKER, self._marker()
        try:
            with marker.open("rb") as file:
                found = file.read(MARKER_SIZE_MAX)
        except FileNotFoundError:
            if self.archived_height >= 0:
                raise ArchivesAway(
                    f"{folder} is not the folder to which this node archived up to block "
                    f"{self.archived_height}: mount the right disk; if the archives moved for "
                    f"good, move their file {MARKER} here as well"
                ) from None
            _write_durably(marker, wanted)
            return
        if found != wanted:
            raise ArchivesAway(
                f"{marker} names another node or another chain: give every node a folder of its own"
            )

    def _marker(self) -> bytes:
        chain, key = self._store.chain_id.hex(), self._provider.public_key.hex()
        return f"archives of a Shuxin node\nchain {chain}\nnode {key}\n".encode()


class _Pace:
    """Of one run on one thread: ends with the node, and leaves most of the time to others."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    def rest(self, height: int) -> None:
        trio.from_thread.check_cancelled()
        now_s = time.thread_time()  # not the clock's: waiting for a core is no work
        worked_s = now_s - (now_s if self._since_s is None else self._since_s)
        if self._since_s is None or worked_s >= WORK_S:
            self._since_s = now_s
            time.sleep(min(worked_s * (1 / SHARE - 1), REST_S_MAX))


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)
