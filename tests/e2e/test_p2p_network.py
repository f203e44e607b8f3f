"""Several networks in one process, over real sockets on the loopback interface."""

from __future__ import annotations

import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from libp2p.crypto.keys import KeyPair
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.stream_muxer.yamux.yamux import TYPE_DATA, Yamux
from structlog.testing import capture_logs
from structlog.typing import EventDict

from p2p.address import parse_address
from p2p.connect import ChannelStream, Connector
from p2p.errors import ConnectFailed, ListenFailed
from p2p.frames import HEARTBEAT, Acknowledged, encode_acknowledged
from p2p.identity import key_pair_of, peer_id_of
from p2p.limits import KIB, MIB
from p2p.network import Channel, Network, NetworkLimits, PeerAddress
from p2p.security import IsAllowed, Security, noise

if TYPE_CHECKING:
    from trio_typing import TaskStatus

ANY_PORT = "/ip4/127.0.0.1/tcp/0"
TEST_S = 9.0  # no test takes longer
QUICK = NetworkLimits(heartbeat_s=0.2, retry_first_s=0.05, retry_max_s=0.2)
SEEDS = sorted((bytes([number]) * 32 for number in range(1, 8)), key=peer_id_of)


def node(number: int, *, listen: str = ANY_PORT, limits: NetworkLimits = QUICK) -> Network:
    """A network that nobody may talk to yet. Lower numbers have lower peer ids, so they dial."""
    return Network(SEEDS[number], listen=listen, peers={}, limits=limits)


def table(*networks: Network) -> dict[str, PeerAddress]:
    return {
        f"node{index}": PeerAddress(network.peer_id, network.listen_address)
        for index, network in enumerate(networks)
    }


def introduce(*networks: Network) -> None:
    for network in networks:
        network.update_allow_list(table(*networks))


async def linked(network: Network, *peers: Network) -> None:
    """Returns when `network` is linked with exactly `peers`."""
    wanted = {peer.peer_id for peer in peers}
    known = network.connected()
    while known != wanted:
        known = await network.wait_change(known)


async def all_linked(*networks: Network) -> None:
    for network in networks:
        await linked(network, *(other for other in networks if other is not network))


@asynccontextmanager
async def running(*networks: Network) -> AsyncIterator[None]:
    """Runs the networks while the block runs; then nothing of them may be left."""
    before = leftovers()
    with trio.fail_after(TEST_S):
        async with trio.open_nursery() as nursery:
            for network in networks:
                await nursery.start(start_of(network))
            yield
            nursery.cancel_scope.cancel()
    assert all(network.connected() == frozenset() for network in networks)
    assert leftovers() == before


def start_of(network: Network) -> Callable[..., Awaitable[None]]:
    async def start(*, task_status: TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        await network.run(task_status=task_status)

    return start


def leftovers() -> tuple[int, int]:
    """Living tasks and open sockets of this process."""
    sockets = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            sockets += os.readlink(entry).startswith("socket:")
        except FileNotFoundError:
            continue  # the directory's own descriptor
    return trio.lowlevel.current_statistics().tasks_living, sockets


async def receive(network: Network, channel: Channel) -> tuple[str, bytes]:
    frame = await network.incoming(channel).receive()
    return frame.peer_id, frame.body


async def until(condition: Callable[[], bool]) -> None:
    """For counters, which nobody announces; the test's own deadline bounds it."""
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.01)


def warnings_of(logs: Sequence[EventDict]) -> list[EventDict]:
    return [entry for entry in logs if entry["log_level"] in ("warning", "error", "critical")]


@dataclass(frozen=True, slots=True)
class Hostile:
    """Somebody with an allowed identity who speaks the protocol, but writes what he likes."""

    streams: dict[Channel, ChannelStream]
    muxed: Yamux

    async def until_closed(self) -> None:
        try:
            while True:
                await self.streams[Channel.VOTES].read(1024)
        except Exception:  # however the library says so
            return


@asynccontextmanager
async def hostile(victim: Network, seed: bytes) -> AsyncIterator[Hostile]:
    connector = Connector(
        key_pair_of(seed), security=noise, is_allowed=lambda _: True, timeout_s=3.0
    )
    connection = await connector.dial(
        parse_address(victim.listen_address), ID.from_base58(victim.peer_id)
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.muxed.start)
        await connection.muxed.event_started.wait()
        yield Hostile(
            streams={channel: await connection.open_stream(channel.value) for channel in Channel},
            muxed=connection.muxed,
        )
        nursery.cancel_scope.cancel()
    await connection.close()


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


def plaintext(key_pair: KeyPair, is_allowed: IsAllowed) -> Security:
    return Security(TProtocol(PLAINTEXT_PROTOCOL_ID), InsecureTransport(key_pair))


async def test_a_peer_that_speaks_only_plaintext_is_refused() -> None:
    victim = node(1)
    async with running(victim):
        victim.update_allow_list({"p": PeerAddress(peer_id_of(SEEDS[0]), ANY_PORT)})
        connector = Connector(
            key_pair_of(SEEDS[0]), security=plaintext, is_allowed=lambda _: True, timeout_s=3.0
        )
        with capture_logs() as logs:
            with pytest.raises(ConnectFailed):
                await connector.dial(
                    parse_address(victim.listen_address), ID.from_base58(victim.peer_id)
                )
            await until(lambda: victim.counters.refused == 1)
        assert len(warnings_of(logs)) == 1
        assert victim.counters.links == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: secret-marker\r\n\r\n",
        b"\xff" * 9 + b"\x01" + b"secret-marker",  # a length of 2^63
        b"\x13/multistream/1.0.0\n" + b"\xff\xff\xff\x7fsecret-marker",
        b"\x13/multistream/1.0.0\n\x07/noise\n" + b"\xff\xffsecret-marker" * 5000,
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
        async with hostile_door(victim, SEEDS[1]):
            await until(lambda: victim.counters.refused == 1)
        assert victim.counters.links == 0


@asynccontextmanager
async def hostile_door(victim: Network, seed: bytes) -> AsyncIterator[None]:
    connector = Connector(
        key_pair_of(seed), security=noise, is_allowed=lambda _: True, timeout_s=3.0
    )
    address = parse_address(victim.listen_address)
    try:
        connection = await connector.dial(address, ID.from_base58(victim.peer_id))
    except ConnectFailed:
        yield
    else:
        yield
        await connection.close()


# --- peers that misbehave ----------------------------------------------------------------------


async def oversize(peer: Hostile) -> None:
    await peer.streams[Channel.TRANSACTIONS].write(b"\x7f\xff\xff\xffsecret-marker")


async def oversize_vote_after_good_frames(peer: Hostile) -> None:
    wire = b"\x00\x00\x00\x03abc" * 3 + (4 * MIB + 1).to_bytes(4, "big") + b"secret-marker"
    await peer.streams[Channel.VOTES].write(wire)


async def control_word_on_blocks(peer: Hostile) -> None:
    await peer.streams[Channel.BLOCKS].write(HEARTBEAT)


async def acknowledge_what_was_not_sent(peer: Hostile) -> None:
    await peer.streams[Channel.VOTES].write(encode_acknowledged(Acknowledged(2, 1000)))


async def acknowledge_an_unknown_channel(peer: Hostile) -> None:
    await peer.streams[Channel.VOTES].write(encode_acknowledged(Acknowledged(7, 1)))


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
                while True:
                    await peer.streams[Channel.VOTES].write(HEARTBEAT)
                    await trio.sleep(0.1)

            await victim.wait_change(frozenset())
            nursery.start_soon(stay_alive)
            assert victim.broadcast(Channel.VOTES, bytes(2 * MIB)) == 1
            await linked(victim)
            nursery.cancel_scope.cancel()
        assert victim.counters.lost == 1


# --- peers that behave -------------------------------------------------------------------------


async def test_frames_reach_all_peers_on_all_channels_in_order() -> None:
    networks = [node(number) for number in range(4)]
    async with running(*networks):
        introduce(*networks)
        await all_linked(*networks)
        for sender in networks:
            others = [network for network in networks if network is not sender]
            for channel in Channel:
                for number in range(20):
                    body = f"{channel.name} {number}".encode() * (1 + 100 * number)
                    assert sender.broadcast(channel, body) == 3
                for other in others:
                    for number in range(20):
                        body = f"{channel.name} {number}".encode() * (1 + 100 * number)
                        assert await receive(other, channel) == (sender.peer_id, body)


async def test_votes_keep_flowing_beside_a_large_block() -> None:
    sender, receiver = node(0), node(1)
    body = os.urandom(10 * MIB)
    async with running(sender, receiver):
        introduce(sender, receiver)
        await all_linked(sender, receiver)
        assert sender.send(receiver.peer_id, Channel.BLOCKS, body)
        rounds = 0

        async def exchange_votes() -> None:
            nonlocal rounds
            while True:
                sender.send(receiver.peer_id, Channel.VOTES, b"ping" * 50)
                await receive(receiver, Channel.VOTES)
                receiver.send(sender.peer_id, Channel.VOTES, b"pong" * 50)
                await receive(sender, Channel.VOTES)
                rounds += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange_votes)
            assert await receive(receiver, Channel.BLOCKS) == (sender.peer_id, body)
            nursery.cancel_scope.cancel()
        assert rounds >= 10


async def test_a_node_that_takes_no_blocks_slows_its_peer_and_keeps_its_link() -> None:
    sender, receiver = node(0), node(1)
    bodies = [bytes([number]) * (700 * KIB) for number in range(16)]
    async with running(sender, receiver):
        introduce(sender, receiver)
        await all_linked(sender, receiver)
        assert all(sender.send(receiver.peer_id, Channel.BLOCKS, body) for body in bodies)
        began = trio.current_time()
        while trio.current_time() - began < 2.0:  # ten heartbeats, more than twice the silence
            sender.send(receiver.peer_id, Channel.VOTES, b"vote")
            await receive(receiver, Channel.VOTES)
        arrived = receiver.counters.channels[Channel.BLOCKS].bytes_received
        assert arrived < 6 * 700 * KIB, "the reader did not slow the writer down"
        for body in bodies:
            assert await receive(receiver, Channel.BLOCKS) == (sender.peer_id, body)
        assert sender.counters.links == receiver.counters.links == 1


async def test_a_restarted_peer_is_linked_again() -> None:
    survivor, peer = node(0), node(1)
    async with running(survivor):
        async with running_inside(peer):
            introduce(survivor, peer)
            await all_linked(survivor, peer)
            address = peer.listen_address
        await linked(survivor)
        assert not survivor.send(peer.peer_id, Channel.VOTES, b"lost")
        again = node(1, listen=address)
        again.update_allow_list(table(survivor))
        async with running_inside(again):
            await all_linked(survivor, again)
            assert survivor.counters.reconnects == 1
            assert survivor.send(peer.peer_id, Channel.VOTES, b"welcome back")
            assert await receive(again, Channel.VOTES) == (survivor.peer_id, b"welcome back")


async def test_a_restarted_dialer_replaces_its_stale_link() -> None:
    """The peer was killed and came back before we could notice: its new link counts."""
    survivor = node(1)
    async with running(survivor):
        survivor.update_allow_list({"p": PeerAddress(peer_id_of(SEEDS[0]), ANY_PORT)})
        async with hostile(survivor, SEEDS[0]):
            await survivor.wait_change(frozenset())
            async with hostile(survivor, SEEDS[0]) as second:
                await until(lambda: survivor.counters.reconnects == 1)
                await second.streams[Channel.VOTES].write(b"\x00\x00\x00\x02me")
                assert await receive(survivor, Channel.VOTES) == (peer_id_of(SEEDS[0]), b"me")
                assert len(survivor.connected()) == 1


@asynccontextmanager
async def running_inside(network: Network) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(start_of(network))
        yield
        nursery.cancel_scope.cancel()


async def test_a_peer_removed_from_the_table_is_cut_off_and_may_return() -> None:
    first, second, third = node(0), node(1), node(2)
    async with running(first, second, third):
        introduce(first, second, third)
        await all_linked(first, second, third)
        first.update_allow_list(table(first, third))
        await linked(first, third)
        first.update_allow_list(table(first, second, third))
        await all_linked(first, second, third)


async def test_frames_for_peers_without_a_link_are_dropped_and_counted() -> None:
    alone = node(0)
    async with running(alone):
        absent = {
            f"p{n}": PeerAddress(peer_id_of(SEEDS[n]), "/ip4/127.0.0.1/tcp/1") for n in (1, 2)
        }
        alone.update_allow_list(absent)
        assert alone.broadcast(Channel.VOTES, b"hello?") == 0
        assert alone.counters.channels[Channel.VOTES].dropped == 2
        assert not alone.send("12D3KooWnobody", Channel.VOTES, b"hello?")
        await until(lambda: alone.counters.dials_failed > 2)


async def test_frames_of_our_own_that_no_channel_carries_are_not_sent() -> None:
    first, second = node(0), node(1)
    async with running(first, second):
        introduce(first, second)
        await all_linked(first, second)
        assert not first.send(second.peer_id, Channel.TRANSACTIONS, bytes(MIB + 1))
        assert not first.send(second.peer_id, Channel.TRANSACTIONS, b"")
        assert first.counters.channels[Channel.TRANSACTIONS].oversize == 2
        assert first.send(second.peer_id, Channel.TRANSACTIONS, bytes(MIB))
        assert await receive(second, Channel.TRANSACTIONS) == (first.peer_id, bytes(MIB))


async def test_two_nodes_cannot_listen_on_one_port() -> None:
    first = node(0)
    async with running(first):
        with pytest.raises(ListenFailed, match="already running"):
            await node(1, listen=first.listen_address).run()


async def test_a_network_that_ended_ends_its_incoming_channels() -> None:
    network = node(0)
    async with running(network):
        pass
    for channel in Channel:
        assert [frame async for frame in network.incoming(channel)] == []
