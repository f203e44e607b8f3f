"""The network of one node: who may talk to us, what goes out, what came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import trio

from p2p.counters import Counters
from p2p.limits import Channel, NetworkLimits
from p2p.security import SecurityFactory, noise


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A node that may connect to us, and where it listens ("/ip4/10.0.0.7/tcp/7001")."""

    peer_id: str
    multiaddr: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What one peer sent in one piece; `peer_id` is authenticated, `body` is anything."""

    peer_id: str
    body: bytes


class Network:
    """Links to all peers of a table, kept up as long as `run` runs.

    All methods are called from the trio thread. `send` and `broadcast` never wait.
    """

    def __init__(
        self,
        seed: bytes,
        *,
        listen: str,
        peers: Mapping[str, PeerAddress],
        limits: NetworkLimits = NetworkLimits(),  # noqa: B008  # frozen
        security: SecurityFactory = noise,
    ) -> None:
        """Opens nothing yet. `seed`: 32 bytes; `listen`: multiaddr (port 0 = any free port);
        `peers`: name (for logs) -> address; our own entry is ignored. Raises AddressInvalid."""
        raise NotImplementedError

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Listens, dials and serves until cancelled; leaves no task and no socket behind.

        Started value: the multiaddr that is listened on. Raises ListenFailed. Once per Network.
        """
        raise NotImplementedError

    @property
    def peer_id(self) -> str:
        """Our own peer id."""
        raise NotImplementedError

    @property
    def listen_address(self) -> str:
        """The multiaddr that is listened on, with its real port once running."""
        raise NotImplementedError

    def send(self, peer_id: str, channel: Channel, body: bytes) -> bool:
        """Queues a frame for one peer.

        False (and counted) if the peer is not connected, the body is empty or too large for the
        channel, or the queue is full on a channel that keeps its oldest. On VOTES a full queue
        gives up its oldest frames instead, so that True is returned and the loss is counted.
        True means queued, not received: a link that breaks loses what it had queued.
        """
        raise NotImplementedError

    def broadcast(self, channel: Channel, body: bytes) -> int:
        """`send` to every peer of the table; the number of queues that took the frame."""
        raise NotImplementedError

    def incoming(self, channel: Channel) -> trio.MemoryReceiveChannel[Frame]:
        """Frames from all peers, in order per peer. Always the same object per channel.

        A node that takes none for 2 s loses frames of this channel (counted `unread`) until it
        takes some again; the link survives, so that a busy node does not look dead.
        """
        raise NotImplementedError

    def connected(self) -> frozenset[str]:
        """Peer ids with a live link right now."""
        raise NotImplementedError

    async def wait_change(self, known: frozenset[str]) -> frozenset[str]:
        """Waits until `connected()` differs from `known`, then returns it: nothing is missed."""
        raise NotImplementedError

    def update_allow_list(self, peers: Mapping[str, PeerAddress]) -> None:
        """Replaces the peer table: new peers are dialed, links to removed ones are closed."""
        raise NotImplementedError

    @property
    def counters(self) -> Counters:
        """Live counters; read them, do not keep copies of single fields."""
        raise NotImplementedError
