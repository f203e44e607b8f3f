"""A scenario as a value: everything that is done to a network, but for the chance in its delays.

`execute` runs one, `tests.sim.draws` draws them from seeds, `tests.sim.shrink` makes failing ones
small. What `repr` shows is Python: paste it into a test and import the names from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from consensus.pbft.messages import Message
from tests.sim.byzantine import Liar
from tests.sim.more_byzantine import ALL_LIARS
from tests.sim.node import EXECUTION_MS_MAX, Node
from tests.sim.scenario import Network, Outcome
from tests.sim.world import Weather

KINDS: dict[str, type[Liar]] = {kind.__name__: kind for kind in ALL_LIARS}
LAST_SUBMITTED = 5  # after the faults: there must be something to agree on

Links = frozenset[tuple[int, int]]  # from, to


@dataclass(frozen=True, slots=True)
class Crash:
    at_ms: int
    node: int
    down_ms: int


@dataclass(frozen=True, slots=True)
class Tear:
    """The power goes off after so many effects, in the middle of a write if it is one."""

    at_ms: int
    node: int
    effects: int
    down_ms: int


@dataclass(frozen=True, slots=True)
class Cut:
    """These are apart from the others: hear nothing of them (`in`), are not heard (`out`), both.

    A cut with a period flaps: it is there for one period and away for the next.
    """

    at_ms: int
    for_ms: int
    group: tuple[int, ...]
    way: str = "both"
    period_ms: int = 0


@dataclass(frozen=True, slots=True)
class Mood:
    """Kinds of messages (by name) that are lost on their way to or from some."""

    at_ms: int
    for_ms: int
    to: tuple[tuple[str, int], ...] = ()
    by: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The clock is set forward or back; set right when the faults end."""

    at_ms: int
    node: int
    by_ms: int


@dataclass(frozen=True, slots=True)
class ClockStop:
    at_ms: int
    for_ms: int
    node: int


@dataclass(frozen=True, slots=True)
class Slow:
    """Blocks take up to so long to execute."""

    at_ms: int
    for_ms: int
    node: int
    execution_ms_max: int


Fault = Crash | Tear | Cut | Mood | ClockJump | ClockStop | Slow


@dataclass(frozen=True, slots=True)
class Scenario:
    seed: int  # of the chance in delays, losses and liars
    size: int
    duration_ms: int  # of the faults; then all heals and everything must be ordered
    every_ms: int  # between two submitted transactions
    liars: tuple[tuple[int, str], ...] = ()
    skews_ms: tuple[int, ...] = ()  # of the first so many nodes' clocks
    loss: float = 0.0
    duplication: float = 0.0
    delay_ms_max: int = 20
    rotate_every: int = 16
    faults: tuple[Fault, ...] = ()


def execute(scenario: Scenario) -> Outcome:
    """Run it and check it. Raises Violation."""
    network = Network(
        scenario.seed,
        scenario.size,
        liars={index: KINDS[name] for index, name in scenario.liars},
        rotate_every=scenario.rotate_every,
    )
    network.world.weather = Weather(
        loss=scenario.loss,
        duplication=scenario.duplication,
        delay_ms_max=scenario.delay_ms_max,
    )
    stage = Stage(network, scenario)
    network.load(scenario.duration_ms, every_ms=scenario.every_ms)
    stage.end()
    network.submit(LAST_SUBMITTED)
    return network.outcome(network.settle())


class Stage:
    """Makes the faults of a scenario happen, and all end."""

    def __init__(self, network: Network, scenario: Scenario) -> None:
        self._network = network
        self._world = network.world
        self._skews = dict(enumerate(scenario.skews_ms))
        self._cuts: dict[Cut, Links] = {}  # those that hold now
        self._moods: list[Mood] = []
        self._is_over = False
        self._set_clocks()
        for fault in scenario.faults:
            self._world.after(fault.at_ms, partial(self._begin, fault))

    def end(self) -> None:
        """Everything heals, everyone is up."""
        self._is_over = True
        self._cuts.clear()
        self._moods.clear()
        self._world.heal()
        self._set_clocks()
        for node in self._network.nodes:
            node.crash_in = None
            node.clock_stopped_at = None
            node.execution_ms_max = EXECUTION_MS_MAX
            _restart(node)

    def _set_clocks(self) -> None:
        for node in self._network.nodes:
            node.skew_ms = self._skews.get(node.index, 0)

    def _begin(self, fault: Fault) -> None:
        if self._is_over:
            return
        nodes, world = self._network.nodes, self._world
        match fault:
            case Crash():
                node = nodes[fault.node]
                if node.is_up:
                    node.crash()
                    world.after(fault.down_ms, lambda: _restart(node))
            case Tear():
                nodes[fault.node].crash_in = fault.effects
                world.after(fault.down_ms, lambda: _restart(nodes[fault.node]))
            case Cut():
                self._cut(fault, fault.at_ms + fault.for_ms)
            case Mood():
                self._moods.append(fault)
                self._listen()
                world.after(fault.for_ms, lambda: self._end_mood(fault))
            case ClockJump():
                nodes[fault.node].skew_ms += fault.by_ms
            case ClockStop():
                nodes[fault.node].clock_stopped_at = world.now
                world.after(fault.for_ms, lambda: _wind(nodes[fault.node]))
            case Slow():  # pragma: no branch (no other kind)
                nodes[fault.node].execution_ms_max = fault.execution_ms_max
                world.after(fault.for_ms, lambda: _hurry(nodes[fault.node]))

    # --- cuts -------------------------------------------------------------------------------

    def _cut(self, cut: Cut, until_ms: int) -> None:
        if self._is_over or self._world.now >= until_ms:
            return
        self._cuts[cut] = frozenset(links_of(cut, len(self._network.nodes)))
        self._block()
        left = until_ms - self._world.now
        self._world.after(min(cut.period_ms or left, left), lambda: self._join(cut, until_ms))

    def _join(self, cut: Cut, until_ms: int) -> None:
        if self._cuts.pop(cut, None) is not None:
            self._block()
        if cut.period_ms:
            self._world.after(cut.period_ms, lambda: self._cut(cut, until_ms))

    def _block(self) -> None:
        self._world.blocked = {link for links in self._cuts.values() for link in links}

    # --- moods ------------------------------------------------------------------------------

    def _end_mood(self, mood: Mood) -> None:
        if not self._is_over:
            self._moods.remove(mood)
            self._listen()

    def _listen(self) -> None:
        to = {lost for mood in self._moods for lost in mood.to}
        by = {lost for mood in self._moods for lost in mood.by}

        def is_lost(sender: int, receiver: int, message: Message) -> bool:
            kind = type(message).__name__
            return (kind, receiver) in to or (kind, sender) in by

        self._world.censor = is_lost if to or by else None


def links_of(cut: Cut, size: int) -> Iterator[tuple[int, int]]:
    """The links that lose everything while the cut holds."""
    group = set(cut.group)
    for one in sorted(group):
        for other in range(size):
            if other not in group:
                if cut.way != "in":
                    yield one, other
                if cut.way != "out":
                    yield other, one


def _restart(node: Node) -> None:
    if not node.is_up:
        node.start()


def _wind(node: Node) -> None:
    """The clock goes again, from where it stood."""
    if node.clock_stopped_at is not None:
        node.skew_ms -= node.world.now - node.clock_stopped_at
        node.clock_stopped_at = None


def _hurry(node: Node) -> None:
    node.execution_ms_max = EXECUTION_MS_MAX
