"""What can be replayed: a ledger, archives, what a running node serves. None is believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from client.node import NodeClient
from crypto.providers.software import verify_batch
from ledger.archive_reader import Archive
from ledger.committee import Epochs
from ledger.errors import ArchiveIncomplete, ArchiveInvalid, HeightPruned
from ledger.genesis import Genesis
from ledger.model import Block, CommitCertificate, ExecutionCertificate, Receipt
from ledger.recovery import Recovery
from ledger.segments import Segment, is_folder, read_segments
from ledger.segments import iterate_blocks as iterate_segments
from ledger.store import Store
from node.audit.examined import Examined
from node.audit.outcomes import compare_states
from node.bootstrap import LEDGER


class Source(Protocol):
    """A chain as somebody kept it: heights `base` to `height`.

    Methods raise LedgerDamaged or ArchiveInvalid for what cannot be read, ClientError for a node.
    """

    @property
    def chain_id(self) -> bytes: ...

    @property
    def base(self) -> int:
        """The lowest height that is known to be there."""
        ...

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
    """The ledger of a node that is not running, or a copy of one; from its base on."""

    archive = ""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.base = store.base
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
        self.base = archive.first
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


class SegmentsSource:
    """A folder of archives that begins with the genesis, and what goes on where it ends, if any."""

    base = 0

    def __init__(self, segments: Sequence[Segment], newest: Archive, rest: Source | None) -> None:
        """`newest` is the last of `segments`. Raises ArchiveInvalid, ArchiveIncomplete."""
        end = segments[-1].last
        if rest is not None and rest.height < end:
            raise ArchiveInvalid(
                f"the archives reach to block {end}, what is examined with them to {rest.height}: "
                "it is older than they are; examine them alone"
            )
        if rest is not None and rest.base > end + 1:
            raise ArchiveIncomplete(
                f"blocks {end + 1} to {rest.base - 1} are missing: the archives end below them, "
                "the ledger begins above",
                height=end + 1,
            )
        self._segments, self._rest = segments, rest
        self._below = 0  # transactions in what was read below the base of the rest
        last: Source = ArchiveSource(newest) if rest is None else rest
        self._last = last
        self.chain_id = last.chain_id
        self.height = last.height
        self.recoveries = last.recoveries
        self.archive = last.archive

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[Examined]:
        end = self._segments[-1].last
        base = 0 if self._rest is None else self._rest.base
        if from_height <= end:
            for stored in iterate_segments(self._segments, from_height, min(to_height, end)):
                if stored.block.header.height < base:
                    self._below += len(stored.block.transactions)
                yield stored
        if self._rest is not None and to_height > end:
            yield from self._rest.iterate_blocks(max(from_height, end + 1), to_height)

    def epochs(self, genesis: Genesis) -> Epochs | None:
        return self._last.epochs(genesis)

    def finish(self, again: Store, transactions: int) -> None:
        if self._rest is not None:
            self._rest.finish(again, transactions - self._below)
        elif transactions != sum(segment.transactions for segment in self._segments):
            raise ArchiveInvalid(
                f"the archives have {transactions} transactions, their closing records say other "
                "numbers; verify them one by one"
            )


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
    base = 0  # what the node no longer keeps, it refuses when it is asked for it
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
    return "ledger" if source.is_dir() and not _is_segments(source) else "archive"


def ledger_path(source: Path) -> Path:
    """The folder of the ledger: `source` or the one in it."""
    return source / LEDGER if (source / LEDGER).is_dir() else source


@contextmanager
def opened(
    source: Path | NodeClient, chain_id: bytes, archives: Path | None = None
) -> Iterator[Source]:
    """A file is an archive; a folder one of segments, a data directory or the ledger in it.

    `archives` is a folder of segments with what `source` lacks from the genesis on. Raises
    LedgerDamaged, LedgerInUse, HeightPruned, ArchiveInvalid, OSError, ClientError.
    """
    with ExitStack() as stack:
        if archives is None and isinstance(source, Path) and _is_segments(source):
            yield _joined(stack, source, chain_id, None)
        elif archives is not None:
            yield _joined(stack, archives, chain_id, _single(stack, source))
        else:
            found = _single(stack, source)
            if isinstance(found, LedgerSource) and found.base:  # an archive tells when it is read
                raise HeightPruned(0, found.base)
            yield found


def _single(stack: ExitStack, source: Path | NodeClient) -> Source:
    if isinstance(source, NodeClient):
        return NodeSource(source)
    if not source.is_dir():
        return ArchiveSource(stack.enter_context(Archive.open(source)))
    store = Store.open(ledger_path(source))
    stack.callback(store.close)
    return LedgerSource(store)


def _joined(stack: ExitStack, folder: Path, chain_id: bytes, rest: Source | None) -> Source:
    segments = read_segments(folder, chain_id, verify_batch)
    if not segments:
        raise ArchiveInvalid(f"{folder} holds no archives: name the folder that a node writes to")
    newest = stack.enter_context(Archive.open(segments[-1].path))
    return SegmentsSource(segments, newest, rest)


def _is_segments(folder: Path) -> bool:
    return folder.is_dir() and not (ledger_path(folder) / "db").is_dir() and is_folder(folder)
