"""Who may connect, before any cryptography: what a stranger's address (p2p.places) can take.

Pure: the clock is an argument.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from node.gateway.config import Limits
from p2p.places import place_of

BURST_S = 4  # of the rate may come at once: a client opens connections in pairs
# Rates that are remembered; the fullest bucket, which would refuse nobody, is forgotten first.
ADDRESSES_MAX = 10_000


class Turned(StrEnum):
    """Why somebody is turned away at the door."""

    FULL = "full"  # all connections are taken
    ADDRESS = "address_full"  # those of this address are
    RATE = "address_rate"


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class Doorkeeper:
    """Lets in and counts who is inside."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._inside: Counter[str] = Counter()
        self._total = 0
        self._buckets: dict[str, _Bucket] = {}

    @property
    def inside(self) -> int:
        return self._total

    @property
    def remembered(self) -> int:
        """Addresses whose rate is known."""
        return len(self._buckets)

    def enter(self, host: str, now_s: float) -> Turned | None:
        """None: let in, until `leave` with the same host."""
        place = place_of(host)
        if self._total >= self._limits.connections_max:
            return Turned.FULL
        if self._inside[place] >= self._limits.per_address_max:
            return Turned.ADDRESS
        if not self._take(place, now_s):
            return Turned.RATE
        self._inside[place] += 1
        self._total += 1
        return None

    def leave(self, host: str) -> None:
        place = place_of(host)
        self._total -= 1
        self._inside[place] -= 1
        if not self._inside[place]:
            del self._inside[place]

    def _take(self, place: str, now_s: float) -> bool:
        rate = self._limits.handshakes_per_s
        size = rate * BURST_S
        bucket = self._buckets.get(place)
        if bucket is None:
            if len(self._buckets) >= ADDRESSES_MAX:
                self._forget(now_s)
            bucket = self._buckets[place] = _Bucket(size, now_s)
        bucket.tokens = min(size, bucket.tokens + (now_s - bucket.at_s) * rate)
        bucket.at_s = now_s
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _forget(self, now_s: float) -> None:
        """Buckets that are full again say nothing; if none is, the oldest goes."""
        kept = {
            place: bucket
            for place, bucket in self._buckets.items()
            if now_s - bucket.at_s < BURST_S
        }
        if len(kept) >= ADDRESSES_MAX:
            del kept[min(kept, key=lambda place: kept[place].at_s)]
        self._buckets = kept
