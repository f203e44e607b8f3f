"""What a replica knows: one mutable state that the parts of the machine share.

Only `Replica.step` runs code that changes it. Effects are collected in `effects`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from consensus.pbft.messages import (
    Commit,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    SignedViewChange,
    ViewChange,
    null_proposal,
)
from consensus.pbft.quorum import Votes
from consensus.pbft.schedule import Schedule
from consensus.pbft.types import Broadcast, Effect, Halt, HaltKind, ReplicaConfig
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
    proposal_digest,
)


class Validity(Enum):
    """What the driver said about a proposal."""

    ASKED_FRESH = 1  # is it right and at hand?
    ASKED_VOUCHED = 2  # a quorum says it is right: is it at hand?
    YES = 3
    NO = 4


@dataclass(slots=True, eq=False)
class Slot:
    """One height in flight. What is above the blank line below is forgotten in a new view."""

    height: int
    accepted: bytes | None = None  # digest that this view orders here; never changes in a view
    candidate: bytes | None = None  # pre-prepared, waits for the heights before it
    holders: tuple[int, ...] = ()  # who prepared it in an earlier view, says the NEW-VIEW
    has_prepared: bool = False  # our prepare vote is durable
    has_committed: bool = False  # our commit vote is durable
    prepares: Votes[bytes] = field(default_factory=Votes)
    commits: Votes[bytes] = field(default_factory=Votes)

    prepared: PreparedCertificate | None = None  # of the latest view that prepared anything
    decision: CommitCertificate | None = None
    proposals: dict[bytes, Proposal] = field(default_factory=dict)
    validity: dict[bytes, Validity] = field(default_factory=dict)
    wanted: dict[bytes, tuple[int, ...]] = field(default_factory=dict)  # digest -> holders
    saved: set[bytes] = field(default_factory=set)  # proposals in the log; membership only
    counted: tuple[bytes, ...] = ()  # ids that count as in flight because of this slot


@dataclass(frozen=True, slots=True)
class FollowedNewView:
    """The NEW-VIEW that made the current view, to be handed on to those who missed it."""

    leader: int
    new_view: NewView
    signature: bytes  # empty if we are the leader


@dataclass(frozen=True, slots=True)
class EarlyMessage:
    """A vote for a view or height that we have not reached."""

    sender: int
    message: PrePrepare | Prepare | Commit
    signature: bytes


@dataclass(slots=True, eq=False)
class State:
    config: ReplicaConfig
    schedule: Schedule  # of the view we follow: whose votes we count
    target: int = 0  # no vote of ours in a lower view; above `view`: waiting for its NEW-VIEW
    new_view: FollowedNewView | None = None
    own_view_change: ViewChange | None = None
    view_changes: dict[int, SignedViewChange] = field(default_factory=dict)  # latest of each

    slots: dict[int, Slot] = field(default_factory=dict)
    frontier: int = 0  # heights up to here have an accepted proposal, without gap
    decided: int = 0  # heights up to here have a commit certificate, without gap
    delivered: int = 0
    executed: int = 0  # durable in the ledger
    certified: int = 0  # own statement certified, without gap
    stable: int = 0  # highest known execution certificate: the low watermark
    stable_certificate: ExecutionCertificate | None = None
    disowned: int = 0  # we say nothing of outcomes up to here: an earlier life said otherwise
    statements: dict[int, ExecutionStatement] = field(default_factory=dict)  # own
    certificates: dict[int, ExecutionCertificate] = field(default_factory=dict)
    checkpoints: dict[int, Votes[ExecutionStatement]] = field(default_factory=dict)
    catching_up: bool = False
    in_flight: dict[bytes, int] = field(default_factory=dict)  # transaction id -> slots
    by_digest: dict[bytes, Proposal] = field(default_factory=dict)
    early: list[deque[EarlyMessage]] = field(default_factory=list)  # per sender

    now: int = 0  # ticks since this life began
    last_heard: list[int] = field(default_factory=list)
    last_reply: list[int] = field(default_factory=list)
    last_relay: list[int] = field(default_factory=list)
    last_broadcast: int = 0
    attempts: int = 0  # view changes since something was decided, but for those of the silent
    liars: set[int] = field(default_factory=set)  # they signed what contradicts itself
    betrayed_view: int = -1  # in which a proposer did so: it is left at once
    waiting_ticks: int = 0  # something should be decided and is not
    withheld_ticks: int = 0
    withheld_from: int = -1  # the proposer that withholds
    new_view_ticks: int = 0  # a quorum waits for the NEW-VIEW
    stalled_ticks: int = 0  # unsettled and nothing moves: time to repeat ourselves
    behind_ticks: int = 0  # others certified what we miss
    hole_ticks: int = 0  # ... and nothing more has been certified here
    is_restarted: bool = False
    is_cut_off: bool = False  # no quorum was heard at the last tick
    last: int | None = None  # last height of our epoch, once we executed what decides it
    is_halted: bool = False
    is_retired: bool = False
    effects: list[Effect] = field(default_factory=list)

    @property
    def view(self) -> int:
        return self.schedule.view

    @property
    def is_active(self) -> bool:
        """May we vote in `view`?"""
        return self.target == self.view

    @property
    def is_over(self) -> bool:
        """Nothing is said any more: this replica halted, or its epoch ended."""
        return self.is_halted or self.is_retired

    @property
    def settled(self) -> int:
        """Heights up to here need no vote of anyone."""
        return max(self.decided, self.stable)

    @property
    def next_height(self) -> int:
        return max(self.frontier, self.settled) + 1

    @property
    def high(self) -> int:
        """The high watermark: votes on nothing above it are counted."""
        high = self.stable + self.config.window
        return high if self.last is None else min(high, self.last)

    @property
    def vote_max(self) -> int:
        """We vote on nothing above it: a window above what we executed ourselves.

        A change of the committee takes effect more than a window after the block that decides it,
        so whoever has executed less does not know who may vote above.
        """
        return min(self.high, self.executed + self.config.window)

    @property
    def quorum(self) -> int:
        return self.config.validators.quorum

    def emit(self, effect: Effect) -> None:
        self.effects.append(effect)

    def broadcast(self, message: Message) -> None:
        self.last_broadcast = self.now
        self.effects.append(Broadcast(message))

    def note_progress(self) -> None:
        """Something was decided or certified: whoever leads is doing well."""
        self.attempts = 0
        self.waiting_ticks = 0
        self.stalled_ticks = 0

    def halt(self, kind: HaltKind, reason: str, evidence: tuple[bytes, ...]) -> None:
        """Say why and do nothing any more."""
        if not self.is_halted:
            self.emit(Halt(kind=kind, reason=reason, evidence=evidence))
            self.is_halted = True

    def is_of_next_epoch(self, height: int) -> bool:
        """Not ours: its committee has other indexes."""
        return self.last is not None and height > self.last

    def sayable(self, height: int) -> ExecutionStatement | None:
        """What we may sign about a block: two different statements would be equivocation.

        Block sync may have gone beyond the epoch: there the next replica speaks.
        """
        if height <= self.disowned or self.is_of_next_epoch(height):
            return None
        return self.statements.get(height)

    def slot_at(self, height: int) -> Slot | None:
        """The slot of `height`, made if need be; None outside the window."""
        slot = self.slots.get(height)
        if slot is None and self.stable < height <= self.high:
            slot = self.slots[height] = Slot(height)
        return slot

    def add_proposal(self, slot: Slot, digest: bytes, proposal: Proposal) -> None:
        """Keep a proposal for `slot` and for peers that ask."""
        slot.proposals[digest] = proposal
        slot.wanted.pop(digest, None)
        self.by_digest[digest] = proposal
        self.count_in_flight(slot)

    def add_if_null(self, slot: Slot, digest: bytes) -> None:
        """The null proposal is known to all and always valid."""
        proposal = null_proposal(slot.height)
        if digest == proposal_digest(proposal):
            slot.validity[digest] = Validity.YES
            self.add_proposal(slot, digest, proposal)

    def count_in_flight(self, slot: Slot) -> None:
        """The ids of what this slot orders are in flight; those of what it ordered are not."""
        ordered = slot.decision.proposal_digest if slot.decision is not None else slot.accepted
        proposal = slot.proposals.get(ordered) if ordered is not None else None
        ids = proposal.transaction_ids if proposal is not None else ()
        if ids is slot.counted:
            return
        for transaction_id in ids:
            self.in_flight[transaction_id] = self.in_flight.get(transaction_id, 0) + 1
        for transaction_id in slot.counted:
            self._uncount(transaction_id)
        slot.counted = ids

    def drop_slot(self, slot: Slot) -> None:
        for transaction_id in slot.counted:
            self._uncount(transaction_id)
        for digest in slot.proposals:
            self.by_digest.pop(digest, None)
        del self.slots[slot.height]

    def keep_proposals(self, slot: Slot, digests: tuple[bytes | None, ...]) -> None:
        """Forget the proposals of earlier views that nothing depends on any more."""
        for digest in [known for known in slot.proposals if known not in digests]:
            del slot.proposals[digest]
            del self.by_digest[digest]
            slot.validity.pop(digest, None)
            slot.saved.discard(digest)
        slot.wanted.clear()

    def _uncount(self, transaction_id: bytes) -> None:
        count = self.in_flight[transaction_id] - 1
        if count:
            self.in_flight[transaction_id] = count
        else:
            del self.in_flight[transaction_id]


def new_state(config: ReplicaConfig) -> State:
    size = config.validators.size
    # Prepare, commit and pre-prepare of a full window, and as much again: an honest sender
    # loses nothing, a faulty one only crowds out itself.
    early_max = 4 * config.window
    base = config.base
    return State(
        config=config,
        schedule=Schedule(
            view=0, start=base, skipped=(), size=size, rotate_every=config.rotate_every
        ),
        frontier=base,
        decided=base,
        delivered=base,
        executed=base,
        certified=base,
        stable=base,
        early=[deque(maxlen=early_max) for _ in range(size)],
        last_heard=[0] * size,
        last_reply=[-1_000] * size,
        last_relay=[-1_000] * size,
    )
