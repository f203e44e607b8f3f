"""Errors of cryptography: none of them ever carries a key, a passphrase or a plaintext."""

from __future__ import annotations

from enum import StrEnum


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


class Reason(StrEnum):
    """Why a certificate, request or revocation list is refused: stable, for programs."""

    MALFORMED = "malformed"  # not X.509, not our profile, too long
    TAMPERED = "tampered"  # the signature does not fit
    FOREIGN = "foreign"  # no root that is trusted issued it
    EXPIRED = "expired"
    EARLY = "early"  # its time has not begun
    REVOKED = "revoked"
    CRL_EXPIRED = "crl_expired"  # a newer revocation list is needed
    ROLE = "role"
    ORGANIZATION = "organization"
    NAME = "name"
    PEER = "peer"  # of another node
    KEY = "key"  # for another key


class CertificateRefused(CryptoError):
    """An X.509 certificate, request or list is not accepted; `reason` says why for programs."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason

    @property
    def code(self) -> str:
        return f"certificate.{self.reason}"

    @property
    def detail(self) -> str:
        return str(self)


class BatchInvalid(CryptoError):
    """The parts of a batch of hashes do not fit together; nothing of it was computed."""
