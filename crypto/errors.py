"""Errors of cryptography: none of them ever carries a key, a passphrase or a plaintext."""

from __future__ import annotations


class CryptoError(Exception):
    """Base of all errors of this package."""


class KeyInvalid(CryptoError):
    """A key has the wrong length, is out of range or is no point of the curve."""


class SignatureInvalid(CryptoError):
    """A signature is malformed or was not made over this message with this key."""


class DecryptionFailed(CryptoError):
    """A ciphertext is malformed, was changed, or is for another key; it does not say which."""


class PlaintextInvalid(CryptoError):
    """A plaintext is empty or longer than the scheme allows."""


class KeyFileInvalid(CryptoError):
    """A key file cannot be used: unreadable, exposed to others, malformed, or wrong passphrase."""


class DerInvalid(CryptoError):
    """Bytes are not the strict DER encoding of the expected value."""


class LibcryptoMissing(CryptoError):
    """The libcrypto at hand cannot be opened or lacks SM2 or SM3; says what to install."""


class LibcryptoFault(CryptoError):
    """libcrypto failed for a reason of its own (memory, say): a fault here, never a verdict."""
