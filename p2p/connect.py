"""From a TCP connection to a judged, encrypted and multiplexed one.

The wire is libp2p's: multistream-select, the security protocol, multistream-select, yamux, and
multistream-select once more on every stream. The other side is nobody until the security
protocol ends, so until then it gets few bytes (HANDSHAKE_SIZE_MAX) and little time: py-libp2p
would otherwise allocate whatever length a stranger announces.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio
from libp2p.abc import IMuxedStream, IRawConnection, ISecureConn
from libp2p.connection_types import ConnectionType
from libp2p.custom_types import TProtocol
from libp2p.io.exceptions import ConnectionClosedError, IncompleteReadError
from libp2p.peer.id import ID
from libp2p.protocol_muxer.exceptions import MultiselectClientError, MultiselectError
from libp2p.protocol_muxer.multiselect import Multiselect
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_PROTOCOL_ID
from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr

from crypto.smtls import TlsFault
from crypto.x509.read import Certificate
from p2p.address import TcpAddress, format_address
from p2p.errors import ConnectFailed, PeerRefused, Refusal
from p2p.limits import HANDSHAKE_SIZE_MAX, READ_SIZE, WINDOW_UPDATE_EVERY
from p2p.security import Security

if "LIBP2P_DEBUG" not in os.environ:  # libp2p's own switch, for whoever looks into the library
    # Its warnings quote peers' bytes and would go to stderr past our own log.
    logging.getLogger("libp2p").setLevel(logging.CRITICAL + 1)


class TcpConnection(IRawConnection):
    """libp2p's view of one TCP connection, read in large pieces and frugal with strangers."""

    def __init__(self, stream: trio.SocketStream, *, is_initiator: bool) -> None:
        self.is_initiator = is_initiator
        self._stream = stream
        self._buffer = b""
        self._trust: int | None = HANDSHAKE_SIZE_MAX
        host, port = stream.socket.getpeername()[:2]
        self._remote = (str(host), int(port))

    def trust(self) -> None:
        """The other side has proven who it is: it may send as much as it likes."""
        self._trust = None

    async def read(self, n: int | None = None) -> bytes:
        """Some bytes, at most `n`; raises ConnectionClosedError at the end of the stream."""
        if not self._buffer:
            self._buffer = await self._receive()
        if n is None or n >= len(self._buffer):
            taken, self._buffer = self._buffer, b""
        else:
            taken, self._buffer = self._buffer[:n], self._buffer[n:]
        return taken

    async def write(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionClosedError(f"tcp: {error}", transport="tcp") from error

    async def close(self) -> None:
        await self._stream.aclose()

    def get_remote_address(self) -> tuple[str, int] | None:
        return self._remote

    def get_transport_addresses(self) -> list[Multiaddr]:
        return [Multiaddr(format_address(*self._remote))]

    def get_connection_type(self) -> ConnectionType:
        return ConnectionType.DIRECT

    async def _receive(self) -> bytes:
        try:
            data = bytes(await self._stream.receive_some(READ_SIZE))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionClosedError(f"tcp: {error}", transport="tcp") from error
        if not data:
            raise ConnectionClosedError("tcp: closed by the other side", transport="tcp")
        if self._trust is not None:
            self._trust -= len(data)
            if self._trust < 0:
                raise PeerRefused(TlsFault.OVERSIZED, "too many bytes before the handshake ended")
        return data


class ChannelStream(IMuxedStream):
    """A yamux stream with a fixed window.

    YamuxStream.read sends a window update for every read and widens the window up to 16 MiB;
    a fixed window of 256 KiB, updated every WINDOW_UPDATE_EVERY bytes, halves the cost of a
    small message and bounds what a peer can make us hold.
    """

    def __init__(self, inner: YamuxStream) -> None:
        self.muxed_conn = inner.conn
        self._inner = inner
        self._taken = 0

    async def read(self, n: int | None = None) -> bytes:
        data = await self._inner.conn.read_stream(self._inner.stream_id, -1 if n is None else n)
        self._taken += len(data)
        if self._taken >= WINDOW_UPDATE_EVERY:
            taken, self._taken = self._taken, 0
            self._inner.recv_window += taken
            await self._inner.send_window_update(taken)
        return data

    async def write(self, data: bytes) -> None:
        await self._inner.write(data)

    async def close(self) -> None:
        await self._inner.close()

    async def reset(self) -> None:
        await self._inner.reset()

    def set_deadline(self, ttl: int) -> None:
        raise NotImplementedError("deadlines are trio cancel scopes here")

    def get_remote_address(self) -> tuple[str, int] | None:
        return self._inner.get_remote_address()

    async def __aenter__(self) -> ChannelStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@dataclass(frozen=True, slots=True)
class Connection:
    """An encrypted connection to a peer that proved `peer_id` and is on the allow-list."""

    peer_id: str
    secured: ISecureConn
    muxed: Yamux
    security: Security

    async def open_stream(self, protocol: str) -> ChannelStream:
        """A new stream on which both sides agreed on `protocol`."""
        stream = ChannelStream(await self.muxed.open_stream())
        client = MultiselectClient()
        await client.select_one_of([TProtocol(protocol)], MultiselectCommunicator(stream))
        return stream

    async def accept_stream(self, protocols: frozenset[str]) -> tuple[str, ChannelStream]:
        """The next stream the peer opens, and which of `protocols` it is for."""
        inner = await self.muxed.accept_stream()
        assert isinstance(inner, YamuxStream)
        stream = ChannelStream(inner)
        server = Multiselect({TProtocol(protocol): None for protocol in sorted(protocols)})
        protocol, _ = await server.negotiate(MultiselectCommunicator(stream))
        assert protocol is not None
        return str(protocol), stream

    def recheck(self) -> None:
        """Raises PeerRefused if the peer would not be let in now."""
        self.security.recheck(self.secured)

    @property
    def fault(self) -> str:
        """What broke its bytes, as a reason to count; empty if nothing did."""
        return self.security.fault(self.secured)

    @property
    def certificate(self) -> Certificate | None:
        """What the peer showed, where the protocol has certificates."""
        return self.security.certificate(self.secured)

    @property
    def is_worn(self) -> bool:
        """Should it be made anew: have its keys sealed enough, or was what we showed renewed?"""
        return self.security.is_worn(self.secured)

    async def close(self) -> None:
        """Closes it; the other side hears that this was meant, if it can hear at once."""
        await self.secured.close()


class Connector:
    """Turns TCP connections into judged ones, with one security protocol and one multiplexer."""

    def __init__(self, security: Security, *, timeout_s: float) -> None:
        self._security = security
        # Exactly one protocol each: libp2p's own defaults would accept plaintext.
        self._upgrader = TransportUpgrader(
            {security.protocol: security}, {TProtocol(YAMUX_PROTOCOL_ID): Yamux}
        )
        self._timeout_s = timeout_s

    async def dial(self, address: TcpAddress, peer_id: ID) -> Connection:
        """A connection to `peer_id` and nobody else; raises ConnectFailed."""
        with _deadline(self._timeout_s):
            try:
                stream = await trio.open_tcp_stream(address.host, address.port)
            except OSError as error:
                raise ConnectFailed(Refusal.UNREACHABLE, f"no TCP connection: {error}") from error
            return await self._upgrade(stream, peer_id)

    async def accept(self, stream: trio.SocketStream) -> Connection:
        """The connection behind an accepted socket; raises ConnectFailed. Owns the socket."""
        with _deadline(self._timeout_s):
            return await self._upgrade(stream, None)

    async def _upgrade(self, stream: trio.SocketStream, expected: ID | None) -> Connection:
        try:
            tcp = TcpConnection(stream, is_initiator=expected is not None)
            secured = await self._upgrader.upgrade_security(tcp, expected is not None, expected)
            tcp.trust()
            peer_id = secured.get_remote_peer()
            muxed = await self._upgrader.upgrade_connection(secured, peer_id)
            assert isinstance(muxed, Yamux)
            return Connection(str(peer_id), secured, muxed, self._security)
        except Exception as error:  # parsers of hostile bytes that are not ours raise anything
            await trio.aclose_forcefully(stream)
            raise _failed(error) from error
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise ConnectFailed(
            Refusal.SLOW, f"the handshake was not done after {seconds:g} s"
        ) from None


def _failed(error: BaseException) -> ConnectFailed:
    """Why there is no connection, in words of ours: texts below may quote a stranger's bytes."""
    is_negotiating = False
    root = error
    while True:
        if isinstance(root, PeerRefused):
            return ConnectFailed(root.reason, str(root))
        is_negotiating |= isinstance(root, MultiselectError | MultiselectClientError)
        cause = root.__cause__ or root.__context__
        if cause is None:
            break
        root = cause
    has_left = isinstance(root, ConnectionClosedError | IncompleteReadError) and not is_negotiating
    reason = Refusal.LEFT if has_left else Refusal.NEGOTIATION
    return ConnectFailed(reason, f"the handshake failed ({type(root).__name__})")
