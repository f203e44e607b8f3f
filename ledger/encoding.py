"""Canonical bytes: the one byte string of a value, and the one value of a byte string.

Everything that is hashed or signed passes through here. Structs travel as msgpack arrays
(no field names, no maps), so their bytes equal `msgpack.packb(tuple)`. msgspec's decoder is
lenient (over-wide integers are accepted), hence the re-encoding check.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ledger.errors import DecodeError

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[object, msgspec.msgpack.Decoder[object]] = {}


def encode(value: object) -> bytes:
    """Canonical bytes of a Record (or of a tuple, int, str, bytes or bool)."""
    return _encoder.encode(value)


def decode(data: bytes, kind: type[T], *, size_max: int) -> T:
    """The value of type `kind` whose canonical bytes are `data`.

    Raises DecodeError, and nothing else, for bytes that are too long, malformed, of another
    shape, or not canonical.
    """
    if len(data) > size_max:
        raise DecodeError(f"{kind.__name__}: {len(data)} bytes exceed the limit of {size_max}")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        value = decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise DecodeError(f"{kind.__name__}: {error}") from None
    if _encoder.encode(value) != data:
        raise DecodeError(f"{kind.__name__}: the encoding is not canonical")
    return value  # type: ignore[return-value]  # the decoder was built for `kind`
