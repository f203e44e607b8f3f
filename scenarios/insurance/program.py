"""What is computed: claims by plan, in dollars and in visits."""

from __future__ import annotations

from collections.abc import Sequence

from executors.mpc.program import (
    MEAN,
    MEDIAN,
    SUM,
    VARIANCE,
    VERSION,
    Measure,
    Quantile,
    StatisticsProgram,
)
from scenarios.insurance.data import PLANS

ROWS_STEP = 500  # row bounds are rounded up, so that they tell less than the counts
GROUP_SIZE_MIN = 30  # fewer person-years are suppressed: no tariff rests on less
CLAIMS = "meddol"
VISITS = "mdvis"
INPATIENT = "inpdol"
UPPER = (Quantile(3, 4), Quantile(9, 10))

MEASURES = (
    # Dollars to the cent; 24 bits reach 167,772.15, the dearest year cost 39,182.02.
    Measure(CLAIMS, 2, 24, (SUM, MEAN, VARIANCE, MEDIAN), UPPER),
    Measure(INPATIENT, 2, 24, (SUM, MEAN), ()),
    Measure(VISITS, 0, 8, (SUM, MEAN, VARIANCE, MEDIAN), UPPER),
)


def program_for(row_counts: Sequence[int]) -> StatisticsProgram:
    """The program for suppliers that have catalogued so many rows each, in the task's order."""
    return StatisticsProgram(
        version=VERSION,
        measures=MEASURES,
        group_by="plan",
        groups=tuple(sorted(PLANS)),
        counts=True,
        rows=tuple(-(-count // ROWS_STEP) * ROWS_STEP for count in row_counts),
        group_size_min=GROUP_SIZE_MIN,
    )
