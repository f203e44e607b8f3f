"""The mistakes of the mutants: each replaces a small function of the protocol, or of a class."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from consensus.pbft import (
    checkpoint,
    new_view,
    ordering,
    quorum,
    recovery,
    repair,
    verify,
    view_change,
    wal,
)
from consensus.pbft import (
    state as state_module,
)
from consensus.pbft.messages import (
    Commit,
    NewView,
    PreparedCertificate,
    PrePrepare,
    ViewChange,
)
from consensus.pbft.replica import Replica
from consensus.pbft.state import Slot, State
from consensus.pbft.types import (
    Deliver,
    Effect,
    Input,
    Persist,
    Recovered,
    ReplicaConfig,
    Synced,
)
from ledger.model import (
    ExecutionCertificate,
    ExecutionStatement,
    ValidatorSet,
    proposal_digest,
)


class Patch:
    """Attributes replaced for a while."""

    def __init__(self) -> None:
        self._before: list[tuple[object, str, object]] = []

    def set(self, owner: object, name: str, value: object) -> None:
        self._before.append((owner, name, vars(owner)[name]))
        setattr(owner, name, value)

    def undo(self) -> None:
        for owner, name, value in reversed(self._before):
            setattr(owner, name, value)


Change = Callable[[Patch], None]


def nothing(*_: object, **__: object) -> None:
    """Instead of a duty."""


# --- quorums --------------------------------------------------------------------------------


def quorum_f_plus_one(patch: Patch) -> None:
    patch.set(ValidatorSet, "quorum", property(lambda self: self.fault_bound + 1))


def quorum_of_3f_plus_1_for_all(patch: Patch) -> None:
    """2f + 1 of five or six: two of these may share nobody honest (IBFT's mistake)."""
    patch.set(ValidatorSet, "quorum", property(lambda self: 2 * self.fault_bound + 1))


def one_vote_counts_twice(patch: Patch) -> None:
    original = quorum.Votes.count
    patch.set(quorum.Votes, "count", lambda self, subject: original(self, subject) + 1)


def checkpoint_without_quorum(patch: Patch) -> None:
    class Generous(quorum.Votes[ExecutionStatement]):
        __slots__ = ()

        def count(self, subject: ExecutionStatement) -> int:
            return super().count(subject) + 1

    patch.set(checkpoint, "Votes", Generous)


def commit_without_prepared_quorum(patch: Patch) -> None:
    prepare = ordering._try_votes

    def hasty(state: State, slot: Slot, digest: bytes) -> None:
        prepare(state, slot, digest)
        if slot.has_prepared and not slot.has_committed:
            slot.has_committed = True
            signatures = slot.prepares.signatures(digest, state.quorum)
            slot.prepared = PreparedCertificate(state.view, slot.height, digest, signatures)
            state.emit(Persist(wal.encode_record(wal.SavedPrepared(slot.prepared))))
            state.broadcast(Commit(state.view, slot.height, digest))

    patch.set(ordering, "_try_votes", hasty)


# --- ordering -------------------------------------------------------------------------------


def two_digests_in_one_view(patch: Patch) -> None:
    original = ordering._on_pre_prepare

    def fickle(
        state: State, slot: Slot, sender: int, message: PrePrepare, signature: bytes
    ) -> None:
        digest = proposal_digest(message.proposal)
        if slot.candidate not in (None, digest) and sender != state.config.index:
            slot.candidate = slot.accepted = None
            slot.has_prepared = slot.has_committed = False
            slot.prepares = quorum.Votes()
            state.frontier = slot.height - 1
        original(state, slot, sender, message, signature)

    patch.set(ordering, "_on_pre_prepare", fickle)


def gap_below_is_accepted(patch: Patch) -> None:
    original = ordering._on_pre_prepare

    def careless(
        state: State, slot: Slot, sender: int, message: PrePrepare, signature: bytes
    ) -> None:
        original(state, slot, sender, message, signature)
        if slot.accepted is None and slot.candidate is not None and state.is_active:
            ordering.accept(state, slot, slot.candidate)

    patch.set(ordering, "_on_pre_prepare", careless)


def watermark_not_enforced(patch: Patch) -> None:
    def slot_at(self: State, height: int) -> Slot | None:
        return self.slots.setdefault(height, Slot(height)) if height > self.stable else None

    def can_propose(state: State) -> bool:
        return state.is_active and state.schedule.proposer(state.next_height) == state.config.index

    patch.set(State, "slot_at", slot_at)
    patch.set(ordering, "can_propose", can_propose)


def delivered_out_of_order(patch: Patch) -> None:
    def eager(state: State) -> None:
        for height in sorted(h for h in state.slots if h > state.delivered):
            slot = state.slots[height]
            decision = slot.decision
            if decision is not None and ordering.is_at_hand(state, slot, decision.proposal_digest):
                state.delivered = height
                proposal = slot.proposals[decision.proposal_digest]
                state.emit(Deliver(proposal=proposal, certificate=decision))

    patch.set(ordering, "deliver", eager)


def time_of_a_re_proposal_judged_again(patch: Patch) -> None:
    patch.set(ordering, "_is_vouched", lambda state, slot, digest: False)


def equivocation_overlooked(patch: Patch) -> None:
    patch.set(ordering, "_accuse", nothing)


def losses_not_repaired(patch: Patch) -> None:
    patch.set(repair, "_repeat", nothing)


# --- durability -----------------------------------------------------------------------------


def vote_before_record(patch: Patch) -> None:
    original = Replica.step

    def step(self: Replica, event: Input) -> list[Effect]:
        return sorted(original(self, event), key=lambda effect: isinstance(effect, Persist))

    patch.set(Replica, "step", step)


def unsaved(kind: type[wal.Saved]) -> Change:
    def change(patch: Patch) -> None:
        original = Replica.step

        def is_kept(effect: Effect) -> bool:
            return not isinstance(effect, Persist) or not isinstance(
                wal.decode_record(effect.record), kind
            )

        def step(self: Replica, event: Input) -> list[Effect]:
            return [effect for effect in original(self, event) if is_kept(effect)]

        patch.set(Replica, "step", step)

    return change


def unreplayed(kind: type[wal.Saved]) -> Change:
    def change(patch: Patch) -> None:
        original = recovery._replay

        def forgetful(state: State, record: wal.Saved) -> None:
            if not isinstance(record, kind):
                original(state, record)

        patch.set(recovery, "_replay", forgetful)

    return change


def uncompacted(kind: type[wal.Saved]) -> Change:
    def change(patch: Patch) -> None:
        original = recovery.compacted

        def forgetful(state: State) -> list[Persist]:
            kept = original(state)
            return [e for e in kept if not isinstance(wal.decode_record(e.record), kind)]

        patch.set(recovery, "compacted", forgetful)

    return change


def delivered_again_after_restart(patch: Patch) -> None:
    original = recovery.recover

    def recover(config: ReplicaConfig, recovered: Recovered) -> State:
        state = original(config, recovered)
        state.delivered = max(0, state.delivered - 1)
        return state

    patch.set(recovery, "recover", recover)


def delivered_again_after_sync(patch: Patch) -> None:
    original = checkpoint.on_synced

    def on_synced(state: State, synced: Synced) -> None:
        before = state.delivered
        original(state, synced)
        state.delivered = before

    patch.set(checkpoint, "on_synced", on_synced)


def diverged_replica_goes_on(patch: Patch) -> None:
    patch.set(checkpoint, "_halt_diverged", nothing)


# --- view change ----------------------------------------------------------------------------


def evidence_missing(patch: Patch) -> None:
    def forgetful(*, view: int, unfit: tuple[int, ...], **_: object) -> ViewChange:
        return ViewChange(view=view, stable=None, prepared=(), unfit=unfit)

    patch.set(view_change, "ViewChange", forgetful)


def evidence_of_executed_missing(patch: Patch) -> None:
    """What was executed is not yet stated by a quorum."""
    original = view_change.start_view_change

    def start(state: State, view: int, *, is_charged: bool = True) -> None:
        hidden = {h: s.prepared for h, s in state.slots.items() if h <= state.executed}
        for height in hidden:
            state.slots[height].prepared = None
        original(state, view, is_charged=is_charged)
        for height, prepared in hidden.items():
            state.slots[height].prepared = prepared

    patch.set(view_change, "start_view_change", start)


def oldest_certificate_wins(patch: Patch) -> None:
    def later(best: PreparedCertificate | None, other: PreparedCertificate) -> PreparedCertificate:
        return other if best is None or other.view < best.view else best

    patch.set(new_view, "_later", later)


def lowest_base_wins(patch: Patch) -> None:
    def base(plan: NewView, validators: ValidatorSet, *, epoch: int) -> new_view.Plan:
        stable = [signed.view_change.stable for signed in plan.view_changes]
        known = [certificate for certificate in stable if certificate is not None]
        lowest = min(known, key=lambda c: c.statement.height) if len(known) == len(stable) else None

        def _higher(_: object, other: ExecutionCertificate) -> ExecutionCertificate | None:
            return lowest

        inner = Patch()
        inner.set(new_view, "_higher_base", _higher)
        try:
            return original(plan, validators, epoch=epoch)
        finally:
            inner.undo()

    original = new_view.plan_of
    patch.set(view_change, "plan_of", base)
    patch.set(recovery, "plan_of", base)


def null_requests_missing(patch: Patch) -> None:
    original = new_view.plan_of

    def plan_of(message: NewView, validators: ValidatorSet, *, epoch: int) -> new_view.Plan:
        plan = original(message, validators, epoch=epoch)
        orders = tuple(order for order in plan.orders if order.holders)
        return replace(plan, orders=orders)

    patch.set(view_change, "plan_of", plan_of)
    patch.set(recovery, "plan_of", plan_of)


def any_new_view_accepted(patch: Patch) -> None:
    patch.set(verify, "_new_view_items", lambda *_: [])


def promise_not_kept(patch: Patch) -> None:
    patch.set(State, "is_active", property(lambda self: True))


def joins_at_one_higher_view(patch: Patch) -> None:
    def join(state: State) -> None:
        views = [s.view_change.view for s in state.view_changes.values()]
        if max(views, default=0) > state.target:
            view_change.start_view_change(state, max(views))

    patch.set(view_change, "_join", join)


def joins_the_highest_view(patch: Patch) -> None:
    """At f + 1, but as far as the faulty one among them went."""

    def join(state: State) -> None:
        views = [s.view_change.view for s in state.view_changes.values()]
        ahead = [view for view in views if view > state.target]
        if len(ahead) > state.config.validators.fault_bound:
            view_change.start_view_change(state, max(ahead))

    patch.set(view_change, "_join", join)


def runs_away_alone(patch: Patch) -> None:
    def await_new_view(state: State) -> None:
        state.new_view_ticks += 1
        if state.new_view_ticks >= state.config.timeout_ticks:
            view_change.start_view_change(state, state.target + 1)

    patch.set(view_change, "_await_new_view", await_new_view)


def silent_replicas_keep_their_turns(patch: Patch) -> None:
    patch.set(new_view, "skipped_replicas", lambda *_, **__: ())


# --- time -----------------------------------------------------------------------------------


def clock_not_reset(patch: Patch) -> None:
    patch.set(State, "note_progress", nothing)


def time_out_never_reset(patch: Patch) -> None:
    progress, waiting = State.note_progress, view_change._count_waiting

    def note_progress(self: State) -> None:
        attempts = self.attempts
        progress(self)
        self.attempts = attempts

    def count_waiting(state: State, *, is_pending: bool) -> None:
        attempts = state.attempts
        waiting(state, is_pending=is_pending)
        state.attempts = attempts

    patch.set(State, "note_progress", note_progress)
    patch.set(view_change, "_count_waiting", count_waiting)


def time_out_uncapped(patch: Patch) -> None:
    def timeout_ticks(state: State, awaited: int) -> int:
        return state.config.timeout_ticks << max(state.attempts - 1, 0)

    patch.set(view_change, "timeout_ticks", timeout_ticks)


def withholding_tolerated(patch: Patch) -> None:
    patch.set(view_change, "_count_withheld", nothing)


# --- memory and validity --------------------------------------------------------------------


def garbage_kept(patch: Patch) -> None:
    for module in (checkpoint, recovery):
        patch.set(module, "collect_garbage", nothing)


def early_votes_unbounded(patch: Patch) -> None:
    patch.set(state_module, "deque", lambda maxlen: deque())


def statements_of_any_height_kept(patch: Patch) -> None:
    patch.set(checkpoint, "_is_countable", lambda state, height: height > state.certified)


def certificates_of_the_past_kept(patch: Patch) -> None:
    patch.set(checkpoint, "_is_kept", lambda state, height: True)


def proposals_not_validated(patch: Patch) -> None:
    original = ordering.is_at_hand

    def trusting(state: State, slot: Slot, digest: bytes) -> bool:
        return original(state, slot, digest) or digest in slot.proposals

    patch.set(ordering, "is_at_hand", trusting)
