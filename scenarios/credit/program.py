"""What is computed: how many firms of each kind repaid, what they borrowed, how they grew."""

from __future__ import annotations

from collections.abc import Sequence

from executors.mpc.program import SUM, Measure, StatisticsProgram
from scenarios.credit.data import CELL, GRID, GROWN, LOAN
from scenarios.grid import Asked

ASKED = Asked(
    column=CELL,
    measures=(
        Measure(LOAN, 0, 16, (SUM,), ()),  # a loan is below 4,096 ten thousand yuan
        Measure(GROWN, 1, 16, (SUM,), ()),  # within 102.3 percent either way
    ),
    group_size_min=5,  # firms: a smaller cell says too much about few of them
    rows_step=500,
)


def program_for(row_counts: Sequence[int]) -> StatisticsProgram:
    """The program for suppliers that have catalogued so many rows each, in the task's order."""
    return GRID.program(ASKED, row_counts)
