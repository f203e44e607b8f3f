"""What proves the blocks before a snapshot, and what its state says of the next committee."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.registry import RegistryDamaged, committee_of
from contracts.vm.host import StateReader
from ledger.blocks import proposal_of, verify_transactions
from ledger.certificates import (
    VerifyBatch,
    verify_commit_certificate,
    verify_execution_certificate,
)
from ledger.committee import Epoch, Epochs
from ledger.errors import BlockInvalid, CertificateInvalid, SnapshotInvalid
from ledger.joining import PastBlock
from ledger.merkle import receipts_root, transactions_root
from ledger.model import block_hash, proposal_digest


def check_past(
    blocks: Sequence[PastBlock],
    first: int,
    previous_hash: bytes | None,
    epochs: Epochs,
    verify_batch: VerifyBatch,
) -> None:
    """Whether these are the chain's blocks from height `first` on, with all that belongs to them.

    Each is proved by a quorum that ordered it and a quorum that executed it; `previous_hash` is
    that of the block before, None if that is not here. What was executed is not executed again:
    receipts are those whose root the quorum signed. Raises SnapshotInvalid.
    """
    for height, past in enumerate(blocks, first):
        try:
            _check_block(past, height, previous_hash, epochs, verify_batch)
        except (BlockInvalid, CertificateInvalid) as error:
            raise SnapshotInvalid(f"before the snapshot: {error}") from None
        previous_hash = past.execution_certificate.statement.block_hash


def _check_block(
    past: PastBlock,
    height: int,
    previous_hash: bytes | None,
    epochs: Epochs,
    verify_batch: VerifyBatch,
) -> None:
    block, header, epoch = past.block, past.block.header, epochs.at(height)
    statement = past.execution_certificate.statement
    if (header.height, statement.height) != (height, height):
        raise BlockInvalid(f"block {height} was asked for, {header.height} came")
    if block_hash(header) != statement.block_hash:
        raise BlockInvalid(f"block {height}: a quorum executed another block")
    if previous_hash is not None and header.previous_hash != previous_hash:
        raise BlockInvalid(f"block {height}: it does not follow the block before it")
    if transactions_root(block.transactions) != header.transactions_root:
        raise BlockInvalid(f"block {height}: its transactions are not what was ordered")
    if receipts_root(past.receipts) != statement.receipts_root:
        raise BlockInvalid(f"block {height}: its receipts are not what a quorum signed")
    if statement.next_validators_hash != epochs.at(height + 1).validators.digest:
        raise BlockInvalid(f"block {height}: it hands over to an unknown committee")
    verify_execution_certificate(
        past.execution_certificate, epoch.validators, epoch.domain, verify_batch
    )
    digest = proposal_digest(proposal_of(block))
    if past.commit_certificate.height != height:
        raise BlockInvalid(f"block {height}: its commit certificate is for another height")
    verify_commit_certificate(
        past.commit_certificate, digest, epoch.validators, epoch.domain, verify_batch
    )
    verify_transactions(block, verify_batch)


def coming_committee(reader: StateReader, epochs: Epochs, height: int, window: int) -> Epoch | None:
    """The committee that the state after block `height` says will take over later, if any.

    No certificate names it yet, but a quorum signed the state. Raises SnapshotInvalid.
    """
    try:
        decided = committee_of(reader)
    except RegistryDamaged as error:
        raise SnapshotInvalid(f"the state after block {height}: {error}") from None
    if decided is None or decided.validators == epochs.newest.validators:
        return None
    base = decided.first_height - 1
    if not height < base <= height + window:
        return None  # the contract said what was no decision: see node.epochs.decided_epoch
    return Epoch(base, decided.validators, epochs.newest.domain)
