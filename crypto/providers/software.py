"""The software provider: the private key is in this process's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from crypto import sm2
from crypto.errors import KeyInvalid, SignatureInvalid
from crypto.provider import SignedItem


class SoftwareProvider:
    """A CryptoProvider over `crypto.sm2`. Neither its repr nor a copy of it gives the key away."""

    __slots__ = ("_private", "_public")

    def __init__(self, private: bytes) -> None:
        self._public = sm2.public_key(private)
        self._private = private

    def __repr__(self) -> str:
        return f"SoftwareProvider(public_key={self._public.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a provider holds a private key and is not serialized")

    @property
    def public_key(self) -> bytes:
        """X||Y, 64 bytes."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """A signature r||s over `message`."""
        return sm2.sign(self._private, message)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises SignatureInvalid or KeyInvalid unless the signature is good."""
        sm2.verify(public, message, signature)

    def verify_batch(self, items: Sequence[SignedItem]) -> list[bool]:
        """Verdicts in order, one after the other in the calling thread, free of the GIL."""
        return verify_batch(items)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The plaintext of an SM2 ciphertext; raises DecryptionFailed."""
        return sm2.decrypt(self._private, ciphertext)


def verify_batch(items: Sequence[SignedItem]) -> list[bool]:
    """`CryptoProvider.verify_batch` for those who verify and have no key: auditors, readers."""
    return [_is_good(item) for item in items]


def _is_good(item: SignedItem) -> bool:
    try:
        sm2.verify(item.public_key, item.message, item.signature)
    except (KeyInvalid, SignatureInvalid):
        return False
    return True
