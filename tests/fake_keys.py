"""A CryptoProvider of the ledger tests' fake scheme: instant, and nobody signs for another."""

from __future__ import annotations

from collections.abc import Sequence

from crypto.errors import SignatureInvalid
from crypto.provider import SignedItem
from tests.ledger_world import fake_sign, fake_verify_batch


def fake_public(number: int) -> bytes:
    """The public key of a made-up member or account."""
    return bytes([number + 1]) * 64


class FakeKeys:
    def __init__(self, number: int = 0) -> None:
        self.public_key = fake_public(number)

    def sign(self, message: bytes) -> bytes:
        return fake_sign(self.public_key, message)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        if not all(fake_verify_batch([SignedItem(public, message, signature)])):
            raise SignatureInvalid("fake signature")

    def verify_batch(self, items: Sequence[SignedItem]) -> list[bool]:
        return fake_verify_batch(items)

    def decrypt(self, ciphertext: bytes) -> bytes:
        raise AssertionError("nothing is encrypted here")
