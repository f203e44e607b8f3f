"""The committee's time: what a node proposes with and judges fresh proposals by (8.1.4e).

Every member tells the others once a second what its wall clock says. A node subtracts its own
monotonic clock at arrival; what is left, a *reading*, says how far that peer's wall clock is ahead
of our monotonic one. A message under way makes a reading too low, by its delay, never too high:
so of the last few of one peer the highest is the best (the minimum filter of NTP).

The committee's time is our monotonic clock plus the median reading. Why it can be trusted: let s
bound the error of an honest wall clock, d the delay of a message, and f the wrong clocks. An
honest reading says true time + something in [-s - d, +s]. A quorum of readings is 2f + 1 or more,
so at least f + 1 of them lie at or below the median and at least f + 1 at or above it, and at least
one honest reading is on either side: the median lies within what honest clocks say, whatever the
others say, and

    true time - s - d  <=  committee's time  <=  true time + s.

A node's own wall clock is one reading of the quorum, without delay, and no more than that. When
2f + 1 peers are heard it is left out of the median: then the bound holds for a node whose own clock
is arbitrary *beside* f lying peers. (With f = 0 nobody can be outvoted, and it always counts.)

A proposal of time T that is on its way for at most d is therefore judged by a clock that differs
from T by at most 2s + 2d: both ends of the interval above, and the way. `Limits.time_skew_ms_max`
has to cover that (`SKEW_MS_MIN`, checked when a genesis is opened) and what queues and disks add.

Between two readings only the monotonic clock counts, which neither jumps nor stops with the wall
clock; it drifts by less than 100 ppm, 1 ms in the ten seconds that a reading may serve.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

PRECISION_MS = 1_000  # s: far more than NTP leaves, so that an honest clock never counts as wrong
DELAY_MS = 1_000  # d: a message between members, queues included; beyond, a view change is near
SKEW_MS_MIN = 2 * PRECISION_MS + 2 * DELAY_MS  # least bound that refuses no honest proposal

READING_INTERVAL_MS = 1_000  # between two words of a member about its clock
READINGS_KEPT = 8  # per peer: one quick message in eight seconds is enough for the filter
EXPIRY_MS = 10_000  # ten words missed: the peer's clock may have been set meanwhile
OFF_MS = PRECISION_MS  # own clock this far from the committee's: an operator should know
# The median moves back by at most 2s + d while at most f clocks are wrong: then the time stands
# still for as long. Whoever is further ahead followed clocks that were wrong together (all of them
# on one machine, say) and goes back with the others: standing still would take as long as they
# were wrong, and nobody would follow it.
STEP_BACK_MS = 5_000


@dataclass(frozen=True, slots=True)
class _Reading:
    at_ms: int  # monotonic, at arrival
    offset_ms: int  # the peer's wall clock less our monotonic one


@dataclass(slots=True, eq=False)
class _Voice:
    """One peer: whatever it says, it has one reading."""

    kept: deque[_Reading] = field(default_factory=lambda: deque(maxlen=READINGS_KEPT))

    def best(self, since_ms: int) -> int | None:
        """The reading that was delayed least, of those not expired."""
        return max((r.offset_ms for r in self.kept if r.at_ms >= since_ms), default=None)


class CommitteeClock:
    """Pure: time comes from its two arguments, in milliseconds. One caller."""

    def __init__(
        self,
        *,
        others: Iterable[str],
        quorum: int,
        fault_bound: int,
        wall_ms: Callable[[], int],
        monotonic_ms: Callable[[], int],
    ) -> None:
        self._wall_ms = wall_ms
        self._monotonic_ms = monotonic_ms
        self._voices: dict[str, _Voice] = {}
        self._held: int | None = None  # the last median, for when too few are heard
        self._latest = 0
        self.steps_back = 0  # times that more than f clocks must have been wrong
        self.follow(others, quorum=quorum, fault_bound=fault_bound)

    def follow(self, others: Iterable[str], *, quorum: int, fault_bound: int) -> None:
        """Hear these peers from now on; what those among them said before still counts."""
        self._voices = {peer: self._voices.get(peer) or _Voice() for peer in others}
        self._quorum = quorum  # with ourselves
        self._fault_bound = fault_bound

    def note(self, peer: str, time_ms: int) -> None:
        """What `peer`'s wall clock said has just arrived. Strangers are not heard."""
        voice = self._voices.get(peer)
        if voice is not None:
            now_ms = self._monotonic_ms()
            voice.kept.append(_Reading(now_ms, time_ms - now_ms))

    def wall_ms(self) -> int:
        """What our own wall clock says: this, not `now_ms`, is what the others are told.

        Or each would believe what the rest believe, and all could drift away together.
        """
        return max(1, self._wall_ms())

    def now_ms(self) -> int:
        """The committee's time, Unix milliseconds, above 0.

        Once a quorum is heard it never goes back while at most f clocks are wrong. Before that, in
        the first second of a life, there is only the own wall clock. Later, when too few are
        heard, the monotonic clock goes on from what was agreed last: it is right for days, and
        without a quorum nothing is ordered anyway.
        """
        offset = self._median()
        if offset is None:
            offset = self._held
        if offset is None:
            return self.wall_ms()
        self._held = offset
        time_ms = max(1, self._monotonic_ms() + offset)
        if time_ms < self._latest - STEP_BACK_MS:
            self.steps_back += 1
        else:
            time_ms = max(time_ms, self._latest)
        self._latest = time_ms
        return time_ms

    @property
    def is_agreed(self) -> bool:
        """Is a quorum heard, now? Then the bound holds, and something can be ordered."""
        return self._median() is not None

    @property
    def own_offset_ms(self) -> int:
        """How far our wall clock is ahead of the committee's time; 0 if that is not known."""
        offset = self._median()
        return self._own() - offset if offset is not None else 0

    @property
    def is_off(self) -> bool:
        """Is our own wall clock wrong, or are more than f others?"""
        return abs(self.own_offset_ms) > OFF_MS

    def _own(self) -> int:
        return self._wall_ms() - self._monotonic_ms()

    def _median(self) -> int | None:
        """None if no quorum of clocks is heard."""
        since_ms = self._monotonic_ms() - EXPIRY_MS
        best = (voice.best(since_ms) for voice in self._voices.values())
        heard = [offset for offset in best if offset is not None]
        if len(heard) + 1 < self._quorum:
            return None
        if not self._fault_bound or len(heard) <= 2 * self._fault_bound:
            heard.append(self._own())
        heard.sort()
        return heard[len(heard) // 2]  # the upper one of two: readings err to the low side
