"""Contract values as canonical bytes: arguments, stored values, return values, event fields.

A value is None, bool, int within +-2**256, str, bytes, a list or tuple of values, or a dict
with scalar or flat-tuple keys. Tuples and lists share one form: the contract's declared type
tells them apart. Integers beyond 64 bits and dicts travel as msgpack extensions, so that the
canonical form has no maps and no floats:

    extension 1   big integer: sign byte (0 or 1) and minimal big-endian magnitude
    extension 2   dict: canonical array of [key, value, key, value, ...] in order of key bytes
"""

from __future__ import annotations

from typing import TypeAlias, Union

import msgspec

from ledger.errors import DecodeError

Value: TypeAlias = Union[
    None, bool, int, str, bytes, list["Value"], tuple["Value", ...], dict["Key", "Value"]
]
Key: TypeAlias = Union[bool, int, str, bytes, tuple[Union[bool, int, str, bytes], ...]]

INT_MAX = 2**256  # wide enough for every sum of money and for a hash read as a number
DEPTH_MAX = 8  # stored depth; keeps every walk bounded without a gas meter
VALUE_SIZE_MAX = 1 << 20  # bytes of one encoded value

_BIG_INT = 1
_DICT = 2
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


def encode_value(value: Value) -> bytes:
    """Canonical bytes of a contract value. Raises ValueError for a value outside the model."""
    kind = type(value)
    if kind is str or kind is bytes or kind is bool or value is None:
        return _encoder.encode(value)
    return _encoder.encode(_lower(value, 0))


def decode_value(data: bytes, *, size_max: int = VALUE_SIZE_MAX) -> Value:
    """The value with these canonical bytes; tuples come back as lists. Raises DecodeError."""
    if len(data) > size_max:
        raise DecodeError(f"value: {len(data)} bytes exceed the limit of {size_max}")
    try:
        value = _raise(_decoder.decode(data), 0)
        canonical = encode_value(value)
    except (msgspec.DecodeError, RecursionError, ValueError, TypeError) as error:
        raise DecodeError(f"value: {error}") from None
    if canonical != data:
        raise DecodeError("value: the encoding is not canonical")
    return value


def _lower(value: object, depth: int) -> object:
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is bytes:
        return value
    if kind is int:
        return _lower_int(value)  # type: ignore[arg-type]  # kind says so
    if depth >= DEPTH_MAX:
        raise ValueError(f"nested deeper than {DEPTH_MAX}")
    if kind is list or kind is tuple:
        return [_lower(item, depth + 1) for item in value]  # type: ignore[attr-defined]
    if kind is dict:
        pairs = [
            (_encoder.encode(_lower_key(key)), item)
            for key, item in value.items()  # type: ignore[attr-defined]
        ]
        pairs.sort(key=lambda pair: pair[0])
        flat: list[object] = []
        for key, item in pairs:
            flat.append(msgspec.Raw(key))
            flat.append(_lower(item, depth + 1))
        return msgspec.msgpack.Ext(_DICT, _encoder.encode(flat))
    raise ValueError(f"{kind.__name__} is not a contract value")


def _lower_key(key: object) -> object:
    """Keys are flat: they must stay hashable when tuples come back as lists inside."""
    parts = key if type(key) is tuple else (key,)
    for part in parts:
        if type(part) not in (bool, int, str, bytes):
            raise ValueError(f"{type(part).__name__} cannot be (part of) a dict key")
    lowered = [_lower(part, 0) for part in parts]
    return lowered if type(key) is tuple else lowered[0]


def _lower_int(value: int) -> object:
    if -(2**63) <= value < 2**64:
        return value
    if not -INT_MAX <= value <= INT_MAX:
        raise ValueError("integer outside +-2**256")
    magnitude = abs(value)
    body = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")
    return msgspec.msgpack.Ext(_BIG_INT, (b"\x01" if value < 0 else b"\x00") + body)


def _raise(value: object, depth: int) -> Value:
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is str or kind is bytes:
        return value  # type: ignore[return-value]
    if isinstance(value, msgspec.msgpack.Ext) and value.code == _BIG_INT:
        return _raise_int(bytes(value.data))
    if depth >= DEPTH_MAX:
        raise ValueError(f"nested deeper than {DEPTH_MAX}")
    if kind is list:
        return [_raise(item, depth + 1) for item in value]  # type: ignore[attr-defined]
    if isinstance(value, msgspec.msgpack.Ext) and value.code == _DICT:
        return _raise_dict(bytes(value.data), depth)
    raise ValueError(f"{kind.__name__} is not a contract value")


def _raise_int(data: bytes) -> int:
    magnitude = int.from_bytes(data[1:], "big")
    return -magnitude if data[:1] == b"\x01" else magnitude


def _raise_dict(data: bytes, depth: int) -> Value:
    flat = _decoder.decode(data)
    if not isinstance(flat, list) or len(flat) % 2:
        raise ValueError("a dict needs pairs")
    result: dict[Key, Value] = {}
    for position in range(0, len(flat), 2):
        key = _raise(flat[position], DEPTH_MAX - 1)
        if isinstance(key, list):
            key = tuple(key)
        result[key] = _raise(flat[position + 1], depth + 1)  # type: ignore[index]
    return result
