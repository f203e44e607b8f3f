"""The log: what a replica must remember to never contradict itself, and its framing in a file.

A vote leaves only after its record is durable. What is torn or missing at the end of the file
was not durable, so nothing that depends on it ever left, and it may be cut off.
"""

from __future__ import annotations

import struct
import zlib
from typing import Annotated

import msgspec

from consensus.pbft.messages import (
    MESSAGE_SIZE_MAX,
    DigestBytes,
    Index,
    NewView,
    Number,
    PreparedCertificate,
    ViewChange,
)
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.model import SIGNATURE_SIZE, ExecutionCertificate, Proposal, Record

RECORD = 1  # frame kinds: a record of the replica
TRANSACTION = 2  # the body of a transaction that a recorded proposal names
FRAME_SIZE_MAX = MESSAGE_SIZE_MAX + (1 << 16)  # a record holds at most one message

_HEAD = struct.Struct(">BII")  # kind, payload length, CRC-32 of kind and payload


class SavedProposal(Record, frozen=True, tag=1):
    """A proposal we are about to vote for; the bodies are durable beside it."""

    proposal: Proposal


class SavedPrepare(Record, frozen=True, tag=2):
    """Our prepare vote."""

    view: Number
    height: Number
    digest: DigestBytes


class SavedPrepared(Record, frozen=True, tag=3):
    """The certificate behind our commit vote."""

    certificate: PreparedCertificate


class SavedViewChange(Record, frozen=True, tag=4):
    """Our promise to vote in no lower view."""

    view_change: ViewChange


class SavedNewView(Record, frozen=True, tag=5):
    """The NEW-VIEW we follow. No signature if we are its leader: we can sign it again."""

    leader: Index
    new_view: NewView
    signature: Annotated[bytes, msgspec.Meta(max_length=SIGNATURE_SIZE)]


class SavedStable(Record, frozen=True, tag=6):
    """The base of the window when the log was compacted: nothing at or below it is kept."""

    certificate: ExecutionCertificate


Saved = SavedProposal | SavedPrepare | SavedPrepared | SavedViewChange | SavedNewView | SavedStable

_decoder: msgspec.msgpack.Decoder[Saved] = msgspec.msgpack.Decoder(Saved)


def encode_record(record: Saved) -> bytes:
    return encode(record)


def decode_record(data: bytes) -> Saved:
    """Raises DecodeError: the log was damaged, or written by another version."""
    try:
        record = _decoder.decode(data)
        if encode(record) != data:
            raise ValueError("not the bytes that we write")
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise DecodeError(
            f"consensus log: unreadable record ({error}); "
            "move the log away and let the node sync from its peers"
        ) from None
    return record


def frame(kind: int, payload: bytes) -> bytes:
    """`payload` as it is appended to the file."""
    return _HEAD.pack(kind, len(payload), _checksum(kind, payload)) + payload


def read_frames(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """The whole frames (kind, payload) at the beginning of `data`, and where they end.

    Stops at the first frame that is torn or damaged; the caller truncates the file there.
    """
    frames: list[tuple[int, bytes]] = []
    offset = 0
    while offset + _HEAD.size <= len(data):
        kind, length, checksum = _HEAD.unpack_from(data, offset)
        end = offset + _HEAD.size + length
        if length > FRAME_SIZE_MAX or end > len(data):
            break
        payload = data[offset + _HEAD.size : end]
        if _checksum(kind, payload) != checksum:
            break
        frames.append((kind, payload))
        offset = end
    return frames, offset


def begins_with_altered(data: bytes) -> bool:
    """Whether `data`, which begins with no whole frame, begins with one of which a bit was altered.

    False for the beginning of a frame that was cut off: the length it claims is not there, and no
    other length makes its checksum right.
    """
    if len(data) < _HEAD.size:
        return False
    kind, length, checksum = _HEAD.unpack_from(data)
    if length <= len(data) - _HEAD.size or length > FRAME_SIZE_MAX:
        return True
    running = kind
    for end in range(_HEAD.size, len(data)):
        if running == checksum:
            return True
        running = zlib.crc32(data[end : end + 1], running)
    return bool(running == checksum)


def _checksum(kind: int, payload: bytes) -> int:
    return zlib.crc32(payload, kind)
