"""A failing scenario is made small, and what is left is Python."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.sim import script
from tests.sim.__main__ import main as sim_main
from tests.sim.draws import SCRIPTED_FROM, draw
from tests.sim.mutants import MUTANTS, applied
from tests.sim.script import Crash, Cut, Mood, Scenario, execute
from tests.sim.shrink import as_test, candidates, fails, shrunk

CRASH = Crash(at_ms=900, node=2, down_ms=800)


def test_what_does_not_matter_is_left_out() -> None:
    scenario = draw(SCRIPTED_FROM + 7)
    scenario = replace(scenario, faults=(*scenario.faults, CRASH))

    def has_crash(smaller: Scenario) -> bool:
        return any(isinstance(one, Crash) and one.node == 2 for one in smaller.faults)

    small = shrunk(scenario, has_crash)
    assert small.faults == (Crash(at_ms=900, node=2, down_ms=1),)
    assert not small.liars and not small.skews_ms
    assert (small.loss, small.duplication, small.delay_ms_max) == (0.0, 0.0, 20)
    assert 900 < small.duration_ms <= 1_000


def test_candidates_are_all_different_from_the_scenario_and_end() -> None:
    for seed in range(SCRIPTED_FROM, SCRIPTED_FROM + 50):
        scenario = draw(seed)
        assert scenario not in list(candidates(scenario))


def test_links_and_lost_kinds_are_left_out_one_by_one() -> None:
    faults = (
        Cut(at_ms=10, for_ms=10, group=(0, 1, 2), way="in", period_ms=5),
        Mood(at_ms=20, for_ms=10, to=(("Commit", 1), ("Prepare", 2)), by=(("Status", 0),)),
    )
    scenario = Scenario(seed=1, size=4, duration_ms=200, every_ms=100, faults=faults)

    def needs(smaller: Scenario) -> bool:
        cuts = [one for one in smaller.faults if isinstance(one, Cut) and 1 in one.group]
        moods = [one for one in smaller.faults if isinstance(one, Mood)]
        return bool(cuts) and any(("Prepare", 2) in one.to for one in moods)

    assert shrunk(scenario, needs).faults == (
        Cut(at_ms=10, for_ms=10, group=(1,), way="in"),
        Mood(at_ms=20, for_ms=10, to=(("Prepare", 2),)),
    )


def test_what_is_printed_is_python_that_makes_the_same_scenario() -> None:
    for seed in range(SCRIPTED_FROM, SCRIPTED_FROM + 20):
        scenario = draw(seed)
        executed: list[Scenario] = []
        names = {**vars(script), "execute": executed.append}
        exec(as_test(scenario, "it") + "test_it()\n", names)
        assert executed == [scenario]


@pytest.mark.slow
def test_violation_of_a_protocol_with_a_mistake_is_shrunk_and_still_fails() -> None:
    (mutant,) = (one for one in MUTANTS if one.name == "promise not kept")
    with applied(mutant):
        seed = next(s for s in range(SCRIPTED_FROM, SCRIPTED_FROM + 20) if fails(draw(s)))
        scenario = draw(seed)
        small = shrunk(scenario)
        assert fails(small)
        assert len(small.faults) + len(small.liars) <= 2
        assert small.duration_ms <= scenario.duration_ms
    assert not fails(small), "the protocol itself is right"


def test_failing_seed_is_reported_with_its_line_and_a_test(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sim", "--runs", "1", "--seed", str(SCRIPTED_FROM), "--jobs", "1"]
    monkeypatch.setattr("sys.argv", arguments)
    assert sim_main() == 0
    assert "1 scenarios in" in capsys.readouterr().out
    (mutant,) = (one for one in MUTANTS if one.name == "vote before its record")
    with applied(mutant):
        assert sim_main() == 1
    told = capsys.readouterr().out
    assert f"python -m tests.sim --runs 1 --seed {SCRIPTED_FROM}\n" in told
    assert "def test_seed_3000() -> None:\n    execute(\n        Scenario(seed=3000, size=4" in told


def test_every_fault_of_a_scenario_happens_and_ends() -> None:
    scenario = Scenario(
        seed=5,
        size=4,
        duration_ms=3_000,
        every_ms=100,
        faults=(
            script.Tear(at_ms=100, node=1, effects=3, down_ms=500),
            script.ClockStop(at_ms=200, for_ms=300, node=2),
            script.ClockJump(at_ms=300, node=3, by_ms=50_000),
            script.Slow(at_ms=400, for_ms=500, node=0, execution_ms_max=400),
            script.Cut(at_ms=1_000, for_ms=1_000, group=(0,), way="out", period_ms=100),
            script.Mood(at_ms=2_000, for_ms=500, to=(("Commit", 1),)),
            script.Crash(at_ms=2_500, node=3, down_ms=2_000),
        ),
    )
    outcome = execute(scenario)
    assert outcome == execute(scenario)
    assert outcome.heights > 10
