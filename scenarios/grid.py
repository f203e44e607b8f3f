"""Rows sorted into the cells of a few factors, and what was counted in each cell.

The engine groups by one column of labels. A scenario that asks about several properties at once
lets suppliers write them as one label, `low/alone/train`, with this grid on both sides. What comes
out are counts by cell, which is all that a model of these factors needs to know of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from executors.mpc.program import VERSION, Measure, StatisticsProgram
from executors.mpc.results import Result
from scenarios.record import ScenarioFailed

SEPARATOR = "/"
INTERCEPT = "intercept"

Levels = tuple[str, ...]  # one level of each factor, in the order of the factors
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Factor:
    """A property with few values. `levels` are in order, each with how people read it."""

    name: str
    levels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the rows in each cell of a grid, but for how many rows there are.

    `rows_step`: row bounds are rounded up to it, so that they tell less than the counts.
    """

    column: str  # that has the labels
    measures: tuple[Measure, ...]
    group_size_min: int
    rows_step: int


@dataclass(frozen=True, slots=True)
class Grid:
    """All combinations of the levels of some factors."""

    factors: tuple[Factor, ...]

    @property
    def cells(self) -> tuple[Levels, ...]:
        """Every cell, the last factor changing first."""
        return tuple(product(*(factor.levels for factor in self.factors)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The engine's dictionary of groups: ascending."""
        return tuple(sorted(map(label_of, self.cells)))

    def program(self, asked: Asked, row_counts: Sequence[int]) -> StatisticsProgram:
        """For suppliers that have catalogued so many rows each, in the task's order."""
        return StatisticsProgram(
            version=VERSION,
            measures=asked.measures,
            group_by=asked.column,
            groups=self.labels,
            counts=True,
            rows=tuple(-(-count // asked.rows_step) * asked.rows_step for count in row_counts),
            group_size_min=asked.group_size_min,
        )

    def read(self, results: Sequence[Result], column: str, statistic: str) -> dict[Levels, float]:
        """One statistic by cell, without the suppressed cells.

        Raises ScenarioFailed where a cell has no such result, for then another program was
        computed, and for a value that is no number.
        """
        found = {
            one.group: one for one in results if (one.column, one.statistic) == (column, statistic)
        }
        missing = set(self.labels) - set(found)
        if missing:
            raise ScenarioFailed(
                f"no {statistic} of {column or 'rows'} for {', '.join(sorted(missing))}: the "
                "results are of another program"
            )
        return {
            cell: _number(found[label_of(cell)])
            for cell in self.cells
            if not found[label_of(cell)].is_suppressed
        }

    def reading(self, cell: Levels) -> tuple[str, ...]:
        """A cell in words, factor by factor."""
        return tuple(factor.levels[level] for factor, level in zip(self.factors, cell, strict=True))

    def without_last(self) -> Grid:
        """The grid of all factors but the last."""
        return Grid(self.factors[:-1])

    @property
    def terms(self) -> tuple[str, ...]:
        """What a model of main effects estimates: the first level of each factor is the base."""
        effects = [
            f"{factor.name}={level}" for factor in self.factors for level in list(factor.levels)[1:]
        ]
        return (INTERCEPT, *effects)

    def design(self, cells: Sequence[Levels]) -> Matrix:
        """A row of zeros and ones for each cell, a column for each of `terms`."""
        rows = [[1.0, *self._dummies(cell)] for cell in cells]
        return np.array(rows, dtype=np.float64)

    def _dummies(self, cell: Levels) -> list[float]:
        return [
            float(mine == level)
            for factor, mine in zip(self.factors, cell, strict=True)
            for level in list(factor.levels)[1:]
        ]


def _number(result: Result) -> float:
    """Results that were delivered are as their sender wrote them."""
    try:
        number = float(result.value)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise ScenarioFailed(f"{result.statistic} of {result.group} is no number: {result.value!r}")
    return number


def label_of(cell: Levels) -> str:
    """The label of a cell, as it stands in a supplier's file."""
    return SEPARATOR.join(cell)
