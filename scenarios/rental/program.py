"""What is computed: norms of use by number of bedrooms."""

from __future__ import annotations

from collections.abc import Sequence

from executors.mpc.program import (
    MEAN,
    MEDIAN,
    VERSION,
    Measure,
    Quantile,
    StatisticsProgram,
)
from scenarios.rental.data import BEDROOMS

ROWS_STEP = 500  # row bounds are rounded up, so that they tell less than the counts
GROUP_SIZE_MIN = 30  # fewer dwellings are suppressed: no norm rests on less
HIGH = Quantile(9, 10)  # what nine of ten dwellings of that size stay below
UTILITIES = ("water", "power", "gas")
PARCELS = "parcels"

MEASURES = (
    # Tenths of the unit; 16 bits reach 6,553.5, twenty people use a third of that.
    *(Measure(name, 1, 16, (MEAN, MEDIAN), (HIGH,)) for name in UTILITIES),
    Measure(PARCELS, 0, 10, (MEAN, MEDIAN), (HIGH,)),
)


def program_for(row_counts: Sequence[int]) -> StatisticsProgram:
    """The program for suppliers that have catalogued so many rows each, in the task's order."""
    return StatisticsProgram(
        version=VERSION,
        measures=MEASURES,
        group_by="bedrooms",
        groups=BEDROOMS,
        counts=True,
        rows=tuple(-(-count // ROWS_STEP) * ROWS_STEP for count in row_counts),
        group_size_min=GROUP_SIZE_MIN,
    )
