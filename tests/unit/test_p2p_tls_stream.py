"""One TLS session over a socket, read and written at once."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from libp2p.io.exceptions import ConnectionClosedError

from crypto.smtls import TlsFault, TlsSession, make_context
from p2p.connect import TcpConnection
from p2p.tls.stream import TlsStream
from tests.smtls_world import clock, identity
from tests.x509_world import organization

LARGE = bytes(64 << 20)  # more than two sockets hold


async def test_bytes_that_were_altered_end_a_session_whose_writer_is_stuck(
    nursery: trio.Nursery,
) -> None:
    org = organization(now=clock())
    accepted: list[trio.SocketStream] = []
    arrived = trio.Event()

    async def accept(stream: trio.SocketStream) -> None:
        accepted.append(stream)
        arrived.set()
        await trio.sleep_forever()

    listeners = await nursery.start(trio.serve_tcp, accept, 0)
    dialed = await trio.open_tcp_stream(*listeners[0].socket.getsockname()[:2])
    await arrived.wait()
    context = make_context(identity(org), (org.root,))
    raw = TcpConnection(accepted[0], is_initiator=False)
    near = TlsStream(TcpConnection(dialed, is_initiator=True), TlsSession(context, is_server=False))
    far = TlsStream(raw, TlsSession(context, is_server=True))
    async with trio.open_nursery() as both:
        both.start_soon(near.handshake)
        both.start_soon(far.handshake)

    async def write() -> None:
        with pytest.raises(ConnectionClosedError):
            await near.write(LARGE)

    async with trio.open_nursery() as writing:
        writing.start_soon(write)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await raw.write(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record that nobody sealed
        with pytest.raises(ConnectionClosedError):
            await near.read()
    assert near.fault == TlsFault.TAMPERED
    await far.abort()
    nursery.cancel_scope.cancel()
