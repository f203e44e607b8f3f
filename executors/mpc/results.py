"""What the receiver reads: named numbers as exact decimal text, never as floats.

`value` is empty for a group that was suppressed for having too few rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction

from executors.errors import ShareInvalid
from executors.mpc.layout import layout_of, variance_shift
from executors.mpc.program import (
    COUNT,
    MEAN,
    SUM,
    VARIANCE,
    Cell,
    StatisticsProgram,
    cells,
)
from ledger.model import Record

OVERALL = ""  # the group of a program without group_by
SIGNIFICANT = 16  # digits of a rounded value: more than the engine's error leaves good
EXACT_PLACES = 13  # decimals of a column, and four for the parts of a quantile
_ROUND = Context(prec=SIGNIFICANT)
_EXACT = Context(prec=64)  # more digits than any sum has


class Result(Record):
    """One statistic of one group; `column` is empty for a count."""

    group: str
    column: str
    statistic: str
    value: str  # decimal text, or empty when suppressed

    @property
    def is_suppressed(self) -> bool:
        return not self.value


def read_results(
    program: StatisticsProgram, whole: Sequence[int], fixed: Sequence[Fraction]
) -> tuple[Result, ...]:
    """The named results in the two opened output vectors. Raises ShareInvalid."""
    layout = layout_of(program)
    if len(whole) != layout.whole_size or len(fixed) != layout.fixed_size:
        raise ShareInvalid("the opened vectors have another size than the program's outputs")
    flags = whole[: program.group_count]
    if any(flag not in (0, 1) for flag in flags):
        raise ShareInvalid("a flag is neither 0 nor 1: the computation did not run as programmed")
    results = []
    for cell in cells(program):
        place = layout.places[cell]
        is_fixed = cell.statistic in (MEAN, VARIANCE)
        exact = fixed[place] if is_fixed else Fraction(whole[place])
        value = decimal_text(_unscaled(program, cell, exact)) if flags[cell.group] else ""
        results.append(_named(program, cell, value))
    return tuple(results)


def named_results(
    program: StatisticsProgram, values: dict[Cell, Fraction | None]
) -> tuple[Result, ...]:
    """The same form for values computed otherwise (in units of the data); None is suppressed."""
    return tuple(
        _named(program, cell, "" if value is None else decimal_text(value))
        for cell in cells(program)
        for value in (values[cell],)
    )


def decimal_text(value: Fraction) -> str:
    """Plain decimal digits: exact where EXACT_PLACES suffice, else 16 significant ones."""
    scaled = value * 10**EXACT_PLACES
    if scaled.denominator == 1:
        number = Decimal(scaled.numerator).scaleb(-EXACT_PLACES, _EXACT)
    else:
        number = _ROUND.divide(Decimal(value.numerator), Decimal(value.denominator))
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _named(program: StatisticsProgram, cell: Cell, value: str) -> Result:
    return Result(
        group=program.groups[cell.group] if program.groups else OVERALL,
        column=program.measures[cell.measure].column if cell.measure >= 0 else "",
        statistic=cell.statistic,
        value=value,
    )


def _unscaled(program: StatisticsProgram, cell: Cell, value: Fraction) -> Fraction:
    """From units of the scaled column to units of the data."""
    if cell.statistic == COUNT:
        return value
    measure = program.measures[cell.measure]
    unit = Fraction(1, 10**measure.decimals)
    if cell.statistic in (SUM, MEAN):
        return value * unit
    if cell.statistic == VARIANCE:
        return value * unit * unit * (1 << 2 * variance_shift(measure))
    assert cell.quantile is not None, "every other statistic is a quantile"
    return value * unit / cell.quantile.parts
