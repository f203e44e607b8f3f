"""Random acts that are the same each time, for tests that ask what must have happened.

`derandomize` alone leaves a way for luck: Hypothesis draws one value in twenty from the constants
of those of our modules that this process happens to have imported, so that acts depend on the
tests that ran before, and on every number that anybody writes anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from hypothesis import settings
from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


@contextmanager
def without_constants() -> Iterator[None]:
    """Draws come from the generator of the test alone."""
    with mock.patch.object(HypothesisProvider, "_maybe_draw_constant", return_value=None):
        yield


def run_pinned(machine: type[RuleBasedStateMachine], *, examples: int, steps: int) -> None:
    """Runs so many examples of up to so many steps; which ones, the source of the machine says."""
    bounds = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
    )
    with without_constants():
        run_state_machine_as_test(machine, settings=bounds)
