"""Makes a failing scenario small: what is left is needed for the failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.sim.pool import attempt
from tests.sim.script import Crash, Cut, Fault, Mood, Scenario, execute

RUNS_MAX = 300  # scenarios tried; a minute or so
DURATION_MS_MIN = 200

Fails = Callable[[Scenario], bool]


def fails(scenario: Scenario) -> bool:
    return isinstance(attempt(execute, scenario), str)


def shrunk(scenario: Scenario, is_failing: Fails = fails) -> Scenario:
    """A scenario that fails too, with nothing in it that could be left out (delta debugging).

    Whether it fails for the same reason is not asked: any failure is one to be mended.
    """
    tries = 0
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for smaller in candidates(scenario):
            tries += 1
            if tries > RUNS_MAX:
                return scenario
            if is_failing(smaller):
                scenario, is_smaller = smaller, True
                break
    return scenario


def candidates(scenario: Scenario) -> Iterator[Scenario]:
    """Smaller scenarios, the much smaller ones first. None of them is the same."""
    yield from _shorter(scenario)
    yield from _with_fewer_faults(scenario)
    for one in scenario.liars:
        yield replace(scenario, liars=tuple(liar for liar in scenario.liars if liar != one))
    yield from _calmer(scenario)
    yield from _with_smaller_faults(scenario)


def _shorter(scenario: Scenario) -> Iterator[Scenario]:
    """Cut the end off; what would begin after it goes with it."""
    for eighths in (4, 6, 7):
        duration_ms = scenario.duration_ms * eighths // 8
        if duration_ms >= DURATION_MS_MIN:
            kept = tuple(fault for fault in scenario.faults if fault.at_ms < duration_ms)
            yield replace(scenario, duration_ms=duration_ms, faults=kept)


def _calmer(scenario: Scenario) -> Iterator[Scenario]:
    calm = (
        replace(scenario, loss=0.0),
        replace(scenario, duplication=0.0),
        replace(scenario, delay_ms_max=20),
        replace(scenario, skews_ms=()),
    )
    yield from (one for one in calm if one != scenario)


def _with_fewer_faults(scenario: Scenario) -> Iterator[Scenario]:
    """Without one half, one quarter, ... of the faults, at last without each."""
    faults = scenario.faults
    chunk = (len(faults) + 1) // 2
    while chunk:
        for start in range(0, len(faults), chunk):
            yield replace(scenario, faults=faults[:start] + faults[start + chunk :])
        chunk //= 2


def _with_smaller_faults(scenario: Scenario) -> Iterator[Scenario]:
    for place, fault in enumerate(scenario.faults):
        for smaller in _smaller(fault):
            faults = (*scenario.faults[:place], smaller, *scenario.faults[place + 1 :])
            yield replace(scenario, faults=faults)


def _smaller(fault: Fault) -> Iterator[Fault]:
    if isinstance(fault, Mood):
        for one in fault.to:
            yield replace(fault, to=tuple(lost for lost in fault.to if lost != one))
        for one in fault.by:
            yield replace(fault, by=tuple(lost for lost in fault.by if lost != one))
    elif isinstance(fault, Cut):
        if fault.period_ms:
            yield replace(fault, period_ms=0)
        for member in fault.group if len(fault.group) > 1 else ():
            yield replace(fault, group=tuple(one for one in fault.group if one != member))
    elif isinstance(fault, Crash) and fault.down_ms > 1:
        yield replace(fault, down_ms=fault.down_ms // 2)


def as_test(scenario: Scenario, name: str) -> str:
    """A test that runs the scenario, to be pasted into tests/sim/scenes."""
    return f"def test_{name}() -> None:\n    execute(\n        {scenario!r}\n    )\n"
