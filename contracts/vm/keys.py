"""The keys under which entries of `Var`, `Map` and `SortedMap` are stored.

A `Var` and the entries of a `Map` have the canonical list [name, *parts] as key, which any reader
of the canonical encoding understands. The keys of a `SortedMap` are written so that the order of
the bytes is the order of the values: the byte 0xC1 (which begins no canonical value), the name,
and the parts, each of which ends by itself:

- bool: one byte, 0 or 1.
- int: 0x80 plus the length of the magnitude, then the magnitude, most significant byte first; a
  negative one has all of it inverted, so that the longer comes first.
- str (as UTF-8) and bytes: the bytes with 0x00 written as 0x00 0x01, then 0x00 0x00.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from contracts.vm.codes import Code, Stop
from contracts.vm.declare import Storage
from contracts.vm.types import BOOL, BYTES, INT, STR, Type
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.values import decode_value, encode_value

SORTED: Final = 0xC1
_ZERO = 0x80  # the head of the int 0; a head differs from it by the length of the magnitude
_END, _ESCAPED = b"\0\0", b"\0\1"

KeyPart: TypeAlias = str | bytes | bool | int


def key_prefix(storage: Storage) -> bytes:
    """What all keys of this declaration begin with."""
    if storage.is_sorted:
        return bytes([SORTED]) + encode(storage.name)
    return bytes([0x91 + len(storage.keys)]) + encode(storage.name)


def key_part(part: KeyPart) -> bytes:
    """One part of the key of a `Map`."""
    if type(part) is int:
        return encode_value(part)
    return encode(part)


def sorted_part(part: KeyPart) -> bytes:
    """One part of the key of a `SortedMap`."""
    if type(part) is int:
        return _sorted_int(part)
    if type(part) is str:
        return part.encode().replace(b"\0", _ESCAPED) + _END
    if type(part) is bytes:
        return part.replace(b"\0", _ESCAPED) + _END
    return b"\1" if part else b"\0"


def _sorted_int(value: int) -> bytes:
    magnitude = abs(value)
    size = (magnitude.bit_length() + 7) >> 3
    data = magnitude.to_bytes(size, "big")
    if value < 0:
        return bytes([_ZERO - size]) + bytes(255 - byte for byte in data)
    return bytes([_ZERO + size]) + data


def declaration_of(key: bytes) -> str:
    """The name of the declaration that wrote a stored key. Raises DecodeError."""
    if key[:1] == bytes([SORTED]):
        # One byte before a name of up to 31 characters, two before one of up to 64.
        head, following = (int.from_bytes(key[place : place + 1], "big") for place in (1, 2))
        size = following + 1 if head == 0xD9 else head - 0xA0
        name = decode_value(key[1 : 2 + size])
    else:
        parts = decode_value(key)
        name = parts[0] if isinstance(parts, list) and parts else None
    if not isinstance(name, str):
        raise DecodeError("no storage declaration writes such a key")
    return name


def part_writer(prefix: bytes) -> Callable[[KeyPart], bytes]:
    """What writes the parts of keys that begin with `prefix`."""
    return sorted_part if prefix[0] == SORTED else key_part


def beyond(prefix: bytes) -> bytes:
    """The smallest key above all that begin with `prefix`, which holds a byte below 0xFF."""
    below = prefix.rstrip(b"\xff")
    return below[:-1] + bytes([below[-1] + 1])


def parts_reader(storage: Storage) -> Callable[[bytes], Any]:
    """Gives back what a key of this `SortedMap` was made of: one part, or a tuple of them.

    It raises Stop(bad_storage) for a key that ends too early or too late.
    """
    readers = [_READERS[kind] for kind in storage.keys]
    begin = len(key_prefix(storage))

    def read(key: bytes) -> Any:
        place = begin
        parts: list[KeyPart] = []
        try:
            for reader in readers:
                part, place = reader(key, place)
                parts.append(part)
            if place != len(key):
                raise ValueError("it ends elsewhere")
        except (IndexError, ValueError):
            raise Stop(Code.bad_storage, f"a stored key is none of {storage.name}") from None
        return parts[0] if len(parts) == 1 else tuple(parts)

    return read


def _read_int(key: bytes, place: int) -> tuple[int, int]:
    size = key[place] - _ZERO
    end = place + 1 + abs(size)
    data = key[place + 1 : end]
    if size < 0:
        return -int.from_bytes(bytes(255 - byte for byte in data), "big"), end
    return int.from_bytes(data, "big"), end


def _read_bool(key: bytes, place: int) -> tuple[bool, int]:
    return key[place] == 1, place + 1


def _read_bytes(key: bytes, place: int) -> tuple[bytes, int]:
    # The first 0x00 0x00 ends the part: inside, a zero is always followed by 0x01.
    end = key.index(_END, place)
    return key[place:end].replace(_ESCAPED, b"\0"), end + len(_END)


def _read_text(key: bytes, place: int) -> tuple[str, int]:
    data, end = _read_bytes(key, place)
    return data.decode(), end


_READERS: Final[dict[Type, Callable[[bytes, int], tuple[KeyPart, int]]]] = {
    INT: _read_int,
    BOOL: _read_bool,
    BYTES: _read_bytes,
    STR: _read_text,
}
