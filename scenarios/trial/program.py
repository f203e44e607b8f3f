"""What is computed: patients by stratum, and how what the trial measures varies among them."""

from __future__ import annotations

from collections.abc import Sequence

from executors.mpc.program import MEAN, MEDIAN, VARIANCE, VERSION, Measure, StatisticsProgram
from scenarios.trial.data import OUT, STRATA

ROWS_STEP = 500  # row bounds are rounded up, so that they tell less than the counts
GROUP_SIZE_MIN = 20  # fewer patients are suppressed: a stratum must not point at anybody
WEIGHT = "weight"
AGE = "age"
VISITS = "visits"

MEASURES = (
    Measure(WEIGHT, 0, 16, (MEAN, VARIANCE), ()),  # grams; the heaviest child had 5,500
    Measure(AGE, 0, 8, (MEAN, MEDIAN), ()),
    Measure(VISITS, 0, 8, (MEDIAN,), ()),
)


def program_for(row_counts: Sequence[int]) -> StatisticsProgram:
    """The program for suppliers that have catalogued so many rows each, in the task's order."""
    return StatisticsProgram(
        version=VERSION,
        measures=MEASURES,
        group_by="stratum",
        groups=tuple(sorted((*STRATA, OUT))),
        counts=True,
        rows=tuple(-(-count // ROWS_STEP) * ROWS_STEP for count in row_counts),
        group_size_min=GROUP_SIZE_MIN,
    )
