"""The checks of a stored ledger: of one height, and of everything.

They find damage: bytes that changed, or that are missing. They do not judge honesty: signatures
and execution are the business of audit, which trusts nothing but the genesis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from crypto import sm3
from ledger.base import check_beginning, handovers
from ledger.blocks import genesis_block, proposal_of
from ledger.committee import Epochs
from ledger.disk import Snapshot
from ledger.errors import LedgerDamaged
from ledger.folds import fold_leaves
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
from ledger.schema import (
    COMMITTEE,
    EXECUTION_CERTIFICATE,
    HASH,
    HEIGHT_TABLES,
    PAGE,
    RECOVERY,
    STATE,
    TABLES,
    TRANSACTION,
    at_height,
    number,
    split_state_key,
    state_key,
)
from ledger.stem import STEM_LEVELS
from ledger.tables import check_tables

PROGRESS_EVERY = 1000  # keys between two calls of `progress`
_REMEDY = "restore this ledger from a backup or let the node rejoin with an empty data directory"


@dataclass(frozen=True, slots=True)
class ScrubProgress:
    """`done` of `total` (None: not known) in a stage: blocks, tree, state, database or files."""

    stage: str
    done: int
    total: int | None


Progress: TypeAlias = Callable[[ScrubProgress], None]


def ignore_progress(progress: ScrubProgress) -> None:
    """For callers that show none."""


def scrub_ledger(snapshot: Snapshot, database_path: Path, progress: Progress) -> None:
    """Check all blocks, indexes, the state and its tree, and every byte of the database.

    Raises LedgerDamaged for the first contradiction, with its height where it has one.
    """
    records = Records(snapshot)
    height = records.head_height()
    epochs = records.epochs(snapshot.scan(COMMITTEE), records.recoveries(snapshot.scan(RECOVERY)))
    base = check_beginning(records, epochs)
    included = _scrub_blocks(records, epochs, range(base, height + 1), progress)
    _check_coming(records, epochs, height)
    _check_changes(records, snapshot, range(base, height + 1))
    _scrub_state(snapshot, records.statement(height), progress)
    below = {at_height(EXECUTION_CERTIFICATE, end) for end in handovers(epochs, base)}
    _scrub_database(snapshot, _Expected(included, base, height, below), progress)
    progress(ScrubProgress("files", 0, None))
    check_tables(database_path)


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


def _scrub_blocks(records: Records, epochs: Epochs, heights: range, progress: Progress) -> int:
    previous: BlockHeader | None = None
    included = 0
    for done, checked in enumerate(heights, 1):
        previous = check_height(records, epochs, checked, previous)
        included += len(records.block(checked).transactions)
        progress(ScrubProgress("blocks", done, len(heights)))
    return included


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
            f"up to {head} can have decided; {_REMEDY}",
            height=head,
        )


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


def _check_changes(records: Records, snapshot: Snapshot, heights: range) -> None:
    """From the first list of changes on every block has one, and the newest is in the state."""
    has_begun = False
    for height in heights:
        changes = records.changes(height)
        _expect(not has_begun or changes is not None, height, "its list of changes is missing")
        has_begun = changes is not None
    head = heights[-1]
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
            f"{head.state_root.hex()}; {_REMEDY}",
            height=head.height,
        )
    values = _Sum()
    for stored, value in snapshot.scan(STATE):
        namespace, key = _split(stored)
        values.add(leaf_hash(state_path(namespace, key), sm3.digest(value)))
        if values.count % PROGRESS_EVERY == 0:
            progress(ScrubProgress("state", values.count, tree.count))
    if (values.count, values.total) != (tree.count, tree.total):
        raise LedgerDamaged(f"{_first_difference(snapshot)}; {_REMEDY}")


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
    for stored, value in snapshot.scan(STATE):
        namespace, key = _split(stored)
        path = state_path(namespace, key)
        leaf = find_leaf(STEM_LEVELS, path, lambda name: snapshot.get(PAGE + name))
        if leaf is None or leaf[1] != sm3.digest(value):
            return f"the state of {namespace!r}, key {key.hex()}, is not what the state root says"
    return "a value of the state is missing"


@dataclass(frozen=True, slots=True)
class _Expected:
    """What the database has to hold: so many transactions, heights `base` to `head`, and `below`
    the base these keys."""

    transactions: int
    base: int
    head: int
    below: set[bytes]


def _scrub_database(snapshot: Snapshot, expected: _Expected, progress: Progress) -> None:
    """Read every pair there is, checksums verified, and count what the indexes hold."""
    first, last = number(expected.base), number(expected.head)
    counts = dict.fromkeys(TABLES, 0)
    for done, (key, _) in enumerate(snapshot.scan()):
        if key[:1] == b"" or key[0] not in counts:
            raise LedgerDamaged(f"the database holds an unknown key {key.hex()}; {_REMEDY}")
        counts[key[0]] += 1
        if key[:1] in HEIGHT_TABLES and not first <= key[1:] <= last and key not in expected.below:
            raise LedgerDamaged(
                f"the database holds {key.hex()}, which belongs to none of the blocks "
                f"{expected.base} to {expected.head}; {_REMEDY}"
            )
        if done % PROGRESS_EVERY == 0:
            progress(ScrubProgress("database", done, None))
    blocks = expected.head + 1 - expected.base
    for table, wanted in ((TRANSACTION, expected.transactions), (HASH, blocks)):
        if counts[table[0]] != wanted:
            raise LedgerDamaged(
                f"index {table.decode()} has {counts[table[0]]} entries for {wanted}; {_REMEDY}"
            )


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
        raise LedgerDamaged(
            f"the state key {stored.hex()} is damaged: {error}; {_REMEDY}"
        ) from None


def _expect(holds: bool, height: int, otherwise: str) -> None:
    if not holds:
        raise LedgerDamaged(f"block {height}: {otherwise}; {_REMEDY}", height=height)
