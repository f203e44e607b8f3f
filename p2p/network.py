"""The network of one node: who may talk to us, what goes out, what came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
import trio
from libp2p.peer.id import ID

from p2p.address import TcpAddress, parse_address
from p2p.connect import Connection, Connector
from p2p.counters import Counters
from p2p.errors import (
    AddressInvalid,
    ConnectFailed,
    LinkBroken,
    NetworkError,
    PeerMisbehaved,
    PeerRefused,
    Refusal,
)
from p2p.identity import key_pair_of, parse_peer_id, peer_id_of
from p2p.limits import Channel, NetworkLimits
from p2p.link import Link
from p2p.listen import Door, IpRange, RefusalLog, listened_address, open_listener
from p2p.queues import Frame, Inbox
from p2p.security import SecurityFactory

if TYPE_CHECKING:
    from trio_typing import TaskStatus

    from crypto.smtls import TlsIdentity
    from crypto.x509.read import Certificate
    from p2p.tls.policy import TransportPolicy

__all__ = ["Channel", "Frame", "Network", "NetworkLimits", "PeerAddress"]

log = structlog.get_logger("p2p")


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A node that may connect to us, and where it listens ("/ip4/10.0.0.7/tcp/7001").

    Without an address (empty) it is not dialed, only let in.
    """

    peer_id: str
    multiaddr: str


@dataclass(frozen=True, slots=True)
class _Peer:
    name: str
    id: ID
    peer_id: str
    address: TcpAddress | None  # None: not known, so it has to dial us


class Network:
    """Links to all peers of a table, kept up as long as `run` runs.

    Of two nodes the one with the lower peer id dials, so that pairs do not connect twice. All
    methods are called from the trio thread. `send` and `broadcast` never wait.
    """

    def __init__(
        self,
        seed: bytes,
        *,
        listen: str,
        peers: Mapping[str, PeerAddress],
        security: SecurityFactory,
        limits: NetworkLimits | None = None,
        allowed_ranges: Sequence[IpRange] = (),
    ) -> None:
        """Opens nothing yet. `seed`: 32 bytes; `listen`: multiaddr (port 0 = any free port);
        `peers`: name (for logs) -> address; our own entry is ignored; `allowed_ranges`: where
        connections may come from, everywhere if empty. Raises AddressInvalid and what `security`
        raises."""
        self._peer_id = peer_id_of(seed)
        self._listen = parse_address(listen)
        self._listen_address = listen
        self._peers = _parse_peers(peers, own=self._peer_id)
        self._limits = limits or NetworkLimits()
        self._counters = Counters()
        self._security = security(key_pair_of(seed), lambda peer_id: peer_id in self._peers)
        self._connector = Connector(self._security, timeout_s=self._limits.upgrade_timeout_s)
        self._inboxes = {
            channel: Inbox(self._limits.channels[channel], self._counters.channels[channel])
            for channel in Channel
        }
        self._door = Door(self._limits, allowed_ranges)
        self._refusals = RefusalLog()
        self._links: dict[str, Link] = {}
        self._forming: dict[str, Link] = {}  # connected, streams not yet open: one per peer
        self._living: set[Link] = set()  # those, and the ones that others took over from
        self._dialing: dict[str, trio.CancelScope] = {}
        self._once_linked: set[str] = set()
        self._changed = trio.Event()
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Listens, dials and serves until cancelled; leaves no task and no socket behind.

        Started value: the multiaddr that is listened on. Raises ListenFailed. Once per Network.
        """
        listener = await open_listener(self._listen)
        self._listen_address = listened_address(listener)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await nursery.start(trio.serve_listeners, self._accept, [listener])
                nursery.start_soon(self._rejudge_steadily)
                for peer in self._peers.values():
                    self._start_dialing(peer)
                log.info("listening", address=self._listen_address, peer=self._peer_id)
                task_status.started(self._listen_address)
                await trio.sleep_forever()
        finally:
            self._nursery = None
            for inbox in self._inboxes.values():
                inbox.close()
            await trio.aclose_forcefully(listener)  # last: it ends in Cancelled on shutdown

    @property
    def peer_id(self) -> str:
        """Our own peer id."""
        return self._peer_id

    @property
    def listen_address(self) -> str:
        """The multiaddr that is listened on, with its real port once running."""
        return self._listen_address

    @property
    def counters(self) -> Counters:
        """Live counters; read them, do not keep copies of single fields."""
        return self._counters

    def send(self, peer_id: str, channel: Channel, body: bytes) -> bool:
        """Queues a frame for one peer.

        False (and counted) if the peer is not connected, the body is empty or too large for the
        channel, or the queue is full on TRANSACTIONS or BLOCKS. On VOTES a full queue gives up
        its oldest frames instead, so that True is returned and the loss is counted. True means
        queued, not received: a link that breaks loses what it had queued.
        """
        counters = self._counters.channels[channel]
        if not 0 < len(body) <= self._limits.channels[channel].frame_size_max:
            counters.oversize += 1
            log.warning("frame not sent: empty or too large", channel=channel.name, size=len(body))
            return False
        link = self._links.get(peer_id)
        if link is None:
            counters.dropped += 1
            return False
        return link.push(channel, body)

    def broadcast(self, channel: Channel, body: bytes) -> int:
        """`send` to every peer of the table; the number of queues that took the frame."""
        return sum([self.send(peer_id, channel, body) for peer_id in self._peers])

    def incoming(self, channel: Channel) -> trio.MemoryReceiveChannel[Frame]:
        """Frames from all peers, in order per peer. Always the same object per channel.

        A node that takes none slows down the peers' writers of TRANSACTIONS and BLOCKS. VOTES
        that find no room for 2 s are lost (counted `unread`) until the node takes some again.
        The link survives both, so that a busy node does not look dead.
        """
        return self._inboxes[channel].frames

    def connected(self) -> frozenset[str]:
        """Peer ids with a live link right now."""
        return frozenset(self._links)

    async def wait_change(self, known: frozenset[str]) -> frozenset[str]:
        """Waits until `connected()` differs from `known`, then returns it: nothing is missed."""
        while self.connected() == known:
            await self._changed.wait()
        return self.connected()

    def update_allow_list(self, peers: Mapping[str, PeerAddress]) -> None:
        """Replaces the peer table: new peers are dialed, links to removed ones are closed.

        A peer whose address changed is dialed anew. Raises AddressInvalid and changes nothing.
        """
        before, self._peers = self._peers, _parse_peers(peers, own=self._peer_id)
        for peer_id, peer in before.items():
            if self._peers.get(peer_id) != peer:
                self._drop(peer_id)
        for peer_id, peer in self._peers.items():
            if before.get(peer_id) != peer:
                self._start_dialing(peer)

    def set_policy(self, policy: TransportPolicy) -> None:
        """What the chain says now of organizations and certificates, for new and living links.

        Links to peers that would not be let in any more are closed at once, counted as `cut`.
        """
        self._security.set_policy(policy)
        self._rejudge()

    def renew(self, identity: TlsIdentity) -> None:
        """New links show this certificate; living ones are made anew within a heartbeat.

        A successor takes over from each, so that no frame is lost. Raises CertificateRefused for
        a certificate that is not for this node, and changes nothing.
        """
        self._security.renew(identity)

    def certificates(self) -> dict[str, Certificate]:
        """Name -> what the peer at the other end of a link showed."""
        found = {}
        for peer_id, link in self._links.items():
            peer, certificate = self._peers.get(peer_id), link.certificate
            if peer is not None and certificate is not None:
                found[peer.name] = certificate
        return found

    def _drop(self, peer_id: str) -> None:
        scope = self._dialing.pop(peer_id, None)
        if scope is not None:
            scope.cancel()
        for link in self._living:
            if link.peer_id == peer_id:
                link.close()

    def _start_dialing(self, peer: _Peer) -> None:
        if self._nursery is None or peer.address is None or self._peer_id > peer.peer_id:
            return
        scope = self._dialing[peer.peer_id] = trio.CancelScope()
        self._nursery.start_soon(self._keep_linked, peer, peer.address, scope)

    async def _keep_linked(self, peer: _Peer, address: TcpAddress, scope: trio.CancelScope) -> None:
        """Dials for ever; the wait grows while dialing fails and starts anew after a link."""
        nursery = self._nursery
        assert nursery is not None
        delay = self._limits.retry_first_s
        is_reported = False
        with scope:
            while True:
                began = trio.current_time()
                try:
                    connection = await self._connector.dial(address, peer.id)
                except ConnectFailed as error:
                    self._counters.failures[error.reason] += 1
                    report = log.debug if is_reported else log.info
                    report("peer not reached", name=peer.name, reason=str(error))
                    is_reported = True
                else:
                    link = self._take_up(connection, is_dialer=True)
                    nursery.start_soon(self._serve, link)
                    await link.outlived.wait()
                    is_reported = False
                    if trio.current_time() - began > self._limits.retry_max_s:
                        delay = self._limits.retry_first_s
                        if link in self._living and not link.is_closing:
                            continue  # it is to have a successor
                await trio.sleep(delay)
                delay = min(delay * self._limits.retry_factor, self._limits.retry_max_s)

    async def _accept(self, stream: trio.SocketStream) -> None:
        host = _host_of(stream)
        try:
            connection = await self._let_in(stream, host)
        except ConnectFailed as error:
            await trio.aclose_forcefully(stream)
            self._counters.refusals[error.reason] += 1
            self._refusals.refused(host=host, reason=str(error), now=trio.current_time())
        else:
            await self._serve(self._take_up(connection, is_dialer=False))

    async def _let_in(self, stream: trio.SocketStream, host: str) -> Connection:
        """The judged connection behind an accepted socket; raises ConnectFailed."""
        self._door.check(host, now=trio.current_time())
        connection: Connection | None = None
        with self._door.admit(host):
            connection = await self._connector.accept(stream)
        if connection is None:
            raise ConnectFailed(Refusal.CROWDED, "it gave way to newer connections")
        if self._peer_id < connection.peer_id:
            await connection.close()
            raise ConnectFailed(
                Refusal.DIRECTION, "the node with the lower peer id dials, and that is us"
            )
        return connection

    def _take_up(self, connection: Connection, *, is_dialer: bool) -> Link:
        """The link that begins with a connection; `_serve` must follow."""
        peer_id = connection.peer_id
        link = Link(
            connection,
            is_dialer=is_dialer,
            limits=self._limits,
            counters=self._counters,
            inboxes=self._inboxes,
        )
        self._living.add(link)
        try:
            connection.recheck()  # what was judged when it began may have changed meanwhile
        except PeerRefused as error:
            self._cut(link, error)
        earlier = self._forming.get(peer_id)
        if earlier is not None:
            earlier.close()
        self._forming[peer_id] = link
        return link

    async def _serve(self, link: Link) -> None:
        peer_id = link.peer_id
        try:
            end = await link.run(on_up=lambda: self._is_up(link))
            self._report(peer_id, end)
        finally:
            self._living.discard(link)
            if self._forming.get(peer_id) is link:
                del self._forming[peer_id]
            if self._links.get(peer_id) is link:
                del self._links[peer_id]
                self._notify()

    def _is_up(self, link: Link) -> Link | None:
        """Frames go to it from now on; returns the link that it takes over from."""
        peer_id = link.peer_id
        if self._forming.get(peer_id) is not link or peer_id not in self._peers:
            link.close()
            return None
        del self._forming[peer_id]
        earlier = self._links.get(peer_id)
        if earlier is not None:  # or the peer restarted before we noticed that it was gone
            earlier.retire()
        self._links[peer_id] = link
        self._counters.links += 1
        self._counters.reconnects += peer_id in self._once_linked
        self._once_linked.add(peer_id)
        log.info("link up", name=self._peers[peer_id].name, peer=peer_id)
        self._notify()
        return earlier

    def _rejudge(self) -> None:
        """Ends the links to peers that would not be let in now."""
        for link in [link for link in self._living if not link.is_closing]:
            try:
                link.recheck()
            except PeerRefused as error:
                self._cut(link, error)

    def _cut(self, link: Link, error: PeerRefused) -> None:
        self._counters.cut[error.reason] += 1
        log.warning("link cut", peer=link.peer_id, reason=str(error))
        link.close()

    async def _rejudge_steadily(self) -> None:
        """A certificate expires without anybody saying so."""
        while True:
            await trio.sleep(self._limits.rejudge_every_s)
            self._rejudge()

    def _report(self, peer_id: str, end: NetworkError | None) -> None:
        if isinstance(end, LinkBroken):
            self._counters.broken[end.fault] += 1
        if isinstance(end, PeerMisbehaved):
            self._counters.garbage += 1
            log.warning("link closed: the peer misbehaved", peer=peer_id, reason=str(end))
        elif end is not None:
            self._counters.lost += 1
            log.info("link lost", peer=peer_id, reason=str(end))
        else:
            log.info("link closed", peer=peer_id)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _parse_peers(peers: Mapping[str, PeerAddress], *, own: str) -> dict[str, _Peer]:
    parsed: dict[str, _Peer] = {}
    for name, peer in sorted(peers.items()):
        if peer.peer_id == own:
            continue
        if peer.peer_id in parsed:
            raise AddressInvalid(f"{name} and {parsed[peer.peer_id].name} have the same peer id")
        parsed[peer.peer_id] = _Peer(
            name=name,
            id=parse_peer_id(peer.peer_id),
            peer_id=peer.peer_id,
            address=parse_address(peer.multiaddr) if peer.multiaddr else None,
        )
    return parsed


def _host_of(stream: trio.SocketStream) -> str:
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:
        return "gone"
