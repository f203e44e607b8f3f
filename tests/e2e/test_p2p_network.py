"""Nodes that behave: what arrives, in which order, and what happens when one is slow or gone."""

from __future__ import annotations

import os

import pytest
import trio

from p2p.errors import ListenFailed
from p2p.identity import peer_id_of
from p2p.limits import KIB, MIB
from p2p.network import Channel, PeerAddress
from tests.e2e.p2p_world import (
    ANY_PORT,
    SEEDS,
    all_linked,
    hostile,
    introduce,
    linked,
    node,
    receive,
    running,
    running_inside,
    table,
    until,
)


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


async def test_acknowledgements_stand_between_large_votes() -> None:
    """A view change of many megabytes leaves while blocks come in: both arrive as they were."""
    sender, receiver = node(0), node(1)
    votes = [os.urandom(MIB) for _ in range(4)]
    blocks = [os.urandom(400 * KIB) for _ in range(8)]
    async with running(sender, receiver):
        introduce(sender, receiver)
        await all_linked(sender, receiver)
        for vote in votes:
            assert sender.send(receiver.peer_id, Channel.VOTES, vote)
        for block in blocks:
            assert receiver.send(sender.peer_id, Channel.BLOCKS, block)
        for block in blocks:
            assert await receive(sender, Channel.BLOCKS) == (receiver.peer_id, block)
        for vote in votes:
            assert await receive(receiver, Channel.VOTES) == (sender.peer_id, vote)
        assert sender.counters.links == receiver.counters.links == 1


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
