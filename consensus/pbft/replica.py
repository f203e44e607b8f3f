"""The replica: every input goes to the one part of the machine that knows what it means."""

from __future__ import annotations

from consensus.pbft import checkpoint, ordering, recovery, repair, view_change
from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Decision,
    NewView,
    Prepare,
    PrePrepare,
    RelayedNewView,
    RelayedVote,
    Status,
    ViewChange,
)
from consensus.pbft.state import State
from consensus.pbft.types import (
    BatchReady,
    Effect,
    Executed,
    Halt,
    Input,
    Persist,
    ProposalFetched,
    ProposalValidated,
    Received,
    Recovered,
    ReplicaConfig,
    Retire,
    Synced,
    Tick,
)
from ledger.model import Proposal


class Replica:
    """One voting member. `step` takes an input and returns the effects to perform, in order."""

    __slots__ = ("_state",)

    def __init__(self, state: State) -> None:
        self._state = state

    @classmethod
    def recover(cls, config: ReplicaConfig, recovered: Recovered) -> Replica:
        """A replica that continues where the ledger and the log end. Raises DecodeError."""
        return cls(recovery.recover(config, recovered))

    def step(self, event: Input) -> list[Effect]:
        """What to do about `event`. Nothing any more after a Halt or a Retire."""
        state = self._state
        if state.is_over:
            return []
        match event:
            case Received():
                self._receive(event)
            case Tick():
                self._tick(event)
            case BatchReady():
                ordering.on_batch(state, event)
            case ProposalValidated():
                ordering.on_validated(state, event)
            case ProposalFetched():
                ordering.on_fetched(state, event.proposal)
            case Executed():
                checkpoint.on_executed(state, event)
            case Synced():  # pragma: no branch (no other kind)
                checkpoint.on_synced(state, event)
        effects, state.effects = state.effects, []
        if state.is_over:
            end = next(i for i, e in enumerate(effects) if isinstance(e, Halt | Retire))
            del effects[end + 1 :]
        return effects

    def compacted(self) -> list[Persist]:
        """Records that may replace the whole log. Call between steps."""
        return recovery.compacted(self._state)

    # --- what the driver asks between steps -------------------------------------------------

    @property
    def can_propose(self) -> bool:
        """May a BatchReady be stepped now?"""
        return ordering.can_propose(self._state)

    def is_in_flight(self, transaction_id: bytes) -> bool:
        """Is it in a proposal that is accepted but not executed?"""
        return transaction_id in self._state.in_flight

    def proposal(self, digest: bytes) -> Proposal | None:
        """A proposal above the stable checkpoint, for a peer that asks."""
        return self._state.by_digest.get(digest)

    @property
    def view(self) -> int:
        """The view whose votes count."""
        return self._state.view

    @property
    def target_view(self) -> int:
        """Above `view` while we wait for a NEW-VIEW."""
        return self._state.target

    @property
    def is_active(self) -> bool:
        """Do we vote in `view`?"""
        return self._state.is_active

    @property
    def proposer(self) -> int:
        """Who proposes the next height: transactions that wait should reach it."""
        state = self._state
        return state.schedule.proposer(state.next_height)

    @property
    def next_height(self) -> int:
        """The height that the next proposal is for."""
        return self._state.next_height

    @property
    def decided(self) -> int:
        return self._state.decided

    @property
    def delivered(self) -> int:
        return self._state.delivered

    @property
    def certified(self) -> int:
        """Heights up to here are certified and executed by us, without gap."""
        return self._state.certified

    @property
    def stable(self) -> int:
        """The highest execution certificate we know of, maybe above our head."""
        return self._state.stable

    @property
    def is_catching_up(self) -> bool:
        return self._state.catching_up

    @property
    def is_halted(self) -> bool:
        return self._state.is_halted

    @property
    def is_retired(self) -> bool:
        """Is the epoch over? Then the next one's replica goes on."""
        return self._state.is_retired

    @property
    def last(self) -> int | None:
        """The last height of the epoch, once it is decided."""
        return self._state.last

    # --- routing ----------------------------------------------------------------------------

    def _tick(self, tick: Tick) -> None:
        state = self._state
        state.now += 1
        if state.is_restarted:
            repair.introduce(state)
        view_change.suspect(state, tick)
        repair.repair(state)

    def _receive(self, received: Received) -> None:
        state = self._state
        sender, message, signature = received.sender, received.message, received.signature
        assert 0 <= sender < state.config.validators.size, "verify.claims refuses strangers"
        state.last_heard[sender] = state.now
        match message:
            case PrePrepare() | Prepare() | Commit():
                ordering.on_vote(state, sender, message, signature)
            case Checkpoint():
                checkpoint.on_checkpoint(state, sender, message.statement, signature)
            case Status():
                repair.on_status(state, sender, message)
            case ViewChange():
                view_change.on_view_change(state, sender, message, signature)
            case NewView():
                view_change.on_new_view(state, sender, message, signature)
            case RelayedNewView():
                view_change.on_new_view(state, message.leader, message.new_view, message.signature)
            case RelayedVote():
                ordering.on_relayed_vote(state, message)
            case Decision():
                ordering.on_decision(state, message)
            case Certified():  # pragma: no branch (no other kind)
                checkpoint.adopt(state, message.certificate)
