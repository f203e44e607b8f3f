"""Coming back: the state from the ledger's head and the log, and the log made short again."""

from __future__ import annotations

from consensus.pbft.checkpoint import collect_garbage
from consensus.pbft.new_view import plan_of
from consensus.pbft.state import FollowedNewView, Slot, State, new_state
from consensus.pbft.types import Persist, Recovered, ReplicaConfig
from consensus.pbft.view_change import enter
from consensus.pbft.wal import (
    Saved,
    SavedNewView,
    SavedPrepare,
    SavedPrepared,
    SavedProposal,
    SavedStable,
    SavedViewChange,
    decode_record,
    encode_record,
)
from ledger.model import ExecutionCertificate, proposal_digest


def recover(config: ReplicaConfig, recovered: Recovered) -> State:
    """The state that the last life left behind. Raises DecodeError for a log that is not ours.

    Nothing is said yet: the first tick repeats all that was said.
    """
    state = new_state(config)
    assert recovered.head >= config.base, "the epoch begins above its base"
    state.executed = state.delivered = state.decided = recovered.head
    state.disowned = recovered.disowned
    state.last = recovered.last
    for statement in recovered.statements:
        state.statements[statement.height] = statement
    if recovered.certified is not None:
        state.certified = recovered.certified.statement.height
        _raise_stable(state, recovered.certified)
    assert state.certified <= recovered.head
    for data in recovered.records:
        _replay(state, decode_record(data))
    for slot in state.slots.values():
        state.count_in_flight(slot)
    collect_garbage(state)
    state.frontier = max(state.schedule.start, state.settled)
    while state.next_height in state.slots and state.slots[state.next_height].accepted:
        state.frontier = state.next_height
    state.is_restarted = True
    return state


def compacted(state: State) -> list[Persist]:
    """What a log must hold to recover this state: replaces all older records."""
    effects: list[Persist] = []
    if state.stable_certificate is not None:
        effects.append(_persist(SavedStable(state.stable_certificate)))
    followed = state.new_view
    if followed is not None:
        record = SavedNewView(followed.leader, followed.new_view, followed.signature)
        effects.append(_persist(record))
    if state.own_view_change is not None:
        effects.append(_persist(SavedViewChange(state.own_view_change)))
    for height in sorted(height for height in state.slots if height > state.stable):
        effects += _compacted_slot(state, state.slots[height])
    return effects


def _compacted_slot(state: State, slot: Slot) -> list[Persist]:
    effects = [
        Persist(encode_record(SavedProposal(slot.proposals[digest])), slot.proposals[digest])
        for digest in sorted(slot.saved)
    ]
    if slot.accepted is not None and slot.has_prepared:
        effects.append(_persist(SavedPrepare(state.view, slot.height, slot.accepted)))
    if slot.prepared is not None:
        effects.append(_persist(SavedPrepared(slot.prepared)))
    return effects


def _persist(record: Saved) -> Persist:
    return Persist(encode_record(record))


def _replay(state: State, record: Saved) -> None:
    # Where it says `booked`: Python 3.11 gives the way past the body the line of the body's end, so
    # that coverage does not see it, although tests take it.
    match record:
        case SavedProposal():
            height = record.proposal.height
            if height > state.stable:
                slot = _slot(state, height)
                digest = proposal_digest(record.proposal)
                state.add_proposal(slot, digest, record.proposal)
                slot.saved.add(digest)
        case SavedPrepare():
            is_ours = record.height > state.stable and record.view == state.view
            if is_ours:  # pragma: no branch (booked)
                slot = _slot(state, record.height)
                slot.accepted = record.digest
                slot.has_prepared = True
        case SavedPrepared():
            height = record.certificate.height
            if height > state.stable:  # pragma: no branch (booked)
                slot = _slot(state, height)
                slot.prepared = record.certificate
                slot.has_committed = record.certificate.view == state.view
        case SavedViewChange():
            if record.view_change.epoch == state.config.base:  # pragma: no branch (booked)
                state.target = record.view_change.view
                state.own_view_change = record.view_change
        case SavedNewView():
            _replay_new_view(state, record)
        case SavedStable():  # pragma: no branch (no other kind)
            _raise_stable(state, record.certificate)


def _replay_new_view(state: State, record: SavedNewView) -> None:
    epoch = state.config.base
    if any(signed.view_change.epoch != epoch for signed in record.new_view.view_changes):
        return  # the log outlived its epoch: the crash came before it was cleared
    plan = plan_of(record.new_view, state.config.validators, epoch=epoch)
    if plan.base is not None and not state.is_of_next_epoch(plan.base.statement.height):
        _raise_stable(state, plan.base)
    enter(state, FollowedNewView(record.leader, record.new_view, record.signature), plan)


def _raise_stable(state: State, certificate: ExecutionCertificate) -> None:
    height = certificate.statement.height
    if height > state.stable:
        state.stable = height
        state.stable_certificate = certificate
        state.certificates[height] = certificate


def _slot(state: State, height: int) -> Slot:
    """Records may lie outside the window: the stable height of the last life was higher."""
    return state.slots.setdefault(height, Slot(height))
