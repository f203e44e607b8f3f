"""Security protocols of libp2p's own, to be measured beside ours, and to be refused in tests.

No node speaks them: they prove a peer id, and know nothing of certificates.
"""

from __future__ import annotations

from libp2p.abc import IRawConnection, ISecureConn, ISecureTransport
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_PROTOCOL_ID
from libp2p.security.noise.transport import Transport as NoiseTransport

from crypto.smtls import TlsIdentity
from crypto.x509.read import Certificate
from p2p.errors import PeerRefused
from p2p.security import IsAllowed, NotAllowed, Security
from p2p.tls.policy import TransportPolicy


def noise(key_pair: KeyPair, is_allowed: IsAllowed) -> Security:
    """libp2p's Noise XX with a static key of this process, behind the allow-list."""
    static = create_x25519_key_pair().private_key
    inner = NoiseTransport(key_pair, noise_privkey=static)
    return Borrowed(NOISE_PROTOCOL_ID, inner, is_allowed)


def plaintext(key_pair: KeyPair, is_allowed: IsAllowed) -> Security:
    """What libp2p speaks where nobody asks for more."""
    return Borrowed(TProtocol(PLAINTEXT_PROTOCOL_ID), InsecureTransport(key_pair), is_allowed)


class Borrowed(Security):
    """A protocol of libp2p's own: it proves a peer id, and knows no certificates."""

    def __init__(self, protocol: TProtocol, inner: ISecureTransport, is_allowed: IsAllowed) -> None:
        self.protocol = protocol
        self._inner = inner
        self._is_allowed = is_allowed

    def set_policy(self, policy: TransportPolicy) -> None:
        """Says nothing of this protocol."""

    def renew(self, identity: TlsIdentity) -> None:
        """Says nothing of this protocol."""

    def recheck(self, connection: ISecureConn) -> None:
        peer_id = str(connection.get_remote_peer())
        if not self._is_allowed(peer_id):
            raise NotAllowed(peer_id)

    def fault(self, connection: ISecureConn) -> str:
        return ""

    def certificate(self, connection: ISecureConn) -> Certificate | None:
        return None

    def is_worn(self, connection: ISecureConn) -> bool:
        return False

    async def secure_inbound(self, conn: IRawConnection) -> ISecureConn:
        return await self._judged(await self._inner.secure_inbound(conn))

    async def secure_outbound(self, conn: IRawConnection, peer_id: ID) -> ISecureConn:
        return await self._judged(await self._inner.secure_outbound(conn, peer_id))

    async def _judged(self, secured: ISecureConn) -> ISecureConn:
        try:
            self.recheck(secured)
        except PeerRefused:
            await secured.close()
            raise
        return secured
