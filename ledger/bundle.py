"""Proof bundles: one file that proves one fact to somebody who holds only the genesis (8.1.4a, c).

A bundle claims that a transaction is in a certified block and what came of it, or that keys of
the state held values at a certified height. It holds all that is needed to check the claim but
the genesis, the changes of the committee since then included; checking it is pure and asks
nobody. docs/bundle.md describes it, field by field, for those who write a checker of their own.

Nothing in a bundle is reported that is not bound by a hash or a signature. So the place of a
transaction within its block is not in it: a path binds sides, not an index (see ledger.merkle).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from crypto.provider import SignedItem
from ledger.batch_proof import BatchProof, verify_batch_proof
from ledger.certificates import VerifyBatch
from ledger.committee import Epochs
from ledger.encoding import decode, encode
from ledger.errors import (
    BundleInvalid,
    CommitteeChangeMissing,
    DecodeError,
    OtherBlock,
    OtherChain,
    OtherCommittee,
    OtherParty,
    OtherReceipt,
    OtherState,
    OtherTransaction,
    ProofInvalid,
    SenderSignatureInvalid,
    TransactionMalformed,
)
from ledger.genesis import Genesis, chain_id
from ledger.merkle import PathStep, transaction_leaf, verify_steps
from ledger.model import (
    PUBLIC_KEY_SIZE,
    TAG_TRANSACTION,
    Address,
    BlockHeader,
    ExecutionCertificate,
    ExecutionStatement,
    Receipt,
    Record,
    Transaction,
    TransactionBody,
    ValidatorSet,
    address_of,
    block_hash,
    receipt_digest,
    transaction_id,
)
from ledger.proof import StateKey, StateProof, verify_state_proof
from ledger.succession import (
    CHANGE_SIZE_MAX,
    COMMITTEE_CHANGES_MAX,
    CommitteeChange,
    check_certificate,
    follow_changes,
    verified,
)
from ledger.values import decode_value, encode_value

TAG_BUNDLE = b"shuxin/bundle/1\0"  # a file's first bytes: format and version
# Of a bundle about many keys: checkers of version 1 say that they need a newer release. All other
# bundles stay as they are.
TAG_BUNDLE_2 = b"shuxin/bundle/2\0"
_TAG_STEM = b"shuxin/bundle/"
# Bytes of a file without changes of the committee. A transaction has up to 128 KiB, its receipt up
# to 0.6 MiB, a state value 64 KiB; two certificates and a committee of hundreds still fit.
_CLAIM_SIZE_MAX = 2 << 20
# 29 MiB: what a checker reads into memory. A change among four validators has about 1 KiB.
BUNDLE_SIZE_MAX = _CLAIM_SIZE_MAX + COMMITTEE_CHANGES_MAX * CHANGE_SIZE_MAX

# Where the contract `parties` keeps whose an address is; entries there never change.
PARTY_NAMESPACE = "parties"
PARTY_MAP = "party_by_address"


# --- the records ---------------------------------------------------------------------------------


class StateClaim(Record, frozen=True, tag="state"):
    """The state held, or (proof.value None) did not hold, this key when `certificate` was made."""

    namespace: str
    key: bytes
    proof: StateProof
    certificate: ExecutionCertificate


class StatesClaim(Record, frozen=True, tag="states"):
    """The state held of each of `keys` what `proof` says when `certificate` was made."""

    keys: tuple[StateKey, ...]
    proof: BatchProof
    certificate: ExecutionCertificate


class TransactionClaim(Record, frozen=True, tag="transaction"):
    """The transaction is in the block of `header`, and executing it gave `receipt`.

    `party`, if there is one, proves to which party the sender's address belongs.
    """

    transaction: Transaction
    receipt: Receipt
    transaction_path: tuple[PathStep, ...]  # from the transaction up to header.transactions_root
    receipt_path: tuple[PathStep, ...]  # from the receipt up to the statement's receipts_root
    header: BlockHeader
    certificate: ExecutionCertificate
    party: StateClaim | None


Claim: TypeAlias = TransactionClaim | StateClaim | StatesClaim


class Bundle(Record):
    """What stands in the file after its tag."""

    chain_id: bytes
    committee: ValidatorSet  # as of the genesis
    committee_changes: tuple[CommitteeChange, ...]  # since then, in order, none left out
    claim: Claim


def encode_bundle(bundle: Bundle) -> bytes:
    """The bytes of the file."""
    return _tag_of(bundle.claim) + encode(bundle)


def _tag_of(claim: Claim) -> bytes:
    return TAG_BUNDLE_2 if isinstance(claim, StatesClaim) else TAG_BUNDLE


def decode_bundle(data: bytes) -> Bundle:
    """The bundle in a file. Raises DecodeError for anything else."""
    if len(data) > BUNDLE_SIZE_MAX:
        raise DecodeError(f"not a proof bundle: it is larger than {BUNDLE_SIZE_MAX} bytes")
    if not data.startswith((TAG_BUNDLE, TAG_BUNDLE_2)):
        if data.startswith(_TAG_STEM):
            raise DecodeError("a proof bundle of another version: check it with a newer release")
        raise DecodeError("not a proof bundle: it does not begin like one")
    bundle = decode(data[len(TAG_BUNDLE) :], Bundle, size_max=BUNDLE_SIZE_MAX)
    if not data.startswith(_tag_of(bundle.claim)):
        raise DecodeError("not a proof bundle: its version does not have claims of this kind")
    return bundle


def party_key(address: str) -> bytes:
    """The key under which the contract `parties` keeps the party of an address."""
    return encode_value([PARTY_MAP, address])


# --- what a good bundle proves -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Certified:
    """The block that a quorum vouches for. `signers` are the names of those who signed.

    `epoch` is the height above which their committee orders, which has `validators` members.
    """

    chain_id: bytes
    height: int
    time_ms: int
    block_hash: bytes
    state_root: bytes
    signers: tuple[str, ...]
    epoch: int
    quorum: int
    validators: int


@dataclass(frozen=True, slots=True)
class StateFacts:
    """At this block the key held `value`; None: it held nothing."""

    certified: Certified
    namespace: str
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class StatesFacts:
    """At this block the keys held these values, in the same order; None: nothing."""

    certified: Certified
    keys: tuple[StateKey, ...]
    values: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class PartyFacts:
    """The sender's address belongs to this party, as the state of this block says."""

    certified: Certified
    party: str


@dataclass(frozen=True, slots=True)
class TransactionFacts:
    """`sender` signed the call in `body`, this block includes it, `receipt` is what came of it."""

    certified: Certified
    transaction_id: bytes
    sender: Address
    body: TransactionBody
    receipt: Receipt
    party: PartyFacts | None


Facts: TypeAlias = TransactionFacts | StateFacts | StatesFacts


def check_bundle(bundle: Bundle, genesis: Genesis, verify_batch: VerifyBatch) -> Facts:
    """What `bundle` proves to somebody who trusts `genesis` and nothing else.

    Raises a BundleInvalid: the class says what is wrong, the text what that means. Checks run
    from the trusted genesis outwards: chain, committees, certificate, block, paths, sender.
    """
    chain = chain_id(genesis)
    if bundle.chain_id != chain:
        raise OtherChain(
            f"the bundle is of the chain {bundle.chain_id.hex()}, the genesis is that of "
            f"{chain.hex()}: it proves nothing about this chain; use the genesis of its chain"
        )
    if bundle.committee != genesis.validators:
        raise OtherCommittee(
            "the committee in the bundle is not the one of the genesis: the bundle was altered"
        )
    epochs = follow_changes(genesis.validators, bundle.committee_changes, chain, verify_batch)
    trust = Trust(chain, epochs, verify_batch)
    match bundle.claim:
        case TransactionClaim() as claim:
            return check_transaction(claim, trust)
        case StateClaim() as claim:
            return check_state(claim, trust)
        case StatesClaim() as claim:
            return check_states(claim, trust)


@dataclass(frozen=True, slots=True)
class Trust:
    """What follows from the genesis, and how signatures are verified."""

    chain_id: bytes
    epochs: Epochs
    verify_batch: VerifyBatch


def check_transaction(claim: TransactionClaim, trust: Trust) -> TransactionFacts:
    """What the claim proves to who has `trust`. Raises a BundleInvalid."""
    certified = check_certified(claim.certificate, trust)
    check_header(claim.header, claim.certificate.statement, trust)
    where = f"block {certified.height}"
    try:
        leaf = transaction_leaf(claim.transaction)
        verify_steps(leaf, claim.transaction_path, claim.header.transactions_root)
    except ProofInvalid:
        raise OtherTransaction(
            f"the path does not lead from this transaction to the root of {where}: the "
            "transaction, the path or both were altered, or the transaction is not in that block"
        ) from None
    tx_id = transaction_id(claim.transaction)
    try:
        root = claim.certificate.statement.receipts_root
        verify_steps(receipt_digest(claim.receipt), claim.receipt_path, root)
    except ProofInvalid:
        raise OtherReceipt(
            f"the path does not lead from this receipt to the root of the receipts of {where}: "
            "the receipt, the path or both were altered, or the receipt is not of that block"
        ) from None
    if claim.receipt.transaction_id != tx_id:
        raise OtherReceipt(
            f"the receipt is of the transaction {claim.receipt.transaction_id.hex()}, not of "
            f"{tx_id.hex()}"
        )
    body = check_sender(claim.transaction, trust)
    sender = address_of(body.sender)
    party = None if claim.party is None else _check_party(claim.party, sender, trust)
    return TransactionFacts(certified, tx_id, sender, body, claim.receipt, party)


def check_state(claim: StateClaim, trust: Trust) -> StateFacts:
    """What the claim proves to who has `trust`. Raises a BundleInvalid."""
    certified = check_certified(claim.certificate, trust)
    try:
        value = verify_state_proof(claim.proof, certified.state_root, claim.namespace, claim.key)
    except (ProofInvalid, DecodeError) as error:
        raise OtherState(
            f"the state of block {certified.height} does not hold this value under this key, or "
            f"the proof was altered: {error}"
        ) from None
    return StateFacts(certified, claim.namespace, claim.key, value)


def check_states(claim: StatesClaim, trust: Trust) -> StatesFacts:
    """What the claim proves to who has `trust`. Raises a BundleInvalid."""
    certified = check_certified(claim.certificate, trust)
    try:
        verify_batch_proof(claim.proof, certified.state_root, claim.keys)
    except (ProofInvalid, DecodeError) as error:
        raise OtherState(
            f"the state of block {certified.height} does not hold these values under these keys, "
            f"or the proof was altered: {error}"
        ) from None
    return StatesFacts(certified, claim.keys, claim.proof.values)


def check_certified(certificate: ExecutionCertificate, trust: Trust) -> Certified:
    """A quorum of the committee of its height signed the certificate's statement.

    Raises a BundleInvalid; CommitteeChangeMissing if `trust.epochs` end too early for it.
    """
    statement = certificate.statement
    epoch = trust.epochs.at(statement.height)
    committee = epoch.validators
    signers = check_certificate(certificate, committee, epoch.domain, trust.verify_batch)
    # Every statement names the next committee: so no change before it can be left out unnoticed
    # by who cannot forge it, and a small old quorum never stands for a larger new one.
    following = trust.epochs.at(statement.height + 1)
    if statement.next_validators_hash != following.validators.digest:
        raise CommitteeChangeMissing(
            f"the certificate of block {statement.height} names a committee to which the changes "
            "in the bundle do not lead: one is missing; have the fact proven anew"
        )
    return Certified(
        chain_id=trust.chain_id,
        height=statement.height,
        time_ms=statement.time_ms,
        block_hash=statement.block_hash,
        state_root=statement.state_root,
        signers=signers,
        epoch=epoch.base,
        quorum=committee.quorum,
        validators=committee.size,
    )


def check_header(header: BlockHeader, statement: ExecutionStatement, trust: Trust) -> None:
    """The header is that of the block of a checked `statement`. Raises a BundleInvalid."""
    if block_hash(header) != statement.block_hash:
        raise OtherBlock(
            f"the header of block {header.height} is not that of the block that the validators "
            f"signed for, {statement.block_hash.hex()} at height {statement.height}"
        )
    # Signed and hashed alike; honest validators never let these differ.
    if (header.height, header.time_ms) != (statement.height, statement.time_ms):
        raise OtherBlock(f"certificate and header of block {header.height} contradict each other")
    if header.chain_id != trust.chain_id:
        raise OtherChain(f"the header of block {header.height} is of another chain")
    if header.validators_hash != trust.epochs.at(header.height).validators.digest:
        raise OtherCommittee(f"the header of block {header.height} names another committee")


def check_sender(transaction: Transaction, trust: Trust) -> TransactionBody:
    """What its sender signed for this chain. Raises a BundleInvalid."""
    data = transaction.body
    try:
        body = decode(data, TransactionBody, size_max=BUNDLE_SIZE_MAX)
    except DecodeError as error:
        raise TransactionMalformed(f"the transaction cannot be read: {error}") from None
    if len(body.sender) != PUBLIC_KEY_SIZE:
        raise TransactionMalformed(f"the sender's key has {len(body.sender)} bytes")
    if body.chain_id != trust.chain_id:
        raise OtherChain(f"the transaction was signed for the chain {body.chain_id.hex()}")
    signed = SignedItem(body.sender, TAG_TRANSACTION + data, transaction.signature)
    if not all(verified([signed], trust.verify_batch)):
        raise SenderSignatureInvalid(
            f"the signature is not that of {address_of(body.sender)} over this transaction: it "
            "was altered"
        )
    return body


def _check_party(claim: StateClaim, sender: str, trust: Trust) -> PartyFacts:
    if claim.namespace != PARTY_NAMESPACE or claim.key != party_key(sender):
        raise OtherParty(
            f"the proof of the party is not about the sender's address {sender}: it was exchanged"
        )
    facts = check_state(claim, trust)
    if facts.value is None:
        raise OtherParty(f"the state of block {facts.certified.height} ties no party to {sender}")
    try:
        party = decode_value(facts.value)
    except DecodeError as error:
        raise OtherParty(f"the state names no party for {sender}: {error}") from None
    if not isinstance(party, str):
        raise OtherParty(f"the state names no party for {sender}, but something else")
    return PartyFacts(facts.certified, party)


__all__ = [  # in reading order
    "BUNDLE_SIZE_MAX",
    "TAG_BUNDLE",
    "TAG_BUNDLE_2",
    "Bundle",
    "BundleInvalid",
    "Certified",
    "Claim",
    "CommitteeChange",
    "Facts",
    "PartyFacts",
    "StateClaim",
    "StateFacts",
    "StatesClaim",
    "StatesFacts",
    "TransactionClaim",
    "TransactionFacts",
    "Trust",
    "check_bundle",
    "check_certified",
    "check_header",
    "check_sender",
    "check_state",
    "check_states",
    "check_transaction",
    "decode_bundle",
    "encode_bundle",
    "party_key",
]
