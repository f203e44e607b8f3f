"""Wrong clocks and idle networks, in virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from node.heartbeat import GRACE_MS
from tests.sim.node import TIME_SKEW_MS_MAX, Node
from tests.sim.scenario import SIZES, Network
from tests.sim.timed import HEARTBEAT_MS, Spammer, TimedNode
from tests.sim.world import Weather

HOUR_MS = 3_600_000
# A dead primary of an idle network: overdue for all, then the time-out of a silent one, a view
# change, and the block.
REPLACED_MS_MAX = HEARTBEAT_MS + TIME_SKEW_MS_MAX + GRACE_MS + 3_000


def timed(seed: int, size: int, *, rotate_every: int = 1_000) -> Network:
    network = Network(seed, size, rotate_every=rotate_every, honest=TimedNode)
    network.world.run(2_500)  # all have said their time
    return network


def wrong_primary(network: Network, skew_ms: int) -> int:
    """The wall clocks of the primary and of others, f in all, go wrong. Heights of 4 s of load."""
    first = network.nodes[0].replica.proposer
    size = len(network.nodes)
    for step in range((size - 1) // 3):
        network.nodes[(first + step) % size].skew_ms = skew_ms
    before = network.head
    network.load(4_000)
    return network.head - before


@pytest.mark.parametrize("skew_ms", [HOUR_MS, -HOUR_MS])
@pytest.mark.parametrize("size", SIZES)
def test_a_primary_with_a_clock_an_hour_wrong_keeps_the_pace(size: int, skew_ms: int) -> None:
    usual = wrong_primary(timed(1, size), 0)
    network = timed(1, size)
    assert wrong_primary(network, skew_ms) >= 0.9 * usual
    assert network.settle() < 1_000
    assert network.view == 0
    assert network.nodes[0].disk.entries[-1].statement.time_ms < network.nodes[0].time_ms() + 100


def test_by_its_own_clock_such_a_primary_loses_its_view() -> None:
    """What the test above would find if nodes did not listen to each other."""
    network = Network(1, 4, rotate_every=1_000, honest=Node)
    network.world.run(2_500)
    wrong_primary(network, HOUR_MS)
    network.settle()
    assert network.view > 0


@pytest.mark.parametrize("size", SIZES)
def test_an_idle_network_beats_in_its_first_view(size: int) -> None:
    network = Network(2, size, rotate_every=2, honest=TimedNode)
    network.world.run(10 * HEARTBEAT_MS)
    assert 8 <= network.head <= 10
    assert network.view == 0
    times = [entry.statement.time_ms for entry in network.nodes[0].disk.entries]
    assert all(b - a >= HEARTBEAT_MS for a, b in pairwise(times))


@pytest.mark.parametrize("size", SIZES)
def test_a_dead_primary_of_an_idle_network_is_replaced_at_the_next_heartbeat(size: int) -> None:
    network = timed(3, size)
    assert network.world.run_until(lambda: network.head == 1, 2 * HEARTBEAT_MS)
    network.world.run(500)
    primary = network.nodes[network.nodes[0].replica.proposer]
    primary.crash()
    assert network.world.run_until(lambda: network.head == 2, REPLACED_MS_MAX)
    primary.start()
    assert network.world.run_until(
        lambda: all(node.disk.head >= 4 for node in network.nodes), 4 * HEARTBEAT_MS
    )


def test_heartbeats_survive_loss_and_wrong_clocks() -> None:
    network = timed(4, 7, rotate_every=4)
    network.world.weather = Weather(loss=0.2, duplication=0.1)
    for index, skew_ms in ((2, HOUR_MS), (5, -HOUR_MS)):
        network.nodes[index].skew_ms = skew_ms
    network.world.run(20 * HEARTBEAT_MS)
    assert network.head >= 15
    network.load(2_000)
    network.world.heal()
    network.settle()
    assert len(network.nodes[0].disk.included) == len(network.submitted)


@pytest.mark.parametrize("size", SIZES)
def test_a_primary_that_spams_empty_blocks_loses_its_view_and_censors_nobody(size: int) -> None:
    network = Network(5, size, rotate_every=1_000, honest=TimedNode, liars={0: Spammer})
    network.world.run(2_500)
    early = network.head
    network.load(4_000)
    network.settle()
    assert early == 0 and network.view > 0
    included = network.nodes[1].disk.included
    assert all(transaction in included for transaction in network.submitted)
