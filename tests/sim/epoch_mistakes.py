"""Mistakes about the end of an epoch, about heartbeats, and about the watermark of execution."""

from __future__ import annotations

from dataclasses import replace

from consensus.pbft import checkpoint, ordering, recovery, verify, view_change, wal
from consensus.pbft.new_view import plan_of
from consensus.pbft.state import FollowedNewView, Slot, State
from consensus.pbft.types import Executed, Recovered, ReplicaConfig, Retire
from ledger.model import Proposal
from tests.sim import moving
from tests.sim.mistakes import Patch


def votes_above_the_last_height(patch: Patch) -> None:
    patch.set(State, "high", property(lambda self: self.stable + self.config.window))


def votes_above_what_it_executed(patch: Patch) -> None:
    patch.set(State, "vote_max", property(lambda self: self.high))


def votes_on_all_that_a_new_view_orders(patch: Patch) -> None:
    original = ordering.progress

    def eager(state: State, slot: Slot) -> None:
        inner = Patch()
        if slot.height <= state.schedule.start:
            inner.set(State, "vote_max", slot.height)
        try:
            original(state, slot)
        finally:
            inner.undo()

    patch.set(ordering, "progress", eager)
    patch.set(view_change, "progress", eager)


def next_epoch_taken_for_ours(patch: Patch) -> None:
    """Its certificates are counted, its blocks delivered, its outcomes stated."""
    patch.set(State, "is_of_next_epoch", lambda self, height: False)


def retires_before_it_is_certified(patch: Patch) -> None:
    original = checkpoint.on_executed

    def on_executed(state: State, executed: Executed) -> None:
        original(state, executed)
        if executed.statement.height == state.last and state.stable_certificate is not None:
            state.is_retired = True
            state.emit(Retire(state.stable_certificate))

    patch.set(checkpoint, "on_executed", on_executed)


def never_retires(patch: Patch) -> None:
    patch.set(checkpoint, "_retire_if_over", lambda state, certificate: None)


def view_change_of_another_epoch_accepted(patch: Patch) -> None:
    patch.set(verify, "_is_of_epoch", lambda message, base: True)


def old_log_taken_for_the_new_epoch(patch: Patch) -> None:
    original = recovery._replay

    def replay(state: State, record: wal.Saved) -> None:
        match record:
            case wal.SavedViewChange(view_change=change):
                state.target = change.view
                state.own_view_change = change
            case wal.SavedNewView():
                new_view = record.new_view
                plan = plan_of(new_view, state.config.validators, epoch=state.config.base)
                followed = FollowedNewView(record.leader, new_view, record.signature)
                view_change.enter(state, followed, plan)
            case _:
                original(state, record)

    patch.set(recovery, "_replay", replay)


def restart_forgets_the_last_height(patch: Patch) -> None:
    original = recovery.recover

    def recover(config: ReplicaConfig, recovered: Recovered) -> State:
        return original(config, replace(recovered, last=None))

    patch.set(recovery, "recover", recover)


def null_proposal_of_a_primary_accepted(patch: Patch) -> None:
    def is_well_formed(state: State, proposal: Proposal, proposer: int) -> bool:
        return proposal.proposer == proposer

    patch.set(ordering, "_is_well_formed", is_well_formed)


def frames_of_other_epochs_accepted(patch: Patch) -> None:
    """The driver's mistake: the replica cannot tell whose index it is given."""

    def arrive(self: moving.Mover, base: int, sender: int, data: bytes, signature: bytes) -> None:
        if self.is_up and self.is_member:
            self.receive(sender, data, signature)

    patch.set(moving.Mover, "arrive", arrive)


def moved(seeds: int) -> None:
    """A scene: that many drawn networks whose committee changes."""
    for seed in range(seeds):
        moving.run(seed)
