"""Makes snapshots while the node works, and keeps the newest for peers that join.

Every node that makes them does so at the same heights, multiples of `every_blocks`, so that a
joining node can fetch one snapshot from several peers at once and replace any of them. What is made
is a sorted copy of the state in one file: serving it reads a file, and neither LevelDB nor a
commit ever waits for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import structlog
import trio

from ledger import snapshot
from ledger.base import base_max
from ledger.errors import LedgerError, SnapshotInvalid
from ledger.snapshot_file import SnapshotReader, SnapshotWriter
from ledger.snapshot_make import make_snapshot
from ledger.store import Store
from ledger.succession import CommitteeChange
from ledger.versions import StateSnapshot

FOLDER = "snapshots"
SORTING = "sorting"  # in it, while one is made
KEPT_MAX = 2  # the newest, and the one before, which somebody may be in the middle of
# Making one hashes every key in the interpreter that also votes: a quarter of its time.
WORK_S = 0.010
REST_S = 0.030
CERTIFIED_POLL_S = 0.5  # between two looks whether a block is certified, on a quiet chain

_NAME = re.compile(r"(\d+)\.snapshot")
_log = structlog.get_logger("node.snapshots")


class Keeper:
    """The main task follows and runs it; any thread reads what is kept."""

    def __init__(self, data_dir: Path, store: Store, every_blocks: int) -> None:
        """`every_blocks` 0: none are made but on order. What an earlier life kept is kept on."""
        self._folder = data_dir / FOLDER
        self._store = store
        self._every = every_blocks
        self._due: StateSnapshot | None = None
        self._called = trio.Event()
        self._block = trio.Event()  # there is another one
        self._kept: tuple[SnapshotReader, ...] = ()  # by ascending height
        self._begin()

    def _begin(self) -> None:
        if not self._folder.is_dir():
            return
        found: list[SnapshotReader] = []
        for path in sorted(self._folder.iterdir()):
            if path.name == SORTING or path.suffix == ".part":
                _remove(path)
            if not _NAME.fullmatch(path.name):
                continue
            try:
                found.append(SnapshotReader(path))
            except (SnapshotInvalid, OSError) as error:
                _log.warning("snapshot_removed", file=str(path), reason=str(error))
                path.unlink(missing_ok=True)
        self._kept = tuple(sorted(found, key=lambda reader: reader.manifest.height))
        self._drop()

    @property
    def kept(self) -> tuple[SnapshotReader, ...]:
        """Oldest first. Any thread; one that is dropped meanwhile answers with OSError."""
        return self._kept

    @property
    def making(self) -> int:
        """Of which block one is being made; 0: of none. Any thread."""
        due = self._due
        return 0 if due is None else due.statement.height

    def find(self, digest: bytes) -> SnapshotReader | None:
        """The snapshot of this name, if it is kept."""
        for reader in self._kept:
            if reader.digest == digest:
                return reader
        return None

    # --- making (main task) -----------------------------------------------------------------

    def follow(self) -> None:
        """After every block: is this one of those of which a snapshot is made?"""
        self._block.set()
        if self._every and self._store.height % self._every == 0:
            self.order()

    def order(self) -> int:
        """Have one made of the newest block once it is certified; its height.

        While one is being made, that one's. 0: this chain has none yet (see `may_be_made`).
        """
        if self._due is not None:
            return self._due.statement.height
        head = self._store.head_snapshot()
        if not self.may_be_made(head.statement.height):
            return 0
        self._due = head
        self._called.set()
        return head.statement.height

    def may_be_made(self, height: int) -> bool:
        """Is a snapshot of this block of use? A chain that is not longer than the blocks that come
        with one is fetched as fast; plans of recovery are proved by executing only."""
        return base_max(height, self._store.genesis.limits) > 0 and not self._store.recoveries

    async def run(self) -> None:
        """Make what is due, one after the other, until cancelled."""
        while True:
            await self._called.wait()
            self._called = trio.Event()
            due = self._due
            assert due is not None, "set before the call"
            await self._certified(due.statement.height)
            try:
                await trio.to_thread.run_sync(self._make, due)
            except (LedgerError, OSError) as error:
                _log.error("snapshot_failed", height=due.statement.height, reason=str(error))
            finally:
                self._due = None

    async def _certified(self, height: int) -> None:
        """Until that block is; with the next block, nearly always, or some time after it."""
        while self._store.certified_height < height:
            self._block = trio.Event()
            with trio.move_on_after(CERTIFIED_POLL_S):
                await self._block.wait()

    # --- on the thread ----------------------------------------------------------------------

    def _make(self, due: StateSnapshot) -> None:
        store, height = self._store, due.statement.height
        certificate = store.execution_certificate(height)
        assert certificate is not None, "waited for"
        self._folder.mkdir(exist_ok=True)
        began = time.monotonic()
        path = self._folder / f"{height}.snapshot"
        writer = SnapshotWriter(path)
        try:
            manifest = make_snapshot(
                due.items(),
                certificate,
                changes_up_to(store, height),
                writer,
                self._folder / SORTING,
                pace=_Pace(trio.from_thread.check_cancelled),
                size=snapshot.CHUNK_SIZE,
            )
            writer.finish(manifest)
        except BaseException:
            writer.abandon()
            raise
        reader = SnapshotReader(path)
        self._kept = (*(one for one in self._kept if one.manifest.height != height), reader)
        self._drop()
        _log.info(
            "snapshot_made",
            height=height,
            chunks=reader.chunks,
            bytes=reader.size,
            seconds=round(time.monotonic() - began, 1),
        )

    def _drop(self) -> None:
        old, self._kept = self._kept[:-KEPT_MAX], self._kept[-KEPT_MAX:]
        for reader in old:
            reader.path.unlink(missing_ok=True)  # who reads it still can: the file is open

    def close(self) -> None:
        """After `run` has ended, and nobody reads any more."""
        for reader in self._kept:
            reader.close()
        self._kept = ()


def changes_up_to(store: Store, height: int) -> list[CommitteeChange]:
    """The changes of the committee up to that of the block after `height`, which is certified."""
    changes: list[CommitteeChange] = []
    for epoch in store.epochs.decided[1:]:
        if epoch.base <= height:
            certificate = store.execution_certificate(epoch.base)
            assert certificate is not None, "what ended an epoch is certified"
            changes.append(CommitteeChange(epoch.validators, certificate))
    return changes


class _Pace:
    """Sleeps so that others get their turn at the interpreter."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._since = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._since >= WORK_S:
            self._check()
            time.sleep(REST_S)
            self._since = time.monotonic()


def _remove(path: Path) -> None:
    """What an interrupted making left."""
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
