"""Where each statistic of a program stands in the two output vectors of its computation.

`whole` holds integers: the flags of the groups shown, counts, sums, and quantiles times their
`parts`. `fixed` holds fixed-point numbers: means and variances. `statistics` fills them,
`results` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

from executors.mpc.program import (
    COUNT,
    MEAN,
    SUM,
    VARIANCE,
    Cell,
    Measure,
    StatisticsProgram,
    cells,
    ranks_of,
)

DEVIATION_BITS = 21  # of a deviation from the mean: its square must stay below 2^46 (2^126 raw)


@dataclass(frozen=True, slots=True)
class Layout:
    whole_size: int
    fixed_size: int
    places: dict[Cell, int]  # in `fixed` for means and variances, else in `whole`


def layout_of(program: StatisticsProgram) -> Layout:
    """The places of all cells; each statistic is a run of `group_count` numbers."""
    groups = program.group_count
    whole: list[tuple[int, str]] = [(-1, "shown")]
    fixed: list[tuple[int, str]] = []
    if program.counts:
        whole.append((-1, COUNT))
    for index, measure in enumerate(program.measures):
        if SUM in measure.statistics:
            whole.append((index, SUM))
        fixed.extend((index, name) for name in (MEAN, VARIANCE) if name in measure.statistics)
        whole.extend((index, str(rank)) for rank in ranks_of(measure))
    starts = {run: position * groups for run, position in _numbered(whole)}
    starts.update({run: position * groups for run, position in _numbered(fixed)})
    places = {cell: starts[cell.measure, _run_name(cell)] + cell.group for cell in cells(program)}
    return Layout(len(whole) * groups, max(1, len(fixed)) * groups, places)


def variance_shift(measure: Measure) -> int:
    """How many bits a column is scaled down before deviations are squared."""
    return max(0, measure.bits + 1 - DEVIATION_BITS)


def _numbered(runs: list[tuple[int, str]]) -> list[tuple[tuple[int, str], int]]:
    return [(run, position) for position, run in enumerate(runs)]


def _run_name(cell: Cell) -> str:
    return str(cell.quantile) if cell.quantile is not None else cell.statistic
