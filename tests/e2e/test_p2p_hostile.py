"""Strangers on the port, and peers with an allowed identity who misbehave."""

from __future__ import annotations

import os
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID
from libp2p.stream_muxer.yamux.yamux import TYPE_DATA
from structlog.testing import capture_logs

from bench.borrowed import noise, plaintext
from p2p.address import parse_address
from p2p.errors import ConnectFailed, Refusal
from p2p.frames import HEARTBEAT, Acknowledged, encode_acknowledged
from p2p.identity import peer_id_of
from p2p.limits import MIB, default_channels
from p2p.network import Channel, NetworkLimits, PeerAddress
from p2p.security import SecurityFactory
from tests.e2e.p2p_world import (
    ANY_PORT,
    SEEDS,
    Hostile,
    all_linked,
    connector_of,
    hostile,
    introduce,
    leftovers,
    linked,
    node,
    receive,
    running,
    table,
    until,
    warnings_of,
)

# --- strangers -------------------------------------------------------------------------------


async def test_a_peer_that_is_not_on_the_allow_list_is_refused() -> None:
    stranger, victim, friend = node(0), node(1), node(2)
    async with running(stranger, victim, friend):
        with capture_logs() as logs:
            introduce(victim, friend)
            stranger.update_allow_list(table(stranger, victim))
            await all_linked(victim, friend)
            await until(lambda: victim.counters.refused > 0)
            await until(lambda: stranger.counters.dials_failed > 0)
            stranger.update_allow_list({})
        assert stranger.peer_id not in victim.connected()
        assert stranger.counters.links == 0
        reasons = {entry["reason"] for entry in warnings_of(logs)}
        assert reasons == {f"{stranger.peer_id} is not on the allow-list"}
        assert len(warnings_of(logs)) == victim.counters.refused


async def test_a_peer_with_another_identity_than_dialed_gets_no_link() -> None:
    dialer, impostor = node(0), node(2)
    async with running(dialer, impostor):
        victim = PeerAddress(peer_id_of(SEEDS[1]), impostor.listen_address)
        dialer.update_allow_list({"victim": victim})
        impostor.update_allow_list(table(dialer))
        await until(lambda: dialer.counters.dials_failed > 2)
        assert dialer.connected() == frozenset()


@pytest.mark.parametrize("security", [plaintext, noise])
async def test_a_peer_that_speaks_plaintext_or_noise_is_refused(security: SecurityFactory) -> None:
    victim = node(1)
    async with running(victim):
        victim.update_allow_list({"p": PeerAddress(peer_id_of(SEEDS[0]), ANY_PORT)})
        connector = connector_of(SEEDS[0], security=security)
        with capture_logs() as logs:
            with pytest.raises(ConnectFailed):
                await connector.dial(
                    parse_address(victim.listen_address), ID.from_base58(victim.peer_id)
                )
            await until(lambda: victim.counters.refused == 1)
        assert len(warnings_of(logs)) == 1
        assert victim.counters.refusals == {Refusal.NEGOTIATION: 1}
        assert victim.counters.links == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: secret-marker\r\n\r\n",
        b"\xff" * 9 + b"\x01" + b"secret-marker",  # a length of 2^63
        b"\x13/multistream/1.0.0\n" + b"\xff\xff\xff\x7fsecret-marker",
        b"\x13/multistream/1.0.0\n\x15/shuxin/tls-sm/1.0.0\n" + b"\xff\xffsecret-marker" * 5000,
        os.urandom(200_000),
        b"",
    ],
    ids=["http", "huge-length", "huge-protocol", "huge-handshake", "random", "nothing"],
)
async def test_garbage_on_the_port_closes_the_connection_with_one_line(garbage: bytes) -> None:
    victim, friend = node(0), node(1)
    async with running(victim, friend):
        introduce(victim, friend)
        await all_linked(victim, friend)
        with capture_logs() as logs:
            address = parse_address(victim.listen_address)
            async with await trio.open_tcp_stream(address.host, address.port) as stream:
                try:
                    await stream.send_all(garbage)
                    await stream.send_eof()
                    while await stream.receive_some(4096):
                        pass
                except trio.BrokenResourceError:
                    pass  # closed while we were still talking
            await until(lambda: victim.counters.refused == 1)
        (line,) = warnings_of(logs)
        assert line["event"] == "connection refused"
        assert "secret" not in str(logs)
        assert victim.connected() == {friend.peer_id}
        assert friend.send(victim.peer_id, Channel.VOTES, b"still here")
        assert await receive(victim, Channel.VOTES) == (friend.peer_id, b"still here")


async def test_silent_strangers_neither_stay_nor_keep_a_peer_out() -> None:
    limits = NetworkLimits(upgrade_timeout_s=1.5, pending_per_address_max=4, retry_first_s=0.05)
    peer, victim = node(0, limits=limits), node(1, limits=limits)
    async with running(peer, victim):
        address = parse_address(victim.listen_address)
        strangers = [await trio.open_tcp_stream(address.host, address.port) for _ in range(40)]
        introduce(peer, victim)
        await all_linked(peer, victim)
        await until(lambda: victim.counters.refused >= 40)
        for stranger in strangers:
            await trio.aclose_forcefully(stranger)


async def test_connections_that_come_and_go_leave_no_task_behind() -> None:
    victim = node(1)
    async with running(victim):
        victim.update_allow_list({"p": PeerAddress(peer_id_of(SEEDS[0]), ANY_PORT)})
        before = leftovers()
        address = parse_address(victim.listen_address)
        for number in range(1, 21):
            async with await trio.open_tcp_stream(address.host, address.port) as stream:
                await stream.send_all(b"garbage")
            await until(lambda expected=number: victim.counters.refused == expected)  # type: ignore[misc]
            async with hostile(victim, SEEDS[0]):
                await victim.wait_change(frozenset())
            await linked(victim)
        assert victim.counters.reconnects == 19
        await until(lambda: leftovers() == before)


async def test_a_node_that_should_be_dialed_may_not_dial() -> None:
    victim = node(0)
    async with running(victim):
        victim.update_allow_list({"p": PeerAddress(peer_id_of(SEEDS[1]), ANY_PORT)})
        connection = await connector_of(SEEDS[1]).dial(
            parse_address(victim.listen_address), ID.from_base58(victim.peer_id)
        )
        await until(lambda: victim.counters.refused == 1)
        assert victim.counters.links == 0
        await connection.close()


# --- peers that misbehave ----------------------------------------------------------------------


async def oversize(peer: Hostile) -> None:
    await peer.streams[Channel.TRANSACTIONS].write(b"\x7f\xff\xff\xffsecret-marker")


async def oversize_vote_after_good_frames(peer: Hostile) -> None:
    size = default_channels()[Channel.VOTES].frame_size_max + 1
    wire = b"\x00\x00\x00\x03abc" * 3 + size.to_bytes(4, "big") + b"secret-marker"
    await peer.streams[Channel.VOTES].write(wire)


async def control_word_on_blocks(peer: Hostile) -> None:
    await peer.streams[Channel.BLOCKS].write(HEARTBEAT)


async def acknowledge_what_was_not_sent(peer: Hostile) -> None:
    await peer.streams[Channel.VOTES].write(encode_acknowledged(Acknowledged(2, 1000)))


async def acknowledge_an_unknown_channel(peer: Hostile) -> None:
    await peer.streams[Channel.VOTES].write(encode_acknowledged(Acknowledged(6, 1)))


async def open_a_fourth_stream(peer: Hostile) -> None:
    await peer.muxed.open_stream()


@pytest.mark.parametrize(
    "misbehave",
    [
        oversize,
        oversize_vote_after_good_frames,
        control_word_on_blocks,
        acknowledge_what_was_not_sent,
        acknowledge_an_unknown_channel,
        open_a_fourth_stream,
    ],
)
async def test_misbehavior_of_a_peer_closes_its_link_with_one_line(
    misbehave: Callable[[Hostile], Awaitable[None]],
) -> None:
    victim, friend = node(1), node(2)
    async with running(victim, friend):
        bad = PeerAddress(peer_id_of(SEEDS[0]), ANY_PORT)
        introduce(victim, friend)
        victim.update_allow_list({**table(victim, friend), "bad": bad})
        await linked(victim, friend)
        with capture_logs() as logs:
            async with hostile(victim, SEEDS[0]) as peer:
                await victim.wait_change(frozenset({friend.peer_id}))
                await misbehave(peer)
                await peer.until_closed()
            await linked(victim, friend)
        assert victim.counters.garbage == 1
        (line,) = warnings_of(logs)
        assert line["event"] == "link closed: the peer misbehaved"
        assert line["peer"] == bad.peer_id
        assert "secret" not in str(logs)


async def test_a_peer_that_ignores_its_window_is_cut_off() -> None:
    victim = node(1)
    async with running(victim):
        victim.update_allow_list({"bad": PeerAddress(peer_id_of(SEEDS[0]), ANY_PORT)})
        async with hostile(victim, SEEDS[0]) as peer:
            await victim.wait_change(frozenset())
            blocks = max(peer.muxed.streams)  # opened last
            body = b"\x00\x00\x00\x01x" * 12_000  # one-byte frames that the node never takes
            header = struct.pack("!BBHII", 0, TYPE_DATA, 0, blocks, len(body))
            with pytest.raises(BaseLibp2pError):
                while True:
                    await peer.muxed.secured_conn.write(header + body)
            await until(lambda: victim.counters.garbage == 1)
        assert victim.counters.channels[Channel.BLOCKS].bytes_received < MIB


async def test_a_silent_peer_is_given_up() -> None:
    victim = node(1)
    async with running(victim):
        victim.update_allow_list({"mute": PeerAddress(peer_id_of(SEEDS[0]), ANY_PORT)})
        async with hostile(victim, SEEDS[0]):
            await victim.wait_change(frozenset())
            began = trio.current_time()
            await linked(victim)
            assert 0.5 < trio.current_time() - began < 3.0
        assert victim.counters.lost == 1
        assert victim.counters.garbage == 0


async def test_a_peer_that_takes_no_bytes_is_given_up() -> None:
    limits = NetworkLimits(heartbeat_s=0.2, write_timeout_s=0.8)
    victim = node(1, limits=limits)
    async with running(victim):
        victim.update_allow_list({"stalled": PeerAddress(peer_id_of(SEEDS[0]), ANY_PORT)})
        async with hostile(victim, SEEDS[0]) as peer, trio.open_nursery() as nursery:

            async def stay_alive() -> None:
                with suppress(BaseLibp2pError):  # in the end it is given up
                    while True:
                        await peer.streams[Channel.VOTES].write(HEARTBEAT)
                        await trio.sleep(0.1)

            await victim.wait_change(frozenset())
            nursery.start_soon(stay_alive)
            assert victim.broadcast(Channel.VOTES, bytes(2 * MIB)) == 1
            await linked(victim)
            nursery.cancel_scope.cancel()
        assert victim.counters.lost == 1
