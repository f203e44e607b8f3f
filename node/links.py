"""What the node needs of its network: p2p.network.Network, or in tests one in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import trio

from p2p.limits import Channel
from p2p.network import Frame, PeerAddress

if TYPE_CHECKING:
    from trio_typing import TaskStatus


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
