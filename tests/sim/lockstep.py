"""A network in lock step: all that is said in one hop arrives in the next, and nothing is random.

For enumerations (`twins`) and for faults that are tied to phases (`byzzfuzz`). Bodies are known to
all once they are submitted, execution and disk take no time, and the clocks of all move together,
in between the hops. What is lost, and what a faulty member says instead, is up to the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from consensus.pbft.messages import Message, Status, encode_message, signing_bytes
from consensus.pbft.replica import Replica
from consensus.pbft.types import (
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
    ReplicaConfig,
    Send,
    Synced,
    Tick,
    Validate,
)
from crypto import sm3
from ledger.model import ExecutionStatement, proposal_digest
from tests.sim import keys
from tests.sim.checkers import Checkers, Violation
from tests.sim.disk import Disk, Entry
from tests.sim.gate import Gate

CHAIN_ID = sm3.digest(b"chain in lock step")
WINDOW = 8
TIMEOUT_TICKS = 6  # one more than RESEND_TICKS: what is repeated meets the view change
HOPS_MAX = 60  # no exchange is longer: replies are rationed by ticks, so a longer one is an echo
# What heals last: a hole among the certificates (50 ticks), noticed after a few view changes.
RECOVERY_TICKS_MAX = 200

# Sender, receiver, kind of message: is it lost?
Cut = Callable[["Member", "Member", type[Message]], bool]
Ear = Callable[[Message], object]
Voice = Callable[["Member", "Member", Message], Sequence[Message]]  # said instead of a message


class Member:
    """A replica with its log and ledger. Two members may share one index: twins."""

    def __init__(self, place: int, config: ReplicaConfig) -> None:
        self.place = place  # among the members
        self.index = config.index  # in the committee
        self.config = config
        self.disk = Disk()
        self.pending: dict[bytes, None] = {}
        self.replica = Replica.recover(config, self.disk.load()[0])

    @property
    def is_settled(self) -> bool:
        return not self.pending and self.disk.certified == self.disk.head


class Lockstep:
    """Members in lock step, with the checkers of those that are honest."""

    def __init__(
        self,
        indexes: Sequence[int],
        *,
        liars: frozenset[int],
        cut: Cut,
        voice: Voice | None = None,
        ear: Ear | None = None,
    ) -> None:
        """`indexes`: the committee index of each member. `voice` and `ear` are the liars'."""
        validators = keys.committee(len(set(indexes)))
        self.checkers = Checkers(validators, CHAIN_ID, WINDOW, liars)
        self.cut = cut
        self.voice = voice
        self.ear = ear
        self.gate = Gate(validators, CHAIN_ID)
        self.refused = 0  # frames that no gate let pass
        self.steps = 0
        self.submitted = self.checkers.submitted = set()
        self.members: list[Member] = []
        self._flying: list[tuple[Member, Member, bytes, bytes]] = []
        self._inbox: deque[Input] = deque()
        for place, index in enumerate(indexes):
            config = ReplicaConfig(
                index=index,
                validators=validators,
                chain_id=CHAIN_ID,
                window=WINDOW,
                rotate_every=1_000,
                timeout_ticks=TIMEOUT_TICKS,
                timeout_ticks_max=TIMEOUT_TICKS,
            )
            self.members.append(Member(place, config))
        for member in self.honest:
            self.checkers.on_start(member.index, 0)

    @property
    def honest(self) -> list[Member]:
        return [member for member in self.members if member.index not in self.checkers.liars]

    @property
    def head(self) -> int:
        return max(member.disk.head for member in self.honest)

    @property
    def view(self) -> int:
        return max(member.replica.view for member in self.honest)

    # --- what happens -----------------------------------------------------------------------

    def submit(self) -> None:
        """A transaction that everyone knows of; members that can propose do so."""
        transaction_id = sm3.digest(b"transaction %d" % len(self.submitted))
        self.submitted.add(transaction_id)
        for member in self.members:
            member.pending[transaction_id] = None
        for member in self.members:
            self._run(member)

    def flow(self) -> None:
        """Hop until everything that was said has arrived."""
        for _ in range(HOPS_MAX):
            flying, self._flying = self._flying, []
            if not flying:
                return
            for sender, receiver, data, signature in flying:
                self._arrive(sender, receiver, data, signature)
        raise Violation(f"an exchange of messages without end: {self.describe()}")

    def tick(self, *, is_expiring: bool = False) -> None:
        """TICK_MS go by for everyone. Expiring: everyone waits for something."""
        for member in self.members:
            waiting = is_expiring or any(
                not member.replica.is_in_flight(one) for one in member.pending
            )
            self._run(member, Tick(pending=waiting))
            self.checkers.on_tick(
                member.index, member.replica, is_restarted=False, batch_max=len(self.submitted)
            )

    def expire(self) -> None:
        """The clocks of all run out, between two hops: everyone leaves its view."""
        for _ in range(TIMEOUT_TICKS):
            self.tick(is_expiring=True)

    def settle(self) -> int:
        """Faults are over: within how many ticks is everything ordered and certified?"""
        self.submit()
        for ticks in range(RECOVERY_TICKS_MAX):
            self.flow()
            heads = {member.disk.head for member in self.honest}
            if len(heads) == 1 and all(member.is_settled for member in self.honest):
                self._check_acknowledged()
                return ticks
            self.tick()
        raise Violation(f"no recovery within {RECOVERY_TICKS_MAX} ticks: {self.describe()}")

    def describe(self) -> str:
        return "; ".join(
            f"member {one.place} head={one.disk.head}/{one.disk.certified} "
            f"stable={one.replica.stable} view={one.replica.view}/{one.replica.target_view} "
            f"pending={len(one.pending)}"
            for one in self.members
        )

    # --- one member -------------------------------------------------------------------------

    def _arrive(self, sender: Member, receiver: Member, data: bytes, signature: bytes) -> None:
        if sender.index == receiver.index:
            return  # drivers drop what comes from the network in their own name
        message = self.gate.message_of(sender.index, data, signature)
        if message is None:
            self.refused += 1
            return
        if self.ear is not None and receiver.index in self.checkers.liars:
            self.ear(message)
        self._run(receiver, Received(sender.index, message, signature))

    def _run(self, member: Member, event: Input | None = None) -> None:
        """Step `event` and whatever follows from it there."""
        inbox = self._inbox
        if event is not None:
            inbox.append(event)
        self._offer(member)
        while inbox:
            self.steps += 1
            for effect in member.replica.step(inbox.popleft()):
                self._perform(member, effect)
            self._offer(member)

    def _offer(self, member: Member) -> None:
        if not member.pending or not member.replica.can_propose or self._inbox:
            return
        ids = tuple(sorted(t for t in member.pending if not member.replica.is_in_flight(t)))
        if ids:  # twins order the same at different times: two proposals
            self._inbox.append(BatchReady(ids, time_ms=1_000 + member.place))

    def _perform(self, member: Member, effect: Effect) -> None:
        is_watched = member.index not in self.checkers.liars
        match effect:
            case Persist():
                if is_watched:
                    self.checkers.on_persist(member.index, effect)
            case Broadcast():
                self._broadcast(member, effect.message)
            case Send():
                if is_watched:
                    self.checkers.on_say(member.index, effect.message)
                signature = keys.sign(member.index, signing_bytes(CHAIN_ID, effect.message))
                receivers = [one for one in self.members if one.index == effect.to]
                self._say(member, receivers, effect.message, signature)
            case Validate():
                ids, height = effect.proposal.transaction_ids, effect.proposal.height
                is_known = self.submitted.issuperset(ids)  # nobody has the body of another
                self._inbox.append(ProposalValidated(height, effect.digest, ok=is_known))
            case FetchProposal():
                self._fetch(member, effect)
            case Deliver():
                self._deliver(member, effect)
            case Certify():
                if is_watched:
                    self.checkers.on_certify(member.index, effect.certificate)
                member.disk.certify(effect.certificate)
            case CatchUp():
                if is_watched:
                    self.checkers.on_catch_up(member.index, effect)
                self._catch_up(member)
            case Accuse():
                if is_watched:
                    self.checkers.on_accuse(member.index, effect)
            case Halt():  # pragma: no branch (no other kind)
                if is_watched:
                    self.checkers.on_halt(member.index, effect)

    # --- messages ---------------------------------------------------------------------------

    def _broadcast(self, member: Member, message: Message) -> None:
        if member.index not in self.checkers.liars:
            self.checkers.on_say(member.index, message)
        signature = keys.sign(member.index, signing_bytes(CHAIN_ID, message))
        self._inbox.append(Received(member.index, message, signature))
        receivers = [one for one in self.members if one is not member]
        self._say(member, receivers, message, signature)

    def _say(
        self, member: Member, receivers: list[Member], message: Message, signature: bytes
    ) -> None:
        if self.voice is None or member.index not in self.checkers.liars:
            self._transmit(member, receivers, message, signature)
            return
        for receiver in receivers:
            for version in self.voice(member, receiver, message):
                forged = keys.sign(member.index, signing_bytes(CHAIN_ID, version))
                self._transmit(member, [receiver], version, forged)

    def _transmit(
        self, member: Member, receivers: list[Member], message: Message, signature: bytes
    ) -> None:
        kind = type(message)
        data = encode_message(message)
        for receiver in receivers:
            if not self.cut(member, receiver, kind):
                self._flying.append((member, receiver, data, signature))

    # --- proposals, execution and sync ------------------------------------------------------

    def _reachable(self, member: Member) -> list[Member]:
        """Whom a request of `member` reaches and whose answer comes back; lost like a status."""
        return [
            one
            for one in self.members
            if one is not member
            and not self.cut(member, one, Status)
            and not self.cut(one, member, Status)
        ]

    def _fetch(self, member: Member, effect: FetchProposal) -> None:
        for peer in self._reachable(member):
            proposal = peer.replica.proposal(effect.digest)
            if peer.index in effect.holders and proposal is not None:
                self._inbox.append(ProposalFetched(proposal))
                return

    def _deliver(self, member: Member, effect: Deliver) -> None:
        entry = entry_of(member.disk, effect)
        if member.index not in self.checkers.liars:
            self.checkers.on_deliver(member.index, effect)
        self._install(member, entry)
        self._inbox.append(Executed(entry.statement))

    def _install(self, member: Member, entry: Entry) -> None:
        if member.index not in self.checkers.liars:
            self.checkers.on_commit(member.index, entry)
        member.disk.commit(entry)
        for transaction_id in entry.included:
            member.pending.pop(transaction_id, None)

    def _catch_up(self, member: Member) -> None:
        """Blocks and certificates of all who can be asked."""
        disk = member.disk
        for peer in self._reachable(member):
            for entry in peer.disk.entries[disk.head :]:
                self._install(member, entry)
            for height in range(disk.certified + 1, disk.head + 1):
                if height not in peer.disk.certificates:
                    break
                disk.certify(peer.disk.certificates[height])
        if member.index not in self.checkers.liars:
            self.checkers.on_synced(member.index, disk.head)
        statements = tuple(entry.statement for entry in disk.entries[disk.certified :])
        certificate = disk.certificates.get(disk.certified)
        self._inbox.append(Synced(disk.head, certificate, statements))

    def _check_acknowledged(self) -> None:
        for member in self.honest:
            if not self.checkers.acknowledged <= member.disk.included:
                raise Violation(f"member {member.place} lost an acknowledged transaction")


def entry_of(disk: Disk, delivered: Deliver) -> Entry:
    """The block that comes of a proposal on top of `disk`."""
    proposal = delivered.proposal
    included = tuple(t for t in proposal.transaction_ids if t not in disk.included)
    previous = disk.entries[-1].statement.block_hash if disk.entries else bytes(32)
    block_hash = sm3.digest(previous + proposal_digest(proposal) + b"".join(included))
    statement = ExecutionStatement(
        chain_id=CHAIN_ID,
        height=proposal.height,
        block_hash=block_hash,
        state_root=sm3.digest(b"state" + block_hash),
        receipts_root=bytes(32),
        next_validators_hash=bytes(32),
        time_ms=proposal.time_ms,
    )
    return Entry(proposal, delivered.certificate, statement, included)
