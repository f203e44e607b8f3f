"""What a node counts about itself while it works, for whoever watches it (8.1.3 d).

Plain numbers: only the main task writes them, the metrics page reads them from its thread, and
nothing that the node decides looks at them.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

# Upper bounds of the histograms' buckets, in seconds. A transaction waits for a batch and three
# rounds of votes: below a second as a rule; half a minute is the patience of a client.
DELAY_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
EXECUTION_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
INTERVAL_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)

# Senders with a histogram of their own: about 12 lines of the page each. A consortium has fewer
# accounts that send all the time; the rest are shown as one.
SENDERS_MAX = 64


class Histogram:
    """How often a quantity fell into each bucket, and its sum. Not thread safe."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)  # the last: above all bounds
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, other: Histogram) -> None:
        """What was observed there counts here."""
        assert self.bounds == other.bounds
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def copy(self) -> Histogram:
        same = Histogram(self.bounds)
        same.add(self)
        return same


class Delays:
    """Seconds from a transaction's arrival here to its block, overall and by sender. Thread safe.

    The senders seen last have histograms of their own; who is crowded out goes on in `others`.
    """

    def __init__(self, *, senders_max: int = SENDERS_MAX) -> None:
        self._senders_max = senders_max
        self._lock = threading.Lock()
        self._all = Histogram(DELAY_BOUNDS_S)
        self._others = Histogram(DELAY_BOUNDS_S)
        self._senders: OrderedDict[bytes, Histogram] = OrderedDict()

    def observe(self, sender: bytes, seconds: float) -> None:
        """`sender` is the public key."""
        with self._lock:
            self._all.observe(seconds)
            own = self._senders.pop(sender, None)
            if own is None:
                own = Histogram(DELAY_BOUNDS_S)
                if len(self._senders) >= self._senders_max:
                    self._others.add(self._senders.popitem(last=False)[1])
            self._senders[sender] = own
            own.observe(seconds)

    def read(self) -> tuple[Histogram, dict[bytes, Histogram], Histogram]:
        """Copies: overall, by sender, and of all other senders together."""
        with self._lock:
            senders = {sender: own.copy() for sender, own in self._senders.items()}
            return self._all.copy(), senders, self._others.copy()


@dataclass(slots=True)
class Tally:
    """Totals since start."""

    now: Callable[[], float] = time.monotonic
    proposals_made: int = 0
    proposals_refused: int = 0
    view_changes: int = 0  # views that this node left
    catch_ups: int = 0
    accusations: int = 0
    blocks: int = 0
    transactions: int = 0
    last_block_s: float | None = None  # when it was stored, by `now`
    delays: Delays = field(default_factory=Delays)
    execution: Histogram = field(default_factory=lambda: Histogram(EXECUTION_BOUNDS_S))
    interval: Histogram = field(default_factory=lambda: Histogram(INTERVAL_BOUNDS_S))
    _left: tuple[int, int] = (0, 0)  # epoch, view: the promise that was counted last

    def block(self, transactions: int, *, began_s: float) -> None:
        """A block was executed and stored; it was begun at `began_s`."""
        now = self.now()
        self.blocks += 1
        self.transactions += transactions
        self.execution.observe(now - began_s)
        if self.last_block_s is not None:
            self.interval.observe(now - self.last_block_s)
        self.last_block_s = now

    def left_for(self, epoch: int, view: int) -> None:
        """We vote in no view below `view` any more; said again, it counts once."""
        if (epoch, view) > self._left:
            self._left = (epoch, view)
            self.view_changes += 1
