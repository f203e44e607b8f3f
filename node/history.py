"""Keeps the history beside the ledger up with it: one thread that reads what is certified.

Never ahead of a quorum, and never in the way of a commit: it only reads the ledger, and while it
has much to catch up with it rests as long as it works. A node without it, or whose history is
damaged or far behind, orders and executes as any other.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import structlog

from ledger.errors import HistoryDamaged, LedgerClosed, LedgerDamaged, LedgerError
from ledger.history.database import History, open_history
from ledger.history.rows import Source
from ledger.store import Store
from node.announce import Announcer

HISTORY = "history"
BEHIND = 8  # blocks; from here on it catches up rather than follows
IDLE_S = 1.0  # between two looks at a ledger that does not grow
RETRY_S = 10.0  # after a fault of the disk
PROGRESS_S = 10.0  # between two lines of progress in the log

_log = structlog.get_logger("node.history")


def history_of(data_dir: Path, store: Store) -> History | None:
    """The history of a ledger, which goes on or begins anew; None, and the log says why, where its
    folder cannot be used: that is no reason not to start a node."""

    def is_block(height: int, block_hash: bytes) -> bool:
        is_here = store.base <= height <= store.height
        return is_here and store.statement(height).block_hash == block_hash

    path = data_dir / HISTORY
    try:
        history, reason = open_history(path, store.chain_id, store.base, is_block)
    except (LedgerError, OSError) as error:
        _log.error("history_unusable", folder=str(path), reason=str(error))
        return None
    if reason:
        blocks = store.certified_height + 1 - store.base
        _log.info("history_begun", reason=reason, first=store.base, blocks=blocks)
    return history


class Follower:
    """Owns the history; its thread is the only one that writes to it."""

    def __init__(
        self, history: History, store: Store, announcer: Announcer, *, keep_blocks: int
    ) -> None:
        """`keep_blocks` 0: all."""
        self.history = history
        self._store = store
        self._announcer = announcer
        self._keep_blocks = keep_blocks
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._told = (time.monotonic(), history.height)

    @property
    def lag_blocks(self) -> int:
        """Certified blocks that are not in the history yet."""
        return max(0, self._store.certified_height - self.history.height)

    @property
    def needed_from(self) -> int | None:
        """The lowest height that the ledger must keep for it; None once it has stopped."""
        return self.history.height + 1 if self._thread.is_alive() else None

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop the thread, if it runs, and close the history; the announcer may be closed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self.history.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._advance()
            except LedgerClosed:
                return
            except (HistoryDamaged, LedgerDamaged) as error:
                _log.error("history_stopped", reason=str(error))
                return
            except (LedgerError, OSError) as error:
                _log.error("history_failed", reason=str(error), again_in_s=RETRY_S)
                self._stopping.wait(RETRY_S)
            except Exception as error:  # a fault of the program: the node goes on without it
                _log.error("history_stopped", reason=type(error).__name__, exc_info=error)
                return

    def _advance(self) -> None:
        """Add the next certified block, or wait for it a moment."""
        height = self.history.height + 1
        if height > self._store.certified_height:
            if self._announcer.closed:  # it would not wait
                self._stopping.wait(IDLE_S)
            else:
                self._announcer.wait_above(height - 1, IDLE_S)
            return
        began = time.monotonic()
        store = self._store
        block, receipts = store.block(height), store.receipts(height)
        self.history.add(Source(block, receipts, store.changes(height)))
        if self._keep_blocks:
            self.history.keep(self._keep_blocks)
        if self.lag_blocks >= BEHIND:
            self._tell_progress(height)
            self._stopping.wait(time.monotonic() - began)

    def _tell_progress(self, height: int) -> None:
        then, at = self._told
        now = time.monotonic()
        if now - then >= PROGRESS_S:
            rate = round((height - at) / (now - then), 1)
            _log.info(
                "history_progress", height=height, lag_blocks=self.lag_blocks, blocks_per_s=rate
            )
            self._told = now, height
