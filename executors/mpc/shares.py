"""Shares as bytes: between parties, sealed to the receiver, and opened again.

ABY3 splits a number v into a + b + c modulo 2^128; the first party holds (a, b), the second
(b, c), the third (c, a). A share on its own is uniformly random. Every component lies in two
shares, so a receiver of all three sees whether one was altered (8.2.5c).

A share here is an SPU share in canonical bytes: its metadata and its chunks. The metadata is never
interpreted, only compared with what it must be.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from crypto import envelope, sm3
from crypto.errors import CryptoError
from executors.errors import ShareInvalid
from executors.mpc.program import PARTIES, ROWS_MAX
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import Digest, Record

ELEMENT_SIZE = 16  # bytes of one component in the ring of 2^128
SHARE_ELEMENT_SIZE = 2 * ELEMENT_SIZE
INPUT_SIZE_MAX = ROWS_MAX * SHARE_ELEMENT_SIZE + 4096  # bytes of one column's share in a message
SEALED_SIZE_MAX = 48 << 10  # bytes; the task contract's limit
SALT_SIZE = 32
FRACTION_BITS = 40

TAG_OUTPUT = b"shuxin/mpc/output/1\0"
TAG_INPUT = b"shuxin/mpc/input/1\0"
TAG_SEAL = b"shuxin/mpc/seal/1\0"

# Metadata of a secret one-dimensional ABY3 share over the ring of 2^128: data type, visibility,
# shape, storage type (SPU's ValueMetaProto). The number of elements stands between the parts.
_META_WHOLE = b"\x08\x08\x18\x01"
_META_FIXED = b"\x08\x0c\x18\x01"
_META_STORAGE = b"*\x10aby3.AShr<FM128>"


class Share(Record):
    """One party's part of a secret vector."""

    meta: bytes
    chunks: tuple[bytes, ...]


class InputShare(Record):
    """What `sender` sends `receiver` of its input number `sequence`; `salt` blinds the evidence."""

    task_id: str
    sequence: int
    sender: int
    receiver: int
    salt: bytes
    share: Share


class OutputShare(Record):
    """One party's part of the result, as it is sealed. `salt` blinds the commitment to it."""

    task_id: str
    party: int
    program_hash: bytes
    salt: bytes
    whole: Share
    fixed: Share


def input_commitment(share: InputShare) -> Digest:
    """What sender and receiver both record of a message (8.2.2d, 8.2.5b).

    Salted: whoever holds two of the three components of a share could test guesses of the value
    against a bare hash of the third.
    """
    return Digest(sm3.digest(TAG_INPUT + encode(share)))


def decode_input(
    data: bytes, *, task_id: str, sequence: int, sender: int, receiver: int, like: Share
) -> InputShare:
    """A message that must be this one and of the form of `like`. Raises ShareInvalid."""
    try:
        share = decode(data, InputShare, size_max=INPUT_SIZE_MAX)
    except DecodeError as error:
        raise ShareInvalid(f"a share is malformed: {error}") from None
    expected = (task_id, sequence, sender, receiver)
    if (share.task_id, share.sequence, share.sender, share.receiver) != expected:
        raise ShareInvalid("a share is for another place in the run")
    if len(share.salt) != SALT_SIZE:
        raise ShareInvalid("a share has no proper salt")
    # Its form is what the engine makes of a vector of that size: nothing unforeseen gets in.
    if _form(share.share) != _form(like):
        raise ShareInvalid("a share has another form than the program's input")
    return share


def output_commitment(share: OutputShare) -> Digest:
    """The commitment that goes on chain beside the sealed share; the receiver can check it."""
    return Digest(sm3.digest(TAG_OUTPUT + encode(share)))


def seal_output(share: OutputShare, receiver_key: bytes) -> bytes:
    """The envelope for the receiver. Raises ShareInvalid or crypto errors."""
    sealed = envelope.seal_to(receiver_key, encode(share), _associated(share.task_id, share.party))
    if len(sealed) > SEALED_SIZE_MAX:
        raise ShareInvalid(f"the sealed share exceeds {SEALED_SIZE_MAX} bytes: ask for less")
    return sealed


def open_output(sealed: bytes, private: bytes, *, task_id: str, party: int) -> OutputShare:
    """The share that `party` sealed for this key in this task. Raises ShareInvalid."""
    if len(sealed) > SEALED_SIZE_MAX:
        raise ShareInvalid(f"share of party {party} exceeds {SEALED_SIZE_MAX} bytes")
    try:
        plain = envelope.open_with(private, sealed, _associated(task_id, party))
        share = decode(plain, OutputShare, size_max=SEALED_SIZE_MAX)
    except CryptoError:
        raise ShareInvalid(
            f"the share of party {party} cannot be opened: use the key that the task names as "
            "receiver, and the share as it is on chain"
        ) from None
    except DecodeError as error:
        raise ShareInvalid(f"share of party {party}: {error}") from None
    if (share.task_id, share.party) != (task_id, party):
        raise ShareInvalid(f"share of party {party} is for another place")
    return share


def combine_whole(shares: Sequence[Share], size: int) -> list[int]:
    """The secret integers behind three shares. Raises ShareInvalid."""
    return [_signed(value) for value in _combine(shares, size, _META_WHOLE)]


def combine_fixed(shares: Sequence[Share], size: int) -> list[int]:
    """The secret fixed-point numbers behind three shares, times 2^FRACTION_BITS."""
    return [_signed(value) for value in _combine(shares, size, _META_FIXED)]


def check_output(share: Share, size: int, *, is_fixed: bool) -> None:
    """Check that a share has the one form that can be opened. Raises ShareInvalid."""
    _components(share, size, _META_FIXED if is_fixed else _META_WHOLE)


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_SIZE)


def _combine(shares: Sequence[Share], size: int, head: bytes) -> list[int]:
    if len(shares) != PARTIES:
        raise ShareInvalid(f"{len(shares)} shares; ABY3 has {PARTIES}")
    parts = [_components(share, size, head) for share in shares]
    for party in range(PARTIES):
        following = (party + 1) % PARTIES
        if any(a[1] != b[0] for a, b in zip(parts[party], parts[following], strict=True)):
            raise ShareInvalid(
                f"the shares of parties {party} and {following} contradict each other: one of "
                "them was altered, or they ran different computations"
            )
    return [sum(part[i][0] for part in parts) % 2**128 for i in range(size)]


def _components(share: Share, size: int, head: bytes) -> list[tuple[int, int]]:
    shape = _varint(size)
    dimensions = b"\n" + _varint(len(shape)) + shape
    meta = head + b'"' + _varint(len(dimensions)) + dimensions + _META_STORAGE
    content_size = size * SHARE_ELEMENT_SIZE
    prefix = b"\x08" + _varint(content_size) + b"\x1a" + _varint(content_size)
    if share.meta != meta or len(share.chunks) != 1:
        raise ShareInvalid("a share is not an additive ABY3 share of the program's outputs")
    chunk = share.chunks[0]
    if not chunk.startswith(prefix) or len(chunk) != len(prefix) + content_size:
        raise ShareInvalid("a share has another size than the program's outputs")
    words = [
        int.from_bytes(chunk[start : start + ELEMENT_SIZE], "little")
        for start in range(len(prefix), len(chunk), ELEMENT_SIZE)
    ]
    return list(zip(words[::2], words[1::2], strict=True))


def _form(share: Share) -> tuple[bytes, tuple[tuple[int, bytes], ...]]:
    """Metadata, and size and protobuf head of each chunk."""
    head_size = 16  # bytes; longer than any head, so it is compared with the content masked out
    heads = tuple((len(chunk), _chunk_head(chunk[:head_size])) for chunk in share.chunks)
    return share.meta, heads


def _chunk_head(start: bytes) -> bytes:
    """The protobuf fields before the content of a chunk: 08 total [10 offset] 1a length."""
    position = 0
    for tag in (b"\x08", b"\x10", b"\x1a"):
        if start[position : position + 1] == tag:
            position += 1
            while position < len(start) and start[position] & 0x80:
                position += 1
            position += 1
    return start[:position]


def _signed(value: int) -> int:
    return value - 2**128 if value >= 2**127 else value


def _varint(value: int) -> bytes:
    """A protobuf variable-length integer."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _associated(task_id: str, party: int) -> bytes:
    return TAG_SEAL + encode((task_id, party))
