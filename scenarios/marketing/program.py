"""What is computed: how many travellers of each segment took the train, and what others paid."""

from __future__ import annotations

from collections.abc import Sequence

from executors.mpc.program import MEAN, SUM, Measure, StatisticsProgram
from scenarios.grid import Asked
from scenarios.marketing.data import COST, GRID, SEGMENT, WAIT

ASKED = Asked(
    column=SEGMENT,
    measures=(
        Measure(COST, 0, 10, (SUM, MEAN), ()),  # the dearest way cost 180 dollars
        Measure(WAIT, 0, 8, (SUM, MEAN), ()),  # the longest wait was 99 minutes
    ),
    group_size_min=5,  # of 210 travellers: a smaller cell says too much about few of them
    rows_step=50,
)


def program_for(row_counts: Sequence[int]) -> StatisticsProgram:
    """The program for suppliers that have catalogued so many rows each, in the task's order."""
    return GRID.program(ASKED, row_counts)
