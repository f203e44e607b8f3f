"""Whom a client believes on the way to a gateway, and what it shows where one asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crypto.smtls import SmContext, TlsFault, TlsIdentity, TlsRefused, make_context
from crypto.x509.profile import Role
from crypto.x509.read import Certificate, RevocationList
from crypto.x509.verify import Trust, verify_certificate


@dataclass(frozen=True, slots=True)
class SmTrust:
    """For sm://. Name only the roots of organizations whose gateways you want to reach."""

    roots: tuple[Certificate, ...]
    lists: tuple[RevocationList, ...] = ()
    identity: TlsIdentity | None = None

    def context(self) -> SmContext:
        """Raises LibcryptoMissing."""
        return make_context(self.identity, self.roots)

    def judge(self, shown: Certificate | None, now: datetime) -> None:
        """Whether it is a node's, and not revoked. Raises CertificateRefused, TlsRefused."""
        if shown is None:
            raise TlsRefused(TlsFault.NO_CERTIFICATE, "the gateway showed no certificate")
        verify_certificate(shown, Trust(self.roots, self.lists), now, role=Role.NODE)
