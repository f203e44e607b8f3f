"""Errors of the ledger: each names what was wrong and what to do next."""

from __future__ import annotations


class LedgerError(Exception):
    """Base of all errors of this package."""


class DecodeError(LedgerError):
    """Untrusted bytes are not the canonical encoding of the expected value."""


class BlockInvalid(LedgerError):
    """A block contradicts its header, its certificate or its predecessor."""


class CertificateInvalid(LedgerError):
    """A certificate does not carry a quorum of valid signatures over its statement."""


class ProofInvalid(LedgerError):
    """A Merkle path does not lead from the record to the root."""


class HeightUnknown(LedgerError):
    """The ledger holds no block of that height."""


class LedgerClosed(LedgerError):
    """The ledger was closed under a reader: the node is shutting down."""


class LedgerInUse(LedgerError):
    """Another process has the ledger open."""


class LedgerDamaged(LedgerError):
    """What is on disk contradicts itself; `height` names the first block concerned, if known."""

    def __init__(self, message: str, *, height: int | None = None) -> None:
        super().__init__(message)
        self.height = height
