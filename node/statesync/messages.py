"""Questions about snapshots and their answers. One form for all, told apart by what is asked.

Every answer is bounded by the frame that carries it (p2p.limits) and decoded by who asked, who
believes none of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

from consensus.pbft.messages import NUMBER_MAX
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.joining import PastBlock
from ledger.model import DIGEST_SIZE, Record

FRAME_SIZE_MAX = 16 << 20  # bytes: what p2p carries on that channel
OFFERS_MAX = 8  # snapshots that one node offers: it keeps two
OFFERS_SIZE_MAX = 1024
RUN_SIZE = 4 << 20  # bytes of blocks after which an answer is closed
RUN_BLOCKS_MAX = 64  # blocks of one answer


class What(IntEnum):
    """What is asked for."""

    OFFERS = 0  # Offers: which snapshots the other one keeps
    MANIFEST = 1  # of the snapshot `digest`
    CHUNK = 2  # number `place` of the snapshot `digest`
    PAST = 3  # PastRun: blocks from height `place` on, as they are stored


class Status(IntEnum):
    """What the `data` of an answer is."""

    HERE = 0
    GONE = 1  # empty: it is not kept, or not any more
    BUSY = 2  # empty: asked too fast; ask again later


class Ask(Record):
    """`number` comes back in the answer; `digest` names a snapshot or is empty."""

    number: int
    what: int
    digest: bytes
    place: int


class Told(Record):
    """The answer to the question `number`."""

    number: int
    status: int
    data: bytes


class Offer(Record):
    """A snapshot by its name (ledger.snapshot.snapshot_digest)."""

    height: int
    digest: bytes


class Offers(Record):
    """What a node keeps: blocks from `base` on, certified up to `head`, and these snapshots."""

    base: int
    head: int
    offers: tuple[Offer, ...]


class PastRun(Record):
    """Consecutive heights."""

    blocks: tuple[PastBlock, ...]


Message: TypeAlias = Ask | Told


class _Envelope(Record):
    kind: int
    data: bytes


_STATUSES = frozenset(map(int, Status))
_WHATS = frozenset(map(int, What))
_KINDS: tuple[type[Message], ...] = (Ask, Told)


def encode_message(message: Message) -> bytes:
    return encode(_Envelope(_KINDS.index(type(message)), encode(message)))


def decode_message(data: bytes) -> Message:
    """Raises DecodeError."""
    envelope = decode(data, _Envelope, size_max=FRAME_SIZE_MAX)
    if not 0 <= envelope.kind < len(_KINDS):
        raise DecodeError(f"unknown kind {envelope.kind} of snapshot message")
    message = decode(envelope.data, _KINDS[envelope.kind], size_max=len(envelope.data))
    if not 0 <= message.number < NUMBER_MAX:
        raise DecodeError(f"a question of number {message.number}")
    if isinstance(message, Told):
        if message.status not in _STATUSES or (message.status != Status.HERE and message.data):
            raise DecodeError(
                f"an answer of status {message.status} with {len(message.data)} bytes"
            )
        return message
    if message.what not in _WHATS or not 0 <= message.place < NUMBER_MAX:
        raise DecodeError(f"question {message.what} for {message.place} is none")
    if len(message.digest) != (DIGEST_SIZE if message.what in (What.MANIFEST, What.CHUNK) else 0):
        raise DecodeError(f"question {message.what} names {len(message.digest)} bytes of a digest")
    return message


def decode_offers(data: bytes) -> Offers:
    """Raises DecodeError."""
    told = decode(data, Offers, size_max=OFFERS_SIZE_MAX)
    if not 0 <= told.base <= told.head + 1 <= NUMBER_MAX or len(told.offers) > OFFERS_MAX:
        raise DecodeError(f"{len(told.offers)} offers of a ledger from {told.base} to {told.head}")
    for offer in told.offers:
        if not 0 < offer.height <= told.head or len(offer.digest) != DIGEST_SIZE:
            raise DecodeError(f"a snapshot of block {offer.height} of a ledger up to {told.head}")
    return told


def decode_run(data: bytes) -> PastRun:
    """Raises DecodeError."""
    run = decode(data, PastRun, size_max=FRAME_SIZE_MAX)
    if not 0 < len(run.blocks) <= RUN_BLOCKS_MAX:
        raise DecodeError(f"a run of {len(run.blocks)} blocks")
    return run
