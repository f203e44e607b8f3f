"""Networks whose committee changes: nodes that go from epoch to epoch, or follow without a vote.

A change is a transaction that the simulator knows; the block that includes it decides. Between
two epochs a node does what the driver's contract says: its log is cleared once what ended the
epoch is durable, frames of later epochs wait, and members of earlier ones are shown the
certificate that ended theirs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from consensus.pbft.messages import Certified, Status, encode_message, signing_bytes
from consensus.pbft.replica import Replica
from consensus.pbft.types import BatchReady, Input, Recovered, ReplicaConfig, Retire
from crypto import sm3
from ledger.committee import Epoch, Epochs, effective_base
from ledger.model import ExecutionCertificate
from tests.sim import keys
from tests.sim.byzantine import MORE_LIARS, Liar
from tests.sim.checkers import Checkers
from tests.sim.disk import Disk, Entry
from tests.sim.gate import Gate
from tests.sim.node import BATCH_DELAY_MS, Node
from tests.sim.scenario import CHAIN_ID, RECOVERY_MS_MAX, Network, Outcome, disturb
from tests.sim.world import Weather, World

SIZES = (4, 5, 7)  # of the first committee
SPARE = 2  # nodes outside of it
LATER_MAX = 64  # frames of later epochs kept of each peer
ANSWER_MS = 1_000  # between two answers to a member of an earlier epoch
FOLLOW_MS = 300  # between two questions of an observer
Change = tuple[int, ...]  # the nodes of the next committee, in its order


@dataclass(slots=True)
class Book:
    """What all nodes of a network know beforehand: what a transaction decides, and who checks."""

    changes: dict[bytes, Change]
    gates: dict[int, Gate]  # base -> gate of that epoch

    def gate(self, epoch: Epoch) -> Gate:
        if epoch.base not in self.gates:
            self.gates[epoch.base] = Gate(epoch.validators, CHAIN_ID, base=epoch.base)
        return self.gates[epoch.base]


class Mover(Node):
    """A node that is in some committees and not in others."""

    book: Book

    def start(self) -> None:
        self.later_frames: dict[int, deque[tuple[int, int, bytes, bytes]]] = {}
        self.shown_at: dict[int, int] = {}
        super().start()
        if not self.is_member:
            self.later(self.world.random.randint(1, FOLLOW_MS), self.follow)

    def recover(self, recovered: Recovered) -> None:
        """Into the epoch that the ledger has reached."""
        epoch = self.epochs.at(self.disk.certified + 1)
        place = [keys.index_of(v.public_key) for v in epoch.validators.validators]
        self.epoch = epoch
        self.is_member = self.index in place
        if not self.is_member:
            return
        old = self.config
        self.config = ReplicaConfig(
            index=place.index(self.index),
            validators=epoch.validators,
            chain_id=old.chain_id,
            base=epoch.base,
            window=old.window,
            rotate_every=old.rotate_every,
        )
        self.gate = self.book.gate(epoch)
        self.replica = Replica.recover(
            self.config,
            Recovered(
                head=recovered.head,
                certified=recovered.certified,
                statements=recovered.statements,
                records=recovered.records,
                last=self.epochs.last_of(epoch),
            ),
        )

    @property
    def epochs(self) -> Epochs:
        assert self.disk.epochs is not None
        return self.disk.epochs

    # --- an epoch ends ----------------------------------------------------------------------

    def retire(self, effect: Retire) -> None:
        self.later(0, self.move)

    def move(self) -> None:
        """Enter the next epoch; its certificate is durable already."""
        if self.epochs.at(self.disk.certified + 1) == self.epoch:
            return
        self.checkers.on_epoch(self.index)
        self.disk.log.clear()
        self.executing.clear()
        self.inbox.clear()
        self.goal = None
        self.checkers.on_start(self.index, self.disk.head)
        recovered, _ = self.disk.load()
        self.recover(recovered)
        if not self.is_member:
            self.follow()
            return
        waiting = [frame for frames in self.later_frames.values() for frame in frames]
        self.later_frames.clear()
        for frame in waiting:
            self.arrive(*frame)

    # --- what only members do ---------------------------------------------------------------

    def tick(self) -> None:
        if self.is_member:
            super().tick()
        else:
            self.later(FOLLOW_MS, self.tick)
            for peer in self.peers:
                for transaction_id in list(self.pending)[:20]:
                    self.pass_on(peer, transaction_id)

    def step(self, event: Input | None) -> None:
        if self.is_member:
            super().step(event)

    def is_overdue(self) -> bool:
        """A decided change waits for heights to pass: then empty blocks are due."""
        return self.epochs.newest.base > self.disk.head

    def offer(self) -> None:
        """Also blocks without transactions, while a decided change waits for heights to pass."""
        super().offer()
        is_due = self.world.now - self.proposed_at >= BATCH_DELAY_MS
        if self.is_overdue() and is_due and not self.inbox and self.replica.can_propose:
            self.proposed_at = self.world.now
            self.inbox.append(BatchReady((), self.time_ms()))
            self.later(BATCH_DELAY_MS, lambda: self.step(None))

    def peer(self, index: int) -> Node:
        return self.peers[keys.index_of(self.config.validators.validators[index].public_key)]

    # --- frames of other epochs -------------------------------------------------------------

    def arrive(self, base: int, sender: int, data: bytes, signature: bytes) -> None:
        if not self.is_up:
            return
        if base == self.epoch.base and self.is_member:
            self.receive(sender, data, signature)
        elif base > self.epoch.base:
            frames = self.later_frames.setdefault(sender, deque(maxlen=LATER_MAX))
            frames.append((base, sender, data, signature))
        elif base < self.epoch.base and isinstance(self.gate.decoded(data), Status):
            self.show_the_end(base, sender)

    def show_the_end(self, base: int, sender: int) -> None:
        """A member of an earlier epoch hears how it ended, from us as a member of it."""
        epoch = self.epochs.starting_at(base)
        last = self.epochs.last_of(epoch) if epoch is not None else None
        if epoch is None or last is None or last not in self.disk.certificates:
            return
        members = [keys.index_of(v.public_key) for v in epoch.validators.validators]
        if self.index not in members:
            return
        peer = self.peers[members[sender]]
        if self.world.now - self.shown_at.get(peer.index, -ANSWER_MS) < ANSWER_MS:
            return
        self.shown_at[peer.index] = self.world.now
        message = Certified(self.disk.certificates[last])
        signature = keys.sign(self.index, signing_bytes(CHAIN_ID, message))
        data, place = encode_message(message), members.index(self.index)
        self.world.send(self.index, peer.index, lambda: peer.arrive(base, place, data, signature))

    # --- blocks -----------------------------------------------------------------------------

    def last_height(self) -> int | None:
        return self.epochs.last_of(self.epoch)

    def validators_hash(self, height: int) -> bytes:
        return self.epochs.at(height).validators.digest

    def follow(self) -> None:
        """Ask somebody for what was ordered, until we are in the committee."""
        if self.is_member:
            return
        self.ask(self.world.random.choice(self.peers), self.blocks_from_head())
        self.later(FOLLOW_MS, self.follow)

    def install_blocks(
        self, entries: list[Entry], certificates: dict[int, ExecutionCertificate]
    ) -> None:
        if self.is_member:
            super().install_blocks(entries, certificates)
            return
        self.take_blocks(entries, certificates)
        self.move()

    def next_epoch(self, height: int, included: Sequence[bytes]) -> Epoch | None:
        newest = self.epochs.newest
        for transaction_id in included:
            if transaction_id in self.book.changes and newest.base < height:
                decided = keys.committee_of(self.book.changes[transaction_id])
                if decided != newest.validators:
                    return Epoch(effective_base(height, self.config.window), decided, CHAIN_ID)
        return None


class MovingNetwork(Network):
    """A first committee, some nodes outside of it, and changes to come."""

    def __init__(
        self,
        seed: int,
        size: int,
        *,
        spare: int = SPARE,
        liars: Mapping[int, type[Liar]] | None = None,
        window: int = 8,
        rotate_every: int = 16,
    ) -> None:
        kinds = liars or {}
        self.world = World(seed)
        first = keys.committee(size)
        self.epochs = Epochs((Epoch(0, first, CHAIN_ID),))
        self.checkers = Checkers(first, CHAIN_ID, window, frozenset(kinds), committees=self.epochs)
        self.book = Book({}, {})
        self.nodes: list[Node] = []
        self.submitted: list[bytes] = []
        for index in range(size + spare):
            config = ReplicaConfig(
                index=index if index < size else 0,  # until it is in a committee
                validators=first,
                chain_id=CHAIN_ID,
                window=window,
                rotate_every=rotate_every,
            )
            kind = mover_of(kinds.get(index))
            mover = kind(self.world, config, self.checkers, self.nodes)
            mover.index, mover.book, mover.disk = index, self.book, Disk(epochs=self.epochs)
            self.nodes.append(mover)
        for node in self.nodes:
            node.start()

    @property
    def movers(self) -> list[Mover]:
        return [node for node in self.honest if isinstance(node, Mover)]

    @property
    def view(self) -> int:
        """The highest view of any epoch that an honest member is in."""
        return max((m.replica.view for m in self.movers if m.is_up and m.is_member), default=0)

    def change(self, members: Change) -> None:
        """A client asks for another committee, through any node."""
        transaction_id = sm3.digest(b"change %d" % len(self.book.changes))
        self.book.changes[transaction_id] = members
        self.submitted.append(transaction_id)
        up = [node for node in self.honest if node.is_up]
        if up:
            self.world.random.choice(up).submit(transaction_id)

    def is_settled(self) -> bool:
        """As ever, and every change that was decided has taken effect on all."""
        movers = self.movers
        return super().is_settled() and all(
            mover.epochs.newest.base <= mover.disk.head and mover.epoch == mover.epochs.newest
            for mover in movers
        )

    def describe(self) -> str:
        return "; ".join(
            f"node {m.index} up={m.is_up} head={m.disk.head}/{m.disk.certified} "
            f"epoch={m.epoch.base} of {[e.base for e in m.epochs.all]} member={m.is_member} "
            f"pending={len(m.pending)}"
            + (f" view={m.replica.view}/{m.replica.target_view}" if m.is_member else "")
            for m in self.movers
        )


def mover_of(kind: type[Liar] | None) -> type[Mover]:
    """A node of this kind that moves."""
    return Mover if kind is None else type(f"Moving{kind.__name__}", (kind, Mover), {})


# --- drawn from a seed ----------------------------------------------------------------------


def run(seed: int) -> Outcome:
    """Draw a network with changes of its committee, run it, check it. Raises Violation."""
    network = draw(seed)
    world = network.world
    random = world.random
    duration_ms = random.randint(6_000, 15_000)
    for _ in range(random.randint(1, 4)):
        ask = partial(network.change, draw_change(network))
        world.after(random.randrange(duration_ms), ask)
    for _ in range(random.randint(0, 5)):
        world.after(random.randrange(duration_ms), lambda: disturb(network))
    network.load(duration_ms, every_ms=random.choice((20, 100, 400)))
    world.heal()
    for node in network.nodes:
        node.crash_in = None
        if not node.is_up:
            node.start()
    network.submit(5)
    recovery_ms = network.settle(2 * RECOVERY_MS_MAX)
    return network.outcome(recovery_ms)


def draw(seed: int) -> MovingNetwork:
    """First committee, liars and weather of this seed."""
    size = SIZES[seed % len(SIZES)]
    random = World(seed ^ 0x30E5).random
    liars: dict[int, type[Liar]] = {}
    if random.random() < 0.5:
        liars[random.randrange(size)] = random.choice(MORE_LIARS)
    network = MovingNetwork(seed, size, liars=liars)
    if random.random() < 0.6:
        network.world.weather = Weather(
            loss=random.choice((0.0, 0.02, 0.1, 0.3)),
            duplication=random.choice((0.0, 0.1)),
            delay_ms_max=random.choice((5, 20, 100, 400)),
        )
    return network


def draw_change(network: MovingNetwork) -> Change:
    """Any committee of at least four with at most f liars, in any order."""
    random = network.world.random
    count = len(network.nodes)
    while True:
        members = tuple(random.sample(range(count), random.randint(4, count)))
        lying = sum(member in network.checkers.liars for member in members)
        if lying <= (len(members) - 1) // 3:
            return members
