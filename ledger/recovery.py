"""Recovery after a fork beyond f: the organizations agree from which block the chain goes on.

When more than f validators lied or forgot, no rule of the protocol can tell which of two histories
is the chain. People can: a quorum of the organizations that run validators, and the manager, sign a
plan that names the last block that counts. What any node has above it is set aside. Their old
votes above it are void because the domain changes under which validators sign: nothing that was
signed before the plan has the form of what is signed after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import msgspec

from crypto import sm3
from crypto.provider import SignedItem
from ledger.certificates import VerifyBatch
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, RecoveryInvalid
from ledger.model import (
    DIGEST_SIZE,
    EMPTY_DIGEST,
    PUBLIC_KEY_SIZE,
    SIGNATURE_SIZE,
    Address,
    Digest,
    ExecutionCertificate,
    Record,
    ValidatorSet,
    address_of,
)

TAG_PLAN = b"shuxin/recovery/1\0"
TAG_DOMAIN = b"shuxin/domain/1\0"
PLAN_VERSION = 1
RECOVERY_SIZE_MAX = 1 << 20  # bytes of a file: a certificate of 64 and 256 signatures take 60 KB
SIGNATURES_MAX = 256  # accounts: four of each of 64 organizations
REASON_MAX = 4096  # bytes

_Hash = Annotated[bytes, msgspec.Meta(min_length=DIGEST_SIZE, max_length=DIGEST_SIZE)]


class RecoveryPlan(Record):
    """The chain goes on from this block. `number` counts the plans of a chain from 1."""

    version: int
    chain_id: _Hash
    number: int
    previous: _Hash  # digest of plan number - 1; zeros for the first
    height: int
    block_hash: _Hash
    state_root: _Hash
    reason: str
    time_ms: int


class PlanSignature(Record):
    """An account's signature over `plan_message`."""

    public_key: Annotated[
        bytes, msgspec.Meta(min_length=PUBLIC_KEY_SIZE, max_length=PUBLIC_KEY_SIZE)
    ]
    signature: Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_SIZE, max_length=SIGNATURE_SIZE)]


class Recovery(Record):
    """What stands in a plan's file, and in the ledger of every node that follows it."""

    plan: RecoveryPlan
    certificate: ExecutionCertificate  # of the block at plan.height: that far nobody doubts it
    signatures: tuple[PlanSignature, ...]  # public keys ascend strictly


@dataclass(frozen=True, slots=True)
class Party:
    """What the chain says of an account's party."""

    id: str
    is_active: bool
    is_manager: bool


PartyOf = Callable[[Address], Party | None]


def plan_message(plan: RecoveryPlan) -> bytes:
    """What an account signs."""
    return TAG_PLAN + encode(plan)


def plan_digest(plan: RecoveryPlan) -> Digest:
    return Digest(sm3.digest(plan_message(plan)))


def domain_after(plan: RecoveryPlan) -> Digest:
    """What validators sign for above the plan's height, in place of the chain id."""
    return Digest(sm3.digest(TAG_DOMAIN + plan.chain_id + plan_digest(plan)))


def decode_recovery(data: bytes) -> Recovery:
    """Raises DecodeError for bytes that are no recovery of a form that could hold."""
    recovery = decode(data, Recovery, size_max=RECOVERY_SIZE_MAX)
    plan = recovery.plan
    if plan.version != PLAN_VERSION:
        raise DecodeError(f"a recovery plan of version {plan.version}: use a newer release")
    if plan.number < 1 or plan.height < 1 or plan.time_ms < 0:
        raise DecodeError("recovery plan: number and height count from 1")
    if len(plan.reason.encode()) > REASON_MAX or not plan.reason:
        raise DecodeError(f"recovery plan: give a reason of at most {REASON_MAX} bytes")
    if (plan.number == 1) != (plan.previous == EMPTY_DIGEST):
        raise DecodeError("recovery plan: the first names no previous one, all others do")
    keys = [entry.public_key for entry in recovery.signatures]
    if len(keys) > SIGNATURES_MAX or any(one >= other for one, other in pairwise(keys)):
        raise DecodeError("recovery plan: its signatures do not ascend, or are too many")
    return recovery


def next_recovery(
    earlier: Sequence[Recovery],
    certificate: ExecutionCertificate,
    chain_id: bytes,
    reason: str,
    time_ms: int,
) -> Recovery:
    """A plan after the `earlier` ones by which the chain goes on from the certified block."""
    statement = certificate.statement
    plan = RecoveryPlan(
        version=PLAN_VERSION,
        chain_id=chain_id,
        number=len(earlier) + 1,
        previous=plan_digest(earlier[-1].plan) if earlier else EMPTY_DIGEST,
        height=statement.height,
        block_hash=statement.block_hash,
        state_root=statement.state_root,
        reason=reason,
        time_ms=time_ms,
    )
    # Through the checks of a file, so that nobody drafts what nobody can read.
    return decode_recovery(encode(Recovery(plan, certificate, ())))


def with_signature(recovery: Recovery, added: PlanSignature) -> Recovery:
    """The same with one more signature, or with a newer one of the same key."""
    entries = {entry.public_key: entry for entry in (*recovery.signatures, added)}
    signatures = tuple(entries[key] for key in sorted(entries))
    return msgspec.structs.replace(recovery, signatures=signatures)


def verify_recovery(
    recovery: Recovery, earlier: Sequence[Recovery], chain_id: bytes, verify_batch: VerifyBatch
) -> None:
    """Whether the plan is the chain's next after the `earlier` ones, and its signatures hold.

    Left for when the block that it names is there: that a quorum certified it, and whether the
    signers may decide it (`check_authority`). Raises RecoveryInvalid.
    """
    _check_place(recovery.plan, earlier, chain_id)
    plan, statement = recovery.plan, recovery.certificate.statement
    named = (statement.height, statement.block_hash, statement.state_root)
    if named != (plan.height, plan.block_hash, plan.state_root):
        raise RecoveryInvalid("the plan's certificate is of another block than the plan names")
    check_signatures(recovery, verify_batch)


def check_signatures(recovery: Recovery, verify_batch: VerifyBatch) -> None:
    """Whether every signature is one over this plan. Raises RecoveryInvalid."""
    message = plan_message(recovery.plan)
    entries = recovery.signatures
    items = [SignedItem(entry.public_key, message, entry.signature) for entry in entries]
    for entry, holds in zip(entries, verify_batch(items), strict=True):
        if not holds:
            raise RecoveryInvalid(
                f"the plan's signature of {address_of(entry.public_key)} does not hold: it was "
                "made for another plan, or altered; have it signed anew"
            )


def check_authority(recovery: Recovery, validators: ValidatorSet, party_of: PartyOf) -> None:
    """Whether the signers may decide it: a quorum of the organizations, and the manager.

    The organizations are the parties that run `validators`, the committee above the plan's height;
    each counts once, however many validators or accounts it has. `party_of` reads the state after
    the block that the plan names: what came later is in doubt. The manager's signature may be one
    of the quorum's. Raises RecoveryInvalid.
    """
    found = [party_of(address_of(entry.public_key)) for entry in recovery.signatures]
    parties = [party for party in found if party is not None and party.is_active]
    organizations = {member.party for member in validators.validators}
    signed = organizations & {party.id for party in parties}
    needed = quorum_of(len(organizations))
    if len(signed) < needed:
        missing = ", ".join(sorted(organizations - signed))
        raise RecoveryInvalid(
            f"{len(signed)} of {len(organizations)} organizations signed the plan, {needed} must; "
            f"not yet: {missing}"
        )
    if not any(party.is_manager for party in parties):
        raise RecoveryInvalid("no account of the manager signed the plan: have one sign it")


def quorum_of(size: int) -> int:
    """ceil((n + f + 1) / 2), as in a committee of that size."""
    return (size + (size - 1) // 3 + 2) // 2


def _check_place(plan: RecoveryPlan, earlier: Sequence[Recovery], chain_id: bytes) -> None:
    if plan.chain_id != chain_id:
        raise RecoveryInvalid(f"the plan is for the chain {plan.chain_id.hex()}, not for this one")
    previous = plan_digest(earlier[-1].plan) if earlier else EMPTY_DIGEST
    if plan.number != len(earlier) + 1 or plan.previous != previous:
        raise RecoveryInvalid(
            f"the plan is number {plan.number}, this ledger follows {len(earlier)}: apply the "
            "plans of a chain in their order, and draft a new one after the last"
        )
    if earlier and plan.height < earlier[-1].plan.height:
        raise RecoveryInvalid(
            f"the plan goes back to block {plan.height}, below block {earlier[-1].plan.height} to "
            "which the one before went back; what was agreed then stays"
        )
