"""What the node needs of its network: p2p.network.Network, or in tests one in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import trio

from crypto.smtls import TlsIdentity
from crypto.x509.read import Certificate
from node.config import NodeConfig
from p2p.limits import Channel
from p2p.network import Frame, PeerAddress
from p2p.tls.policy import TransportPolicy

if TYPE_CHECKING:
    from trio_typing import TaskStatus


@dataclass(frozen=True, slots=True)
class Presence:
    """What a node is to others when it begins, and whom it believes."""

    seed: bytes = field(repr=False)  # of the network key
    identity: TlsIdentity | None  # None: links that show none, in memory
    policy: TransportPolicy


class Links(Protocol):
    """Authenticated frames to and from the other members. See p2p.network.Network."""

    async def run(self, *, task_status: TaskStatus[str] = ...) -> None: ...

    def send(self, peer_id: str, channel: Channel, body: bytes) -> bool:
        """Queue a frame, never wait; False if it is lost."""
        ...

    def broadcast(self, channel: Channel, body: bytes) -> int: ...

    def incoming(self, channel: Channel) -> trio.MemoryReceiveChannel[Frame]: ...

    def connected(self) -> frozenset[str]: ...

    def update_allow_list(self, peers: Mapping[str, PeerAddress]) -> None:
        """Replace the table of peers: who is not in it is cut off."""
        ...

    def set_policy(self, policy: TransportPolicy) -> None:
        """Whom to believe from now on: links to others are cut."""
        ...

    def certificates(self) -> Mapping[str, Certificate]:
        """Name -> what the peer at the other end of a link showed."""
        ...

    def renew(self, identity: TlsIdentity) -> None:
        """Show another certificate, and make the links anew with it. Raises CertificateRefused."""
        ...


OpenLinks: TypeAlias = Callable[[NodeConfig, Mapping[str, PeerAddress], Presence], Links]
