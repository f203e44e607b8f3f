"""Two ends of a TLS session with nothing but a list of bytes between them."""

from __future__ import annotations

from datetime import UTC, datetime

from crypto import sm2
from crypto.smtls import SmContext, TlsIdentity, TlsSession
from crypto.x509.profile import Role, Subject
from tests.x509_world import NODE, Org

CLIENT = Subject("org1", "alice", Role.USER)


def identity(
    org: Org, subject: Subject = NODE, *, now: datetime | None = None, days: int = 365
) -> TlsIdentity:
    """A certificate of `org` with a new key, good from `now` (the clock's, which OpenSSL reads)."""
    private = sm2.generate()
    made = org.leaf(subject, now=now or clock(), days=days, public=sm2.public_key(private))
    return TlsIdentity(made, private)


def clock() -> datetime:
    return datetime.now(UTC)


def ends(server: SmContext, client: SmContext) -> tuple[TlsSession, TlsSession]:
    return TlsSession(server, is_server=True), TlsSession(client, is_server=False)


def shake(server: TlsSession, client: TlsSession) -> bytes:
    """Both handshakes to their end; the bytes that went over the wire. Raises TlsRefused."""
    wire = b""
    for _ in range(4):
        for mine, other in ((client, server), (server, client)):
            is_done = mine.handshake()
            sent = mine.outgoing()
            wire += sent
            other.receive(sent)
        if is_done:
            return wire
    raise AssertionError("a handshake of TLS 1.3 takes three flights")
