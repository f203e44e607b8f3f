"""Blocks without transactions: due or refused, and what an idle network does."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from consensus.pbft import messages
from ledger.encoding import decode
from ledger.genesis import Limits
from ledger.model import Proposal, block_hash
from node.audit import replay
from node.clock import EXPIRY_MS, SKEW_MS_MIN, CommitteeClock
from node.heartbeat import GRACE_MS, PREDECESSOR_PATIENCE_S, WAITED_TICKS_MAX, Heartbeat
from p2p.limits import Channel
from tests.ledger_world import TIME_MS, World
from tests.node_world import Nodes, eventually, quick_clock, running

ALL = (0, 1, 2, 3)
INTERVAL_MS = 3_000
LIMITS = Limits(heartbeat_ms=INTERVAL_MS)


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


class Judge:
    """The unit on a ledger, and its time."""

    def __init__(self, root: Path) -> None:
        self.world = World(root / "ledger")
        self.now_ms = TIME_MS
        self.peers = ("a", "b", "c")
        self.committee_clock = CommitteeClock(
            others=self.peers,
            quorum=3,
            fault_bound=1,
            wall_ms=lambda: self.now_ms,
            monotonic_ms=lambda: self.now_ms - TIME_MS,
        )
        self.unit = Heartbeat(
            store=self.world.store, limits_at=lambda height: LIMITS, clock=self.committee_clock
        )

    def hear_all(self) -> None:
        for peer in self.peers:
            self.committee_clock.note(peer, self.now_ms)

    def grow(self) -> int:
        """One more block; its time."""
        self.world.commit(transactions=1)
        self.unit.head_moved()
        return self.world.store.header(self.world.store.height).time_ms

    def beat(self, time_ms: int, *, height: int = 1) -> Proposal:
        return Proposal(height, (), 0, time_ms)


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    return Judge(tmp_path)


# --- the rule -------------------------------------------------------------------------------


async def test_an_empty_block_is_welcome_once_its_predecessor_is_old_enough(judge: Judge) -> None:
    assert await judge.unit.is_welcome(judge.beat(TIME_MS + INTERVAL_MS))
    with capture_logs() as logs:
        assert not await judge.unit.is_welcome(judge.beat(TIME_MS + INTERVAL_MS - 1))
    assert logs[0]["reason"] == "it is not due"


async def test_the_newest_block_counts_and_not_an_older_one(judge: Judge) -> None:
    time_ms = judge.grow()
    with capture_logs():
        assert not await judge.unit.is_welcome(judge.beat(TIME_MS + INTERVAL_MS, height=2))
    assert await judge.unit.is_welcome(judge.beat(time_ms + INTERVAL_MS, height=2))


async def test_the_predecessor_is_waited_for(judge: Judge, clock: MockClock) -> None:
    verdicts: list[bool] = []

    async def ask() -> None:
        late = judge.beat(TIME_MS + 100 * INTERVAL_MS, height=2)
        verdicts.append(await judge.unit.is_welcome(late))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(PREDECESSOR_PATIENCE_S / 2)
        assert verdicts == []
        judge.grow()
    assert verdicts == [True]


async def test_without_the_predecessor_the_answer_is_no_in_time(
    judge: Judge, clock: MockClock
) -> None:
    with capture_logs() as logs, trio.fail_after(PREDECESSOR_PATIENCE_S + 1):
        late = judge.beat(TIME_MS + 100 * INTERVAL_MS, height=2)
        assert not await judge.unit.is_welcome(late)
    assert "predecessor" in logs[0]["reason"]


async def test_what_the_ledger_has_passed_is_not_held_up(judge: Judge) -> None:
    judge.grow()
    assert await judge.unit.is_welcome(judge.beat(TIME_MS, height=1))


async def test_no_empty_block_passes_over_transactions_that_waited_here(judge: Judge) -> None:
    due = judge.beat(TIME_MS + INTERVAL_MS)
    judge.unit.longest_wait = lambda: WAITED_TICKS_MAX
    assert await judge.unit.is_welcome(due), "the primary may not know them yet"
    judge.unit.longest_wait = lambda: WAITED_TICKS_MAX + 1
    with capture_logs() as logs:
        assert not await judge.unit.is_welcome(due)
        judge.unit.wants_empty_blocks = lambda: True
        assert not await judge.unit.is_welcome(due), "nor while empty blocks are wanted"
    assert {line["reason"] for line in logs} == {"transactions wait"}


async def test_while_empty_blocks_are_wanted_none_is_early(judge: Judge) -> None:
    judge.unit.wants_empty_blocks = lambda: True
    assert await judge.unit.is_welcome(judge.beat(TIME_MS + 1))
    judge.hear_all()
    assert judge.unit.is_due(1)
    assert not judge.unit.is_due(2), "one after the other"


def test_a_proposer_waits_until_the_others_will_agree(judge: Judge) -> None:
    judge.now_ms = TIME_MS + INTERVAL_MS - 1
    judge.hear_all()
    assert not judge.unit.is_due(1)
    judge.now_ms += 1
    assert judge.unit.is_due(1)
    assert not judge.unit.is_due(2), "the predecessor is not executed"
    judge.grow()
    assert not judge.unit.is_due(2)


def test_a_proposer_that_hears_no_quorum_proposes_no_empty_block(judge: Judge) -> None:
    judge.now_ms = TIME_MS + INTERVAL_MS
    assert not judge.unit.is_due(1)
    judge.hear_all()
    assert judge.unit.is_due(1)
    judge.now_ms += EXPIRY_MS + 1
    assert not judge.unit.is_due(1)


def test_a_backup_minds_only_when_every_honest_clock_says_so(judge: Judge) -> None:
    late_ms = INTERVAL_MS + LIMITS.time_skew_ms_max + GRACE_MS
    judge.now_ms = TIME_MS + late_ms - 1
    judge.hear_all()
    assert not judge.unit.is_overdue()
    judge.now_ms += 1
    assert judge.unit.is_overdue()
    judge.now_ms += EXPIRY_MS
    assert not judge.unit.is_overdue(), "cut off: it is we who miss something"
    judge.hear_all()
    assert judge.unit.is_overdue()


def test_a_backup_minds_at_once_when_empty_blocks_are_wanted(judge: Judge) -> None:
    judge.hear_all()
    assert not judge.unit.is_overdue()
    judge.unit.wants_empty_blocks = lambda: True
    assert judge.unit.is_overdue()


# --- the time of a proposal -----------------------------------------------------------------


def test_a_proposal_is_later_than_the_head(judge: Judge) -> None:
    head_ms = judge.grow()
    judge.now_ms = head_ms - 400
    assert judge.unit.proposal_time_ms() == head_ms + 1
    judge.now_ms = head_ms + 400
    assert judge.unit.proposal_time_ms() == head_ms + 400


def test_a_head_far_in_the_future_does_not_make_proposals_untimely(judge: Judge) -> None:
    spare_ms = LIMITS.time_skew_ms_max - SKEW_MS_MIN
    head_ms = judge.grow()
    for behind_ms in (3_600_000, spare_ms):
        judge.now_ms = head_ms - behind_ms
        assert judge.unit.proposal_time_ms() == judge.now_ms, "block making raises the block's time"
    judge.now_ms += 1
    assert judge.unit.proposal_time_ms() == head_ms + 1 == judge.now_ms + spare_ms


# --- whole nodes ----------------------------------------------------------------------------


@pytest.fixture
def committee(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path, limits=LIMITS)


def views(committee: Nodes) -> set[int]:
    return {committee.node(index).reception.situation().view for index in committee.running}


def reaches(committee: Nodes, height: int, *indexes: int) -> bool:
    return all(committee.node(index).store.certified_height >= height for index in indexes)


async def test_an_idle_network_makes_one_empty_block_per_interval(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL):
        await eventually(lambda: reaches(committee, 4, *ALL))
        stores = [committee.node(index).store for index in ALL]
        headers = [stores[0].header(height) for height in range(1, 5)]
        gaps = [b.time_ms - a.time_ms for a, b in pairwise(headers)]
        assert all(INTERVAL_MS <= gap < INTERVAL_MS + 1_000 for gap in gaps)
        assert all(stores[0].block(height).transactions == () for height in range(1, 5))
        assert len({block_hash(store.header(4)) for store in stores}) == 1
        assert views(committee) == {0}
    verdict = replay(committee.data_dir(0), committee.genesis, advance=lambda done, total: None)
    assert verdict.divergence is None and verdict.height >= 4


async def test_a_dead_primary_of_an_idle_network_is_replaced(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL):
        await eventually(lambda: reaches(committee, 1, *ALL))
        await committee.stop(0)
        await eventually(lambda: reaches(committee, 3, 1, 2, 3), within_s=30)
        assert views(committee) == {1}


async def test_a_primary_that_makes_empty_blocks_before_their_time_loses_its_view(
    tmp_path: Path, clock: MockClock
) -> None:
    committee = Nodes(tmp_path, limits=Limits(heartbeat_ms=600_000))
    spammed: list[Proposal] = []

    def watch(sender: str, channel: Channel, body: bytes) -> None:
        if channel is Channel.VOTES and sender == committee.peer_id(0):
            signed = decode(body, messages.SignedMessage, size_max=1 << 24)
            message = messages.decode_message(signed.message)
            if isinstance(message, messages.PrePrepare):
                spammed.append(message.proposal)

    committee.air.watch = watch
    with capture_logs() as logs:
        async with running(committee, *ALL):
            committee.node(0).heartbeat.wants_empty_blocks = lambda: True
            await eventually(lambda: views(committee) == {1})
            assert spammed and spammed[0].transaction_ids == ()
            assert not reaches(committee, 1, 1), "no honest node took it"
    assert "it is not due" in {line.get("reason") for line in logs}


def is_below_8(committee: Nodes, index: int) -> bool:
    return committee.node(index).store.height < 8


async def test_while_heights_have_to_pass_empty_blocks_follow_each_other(
    committee: Nodes, clock: MockClock
) -> None:
    """As they do until a change of the committee that is decided takes effect."""
    async with running(committee, *ALL):
        for index in ALL:
            committee.node(index).heartbeat.wants_empty_blocks = partial(
                is_below_8, committee, index
            )
        began = trio.current_time()
        await eventually(lambda: reaches(committee, 8, *ALL))
        assert trio.current_time() - began < INTERVAL_MS / 1000
        await trio.sleep(1)
        assert committee.node(0).store.height == 8
        assert views(committee) == {0}


async def test_transactions_and_heartbeats_share_the_chain(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL) as nursery:
        await eventually(lambda: reaches(committee, 1, *ALL))
        ids = await committee.hand_in(2, committee.transaction("k"))
        await committee.certified(ids, *ALL)
        await eventually(lambda: reaches(committee, 3, *ALL))
        await committee.stop(3)
        await eventually(lambda: reaches(committee, 5, 0, 1, 2))
        await committee.start(nursery, 3)
        await eventually(lambda: reaches(committee, 6, *ALL))
        assert views(committee) == {0}


# --- clocks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("skew_ms", [3_600_000, -3_600_000])
async def test_a_primary_with_a_clock_an_hour_wrong_orders_at_the_usual_pace(
    committee: Nodes, clock: MockClock, skew_ms: int
) -> None:
    with capture_logs() as logs:
        async with running(committee, *ALL):
            await trio.sleep(1.5)  # all have said their time
            committee.skew_ms[0] = skew_ms
            assert (await committee.status(0)).primary == 0
            for name in ("k", "l", "m"):
                ids = await committee.hand_in(1, committee.transaction(name))
                await committee.certified(ids, *ALL, within_s=2)
            await trio.sleep(3)
            assert views(committee) == {0}
            store = committee.node(0).store
            assert abs(store.header(store.height).time_ms - committee.now_ms()) < 10_000
            assert committee.node(0).clock.own_offset_ms == pytest.approx(skew_ms, abs=100)
            assert committee.node(1).clock.own_offset_ms == pytest.approx(0, abs=100)
    off = [line for line in logs if line["event"] == "clock_off"]
    assert off and all(line["own_offset_ms"] == pytest.approx(skew_ms, abs=100) for line in off)


async def test_a_node_that_starts_with_a_wrong_clock_follows_the_others(
    committee: Nodes, clock: MockClock
) -> None:
    committee.skew_ms[2] = 3_600_000
    async with running(committee, *ALL):
        await eventually(lambda: reaches(committee, 2, *ALL))
        node = committee.node(2)
        assert abs(node.clock.now_ms() - committee.now_ms()) < 100
        assert views(committee) == {0}
        committee.skew_ms[2] = 0
        with capture_logs() as logs:
            await trio.sleep(2)
        assert [line["event"] for line in logs if "clock" in line["event"]] == ["clock_right_again"]
