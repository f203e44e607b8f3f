"""Somebody on the wire between two nodes: what he sees, and what becomes of what he changes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from crypto.smtls import TlsFault
from p2p.address import format_address, parse_address
from p2p.limits import KIB, Channel
from p2p.network import Network, PeerAddress
from tests.e2e.p2p_world import ANY_PORT, all_linked, linked, node, receive, running, until

MARKER = b"this sentence must not be seen"

Change = Callable[[bytes], bytes]


class Wire:
    """Carries one connection at a time between a dialer and `target`, and keeps what it saw."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.address = ""
        self.target = ""
        self.change: Change = bytes  # what he makes of bytes on their way to the target
        self._streams: list[trio.SocketStream] = []

    async def carry(self, dialer: trio.SocketStream) -> None:
        address = parse_address(self.target)
        with suppress(OSError):
            listener = await trio.open_tcp_stream(address.host, address.port)
            self._streams = [dialer, listener]
            async with dialer, listener, trio.open_nursery() as nursery:
                nursery.start_soon(self._pump, dialer, listener, True)
                nursery.start_soon(self._pump, listener, dialer, False)

    async def cut(self) -> None:
        """Ends both connections, as a network does that fails."""
        for stream in self._streams:
            await trio.aclose_forcefully(stream)

    async def _pump(
        self, source: trio.SocketStream, sink: trio.SocketStream, is_changed: bool
    ) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                self.seen += data
                await sink.send_all(self.change(bytes(data)) if is_changed else bytes(data))
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await sink.send_eof()


@asynccontextmanager
async def tapped(dialer: Network, listener: Network) -> AsyncIterator[Wire]:
    """Two nodes that are linked over a wire with somebody on it."""
    wire = Wire()
    async with running(dialer, listener), trio.open_nursery() as nursery:
        (socket,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        wire.address = format_address(*socket.socket.getsockname()[:2])
        wire.target = listener.listen_address
        nursery.start_soon(trio.serve_listeners, wire.carry, [socket])
        listener.update_allow_list({"d": PeerAddress(dialer.peer_id, ANY_PORT)})
        dialer.update_allow_list({"l": PeerAddress(listener.peer_id, wire.address)})
        await all_linked(dialer, listener)
        yield wire
        nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(socket)


async def test_captured_traffic_contains_no_plaintext() -> None:
    dialer, listener = node(0), node(1)
    async with tapped(dialer, listener) as wire:
        for channel in Channel:
            body = MARKER * 3000
            for sender, receiver in ((dialer, listener), (listener, dialer)):
                assert sender.send(receiver.peer_id, channel, body)
                assert await receive(receiver, channel) == (sender.peer_id, body)
        seen = bytes(wire.seen)
    assert len(seen) > 8 * len(MARKER) * 3000
    assert b"/shuxin/tls-sm/1.0.0" in seen, "he does see what libp2p says before"
    for secret in (MARKER, b"/yamux/1.0.0", b"/shuxin/votes", dialer.peer_id.encode(), b"org1"):
        assert secret not in seen


@pytest.mark.parametrize("seed", range(6))
async def test_a_flipped_bit_ends_the_link_and_is_counted(seed: int) -> None:
    dialer, listener = node(0), node(1)
    draw = random.Random(seed)
    async with tapped(dialer, listener) as wire:

        def flip_once(data: bytes) -> bytes:
            wire.change = bytes
            # Behind the 5 bytes that say how long a record is: those are authentic, too, but a
            # length that was changed may only be found out by the silence after it.
            at = draw.randrange(5, len(data))
            return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]

        wire.change = flip_once
        assert dialer.send(listener.peer_id, Channel.TRANSACTIONS, MARKER)
        await until(lambda: listener.counters.lost == 1)
        assert listener.counters.broken == {TlsFault.TAMPERED: 1}
        assert listener.counters.channels[Channel.TRANSACTIONS].frames_received == 0
        await until(lambda: dialer.counters.links == listener.counters.links == 2)  # made anew


async def test_a_record_that_is_sent_twice_ends_the_link() -> None:
    dialer, listener = node(0), node(1)
    async with tapped(dialer, listener) as wire:

        def replay_once(data: bytes) -> bytes:
            wire.change = bytes
            return data + data

        wire.change = replay_once
        dialer.send(listener.peer_id, Channel.TRANSACTIONS, MARKER)
        await until(lambda: listener.counters.broken == {TlsFault.TAMPERED: 1})
        assert listener.counters.channels[Channel.TRANSACTIONS].frames_received <= 1


async def test_a_cut_is_told_from_a_farewell() -> None:
    dialer, listener = node(0), node(1)
    async with tapped(dialer, listener) as wire:
        await wire.cut()
        await until(lambda: listener.counters.broken == {TlsFault.TRUNCATED: 1})
        await until(lambda: dialer.counters.links == listener.counters.links == 2)
        dialer.update_allow_list({})
        await linked(listener)
        assert listener.counters.broken == {TlsFault.TRUNCATED: 1}


async def test_a_flood_through_the_wire_before_the_handshake_is_bounded() -> None:
    """Random bytes in front of a handshake: a few are read, then it is closed."""
    listener = node(1)
    async with running(listener):
        address = parse_address(listener.listen_address)
        async with await trio.open_tcp_stream(address.host, address.port) as stream:
            head = b"\x13/multistream/1.0.0\n\x15/shuxin/tls-sm/1.0.0\n"
            record = b"\x16\x03\x01\x40\x00" + bytes(16 * KIB)
            with suppress(trio.BrokenResourceError):
                await stream.send_all(head)
                for _ in range(64):
                    await stream.send_all(record)
        await until(lambda: listener.counters.refused == 1)
        (reason,) = listener.counters.refusals
        assert reason in (TlsFault.OVERSIZED, TlsFault.PROTOCOL, TlsFault.GARBAGE)
