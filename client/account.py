"""An account: a signing key and the address it speaks for."""

from __future__ import annotations

from pathlib import Path

from crypto.keys import load_key
from crypto.provider import CryptoProvider
from crypto.providers.software import SoftwareProvider
from ledger.model import Address, address_of


class Account:
    """Signs on behalf of one address. The key stays inside its provider."""

    def __init__(self, provider: CryptoProvider, *, certificate: bytes = b"") -> None:
        """`certificate` is the fingerprint of the one by which nodes are asked: what it gives and
        no more. Empty: all that the chain gives to the account."""
        self._provider = provider
        self.certificate = certificate
        self.public_key = provider.public_key
        self.address: Address = address_of(provider.public_key)

    @classmethod
    def load(cls, path: Path, passphrase: bytes) -> Account:
        """The account whose key lies encrypted at `path`. Raises crypto.errors.KeyFileInvalid."""
        return cls(SoftwareProvider(load_key(path, passphrase)))

    def sign(self, message: bytes) -> bytes:
        """64 bytes r || s over `message`."""
        return self._provider.sign(message)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Opens what was sealed to this account (SM2, C1C3C2). Raises DecryptionFailed."""
        return self._provider.decrypt(ciphertext)

    def __repr__(self) -> str:
        return f"Account({self.address})"
