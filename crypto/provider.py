"""CryptoProvider: one private key, wherever it lives, and the verification of everyone's.

Providers must agree on every verdict, or they fork the chain: all are held to one suite by
tests/vectors/test_crypto_conformance.py. They work under the default signer ID only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SignedItem:
    """A claim to verify: that `signature` (r||s) over `message` was made with `public_key`."""

    public_key: bytes
    message: bytes
    signature: bytes


class CryptoProvider(Protocol):
    """Signs and decrypts with one key; verifies with any. Safe to call from many threads."""

    @property
    def public_key(self) -> bytes:
        """X||Y of the provider's key, 64 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """A signature r||s over `message`, 64 bytes."""
        ...

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises SignatureInvalid or KeyInvalid unless the signature is good."""
        ...

    def verify_batch(self, items: Sequence[SignedItem]) -> list[bool]:
        """For each item whether `verify` would accept it; the order is kept, none is skipped."""
        ...

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The plaintext of an SM2 ciphertext C1||C3||C2; raises DecryptionFailed."""
        ...
