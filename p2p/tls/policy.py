"""Whom this node speaks with, judged by certificate: pure, no socket and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from crypto.errors import CertificateRefused
from crypto.x509.profile import Role
from crypto.x509.read import Certificate
from crypto.x509.verify import Trust, verify_certificate
from p2p.errors import PeerRefused, Refusal


@dataclass(frozen=True, slots=True)
class TransportPolicy:
    """What the chain says at one height. Another height may bring another one."""

    roots: tuple[Certificate, ...] = ()  # of the active organizations
    revoked: frozenset[tuple[str, int]] = frozenset()  # organization and serial
    organizations: Mapping[str, str] = field(default_factory=dict)  # peer id -> organization

    def judge(self, certificate: Certificate, now: datetime, *, dialed: str = "") -> str:
        """The peer id that a certificate of a node speaks for; `dialed`: the only one to accept.

        Raises PeerRefused by its reason: chain, time and revocation come before everything else,
        so that what the messages quote was vouched for by a root.
        """
        subject = certificate.subject
        trust = Trust(self.roots, revoked=self.revoked)
        organization = self.organizations.get(subject.peer_id, "")
        try:
            verify_certificate(
                certificate,
                trust,
                now,
                role=Role.NODE,
                organization=organization,
                peer_id=dialed,
            )
        except CertificateRefused as error:
            raise PeerRefused(error.reason, str(error)) from None
        if not organization:
            raise PeerRefused(
                Refusal.STRANGER,
                f"the certificate of {subject}: no organization is known on chain for its peer id "
                f"{subject.peer_id}; has the node been registered?",
            )
        return subject.peer_id
