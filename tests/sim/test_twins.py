"""A fixed part of the schedules of twins; `make twins` runs all of them."""

from __future__ import annotations

from functools import cache

import pytest

from tests.sim.checkers import Violation
from tests.sim.mutants import MUTANTS, applied
from tests.sim.twins import Twins, count, led_by, moved, renamings, run, schedules
from tests.sim.twins import main as twins_main

EVERY = 151  # of the schedules of two views: prime, so that no column of them is left out
FIRST = (
    98  # ... from here on: among these is one that a NEW-VIEW with the lowest base does not pass
)


@cache
def part() -> list[Twins]:
    """All of one view and any partition; some of two views and two cells."""
    return [*schedules(1, 2, 5), *list(schedules(2, 4, 2))[FIRST::EVERY]]


@pytest.mark.slow
def test_schedules_of_twins_keep_every_promise() -> None:
    ran = [run(twins) for twins in part()]
    assert sum(one.accusations > 0 for one in ran) > len(ran) / 20, "twins contradict each other"
    assert max(one.view for one in ran) >= 2


@pytest.mark.parametrize(("views", "rounds", "cells"), [(1, 1, 5), (1, 2, 5), (2, 3, 2)])
def test_enumeration_holds_what_the_formula_counts(views: int, rounds: int, cells: int) -> None:
    made = set(schedules(views, rounds, cells))
    assert len(made) == count(views, rounds, cells)
    assert all(len(one.partitions) == rounds and len(one.primaries) == views for one in made)


def test_no_two_schedules_differ_only_by_names() -> None:
    seen: set[Twins] = set()
    for twins in schedules(1, 2, 3):
        images = {
            Twins(
                primaries=tuple(moved((one,), renaming)[0] for one in twins.primaries),
                partitions=tuple(moved(one, renaming) for one in twins.partitions),
            )
            for renaming in renamings()
        }
        assert not images & seen
        seen |= images


def test_odd_rounds_leave_the_first_round_whole() -> None:
    twins = Twins(primaries=(0, 1), partitions=((0, 0, 0, 1, 1), (0, 1, 0, 1, 0), (0, 1, 1, 1, 1)))
    assert twins.partition(0, is_committing=False) == (0,) * 5
    assert twins.partition(0, is_committing=True) == (0, 0, 0, 1, 1)
    assert twins.partition(1, is_committing=False) == (0, 1, 0, 1, 0)
    assert twins.partition(1, is_committing=True) == (0, 1, 1, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "schedules_max"),
    [
        ("quorum f + 1", 5),
        ("two digests in one view", 5),
        ("promise not kept", 5),
        ("commit without quorum of prepares", 50),
        ("losses not repaired", 100),
        ("prepared evidence missing", 50),
        ("lowest base wins", 2_000),
    ],
)
def test_protocol_with_a_mistake_fails_a_schedule(name: str, schedules_max: int) -> None:
    (mutant,) = (one for one in MUTANTS if one.name == name)
    with applied(mutant), pytest.raises(Violation):
        for twins in part()[:schedules_max]:
            run(twins)


def test_leaders_are_put_back() -> None:
    with led_by((3,)):
        pass
    assert run(part()[0]).view == 1


def test_command_runs_all_schedules_or_names_the_one_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["twins", "--rounds", "2", "--cells", "1", "--jobs", "1"])
    assert twins_main() == 0
    assert "2 schedules in" in capsys.readouterr().out
    (mutant,) = (one for one in MUTANTS if one.name == "quorum f + 1")
    with applied(mutant):
        assert twins_main() == 1
    assert "FAILED: Twins(primaries=(0,), partitions=(" in capsys.readouterr().out
