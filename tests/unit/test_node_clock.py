"""The committee's clock: who is wrong about the time changes nothing, and is told."""

from __future__ import annotations

import pytest

from node.clock import (
    DELAY_MS,
    EXPIRY_MS,
    OFF_MS,
    PRECISION_MS,
    READINGS_KEPT,
    SKEW_MS_MIN,
    STEP_BACK_MS,
    CommitteeClock,
)

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
PEERS = ("a", "b", "c")


class Watch:
    """True time, a wall clock that is wrong by `skew_ms`, and a clock made of both."""

    def __init__(
        self, peers: tuple[str, ...] = PEERS, *, quorum: int = 3, fault_bound: int = 1
    ) -> None:
        self.elapsed_ms = 0
        self.skew_ms = 0
        self.peers = peers
        self.clock = CommitteeClock(
            others=peers,
            quorum=quorum,
            fault_bound=fault_bound,
            wall_ms=lambda: self.true_ms + self.skew_ms,
            monotonic_ms=lambda: 77_777 + self.elapsed_ms,
        )

    @property
    def true_ms(self) -> int:
        return START_MS + self.elapsed_ms

    @property
    def error_ms(self) -> int:
        return self.clock.now_ms() - self.true_ms

    def hear(self, **skews_ms: int) -> None:
        """One second later: these peers say their clocks, wrong by so much; the others theirs."""
        self.elapsed_ms += 1_000
        for peer in self.peers:
            self.clock.note(peer, self.true_ms + skews_ms.get(peer, 0))


def test_a_node_that_has_heard_nobody_goes_by_its_own_clock() -> None:
    watch = Watch()
    watch.skew_ms = 500
    assert watch.error_ms == 500
    assert not watch.clock.is_agreed and watch.clock.own_offset_ms == 0


def test_too_few_readings_say_nothing() -> None:
    watch = Watch()
    watch.clock.note("a", watch.true_ms + HOUR_MS)
    assert watch.error_ms == 0 and not watch.clock.is_agreed


@pytest.mark.parametrize("skew_ms", [HOUR_MS, -HOUR_MS, -START_MS, 2 * START_MS])
def test_an_own_clock_that_is_wrong_changes_nothing_and_is_noticed(skew_ms: int) -> None:
    watch = Watch()
    watch.hear()
    watch.skew_ms = skew_ms
    assert watch.error_ms == 0
    assert watch.clock.own_offset_ms == skew_ms and watch.clock.is_off
    watch.skew_ms = OFF_MS
    assert not watch.clock.is_off


def test_an_own_clock_that_stops_is_noticed() -> None:
    watch = Watch()
    for _ in range(10):
        watch.hear()
        watch.skew_ms -= 1_000
        assert watch.error_ms == 0
    assert watch.clock.is_off and watch.clock.own_offset_ms == -10_000


@pytest.mark.parametrize("lie_ms", [HOUR_MS, -HOUR_MS, 1 << 52, -START_MS + 1])
def test_one_liar_of_four_moves_nothing(lie_ms: int) -> None:
    watch = Watch()
    for _ in range(20):
        watch.hear(b=lie_ms)
        assert watch.error_ms == 0
    assert not watch.clock.is_off


def test_a_liar_beside_a_wrong_own_clock_moves_nothing() -> None:
    watch = Watch()
    watch.skew_ms = HOUR_MS
    for _ in range(20):
        watch.hear(b=HOUR_MS)
        assert watch.error_ms == 0


def test_a_liar_has_one_voice_however_often_it_speaks() -> None:
    watch = Watch()
    watch.hear()
    for _ in range(10 * READINGS_KEPT):
        watch.clock.note("c", watch.true_ms + HOUR_MS)
        watch.clock.note("stranger", watch.true_ms + HOUR_MS)
    assert watch.error_ms == 0


def test_of_the_delayed_words_of_a_peer_the_quickest_counts() -> None:
    watch = Watch()
    watch.hear()
    for _ in range(READINGS_KEPT - 1):
        watch.hear(a=-900, b=-700, c=-800)
    assert watch.error_ms == 0
    watch.hear(a=-900, b=-700, c=-800)
    assert watch.clock.own_offset_ms == 800, "the quick words are not among the last few any more"


def test_what_was_agreed_outlasts_a_time_without_peers() -> None:
    watch = Watch()
    watch.skew_ms = HOUR_MS
    watch.hear()
    assert watch.error_ms == 0
    watch.elapsed_ms += EXPIRY_MS + 1
    assert not watch.clock.is_agreed, "the readings have expired"
    assert watch.error_ms == 0, "the own clock is known to be wrong"


def test_the_time_stands_still_rather_than_go_back() -> None:
    watch = Watch()
    watch.hear(a=900, b=900, c=900)
    before_ms = watch.clock.now_ms()
    for _ in range(READINGS_KEPT):
        watch.elapsed_ms += 10
        for peer in PEERS:
            watch.clock.note(peer, watch.true_ms)
    assert watch.clock.now_ms() == before_ms
    watch.elapsed_ms += 900
    assert watch.error_ms == 0 and watch.clock.now_ms() > before_ms
    assert watch.clock.steps_back == 0


def test_a_start_with_a_clock_that_is_ahead_holds_nothing_up() -> None:
    watch = Watch()
    watch.skew_ms = HOUR_MS
    assert watch.error_ms == HOUR_MS
    watch.hear()
    assert watch.error_ms == 0


def test_clocks_that_were_wrong_together_are_followed_back() -> None:
    """All machines on one host, say: who stood still would be alone with its time."""
    watch = Watch()
    watch.hear(a=HOUR_MS, b=HOUR_MS, c=HOUR_MS)
    assert watch.error_ms == HOUR_MS
    for _ in range(READINGS_KEPT):
        watch.hear()
    assert watch.error_ms == 0
    assert watch.clock.steps_back == 1


def test_a_step_back_is_beyond_what_f_wrong_clocks_can_cause() -> None:
    assert 2 * PRECISION_MS + DELAY_MS < STEP_BACK_MS
    assert SKEW_MS_MIN == 4_000


def test_a_network_of_one_goes_by_its_own_clock() -> None:
    watch = Watch(peers=(), quorum=1, fault_bound=0)
    assert watch.clock.is_agreed
    watch.skew_ms = 5
    assert watch.error_ms == 5


def test_two_nodes_that_cannot_outvote_each_other_agree_on_the_later_clock() -> None:
    first = Watch(("b",), quorum=2, fault_bound=0)
    second = Watch(("a",), quorum=2, fault_bound=0)
    first.skew_ms = 700
    first.clock.note("b", second.true_ms)
    second.clock.note("a", first.true_ms + 700)
    assert first.error_ms == second.error_ms == 700


def test_a_change_of_the_committee_keeps_the_voices_of_those_who_stay() -> None:
    watch = Watch()
    watch.skew_ms = HOUR_MS
    watch.hear()
    watch.clock.follow(("b", "c", "d"), quorum=3, fault_bound=1)
    watch.skew_ms = 0
    assert watch.clock.is_agreed, "two who stay and we ourselves"
    for _ in range(READINGS_KEPT):
        watch.clock.note("a", watch.true_ms + HOUR_MS)
        watch.clock.note("d", watch.true_ms - HOUR_MS)
    assert watch.error_ms == 0
    watch.clock.follow(("b", "d", "e", "f", "g", "h"), quorum=5, fault_bound=2)
    assert not watch.clock.is_agreed


def test_the_time_is_positive_whatever_the_clocks_say() -> None:
    watch = Watch()
    watch.skew_ms = -2 * START_MS
    assert watch.clock.now_ms() == watch.clock.wall_ms() == 1
    watch.hear(a=-START_MS, b=-START_MS, c=-START_MS)
    assert watch.clock.now_ms() >= 1
