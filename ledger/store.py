"""The ledger on disk: one atomic, synced write per block.

A commit puts the block, its receipts, its state writes, the pages of the state tree, the
indexes, our statement and the commit certificate into one LevelDB batch: after a crash all of
it is there or none. One thread writes; any thread reads. Opening checks the newest blocks and
the state root; `scrub` checks everything.
"""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ledger.base import OPEN_CHECK_BLOCKS, base_max, check_beginning
from ledger.batch_proof import BatchProof, join_proofs
from ledger.blocks import genesis_block
from ledger.certificates import VerifyBatch
from ledger.commit import Commit, StoredBlock, rows_of
from ledger.committee import Epoch, Epochs
from ledger.disk import Disk
from ledger.encoding import encode
from ledger.errors import REMEDY, CertificateInvalid, HeightPruned, HeightUnknown, LedgerDamaged
from ledger.findings import Findings
from ledger.genesis import Genesis, chain_id
from ledger.merkle import receipts_root
from ledger.model import (
    Block,
    BlockHeader,
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Receipt,
    StateWrite,
    block_hash,
)
from ledger.proof import StateKey, StateProof
from ledger.prune import Pruned, freed_ranges, ignore_pruned, next_step
from ledger.records import Records
from ledger.recovery import Recovery, domain_after
from ledger.schema import (
    CERTIFIED_KEY,
    COMMITTEE,
    EXECUTION_CERTIFICATE,
    FORMAT,
    FORMAT_KEY,
    GENESIS_KEY,
    META,
    PAGE,
    RECOVERY,
    at_height,
    number,
    seal,
    state_key,
    unseal,
)
from ledger.scrub import Progress, Scrub, check_height, ignore_progress
from ledger.state import StateTree
from ledger.stem import STEM_LEVELS
from ledger.versions import StateSnapshot, Version, Versions, scan_state

RECENT_BLOCKS_MAX = 4  # decoded blocks kept: clients ask for receipts of the newest

T = TypeVar("T")


class Store:
    """`tree.apply(writes)` for the state root, `commit`, and then `certify`, height by height."""

    def __init__(self, disk: Disk) -> None:
        """Use `Store.create` or `Store.open`."""
        self._disk = disk
        self._records = Records(disk)
        self._writer = threading.Lock()
        self._pruner = threading.Lock()
        self._recent: OrderedDict[int, tuple[Block, tuple[Receipt, ...]]] = OrderedDict()
        self._recent_lock = threading.Lock()
        self.genesis: Genesis = self._records.genesis()
        self.chain_id = chain_id(self.genesis)
        self._epochs = Epochs([Epoch(0, self.genesis.validators, self.chain_id)])
        self._recoveries: tuple[Recovery, ...] = ()
        self.tree = StateTree(lambda name: disk.get(PAGE + name))
        self._versions = Versions(self.tree)
        self._base = 0
        self._height = -1
        self._certified_height = 0

    @classmethod
    def create(
        cls, path: Path, genesis: Genesis, writes: Sequence[StateWrite], *, is_durable: bool = True
    ) -> Store:
        """Make a ledger of the genesis block, whose contracts wrote `writes`, at a new `path`."""
        building = path.with_name(path.name + ".new")  # a half-made ledger never has the name
        if building.exists():
            shutil.rmtree(building)
        disk = Disk(building, create=True)
        disk.write(
            [(FORMAT_KEY, FORMAT), (GENESIS_KEY, encode(genesis)), (CERTIFIED_KEY, number(0))]
        )
        store = cls(disk)
        block = genesis_block(genesis)
        statement = ExecutionStatement(
            chain_id=store.chain_id,
            height=0,
            block_hash=block_hash(block.header),
            state_root=store.tree.apply(writes),
            receipts_root=receipts_root(()),
            next_validators_hash=genesis.validators.digest,
            time_ms=genesis.time_ms,
        )
        store.commit(Commit(block, (), writes, statement, None))
        store.close()
        building.rename(path)
        return cls.open(path, is_durable=is_durable)

    @classmethod
    def open(cls, path: Path, *, is_durable: bool = True) -> Store:
        """Open and check an existing ledger (see Disk). Raises LedgerDamaged or LedgerInUse."""
        disk = Disk(path, is_durable=is_durable)
        try:
            store = cls(disk)
            store._load()
        except BaseException:
            disk.close()
            raise
        return store

    # --- reading ----------------------------------------------------------------------------

    @property
    def base(self) -> int:
        """The lowest height of which everything is stored (see ledger.base).

        What asks for a lower one raises HeightPruned, but for certificates that end an epoch.
        """
        return self._base

    @property
    def height(self) -> int:
        """Of the newest stored block."""
        return self._height

    @property
    def certified_height(self) -> int:
        """Every block up to it has an execution certificate (the genesis needs none)."""
        return self._certified_height

    @property
    def epochs(self) -> Epochs:
        """All that the blocks up to the newest decided about committees."""
        return self._epochs

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """The recovery plans that this ledger follows; the last may name a height to come."""
        return self._recoveries

    def recoveries_at(self, height: int) -> tuple[Recovery, ...]:
        """The plans by which the chain goes on from this height; the last one is in force."""
        return tuple(one for one in self._recoveries if one.plan.height == height)

    @property
    def current_epoch(self) -> Epoch:
        """The newest that has begun: every block before it is certified."""
        return self._epochs.at(self._certified_height + 1)

    def get(self, namespace: str, key: bytes) -> bytes | None:
        """The value of a key after the newest block."""
        return self._disk.get(state_key(namespace, key))

    def scan(
        self, namespace: str, low: bytes, high: bytes, *, is_reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys of a namespace from `low` up to and without `high`, or down, with their values.

        After the newest block. Raises LedgerDamaged.
        """
        return scan_state(self._disk, namespace, low, high, is_reverse=is_reverse)

    def iterate_state(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Namespace, key and value of all that the state holds now. Raises LedgerDamaged."""
        return self.head_snapshot().items()

    def header(self, height: int) -> BlockHeader:
        return self._read(height, self._records.header)

    def block(self, height: int) -> Block:
        return self._body(height)[0]

    def receipts(self, height: int) -> tuple[Receipt, ...]:
        return self._body(height)[1]

    def changes(self, height: int) -> tuple[StateWrite, ...] | None:
        """The state writes of a block; None for one that came with a snapshot."""
        return self._read(height, self._records.changes)

    def statement(self, height: int) -> ExecutionStatement:
        """What this replica found the outcome of the block to be."""
        return self._read(height, self._records.statement)

    def head_statement(self) -> ExecutionStatement:
        return self._versions.newest.statement

    def commit_certificate(self, height: int) -> CommitCertificate | None:
        """None for the genesis block."""
        return self._read(height, self._records.commit_certificate)

    def execution_certificate(self, height: int) -> ExecutionCertificate | None:
        """None while the block is not certified, and for the genesis block."""
        if height < self._base and self._epochs.is_last(height):
            return self._records.execution_certificate(height)
        return self._read(height, self._records.execution_certificate)

    def find_transaction(self, transaction_id: bytes) -> tuple[int, int] | None:
        """(height, index) of an included transaction."""
        return self._records.find_transaction(transaction_id)

    def find_block(self, block_hash: bytes) -> int | None:
        """The height of the block with this hash."""
        return self._records.find_block(block_hash)

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[StoredBlock]:
        """All that is stored about the heights of a closed range, in order."""
        for height in range(self._known(from_height), self._known(to_height) + 1):
            yield self._read(height, self._stored)

    def snapshot(self) -> StateSnapshot:
        """The newest certified state (right after opening: the newest, while it is not yet)."""
        version = self._versions.readable(self._certified_height)
        return StateSnapshot(version.statement, version.snapshot)

    def head_snapshot(self) -> StateSnapshot:
        """The state after the newest block, certified or not."""
        version = self._versions.newest
        return StateSnapshot(version.statement, version.snapshot)

    def prove(self, namespace: str, key: bytes) -> tuple[StateProof, ExecutionStatement]:
        """The proof of a key's value or absence after the newest block."""
        found = self._versions.prove([(namespace, key)], lambda: self._versions.newest)
        assert found is not None, "there is a newest one"
        return found[0][0], found[1]

    def prove_certified(
        self, namespace: str, key: bytes, height: int = 0
    ) -> tuple[bytes | None, StateProof, ExecutionCertificate] | None:
        """Value, proof and certificate at `height`, or (0) the newest certified one.

        None for a height that is not kept (see `provable`), and until there is one.
        """
        found = self._prove_certified([(namespace, key)], height)
        return None if found is None else (found[0][0].value, found[0][0], found[1])

    def prove_batch(
        self, keys: Sequence[StateKey], height: int = 0
    ) -> tuple[BatchProof, ExecutionCertificate] | None:
        """One proof of 1 to BATCH_KEYS_MAX different keys; heights as in `prove_certified`."""
        found = self._prove_certified(keys, height)
        return None if found is None else (join_proofs(keys, found[0]), found[1])

    def _prove_certified(
        self, keys: Sequence[StateKey], height: int
    ) -> tuple[list[StateProof], ExecutionCertificate] | None:
        found = self._versions.prove(
            keys, lambda: self._versions.certified(self._certified_height, height)
        )
        if found is None:
            return None
        certificate = self._records.execution_certificate(found[1].height)
        return None if certificate is None else (found[0], certificate)  # the genesis has none

    @property
    def provable(self) -> tuple[int, int]:
        """First and last height whose state can be proved; (1, 0) while there is none."""
        versions = self._versions
        return max(1, versions.oldest.height), min(versions.newest.height, self._certified_height)

    def get_meta(self, name: bytes) -> bytes | None:
        """What another package stored under `name`. Raises LedgerDamaged."""
        stored = self._disk.get(META + name)
        return None if stored is None else unseal(name, stored)

    # --- writing ----------------------------------------------------------------------------

    def commit(self, commit: Commit) -> None:
        """Store the next block and all it changes, atomically and durably.

        `tree.apply(commit.writes)` must have been the last use of the tree.
        """
        with self._writer:
            self._assert_fits(commit)
            self._disk.write(self.pairs_of(commit))
            height = commit.statement.height
            self._versions.append(commit.statement, self._disk)
            self._height = height
            if commit.next_epoch is not None:
                self._epochs = self._epochs.with_next(commit.next_epoch)
            self._remember(height, commit.block, tuple(commit.receipts))

    def pairs_of(self, commit: Commit) -> Iterator[tuple[bytes, bytes | None]]:
        """Everything that `commit` puts (None: deletes), while its writes are staged."""
        return rows_of(commit, self.tree.staged_pages())

    def certify(self, certificate: ExecutionCertificate) -> None:
        """Store a verified execution certificate of a stored block.

        Raises CertificateInvalid when a quorum found another outcome than this replica.
        """
        height = certificate.statement.height
        with self._writer:
            if certificate.statement != self.statement(height):
                raise CertificateInvalid(
                    f"execution certificate of height {height}: its statement is not what this "
                    "ledger holds; stop the node and compare it with its peers"
                )
            data = encode(certificate)
            certified = self._certified_height
            if height == certified + 1:
                certified = height
                while self._records.execution_certificate(certified + 1) is not None:
                    certified += 1
            # Not synced: after a power failure peers have it, or replicas vote for it again. But
            # the votes of an epoch may outlive the power only together with what begins it.
            self._disk.write(
                [
                    (at_height(EXECUTION_CERTIFICATE, height), data),
                    (CERTIFIED_KEY, number(certified)),
                ],
                is_synced=self._epochs.is_last(height),
            )
            self._certified_height = certified

    def follow(self, recovery: Recovery) -> None:
        """From now on the chain goes on from the block that the plan names; durable.

        The plan was verified (ledger.recovery), and nothing above its height is stored.
        """
        plan = recovery.plan
        assert plan.number == len(self._recoveries) + 1 and plan.height >= self._height
        self._disk.write([(at_height(RECOVERY, plan.number), encode(recovery))])
        self._recoveries = (*self._recoveries, recovery)
        self._epochs = self._epochs.with_recovery(plan.height, domain_after(plan))

    def keep_versions(self, count: int) -> None:
        """From now on keep the newest `count` states provable."""
        self._versions.keep(count)

    def prune(self, base: int, advance: Pruned = ignore_pruned) -> None:
        """Raise the base, step by step; others commit and read meanwhile.

        `advance(base)` is told of every step and may wait or raise. What the process leaves when it
        dies is a ledger with a lower base. Raises LedgerDamaged, LedgerError for a full disk.
        """
        assert base <= base_max(self._certified_height, self.genesis.limits), "those are needed"
        with self._pruner:
            while self._base < base:
                before = self._base
                step = next_step(self._records, self._epochs, before, base)
                self._base = step.base  # first: who reads there is told so, and finds no damage
                try:
                    # Not synced: what a power failure takes back is pruned again.
                    self._disk.write(step.pairs(), is_synced=False)
                except BaseException:
                    self._base = before
                    raise
                advance(step.base)

    def give_back(self, advance: Pruned = ignore_pruned) -> None:
        """Free the room of what was pruned, in pieces beside which others commit and read.

        In vain for what a snapshot still shows: the states that can be proved are some, until newer
        blocks have taken the place of all (see `provable`). `advance(base)` is told of every piece
        and may wait or raise.
        """
        base = self._base
        for low, high in freed_ranges(base, self._disk.size):
            self._disk.compact(low, high)
            advance(base)

    def size_of(self, table: bytes) -> int:
        """Bytes of a table of ledger.schema on disk, roughly."""
        return self._disk.size(table, bytes([table[0] + 1]))

    def put_meta(self, name: bytes, value: bytes | None) -> None:
        """Durably store (None: remove) bytes for another package."""
        self._disk.write([(META + name, None if value is None else seal(name, value))])

    def examination(
        self,
        findings: Findings,
        *,
        verify_batch: VerifyBatch | None = None,
        progress: Progress = ignore_progress,
    ) -> Scrub:
        """What checks everything that is stored, part by part; safe beside commits."""
        snapshot, path = self._disk.snapshot, self._disk.database_path
        return Scrub(snapshot, path, findings, verify_batch=verify_batch, progress=progress)

    def scrub(self, progress: Progress = ignore_progress) -> None:
        """Check everything but signatures in one go. Raises LedgerDamaged."""
        findings = Findings()
        examination = self.examination(findings, progress=progress)
        examination.blocks()
        examination.rest()
        findings.raise_first()

    def close(self) -> None:
        self._disk.close()

    # --- inside -----------------------------------------------------------------------------

    def _load(self) -> None:
        """Read where the ledger stands and check its newest part."""
        snapshot = self._disk.snapshot()
        records = Records(snapshot)
        self._recoveries = records.recoveries(snapshot.scan(RECOVERY))
        self._epochs = records.epochs(snapshot.scan(COMMITTEE), self._recoveries)
        height = records.head_height()
        base = check_beginning(records, self._epochs)
        first = max(base, height - OPEN_CHECK_BLOCKS + 1)
        previous = records.header(first - 1) if first > base else None
        for checked in range(first, height + 1):
            previous = check_height(records, self._epochs, checked, previous)
        statement = records.statement(height)
        root = self.tree.restore(
            (key[1:], page) for key, page in snapshot.scan(PAGE + bytes([STEM_LEVELS]))
        )
        if root != statement.state_root:
            raise LedgerDamaged(
                f"block {height}: the state tree has root {root.hex()}, the block ended with "
                f"{statement.state_root.hex()}; {REMEDY}",
                height=height,
            )
        self._versions.begin(Version(statement, snapshot, None))
        self._base, self._height = base, height
        self._certified_height = records.certified_height()

    def _known(self, height: int) -> int:
        if not 0 <= height <= self._height:
            raise HeightUnknown(f"there is no block {height}; this ledger ends at {self._height}")
        if height < self._base:
            raise HeightPruned(height, self._base)
        return height

    def _read(self, height: int, read: Callable[[int], T]) -> T:
        """What `read` finds about a height."""
        try:
            return read(self._known(height))
        finally:
            self._known(height)  # what was pruned meanwhile is not damaged, nor never certified

    def _stored(self, height: int) -> StoredBlock:
        records = self._records
        return StoredBlock(
            records.block(height),
            records.receipts(height),
            records.statement(height),
            records.commit_certificate(height),
            records.execution_certificate(height),
        )

    def _body(self, height: int) -> tuple[Block, tuple[Receipt, ...]]:
        self._known(height)
        with self._recent_lock:
            body = self._recent.get(height)
        if body is None:
            body = (
                self._read(height, self._records.block),
                self._read(height, self._records.receipts),
            )
            self._remember(height, *body)
        return body

    def _remember(self, height: int, block: Block, receipts: tuple[Receipt, ...]) -> None:
        with self._recent_lock:
            self._recent[height] = (block, receipts)
            if len(self._recent) > RECENT_BLOCKS_MAX:
                self._recent.popitem(last=False)

    def _assert_fits(self, commit: Commit) -> None:
        header, statement = commit.block.header, commit.statement
        assert header.height == statement.height == self._height + 1, "blocks are stored in order"
        assert statement.block_hash == block_hash(header), "the statement is about the block"
        assert len(commit.receipts) == len(commit.block.transactions), "a receipt each"
        assert (commit.commit_certificate is None) == (header.height == 0), "ordered by a quorum"
        assert self.tree.staged_root == statement.state_root, "the tree has staged the writes"
        if self._height >= 0:
            previous = self.head_statement().block_hash
            assert header.previous_hash == previous, "the block follows the head"
