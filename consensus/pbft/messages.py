"""What replicas say to each other, its canonical bytes, and the bytes that are signed.

A prepare and a commit are signed as bare votes (`ledger.certificates.vote_message`), so that
their signatures go into certificates unchanged. A pre-prepare is signed as the prepare vote of
its primary: it says the same ("in this view, at this height, this digest"), counts as one, and
two that contradict each other are proof of equivocation in the same form as any two votes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import msgspec

from ledger.certificates import VoteKind, vote_message
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.model import (
    DIGEST_SIZE,
    SIGNATURE_SIZE,
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
    Record,
    Signature,
    execution_message,
    proposal_digest,
)

NUMBER_MAX = 1 << 53  # of views, heights and times: exact in every language, never reached
VALIDATORS_MAX = 64  # committee; bounds certificates and NEW-VIEW
WINDOW_MAX = 64  # heights in flight; bounds view changes
TRANSACTIONS_MAX = 4096  # ids in a proposal: 128 KiB
# A NEW-VIEW of the largest committee (quorum 43) with a full window of certificates is 8 MB.
MESSAGE_SIZE_MAX = 12 << 20
TAG_MESSAGE = b"shuxin/pbft/1\0"

Number = Annotated[int, msgspec.Meta(ge=0, lt=NUMBER_MAX)]
Index = Annotated[int, msgspec.Meta(ge=0, lt=VALIDATORS_MAX)]
DigestBytes = Annotated[bytes, msgspec.Meta(min_length=DIGEST_SIZE, max_length=DIGEST_SIZE)]
SignatureBytes = Annotated[
    bytes, msgspec.Meta(min_length=SIGNATURE_SIZE, max_length=SIGNATURE_SIZE)
]


class PrePrepare(Record, frozen=True, tag=1):
    """The primary's order: this proposal at its height in this view."""

    view: Number
    proposal: Proposal


class Prepare(Record, frozen=True, tag=2):
    """I hold the proposal with its transactions and will prepare no other in this view."""

    view: Number
    height: Number
    digest: DigestBytes


class Commit(Record, frozen=True, tag=3):
    """I hold, durably, a quorum of prepares: a later view will hear of it from me."""

    view: Number
    height: Number
    digest: DigestBytes


class Checkpoint(Record, frozen=True, tag=4):
    """I executed this block and stored the outcome."""

    statement: ExecutionStatement


class PreparedCertificate(Record, frozen=True):
    """A quorum of prepares; the primary's pre-prepare counts as its own."""

    view: Number
    height: Number
    digest: DigestBytes
    signatures: tuple[Signature, ...]  # validator indexes ascend strictly


class ViewChange(Record, frozen=True, tag=5):
    """I vote in no view below `view` any more; this is what I know of what was ordered."""

    view: Number
    stable: ExecutionCertificate | None  # the base of my window; None: that of the epoch
    prepared: tuple[PreparedCertificate, ...]  # above it, heights ascend, latest view of each
    unfit: tuple[Index, ...]  # not heard for long, or proven to lie: no turn for them, please
    # Views are counted anew by every committee: without it the promise of one epoch would be
    # evidence in another. (Votes and statements name a height, which is of one epoch only.)
    epoch: Number = 0


class SignedViewChange(Record, frozen=True):
    sender: Index
    view_change: ViewChange
    signature: SignatureBytes


class NewView(Record, frozen=True, tag=6):
    """The leader's choice of a quorum of view changes; all else follows from them."""

    view: Number
    view_changes: tuple[SignedViewChange, ...]  # senders ascend strictly


class Status(Record, frozen=True, tag=7):
    """Where I stand: a peer that is ahead sends what I lack."""

    view: Number
    is_active: bool  # False: waiting for the NEW-VIEW of `view`
    decided: Number  # commit certificates known without gap up to here
    certified: Number  # execution certificates stored without gap up to here


class RelayedNewView(Record, frozen=True, tag=8):
    """A NEW-VIEW handed on to a replica that missed it; the leader's signature is inside."""

    leader: Index
    new_view: NewView
    signature: SignatureBytes


class Decision(Record, frozen=True, tag=9):
    """A proposal that a quorum committed; proves itself."""

    proposal: Proposal
    certificate: CommitCertificate


class Certified(Record, frozen=True, tag=10):
    """A statement that a quorum signed; proves itself."""

    certificate: ExecutionCertificate


class RelayedVote(Record, frozen=True, tag=11):
    """A primary's vote shown to a replica that it told something else: proof of equivocation."""

    voter: Index
    vote: Prepare
    signature: SignatureBytes


Message = (
    PrePrepare
    | Prepare
    | Commit
    | Checkpoint
    | ViewChange
    | NewView
    | Status
    | RelayedNewView
    | Decision
    | Certified
    | RelayedVote
)


class SignedMessage(Record, frozen=True):
    """A message as it travels, and as one half of an accusation."""

    sender: Index  # in the committee of the epoch
    message: bytes  # encode_message
    signature: SignatureBytes
    epoch: Number = 0  # the height above which the committee orders; not signed


_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode_message(message: Message) -> bytes:
    """Canonical bytes, tagged with the kind."""
    return encode(message)


def decode_message(data: bytes) -> Message:
    """The message whose canonical bytes are `data`; every size and range in it is checked.

    What depends on the committee (indexes, quorums, signatures) is left to `verify.claims`.
    Raises DecodeError and nothing else.
    """
    if len(data) > MESSAGE_SIZE_MAX:
        raise DecodeError(f"message: {len(data)} bytes exceed the limit of {MESSAGE_SIZE_MAX}")
    try:
        message = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise DecodeError(f"message: {error}") from None
    if encode(message) != data:
        raise DecodeError("message: the encoding is not canonical")
    _check(message)
    return message


def signing_bytes(chain_id: bytes, message: Message) -> bytes:
    """What the sender signs."""
    if isinstance(message, PrePrepare):
        proposal = message.proposal
        digest = proposal_digest(proposal)
        return vote_message(VoteKind.PREPARE, chain_id, message.view, proposal.height, digest)
    if isinstance(message, Prepare):
        return vote_message(
            VoteKind.PREPARE, chain_id, message.view, message.height, message.digest
        )
    if isinstance(message, Commit):
        return vote_message(VoteKind.COMMIT, chain_id, message.view, message.height, message.digest)
    if isinstance(message, Checkpoint):
        return execution_message(message.statement)
    return TAG_MESSAGE + chain_id + encode(message)


def null_proposal(height: int) -> Proposal:
    """What fills a gap after a view change: a block without transactions."""
    return Proposal(height=height, transaction_ids=(), proposer=0, time_ms=0)


# --- shape ----------------------------------------------------------------------------------


def _check(message: Message) -> None:
    match message:
        case PrePrepare():
            check_proposal(message.proposal)
        case Checkpoint():
            _check_statement(message.statement)
        case ViewChange():
            _check_view_change(message)
        case NewView():
            _check_new_view(message)
        case RelayedNewView():
            _check_new_view(message.new_view)
        case Decision():
            _check_decision(message)
        case Certified():
            _check_execution_certificate(message.certificate)
        case Prepare() | Commit() | Status() | RelayedVote():  # pragma: no branch (no other kind)
            pass  # the field types say it all


def check_proposal(proposal: Proposal) -> None:
    """Raises DecodeError unless numbers, sizes and the order of ids are as they must be."""
    _check_number("proposal height", proposal.height)
    _check_number("proposal time", proposal.time_ms)
    ids = proposal.transaction_ids
    if not 0 <= proposal.proposer < VALIDATORS_MAX:
        raise DecodeError(f"proposal: proposer {proposal.proposer} is not an index")
    if len(ids) > TRANSACTIONS_MAX:
        raise DecodeError(f"proposal: {len(ids)} ids exceed the limit of {TRANSACTIONS_MAX}")
    for transaction_id in ids:
        _check_size("transaction id", transaction_id, DIGEST_SIZE)
    if not all(first < second for first, second in pairwise(ids)):
        raise DecodeError("proposal: transaction ids must ascend strictly")


def _check_view_change(message: ViewChange) -> None:
    base = message.epoch
    if message.stable is not None:
        _check_execution_certificate(message.stable)
        base = message.stable.statement.height
        if base <= message.epoch:
            raise DecodeError("view change: its checkpoint is not above the base of its epoch")
    if len(message.prepared) > WINDOW_MAX:
        raise DecodeError(f"view change: more than {WINDOW_MAX} prepared certificates")
    previous = base
    for certificate in message.prepared:
        if not previous < certificate.height <= base + WINDOW_MAX:
            raise DecodeError("view change: prepared heights must ascend within the window")
        if certificate.view >= message.view:
            raise DecodeError("view change: prepared in a view that is not below it")
        _check_signatures(certificate.signatures)
        previous = certificate.height
    if not all(first < second for first, second in pairwise(message.unfit)):
        raise DecodeError("view change: unfit replicas must ascend strictly")


def _check_new_view(message: NewView) -> None:
    previous = -1
    for signed in message.view_changes:
        if signed.sender <= previous:
            raise DecodeError("new view: senders must ascend strictly")
        if signed.view_change.view != message.view:
            raise DecodeError("new view: holds a view change for another view")
        _check_view_change(signed.view_change)
        previous = signed.sender


def _check_decision(message: Decision) -> None:
    check_proposal(message.proposal)
    certificate = message.certificate
    _check_number("certificate view", certificate.view)
    if certificate.height != message.proposal.height:
        raise DecodeError("decision: proposal and certificate name different heights")
    if certificate.proposal_digest != proposal_digest(message.proposal):
        raise DecodeError("decision: the certificate is for another proposal")
    _check_signatures(certificate.signatures)


def _check_execution_certificate(certificate: ExecutionCertificate) -> None:
    _check_statement(certificate.statement)
    _check_signatures(certificate.signatures)


def _check_statement(statement: ExecutionStatement) -> None:
    if not 0 < statement.height < NUMBER_MAX:
        raise DecodeError(f"statement: height {statement.height} is out of range")
    _check_number("statement time", statement.time_ms)
    _check_size("chain id", statement.chain_id, DIGEST_SIZE)
    _check_size("block hash", statement.block_hash, DIGEST_SIZE)
    _check_size("state root", statement.state_root, DIGEST_SIZE)
    _check_size("receipts root", statement.receipts_root, DIGEST_SIZE)
    _check_size("validators hash", statement.next_validators_hash, DIGEST_SIZE)


def _check_signatures(signatures: tuple[Signature, ...]) -> None:
    previous = -1
    for signature in signatures:
        if not previous < signature.validator < VALIDATORS_MAX:
            raise DecodeError("certificate: validator indexes must ascend strictly")
        _check_size("signature", signature.signature, SIGNATURE_SIZE)
        previous = signature.validator


def _check_number(name: str, value: int) -> None:
    if not 0 <= value < NUMBER_MAX:
        raise DecodeError(f"{name}: {value} is out of range")


def _check_size(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise DecodeError(f"{name}: {len(value)} bytes instead of {size}")
