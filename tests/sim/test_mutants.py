"""The checkers can fail: every protocol with a mistake dies, by its scene and within its seeds."""

from __future__ import annotations

import pytest

from tests.sim.mutants import MUTANTS, Mutant, applied, kill_by_scene, kill_by_seeds
from tests.sim.scenario import run


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_killed(mutant: Mutant) -> None:
    assert mutant.scene is not None or mutant.seeds
    if mutant.seeds:
        assert kill_by_seeds(mutant, mutant.seeds) is not None, "the checkers let it live"
    if mutant.scene is not None:
        assert kill_by_scene(mutant) is not None, "its scene lets it live"


def test_mistakes_are_undone() -> None:
    before = run(1)
    for mutant in MUTANTS:
        with applied(mutant):
            pass
    assert run(1) == before
