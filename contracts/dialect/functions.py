"""Pure host functions, priced in gas. These work outside the VM too."""

from __future__ import annotations

import string

from crypto import sm2 as _sm2
from crypto import sm3 as _sm3
from crypto.errors import KeyInvalid, SignatureInvalid

NAME_LENGTH_MAX = 64  # characters; an identifier fits a line and a storage key
_NAME_CHARACTERS = frozenset(string.ascii_lowercase + string.digits + "_-.")


def sm3(data: bytes) -> bytes:
    """SM3 of `data`: 32 bytes."""
    return _sm3.digest(data)


def sm2_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Is the 64-byte r||s a signature over `message` by the 64-byte key X||Y, default signer id?

    Bytes that are no key or no signature give False.
    """
    try:
        _sm2.verify(public_key, message, signature)
    except (KeyInvalid, SignatureInvalid):
        return False
    return True


def to_hex(data: bytes) -> str:
    """Lower-case hex digits."""
    return data.hex()


def from_hex(text: str) -> bytes:
    """The bytes of lower-case hex digits; anything else fails with bad_value."""
    if not all(digit in "0123456789abcdef" for digit in text):
        raise ValueError("from_hex: only lower-case hex digits")
    return bytes.fromhex(text)


def is_name(text: str) -> bool:
    """Is `text` 1 to 64 characters of a-z 0-9 _ - . (the form of every id)?"""
    return 0 < len(text) <= NAME_LENGTH_MAX and _NAME_CHARACTERS.issuperset(text)


def int_from_bytes(data: bytes) -> int:
    """Big-endian, unsigned, at most 32 bytes."""
    if len(data) > 32:
        raise ValueError("int_from_bytes: at most 32 bytes")
    return int.from_bytes(data, "big")


def int_to_bytes(value: int, size: int) -> bytes:
    """Big-endian, unsigned, exactly `size` (1 to 32) bytes."""
    if not 1 <= size <= 32 or not 0 <= value < 1 << (8 * size):
        raise ValueError("int_to_bytes: the value does not fit")
    return value.to_bytes(size, "big")
