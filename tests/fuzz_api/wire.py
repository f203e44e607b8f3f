"""Damage to the bytes of a message: what no library for protobuf would ever send."""

from __future__ import annotations

from random import Random

UNKNOWN_FIELDS = (15, 16, 2047, 19_000, (1 << 29) - 1)
GROUP_DEPTH = 2_000  # deeper than any parser follows


def damaged(random: Random, data: bytes) -> bytes:
    """`data` with one to three things done to it."""
    for _ in range(random.randrange(1, 4)):
        data = random.choice(_DAMAGES)(random, data)
    return data


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _flip(random: Random, data: bytes) -> bytes:
    if not data:
        return b"\xff"
    changed = bytearray(data)
    changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _splice(random: Random, data: bytes) -> bytes:
    at, other = random.randrange(len(data) + 1), random.randrange(len(data) + 1)
    return data[:at] + data[other:]


def _twice(random: Random, data: bytes) -> bytes:
    return data + data


def _noise(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.randbytes(random.choice((1, 2, 9, 300))) + data[at:]


def _unknown_field(random: Random, data: bytes) -> bytes:
    return data + varint(random.choice(UNKNOWN_FIELDS) << 3 | 2) + b"\x03abc"


def _other_wire_type(random: Random, data: bytes) -> bytes:
    """A field of the message with any wire type, also those that do not exist."""
    return data + varint(random.randrange(1, 8) << 3 | random.randrange(8)) + b"\x01\x00"


def _long_varint(random: Random, data: bytes) -> bytes:
    return data + b"\x08" + b"\xff" * random.choice((9, 10, 11, 40)) + b"\x01"


def _lying_length(random: Random, data: bytes) -> bytes:
    size = random.choice((len(data) + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1))
    return data + b"\x0a" + varint(size) + b"x"


def _groups(random: Random, data: bytes) -> bytes:
    return data + b"\x0b" * random.choice((1, 99, 101, GROUP_DEPTH))


def _not_utf8(random: Random, data: bytes) -> bytes:
    return data + b"\x0a\x02\xc3\x28" + b"\x1a\x01\xff"


_DAMAGES = (
    _flip,
    _cut,
    _splice,
    _twice,
    _noise,
    _unknown_field,
    _other_wire_type,
    _long_varint,
    _lying_length,
    _groups,
    _not_utf8,
)
