"""The plain computation against numpy, and the engine's function against the plain one.

JAX computes here in doubles and in the clear; the protocol itself is tested end to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executors.mpc.plain import PlainRows, differences, plain_results
from executors.mpc.program import (
    STATISTICS,
    Measure,
    Quantile,
    StatisticsProgram,
    check_program,
)
from executors.mpc.results import Result, decimal_text, read_results

QUANTILES = (Quantile(1, 10), Quantile(1, 3), Quantile(3, 4), Quantile(999, 1000))
ROWS = (12, 9, 15)
PROGRAM = StatisticsProgram(
    version=1,
    measures=(
        Measure("claims", 2, 31, STATISTICS, QUANTILES),
        Measure("age", 0, 8, ("variance", "median"), ()),
    ),
    group_by="plan",
    groups=("a", "b", "c"),
    counts=True,
    rows=ROWS,
    group_size_min=3,
)


def joint(program: StatisticsProgram, rows: Sequence[PlainRows]) -> tuple[Result, ...]:
    """The engine's function in the clear, on padded inputs."""
    import jax

    from executors.mpc.statistics import function_of

    inputs = []
    for sequence in range(1 + len(program.measures)):
        for part, bound in zip(rows, program.rows, strict=True):
            vector = part.codes if sequence == 0 else part.values[sequence - 1]
            fill = program.group_count if sequence == 0 else 0
            padding = np.full(bound - len(vector), fill, np.int64)
            inputs.append(np.concatenate([vector, padding]))
    with jax.experimental.enable_x64():
        whole, fixed = function_of(program)(*inputs)
        return read_results(
            program,
            [int(value) for value in np.asarray(whole)],
            [Fraction(float(value)) for value in np.nan_to_num(np.asarray(fixed))],
        )


@st.composite
def partitions(draw: st.DrawFn) -> list[PlainRows]:
    parts = []
    for bound in ROWS:
        count = draw(st.integers(1, bound))
        numbers = st.integers(-(2**31) + 1, 2**31 - 1)
        few = st.integers(-3, 3)
        column = draw(st.lists(numbers | few, min_size=count, max_size=count))
        ages = draw(st.lists(st.integers(0, 255), min_size=count, max_size=count))
        codes = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
        parts.append(PlainRows(whole(codes), (whole(column), whole(ages))))
    return parts


def whole(values: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


@given(partitions())
@settings(max_examples=25)
def test_the_engine_computes_what_the_plain_computation_does(rows: list[PlainRows]) -> None:
    for gap in differences(joint(PROGRAM, rows), plain_results(PROGRAM, rows)):
        exact = gap.statistic not in ("mean", "variance")
        assert gap.relative <= (0 if exact else 1e-9) or gap.absolute <= 1e-9, gap


@given(partitions())
@settings(max_examples=50)
def test_the_plain_computation_agrees_with_numpy(rows: list[PlainRows]) -> None:
    codes = np.concatenate([part.codes for part in rows])
    claims = np.concatenate([part.values[0] for part in rows]) / 100
    results = {(r.group, r.column, r.statistic): r.value for r in plain_results(PROGRAM, rows)}
    for code, group in enumerate(PROGRAM.groups):
        values = claims[codes == code]
        if len(values) < PROGRAM.group_size_min:
            assert not results[group, "claims", "sum"]
            continue
        expected = {
            "sum": values.sum(),
            "mean": values.mean(),
            "variance": values.var(ddof=1),
            "median": np.median(values),
        }
        expected.update({str(q): np.quantile(values, q.part / q.parts) for q in QUANTILES})
        for statistic, number in expected.items():
            text = results[group, "claims", statistic]
            assert float(text) == pytest.approx(number, rel=1e-9, abs=1e-5), statistic
        assert results[group, "", "count"] == str(len(values))


def test_without_groups_all_rows_are_one_group() -> None:
    program = StatisticsProgram(
        1, (Measure("age", 0, 8, STATISTICS, ()),), "", (), False, (4, 3, 3), 3
    )
    check_program(program)
    rows = [
        PlainRows(whole([0] * n), (whole(values),))
        for n, values in ((4, [1, 2, 3, 4]), (2, [10, 20]), (3, [5, 5, 5]))
    ]
    results = {result.statistic: result.value for result in joint(program, rows)}
    assert results == {
        "sum": "55",
        "mean": "6.111111111111111",
        "variance": "33.61111111111111",
        "median": "5",
    }


def test_small_groups_are_suppressed_in_the_vectors_themselves() -> None:
    rows = [
        PlainRows(whole([0] * 9 + [1]), (whole([7] * 10), whole([30] * 10))),
        PlainRows(whole([0, 1]), (whole([7, 9]), whole([31, 32]))),
        PlainRows(whole([0]), (whole([7]), whole([33]))),
    ]
    suppressed = {result.group for result in joint(PROGRAM, rows) if result.is_suppressed}
    assert suppressed == {"b", "c"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(10**20), "1" + "0" * 20),
        (Fraction(-5, 2), "-2.5"),
        (Fraction(1, 3), "0.3333333333333333"),
        (Fraction(1, 10**9), "0.000000001"),
        (Fraction(10**20 + 1, 100), "1" + "0" * 18 + ".01"),  # a sum of money keeps its cents
        (Fraction(10**20 + 1, 3), "33333333333333330000"),
    ],
)
def test_values_are_written_in_plain_decimals(value: Fraction, text: str) -> None:
    assert decimal_text(value) == text
