"""Votes and certificates: which bytes are signed, and when a quorum of signatures counts.

Structure is checked here; signatures are handed as a list to a `verify_batch` callable (see
crypto.provider), so that one call can judge many certificates at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeAlias

from crypto.provider import SignedItem
from ledger.encoding import encode
from ledger.errors import CertificateInvalid
from ledger.model import (
    SIGNATURE_SIZE,
    CommitCertificate,
    ExecutionCertificate,
    Signature,
    ValidatorSet,
    execution_message,
)

VerifyBatch: TypeAlias = Callable[[Sequence[SignedItem]], list[bool]]


class VoteKind(Enum):
    """The two phases that replicas vote in; the value is the tag of what they sign."""

    PREPARE = b"shuxin/prepare/1\0"
    COMMIT = b"shuxin/commit/1\0"


def vote_message(kind: VoteKind, chain_id: bytes, view: int, height: int, digest: bytes) -> bytes:
    """The bytes that a replica signs in a prepare or commit vote for the proposal `digest`."""
    return kind.value + encode((chain_id, view, height, digest))


def commit_items(
    certificate: CommitCertificate, validators: ValidatorSet, chain_id: bytes
) -> list[SignedItem]:
    """The signatures to verify in a commit certificate. Raises CertificateInvalid for its form."""
    message = vote_message(
        VoteKind.COMMIT,
        chain_id,
        certificate.view,
        certificate.height,
        certificate.proposal_digest,
    )
    return _items(certificate.signatures, message, validators, "commit", certificate.height)


def execution_items(
    certificate: ExecutionCertificate, validators: ValidatorSet, chain_id: bytes
) -> list[SignedItem]:
    """The signatures to verify in an execution certificate. Raises CertificateInvalid."""
    statement = certificate.statement
    if statement.chain_id != chain_id:
        raise CertificateInvalid(
            f"execution certificate of height {statement.height}: it belongs to the chain "
            f"{statement.chain_id.hex()}, not to {chain_id.hex()}"
        )
    message = execution_message(statement)
    return _items(certificate.signatures, message, validators, "execution", statement.height)


def verify_commit_certificate(
    certificate: CommitCertificate,
    proposal_digest: bytes,
    validators: ValidatorSet,
    chain_id: bytes,
    verify_batch: VerifyBatch,
) -> None:
    """Check that a quorum committed to exactly this proposal. Raises CertificateInvalid."""
    if certificate.proposal_digest != proposal_digest:
        raise CertificateInvalid(
            f"commit certificate of height {certificate.height}: it is for another proposal"
        )
    items = commit_items(certificate, validators, chain_id)
    _judge(items, certificate.signatures, verify_batch, "commit", certificate.height)


def verify_execution_certificate(
    certificate: ExecutionCertificate,
    validators: ValidatorSet,
    chain_id: bytes,
    verify_batch: VerifyBatch,
) -> None:
    """Check that a quorum signed the statement. Raises CertificateInvalid."""
    items = execution_items(certificate, validators, chain_id)
    height = certificate.statement.height
    _judge(items, certificate.signatures, verify_batch, "execution", height)


def _items(
    signatures: Sequence[Signature],
    message: bytes,
    validators: ValidatorSet,
    kind: str,
    height: int,
) -> list[SignedItem]:
    """One item per signature, after checks that cost nothing and stop counting one vote twice."""
    where = f"{kind} certificate of height {height}"
    if len(signatures) < validators.quorum:
        raise CertificateInvalid(
            f"{where}: {len(signatures)} signatures, but a quorum of "
            f"{validators.size} validators is {validators.quorum}"
        )
    last = -1
    items: list[SignedItem] = []
    for entry in signatures:
        if entry.validator <= last:
            raise CertificateInvalid(f"{where}: validator indexes must ascend strictly")
        if entry.validator >= validators.size:
            raise CertificateInvalid(f"{where}: there is no validator {entry.validator}")
        if len(entry.signature) != SIGNATURE_SIZE:
            raise CertificateInvalid(
                f"{where}: the signature of validator {entry.validator} has "
                f"{len(entry.signature)} bytes, not {SIGNATURE_SIZE}"
            )
        last = entry.validator
        key = validators.validators[entry.validator].public_key
        items.append(SignedItem(key, message, entry.signature))
    return items


def _judge(
    items: Sequence[SignedItem],
    signatures: Sequence[Signature],
    verify_batch: VerifyBatch,
    kind: str,
    height: int,
) -> None:
    verdicts = verify_batch(items)
    assert len(verdicts) == len(items), "verify_batch answers for every item"
    bad = [entry.validator for entry, good in zip(signatures, verdicts, strict=True) if not good]
    if bad:
        raise CertificateInvalid(
            f"{kind} certificate of height {height}: bad signatures of validators {bad}"
        )
