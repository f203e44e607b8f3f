"""From the committee of the genesis to that of any height, by certificates alone (8.1.3a).

The last block of an epoch is certified by the committee of that epoch, and the statement names
the digest of the next committee. So a list of committees, each with the certificate that hands
over to it, can be checked by who holds nothing but the genesis.
"""

from __future__ import annotations

from collections.abc import Sequence

from crypto.provider import SignedItem
from ledger.certificates import VerifyBatch, execution_items
from ledger.committee import Epoch, Epochs
from ledger.errors import (
    CertificateInvalid,
    CommitteeChangeInvalid,
    OtherChain,
    QuorumMissing,
    SignersInvalid,
    ValidatorSignatureInvalid,
)
from ledger.model import ExecutionCertificate, Record, ValidatorSet

# One a week for twenty years. Each takes people's votes, so a chain does not come by more.
COMMITTEE_CHANGES_MAX = 1024
# Bytes: 64 validators with the longest names and keys that governance takes (332 bytes each), the
# signatures of all of them (68 bytes each), and the statement.
CHANGE_SIZE_MAX = 27 << 10


class CommitteeChange(Record):
    """A committee and the certificate, made by the one before it, that names its digest.

    The certificate is that of the last height which the committee before ordered.
    """

    validators: ValidatorSet
    certificate: ExecutionCertificate

    @property
    def base(self) -> int:
        """`validators` order the heights above it."""
        return self.certificate.statement.height


def follow_changes(
    first: ValidatorSet,
    changes: Sequence[CommitteeChange],
    chain_id: bytes,
    verify_batch: VerifyBatch,
) -> Epochs:
    """The epochs to which `changes` lead from the committee of the genesis, `first`.

    Each change is believed on the word of a quorum of the committee before it, and none is looked
    at before the one before it holds. That none is missing after the last, nobody can tell from
    the list. Raises CommitteeChangeInvalid, or what `check_certificate` does.
    """
    if len(changes) > COMMITTEE_CHANGES_MAX:
        raise CommitteeChangeInvalid(
            f"{len(changes)} changes of the committee are listed; {COMMITTEE_CHANGES_MAX} are "
            "followed at most"
        )
    epochs = Epochs((Epoch(0, first, chain_id),))
    for change in changes:
        epochs = follow_change(epochs, change, verify_batch)
    return epochs


def follow_change(epochs: Epochs, change: CommitteeChange, verify_batch: VerifyBatch) -> Epochs:
    """`epochs` and the one to which `change` leads from the newest of them.

    Raises CommitteeChangeInvalid, or what `check_certificate` does.
    """
    before, base = epochs.newest, change.base
    where = f"the change of the committee after block {base}"
    if base <= before.base:
        raise CommitteeChangeInvalid(f"{where} does not follow that after block {before.base}")
    domain = epochs.at(base).domain
    check_certificate(change.certificate, before.validators, domain, verify_batch)
    digest = change.validators.digest
    if change.certificate.statement.next_validators_hash != digest:
        raise CommitteeChangeInvalid(
            f"{where}: its certificate hands over to another committee; it was altered"
        )
    if digest == before.validators.digest:
        raise CommitteeChangeInvalid(f"{where} changes nothing: it is none")
    return epochs.with_next(Epoch(base, change.validators, domain))


def check_certificate(
    certificate: ExecutionCertificate,
    committee: ValidatorSet,
    domain: bytes,
    verify_batch: VerifyBatch,
) -> tuple[str, ...]:
    """The names of those who signed for `domain`: a quorum of `committee`, and nobody else.

    The domain of a height is the chain id, or what recovery plans make of it (Epoch.domain).
    Raises OtherChain, QuorumMissing, SignersInvalid or ValidatorSignatureInvalid.
    """
    statement, signatures = certificate.statement, certificate.signatures
    where = f"certificate of block {statement.height}"
    if statement.chain_id != domain:
        raise OtherChain(
            f"the {where} is of the chain {statement.chain_id.hex()}, or of a height above a "
            "recovery plan that is not known here: bundles cannot show such heights, a client "
            "needs the plan, an audit has it"
        )
    if len(signatures) < committee.quorum:
        raise QuorumMissing(
            f"the {where} has {len(signatures)} signatures; {committee.quorum} of "
            f"{committee.size} validators are needed"
        )
    try:
        items = execution_items(certificate, committee, domain)
    except CertificateInvalid as error:
        raise SignersInvalid(str(error)) from None
    names = tuple(committee.validators[entry.validator].name for entry in signatures)
    verdicts = verified(items, verify_batch)
    if not all(verdicts):
        bad = [name for name, good in zip(names, verdicts, strict=True) if not good]
        raise ValidatorSignatureInvalid(
            f"the {where}: {', '.join(bad)} did not sign this; the statement or the signature "
            "was altered, or a change of the committee is missing"
        )
    return names


def verified(items: Sequence[SignedItem], verify_batch: VerifyBatch) -> list[bool]:
    """A verdict on each item."""
    verdicts = verify_batch(items)
    assert len(verdicts) == len(items), "verify_batch answers for every item"
    return verdicts
