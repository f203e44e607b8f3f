"""A node that is told to stop: what it said that it holds does not go down with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from client.errors import Refused
from client.node import Outcome
from node import refusals
from node.retire import DRAIN_S
from tests.node_world import Nodes, quick_clock, running

ALL = (0, 1, 2, 3)


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def committee(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


async def test_what_a_retiring_node_holds_is_final_when_it_ends(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL):
        node = committee.node(0)
        ids = await committee.hand_in(0, *(committee.transaction(f"k{i}") for i in range(20)))
        await node.retire()
        assert all(node.store.find_transaction(wanted) for wanted in ids)
        assert node.store.certified_height == node.store.height
        await committee.stop(0)
        await committee.certified(ids, 1, 2, 3)


async def test_who_waits_at_a_retiring_node_gets_the_receipt(
    committee: Nodes, clock: MockClock
) -> None:
    outcomes: list[Outcome] = []
    async with running(committee, *ALL):
        with committee.client(0) as client:
            ids = await committee.hand_in(0, committee.transaction("k"))
            async with trio.open_nursery() as nursery:

                def wait() -> None:
                    outcomes.append(client.wait(ids[0], timeout_s=20))

                nursery.start_soon(trio.to_thread.run_sync, wait)
                await committee.node(0).retire()
                await committee.stop(0)
    assert [outcome.receipt.transaction_id for outcome in outcomes] == ids


async def test_a_retiring_node_takes_nothing_new_and_says_so(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL):
        await committee.node(0).retire()
        with committee.client(0) as client:
            with pytest.raises(Refused) as refused:
                await trio.to_thread.run_sync(client.submit, committee.transaction("late"))
            assert refused.value.code == refusals.STOPPING
            assert (await trio.to_thread.run_sync(client.status)).index == 0


async def test_a_node_without_a_quorum_does_not_keep_its_operator_waiting(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, 0):
        await committee.hand_in(0, committee.transaction("k"))
        began = trio.current_time()
        await committee.node(0).retire()
        assert trio.current_time() - began <= DRAIN_S + 0.1


async def test_an_idle_node_retires_at_once(committee: Nodes, clock: MockClock) -> None:
    async with running(committee, 0):
        began = trio.current_time()
        await committee.node(0).retire()
        assert trio.current_time() == began
