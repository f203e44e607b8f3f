"""Queues, credit and the door: what is given up when there is too much of something."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from p2p.counters import ChannelCounters
from p2p.errors import PeerMisbehaved
from p2p.limits import IN_FLIGHT_MAX, WRITE_SIZE, ChannelLimits, Flow, NetworkLimits
from p2p.link import Credit
from p2p.listen import REFUSALS_LOGGED_PER_MINUTE, Door, RefusalLog
from p2p.queues import Frame, Inbox, Outgoing


def limits(
    flow: Flow,
    *,
    size: int = 100,
    frames: int = 4,
    incoming: int = 1,
    incoming_size: int | None = None,
) -> ChannelLimits:
    return ChannelLimits(
        frame_size_max=min(50, size),
        queue_size_max=size,
        queue_frames_max=frames,
        incoming_frames_max=incoming,
        flow=flow,
        incoming_size_max=incoming_size,
    )


def drained(outgoing: Outgoing) -> bytes:
    return outgoing.take(10_000)


def test_a_full_queue_refuses_the_newest_bulk_frame() -> None:
    counters = ChannelCounters()
    outgoing = Outgoing(limits(Flow.WHOLE), counters)
    assert [outgoing.put(b"a" * 40), outgoing.put(b"b" * 40)] == [True, True]
    assert not outgoing.put(b"c" * 40)
    assert counters.dropped == 1
    assert b"c" not in drained(outgoing)


def test_a_full_queue_gives_up_the_oldest_vote() -> None:
    counters = ChannelCounters()
    outgoing = Outgoing(limits(Flow.FRESH), counters)
    assert all(outgoing.put(letter * 40) for letter in (b"a", b"b", b"c"))
    assert counters.dropped == 1
    wire = drained(outgoing)
    assert b"a" not in wire and wire.index(b"b") < wire.index(b"c")


def test_many_tiny_frames_are_bounded_by_number() -> None:
    counters = ChannelCounters()
    outgoing = Outgoing(limits(Flow.WHOLE), counters)
    assert [outgoing.put(b"x") for _ in range(6)] == [True] * 4 + [False] * 2


def test_a_frame_that_is_partly_written_is_never_given_up() -> None:
    outgoing = Outgoing(limits(Flow.FRESH), ChannelCounters())
    outgoing.put(b"a" * 50)
    first = outgoing.take(10)
    for _ in range(20):
        outgoing.put(b"b" * 50)
    assert (first + drained(outgoing))[4:54] == b"a" * 50


def test_small_frames_share_a_write() -> None:
    counters = ChannelCounters()
    outgoing = Outgoing(limits(Flow.WHOLE), counters)
    for _ in range(4):
        outgoing.put(b"xyz")
    assert len(outgoing.take(1000)) == 4 * 7
    assert (counters.frames_sent, counters.bytes_sent) == (4, 28)


def test_a_writer_comes_to_the_end_of_a_frame_however_much_waits() -> None:
    """Acknowledgements stand between frames; a queue that is never empty must not keep them off."""
    outgoing = Outgoing(limits(Flow.WHOLE, size=1000, frames=20), ChannelCounters())
    for _ in range(20):
        outgoing.put(b"x" * 26)
    assert [len(outgoing.take(40)) for _ in range(3)] == [30, 30, 30]
    assert outgoing.is_between_frames
    assert len(outgoing.take(10)) == 10
    assert not outgoing.is_between_frames
    assert len(outgoing.take(40)) == 20, "the rest, and no beginning of the next one"
    assert outgoing.is_between_frames


def test_what_waits_when_a_link_ends_is_counted_as_dropped() -> None:
    counters = ChannelCounters()
    outgoing = Outgoing(limits(Flow.WHOLE), counters)
    for _ in range(3):
        outgoing.put(b"x" * 20)
    outgoing.take(10)
    outgoing.discard()
    assert outgoing.is_empty
    assert counters.dropped == 3


async def test_votes_are_lost_and_counted_while_the_node_takes_none(autojump_clock: Any) -> None:
    counters = ChannelCounters()
    inbox = Inbox(limits(Flow.FRESH), counters)
    start = trio.current_time()
    for number in range(5):
        await inbox.put(Frame("peer", bytes([number])))
    assert counters.unread == 4
    assert trio.current_time() - start == pytest.approx(2.0), "patience is not spent per frame"
    assert inbox.frames.receive_nowait().body == b"\x00"
    await inbox.put(Frame("peer", b"new"))
    assert inbox.frames.receive_nowait().body == b"new"
    assert counters.unread == 4


async def test_large_votes_are_lost_where_small_ones_still_find_room() -> None:
    counters = ChannelCounters()
    inbox = Inbox(limits(Flow.FRESH, incoming=10, incoming_size=90), counters)
    for body in (b"a" * 50, b"b" * 50, b"c" * 20):
        await inbox.put(Frame("peer", body))
    assert counters.unread == 1
    assert inbox.frames.receive_nowait().body == b"a" * 50
    await inbox.put(Frame("peer", b"d" * 50))
    assert counters.unread == 1, "what was taken makes room"
    assert [inbox.frames.receive_nowait().body[:1] for _ in range(2)] == [b"c", b"d"]


async def test_bulk_frames_wait_for_the_node_however_long(autojump_clock: Any) -> None:
    counters = ChannelCounters()
    inbox = Inbox(limits(Flow.WHOLE), counters)
    await inbox.put(Frame("peer", b"0"))
    with trio.move_on_after(3600) as waited:
        await inbox.put(Frame("peer", b"1"))
    assert waited.cancelled_caught
    assert counters.unread == 0


async def test_closing_an_inbox_ends_the_iteration_after_the_last_frame() -> None:
    inbox = Inbox(limits(Flow.FRESH, incoming=2), ChannelCounters())
    await inbox.put(Frame("peer", b"last"))
    inbox.close()
    assert [frame.body async for frame in inbox.frames] == [b"last"]


async def test_credit_holds_back_what_the_peer_has_not_taken(autojump_clock: Any) -> None:
    credit = Credit()
    await credit.spend(WRITE_SIZE)
    await credit.spend(WRITE_SIZE)
    with trio.move_on_after(60) as waited:
        await credit.spend(1)
    assert waited.cancelled_caught
    credit.give_back(1)
    with trio.fail_after(60):
        await credit.spend(1)


async def test_a_peer_cannot_acknowledge_what_was_not_sent() -> None:
    credit = Credit()
    await credit.spend(10)
    with pytest.raises(PeerMisbehaved, match="not sent"):
        credit.give_back(IN_FLIGHT_MAX)


async def test_the_oldest_stranger_of_an_address_gives_way_to_the_newest(
    autojump_clock: Any,
) -> None:
    door = Door(NetworkLimits(pending_max=100, pending_per_address_max=3))
    await crowd(door, hosts=["10.0.0.1"] * 10)
    stayed = await crowd(door, hosts=["10.0.0.2", *["10.0.0.1"] * 10])
    assert stayed == [0, 8, 9, 10]


async def test_the_oldest_stranger_of_all_gives_way_to_the_newest(autojump_clock: Any) -> None:
    door = Door(NetworkLimits(pending_max=3, pending_per_address_max=2))
    stayed = await crowd(door, hosts=[f"10.0.0.{number}" for number in range(10)])
    assert stayed == [7, 8, 9]


async def crowd(door: Door, *, hosts: list[str]) -> list[int]:
    """Who is still waiting when everybody has come."""
    stayed: list[int] = []

    async def come(number: int) -> None:
        await trio.sleep(number)  # of the fake clock
        with door.admit(hosts[number]):
            await trio.sleep(1000)
            stayed.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(len(hosts)):
            nursery.start_soon(come, number)
    return sorted(stayed)


def test_a_flood_of_refusals_fills_no_disk() -> None:
    refusals = RefusalLog()
    with capture_logs() as logs:
        for _ in range(10 * REFUSALS_LOGGED_PER_MINUTE):
            refusals.refused(host="10.0.0.1", reason="garbage", now=30.0)
        assert len(logs) == REFUSALS_LOGGED_PER_MINUTE
        refusals.refused(host="10.0.0.1", reason="garbage", now=90.0)
    assert logs[-2]["count"] == 9 * REFUSALS_LOGGED_PER_MINUTE
    assert logs[-1]["reason"] == "garbage"
