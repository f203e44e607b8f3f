"""The security transport as a parameter, and Noise behind an allow-list as the first choice.

The allow-list sits inside the transport because that is the earliest point at which a peer id
is proven: nothing of ours is parsed, and no multiplexer runs, for anybody who is not on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from libp2p.abc import IRawConnection, ISecureConn, ISecureTransport
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.security.exceptions import HandshakeFailure
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_PROTOCOL_ID
from libp2p.security.noise.transport import Transport as NoiseTransport

IsAllowed = Callable[[ID], bool]


@dataclass(frozen=True, slots=True)
class Security:
    """One security protocol: its multistream name and the transport that speaks it."""

    protocol: TProtocol
    transport: ISecureTransport


class SecurityFactory(Protocol):
    """Builds the node's only security protocol.

    Its transport raises NotAllowed for whoever `is_allowed` does not know, once the handshake
    has proven the identity, and may raise PeerRefused for reasons of its own. The connections
    it returns raise nothing but libp2p's errors and OSError.
    """

    def __call__(self, key_pair: KeyPair, is_allowed: IsAllowed) -> Security: ...


def noise(key_pair: KeyPair, is_allowed: IsAllowed) -> Security:
    """libp2p's Noise XX with a static key of this process, behind the allow-list."""
    static = create_x25519_key_pair().private_key
    transport = NoiseTransport(key_pair, noise_privkey=static)
    return Security(NOISE_PROTOCOL_ID, AllowListTransport(transport, is_allowed))


class PeerRefused(HandshakeFailure):
    """The handshake showed a reason to refuse the other side.

    The message goes to the log as it is: it must be ours, and quote no bytes of the other side.
    """


class NotAllowed(PeerRefused):
    """Somebody proved an identity that is not on the allow-list."""

    def __init__(self, peer_id: ID) -> None:
        super().__init__(f"{peer_id} is not on the allow-list")
        self.peer_id = peer_id


class AllowListTransport(ISecureTransport):
    """Refuses, right after the handshake, whoever proved an identity that is not allowed."""

    def __init__(self, inner: ISecureTransport, is_allowed: IsAllowed) -> None:
        self._inner = inner
        self._is_allowed = is_allowed

    async def secure_inbound(self, conn: IRawConnection) -> ISecureConn:
        secured = await self._inner.secure_inbound(conn)
        return await self._judged(secured)

    async def secure_outbound(self, conn: IRawConnection, peer_id: ID) -> ISecureConn:
        secured = await self._inner.secure_outbound(conn, peer_id)
        return await self._judged(secured)

    async def _judged(self, secured: ISecureConn) -> ISecureConn:
        peer_id = secured.get_remote_peer()
        if self._is_allowed(peer_id):
            return secured
        await secured.close()
        raise NotAllowed(peer_id)
