"""Whether a quorum signed what a folder of archives holds, from the genesis on (5.3a, 8.1.4a).

Every block is linked to the one before, its transactions and receipts are those of its roots, and
its outcome is one that a quorum of its committee signed. Nothing is executed: that a quorum signed
what the rules give, only a replay shows (node.audit).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.archive_reader import Archive
from ledger.certificates import VerifyBatch, verify_execution_certificate
from ledger.commit import StoredBlock
from ledger.committee import Epochs
from ledger.errors import ArchiveIncomplete, ArchiveInvalid, CertificateInvalid, RecoveryInvalid
from ledger.genesis import Genesis, chain_id
from ledger.merkle import receipts_root, transactions_root
from ledger.model import BlockHeader, block_hash
from ledger.recovery import verify_recovery
from ledger.segments import Segment, iterate_blocks


def check_segments(
    segments: Sequence[Segment],
    genesis: Genesis,
    verify_batch: VerifyBatch,
    advance: Callable[[int, int | None], None],
) -> None:
    """Read all of it; `advance(done, total)` counts heights.

    Raises ArchiveInvalid with the height and the file, ArchiveIncomplete where the beginning is
    missing, OSError.
    """
    if not segments or segments[0].first:
        raise ArchiveIncomplete(
            "block 0: no archive begins with the genesis block, so nobody can tell which committee "
            "had to sign the others; add what is missing",
            height=0,
        )
    last = segments[-1].last
    epochs = _epochs(segments[-1], genesis, verify_batch)
    ends = {segment.last: segment.path.name for segment in segments}
    previous: BlockHeader | None = None
    for height, stored in enumerate(iterate_blocks(segments, 0, last)):
        fault = _fault(stored, height, previous, epochs, verify_batch)
        if fault:
            name = next(ends[end] for end in sorted(ends) if end >= height)
            raise ArchiveInvalid(f"{name}, block {height}: {fault}", height=height)
        previous = stored.block.header
        advance(height, last)


def _epochs(newest: Segment, genesis: Genesis, verify_batch: VerifyBatch) -> Epochs:
    """Claims about committees, which the certificates will show to be true, and agreed plans."""
    with Archive.open(newest.path) as archive:
        for number, recovery in enumerate(archive.recoveries):
            known = archive.recoveries[:number]
            try:
                verify_recovery(recovery, known, chain_id(genesis), verify_batch)
            except RecoveryInvalid as error:
                raise ArchiveInvalid(f"{newest.path.name}: {error}") from None
        return archive.epochs(genesis)


def _fault(
    stored: StoredBlock,
    height: int,
    previous: BlockHeader | None,
    epochs: Epochs,
    verify_batch: VerifyBatch,
) -> str:
    """What is wrong with a height; empty when nothing is."""
    block, statement, certificate = stored.block, stored.statement, stored.execution_certificate
    header = block.header
    if header.height != height or statement.block_hash != block_hash(header):
        return "its record is about another block"
    if previous is not None and header.previous_hash != block_hash(previous):
        return "it does not follow the block before it"
    if header.transactions_root != transactions_root(block.transactions):
        return "its transactions are not those of its header"
    if statement.receipts_root != receipts_root(stored.receipts):
        return "its receipts are not those of its outcome"
    if certificate is None:
        is_needed = epochs.is_last(height)
        return "it ends an epoch and has no execution certificate" if is_needed else ""
    if certificate.statement != statement:
        return "its execution certificate is about another outcome"
    epoch = epochs.at(height)
    try:
        verify_execution_certificate(certificate, epoch.validators, epoch.domain, verify_batch)
    except CertificateInvalid as error:
        return str(error)
    if statement.next_validators_hash != epochs.at(height + 1).validators.digest:
        return "the committee that follows it is not the one that its quorum named"
    return ""
