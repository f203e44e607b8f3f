"""One replica's driver and disk over many lives, and what must hold whatever it is fed.

Here more than f others may lie: any certificate can be shown, also two that contradict each other.
So nothing is promised about agreement, but the replica's own promises hold all the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from consensus.pbft import verify, wal
from consensus.pbft.messages import (
    Checkpoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    ViewChange,
    decode_message,
    encode_message,
    signing_bytes,
)
from consensus.pbft.new_view import plan_of
from consensus.pbft.replica import Replica
from consensus.pbft.types import (
    Broadcast,
    CatchUp,
    Certify,
    Deliver,
    Effect,
    Executed,
    FetchProposal,
    Halt,
    HaltKind,
    Input,
    Persist,
    Received,
    Recovered,
    ReplicaConfig,
    Retire,
    Send,
    Synced,
    Tick,
    Validate,
)
from crypto.provider import SignedItem
from ledger.certificates import commit_items, execution_items
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
    Record,
    proposal_digest,
)
from tests.sim import keys
from tests.sim.bounds import excesses, hole
from tests.sim.desk import CHAIN_ID, statement_of
from tests.sim.disk import frames_of

BATCH_MAX = 2  # ids in a proposal
# A step may look again at all early votes, answer each, and repeat what waits in the window.
EFFECTS_MAX = 600
EVIDENCE_SIZE_MAX = 1 << 20
Evidence = (
    ExecutionStatement | ExecutionCertificate | CommitCertificate | PreparedCertificate | NewView
)
Kind = TypeVar("Kind", bound=Record)
VoteKey = tuple[str, int, int]  # kind, view, height
Signer = Callable[[ExecutionStatement], ExecutionCertificate]


class Witness:
    """Performs effects as `consensus.pbft` asks of its driver, and checks each.

    The block at `last - window` decides that the epoch ends at `last`; None: it never ends.
    """

    def __init__(self, config: ReplicaConfig, last: int | None) -> None:
        self.config = config
        self.last = last
        # --- durable ---
        self.log = bytearray()
        self.head = config.base
        self.certificates: dict[int, ExecutionCertificate] = {}  # gapless above the base
        # --- promises of all lives ---
        self.votes: dict[VoteKey, bytes] = {}
        self.saved: dict[tuple[VoteKey, bytes], int] = {}  # vote -> what was promised by then
        self.promised = 0
        self.stated: dict[int, ExecutionStatement] = {}
        self.crash_in: int | None = None  # effects until the power goes off
        self.torn = 0  # bytes of the write under way that reach the disk
        self.reach = 0  # heights that NEW-VIEWs fixed beyond the window
        self.lives = 0
        self.start()

    @property
    def certified(self) -> int:
        return self.config.base + len(self.certificates)

    @property
    def known_last(self) -> int | None:
        """Decided by a block that is executed here."""
        if self.last is None or self.head < self.last - self.config.window:
            return None
        return self.last

    @property
    def high(self) -> int:
        high = min(self.replica.stable, self.head) + self.config.window
        return high if self.known_last is None else min(high, self.known_last)

    @property
    def is_over(self) -> bool:
        """The epoch ended, on disk: a driver recovers the replica of the next one."""
        return self.known_last is not None and self.certified >= self.known_last

    # --- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Boot from what is on disk, and tick once."""
        frames, end = wal.read_frames(bytes(self.log))
        del self.log[end:]
        records = tuple(payload for kind, payload in frames if kind == wal.RECORD)
        self.replica = self.recovered(records)
        self.logged = heights_of(records)
        self.lives += 1
        self.ended: Halt | Retire | None = None
        self.asked: list[Validate] = []
        self.wanted: list[FetchProposal] = []
        self.executing: deque[int] = deque()
        self.goal: CatchUp | None = None
        self.expected = self.head + 1
        self.certified_now = 0
        self.hole_max = 0
        self.crash_in = None
        self.step(Tick(pending=False))

    def recovered(self, records: tuple[bytes, ...]) -> Replica:
        heights = range(self.certified + 1, self.head + 1)
        found = Recovered(
            head=self.head,
            certified=self.certificates.get(self.certified),
            statements=tuple(statement_of(height) for height in heights),
            records=records,
            last=self.known_last,
        )
        return Replica.recover(self.config, found)

    def step(self, event: Input) -> None:
        """Step it and the replica's own messages that follow; a crash on the way is a new life."""
        inputs: deque[Input] = deque([event])
        while inputs:
            effects = self.replica.step(inputs.popleft())
            assert len(effects) <= EFFECTS_MAX
            assert not (self.ended and effects), "a word after the end"
            for effect in effects:
                if self.is_crashing():
                    self.crash(effect)
                    return
                assert self.ended is None, "an effect after the end"
                self.perform(effect)
                if isinstance(effect, Broadcast):
                    inputs.append(self.received(self.config.index, effect.message))
            self.check_memory()

    def is_crashing(self) -> bool:
        if self.crash_in is not None:
            self.crash_in -= 1
        return self.crash_in == -1

    def crash(self, effect: Effect | None = None) -> None:
        """Lose everything but the disk, whose last write may be torn; come back."""
        if isinstance(effect, Persist):
            data = frames_of(effect)
            self.log += data[: self.torn % len(data)]
        if not self.is_over:
            self.start()

    def compact(self) -> None:
        """The short log stands for the long one: another replica made of it is equal."""
        effects = self.replica.compacted()
        records = tuple(effect.record for effect in effects)
        twin = self.recovered(records)
        assert twin.compacted() == effects
        assert (twin.view, twin.target_view) == (self.replica.view, self.replica.target_view)
        self.log = bytearray(b"".join(frames_of(effect) for effect in effects))

    def received(self, sender: int, message: Message) -> Received:
        return Received(sender, message, keys.sign(sender, signing_bytes(CHAIN_ID, message)))

    # --- what the driver answers ------------------------------------------------------------

    def execute_next(self) -> None:
        height = self.executing.popleft()
        assert height == self.head + 1
        self.head = height
        self.step(Executed(statement_of(height), self.known_last))

    def sync_to(self, height: int, certified: int, sign: Signer) -> None:
        """Blocks up to `height` came from peers, with certificates up to `certified`."""
        self.goal = None
        self.head = height
        self.expected = max(self.expected, height + 1)
        for number in range(self.certified + 1, certified + 1):
            self.certificates[number] = sign(statement_of(number))
        heights = range(self.certified + 1, height + 1)
        statements = tuple(statement_of(number) for number in heights)
        certificate = self.certificates.get(self.certified)
        self.step(Synced(height, certificate, statements, self.known_last))

    # --- effects ----------------------------------------------------------------------------

    def perform(self, effect: Effect) -> None:
        match effect:
            case Persist():
                self.log += frames_of(effect)
                self.on_record(wal.decode_record(effect.record))
            case Broadcast() | Send():
                self.on_say(effect.message)
            case Validate():
                self.asked.append(effect)
            case FetchProposal():
                self.wanted.append(effect)
            case Deliver():
                self.on_deliver(effect)
            case Certify():
                self.on_certify(effect.certificate)
            case CatchUp():
                assert not self.executing and self.goal is None
                self.goal = effect
            case Halt():
                self.on_halt(effect)
                self.ended = effect
            case Retire():
                assert self.is_over
                self.ended = effect

    def on_record(self, record: wal.Saved) -> None:
        match record:
            case wal.SavedPrepare():
                self.on_vote_saved("prepare", record.view, record.height, record.digest)
            case wal.SavedPrepared(certificate=prepared):
                self.on_vote_saved("commit", prepared.view, prepared.height, prepared.digest)
            case wal.SavedViewChange(view_change=change):
                assert change.view > self.promised
                self.promised = change.view
            case wal.SavedNewView(new_view=new_view):
                plan = plan_of(new_view, self.config.validators, epoch=self.config.base)
                far = plan.start - plan.base_height - self.config.window
                self.reach = max(self.reach, far)

    def on_vote_saved(self, kind: str, view: int, height: int, digest: bytes) -> None:
        assert self.replica.stable < height <= self.high, "a vote outside the window"
        assert view >= self.promised, "a vote in a view that was given up"
        self.saved.setdefault(((kind, view, height), digest), self.promised)

    def on_say(self, message: Message) -> None:
        again = decode_message(encode_message(message))
        assert again == message
        self.check_items(self.claims(again))
        match message:
            case PrePrepare(view=view, proposal=proposal):
                self.on_vote("prepare", view, proposal.height, proposal_digest(proposal))
            case Prepare():
                self.on_vote("prepare", message.view, message.height, message.digest)
            case Commit():
                self.on_vote("commit", message.view, message.height, message.digest)
            case Checkpoint(statement=statement):
                self.on_statement(statement)
            case ViewChange():
                assert message.view <= self.promised, "a promise that is not durable"

    def on_vote(self, kind: str, view: int, height: int, digest: bytes) -> None:
        key = (kind, view, height)
        assert self.votes.setdefault(key, digest) == digest, "two votes in one view"
        assert (key, digest) in self.saved, "a vote that is not durable"
        assert view >= self.saved[key, digest]
        assert self.known_last is None or height <= self.known_last

    def on_statement(self, statement: ExecutionStatement) -> None:
        height = statement.height
        assert height <= self.head, "what is not executed is not stated"
        assert self.known_last is None or height <= self.known_last
        assert self.stated.setdefault(height, statement) == statement

    def on_deliver(self, effect: Deliver) -> None:
        proposal, certificate = effect.proposal, effect.certificate
        assert self.goal is None, "a delivery during block sync"
        assert proposal.height == self.expected
        assert self.known_last is None or proposal.height <= self.known_last
        assert (certificate.height, certificate.proposal_digest) == (
            proposal.height,
            proposal_digest(proposal),
        )
        self.check_items(commit_items(certificate, self.config.validators, CHAIN_ID))
        self.expected += 1
        self.executing.append(proposal.height)

    def on_certify(self, certificate: ExecutionCertificate) -> None:
        height = certificate.statement.height
        assert certificate.statement == statement_of(height)
        assert self.certified_now < height <= min(self.certified + 1, self.head)
        self.check_items(execution_items(certificate, self.config.validators, CHAIN_ID))
        self.certified_now = height
        self.certificates.setdefault(height, certificate)

    def on_halt(self, halt: Halt) -> None:
        """Only over a contradiction that was really shown: both halves are there, and signed."""
        evidence = [self.evidence_of(data) for data in halt.evidence]
        match evidence:
            case [ExecutionStatement() as own, ExecutionCertificate(statement=theirs)]:
                assert halt.kind is HaltKind.DIVERGED
                assert own == statement_of(own.height) and own.height <= self.head
                assert own.height == theirs.height and own != theirs
            case [ExecutionCertificate(statement=first), ExecutionCertificate(statement=second)]:
                assert first.height == second.height and first != second
            case [CommitCertificate() as first, CommitCertificate() as second]:
                assert first.height == second.height
                assert first.proposal_digest != second.proposal_digest
            case [PreparedCertificate() as first, PreparedCertificate() as second]:
                assert (first.view, first.height) == (second.view, second.height)
                assert first.digest != second.digest
            case [CommitCertificate() as committed, NewView() as new_view]:
                self.check_dropped(committed, new_view)
            case _:
                raise AssertionError(f"not evidence: {evidence}")

    def check_dropped(self, committed: CommitCertificate, new_view: NewView) -> None:
        """The new view orders something else where a lower view committed."""
        plan = plan_of(new_view, self.config.validators, epoch=self.config.base)
        orders = {order.height: order.digest for order in plan.orders}
        assert committed.height > plan.base_height and committed.view < new_view.view
        assert orders.get(committed.height) != committed.proposal_digest

    def evidence_of(self, data: bytes) -> Evidence:
        """What it says, once a quorum's signatures on it are checked."""
        validators = self.config.validators
        if (statement := decoded(data, ExecutionStatement)) is not None:
            return statement
        if (new_view := decoded(data, NewView)) is not None:
            return new_view
        if (certified := decoded(data, ExecutionCertificate)) is not None:
            self.check_items(execution_items(certified, validators, CHAIN_ID))
            return certified
        committed = decoded(data, CommitCertificate)
        if committed is not None:
            items = commit_items(committed, validators, CHAIN_ID)
            if all(keys.is_valid(item) for item in items):
                return committed  # not signed as prepares, which have the same shape
        prepared = decode(data, PreparedCertificate, size_max=EVIDENCE_SIZE_MAX)
        change = ViewChange(prepared.view + 1, None, (prepared,), (), epoch=self.config.base)
        self.check_items(self.claims(change))
        return prepared

    def check_items(self, items: list[SignedItem]) -> None:
        assert all(keys.is_valid(item) for item in items), "not signed by those it names"

    def claims(self, message: Message) -> list[SignedItem]:
        index, base = self.config.index, self.config.base
        return verify.claims(message, index, self.config.validators, CHAIN_ID, base=base)

    def check_memory(self) -> None:
        self.hole_max = max(self.hole_max, hole(self.replica))
        slots_max = 2 * self.config.window + len(self.logged) + self.reach
        held = excesses(
            self.replica, slots_max=slots_max, batch_max=BATCH_MAX, hole_max=self.hole_max
        )
        assert not held, held


def heights_of(records: tuple[bytes, ...]) -> set[int]:
    """The heights that a log names: a new life keeps them until the first certificate comes."""
    heights: set[int] = set()
    for data in records:
        match wal.decode_record(data):
            case wal.SavedProposal(proposal=Proposal(height=height)):
                heights.add(height)
            case wal.SavedPrepare(height=height):
                heights.add(height)
            case wal.SavedPrepared(certificate=PreparedCertificate(height=height)):
                heights.add(height)
    return heights


def decoded(data: bytes, kind: type[Kind]) -> Kind | None:
    try:
        return decode(data, kind, size_max=EVIDENCE_SIZE_MAX)
    except DecodeError:
        return None
