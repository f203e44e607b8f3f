"""How much of a node one caller gets: rates, shares of the threads, and the same in total.

Pure: the clock is an argument, and nothing waits. Who is refused is told when to come again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from node import refusals
from node.refusals import Refusal

# What a call costs, in units: one is a look at memory. Others read the disk, run the VM or hold a
# thread of their own. Measured where it mattered: a view takes about as long as eight statuses.
COSTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "View": 8,
        "GetBlock": 4,
        "GetTransaction": 2,
        "GetState": 2,
        "GetStates": 16,
        "SubmitBatch": 2,
        "FollowEvents": 8,
        "KeyHistory": 8,
        "AccountHistory": 8,
        "SubjectHistory": 8,
        "GetGenesis": 4,
        "ServerReflectionInfo": 8,
    }
)
COST_DEFAULT: Final = 1
BYTES_PER_UNIT: Final = 16 << 10  # of a request: a batch of 1,000 transactions costs about 25
# Callers whose rates are remembered; beyond, the one that was not heard of longest is forgotten,
# and begins anew with a full bucket. Only who has a level has a place of its own.
CALLERS_MAX: Final = 4096
HOSTS_MAX: Final = 4096


class Busy(Refusal):
    """Too much at once; `retry_ms` is when to come again."""

    def __init__(self, detail: str, *, retry_ms: int) -> None:
        super().__init__(refusals.QUOTA, f"{detail}; come again in {retry_ms} ms")
        self.retry_ms = retry_ms


@dataclass(frozen=True, slots=True)
class Quotas:
    """Rates are units a second; each bucket holds `burst_s` seconds of its rate.

    `caller_rate` is of one account, `host_rate` of all of one host that did not sign, and
    `anonymous_rate` of all who did not. `caller_calls` are unary calls at once and
    `caller_streams` streams; a host without a signature gets as many as one account.
    """

    caller_rate: int
    host_rate: int
    anonymous_rate: int
    total_rate: int
    caller_calls: int
    caller_streams: int
    burst_s: int = 2


def cost_of(method: str, size: int) -> int:
    """Units of a call of a method, by its full name, with a request of `size` bytes."""
    return COSTS.get(method.rpartition("/")[2], COST_DEFAULT) + size // BYTES_PER_UNIT


class Bucket:
    """Fills with its rate up to `burst`, and may be drawn below zero by the last one that draws."""

    __slots__ = ("_at_s", "_burst", "_filled", "_rate")

    def __init__(self, rate: int, burst: int, now_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._filled = float(burst)
        self._at_s = now_s

    def wait_ms(self, now_s: float) -> int:
        """0 where something is in it; else milliseconds until there is."""
        self._fill(now_s)
        if self._filled > 0:
            return 0
        return 1 + int(-self._filled * 1000 / self._rate)

    def draw(self, cost: int, now_s: float) -> None:
        """Debts are bounded: a call is never so dear that its caller waits for minutes."""
        self._fill(now_s)
        self._filled = max(self._filled - cost, -float(self._burst))

    def _fill(self, now_s: float) -> None:
        passed_s = max(0.0, now_s - self._at_s)
        self._filled = min(float(self._burst), self._filled + passed_s * self._rate)
        self._at_s = now_s


class Buckets:
    """One for each name, of the newest so many names."""

    def __init__(self, rate: int, burst: int, names_max: int) -> None:
        self._rate = rate
        self._burst = burst
        self._names_max = names_max
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def has(self, name: str) -> bool:
        return name in self._buckets

    def of(self, name: str, now_s: float) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self._rate, self._burst, now_s)
            if len(self._buckets) > self._names_max:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        return bucket


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that was let in: hand it back when the call has ended."""

    name: str
    is_stream: bool


@dataclass(slots=True)
class _UnderWay:
    calls: int = 0
    streams: int = 0


class Admission:
    """Thread safe."""

    def __init__(self, quotas: Quotas, now_s: Callable[[], float]) -> None:
        self._quotas = quotas
        self._now_s = now_s
        self._lock = threading.Lock()
        burst_s = quotas.burst_s
        caller_rate, host_rate = quotas.caller_rate, quotas.host_rate
        self._callers = Buckets(caller_rate, caller_rate * burst_s, CALLERS_MAX)
        self._hosts = Buckets(host_rate, host_rate * burst_s, HOSTS_MAX)
        self._strangers = Buckets(host_rate, host_rate * burst_s, HOSTS_MAX)
        now = now_s()
        anonymous_rate, total_rate = quotas.anonymous_rate, quotas.total_rate
        self._anonymous = Bucket(anonymous_rate, anonymous_rate * burst_s, now)
        self._total = Bucket(total_rate, total_rate * burst_s, now)
        self._under_way: dict[str, _UnderWay] = {}
        self.refused = 0  # calls, since the node started

    def knock(self, claimed: str, host: str) -> None:
        """Before a signature is verified: is anything left for who claims to be this account?

        Nothing is drawn, so that nobody uses up what is another's by claiming its name; nor is a
        name remembered that may be made up. Raises Busy.
        """
        with self._lock:
            now = self._now_s()
            if claimed and not self._callers.has(claimed):
                wait_ms = self._strangers.of(host, now).wait_ms(now)
                self._require(wait_ms, f"from {host} come too many signatures of strangers")
                self._require_total(now)
            else:
                self._require_left(claimed, host, now)

    def spoil(self, host: str) -> None:
        """A signature did not hold, or is a stranger's: its host pays for the verification."""
        with self._lock:
            now = self._now_s()
            self._strangers.of(host, now).draw(COST_DEFAULT, now)

    def enter(self, account: str, host: str, *, cost: int, is_stream: bool) -> Ticket:
        """Let a call in and draw its cost, from the account that signed it. Raises Busy.

        `account` is "" for who did not sign, and for strangers, who take as many as they like.
        """
        name = account or f"host {host}"
        with self._lock:
            now = self._now_s()
            self._require_left(account, host, now)
            found = self._under_way.setdefault(name, _UnderWay())
            if is_stream and found.streams >= self._quotas.caller_streams:
                raise self._busy(f"{name} follows {found.streams} streams already", 1000)
            if not is_stream and found.calls >= self._quotas.caller_calls:
                raise self._busy(f"{name} has {found.calls} calls under way", 50)
            self._total.draw(cost, now)
            if account:
                self._callers.of(account, now).draw(cost, now)
            else:
                self._hosts.of(host, now).draw(cost, now)
                self._anonymous.draw(cost, now)
            if is_stream:
                found.streams += 1
            else:
                found.calls += 1
        return Ticket(name, is_stream)

    def leave(self, ticket: Ticket) -> None:
        """The call has ended, however it did."""
        with self._lock:
            found = self._under_way[ticket.name]
            if ticket.is_stream:
                found.streams -= 1
            else:
                found.calls -= 1
            if not found.calls and not found.streams:
                del self._under_way[ticket.name]

    def _require_left(self, account: str, host: str, now: float) -> None:
        """Raises Busy where one of the caller's buckets is empty."""
        if account:
            wait_ms = self._callers.of(account, now).wait_ms(now)
            self._require(wait_ms, f"{account} asks more than {self._quotas.caller_rate} units/s")
        else:
            wait_ms = self._hosts.of(host, now).wait_ms(now)
            self._require(wait_ms, f"{host} asks more than a host may without a member's signature")
            wait_ms = self._anonymous.wait_ms(now)
            self._require(wait_ms, "too much is asked without a member's signature: name a key")
        self._require_total(now)

    def _require_total(self, now: float) -> None:
        self._require(self._total.wait_ms(now), "the node is asked more than it answers")

    def _require(self, wait_ms: int, detail: str) -> None:
        if wait_ms:
            raise self._busy(detail, wait_ms)

    def _busy(self, detail: str, retry_ms: int) -> Busy:
        self.refused += 1
        return Busy(detail, retry_ms=retry_ms)
