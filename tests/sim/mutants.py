"""Protocols with one mistake each: checkers that let one of them live are not checking.

`python -m tests.sim.mutants` hunts each with its scene and with drawn scenarios, and prints who
caught it and after how many. A mistake is applied at run time, by replacing a small function.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from consensus.pbft import wal
from tests.sim import epoch_mistakes as e
from tests.sim import mistakes as m
from tests.sim import test_bugs_of_others as bugs
from tests.sim import test_scenes as scenes
from tests.sim.draws import SCRIPTED_FROM, run
from tests.sim.mistakes import Patch
from tests.sim.more_byzantine import Flooder
from tests.unit import test_pbft_checkpoint, test_pbft_ordering, test_pbft_recovery
from tests.unit import test_pbft_epochs as epochs
from tests.unit import test_pbft_view_change as view_changes

Scene = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    change: Callable[[Patch], None]
    scene: Scene | None  # a named test that kills it
    seeds: (
        int  # it dies within so many drawn scenarios, from SCRIPTED_FROM on; 0: the scene kills it
    )


@dataclass(frozen=True, slots=True)
class Kill:
    seeds: int  # drawn scenarios needed; 0: the scene
    by: str  # what the checker, the protocol's own assertion or the scene said


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The protocol with this mistake."""
    patch = Patch()
    mutant.change(patch)
    try:
        yield
    finally:
        patch.undo()


def kill_by_scene(mutant: Mutant) -> Kill | None:
    if mutant.scene is None:
        return None
    with applied(mutant):
        try:
            mutant.scene()
        except (AssertionError, pytest.fail.Exception) as error:
            return Kill(0, _where(error))
    return None


def kill_by_seeds(mutant: Mutant, seeds: int, *, first: int = SCRIPTED_FROM) -> Kill | None:
    with applied(mutant):
        for seed in range(first, first + seeds):
            try:
                run(seed)
            except AssertionError as error:
                return Kill(seed - first + 1, _where(error))
    return None


def _where(error: BaseException) -> str:
    """The violation's own words, or the assertion that failed."""
    text = str(error).strip().splitlines()
    if text:
        return text[0][:60]
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.name}: {frame.line}"[:60]


# --- scenes that kill what drawn scenarios meet too rarely ------------------------------------

committed = partial(bugs.test_committed_survives_new_view, False)
committed_restart = partial(bugs.test_committed_survives_new_view, True)
latest_view = bugs.test_latest_view_decides_what_a_new_view_orders
two_proposals = partial(bugs.test_one_digest_is_prepared_per_view_and_height, 4)
gaps = bugs.test_null_requests_fill_gaps
unstated = bugs.test_nothing_is_forgotten_before_a_quorum_stated_the_outcome
huge_view_in_change = partial(
    bugs.test_huge_view_of_one_replica_moves_nobody_even_during_a_view_change, 4
)
outage = bugs.test_long_outage_leaves_short_time_outs
anew = bugs.test_time_outs_start_anew_after_progress
old_proposal = bugs.test_proposal_older_than_the_bounds_of_time_is_ordered_again
slow_execution = scenes.test_slow_execution_fills_the_window_and_changes_no_view
equivocation = partial(scenes.test_equivocating_primary_is_accused_and_replaced, 4)
losses = partial(scenes.test_lost_frames_are_repaired_by_repetition, 0.3)
lone_promise = scenes.test_promise_of_a_lone_replica_outlives_its_restart
later_view = scenes.test_all_killed_at_once_in_a_later_view_repeat_no_vote_of_it
lagging = scenes.test_lagging_replica_catches_up_by_block_sync
usurper = scenes.test_self_made_leader_moves_nobody
huge_view = partial(scenes.test_huge_views_of_one_replica_move_nobody, 4)
cut_off = scenes.test_replica_that_is_cut_off_does_not_run_away_through_the_views
turns = partial(scenes.test_turns_of_a_dead_replica_cost_one_time_out_and_are_then_skipped, 4)
loaded = scenes.test_network_under_unbroken_load_stays_in_its_first_view
favourer = scenes.test_primary_that_leaves_transactions_out_is_replaced
flood = partial(
    scenes.test_f_liars_of_one_kind_are_survived_with_a_crash_and_a_view_change, Flooder
)
past = (
    test_pbft_checkpoint.test_certificates_of_the_past_do_not_fill_the_memory_of_a_lagging_replica
)
skipped_height = test_pbft_ordering.test_primary_cannot_skip_a_height_and_hide_transactions_in_it
compaction = test_pbft_recovery.test_compacted_log_recovers_the_same_replica
diverged = test_pbft_checkpoint.test_own_outcome_that_differs_from_a_quorums_halts_the_replica
unexecuted = test_pbft_ordering.test_nobody_votes_more_than_a_window_above_what_it_executed
null_primary = test_pbft_ordering.test_no_primary_fills_a_height_with_the_null_proposal
new_orders = epochs.test_orders_of_a_new_view_above_our_watermark_wait_for_it
beyond_the_end = epochs.test_block_sync_beyond_the_end_states_nothing_of_the_next_epoch
foreign = epochs.test_a_view_change_of_another_epoch_is_no_evidence
old_log = epochs.test_a_log_that_outlived_its_epoch_is_not_taken_for_ours
known_last = epochs.test_a_primary_does_not_propose_above_the_last_height
highest_base = view_changes.test_base_of_the_new_view_is_its_highest_stable_checkpoint


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=60, help="drawn scenarios per mutant")
    parser.add_argument("--seed", type=int, default=SCRIPTED_FROM, help="the first of them")
    parser.add_argument("--only", default="", help="mutants whose name holds this")
    arguments = parser.parse_args()
    start = time.monotonic()
    alive = 0
    print(f"{'mutant':34} {'seeds':>5}  {'killed by scenario':60} by scene")
    for mutant in MUTANTS:
        if arguments.only not in mutant.name:
            continue
        drawn = kill_by_seeds(mutant, arguments.seeds, first=arguments.seed)
        scene = kill_by_scene(mutant)
        is_alive = (drawn is None or not mutant.seeds) and scene is None
        alive += is_alive
        seeds = str(drawn.seeds) if drawn is not None else "-"
        told = drawn.by if drawn is not None else ""
        told_too = scene.by if scene is not None else "SURVIVES" if mutant.scene else ""
        print(f"{mutant.name:34} {seeds:>5}  {told:60} {told_too}", flush=True)
    print(f"{alive} alive; {time.monotonic() - start:.0f} s")
    return 1 if alive else 0


# Name, change, the scene that kills it, and within how many drawn scenarios the checkers do.
MUTANTS: tuple[Mutant, ...] = (
    Mutant("quorum f + 1", m.quorum_f_plus_one, None, 5),
    Mutant("quorum 2f + 1 for every n", m.quorum_of_3f_plus_1_for_all, None, 10),
    Mutant("a vote counts twice", m.one_vote_counts_twice, None, 5),
    Mutant("checkpoint without quorum", m.checkpoint_without_quorum, None, 5),
    Mutant("commit without quorum of prepares", m.commit_without_prepared_quorum, committed, 5),
    Mutant("two digests in one view", m.two_digests_in_one_view, two_proposals, 0),
    Mutant("gap below accepted", m.gap_below_is_accepted, skipped_height, 0),
    Mutant("watermark not enforced", m.watermark_not_enforced, slow_execution, 0),
    Mutant("delivered out of order", m.delivered_out_of_order, None, 5),
    Mutant("re-proposal judged by its time", m.time_of_a_re_proposal_judged_again, old_proposal, 0),
    Mutant("equivocation overlooked", m.equivocation_overlooked, equivocation, 0),
    Mutant("losses not repaired", m.losses_not_repaired, losses, 0),
    Mutant("vote before its record", m.vote_before_record, None, 5),
    Mutant("prepare not saved", m.unsaved(wal.SavedPrepare), None, 5),
    Mutant("prepared certificate not saved", m.unsaved(wal.SavedPrepared), None, 5),
    Mutant("promise not saved", m.unsaved(wal.SavedViewChange), None, 10),
    Mutant("prepare not replayed", m.unreplayed(wal.SavedPrepare), None, 10),
    Mutant("prepared not replayed", m.unreplayed(wal.SavedPrepared), committed_restart, 0),
    Mutant("promise not replayed", m.unreplayed(wal.SavedViewChange), lone_promise, 0),
    Mutant("new view not replayed", m.unreplayed(wal.SavedNewView), later_view, 0),
    Mutant("proposals forgotten by restart", m.unreplayed(wal.SavedProposal), None, 10),
    Mutant("compaction loses prepares", m.uncompacted(wal.SavedPrepare), compaction, 0),
    Mutant("compaction loses certificates", m.uncompacted(wal.SavedPrepared), compaction, 0),
    Mutant("compaction loses the promise", m.uncompacted(wal.SavedViewChange), compaction, 0),
    Mutant("delivered again after restart", m.delivered_again_after_restart, None, 5),
    Mutant("delivered again after sync", m.delivered_again_after_sync, lagging, 0),
    Mutant("diverged replica goes on", m.diverged_replica_goes_on, diverged, 0),
    Mutant("prepared evidence missing", m.evidence_missing, committed, 0),
    Mutant("evidence of executed missing", m.evidence_of_executed_missing, unstated, 0),
    Mutant("oldest certificate wins", m.oldest_certificate_wins, latest_view, 0),
    Mutant("lowest base wins", m.lowest_base_wins, highest_base, 0),
    Mutant("null requests missing", m.null_requests_missing, gaps, 0),
    Mutant("any NEW-VIEW accepted", m.any_new_view_accepted, usurper, 0),
    Mutant("promise not kept", m.promise_not_kept, None, 5),
    Mutant("joins at one higher view", m.joins_at_one_higher_view, huge_view, 0),
    Mutant("joins the highest view", m.joins_the_highest_view, huge_view_in_change, 0),
    Mutant("runs away alone", m.runs_away_alone, cut_off, 0),
    Mutant("silent keep their turns", m.silent_replicas_keep_their_turns, turns, 0),
    Mutant("clock not reset by progress", m.clock_not_reset, loaded, 0),
    Mutant("time-out never reset", m.time_out_never_reset, anew, 0),
    Mutant("time-out uncapped", m.time_out_uncapped, outage, 0),
    Mutant("withholding tolerated", m.withholding_tolerated, favourer, 0),
    Mutant("garbage kept", m.garbage_kept, None, 5),
    Mutant("early votes unbounded", m.early_votes_unbounded, flood, 0),
    Mutant("any statement kept", m.statements_of_any_height_kept, flood, 0),
    Mutant("past certificates kept", m.certificates_of_the_past_kept, None, 5),
    Mutant("proposals not validated", m.proposals_not_validated, None, 5),
    # Of epochs, heartbeats, and the watermark of execution.
    Mutant("votes above the last height", e.votes_above_the_last_height, partial(e.moved, 2), 0),
    Mutant("votes above what it executed", e.votes_above_what_it_executed, unexecuted, 0),
    Mutant("NEW-VIEW above the watermark", e.votes_on_all_that_a_new_view_orders, new_orders, 0),
    Mutant("next epoch taken for ours", e.next_epoch_taken_for_ours, beyond_the_end, 0),
    Mutant("retires before certified", e.retires_before_it_is_certified, partial(e.moved, 2), 0),
    Mutant("never retires", e.never_retires, partial(e.moved, 2), 0),
    Mutant("other epochs' promises accepted", e.view_change_of_another_epoch_accepted, foreign, 0),
    Mutant("log of the last epoch taken", e.old_log_taken_for_the_new_epoch, old_log, 0),
    Mutant("restart forgets the last height", e.restart_forgets_the_last_height, known_last, 0),
    Mutant("null proposal of a primary", e.null_proposal_of_a_primary_accepted, null_primary, 0),
    Mutant(
        "frames of other epochs taken", e.frames_of_other_epochs_accepted, partial(e.moved, 8), 0
    ),
)


if __name__ == "__main__":
    sys.exit(main())
