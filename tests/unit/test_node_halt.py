"""A node that must not go on: it stops for good, says so, answers reads, and stays up."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from client.errors import Refused
from contracts.vm.host import WorkerFault
from ledger.errors import LedgerError
from ledger.model import StateWrite
from node import execution, refusals
from node.halt import HaltSwitch
from node.refusals import Refusal
from tests.node_world import Nodes, quick_clock, running

ALL = (0, 1, 2, 3)
WRONG = (StateWrite("notes", b"wrong", b"value"),)


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def committee(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> tuple[float, ...]:
    """Shorter ones: every virtual second is real work for four nodes."""
    shorter = (0.5, 1.0, 2.0)
    monkeypatch.setattr(execution, "ENGINE_PAUSES_S", shorter)
    return shorter


def test_the_first_reason_stays_and_everybody_is_told_once() -> None:
    switch, told = HaltSwitch(), []
    switch.on_halt(lambda reason, evidence: told.append((reason, tuple(evidence))))
    assert not switch.is_halted
    switch.halt("first", (b"certificate",))
    switch.halt("second")
    assert switch.is_halted
    assert switch.reason == "first"
    assert told == [("first", (b"certificate",))]


async def test_a_node_that_computes_something_else_halts_alone(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].extra = WRONG
    with capture_logs() as logs:
        async with running(committee, *ALL):
            ids = await committee.hand_in(3, committee.transaction("k"))
            await committee.certified(ids, 0, 1, 2)
            await committee.phase(3, "halted")
            more = await committee.hand_in(0, committee.transaction("l"))
            await committee.certified(more, 0, 1, 2)
            assert committee.node(3).store.certified_height == 0
    assert [line["log_level"] for line in logs if line["event"] == "halted"] == ["critical"]
    kept = list((committee.data_dir(3) / "accusations").glob("halt-*.bin"))
    assert len(kept) == 1, "what it halted over is kept"


async def test_a_halted_node_comes_back_halted_not_crashing(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].extra = WRONG
    async with running(committee, *ALL) as nursery:
        ids = await committee.hand_in(0, committee.transaction("k"))
        await committee.certified(ids, 0, 1, 2)
        await committee.phase(3, "halted")
        await committee.stop(3)
        await committee.start(nursery, 3)
        await committee.phase(3, "halted")


async def test_a_halted_node_refuses_submissions_and_ends_waiting(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].extra = WRONG
    async with running(committee, *ALL):
        ids = await committee.hand_in(0, committee.transaction("k"))
        await committee.certified(ids, 0, 1, 2)
        await committee.phase(3, "halted")
        with committee.client(3) as client:

            def follow() -> None:
                for _ in client.events():
                    continue

            transaction = committee.transaction("l")
            for call in (
                lambda: client.submit(transaction),
                lambda: client.submit_batch([transaction]),
                lambda: client.wait(bytes(32), timeout_s=60),
                follow,
            ):
                with pytest.raises(Refused) as refused:
                    await trio.to_thread.run_sync(call)
                assert refused.value.code == refusals.HALTED
                assert "state root" not in refused.value.detail
            assert (await trio.to_thread.run_sync(client.status)).phase == "halted"
            assert (await trio.to_thread.run_sync(client.genesis)) == committee.genesis


async def test_an_engine_that_fails_for_a_while_is_tried_again(
    committee: Nodes, clock: MockClock, pauses: tuple[float, ...]
) -> None:
    committee.engines[3].faults.extend([WorkerFault("no memory")] * len(pauses))
    with capture_logs() as logs:
        async with running(committee, *ALL):
            ids = await committee.hand_in(0, committee.transaction("k"))
            await committee.certified(ids, *ALL)
    faults = [line["again_in_s"] for line in logs if line["event"] == "engine_fault"]
    assert faults == list(pauses)


async def test_an_engine_that_fails_for_good_makes_the_node_abstain(
    committee: Nodes, clock: MockClock, pauses: tuple[float, ...]
) -> None:
    committee.engines[3].faults.extend([WorkerFault("no memory")] * 100)
    async with running(committee, *ALL):
        ids = await committee.hand_in(0, committee.transaction("k"))
        await committee.certified(ids, 0, 1, 2)
        await committee.phase(3, "halted")
        more = await committee.hand_in(0, committee.transaction("l"))
        await committee.certified(more, 0, 1, 2)
        assert committee.node(3).store.height == 0


async def test_a_ledger_that_takes_no_block_halts_the_node(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].faults.append(LedgerError("cannot be written: no space left"))
    with capture_logs() as logs:
        async with running(committee, *ALL):
            ids = await committee.hand_in(0, committee.transaction("k"))
            await committee.certified(ids, 0, 1, 2)
            await committee.phase(3, "halted")
    (line,) = [line for line in logs if line["event"] == "halted"]
    assert "no space left" in line["reason"]


async def test_nothing_is_taken_while_the_node_stops(committee: Nodes, clock: MockClock) -> None:
    async with running(committee, *ALL):
        node = committee.node(0)
        item = committee.admitted(committee.transaction("k"))
        await committee.stop(0)
        with pytest.raises(Refusal) as caught:
            await trio.to_thread.run_sync(node.reception.hold, [item])
        assert caught.value.code == refusals.STOPPING


async def test_a_node_that_was_away_catches_up(committee: Nodes, clock: MockClock) -> None:
    async with running(committee, *ALL) as nursery:
        await committee.stop(3)
        ids: list[bytes] = []
        for number in range(6):
            ids += await committee.hand_in(0, committee.transaction(f"k{number}"))
            await committee.certified(ids, 0, 1, 2)
        await committee.start(nursery, 3)
        await committee.certified(ids, *ALL, within_s=120)
        heads = {committee.node(index).store.statement(6).state_root for index in ALL}
        assert len(heads) == 1
