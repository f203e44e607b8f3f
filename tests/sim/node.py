"""A simulated node: performs effects as `consensus.pbft` asks of its driver."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from consensus.pbft.messages import Message, encode_message, signing_bytes
from consensus.pbft.replica import Replica
from consensus.pbft.types import (
    TICK_MS,
    Accuse,
    BatchReady,
    Broadcast,
    CatchUp,
    Certify,
    Deliver,
    Effect,
    Executed,
    FetchProposal,
    Halt,
    Input,
    Persist,
    ProposalFetched,
    ProposalValidated,
    Received,
    Recovered,
    ReplicaConfig,
    Retire,
    Send,
    Synced,
    Tick,
    Validate,
)
from crypto import sm3
from ledger.committee import Epoch
from ledger.model import ExecutionCertificate, ExecutionStatement, Proposal, proposal_digest
from tests.sim import keys
from tests.sim.checkers import Checkers
from tests.sim.disk import Disk, Entry, frames_of
from tests.sim.gate import Gate
from tests.sim.world import Action, World

LOG_SIZE_MAX = 32 << 10  # bytes, then the log is compacted
BATCH_MAX = 20
BATCH_DELAY_MS = 50
EXECUTION_MS_MAX = 30
RETRY_MS = 200
SYNC_TRIES_MAX = 10
OVERDUE_MS = 2_000
WITHHELD_MS = 3_000
TIME_SKEW_MS_MAX = 5_000
EPOCH_MS = 1_700_000_000_000


class Crash(Exception):
    """The power went off."""


class Node:
    def __init__(
        self, world: World, config: ReplicaConfig, checkers: Checkers, peers: list[Node]
    ) -> None:
        self.world = world
        self.config = config
        self.index = config.index  # of this node for ever; its place in a committee is in config
        self.checkers = checkers
        self.peers = peers
        self.gate: Gate = peers[0].gate if peers else Gate(config.validators, config.chain_id)
        self.disk = Disk()
        self.is_up = False
        self.life = 0
        self.skew_ms = 0
        self.execution_ms_max = EXECUTION_MS_MAX
        self.crash_in: int | None = None  # effects until the power goes off
        self.accusations: list[Accuse] = []

    # --- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Boot from what is on disk."""
        assert not self.is_up
        self.is_up = True
        self.life += 1
        recovered, bodies = self.disk.load()
        self.recover(recovered)
        self.bodies = set(bodies) | self.disk.included
        self.pending: dict[bytes, int] = {}  # id -> since when
        for body in bodies:
            self.accept(body)
        self.inbox: deque[Input] = deque()
        self.is_stepping = False
        self.executing: deque[Deliver] = deque()
        self.goal: CatchUp | None = None
        self.sync_tries = 0
        self.proposed_at = 0
        self.checkers.on_start(self.index, self.disk.head)
        self.later(self.world.random.randint(1, TICK_MS), self.tick)

    def recover(self, recovered: Recovered) -> None:
        self.replica = Replica.recover(self.config, recovered)

    def crash(self) -> None:
        """Lose everything but the disk."""
        self.is_up = False
        self.life += 1
        self.crash_in = None

    def later(self, delay_ms: int, action: Action) -> None:
        """Do it, unless this life is over by then."""
        life = self.life

        def guarded() -> None:
            if self.life == life and self.is_up:
                action()

        self.world.after(delay_ms, guarded)

    def tick(self) -> None:
        self.later(TICK_MS, self.tick)
        waiting = [since for t, since in self.pending.items() if not self.replica.is_in_flight(t)]
        oldest = min(waiting, default=self.world.now)
        is_withheld = self.world.now - oldest > WITHHELD_MS
        self.forward()
        self.step(Tick(pending=bool(waiting) or self.is_overdue(), withheld=is_withheld))

    def is_overdue(self) -> bool:
        """Should the primary have made a heartbeat? See tests.sim.timed."""
        return False

    def time_ms(self) -> int:
        """What this node proposes with and judges by."""
        return EPOCH_MS + self.world.now + self.skew_ms

    # --- transactions -----------------------------------------------------------------------

    def submit(self, transaction_id: bytes) -> None:
        """A client hands a transaction in; it is passed on to all."""
        self.accept(transaction_id)
        for peer in self.peers:
            self.pass_on(peer, transaction_id)
        self.step(None)

    def accept(self, transaction_id: bytes) -> None:
        self.bodies.add(transaction_id)
        if transaction_id not in self.disk.included:
            self.pending.setdefault(transaction_id, self.world.now)

    def forward(self) -> None:
        """Hand what waits to the proposer again, and what waits for long to everyone.

        The first hand-over may have been lost, and the proposer may be the one that withholds.
        """
        proposer = self.peer(self.replica.proposer)
        old = [t for t, since in self.pending.items() if self.world.now - since > 500]
        for transaction_id in old[:BATCH_MAX]:
            is_overdue = self.world.now - self.pending[transaction_id] > OVERDUE_MS
            for peer in self.peers if is_overdue else [proposer]:
                self.pass_on(peer, transaction_id)

    def pass_on(self, peer: Node, transaction_id: bytes) -> None:
        def arrive() -> None:
            if peer.is_up:
                peer.accept(transaction_id)

        if peer is not self:
            self.world.send(self.index, peer.index, arrive)

    def offer(self) -> None:
        """Propose when it is our turn."""
        if not self.pending or self.world.now - self.proposed_at < BATCH_DELAY_MS:
            return  # the cheap questions first: this is asked after every step
        if not self.replica.can_propose:
            return
        batch = [t for t in self.pending if not self.replica.is_in_flight(t)][:BATCH_MAX]
        if batch:
            self.proposed_at = self.world.now
            self.inbox.append(BatchReady(tuple(sorted(batch)), self.time_ms()))
            self.later(BATCH_DELAY_MS, lambda: self.step(None))

    # --- steps and effects ------------------------------------------------------------------

    def step(self, event: Input | None) -> None:
        """Step `event` and whatever follows from it here; None only looks for a batch."""
        if event is not None:
            self.inbox.append(event)
        if self.is_stepping:
            return
        self.is_stepping = True
        try:
            self.offer()
            while self.inbox:
                for effect in self.replica.step(self.inbox.popleft()):
                    self.perform(effect)
                self.offer()
            if len(self.disk.log) > LOG_SIZE_MAX:
                self.compact()
        except Crash:
            self.crash()
        self.is_stepping = False

    def perform(self, effect: Effect) -> None:
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.tear(effect)
                raise Crash
        match effect:
            case Persist():
                self.disk.log += frames_of(effect)
                self.checkers.on_persist(self.index, effect)
            case Broadcast():
                self.broadcast(effect.message)
            case Send():
                self.send(effect.to, effect.message)
            case Validate():
                self.validate(effect)
            case FetchProposal():
                self.fetch_proposal(effect)
            case Deliver():
                self.checkers.on_deliver(self.index, effect)
                self.executing.append(effect)
                if len(self.executing) == 1:
                    self.execute_next()
            case Certify():
                self.checkers.on_certify(self.index, effect.certificate)
                self.disk.certify(effect.certificate)
            case CatchUp():
                self.checkers.on_catch_up(self.index, effect)
                self.start_sync(effect)
            case Accuse():
                self.checkers.on_accuse(self.index, effect)
                self.accusations.append(effect)
            case Halt():
                self.checkers.on_halt(self.index, effect)
            case Retire():
                self.retire(effect)

    def retire(self, effect: Retire) -> None:
        raise AssertionError("the committee of this network never changes")

    def tear(self, effect: Effect) -> None:
        """The write that was under way reaches the disk in part."""
        if isinstance(effect, Persist):
            data = frames_of(effect)
            self.disk.log += data[: self.world.random.randrange(len(data))]

    def compact(self) -> None:
        effects = self.replica.compacted()
        self.checkers.on_compacted(self.index, len(effects))
        self.disk.log = bytearray(b"".join(frames_of(effect) for effect in effects))

    # --- messages ---------------------------------------------------------------------------

    def broadcast(self, message: Message) -> None:
        self.checkers.on_say(self.index, message)
        signature = keys.sign(self.index, signing_bytes(self.config.chain_id, message))
        self.inbox.append(Received(self.config.index, message, signature))
        data = encode_message(message)
        for peer in self.peers:
            if peer is not self:
                self.transmit(peer, data, signature)

    def send(self, to: int, message: Message) -> None:
        self.checkers.on_say(self.index, message)
        signature = keys.sign(self.index, signing_bytes(self.config.chain_id, message))
        self.transmit(self.peer(to), encode_message(message), signature)

    def peer(self, index: int) -> Node:
        """The node with this place in our committee."""
        return self.peers[index]

    def transmit(self, peer: Node, data: bytes, signature: bytes) -> None:
        censor = self.world.censor
        if censor is not None:
            message = self.gate.decoded(data)
            if message is not None and censor(self.index, peer.index, message):
                return
        base, sender = self.config.base, self.config.index
        self.world.send(self.index, peer.index, lambda: peer.arrive(base, sender, data, signature))

    def arrive(self, base: int, sender: int, data: bytes, signature: bytes) -> None:
        """A frame of the epoch above `base`; of ours, as long as the committee never changes."""
        self.receive(sender, data, signature)

    def receive(self, sender: int, data: bytes, signature: bytes) -> None:
        """Check what came, as the contract of the driver says, then step it."""
        if not self.is_up:
            return
        message = self.gate.message_of(sender, data, signature)
        if message is not None:
            self.step(Received(sender, message, signature))

    # --- availability -----------------------------------------------------------------------

    def validate(self, effect: Validate) -> None:
        proposal = effect.proposal
        skew = abs(proposal.time_ms - self.time_ms())
        if effect.is_fresh and skew > TIME_SKEW_MS_MAX:
            self.step(ProposalValidated(proposal.height, effect.digest, ok=False))
            return
        self.fetch_bodies(effect)

    def fetch_bodies(self, effect: Validate) -> None:
        """Ask holders, then anyone, until all bodies are here or nobody needs them."""
        proposal = effect.proposal
        missing = [t for t in proposal.transaction_ids if t not in self.bodies]
        if not missing:
            self.step(ProposalValidated(proposal.height, effect.digest, ok=True))
        elif self.disk.head < proposal.height:
            for peer in [self.peer(index) for index in effect.holders] or self.peers:
                self.ask(peer, self.bodies_of(missing))
            self.later(RETRY_MS, lambda: self.fetch_bodies(effect))

    def bodies_of(self, missing: Sequence[bytes]) -> Callable[[Node], Action]:
        def serve(peer: Node) -> Action:
            found = [t for t in missing if t in peer.bodies]
            return lambda: self.bodies.update(found)

        return serve

    def fetch_proposal(self, effect: FetchProposal) -> None:
        def serve(peer: Node) -> Action:
            proposal = peer.replica.proposal(effect.digest)
            if proposal is None:
                return lambda: None
            return lambda: self.step(ProposalFetched(proposal))

        for index in effect.holders:
            self.ask(self.peer(index), serve)

    def ask(self, peer: Node, serve: Callable[[Node], Action]) -> None:
        """A request over the network; the answer acts in this life of ours, if it arrives."""
        life = self.life

        def arrive() -> None:
            if peer.is_up:
                answer = serve(peer)
                self.world.send(peer.index, self.index, lambda: finish(answer))

        def finish(answer: Action) -> None:
            if self.life == life and self.is_up:
                answer()

        if peer is not self:
            self.world.send(self.index, peer.index, arrive)

    # --- execution and sync -----------------------------------------------------------------

    def execute_next(self) -> None:
        self.later(self.world.random.randint(1, self.execution_ms_max), self.executed)

    def executed(self) -> None:
        effect = self.executing[0]
        assert all(t in self.bodies for t in effect.proposal.transaction_ids)
        entry = self.make_entry(effect.proposal, effect)
        self.install(entry)
        self.executing.popleft()
        if self.executing:
            self.execute_next()
        self.step(Executed(entry.statement, self.last_height()))

    def last_height(self) -> int | None:
        """Of our epoch, if it is decided."""
        return None

    def make_entry(self, proposal: Proposal, delivered: Deliver) -> Entry:
        included = tuple(t for t in proposal.transaction_ids if t not in self.disk.included)
        previous = self.disk.entries[-1].statement.block_hash if self.disk.entries else bytes(32)
        block_hash = sm3.digest(previous + proposal_digest(proposal) + b"".join(included))
        statement = ExecutionStatement(
            chain_id=self.config.chain_id,
            height=proposal.height,
            block_hash=block_hash,
            state_root=sm3.digest(b"state" + block_hash),
            receipts_root=sm3.digest(b"receipts" + block_hash),
            next_validators_hash=self.validators_hash(proposal.height + 1),
            time_ms=proposal.time_ms,
        )
        decided = self.next_epoch(proposal.height, included)
        return Entry(proposal, delivered.certificate, statement, included, decided)

    def validators_hash(self, height: int) -> bytes:
        return bytes(32)

    def next_epoch(self, height: int, included: Sequence[bytes]) -> Epoch | None:
        """What a block with these transactions decides about the committee."""
        return None

    def install(self, entry: Entry) -> None:
        self.checkers.on_commit(self.index, entry)
        self.disk.commit(entry)
        for transaction_id in entry.included:
            self.pending.pop(transaction_id, None)
            self.bodies.add(transaction_id)

    def start_sync(self, goal: CatchUp) -> None:
        self.goal = goal
        self.sync_tries = 0
        self.sync()

    def sync(self) -> None:
        """Fetch blocks and certificates from peers until the goal is reached, or for a while."""
        goal = self.goal
        if goal is None:
            return
        assert not self.executing, "nothing delivered is unfinished"
        is_done = self.disk.certified >= goal.height
        if is_done or self.sync_tries == SYNC_TRIES_MAX:
            self.goal = None
            self.checkers.on_synced(self.index, self.disk.head)
            certificate = self.disk.certificates.get(self.disk.certified)
            statements = tuple(e.statement for e in self.disk.entries[self.disk.certified :])
            self.step(Synced(self.disk.head, certificate, statements, self.last_height()))
            return
        self.sync_tries += 1
        self.ask(self.peers[self.world.random.randrange(len(self.peers))], self.blocks_from_head())
        self.later(RETRY_MS, self.sync)

    def blocks_from_head(self) -> Callable[[Node], Action]:
        def serve(peer: Node) -> Action:
            entries = list(peer.disk.entries)
            certificates = dict(peer.disk.certificates)
            return lambda: self.install_blocks(entries, certificates)

        return serve

    def install_blocks(
        self, entries: list[Entry], certificates: dict[int, ExecutionCertificate]
    ) -> None:
        if self.goal is not None:
            self.take_blocks(entries, certificates)

    def take_blocks(
        self, entries: list[Entry], certificates: dict[int, ExecutionCertificate]
    ) -> None:
        for entry in entries[self.disk.head :]:
            self.install(entry)
        for height in range(self.disk.certified + 1, self.disk.head + 1):
            if height not in certificates:
                break
            self.disk.certify(certificates[height])
