"""A short run of the simulator; `make sim RUNS= SEED=` does long ones."""

from __future__ import annotations

import pytest

from ledger.model import ValidatorSet
from tests.sim import moving
from tests.sim.draws import SCRIPTED_FROM, run
from tests.sim.pool import results

# Seeds that found something once; what it was stands beside them.
FOUND = (
    85,  # a certificate from sync and from votes at the same time
    156,  # one certificate lost on all nodes: everyone waited for it and nobody had it
    430,  # a liar's signature made a later certificate possible, but not the one below
    1139,  # a vote that was durable before a crash and a promise, and said after both
    1353,  # a transaction that only one replica knows, withheld by the primary
)


SEEDS = (
    *range(1, 11),
    *range(2_000, 2_011),
    *range(SCRIPTED_FROM, SCRIPTED_FROM + 30),
    *FOUND,
)


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_scenario_keeps_every_promise(seed: int) -> None:
    run(seed)


@pytest.mark.parametrize("seed", range(1, 21))
def test_drawn_network_whose_committee_changes_keeps_every_promise(seed: int) -> None:
    moving.run(seed)


def test_seed_means_the_same_in_every_process() -> None:
    """Other processes hash differently: an outcome that hung on that could not be reproduced."""
    seeds = [1, 2, SCRIPTED_FROM]
    assert list(results(run, seeds, jobs=2, chunk=1)) == [run(seed) for seed in seeds]


def test_violation_is_reported_with_its_traceback_and_ends_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ValidatorSet, "quorum", property(lambda self: self.fault_bound + 1))
    (report,) = results(run, range(1, 4), jobs=1, chunk=1)
    assert isinstance(report, str) and "Violation" in report
