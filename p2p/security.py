"""What the network asks of a security protocol. The node's own is p2p.tls.

Whom to let in is decided inside the protocol, because that is the earliest point at which a peer id
is proven: nothing of ours is parsed, and no multiplexer runs, for anybody who is not allowed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from libp2p.abc import ISecureConn, ISecureTransport
from libp2p.crypto.keys import KeyPair
from libp2p.custom_types import TProtocol

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
        """Should it be made anew: have its keys sealed enough, or was what we showed renewed?"""


class SecurityFactory(Protocol):
    """Builds the node's only security protocol, which lets in whom `is_allowed` knows."""

    def __call__(self, key_pair: KeyPair, is_allowed: IsAllowed) -> Security: ...


class NotAllowed(PeerRefused):
    """Somebody proved an identity that is not on the allow-list."""

    def __init__(self, peer_id: str) -> None:
        super().__init__(Refusal.STRANGER, f"{peer_id} is not on the allow-list")
