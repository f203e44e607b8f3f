"""How much of a node one caller gets: rates, shares of the threads, and the same in total.

Pure: the clock is an argument, and nothing waits. Who is refused is told when to come again.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from node import refusals
from node.refusals import Refusal

# What a call costs, in units: one is a look at memory. Others read the disk, run the VM or hold a
# thread of their own. Estimates, but for a view, which takes about as long as eight statuses.
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
        "GetCommittees": 4,
        "ServerReflectionInfo": 8,
    }
)
COST_DEFAULT: Final = 1
BYTES_PER_UNIT: Final = 16 << 10  # of a request: a batch of 1,000 transactions costs about 25
# Callers whose rates are remembered; beyond, the one that was not heard of longest is forgotten,
# and begins anew with a full bucket. Only who has a level has a place of its own.
CALLERS_MAX: Final = 4096
TURNS_S_MAX: Final = 2.0  # the last turn that is told: whoever claims a name can take turns of it
HOSTS_MAX: Final = 4096


class Kind(Enum):
    """What a call takes while it is under way."""

    WORK = "calls"  # a thread that works
    WAIT = "waiting calls"  # one of the same threads that waits: for a block, or for the caller
    STREAM = "event streams"  # a thread of their own that waits for most of its time, for days


STRANGERS: Final = "all without a member's signature"
AT_ONCE_MIN: Final = 4  # places of one caller on the smallest node
# When to come again where all places of a kind are taken. To refuse a call costs a third of what
# it costs to answer one: who comes again sooner would take as much by being refused.
RETRY_MS: Final[Mapping[Kind, int]] = MappingProxyType(
    {Kind.WORK: 100, Kind.WAIT: 250, Kind.STREAM: 1000}
)


class Busy(Refusal):
    """Too much at once; `retry_ms` is when to come again."""

    def __init__(self, detail: str, *, retry_ms: int) -> None:
        super().__init__(refusals.QUOTA, f"{detail}; come again in {retry_ms} ms")
        self.retry_ms = retry_ms


@dataclass(frozen=True, slots=True)
class Rates:
    """Units a second, as an operator sets them.

    `caller` is of one account, `host` of all of one host without a member's signature, `anonymous`
    of all callers without one, and `total` of everybody. A node answers some 450 units a second on
    a core (`make bench-access`): one caller gets less than half of that.
    """

    caller: int = 200
    host: int = 100
    anonymous: int = 200
    total: int = 2000


RATES_DEFAULT: Final = Rates()


@dataclass(frozen=True, slots=True)
class Quotas:
    """Each bucket holds `burst_s` seconds of its rate. `at_once` calls of one kind may be under way
    for one caller; a host without a member's signature gets as many as one account, and so do all
    such hosts together: hosts can be had in any number.
    """

    rates: Rates
    at_once: Mapping[Kind, int]
    burst_s: int = 2


def kind_of(method: str, *, is_stream: bool) -> Kind:
    name = method.rpartition("/")[2]
    if name == "FollowEvents":
        return Kind.STREAM
    # Health and reflection hold a thread as long as their caller likes, and none is kept for them.
    return Kind.WAIT if is_stream or name == "WaitReceipt" else Kind.WORK


def cost_of(method: str, size: int) -> int:
    """Units of a call of a method, by its full name, with a request of `size` bytes."""
    return COSTS.get(method.rpartition("/")[2], COST_DEFAULT) + size // BYTES_PER_UNIT


class Bucket:
    """Fills with its rate up to `burst`, and may be drawn below zero by the last one that draws.

    Who finds it empty is told a turn, each a later one: many that wait would otherwise all come at
    the same moment, and all but one for nothing.
    """

    __slots__ = ("_at_s", "_burst", "_filled", "_rate", "_turn_s")

    def __init__(self, rate: int, burst: int, now_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._filled = float(burst)
        self._at_s = self._turn_s = now_s

    def wait_ms(self, now_s: float) -> int:
        """0 where something is in it; else milliseconds until the caller's turn."""
        self._fill(now_s)
        if self._filled > 0:
            return 0
        first_s = now_s - self._filled / self._rate
        last_s = first_s + TURNS_S_MAX
        self._turn_s = min(max(self._turn_s + 1 / self._rate, first_s), last_s)
        return 1 + int((self._turn_s - now_s) * 1000)

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
    """A call that was let in: hand it back when the call has ended. Names whose places it takes."""

    names: tuple[str, ...]
    kind: Kind


class Admission:
    """Thread safe."""

    def __init__(self, quotas: Quotas, now_s: Callable[[], float]) -> None:
        self._quotas = quotas
        self._now_s = now_s
        self._lock = threading.Lock()
        burst_s = quotas.burst_s
        self._rates = rates = quotas.rates
        self._callers = Buckets(rates.caller, rates.caller * burst_s, CALLERS_MAX)
        self._hosts = Buckets(rates.host, rates.host * burst_s, HOSTS_MAX)
        self._strangers = Buckets(rates.host, rates.host * burst_s, HOSTS_MAX)
        now = now_s()
        self._anonymous = Bucket(rates.anonymous, rates.anonymous * burst_s, now)
        self._total = Bucket(rates.total, rates.total * burst_s, now)
        self._under_way: Counter[tuple[str, Kind]] = Counter()
        self.refused = 0  # calls, since the node started

    def knock(self, claimed: str, host: str, kind: Kind) -> None:
        """Before a signature is verified: is anything left for who claims to be this account?

        Nothing is drawn, so that nobody uses up what is another's by claiming its name; nor is a
        name remembered that may be made up. Raises Busy.
        """
        with self._lock:
            now = self._now_s()
            if claimed:
                wait_ms = self._unproven(claimed, host, now).wait_ms(now)
                self._require(wait_ms, f"from {host} come too many headers that do not hold")
            if claimed and not self._callers.has(claimed):
                self._require_total(now)
            else:
                self._require_left(claimed, host, now)
                self._require_place(_ticket(claimed, host, kind))

    def spoil(self, claimed: str, host: str) -> None:
        """A call was refused by its header, or for the lack of one: the work was done for nothing.

        It is drawn from who sent it, by its host and the name it claims, so that a neighbour with
        the same host, such as a gateway's, goes on.
        """
        with self._lock:
            now = self._now_s()
            if claimed:
                self._unproven(claimed, host, now).draw(COST_DEFAULT, now)
            else:
                self._hosts.of(host, now).draw(COST_DEFAULT, now)
                self._anonymous.draw(COST_DEFAULT, now)

    def _unproven(self, claimed: str, host: str, now: float) -> Bucket:
        """Of a member's name that others may use, or of all other names of a host together."""
        name = claimed if self._callers.has(claimed) else ""
        return self._strangers.of(f"{host} {name}", now)

    def enter(self, account: str, host: str, *, cost: int, kind: Kind) -> Ticket:
        """Let a call in and draw its cost, from the account that signed it. Raises Busy.

        `account` is "" for who did not sign, and for strangers, who take as many as they like.
        """
        ticket = _ticket(account, host, kind)
        with self._lock:
            now = self._now_s()
            self._require_left(account, host, now)
            self._require_place(ticket)
            for bucket in self._buckets(account, host, now):
                bucket.draw(cost, now)
            self._under_way.update((name, kind) for name in ticket.names)
        return ticket

    def draw(self, account: str, host: str, cost: int) -> int:
        """More of a call that is under way, drawn as by `enter`; milliseconds to rest then."""
        with self._lock:
            now = self._now_s()
            buckets = self._buckets(account, host, now)
            for bucket in buckets:
                bucket.draw(cost, now)
            return max(bucket.wait_ms(now) for bucket in buckets)

    def leave(self, ticket: Ticket) -> None:
        """The call has ended, however it did."""
        with self._lock:
            for name in ticket.names:
                place = (name, ticket.kind)
                self._under_way[place] -= 1
                if not self._under_way[place]:
                    del self._under_way[place]

    def _buckets(self, account: str, host: str, now: float) -> list[Bucket]:
        """All that a call is drawn from."""
        if account:
            return [self._total, self._callers.of(account, now)]
        return [self._total, self._hosts.of(host, now), self._anonymous]

    def _require_left(self, account: str, host: str, now: float) -> None:
        """Raises Busy where one of the caller's buckets is empty."""
        if account:
            wait_ms = self._callers.of(account, now).wait_ms(now)
            self._require(wait_ms, f"{account} asks more than {self._rates.caller} units/s")
        else:
            wait_ms = self._hosts.of(host, now).wait_ms(now)
            self._require(wait_ms, f"{host} asks more than a host may without a member's signature")
            wait_ms = self._anonymous.wait_ms(now)
            self._require(wait_ms, "too much is asked without a member's signature: name a key")
        self._require_total(now)

    def _require_place(self, ticket: Ticket) -> None:
        """Raises Busy where as many calls are under way as may be."""
        at_once = self._quotas.at_once[ticket.kind]
        for name in ticket.names:
            if self._under_way[name, ticket.kind] >= at_once:
                detail = f"{at_once} {ticket.kind.value} under way are all that {name} may have"
                raise self._busy(detail, RETRY_MS[ticket.kind])

    def _require_total(self, now: float) -> None:
        self._require(self._total.wait_ms(now), "the node is asked more than it answers")

    def _require(self, wait_ms: int, detail: str) -> None:
        if wait_ms:
            raise self._busy(detail, wait_ms)

    def _busy(self, detail: str, retry_ms: int) -> Busy:
        self.refused += 1
        return Busy(detail, retry_ms=retry_ms)


def _ticket(account: str, host: str, kind: Kind) -> Ticket:
    return Ticket((account,) if account else (f"host {host}", STRANGERS), kind)


def default_at_once(*, threads: int, subscribers_max: int) -> Mapping[Kind, int]:
    """Places of one caller, so that some are left for others: of threads that work a few are
    enough to keep a node busy, of those that wait three quarters.
    """
    return MappingProxyType(
        {
            Kind.WORK: max(AT_ONCE_MIN, threads // 6),
            Kind.WAIT: max(AT_ONCE_MIN, threads * 3 // 4),
            Kind.STREAM: max(AT_ONCE_MIN, subscribers_max * 3 // 4),
        }
    )
