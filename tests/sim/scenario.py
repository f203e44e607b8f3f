"""A network under faults: built by hand for a scene, or drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import get_args

from consensus.pbft.messages import Message
from consensus.pbft.types import ReplicaConfig
from crypto import sm3
from tests.sim import keys
from tests.sim.byzantine import LIARS, MORE_LIARS, Liar
from tests.sim.checkers import Checkers, Violation
from tests.sim.node import Node
from tests.sim.world import Weather, World

CHAIN_ID = sm3.digest(b"simulated chain")
SIZES = (4, 5, 6, 7, 10)
KINDS: tuple[type[Message], ...] = get_args(Message)
WILD_FROM = 2_000  # seeds from here on meet more kinds of liars and of losses; others keep theirs
RECOVERY_MS_MAX = 60_000  # after faults end: some capped time-outs, then everything is ordered


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did, for the summary."""

    size: int
    liars: int
    events: int
    heights: int
    deliveries: int
    views: int
    catch_ups: int
    accusations: int
    recovery_ms: int
    epochs: int  # that were decided while it ran


class Network:
    """n nodes in one world, with their checkers."""

    def __init__(
        self,
        seed: int,
        size: int,
        *,
        liars: Mapping[int, type[Liar]] | None = None,
        window: int = 8,
        rotate_every: int = 16,
        honest: type[Node] = Node,
    ) -> None:
        kinds = liars or {}
        self.world = World(seed)
        validators = keys.committee(size)
        assert len(kinds) <= validators.fault_bound
        self.checkers = Checkers(validators, CHAIN_ID, window, frozenset(kinds))
        self.nodes: list[Node] = []
        for index in range(size):
            config = ReplicaConfig(
                index=index,
                validators=validators,
                chain_id=CHAIN_ID,
                window=window,
                rotate_every=rotate_every,
            )
            kind = kinds.get(index, honest)
            self.nodes.append(kind(self.world, config, self.checkers, self.nodes))
        self.submitted: list[bytes] = []
        for node in self.nodes:
            node.start()

    @property
    def honest(self) -> list[Node]:
        return [node for node in self.nodes if node.index not in self.checkers.liars]

    @property
    def head(self) -> int:
        """The highest durable block of an honest node."""
        return max(node.disk.head for node in self.honest)

    @property
    def view(self) -> int:
        return max(node.replica.view for node in self.honest if node.is_up)

    def submit(self, count: int = 1) -> None:
        """Clients hand transactions to nodes that are up."""
        for _ in range(count):
            transaction_id = sm3.digest(b"transaction %d" % len(self.submitted))
            up = [node for node in self.honest if node.is_up]
            if up:
                self.submitted.append(transaction_id)
                self.world.random.choice(up).submit(transaction_id)

    def load(self, duration_ms: int, *, every_ms: int = 50) -> None:
        """Go on for `duration_ms` while clients submit."""
        for at in range(0, duration_ms, every_ms):
            self.world.after(at, self.submit)
        self.world.run(duration_ms)

    def is_settled(self) -> bool:
        """All honest nodes are up, equal, certified, and nothing waits."""
        heads = {node.disk.head for node in self.honest}
        return len(heads) == 1 and all(
            node.is_up and not node.pending and node.disk.certified == node.disk.head
            for node in self.honest
        )

    def settle(self, limit_ms: int = RECOVERY_MS_MAX) -> int:
        """Faults are over: everything must be ordered within `limit_ms`. How long did it take?"""
        start = self.world.now
        if not self.world.run_until(self.is_settled, limit_ms):
            raise Violation(f"no recovery within {limit_ms} ms: {self.describe()}")
        recovery_ms = self.world.now - start
        self.check_acknowledged()
        return recovery_ms

    def check_acknowledged(self) -> None:
        """What any honest node ever showed as committed is in every honest ledger."""
        for node in self.honest:
            if not self.checkers.acknowledged <= node.disk.included:
                raise Violation(f"node {node.index} lost an acknowledged transaction")

    def outcome(self, recovery_ms: int) -> Outcome:
        return Outcome(
            size=len(self.nodes),
            liars=len(self.checkers.liars),
            events=self.world.events,
            heights=self.head,
            deliveries=self.checkers.deliveries,
            views=self.view,
            catch_ups=self.checkers.catch_ups,
            accusations=self.checkers.accusations,
            recovery_ms=recovery_ms,
            epochs=len(self.checkers.committees.all) - 1 if self.checkers.committees else 0,
        )

    def describe(self) -> str:
        return "; ".join(
            f"node {node.index} up={node.is_up} head={node.disk.head}/{node.disk.certified} "
            f"decided={node.replica.decided} stable={node.replica.stable} "
            f"view={node.replica.view}/{node.replica.target_view} pending={len(node.pending)} "
            f"catching_up={node.replica.is_catching_up}"
            for node in self.honest
        )


def run(seed: int) -> Outcome:
    """Draw a scenario from `seed`, run it, check it. Raises Violation."""
    network = draw(seed)
    world = network.world
    duration_ms = world.random.randint(4_000, 12_000)
    every_ms = world.random.choice((20, 100, 400))
    for _ in range(world.random.randint(0, 5)):
        world.after(world.random.randrange(duration_ms), lambda: disturb(network))
    if seed >= WILD_FROM:
        _change_moods(network, until_ms=duration_ms)
    network.load(duration_ms, every_ms=every_ms)
    world.heal()
    for node in network.nodes:
        node.crash_in = None
        if not node.is_up:
            node.start()
    network.submit(5)
    return network.outcome(network.settle())


def draw(seed: int) -> Network:
    """Size, liars and weather of this seed."""
    size = SIZES[seed % len(SIZES)]
    network = Network(seed, size, liars=_draw_liars(seed, size))
    random = network.world.random
    if random.random() < 0.6:
        network.world.weather = Weather(
            loss=random.choice((0.0, 0.02, 0.1, 0.3)),
            duplication=random.choice((0.0, 0.1)),
            delay_ms_max=random.choice((5, 20, 100, 400)),
        )
    for node in network.honest:
        node.skew_ms = random.randint(-2_000, 2_000)
    return network


def disturb(network: Network) -> None:
    """One fault: a crash now or in the middle of a write, a partition, or its end."""
    world = network.world
    node = world.random.choice(network.nodes)
    fault = world.random.choice(("crash", "tear", "all", "cut", "one way", "heal"))
    if fault == "crash":
        _crash(network, node)
    elif fault == "tear" and node.is_up:
        node.crash_in = world.random.randrange(30)
        world.after(world.random.randint(500, 4_000), lambda: _restart(node))
    elif fault == "all":
        for one in network.nodes:
            _crash(network, one)
    elif fault == "cut":
        size = len(network.nodes)
        world.isolate(set(world.random.sample(range(size), world.random.randint(1, size))), size)
    elif fault == "one way":
        for peer in network.nodes:
            world.blocked.add((node.index, peer.index))
    else:
        world.blocked.clear()


def _change_moods(network: Network, until_ms: int) -> None:
    """Lose some kinds of messages to or from some, others for a while, and restart many at once.

    Even loss seldom leaves a proposal prepared on two and committed on one; this does.
    """
    world = network.world
    random = world.random
    if world.now >= until_ms:
        return
    indexes = range(len(network.nodes))
    to = {(kind, index) for kind in random.sample(KINDS, 2) for index in _some(random, indexes)}
    by = {(random.choice(KINDS), random.choice(indexes)) for _ in range(random.randint(0, 2))}
    world.censor = lambda sender, receiver, message: (
        (type(message), receiver) in to or (type(message), sender) in by
    )
    if random.random() < 0.2:
        for index in _some(random, indexes):
            if network.nodes[index].is_up:
                network.nodes[index].crash()
                network.nodes[index].start()
    world.after(random.randint(100, 1_500), lambda: _change_moods(network, until_ms))


def _some(random: Random, indexes: Sequence[int]) -> list[int]:
    return random.sample(indexes, random.randint(1, len(indexes)))


def _crash(network: Network, node: Node) -> None:
    if node.is_up:
        node.crash()
        delay = network.world.random.randint(100, 4_000)
        network.world.after(delay, lambda: _restart(node))


def _restart(node: Node) -> None:
    if not node.is_up:
        node.start()


def _draw_liars(seed: int, size: int) -> dict[int, type[Liar]]:
    """Half of the seeds have liars, up to f of them."""
    random = World(seed ^ 0x5EED).random
    fault_bound = keys.committee(size).fault_bound
    if random.random() < 0.5:
        return {}
    chosen = random.sample(range(size), random.randint(1, fault_bound))
    kinds = MORE_LIARS if seed >= WILD_FROM else LIARS
    return {index: random.choice(kinds) for index in chosen}
