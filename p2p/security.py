"""What the network asks of a security protocol. The node's own is p2p.tls.

Whom to let in is decided inside the protocol, because that is the earliest point at which a peer id
is proven: nothing of ours is parsed, and no multiplexer runs, for anybody who is not allowed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from libp2p.abc import IRawConnection, ISecureConn, ISecureTransport
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_PROTOCOL_ID
from libp2p.security.noise.transport import Transport as NoiseTransport

from p2p.errors import PeerRefused, Refusal

if TYPE_CHECKING:
    from crypto.smtls import TlsIdentity
    from crypto.x509.read import Certificate
    from p2p.tls.policy import TransportPolicy

IsAllowed = Callable[[str], bool]  # of a proven peer id


class Security(ISecureTransport):
    """One security protocol and its multistream name.

    `secure_inbound` and `secure_outbound` raise PeerRefused for whoever is not to be spoken with;
    the connections they return raise nothing but libp2p's errors and OSError.
    """

    protocol: TProtocol

    @abstractmethod
    def set_policy(self, policy: TransportPolicy) -> None:
        """New handshakes are judged by it at once."""

    @abstractmethod
    def renew(self, identity: TlsIdentity) -> None:
        """New handshakes show this certificate. Raises CertificateRefused, changing nothing."""

    @abstractmethod
    def recheck(self, connection: ISecureConn) -> None:
        """Raises PeerRefused if the peer of a connection made here would not be let in now."""

    @abstractmethod
    def fault(self, connection: ISecureConn) -> str:
        """What broke the bytes of a connection made here, as a reason to count; empty: nothing."""

    @abstractmethod
    def certificate(self, connection: ISecureConn) -> Certificate | None:
        """What the peer of a connection made here showed, where the protocol has certificates."""

    @abstractmethod
    def is_worn(self, connection: ISecureConn) -> bool:
        """Should the connection be made anew, because its keys have sealed enough?"""


class SecurityFactory(Protocol):
    """Builds the node's only security protocol, which lets in whom `is_allowed` knows."""

    def __call__(self, key_pair: KeyPair, is_allowed: IsAllowed) -> Security: ...


class NotAllowed(PeerRefused):
    """Somebody proved an identity that is not on the allow-list."""

    def __init__(self, peer_id: str) -> None:
        super().__init__(Refusal.STRANGER, f"{peer_id} is not on the allow-list")


def noise(key_pair: KeyPair, is_allowed: IsAllowed) -> Security:
    """libp2p's Noise XX with a static key of this process, behind the allow-list."""
    static = create_x25519_key_pair().private_key
    inner = NoiseTransport(key_pair, noise_privkey=static)
    return Borrowed(NOISE_PROTOCOL_ID, inner, is_allowed)


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
