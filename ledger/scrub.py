"""The checks of a stored ledger: of one height, and of everything.

They find damage: bytes that changed, or that are missing. They do not judge honesty: execution is
the business of audit, which trusts nothing but the genesis. Signatures are verified all the same
where a caller brings what verifies them: no hash covers their bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeAlias

from crypto import sm3
from ledger.base import check_beginning, handovers
from ledger.blocks import genesis_block, proposal_of, verify_transactions
from ledger.certificates import (
    VerifyBatch,
    verify_commit_certificate,
    verify_execution_certificate,
)
from ledger.committee import Epochs
from ledger.disk import Snapshot
from ledger.errors import (
    REMEDY,
    BlockInvalid,
    CertificateInvalid,
    LedgerDamaged,
    RecoveryInvalid,
)
from ledger.findings import BOOKS, HISTORY, INDEX, STATE, Findings
from ledger.folds import fold_leaves
from ledger.genesis import chain_id
from ledger.merkle import receipts_root, transactions_root
from ledger.model import (
    Block,
    BlockHeader,
    ExecutionStatement,
    block_hash,
    proposal_digest,
    transaction_id,
)
from ledger.pages import find_leaf, walk_page
from ledger.proof import leaf_hash, state_path
from ledger.records import Records
from ledger.recovery import verify_recovery
from ledger.schema import (
    BOOK_KEYS,
    COMMITTEE,
    EXECUTION_CERTIFICATE,
    HASH,
    HEADER,
    HEIGHT_TABLES,
    META,
    PAGE,
    RECEIPTS,
    RECOVERY,
    TABLES,
    TRANSACTION,
    at_height,
    number,
    split_state_key,
    state_key,
    unseal,
)
from ledger.schema import (
    STATE as STATE_TABLE,
)
from ledger.stem import STEM_LEVELS
from ledger.tables import database_faults

PROGRESS_EVERY = 1000  # keys between two calls of `progress`


@dataclass(frozen=True, slots=True)
class ScrubProgress:
    """`done` of `total` (None: not known) in a stage: blocks, tree, state, database or files."""

    stage: str
    done: int
    total: int | None


Progress: TypeAlias = Callable[[ScrubProgress], None]


def ignore_progress(progress: ScrubProgress) -> None:
    """For callers that show none."""


class Scrub:
    """One examination: `blocks` in one or many goes, then `rest`; fills `findings`.

    Safe beside commits: each part looks at a snapshot of its own.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        database_path: Path,
        findings: Findings,
        *,
        verify_batch: VerifyBatch | None = None,
        progress: Progress = ignore_progress,
    ) -> None:
        """Without `verify_batch`, bent signatures are not found."""
        self._snapshot = snapshot
        self._database_path = database_path
        self._verify_batch = verify_batch
        self._progress = progress
        self._findings = findings

    def blocks(self, first: int = 0, most: int | None = None) -> int:
        """Check `most` heights from `first`, or the base, on (None: to the head); the next one.

        Beyond the head when all are checked.
        """
        snapshot = self._snapshot()
        records = Records(snapshot)
        head, following = first, first
        with self._findings.noting(BOOKS):
            head = _head(records, snapshot)
            epochs = _epochs(snapshot, records)
            base = check_beginning(records, epochs)
            first = max(first, base)
            following = head + 1 if most is None else min(head + 1, first + most)
            previous = records.header(first - 1) if first > base else None
            for height in range(first, following):
                with self._findings.noting(HISTORY, height):
                    _check_changes(records, height, base)
                previous = self._block(records, epochs, height, previous)
                self._progress(ScrubProgress("blocks", height + 1 - base, head + 1 - base))
            if following > head:
                _check_coming(records, epochs, head)
                _check_certified(records, head)
                _check_newest_changes(records, snapshot, head)
                if self._verify_batch is not None:
                    _check_recoveries(records, snapshot, self._verify_batch)
        return max(following, first + 1)

    def rest(self) -> None:
        """State, tree, indexes, every pair of the database, and every byte of its files."""
        snapshot = self._snapshot()
        records = Records(snapshot)
        with self._findings.noting(BOOKS):
            height = records.head_height()
            with self._findings.noting(STATE):
                _scrub_state(snapshot, records.statement(height), self._progress)
            with self._findings.noting(INDEX):
                _scrub_database(snapshot, records, self._findings, self._progress)
        # Which bytes they are that LevelDB found damaged, it does not tell.
        is_searched = bool(self._findings.all)
        scrub_files(self._database_path, self._findings, self._progress, every_block=is_searched)

    def _block(
        self, records: Records, epochs: Epochs, height: int, previous: BlockHeader | None
    ) -> BlockHeader | None:
        """The header, for the block that follows; None where it cannot be told."""
        with self._findings.noting(HISTORY, height):
            header = check_height(records, epochs, height, previous)
            if self._verify_batch is not None:
                _check_signatures(records, epochs, height, self._verify_batch)
            return header
        return None


def scrub_files(
    database_path: Path, findings: Findings, progress: Progress, *, every_block: bool
) -> None:
    """The bytes of a database's files (see ledger.tables), whether it opens or not."""

    steps = count(1)

    def step() -> None:
        progress(ScrubProgress("files", next(steps), None))

    for fault in database_faults(database_path, every_block=every_block, step=step):
        findings.add(fault)


def _head(records: Records, snapshot: Snapshot) -> int:
    """The newest height. Of one far beyond all blocks nobody looks for each height up to it."""
    head = records.head_height()
    first, beyond = at_height(HEADER, 0), at_height(HEADER, (1 << 64) - 1)
    newest = next((key for key, _ in snapshot.range(first, beyond, is_reverse=True)), first)
    last = int.from_bytes(newest[len(HEADER) :])
    if head > last + 1:
        raise LedgerDamaged(f"the newest block cannot be {head}: the last is {last}; {REMEDY}")
    return head


def _epochs(snapshot: Snapshot, records: Records) -> Epochs:
    return records.epochs(snapshot.scan(COMMITTEE), records.recoveries(snapshot.scan(RECOVERY)))


def _check_signatures(
    records: Records, epochs: Epochs, height: int, verify_batch: VerifyBatch
) -> None:
    block, epoch = records.block(height), epochs.at(height)
    commit, executed = records.commit_certificate(height), records.execution_certificate(height)
    try:
        if commit is not None:
            verify_commit_certificate(
                commit,
                proposal_digest(proposal_of(block)),
                epoch.validators,
                epoch.domain,
                verify_batch,
            )
            verify_transactions(block, verify_batch)
        if executed is not None:
            verify_execution_certificate(executed, epoch.validators, epoch.domain, verify_batch)
    except (BlockInvalid, CertificateInvalid) as error:
        raise LedgerDamaged(f"{error}; {REMEDY}", height=height) from None


def _check_recoveries(records: Records, snapshot: Snapshot, verify_batch: VerifyBatch) -> None:
    recoveries = records.recoveries(snapshot.scan(RECOVERY))
    chain = chain_id(records.genesis())
    for earlier, recovery in enumerate(recoveries):
        try:
            verify_recovery(recovery, recoveries[:earlier], chain, verify_batch)
        except RecoveryInvalid as error:
            raise LedgerDamaged(f"recovery plan {earlier + 1}: {error}; {REMEDY}") from None


def check_height(
    records: Records, epochs: Epochs, height: int, previous: BlockHeader | None
) -> BlockHeader:
    """Check one height against the header before it; its header. Raises LedgerDamaged."""
    block, header = records.block(height), records.header(height)
    _expect(block.header == header, height, "its header is stored in two versions")
    _expect(header.height == height, height, "it is another block")
    _expect(header.chain_id == epochs.at(0).domain, height, "it is of another chain")
    root = transactions_root(block.transactions)
    _expect(root == header.transactions_root, height, "its transactions are not what was ordered")
    if previous is not None:
        linked = header.previous_hash == block_hash(previous)
        _expect(linked, height, "it does not follow the block before it")
    if height == 0:
        _expect(
            block == genesis_block(records.genesis()), height, "it is not the block of the genesis"
        )
    statement = records.statement(height)
    _check_outcome(records, block, statement, epochs.at(height).domain)
    _check_committees(epochs, header, statement)
    _check_indexes(records, block, statement)
    _check_certificates(records, block, statement)
    return header


def _check_outcome(
    records: Records, block: Block, statement: ExecutionStatement, domain: bytes
) -> None:
    height = block.header.height
    receipts = records.receipts(height)
    ids = [transaction_id(transaction) for transaction in block.transactions]
    answered = [receipt.transaction_id for receipt in receipts] == ids
    _expect(answered, height, "its receipts are not about its transactions")
    root = receipts_root(receipts)
    _expect(root == statement.receipts_root, height, "its receipts are not what was executed")
    expected = ExecutionStatement(
        chain_id=domain,
        height=height,
        block_hash=block_hash(block.header),
        state_root=statement.state_root,
        receipts_root=root,
        next_validators_hash=statement.next_validators_hash,
        time_ms=block.header.time_ms,
    )
    _expect(statement == expected, height, "its statement is about another block")


def _check_committees(epochs: Epochs, header: BlockHeader, statement: ExecutionStatement) -> None:
    """Block and statement name the committees that the table of committees has for them."""
    height = header.height
    own, following = epochs.at(height).validators, epochs.at(height + 1).validators
    _expect(
        header.validators_hash == own.digest,
        height,
        "its committee is not the one in the table of committees",
    )
    _expect(
        statement.next_validators_hash == following.digest,
        height,
        "the committee that follows it is not the one in the table of committees",
    )


def _check_coming(records: Records, epochs: Epochs, head: int) -> None:
    """What no block names yet: at most one committee waits, for a window at most."""
    coming = [epoch.base for epoch in epochs.all if epoch.base > head]
    window = records.genesis().limits.watermark_window
    if len(coming) > 1 or any(not window < base <= head + window for base in coming):
        raise LedgerDamaged(
            f"the table of committees has entries for the heights above {coming}, which no block "
            f"up to {head} can have decided; {REMEDY}",
            height=head,
        )


def _check_certified(records: Records, head: int) -> None:
    """What counts as certified ends at the first height without a certificate."""
    certified = records.certified_height()
    if certified > head or (
        certified < head and records.execution_certificate(certified + 1) is not None
    ):
        raise LedgerDamaged(f"the certified height cannot be {certified}; {REMEDY}")


def _check_indexes(records: Records, block: Block, statement: ExecutionStatement) -> None:
    height = block.header.height
    found = records.find_block(statement.block_hash)
    _expect(found == height, height, "its hash is not in the index")
    for index, transaction in enumerate(block.transactions):
        wanted = transaction_id(transaction)
        place = records.find_transaction(wanted, height=height)
        _expect(place == (height, index), height, f"{wanted.hex()} is not in the index")


def _check_certificates(records: Records, block: Block, statement: ExecutionStatement) -> None:
    height = block.header.height
    commit = records.commit_certificate(height)
    if commit is not None:
        digest = proposal_digest(proposal_of(block))
        ordered = (commit.height, commit.proposal_digest) == (height, digest)
        _expect(ordered, height, "its commit certificate is for another proposal")
    certificate = records.execution_certificate(height)
    if certificate is not None:
        agreed = certificate.statement == statement
        _expect(agreed, height, "its execution certificate has another outcome")
    elif 0 < height <= records.certified_height():
        raise LedgerDamaged(f"block {height}: its execution certificate is missing", height=height)


def _check_changes(records: Records, height: int, base: int) -> None:
    """From the first list of changes on every block has one: only what came with a snapshot, at the
    beginning of a ledger, has none."""
    if records.changes(height) is None:
        has_begun = height > base and records.changes(height - 1) is not None
        _expect(not has_begun, height, "its list of changes is missing")


def _check_newest_changes(records: Records, snapshot: Snapshot, head: int) -> None:
    for write in records.changes(head) or ():
        stored = snapshot.get(state_key(write.namespace, write.key))
        _expect(stored == write.value, head, "its list of changes is not what the state holds")


def _scrub_state(snapshot: Snapshot, head: ExecutionStatement, progress: Progress) -> None:
    """The tree against its root, then the values against the tree's leaves.

    Both sides are compared by the number and the sum of their leaf hashes, which needs no
    memory and no order; chance damage cannot keep both.
    """
    tree = _Sum()
    root = fold_leaves(_leaves(snapshot, tree, progress))
    if root != head.state_root:
        raise LedgerDamaged(
            f"block {head.height}: the state tree has root {root.hex()}, the block ended with "
            f"{head.state_root.hex()}; {REMEDY}",
            height=head.height,
        )
    values = _Sum()
    for stored, value in snapshot.scan(STATE_TABLE):
        namespace, key = _split(stored)
        values.add(leaf_hash(state_path(namespace, key), sm3.digest(value)))
        if values.count % PROGRESS_EVERY == 0:
            progress(ScrubProgress("state", values.count, tree.count))
    if (values.count, values.total) != (tree.count, tree.total):
        raise LedgerDamaged(f"{_first_difference(snapshot)}; {REMEDY}")


def _leaves(snapshot: Snapshot, tree: _Sum, progress: Progress) -> Iterator[tuple[bytes, bytes]]:
    """(path, leaf hash) of the whole tree by ascending path; `tree` sums them up."""
    for stored, page in snapshot.scan(PAGE + bytes([STEM_LEVELS])):
        for path, _, node in walk_page(stored[1:], page, lambda name: snapshot.get(PAGE + name)):
            tree.add(node)
            if tree.count % PROGRESS_EVERY == 0:
                progress(ScrubProgress("tree", tree.count, None))
            yield path, node


def _first_difference(snapshot: Snapshot) -> str:
    """Which key makes the values differ from the tree; called when it is known that they do."""
    for stored, value in snapshot.scan(STATE_TABLE):
        namespace, key = _split(stored)
        path = state_path(namespace, key)
        leaf = find_leaf(STEM_LEVELS, path, lambda name: snapshot.get(PAGE + name))
        if leaf is None or leaf[1] != sm3.digest(value):
            return f"the state of {namespace!r}, key {key.hex()}, is not what the state root says"
    return "a value of the state is missing"


def _scrub_database(
    snapshot: Snapshot, records: Records, findings: Findings, progress: Progress
) -> None:
    """Read every pair there is, checksums verified; nothing may be there that belongs nowhere.

    A block names its transactions and hash, and `check_height` looks each up in the index; that the
    index holds nothing else, counting tells.
    """
    base, head = records.base(), records.head_height()
    ends = handovers(_epochs(snapshot, records), base)
    below = {at_height(EXECUTION_CERTIFICATE, end) for end in ends}
    counts = dict.fromkeys(TABLES, 0)
    included = 0
    for done, (key, value) in enumerate(snapshot.scan()):
        if key[:1] == b"" or key[0] not in counts:
            raise LedgerDamaged(f"the database holds an unknown key {key.hex()}; {REMEDY}")
        counts[key[0]] += 1
        if key[:1] in HEIGHT_TABLES and not _is_between(key, base, head) and key not in below:
            raise LedgerDamaged(
                f"the database holds {key.hex()}, which belongs to none of the blocks {base} to "
                f"{head}; {REMEDY}"
            )
        if key[:1] == RECEIPTS:
            included += len(records.receipts(int.from_bytes(key[1:], "big")))
        elif key[:1] == META:
            with findings.noting(BOOKS):
                unseal(key[1:], value)
        elif key[:1] == b"!" and key not in BOOK_KEYS:
            raise LedgerDamaged(f"the database holds an unknown key {key.hex()}; {REMEDY}")
        if done % PROGRESS_EVERY == 0:
            progress(ScrubProgress("database", done, None))
    for table, expected in ((TRANSACTION, included), (HASH, head + 1 - base)):
        if counts[table[0]] != expected:
            raise LedgerDamaged(
                f"index {table.decode()} has {counts[table[0]]} entries for {expected}; {REMEDY}"
            )


def _is_between(key: bytes, base: int, head: int) -> bool:
    return len(key) == 9 and number(base) <= key[1:] <= number(head)


class _Sum:
    """Number and sum of leaf hashes, whatever their order."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0

    def add(self, node: bytes) -> None:
        self.count += 1
        self.total += int.from_bytes(node)


def _split(stored: bytes) -> tuple[str, bytes]:
    try:
        return split_state_key(stored)
    except ValueError as error:
        raise LedgerDamaged(f"the state key {stored.hex()} is damaged: {error}; {REMEDY}") from None


def _expect(holds: bool, height: int, otherwise: str) -> None:
    if not holds:
        raise LedgerDamaged(f"block {height}: {otherwise}; {REMEDY}", height=height)
