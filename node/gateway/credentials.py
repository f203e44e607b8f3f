"""What a gateway shows and whom it takes, read anew when the files change.

Files that cannot be used leave the former ones in use, and are named in the log: half of a renewal
may be on disk. At the start they are an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from crypto.errors import CertificateRefused, CryptoError, Reason
from crypto.keys import load_key
from crypto.passphrase import find_passphrase
from crypto.smtls import SmContext, TlsFault, TlsIdentity, TlsRefused, make_context
from crypto.x509.authority import read_file
from crypto.x509.profile import Role
from crypto.x509.read import Certificate, read_certificate, read_crl
from crypto.x509.verify import Trust, verify_certificate, verify_crl
from node.gateway.config import ClientRules, GatewayConfig

_log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Credentials:
    """All that one connection is judged by."""

    identity: TlsIdentity
    context: SmContext
    trust: Trust
    roles: frozenset[Role] | None  # None: clients show nothing

    def judge(self, shown: Certificate | None, now: datetime) -> None:
        """Whether this client is taken at this time. Raises CertificateRefused, TlsRefused."""
        if self.roles is None:
            return
        if shown is None:
            raise TlsRefused(TlsFault.NO_CERTIFICATE, "a certificate is asked for here")
        verify_certificate(shown, self.trust, now)
        if shown.subject.role not in self.roles:
            allowed = ", ".join(sorted(self.roles))
            raise CertificateRefused(
                Reason.ROLE, f"the certificate is of {shown.subject}; taken here are {allowed}"
            )


class CredentialFiles:
    """The newest credentials that the files gave."""

    def __init__(self, config: GatewayConfig, now: Callable[[], datetime]) -> None:
        """Raises CryptoError or OSError for files that cannot be used."""
        self._config = config
        self._now = now
        self._revoked: frozenset[tuple[str, int]] = frozenset()
        self._seen = self._states()
        self.current = _load(config, now())
        _tell(self.current, now())

    def refresh(self) -> bool:
        """Have the files become others that can be used? They are `current` then."""
        seen = self._states()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self.current = self._without_revoked(_load(self._config, self._now()))
        except (CryptoError, OSError) as error:
            _log.warning("not_renewed", reason=str(error), kept="the credentials of before")
            return False
        _tell(self.current, self._now())
        return True

    def revoke(self, revoked: frozenset[tuple[str, int]]) -> None:
        """From now on these count as revoked (organization, serial), whatever lists say."""
        self._revoked = revoked
        self.current = self._without_revoked(self.current)

    def _without_revoked(self, found: Credentials) -> Credentials:
        return replace(found, trust=replace(found.trust, revoked=self._revoked))

    def _states(self) -> tuple[tuple[int, int, int], ...]:
        rules, passphrase_file = self._config.clients, self._config.passphrase_file
        paths = (
            self._config.certificate,
            self._config.key,
            *(() if passphrase_file is None else (passphrase_file,)),
            *(() if rules is None else (*rules.roots, *rules.lists)),
        )
        return tuple(_state(path) for path in paths)


def _load(config: GatewayConfig, now: datetime) -> Credentials:
    certificate = read_certificate(read_file(config.certificate))
    if certificate.subject.role is not Role.NODE:
        raise CertificateRefused(
            Reason.ROLE,
            f"{config.certificate} is of {certificate.subject}; clients believe a gateway with a "
            "certificate of role node only",
        )
    private = load_key(config.key, find_passphrase(config.passphrase_file, keys=[config.key]))
    identity = TlsIdentity(certificate, private)
    trust = Trust(()) if config.clients is None else _trust(config.clients, now)
    return Credentials(
        identity,
        make_context(identity, trust.roots, is_mutual=config.clients is not None),
        trust,
        None if config.clients is None else config.clients.roles,
    )


def _trust(rules: ClientRules, now: datetime) -> Trust:
    """Raises CertificateRefused for a list that none of the roots signed.

    One that is too old is kept: it refuses the clients of its root until a newer one comes.
    """
    roots = tuple(read_certificate(read_file(path)) for path in rules.roots)
    lists = []
    for path in rules.lists:
        found = read_crl(read_file(path))
        root = next((root for root in roots if root.subject == found.issuer), None)
        if root is None:
            raise CertificateRefused(
                Reason.FOREIGN, f"{path} is a list of {found.issuer}, which is not among the roots"
            )
        try:
            verify_crl(found, root, now)
        except CertificateRefused as refused:
            if refused.reason is not Reason.CRL_EXPIRED:
                raise
            _log.warning("list_too_old", path=str(path), reason=str(refused))
        lists.append(found)
    return Trust(roots, tuple(lists))


def _tell(found: Credentials, now: datetime) -> None:
    certificate = found.identity.certificate
    days = (certificate.not_after - now).days
    tell = _log.warning if days < 30 else _log.info
    tell("credentials", of=str(certificate.subject), days=days, clients=len(found.trust.roots))


def _state(path: Path) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)
