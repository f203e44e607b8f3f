"""What is computed: seizures by severity before and treatment, over all hospitals."""

from __future__ import annotations

from collections.abc import Sequence

from executors.mpc.program import MEAN, SUM, VARIANCE, Measure, StatisticsProgram
from scenarios.drug.data import AGE, GRID, GROUP, PERIODS, SEIZURES
from scenarios.grid import Asked

ASKED = Asked(
    column=GROUP,
    measures=(
        Measure(SEIZURES, 0, 8, (SUM, MEAN, VARIANCE), ()),  # 102 in two weeks were the most
        Measure(AGE, 0, 8, (MEAN,), ()),
    ),
    group_size_min=3 * PERIODS,  # three patients: a smaller group would show one of them
    rows_step=20,
)


def program_for(row_counts: Sequence[int]) -> StatisticsProgram:
    """The program for suppliers that have catalogued so many rows each, in the task's order."""
    return GRID.program(ASKED, row_counts)
