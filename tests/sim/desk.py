"""One replica on a desk: the test plays its driver and its peers, message by message."""

from __future__ import annotations

from typing import TypeVar

from consensus.pbft import verify
from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    SignedViewChange,
    Status,
    ViewChange,
    decode_message,
    encode_message,
    signing_bytes,
)
from consensus.pbft.replica import Replica
from consensus.pbft.types import (
    BatchReady,
    Broadcast,
    Deliver,
    Effect,
    Executed,
    Input,
    Persist,
    ProposalValidated,
    Received,
    Recovered,
    ReplicaConfig,
    Send,
    Tick,
    Validate,
)
from crypto import sm3
from ledger.model import (
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
    Signature,
    proposal_digest,
)
from tests.sim import keys

CHAIN_ID = sm3.digest(b"desk")
Kind = TypeVar("Kind")


class Desk:
    """Replica `index` of `size`. What it broadcasts comes back to it, as a driver has to do."""

    def __init__(
        self,
        index: int = 1,
        size: int = 4,
        *,
        window: int = 8,
        rotate_every: int = 1_000,
        base: int = 0,
        recovered: Recovered | None = None,
    ) -> None:
        self.validators = keys.committee(size)
        self.config = ReplicaConfig(
            index=index,
            validators=self.validators,
            chain_id=CHAIN_ID,
            base=base,
            window=window,
            rotate_every=rotate_every,
        )
        self.recovered = recovered or Recovered(head=base)
        self.log: list[bytes] = list(self.recovered.records)
        self.replica = Replica.recover(self.config, self.recovered)

    # --- driving ----------------------------------------------------------------------------

    def step(self, event: Input) -> list[Effect]:
        """Step `event` and the replica's own messages that follow; all effects, in order."""
        inputs: list[Input] = [event]
        effects: list[Effect] = []
        while inputs:
            for effect in self.replica.step(inputs.pop(0)):
                effects.append(effect)
                if isinstance(effect, Persist):
                    self.log.append(effect.record)
                if isinstance(effect, Broadcast):
                    inputs.append(self.signed(self.config.index, effect.message))
        return effects

    def receive(self, sender: int, message: Message) -> list[Effect]:
        """A peer's message, through bytes and signature checks."""
        again = decode_message(encode_message(message))
        base = self.config.base
        items = verify.claims(again, sender, self.validators, CHAIN_ID, base=base)
        assert all(keys.is_valid(item) for item in items)
        return self.step(self.signed(sender, again))

    def tick(
        self, count: int = 1, *, pending: bool = False, withheld: bool = False
    ) -> list[Effect]:
        effects: list[Effect] = []
        for _ in range(count):
            effects += self.step(Tick(pending=pending, withheld=withheld))
        return effects

    def keep_alive(
        self, ticks: int, *, pending: bool = True, silent: tuple[int, ...] = ()
    ) -> list[Effect]:
        """Let time pass while all peers, but for the `silent`, are heard."""
        effects: list[Effect] = []
        status = Status(view=0, is_active=True, decided=0, certified=0)
        for _ in range(ticks):
            for peer in range(self.validators.size):
                if peer != self.config.index and peer not in silent:
                    self.receive(peer, status)
            effects += self.tick(pending=pending)
        return effects

    def restart(self, *, records: list[bytes] | None = None) -> list[Effect]:
        """Recover from the log (or another); the effects of the first tick."""
        self.recovered = Recovered(
            head=self.recovered.head,
            certified=self.recovered.certified,
            statements=self.recovered.statements,
            records=tuple(self.log if records is None else records),
            last=self.recovered.last,
        )
        self.replica = Replica.recover(self.config, self.recovered)
        return self.tick()

    # --- what peers say ---------------------------------------------------------------------

    def signed(self, sender: int, message: Message) -> Received:
        return Received(sender, message, self.signature(sender, message))

    def signature(self, sender: int, message: Message) -> bytes:
        return keys.sign(sender, signing_bytes(CHAIN_ID, message))

    def pre_prepare(self, proposal: Proposal, *, view: int = 0, sender: int = 0) -> list[Effect]:
        return self.receive(sender, PrePrepare(view=view, proposal=proposal))

    def propose(self, *names: str) -> list[Effect]:
        return self.step(BatchReady(ids(*names), time_ms=1))

    def validated(self, proposal: Proposal, ok: bool = True) -> list[Effect]:
        return self.step(ProposalValidated(proposal.height, proposal_digest(proposal), ok=ok))

    def prepares(self, senders: list[int], proposal: Proposal, *, view: int = 0) -> list[Effect]:
        digest = proposal_digest(proposal)
        effects: list[Effect] = []
        for sender in senders:
            effects += self.receive(sender, Prepare(view, proposal.height, digest))
        return effects

    def commits(self, senders: list[int], proposal: Proposal, *, view: int = 0) -> list[Effect]:
        digest = proposal_digest(proposal)
        effects: list[Effect] = []
        for sender in senders:
            effects += self.receive(sender, Commit(view, proposal.height, digest))
        return effects

    def order(self, proposal: Proposal) -> list[Effect]:
        """The whole normal case for a backup of view 0 among four."""
        self.pre_prepare(proposal)
        self.validated(proposal)
        self.prepares([2], proposal)
        return self.commits([0, 2], proposal)

    def checkpoints(self, senders: list[int], statement: ExecutionStatement) -> list[Effect]:
        effects: list[Effect] = []
        for sender in senders:
            effects += self.receive(sender, Checkpoint(statement))
        return effects

    def execute(self, height: int, *, last: int | None = None) -> list[Effect]:
        return self.step(Executed(statement_of(height), last))

    def view_changes(self, senders: list[int], view: int) -> list[Effect]:
        effects: list[Effect] = []
        for sender in senders:
            effects += self.receive(sender, self.view_change(view))
        return effects

    def view_change(self, view: int) -> ViewChange:
        """One without evidence."""
        return ViewChange(view, None, (), (), epoch=self.config.base)

    def new_view(self, view: int, changes: dict[int, ViewChange]) -> NewView:
        return NewView(
            view=view,
            view_changes=tuple(
                SignedViewChange(sender, change, self.signature(sender, change))
                for sender, change in sorted(changes.items())
            ),
        )

    def prepared(self, proposal: Proposal, *, view: int = 0) -> PreparedCertificate:
        digest = proposal_digest(proposal)
        vote = Prepare(view, proposal.height, digest)
        signers = range(self.validators.quorum)
        return PreparedCertificate(
            view=view,
            height=proposal.height,
            digest=digest,
            signatures=tuple(Signature(i, self.signature(i, vote)) for i in signers),
        )

    def certificate(self, statement: ExecutionStatement) -> ExecutionCertificate:
        message = Checkpoint(statement)
        signers = range(self.validators.quorum)
        return ExecutionCertificate(
            statement=statement,
            signatures=tuple(Signature(i, self.signature(i, message)) for i in signers),
        )

    def certified(self, height: int) -> list[Effect]:
        return self.receive(2, Certified(self.certificate(statement_of(height))))


def ids(*names: str) -> tuple[bytes, ...]:
    return tuple(sorted(sm3.digest(name.encode()) for name in names))


def proposal_of(height: int, *names: str, proposer: int = 0, time_ms: int = 1_000) -> Proposal:
    return Proposal(height, ids(*(names or (f"transaction of {height}",))), proposer, time_ms)


def statement_of(height: int, *, root: str = "root") -> ExecutionStatement:
    return ExecutionStatement(
        chain_id=CHAIN_ID,
        height=height,
        block_hash=sm3.digest(b"block %d" % height),
        state_root=sm3.digest(root.encode()),
        receipts_root=bytes(32),
        next_validators_hash=bytes(32),
        time_ms=height,
    )


def of_kind(effects: list[Effect], kind: type[Kind]) -> list[Kind]:
    return [effect for effect in effects if isinstance(effect, kind)]


def said(effects: list[Effect], kind: type[Kind]) -> list[Kind]:
    """The broadcast messages of one kind."""
    return [e.message for e in of_kind(effects, Broadcast) if isinstance(e.message, kind)]


def sent(effects: list[Effect], kind: type[Kind]) -> list[tuple[int, Kind]]:
    """The messages of one kind to single peers."""
    return [(e.to, e.message) for e in of_kind(effects, Send) if isinstance(e.message, kind)]


def delivered(effects: list[Effect]) -> list[int]:
    return [effect.proposal.height for effect in of_kind(effects, Deliver)]


def asked(effects: list[Effect]) -> list[tuple[int, bool]]:
    """Height and freshness of every Validate."""
    return [(e.proposal.height, e.is_fresh) for e in of_kind(effects, Validate)]
