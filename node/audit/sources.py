"""What can be replayed: a node's ledger, or an archive of one. Neither is believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ledger.archive_reader import Archive
from ledger.committee import Epochs
from ledger.genesis import Genesis
from ledger.recovery import Recovery
from ledger.store import Store, StoredBlock
from node.audit.outcomes import compare_states
from node.bootstrap import LEDGER


class Source(Protocol):
    """A chain as somebody kept it: heights 0 to `height`.

    Methods raise LedgerDamaged or ArchiveInvalid for what cannot be read.
    """

    @property
    def chain_id(self) -> bytes: ...

    @property
    def height(self) -> int: ...

    @property
    def recoveries(self) -> tuple[Recovery, ...]: ...

    @property
    def archive(self) -> str:
        """The digest that names the archive; empty for a ledger."""
        ...

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[StoredBlock]: ...

    def epochs(self, genesis: Genesis) -> Epochs:
        """The committees, as the source has them."""
        ...

    def finish(self, again: Store, transactions: int) -> None:
        """After the last block: compare what is there besides with the ledger made anew.

        Raises Diverges, too.
        """
        ...


class LedgerSource:
    """The ledger of a node that is not running, or a copy of one."""

    archive = ""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.chain_id = store.chain_id
        self.height = store.height
        self.recoveries = store.recoveries

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[StoredBlock]:
        return self._store.iterate_blocks(from_height, to_height)

    def epochs(self, genesis: Genesis) -> Epochs:
        return self._store.epochs

    def finish(self, again: Store, transactions: int) -> None:
        compare_states(again, self._store)
        self._store.scrub()


class ArchiveSource:
    """A file that `shuxin audit export` wrote, or somebody else."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.chain_id = archive.chain_id
        self.height = archive.height
        self.recoveries = archive.recoveries
        self.archive = archive.digest.hex()

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[StoredBlock]:
        return self._archive.iterate_blocks(from_height, to_height)

    def epochs(self, genesis: Genesis) -> Epochs:
        return self._archive.epochs(genesis)

    def finish(self, again: Store, transactions: int) -> None:
        self._archive.verify_counts(transactions)


def ledger_path(source: Path) -> Path:
    """The folder of the ledger: `source` or the one in it."""
    return source / LEDGER if (source / LEDGER).is_dir() else source


@contextmanager
def opened(source: Path) -> Iterator[Source]:
    """A file is an archive, a folder a data directory or the ledger in it.

    Raises LedgerDamaged, LedgerInUse, ArchiveInvalid, OSError.
    """
    if source.is_dir():
        store = Store.open(ledger_path(source))
        try:
            yield LedgerSource(store)
        finally:
            store.close()
    else:
        with Archive.open(source) as archive:
            yield ArchiveSource(archive)
