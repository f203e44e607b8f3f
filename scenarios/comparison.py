"""The joint results beside the plain computation over the pooled rows.

The pool exists in this demonstration only, to show that the joint computation is right: in earnest
nobody has it, which is the point. Counts, sums, medians and quantiles must be equal; means and
variances are fixed-point numbers and must be within a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from executors.mpc.plain import Difference, PlainRows, differences, plain_results
from executors.mpc.program import MEAN, VARIANCE, StatisticsProgram
from executors.mpc.results import Result
from scenarios.record import ScenarioFailed
from scenarios.sheet import Sheet

RELATIVE_MAX = 1e-6  # of means and variances; what people decide on has four digits


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far one kind of statistic of one column is off, at most, over all groups."""

    column: str
    statistic: str
    values: int
    absolute: float
    relative: float
    is_exact: bool  # must be equal, not only close


def pooled_results(program: StatisticsProgram, sheets: Sequence[Sheet]) -> tuple[Result, ...]:
    """The plain computation over the rows of all suppliers together."""
    return plain_results(program, [_plain_rows(program, sheet) for sheet in sheets])


def compare(joint: Sequence[Result], pooled: Sequence[Result]) -> tuple[Agreement, ...]:
    """The largest difference by column and statistic. Raises ScenarioFailed beyond the bound."""
    by_kind: dict[tuple[str, str], list[Difference]] = {}
    for difference in differences(joint, pooled):
        by_kind.setdefault((difference.column, difference.statistic), []).append(difference)
    found = tuple(_agreement(*kind, many) for kind, many in by_kind.items())
    for one in found:
        if one.absolute > 0 if one.is_exact else one.relative > RELATIVE_MAX:
            raise ScenarioFailed(
                f"{one.statistic} of {one.column or 'rows'}: joint and pooled results differ by "
                f"{one.absolute:g} ({one.relative:g} of the value), more than allowed"
            )
    return found


def _agreement(column: str, statistic: str, many: Sequence[Difference]) -> Agreement:
    return Agreement(
        column=column,
        statistic=statistic,
        values=len(many),
        absolute=max(one.absolute for one in many),
        relative=max(one.relative for one in many),
        is_exact=statistic not in (MEAN, VARIANCE),
    )


def _plain_rows(program: StatisticsProgram, sheet: Sheet) -> PlainRows:
    return PlainRows(
        codes=np.array(_codes(program, sheet), dtype=np.int64),
        values=tuple(
            np.array(sheet.wholes(measure.column, measure.decimals), dtype=np.int64)
            for measure in program.measures
        ),
    )


def _codes(program: StatisticsProgram, sheet: Sheet) -> list[int]:
    if not program.group_by:
        return [0] * len(sheet.rows)
    codes = {label: code for code, label in enumerate(program.groups)}
    return [codes[label] for label in sheet.cells(program.group_by)]
