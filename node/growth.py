"""How large a node has become, and how much room is left (5.3a)."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ledger import schema
from ledger.store import Store
from node.archivist import Archivist

FRESH_S = 5.0  # for which figures are good: a ledger of 10 GB has 5,000 files to be asked
TABLES: Mapping[str, bytes] = {
    "blocks": schema.BLOCK,
    "headers": schema.HEADER,
    "receipts": schema.RECEIPTS,
    "statements": schema.STATEMENT,
    "commit_certificates": schema.COMMIT_CERTIFICATE,
    "execution_certificates": schema.EXECUTION_CERTIFICATE,
    "block_hashes": schema.HASH,
    "transaction_ids": schema.TRANSACTION,
    "state": schema.STATE,
    "state_tree": schema.PAGE,
}


@dataclass(frozen=True, slots=True)
class Growth:
    """Sizes in bytes. A folder or disk that cannot be asked counts nothing."""

    base: int  # lowest height in the ledger
    archived_below: int  # heights below it are in archives; 0: none
    ledger: int
    tables: Mapping[str, int]  # of it, roughly: what was just written is missing
    journal: int
    archives: int
    free: int  # on the disk of the ledger
    archives_free: int | None  # on that of the archives; None: none are written
    failure: str  # why old blocks do not leave the ledger; empty: nothing is wrong


class GrowthWatch:
    """Measures when it is asked, and not again at once. Thread safe."""

    def __init__(self, store: Store, archivist: Archivist, *, ledger: Path, journal: Path) -> None:
        """`ledger` and `journal` are the folders."""
        self._store = store
        self._archivist = archivist
        self._ledger = ledger
        self._journal = journal
        self._lock = threading.Lock()
        self._known: tuple[float, Growth] | None = None

    def read(self) -> Growth:
        """Raises LedgerClosed."""
        with self._lock:
            now = time.monotonic()
            if self._known is None or now - self._known[0] > FRESH_S:
                self._known = now, self._measured()
            return self._known[1]

    def _measured(self) -> Growth:
        archivist = self._archivist
        folder = archivist.folder
        return Growth(
            base=self._store.base,
            archived_below=archivist.archived_height + 1,
            ledger=size_of(self._ledger),
            tables={name: self._store.size_of(table) for name, table in TABLES.items()},
            journal=size_of(self._journal),
            archives=0 if folder is None else size_of(folder),
            free=_free(self._ledger),
            archives_free=None if folder is None else _free(folder),
            failure=archivist.failure,
        )


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; what goes away meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # LevelDB removes files at any time
                continue
    return total


def _free(folder: Path) -> int:
    """To this process; 0 where the disk is not there."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
