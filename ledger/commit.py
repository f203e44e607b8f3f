"""What one block changes, and the rows that store it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.committee import Epoch
from ledger.encoding import encode
from ledger.model import (
    Block,
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Receipt,
    StateWrite,
)
from ledger.schema import (
    BLOCK,
    CHANGES,
    COMMIT_CERTIFICATE,
    COMMITTEE,
    HASH,
    HEAD_KEY,
    HEADER,
    PAGE,
    RECEIPTS,
    STATEMENT,
    TRANSACTION,
    Changes,
    Place,
    Receipts,
    at_height,
    number,
    seal,
    state_key,
)


@dataclass(frozen=True, slots=True)
class Commit:
    """All that one block changes. `writes` are the ones that were applied to the tree."""

    block: Block
    receipts: Sequence[Receipt]
    writes: Sequence[StateWrite]
    statement: ExecutionStatement
    commit_certificate: CommitCertificate | None  # None for the genesis block only
    next_epoch: Epoch | None = None  # what the block decided


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """All that is stored about one height."""

    block: Block
    receipts: tuple[Receipt, ...]
    statement: ExecutionStatement
    commit_certificate: CommitCertificate | None
    execution_certificate: ExecutionCertificate | None


def rows_of(
    commit: Commit, pages: Iterable[tuple[bytes, bytes | None]]
) -> Iterator[tuple[bytes, bytes | None]]:
    """Everything that `commit` puts (None: deletes); `pages` are those of the state tree."""
    header = commit.block.header
    height = header.height
    yield at_height(HEADER, height), encode(header)
    yield at_height(BLOCK, height), encode(commit.block)
    yield at_height(RECEIPTS, height), encode(Receipts(tuple(commit.receipts)))
    yield at_height(STATEMENT, height), encode(commit.statement)
    changes = at_height(CHANGES, height)
    yield changes, seal(changes, encode(Changes(tuple(commit.writes))))
    if commit.commit_certificate is not None:
        yield at_height(COMMIT_CERTIFICATE, height), encode(commit.commit_certificate)
    yield HASH + commit.statement.block_hash, number(height)
    for index, receipt in enumerate(commit.receipts):
        yield TRANSACTION + receipt.transaction_id, encode(Place(height, index))
    for write in commit.writes:
        yield state_key(write.namespace, write.key), write.value
    for name, page in pages:
        yield PAGE + name, page
    if commit.next_epoch is not None:
        epoch = commit.next_epoch
        yield at_height(COMMITTEE, epoch.base), encode(epoch.validators)
    yield HEAD_KEY, number(height)
