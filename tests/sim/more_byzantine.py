"""More drivers that lie: one that exists twice, forgers, and those that aim at memory."""

from __future__ import annotations

import msgspec

from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Message,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    RelayedVote,
    Status,
    ViewChange,
)
from consensus.pbft.types import ReplicaConfig
from crypto import sm3
from ledger.model import ExecutionCertificate, ExecutionStatement, Proposal, Signature
from tests.sim import keys
from tests.sim.byzantine import MORE_LIARS, Liar
from tests.sim.checkers import Checkers
from tests.sim.node import Node
from tests.sim.world import World

TURN_MS = 700  # how long a peer hears one of the twins only
FAR = 1_000  # heights: beyond everything that is kept
FLOOD = 6  # messages said beside each true one


class Twin(Liar):
    """Exists twice (Twins, arXiv 2004.10617): both run the honest code, apart, with one key.

    Everyone's messages reach both; whom each of the two talks to changes with time.
    """

    def __init__(
        self, world: World, config: ReplicaConfig, checkers: Checkers, peers: list[Node]
    ) -> None:
        super().__init__(world, config, checkers, peers)
        self.second = SecondTwin(world, config, checkers, peers)

    def start(self) -> None:
        super().start()
        self.second.peers = self.peers
        self.second.start()

    def crash(self) -> None:
        super().crash()
        self.second.crash()

    def receive(self, sender: int, data: bytes, signature: bytes) -> None:
        super().receive(sender, data, signature)
        self.second.receive(sender, data, signature)

    def accept(self, transaction_id: bytes) -> None:
        super().accept(transaction_id)
        if self.second.is_up:
            self.second.accept(transaction_id)

    def versions(self, message: Message, to: int) -> list[Message]:
        return [message] if self._turn(to) != 1 else []

    def _turn(self, to: int) -> int:
        """0: hears the first; 1: the second; 2: both."""
        return (to + self.world.now // TURN_MS * 5 // 3) % 3


class SecondTwin(Twin):
    """The copy that nobody knows of: peers hear it instead of the first, or as well."""

    def __init__(
        self, world: World, config: ReplicaConfig, checkers: Checkers, peers: list[Node]
    ) -> None:
        Liar.__init__(self, world, config, checkers, peers)
        self.skew_ms = 1  # proposes the same at another time: two digests

    def start(self) -> None:
        Liar.start(self)

    def crash(self) -> None:
        Liar.crash(self)

    def receive(self, sender: int, data: bytes, signature: bytes) -> None:
        Liar.receive(self, sender, data, signature)

    def accept(self, transaction_id: bytes) -> None:
        Liar.accept(self, transaction_id)

    def versions(self, message: Message, to: int) -> list[Message]:
        return [message] if self._turn(to) != 0 else []


class Forger(Liar):
    """Shows evidence of what never was, with signatures that others never gave."""

    def versions(self, message: Message, to: int) -> list[Message]:
        draw = self.world.random.random()
        if isinstance(message, ViewChange):
            prepared = self._prepared(message.view - 1, self.replica.stable + 1)
            return [msgspec.structs.replace(message, prepared=(prepared,))]
        if isinstance(message, Checkpoint) and draw < 0.5:
            wrong = msgspec.structs.replace(message.statement, state_root=bytes(32))
            certificate = self._certificate(wrong)
            return [message, Certified(certificate)]
        if isinstance(message, Commit) and draw < 0.3:
            other = (to + 1) % len(self.peers)
            vote = Prepare(message.view, message.height, bytes(32))
            return [message, RelayedVote(other, vote, bytes(64))]
        return [message]

    def _signatures(self) -> tuple[Signature, ...]:
        """A quorum's, all made with the forger's own key."""
        quorum = self.config.validators.quorum
        return tuple(Signature(i, keys.sign(self.index, b"forged")) for i in range(quorum))

    def _prepared(self, view: int, height: int) -> PreparedCertificate:
        return PreparedCertificate(max(view, 0), height, bytes(32), self._signatures())

    def _certificate(self, statement: ExecutionStatement) -> ExecutionCertificate:
        return ExecutionCertificate(statement=statement, signatures=self._signatures())


class Antiquary(Liar):
    """Shows old evidence: the first checkpoint and the first certificates that it ever had."""

    def start(self) -> None:
        super().start()
        self.oldest: dict[int, PreparedCertificate] = {}
        self.first: ViewChange | None = None

    def versions(self, message: Message, to: int) -> list[Message]:
        if not isinstance(message, ViewChange):
            return [message]
        for certificate in message.prepared:
            self.oldest.setdefault(certificate.height, certificate)
        self.first = self.first or message
        old = msgspec.structs.replace(
            message,
            stable=self.first.stable,
            prepared=tuple(self.oldest[height] for height in sorted(self.oldest))[:8],
        )
        return [old]


class Stale(Liar):
    """Votes, asks and reports as if a view ago; sometimes also as it should."""

    def versions(self, message: Message, to: int) -> list[Message]:
        if isinstance(message, Prepare | Commit | ViewChange | PrePrepare) and message.view:
            old = msgspec.structs.replace(message, view=message.view - 1)
            return [old, message] if self.world.random.random() < 0.5 else [old]
        if isinstance(message, Status):
            return [msgspec.structs.replace(message, view=0, decided=0, certified=0)]
        return [message]


class WrongRoots(Liar):
    """States outcomes of its own to everyone, the same to all."""

    def versions(self, message: Message, to: int) -> list[Message]:
        if not isinstance(message, Checkpoint):
            return [message]
        root = sm3.digest(message.statement.state_root)
        return [Checkpoint(msgspec.structs.replace(message.statement, state_root=root))]


class Flooder(Liar):
    """Fills memory: votes, statements and proposals for all views and heights that are kept."""

    def versions(self, message: Message, to: int) -> list[Message]:
        if isinstance(message, Status):
            return [message]
        return [message, *(self._junk() for _ in range(FLOOD))]

    def _junk(self) -> Message:
        random = self.world.random
        height = self.replica.stable + random.randint(1, random.choice((24, FAR)))
        view = self.replica.view + random.randint(0, 3)
        digest = random.randbytes(32)
        kind = random.randrange(4)
        if kind == 0:
            return Prepare(view, height, digest)
        if kind == 1:
            return Commit(view, height, digest)
        if kind == 2:
            return Checkpoint(self._statement(height, digest))
        proposal = Proposal(height, (digest,), self.index, self.world.now + 1)
        return PrePrepare(view, proposal)

    def _statement(self, height: int, root: bytes) -> ExecutionStatement:
        return ExecutionStatement(
            chain_id=self.config.chain_id,
            height=height,
            block_hash=root,
            state_root=root,
            receipts_root=root,
            next_validators_hash=root,
            time_ms=height,
        )


ALL_LIARS: tuple[type[Liar], ...] = (
    *MORE_LIARS,
    Twin,
    Forger,
    Antiquary,
    Stale,
    WrongRoots,
    Flooder,
)
