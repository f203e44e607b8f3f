"""The same statistics over plain columns with exact arithmetic: what the joint result must equal.

For tests and for scenarios that show the difference; an executor never has all the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from executors.mpc.program import (
    COUNT,
    MEAN,
    SUM,
    VARIANCE,
    Cell,
    Measure,
    Quantile,
    StatisticsProgram,
    cells,
)
from executors.mpc.results import Result, named_results

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PlainRows:
    """The rows of one participant: a code per row, and a scaled whole number per measure."""

    codes: Whole  # index of the row's group in the program's dictionary
    values: tuple[Whole, ...]  # in the order of the program's measures


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a joint result is from the plain one."""

    group: str
    column: str
    statistic: str
    joint: str
    plain: str
    absolute: float
    relative: float  # absolute / |plain|; absolute where plain is 0


def plain_results(program: StatisticsProgram, rows: Sequence[PlainRows]) -> tuple[Result, ...]:
    """The results over the rows of all participants together."""
    codes = np.concatenate([part.codes for part in rows])
    columns = [
        np.concatenate([part.values[index] for part in rows])
        for index in range(len(program.measures))
    ]
    values: dict[Cell, Fraction | None] = {}
    for cell in cells(program):
        member = codes == cell.group
        count = int(member.sum())
        if count < program.group_size_min:
            values[cell] = None
        elif cell.statistic == COUNT:
            values[cell] = Fraction(count)
        else:
            chosen = columns[cell.measure][member]
            values[cell] = _statistic(cell, program.measures[cell.measure], chosen)
    return named_results(program, values)


def differences(joint: Sequence[Result], plain: Sequence[Result]) -> tuple[Difference, ...]:
    """Pairwise differences of two lists of results of one program. Raises ValueError."""
    if [_key(result) for result in joint] != [_key(result) for result in plain]:
        raise ValueError("the two lists answer different questions")
    return tuple(_difference(a, b) for a, b in zip(joint, plain, strict=True))


def _statistic(cell: Cell, measure: Measure, values: Whole) -> Fraction:
    unit = Fraction(1, 10**measure.decimals)
    count = len(values)
    whole: list[int] = values.tolist()
    total = sum(whole)  # Python's integers do not overflow
    if cell.statistic == SUM:
        return total * unit
    if cell.statistic == MEAN:
        return Fraction(total, count) * unit
    if cell.statistic == VARIANCE:
        squares = sum(value * value for value in whole)
        return Fraction(squares * count - total * total, count * (count - 1)) * unit * unit
    assert cell.quantile is not None, "every other statistic is a quantile"
    return _quantile(np.sort(values), cell.quantile) * unit


def _quantile(ordered: Whole, quantile: Quantile) -> Fraction:
    rank, remainder = divmod((len(ordered) - 1) * quantile.part, quantile.parts)
    below = int(ordered[rank])
    above = int(ordered[min(rank + 1, len(ordered) - 1)])
    return below + Fraction((above - below) * remainder, quantile.parts)


def _key(result: Result) -> tuple[str, str, str, bool]:
    return result.group, result.column, result.statistic, result.is_suppressed


def _difference(joint: Result, plain: Result) -> Difference:
    if joint.is_suppressed:
        absolute = relative = 0.0
    else:
        gap = abs(Decimal(joint.value) - Decimal(plain.value))
        absolute = float(gap)
        reference = abs(Decimal(plain.value))
        relative = float(gap / reference) if reference else absolute
    return Difference(
        group=joint.group,
        column=joint.column,
        statistic=joint.statistic,
        joint=joint.value,
        plain=plain.value,
        absolute=absolute,
        relative=relative,
    )
