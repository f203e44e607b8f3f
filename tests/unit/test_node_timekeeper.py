"""Clock readings on the wire: told, answered, waited for, and what the log says of them."""

from __future__ import annotations

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from node.clock import READINGS_KEPT, CommitteeClock
from node.peer_messages import ClockReading, decode_blocks_message
from node.timekeeper import READY_PATIENCE_S, Timekeeper
from p2p.limits import Channel
from tests.node_world import Air, End, quick_clock

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
NAMES = ("own", "a", "b", "c")


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


class Member:
    """The unit of member "own"; the test speaks for the others."""

    def __init__(self) -> None:
        self.air = Air()
        self.ends = {n: End(self.air, n, [o for o in NAMES if o != n]) for n in NAMES}
        self.air.ends = dict(self.ends)
        self.skew_ms = 0
        self.clock = CommitteeClock(
            others=NAMES[1:],
            quorum=3,
            fault_bound=1,
            wall_ms=lambda: self.true_ms + self.skew_ms,
            monotonic_ms=lambda: int(trio.current_time() * 1000),
        )
        self.unit = Timekeeper(clock=self.clock, network=self.ends["own"])

    @property
    def true_ms(self) -> int:
        return START_MS + int(trio.current_time() * 1000)

    def hears(self, *names: str, skew_ms: int = 0) -> None:
        for name in names:
            self.unit.take(name, ClockReading(self.true_ms + skew_ms))

    def said(self, to: str) -> list[int]:
        """What the unit told a member of its clock since it was asked last."""
        frames = self.ends[to].incoming(Channel.BLOCKS)
        times: list[int] = []
        while True:
            try:
                message = decode_blocks_message(frames.receive_nowait().body)
            except trio.WouldBlock:
                return times
            assert isinstance(message, ClockReading)
            times.append(message.time_ms)


async def test_all_members_are_told_the_own_wall_clock_once_a_second(clock: MockClock) -> None:
    """Not the committee's time, or all would believe what they had told each other."""
    member = Member()
    member.skew_ms = HOUR_MS
    member.hears("a", "b", "c")
    for name in NAMES[1:]:
        member.said(name)
    began_ms = member.true_ms
    with capture_logs(), trio.move_on_after(2.5):
        await member.unit.run()
    for name in NAMES[1:]:
        assert member.said(name) == [began_ms + HOUR_MS + at for at in (0, 1_000, 2_000)]


async def test_only_the_first_word_of_a_peer_is_answered(clock: MockClock) -> None:
    member = Member()
    for _ in range(5):
        member.hears("a")
    assert member.said("a") == [member.true_ms]
    assert member.said("b") == []


async def test_the_time_is_there_as_soon_as_a_quorum_has_spoken(clock: MockClock) -> None:
    member = Member()
    member.skew_ms = HOUR_MS
    times: list[int] = []

    async def ask() -> None:
        times.append(await member.unit.now_ms() - member.true_ms)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(READY_PATIENCE_S / 4)
        member.hears("a")
        await trio.sleep(READY_PATIENCE_S / 4)
        assert times == [] and not member.unit.is_ready
        member.hears("b", "c")
    assert times == [0] and member.unit.is_ready


async def test_who_hears_nobody_goes_on_by_its_own_clock(clock: MockClock) -> None:
    member = Member()
    member.skew_ms = 700
    began_s = trio.current_time()
    assert await member.unit.now_ms() == member.true_ms + 700
    assert trio.current_time() - began_s == pytest.approx(READY_PATIENCE_S)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(member.unit.run)
        await trio.sleep(READY_PATIENCE_S + 0.5)
        assert member.unit.is_ready
        began_s = trio.current_time()
        await member.unit.now_ms()
        assert trio.current_time() == began_s, "it has waited once"
        nursery.cancel_scope.cancel()


async def test_a_committee_that_was_wrong_together_is_reported(clock: MockClock) -> None:
    member = Member()
    member.hears("a", "b", "c", skew_ms=HOUR_MS)
    assert member.clock.now_ms() == member.true_ms + HOUR_MS
    for _ in range(READINGS_KEPT):
        member.hears("a", "b", "c")
    assert member.clock.now_ms() == member.true_ms
    with capture_logs() as logs, trio.move_on_after(3.5):
        await member.unit.run()
    assert [line["event"] for line in logs] == ["committee_time_stepped_back"], "once"
