"""What can be replayed: a ledger, an archive, what a running node serves. None is believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from client.node import NodeClient
from ledger.archive_reader import Archive
from ledger.committee import Epochs
from ledger.errors import HeightPruned
from ledger.genesis import Genesis
from ledger.model import Block, CommitCertificate, ExecutionCertificate, Receipt
from ledger.recovery import Recovery
from ledger.store import Store
from node.audit.examined import Examined
from node.audit.outcomes import compare_states
from node.bootstrap import LEDGER


class Source(Protocol):
    """A chain as somebody kept it: heights 0 to `height`.

    Methods raise LedgerDamaged or ArchiveInvalid for what cannot be read, ClientError for a node.
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

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[Examined]: ...

    def epochs(self, genesis: Genesis) -> Epochs | None:
        """The committees, as the source has them; None if it tells of them in its blocks alone."""
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
        """Raises HeightPruned for a ledger that begins above the genesis."""
        if store.base:
            raise HeightPruned(0, store.base)
        self._store = store
        self.chain_id = store.chain_id
        self.height = store.height
        self.recoveries = store.recoveries

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[Examined]:
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

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[Examined]:
        return self._archive.iterate_blocks(from_height, to_height)

    def epochs(self, genesis: Genesis) -> Epochs:
        return self._archive.epochs(genesis)

    def finish(self, again: Store, transactions: int) -> None:
        self._archive.verify_counts(transactions)


class NodeUnreplayable(Exception):
    """A node does not serve all that a replay needs; says what to do."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a node says about a height. Its own statements it keeps to itself."""

    block: Block
    receipts: tuple[Receipt, ...]
    statement: None
    commit_certificate: CommitCertificate | None
    execution_certificate: ExecutionCertificate | None


class NodeSource:
    """A running node, asked for one certified block after the other."""

    archive = ""
    recoveries: tuple[Recovery, ...] = ()

    def __init__(self, node: NodeClient) -> None:
        """Raises ClientError."""
        self._node = node
        status = node.status()
        self.chain_id = status.chain_id
        self.height = status.certified_height

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[Served]:
        """Raises NodeUnreplayable, too: recovery plans are nothing that a node serves."""
        for height in range(from_height, to_height + 1):
            found = self._node.block(height)
            certificate = found.execution_certificate
            if certificate is not None and certificate.statement.chain_id != self.chain_id:
                raise NodeUnreplayable(
                    f"block {height} was signed under a recovery plan, which nodes do not serve: "
                    "export an archive from a copy of the node's ledger and replay that"
                )
            commit = found.commit_certificate
            yield Served(found.block, found.receipts, None, commit, certificate)

    def epochs(self, genesis: Genesis) -> None:
        """Only those of its blocks."""

    def finish(self, again: Store, transactions: int) -> None:
        """A node serves nothing besides."""


def kind_of(source: Path | NodeClient) -> str:
    """What a report calls it."""
    if isinstance(source, NodeClient):
        return "node"
    return "ledger" if source.is_dir() else "archive"


def ledger_path(source: Path) -> Path:
    """The folder of the ledger: `source` or the one in it."""
    return source / LEDGER if (source / LEDGER).is_dir() else source


@contextmanager
def opened(source: Path | NodeClient) -> Iterator[Source]:
    """A file is an archive, a folder a data directory or the ledger in it.

    Raises LedgerDamaged, LedgerInUse, HeightPruned, ArchiveInvalid, OSError, ClientError.
    """
    if isinstance(source, NodeClient):
        yield NodeSource(source)
    elif source.is_dir():
        store = Store.open(ledger_path(source))
        try:
            yield LedgerSource(store)
        finally:
            store.close()
    else:
        with Archive.open(source) as archive:
            yield ArchiveSource(archive)
