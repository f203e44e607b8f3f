"""What nodes say to each other besides votes: transactions, proposals and blocks.

An envelope names its kind, so that one decoder serves a channel and garbage has one way out.
"""

from __future__ import annotations

from typing import TypeAlias

from consensus.pbft.messages import NUMBER_MAX, check_proposal
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import Block, CommitCertificate, ExecutionCertificate, Proposal, Record

TRANSACTIONS_FRAME_MAX = 1 << 20  # bytes: what p2p carries on that channel
BLOCKS_FRAME_MAX = 16 << 20  # bytes: one reply of block sync
IDS_MAX = 2_000  # transaction ids of one request; who lacks more asks again for the rest
OFFER_MAX = 2_000  # transactions of one offer: what a megabyte of worthless bytes may cost to judge
OFFER_SIZE = 256 << 10  # bytes of one forwarded batch, so that votes never wait long behind it
BLOCKS_REPLY_SIZE = 4 << 20  # bytes after which a sync reply is closed
BLOCKS_REPLY_MAX = 64  # blocks of one sync reply


class Offer(Record):
    """Encoded transactions the sender verified; the receiver verifies them again."""

    transactions: tuple[bytes, ...]


class BodiesRequest(Record):
    """Asks for transactions by id; the answer is an Offer of those at hand."""

    ids: tuple[bytes, ...]


class ProposalRequest(Record):
    height: int
    digest: bytes


class ProposalReply(Record):
    proposal: Proposal


class BlocksRequest(Record):
    """Asks for blocks from `height` on; the answer says how far the peer's ledger reaches."""

    height: int


class Bundle(Record):
    """A block with what proves its place; the newest may lack its execution certificate."""

    block: Block
    commit_certificate: CommitCertificate
    execution_certificate: ExecutionCertificate | None


class BlocksReply(Record):
    height: int  # the height that was asked for
    base: int  # the lowest height of which the sender keeps the block
    head: int  # the sender's head
    bundles: tuple[Bundle, ...]


class ClockReading(Record):
    """What the sender's wall clock says, once a second.

    On the channel that is mostly idle: behind a megabyte of transactions it would be late.
    """

    time_ms: int  # Unix milliseconds


TransactionsMessage: TypeAlias = Offer | BodiesRequest | ProposalRequest | ProposalReply
BlocksMessage: TypeAlias = BlocksRequest | BlocksReply | ClockReading


class _Envelope(Record):
    kind: int
    data: bytes


_TRANSACTIONS: tuple[type[TransactionsMessage], ...] = (
    Offer,
    BodiesRequest,
    ProposalRequest,
    ProposalReply,
)
_BLOCKS: tuple[type[BlocksMessage], ...] = (BlocksRequest, BlocksReply, ClockReading)


def encode_transactions_message(message: TransactionsMessage) -> bytes:
    return encode(_Envelope(_TRANSACTIONS.index(type(message)), encode(message)))


def decode_transactions_message(data: bytes) -> TransactionsMessage:
    """Raises DecodeError."""
    envelope = decode(data, _Envelope, size_max=TRANSACTIONS_FRAME_MAX)
    if not 0 <= envelope.kind < len(_TRANSACTIONS):
        raise DecodeError(f"unknown kind {envelope.kind} of transactions message")
    message = decode(envelope.data, _TRANSACTIONS[envelope.kind], size_max=len(envelope.data))
    if isinstance(message, BodiesRequest) and len(message.ids) > IDS_MAX:
        raise DecodeError(f"{len(message.ids)} ids exceed {IDS_MAX}")
    if isinstance(message, Offer) and len(message.transactions) > OFFER_MAX:
        raise DecodeError(f"{len(message.transactions)} transactions exceed {OFFER_MAX}")
    if isinstance(message, ProposalReply):
        check_proposal(message.proposal)
    return message


def encode_blocks_message(message: BlocksMessage) -> bytes:
    return encode(_Envelope(_BLOCKS.index(type(message)), encode(message)))


def decode_blocks_message(data: bytes) -> BlocksMessage:
    """Raises DecodeError."""
    envelope = decode(data, _Envelope, size_max=BLOCKS_FRAME_MAX)
    if not 0 <= envelope.kind < len(_BLOCKS):
        raise DecodeError(f"unknown kind {envelope.kind} of blocks message")
    message = decode(envelope.data, _BLOCKS[envelope.kind], size_max=len(envelope.data))
    if isinstance(message, BlocksReply) and not 0 <= message.base <= message.head < NUMBER_MAX:
        raise DecodeError(f"a ledger from {message.base} to {message.head} is none")
    if isinstance(message, ClockReading) and not 0 < message.time_ms < NUMBER_MAX:
        raise DecodeError(f"clock reading: {message.time_ms} is out of range")
    return message
