"""The node's own certificate, taken up anew when its file changes, and when which one ends.

A renewed certificate is for the same key (`shuxin ca renew`): whoever puts its file in the place of
the old one is done, since the node looks each minute, and at once on SIGHUP. Links are made anew
one after the other then (p2p), and nothing restarts. A certificate that the peers would refuse is
not taken up: the old one, which they believe, stays in use, and the log says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
import trio

from crypto.errors import CryptoError
from crypto.smtls import TlsIdentity
from crypto.x509.read import Certificate
from node.keys import read_node_certificate
from p2p.errors import PeerRefused

LOOK_EVERY_S = 60.0  # at the file of the certificate, and at what ends
# How long before its end a certificate is spoken of, and how loudly (clause 5.1c).
ALERT_DAYS = (30, 7, 1)
_DAY = timedelta(days=1)

_log = structlog.get_logger("node.credentials")


@dataclass(frozen=True, slots=True)
class Trusted:
    """What this node believes and depends on, at one time."""

    roots: tuple[Certificate, ...]
    peers: Mapping[str, Certificate]  # name -> what the node at the other end of a link showed


class Credentials:
    """Main task, but for `days_left`, which any thread may read."""

    def __init__(
        self,
        path: Path,
        identity: TlsIdentity,
        *,
        judge: Callable[[Certificate], object],
        on_renewed: Callable[[TlsIdentity], None],
        trusted: Callable[[], Trusted],
        now: Callable[[], datetime],
    ) -> None:
        """`judge` raises PeerRefused for what peers would refuse; `on_renewed` CertificateRefused
        for what the links cannot show."""
        self._path = path
        self._identity = identity
        self._judge = judge
        self._on_renewed = on_renewed
        self._trusted = trusted
        self._now = now
        self._wanted = trio.Event()
        self._refused = b""  # DER of what was not taken up, so that it is said once
        self._said: dict[bytes, int] = {}  # fingerprint -> days of the last alert
        self.days_left: Mapping[tuple[str, str], float] = {}  # (kind, name) -> until the end

    @property
    def identity(self) -> TlsIdentity:
        """What this node shows now."""
        return self._identity

    def ask(self) -> None:
        """Have the file looked at now."""
        self._wanted.set()

    async def run(self) -> None:
        """Look at the file and at what ends, until cancelled."""
        self._check_own()
        while True:
            self.look()
            with trio.move_on_after(LOOK_EVERY_S):
                await self._wanted.wait()
            self._wanted = trio.Event()
            await self.reload()

    async def reload(self) -> bool:
        """Take up the certificate in the file if it is another one and a good one."""
        try:
            found = await trio.to_thread.run_sync(read_node_certificate, self._path)
        except CryptoError as error:
            _log.error("certificate_unread", path=str(self._path), reason=str(error))
            return False
        if found.der == self._identity.certificate.der:
            return False
        try:
            # Its key is that of the old one, or this refuses it: nothing asks for a passphrase.
            renewed = TlsIdentity(found, self._identity.private)
            self._judge(found)
            self._on_renewed(renewed)
        except (CryptoError, PeerRefused) as error:
            self._tell_refused(found, str(error))
            return False
        self._identity, self._refused = renewed, b""
        _log.info(
            "certificate_renewed", serial=f"{found.serial:x}", ends=f"{found.not_after:%Y-%m-%d}"
        )
        return True

    def _tell_refused(self, found: Certificate, reason: str) -> None:
        # Asked again each time: its day may come, or its root be admitted on the chain.
        if found.der == self._refused:
            return
        self._refused = found.der
        _log.error(
            "certificate_not_taken",
            path=str(self._path),
            reason=reason,
            advice="the one before stays in use; put a good one there",
        )

    def look(self) -> None:
        """See what ends when, and say so 30, 7 and 1 days before, and when it is over."""
        now = self._now()
        days_left: dict[tuple[str, str], float] = {}
        alive: set[bytes] = set()
        for kind, name, certificate in self._watched():
            left = (certificate.not_after - now) / _DAY
            days_left[kind, name] = left
            alive.add(certificate.fingerprint)
            self._alert(kind, name, certificate, left)
        self.days_left = days_left
        self._said = {known: days for known, days in self._said.items() if known in alive}

    def _watched(self) -> Iterable[tuple[str, str, Certificate]]:
        own = self._identity.certificate
        yield "own", own.subject.name, own
        trusted = self._trusted()
        for name, certificate in sorted(trusted.peers.items()):
            yield "peer", name, certificate
        for root in trusted.roots:
            yield "root", f"{root.subject.organization}/{root.subject.name}", root

    def _alert(self, kind: str, name: str, certificate: Certificate, left: float) -> None:
        due = [days for days in (*ALERT_DAYS, 0) if left <= days]
        if not due or self._said.get(certificate.fingerprint) == due[-1]:
            return
        self._said[certificate.fingerprint] = due[-1]
        say = _log.warning if left > ALERT_DAYS[1] else _log.critical
        say(
            "certificate_ends" if left > 0 else "certificate_ended",
            kind=kind,
            name=name,
            organization=certificate.subject.organization,
            serial=f"{certificate.serial:x}",
            days=round(left, 1),
            advice="shuxin proposal admit-root" if kind == "root" else "shuxin ca renew",
        )

    def _check_own(self) -> None:
        """A node that nobody will speak with says so, and goes on: it may be let in later."""
        try:
            self._judge(self._identity.certificate)
        except PeerRefused as error:
            _log.critical(
                "certificate_refused", reason=str(error), advice="no peer will speak with this node"
            )
