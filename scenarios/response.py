"""A model of who responds, from joint counts: the last factor of a grid is what happened or not.

Counts by segment determine the model fully, so one fitted to the counts that came out of the joint
computation is the one that all rows together give, except for segments in which a count was
suppressed: they are left out, and the difference that makes is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from executors.mpc.program import COUNT
from executors.mpc.results import Result
from scenarios.glm import Fit, Vector, chance, fit_logit
from scenarios.grid import Grid, Levels
from scenarios.record import ScenarioFailed

GAP_MAX = 1e-6  # standard errors: equal counts give equal models, but for rounding


@dataclass(frozen=True, slots=True)
class Tally:
    """Of each segment how many rows there are, and in how many of them it happened."""

    segments: tuple[Levels, ...]
    hits: tuple[int, ...]
    trials: tuple[int, ...]
    hidden: tuple[Levels, ...]  # segments with a suppressed count: nothing is known of them

    @property
    def rate(self) -> float:
        """The share of hits among all rows that were counted."""
        return sum(self.hits) / sum(self.trials)


@dataclass(frozen=True, slots=True)
class Model:
    """Log odds by main effects of the segment's factors."""

    grid: Grid  # of segments
    fit: Fit

    def propensity(self, segments: Sequence[Levels]) -> tuple[float, ...]:
        """The modelled chance in each segment, also where its own count was suppressed."""
        return tuple(chance(self.fit.linear(self.grid.design(segments))).tolist())


def tally_results(grid: Grid, results: Sequence[Result]) -> Tally:
    """The counts in joint results of a program over `grid`. Raises ScenarioFailed."""
    counts = {cell: int(value) for cell, value in grid.read(results, "", COUNT).items()}
    return _tally(grid, counts, hides_missing=True)


def tally_rows(grid: Grid, cells: Iterable[Levels]) -> Tally:
    """The counts over rows themselves, each given by its cell: for the check, nobody has them."""
    return _tally(grid, Counter(cells), hides_missing=False)


def model_of(grid: Grid, tally: Tally) -> Model:
    """The model of main effects. Raises ScenarioFailed when the counts determine none."""
    segments = grid.without_last()
    hits, trials = np.array(tally.hits, dtype=np.float64), np.array(tally.trials, dtype=np.float64)
    return Model(segments, fit_logit(segments.terms, segments.design(tally.segments), hits, trials))


@dataclass(frozen=True, slots=True)
class Beside:
    """A joint model beside the one over all rows."""

    gap: float  # of the term that is furthest off, in standard errors of the model over all rows
    said: str


def beside(joint: Model, tally: Tally, rows: Model) -> Beside:
    """What suppression cost the model of `tally`, whose counts came out of a joint computation.

    Raises ScenarioFailed where nothing was suppressed and the models differ all the same.
    """
    assert joint.fit.terms == rows.fit.terms
    triples = zip(joint.fit.values, rows.fit.values, rows.fit.errors, strict=True)
    gap = max(abs(mine - theirs) / error for mine, theirs, error in triples)
    if tally.hidden:
        segments = len(tally.segments) + len(tally.hidden)
        return Beside(
            gap,
            f"{len(tally.hidden)} of {segments} segments suppressed, which moves no term by more "
            f"than {gap:.2f} standard errors of the model over all rows",
        )
    if gap > GAP_MAX:
        raise ScenarioFailed(
            f"no segment is suppressed, and yet the model of joint counts is {gap:g} standard "
            "errors from the one over all rows"
        )
    return Beside(gap, "no segment is suppressed: it is the model over all rows")


def auc(scores: Sequence[float], tally: Tally) -> float:
    """The chance that a row with a hit scores above one without; equal scores count half.

    Mann and Whitney's statistic from counts; `scores` in the order of the tally's segments.
    """
    hits: Vector = np.array(tally.hits, dtype=np.float64)
    misses: Vector = np.array(tally.trials, dtype=np.float64) - hits
    score = np.array(scores)
    above = (score[:, None] > score[None, :]) + 0.5 * (score[:, None] == score[None, :])
    return float(hits @ above @ misses) / float(hits.sum() * misses.sum())


def _tally(grid: Grid, counts: dict[Levels, int], *, hides_missing: bool) -> Tally:
    miss, hit = grid.factors[-1].levels
    shown: list[Levels] = []
    hidden: list[Levels] = []
    for segment in grid.without_last().cells:
        both = ((*segment, miss), (*segment, hit))
        is_hidden = hides_missing and not all(cell in counts for cell in both)
        (hidden if is_hidden else shown).append(segment)
    return Tally(
        segments=tuple(shown),
        hits=tuple(counts.get((*segment, hit), 0) for segment in shown),
        trials=tuple(
            counts.get((*segment, miss), 0) + counts.get((*segment, hit), 0) for segment in shown
        ),
        hidden=tuple(hidden),
    )
