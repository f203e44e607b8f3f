"""The bound of the committee's clock: |now - true time| <= s + d with at most f wrong clocks."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from node.clock import EXPIRY_MS, CommitteeClock

START_MS = 1_700_000_000_000
PRECISION_MS = 1_000  # s
DELAY_MS = 1_000  # d
ROUND_MS = 1_000
SIZES = (4, 5, 6, 7, 10)

_error = st.integers(-PRECISION_MS, PRECISION_MS)
_delay = st.integers(0, DELAY_MS)
_anything = st.integers(1, 1 << 53) | st.integers(START_MS - 10_000, START_MS + 10_000)


@dataclass
class Truth:
    """True time and the own clocks of the node under test."""

    now_ms: int = START_MS
    own_ms: int = START_MS

    def clock(self, peers: list[str], fault_bound: int) -> CommitteeClock:
        size = len(peers) + 1
        return CommitteeClock(
            others=peers,
            quorum=(size + fault_bound + 2) // 2,
            fault_bound=fault_bound,
            wall_ms=lambda: self.own_ms,
            monotonic_ms=lambda: self.now_ms - START_MS + 5_000,
        )


def _run(data: st.DataObject, *, is_own_honest: bool, silent_max: int) -> None:
    """Rounds in which honest peers speak, with errors and delays in bounds, and liars anyhow.

    Liars speak first: an honest word is judged right after it came. At most `silent_max` of the
    honest peers say nothing.
    """
    size = data.draw(st.sampled_from(SIZES))
    fault_bound = (size - 1) // 3
    peers = [str(index) for index in range(size - 1)]
    liars = set(data.draw(st.permutations(peers))[: data.draw(st.integers(0, fault_bound))])
    honest = [peer for peer in peers if peer not in liars]
    silent = set(honest[: data.draw(st.integers(0, silent_max))]) if silent_max else set()
    speaking = [peer for peer in honest if peer not in silent]
    truth = Truth()
    clock = truth.clock(peers, fault_bound)
    latest_ms = 0
    for _ in range(data.draw(st.integers(1, 14))):
        truth.now_ms += data.draw(st.integers(0, ROUND_MS))
        own_error = data.draw(_error)
        truth.own_ms = truth.now_ms + own_error if is_own_honest else data.draw(_anything)
        for liar in liars:
            for lie in data.draw(st.lists(_anything, max_size=3)):
                clock.note(liar, lie)
        for peer in speaking:
            clock.note(peer, truth.now_ms - data.draw(_delay) + data.draw(_error))
        assert abs(clock.now_ms() - truth.now_ms) <= PRECISION_MS + DELAY_MS
        if clock.is_agreed:
            assert clock.now_ms() >= latest_ms, "never back"
            latest_ms = clock.now_ms()
    assert clock.steps_back == 0


@settings(max_examples=60)
@given(st.data())
def test_f_liars_beside_an_own_clock_that_says_anything_move_nothing(data: st.DataObject) -> None:
    """All honest peers are heard: the own clock is not needed."""
    _run(data, is_own_honest=False, silent_max=0)


@settings(max_examples=60)
@given(st.data())
def test_f_liars_among_any_readings_move_nothing_if_the_own_clock_is_honest(
    data: st.DataObject,
) -> None:
    """Some peers are silent: with too few readings the own clock is what is left."""
    _run(data, is_own_honest=True, silent_max=9)


@settings(max_examples=60)
@given(st.data())
def test_two_honest_nodes_differ_by_less_than_a_proposal_may(data: st.DataObject) -> None:
    """Proposed by one, judged by the other a delay later: 2s + 2d at most, as the genesis asks."""
    peers = ["1", "2", "liar"]
    truth = Truth()
    clocks = [truth.clock(peers, 1), truth.clock(peers, 1)]
    for _ in range(data.draw(st.integers(1, 5))):
        truth.now_ms += data.draw(st.integers(0, ROUND_MS))
        for clock in clocks:
            clock.note("liar", data.draw(_anything))
            for peer in ("1", "2"):
                clock.note(peer, truth.now_ms - data.draw(_delay) + data.draw(_error))
        proposed_ms = clocks[0].now_ms()
        truth.now_ms += data.draw(_delay)
        assert abs(clocks[1].now_ms() - proposed_ms) <= 2 * PRECISION_MS + 2 * DELAY_MS


def test_silent_peers_are_forgotten_in_time() -> None:
    truth = Truth()
    clock = truth.clock(["1", "2", "3"], 1)
    for peer in ("1", "2", "3"):
        clock.note(peer, truth.now_ms)
    truth.now_ms += EXPIRY_MS
    assert clock.is_agreed
    truth.now_ms += 1
    assert not clock.is_agreed
