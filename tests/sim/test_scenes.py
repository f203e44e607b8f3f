"""Named situations, each with what it must end in."""

from __future__ import annotations

import pytest

from consensus.pbft.schedule import SKIP_ROUNDS
from tests.sim.byzantine import (
    Equivocator,
    EvidenceHider,
    Favourer,
    Liar,
    TwoFaced,
    Usurper,
    ViewRunner,
    Withholder,
)
from tests.sim.more_byzantine import ALL_LIARS
from tests.sim.node import WITHHELD_MS
from tests.sim.scenario import SIZES, Network
from tests.sim.situations import time_to_next_block
from tests.sim.world import Weather

TAKEOVER_MS_MAX = 3_000


@pytest.mark.parametrize("size", SIZES)
def test_network_without_faults_stays_in_its_first_view(size: int) -> None:
    network = Network(1, size)
    network.load(3_000)
    assert network.settle() < 1_000
    assert network.view == 0
    assert network.checkers.catch_ups == 0
    assert len(network.nodes[0].disk.included) == len(network.submitted)


def test_network_under_unbroken_load_stays_in_its_first_view() -> None:
    network = Network(26, 4, rotate_every=1_000)
    network.load(6_000, every_ms=4)
    assert network.view == 0
    network.settle()


@pytest.mark.parametrize("size", SIZES)
def test_dead_primary_is_replaced_within_three_seconds(size: int) -> None:
    network = Network(2, size)
    network.load(2_000)
    primary = network.nodes[network.nodes[0].replica.proposer]
    primary.crash()
    assert time_to_next_block(network) <= TAKEOVER_MS_MAX
    network.load(2_000)
    primary.start()
    network.settle()


def test_f_dead_replicas_in_a_row_are_passed_quickly() -> None:
    network = Network(3, 10, rotate_every=1_000)
    network.load(2_000)
    for index in range(3):  # the primary of view 0 and the leaders of views 1 and 2
        network.nodes[index].crash()
    assert time_to_next_block(network) <= TAKEOVER_MS_MAX + 1_000
    for index in range(3):
        network.nodes[index].start()
    network.settle()


@pytest.mark.parametrize("size", [4, 7])
def test_turns_of_a_dead_replica_cost_one_time_out_and_are_then_skipped(size: int) -> None:
    network = Network(4, size, rotate_every=4)
    network.load(1_000)
    network.nodes[2].crash()
    assert time_to_next_block(network) <= TAKEOVER_MS_MAX
    network.load(5_000)
    before, view = network.head, network.view
    network.load(30_000)
    turns = (network.head - before) / 4
    # Its turn comes again after SKIP_ROUNDS rounds; passing it may need two view changes, when
    # the next leader would be the dead one.
    offers = turns / (SKIP_ROUNDS * (size - 1)) + 1
    assert network.view - view <= 2 * offers < turns / size
    network.nodes[2].start()
    network.settle()


def test_idle_network_exchanges_heartbeats_and_nothing_else() -> None:
    network = Network(5, 4)
    network.load(1_000)
    network.settle()
    network.world.run(2_000)
    head, before = network.head, network.world.events
    network.world.run(60_000)
    per_second = (network.world.events - before) / 60
    assert per_second <= 4 * (10 + 3 * 1.1), "ten ticks and one heartbeat to each peer"
    assert (network.head, network.view) == (head, 0)


def test_idle_network_does_not_change_views_over_a_dead_primary() -> None:
    network = Network(6, 4)
    network.load(1_000)
    network.settle()
    primary = network.nodes[network.nodes[0].replica.proposer]
    primary.crash()
    network.world.run(60_000)
    assert network.view == 0
    primary.start()
    network.settle()


@pytest.mark.parametrize("size", SIZES)
def test_equivocating_primary_is_accused_and_replaced(size: int) -> None:
    network = Network(7, size, liars={0: Equivocator})
    network.load(5_000)
    network.settle()
    assert network.view > 0
    assert network.checkers.accusations > 0


def test_two_faced_votes_and_statements_are_accused_and_harmless() -> None:
    network = Network(8, 7, liars={1: TwoFaced, 4: TwoFaced})
    network.load(5_000)
    network.settle()
    assert network.checkers.accusations > 0


@pytest.mark.parametrize("size", SIZES)
def test_huge_views_of_one_replica_move_nobody(size: int) -> None:
    network = Network(9, size, liars={size - 1: ViewRunner}, rotate_every=1_000)
    network.load(4_000)
    network.settle()
    assert network.view == 0


def test_withholding_primary_is_replaced() -> None:
    network = Network(10, 4, liars={0: Withholder})
    assert time_to_next_block(network) <= TAKEOVER_MS_MAX
    network.settle()


def test_self_made_leader_moves_nobody() -> None:
    network = Network(20, 4, liars={3: Usurper}, rotate_every=1_000)
    network.load(3_000)
    network.settle()
    assert network.view == 0


def test_primary_that_leaves_transactions_out_is_replaced() -> None:
    network = Network(21, 4, liars={0: Favourer}, rotate_every=1_000)
    network.load(WITHHELD_MS + 3 * TAKEOVER_MS_MAX)
    assert network.view > 0
    waiting = [since for node in network.honest for since in node.pending.values()]
    assert network.world.now - min(waiting, default=network.world.now) < TAKEOVER_MS_MAX
    network.settle()


def test_slow_execution_fills_the_window_and_changes_no_view() -> None:
    network = Network(22, 4, rotate_every=1_000)
    for node in network.nodes:
        node.execution_ms_max = 2_000
    network.load(20_000, every_ms=200)
    certified = min(node.replica.certified for node in network.nodes)
    assert max(node.replica.next_height for node in network.nodes) <= certified + 3 * 8
    assert network.view == 0
    for node in network.nodes:
        node.execution_ms_max = 10
    network.settle()


def test_replica_that_is_cut_off_does_not_run_away_through_the_views() -> None:
    network = Network(23, 4)
    network.load(500)
    network.world.isolate({3}, 4)
    for _ in range(5):
        network.nodes[3].submit(network.submitted[-1][::-1])
    network.load(60_000, every_ms=500)
    assert network.nodes[3].replica.target_view <= network.view + 1
    network.world.heal()
    network.settle()


def test_hidden_evidence_does_not_lose_what_was_committed() -> None:
    network = Network(11, 4, liars={1: EvidenceHider})
    for _ in range(6):
        network.load(500, every_ms=10)
        victim = network.nodes[network.honest[0].replica.proposer]
        if victim.index == 1 or not victim.is_up:
            continue
        victim.crash()
        network.load(3_000, every_ms=50)
        victim.start()
    network.settle()
    assert network.view > 0


@pytest.mark.parametrize("loss", [0.05, 0.3])
def test_lost_frames_are_repaired_by_repetition(loss: float) -> None:
    network = Network(12, 4)
    network.world.weather = Weather(loss=loss, delay_ms_max=50)
    network.load(10_000)
    assert network.head > 20
    assert network.settle(60_000) < 60_000, "while the loss goes on"


def test_majority_goes_on_and_minority_catches_up_after_a_partition() -> None:
    network = Network(13, 7)
    network.load(1_000)
    network.world.isolate({0, 5}, 7)
    network.load(10_000)
    assert network.head - network.nodes[0].disk.head > 50
    network.world.heal()
    network.settle(15_000)


def test_halves_stand_still_and_go_on_when_joined() -> None:
    network = Network(14, 4)
    network.load(1_000)
    network.world.isolate({0, 1}, 4)
    network.load(1_000)
    head = network.head
    network.load(30_000, every_ms=500)
    assert network.head == head
    network.world.heal()
    network.settle(15_000)


@pytest.mark.parametrize(
    ("size", "is_active", "lag_max"),
    [
        (4, False, 40),  # no quorum of votes without the primary's: block sync every second
        (7, True, 10),  # a quorum of prepares stands for the lost pre-prepares
    ],
)
def test_replica_cut_off_from_the_primary_keeps_delivering(
    size: int, is_active: bool, lag_max: int
) -> None:
    network = Network(15, size, rotate_every=1_000)
    network.load(500)
    network.world.blocked.update({(0, 3), (3, 0)})  # replica 3 and the primary lose each other
    network.load(8_000)
    assert network.nodes[3].replica.is_active is is_active
    assert network.view == 0
    assert network.head - network.nodes[3].disk.head < lag_max
    network.world.heal()
    network.settle()


@pytest.mark.parametrize("effects", range(0, 48, 3))
def test_crash_in_the_middle_of_a_write_is_survived(effects: int) -> None:
    network = Network(100 + effects, 4)
    network.load(800, every_ms=20)
    node = network.nodes[effects % 4]
    node.crash_in = effects
    network.load(1_000, every_ms=20)
    assert not node.is_up
    node.start()
    network.load(1_000, every_ms=20)
    network.settle()


@pytest.mark.parametrize("size", [4, 5])
def test_all_killed_at_once_lose_nothing_that_was_acknowledged(size: int) -> None:
    network = Network(16, size)
    for _ in range(5):
        network.load(700, every_ms=10)
        for node in network.nodes:
            node.crash()
        network.world.run(1_000)
        for node in network.nodes:
            node.start()
    network.load(500)
    assert network.settle() < 15_000
    network.check_acknowledged()


def test_restarted_replica_learns_the_view_without_a_view_change() -> None:
    network = Network(17, 4, rotate_every=1_000)
    network.load(1_000)
    network.nodes[3].crash()
    network.nodes[0].crash()
    network.world.run(500)
    network.nodes[3].start()
    network.load(5_000)
    view = network.view
    assert view > 0
    network.nodes[0].start()
    network.load(3_000)
    network.settle()
    assert network.view == view
    assert all(node.replica.is_active and node.replica.view == view for node in network.nodes)


def test_lagging_replica_catches_up_by_block_sync() -> None:
    network = Network(18, 4)
    network.load(500)
    network.nodes[3].crash()
    network.load(20_000)
    lag = network.head - network.nodes[3].disk.head
    assert lag > 4 * 8
    network.nodes[3].start()
    network.load(3_000)
    network.settle(5_000)
    assert network.checkers.catch_ups > 0


def test_new_replica_with_an_empty_disk_catches_up_under_load() -> None:
    network = Network(19, 4)
    network.nodes[3].crash()
    network.load(10_000)
    network.nodes[3].start()
    network.load(10_000)
    assert network.head - network.nodes[3].disk.head < 8, "it reaches the head while that moves"
    network.settle()


def test_promise_of_a_lone_replica_outlives_its_restart() -> None:
    network = Network(24, 4, rotate_every=1_000)
    network.load(500)
    network.world.isolate({3}, 4)
    network.nodes[3].submit(bytes(32))
    assert network.world.run_until(lambda: not network.nodes[3].replica.is_active, 5_000)
    network.nodes[3].crash()
    network.nodes[3].start()
    network.world.heal()
    network.load(2_000)
    network.settle()
    assert not network.nodes[3].replica.is_active


def test_all_killed_at_once_in_a_later_view_repeat_no_vote_of_it() -> None:
    network = Network(25, 4, rotate_every=1_000)
    network.load(500)
    network.nodes[0].crash()
    network.load(4_000)
    network.nodes[0].start()
    assert network.view == 1
    for _ in range(6):
        network.load(700, every_ms=10)
        for node in network.nodes:
            node.crash()
        for node in network.nodes:
            node.start()
    network.load(1_000)
    network.settle()
    assert network.view == 1


@pytest.mark.parametrize("kind", ALL_LIARS, ids=lambda kind: kind.__name__)
def test_f_liars_of_one_kind_are_survived_with_a_crash_and_a_view_change(kind: type[Liar]) -> None:
    network = Network(27, 7, liars={0: kind, 1: kind}, rotate_every=8)
    network.load(2_000)
    network.nodes[2].crash()  # beyond f: nothing is lost, and it goes on when this one is back
    network.load(3_000)
    network.nodes[2].start()
    network.load(3_000)
    network.settle(30_000)
