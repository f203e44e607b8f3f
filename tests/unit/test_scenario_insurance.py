"""What the insurance scenario computes, beside the pooled rows: rows, program, papers."""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from executors.data.registry import Registry
from executors.mpc.inputs import input_vectors
from executors.mpc.program import StatisticsProgram, decode_program, encode_program
from executors.mpc.results import Result
from scenarios import papers
from scenarios.comparison import RELATIVE_MAX, compare, pooled_results
from scenarios.insurance.data import (
    PLANS,
    ROWS,
    SITES,
    PersonYear,
    load_rows,
    plan_of,
    sheet_of,
    split,
)
from scenarios.insurance.program import program_for
from scenarios.insurance.table import result_table
from scenarios.record import ScenarioFailed
from scenarios.sheet import Sheet
from scenarios.tables import comparison_table


@cache
def rows() -> tuple[PersonYear, ...]:
    return load_rows()


@cache
def shares() -> tuple[tuple[PersonYear, ...], ...]:
    return split(rows())


@cache
def sheets() -> tuple[Sheet, ...]:
    return tuple(sheet_of(share) for share in shares())


@cache
def program() -> StatisticsProgram:
    return program_for([len(share) for share in shares()])


@cache
def pooled() -> tuple[Result, ...]:
    return pooled_results(program(), sheets())


# --- rows ------------------------------------------------------------------------------------


def test_the_rows_are_those_of_the_experiment() -> None:
    assert len(rows()) == ROWS
    # Person-years by plan as published: Manning et al. 1987, table 2.
    assert Counter(row.plan for row in rows()) == {
        "free": 6822,
        "25": 4065,
        "50": 1401,
        "95-100": 3727,
        "deductible": 4175,
    }


def test_the_cut_that_statsmodels_loads_gives_the_same_plans() -> None:
    from statsmodels.datasets import randhie

    data = randhie.load_pandas().data
    rates = [round(math.expm1(value)) for value in data["lncoins"]]
    plans = [plan_of(rate, idp == 1) for rate, idp in zip(rates, data["idp"], strict=True)]
    assert plans == [row.plan for row in rows()]


@pytest.mark.parametrize("rate", [-1, 1, 33, 101])
def test_a_rate_that_was_never_asked_is_refused(rate: int) -> None:
    with pytest.raises(ScenarioFailed, match=f"no coinsurance of {rate} percent"):
        plan_of(rate, False)


def test_every_row_is_at_exactly_one_supplier() -> None:
    assert sorted(site for sites in SITES for site in sites) == sorted({r.site for r in rows()})
    assert sum(len(share) for share in shares()) == ROWS
    for share, sites in zip(shares(), SITES, strict=True):
        assert {row.site for row in share} == set(sites)


def test_the_split_depends_on_the_row_alone() -> None:
    backwards = split(rows()[::-1])
    assert [Counter(share) for share in backwards] == [Counter(share) for share in shares()]


def test_every_supplier_has_every_plan() -> None:
    for share in shares():
        assert {row.plan for row in share} == set(PLANS)


def test_a_suppliers_file_tells_neither_person_nor_site(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    sheets()[0].write_csv(path)
    with path.open(newline="") as handle:
        read = list(csv.reader(handle))
    assert tuple(read[0]) == sheets()[0].names
    assert not {"site", "zper"} & set(read[0])
    assert len(read) == len(shares()[0]) + 1
    assert tuple(read[1]) == shares()[0][0].cells()


# --- program ---------------------------------------------------------------------------------


def test_the_program_keeps_the_engines_rules_and_hides_the_exact_counts() -> None:
    encoded = encode_program(program())
    assert decode_program(encoded) == program()
    for bound, share in zip(program().rows, shares(), strict=True):
        assert bound >= len(share)
        assert bound % 500 == 0


def test_every_suppliers_rows_fit_the_program(tmp_path: Path) -> None:
    for rank, (sheet, share) in enumerate(zip(sheets(), shares(), strict=True)):
        path = tmp_path / f"{rank}.csv"
        sheet.write_csv(path)
        registry = Registry(tmp_path / str(rank))
        registry.add("claims", path, types=sheet.types, now_ms=1)
        vectors = input_vectors(program(), rank, registry.load("claims", program().columns))
        assert {len(vector) for vector in vectors} == {program().rows[rank]}
        cents = sum(int(row.dollars[-1] * 100) for row in share)
        assert sum(vectors[1]) == cents


# --- comparison ------------------------------------------------------------------------------


def value_of(group: str, column: str, statistic: str) -> float:
    return next(
        float(one.value)
        for one in pooled()
        if (one.group, one.column, one.statistic) == (group, column, statistic)
    )


@pytest.mark.parametrize("plan", PLANS)
def test_the_pooled_results_are_what_numpy_says(plan: str) -> None:
    dollars = np.array([float(row.dollars[-1]) for row in rows() if row.plan == plan])
    visits = [row.visits for row in rows() if row.plan == plan]
    assert value_of(plan, "", "count") == len(visits)
    assert value_of(plan, "meddol", "sum") == pytest.approx(dollars.sum(), rel=1e-12)
    assert value_of(plan, "meddol", "variance") == pytest.approx(dollars.var(ddof=1), rel=1e-9)
    assert value_of(plan, "meddol", "median") == pytest.approx(np.median(dollars), rel=1e-12)
    ninth = np.quantile(dollars, 0.9)
    assert value_of(plan, "meddol", "quantile 9/10") == pytest.approx(ninth, rel=1e-12)
    assert value_of(plan, "mdvis", "mean") == pytest.approx(statistics.fmean(visits), rel=1e-12)
    assert value_of(plan, "mdvis", "median") == statistics.median(visits)


def changed(statistic: str, factor: Decimal) -> list[Result]:
    """The pooled results with one value of `statistic` multiplied."""
    found = list(pooled())
    at = next(i for i, one in enumerate(found) if one.statistic == statistic)
    one = found[at]
    value = str(Decimal(one.value) * factor)
    found[at] = Result(one.group, one.column, one.statistic, value)
    return found


def test_equal_results_agree_in_every_statistic() -> None:
    found = compare(pooled(), pooled())
    assert sum(one.values for one in found) == len(pooled())
    assert all(one.absolute == 0 for one in found)


@pytest.mark.parametrize("statistic", ["count", "sum", "median", "quantile 3/4"])
def test_the_smallest_difference_of_an_exact_statistic_stops_the_run(statistic: str) -> None:
    with pytest.raises(ScenarioFailed, match=f"{statistic} of .* differ by"):
        compare(changed(statistic, Decimal("1.0000001")), pooled())


@pytest.mark.parametrize("statistic", ["mean", "variance"])
def test_a_fixed_point_statistic_may_differ_within_its_bound_only(statistic: str) -> None:
    bound = Decimal(str(RELATIVE_MAX))
    found = compare(changed(statistic, 1 + bound / 2), pooled())
    assert 0 < max(one.relative for one in found) <= RELATIVE_MAX
    with pytest.raises(ScenarioFailed, match=f"{statistic} of meddol"):
        compare(changed(statistic, 1 + bound * 2), pooled())


def test_results_of_another_program_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different questions"):
        compare(pooled()[1:], pooled()[:-1])


def test_tables_have_a_line_per_plan_and_show_what_was_suppressed() -> None:
    table = result_table(pooled())
    assert len(table.rows) == len(PLANS)
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert table.rows[0][1] == "6,822"
    hidden = [Result(one.group, one.column, one.statistic, "") for one in pooled()]
    assert set(result_table(hidden).rows[0][1:]) == {"-"}
    assert len(comparison_table(compare(pooled(), pooled()), sheets()[0].texts).rows) == 15


# --- papers ----------------------------------------------------------------------------------


def product_bytes() -> bytes:
    return papers.product(
        product_id="p1",
        task_id="t1",
        program_hash=bytes(32),
        protection="x",
        data="measured",
        results=pooled(),
    )


def test_a_product_is_read_as_it_was_written() -> None:
    assert papers.read_product(product_bytes()) == pooled()


def test_equal_documents_have_equal_bytes() -> None:
    assert papers.document({"b": 1, "a": [2]}) == papers.document({"a": [2], "b": 1})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"form": "another", "results": []}',
        json.dumps({"form": papers.PRODUCT_FORM, "results": [["one", "two"]]}).encode(),
        json.dumps({"form": papers.PRODUCT_FORM, "results": 7}).encode(),
        json.dumps({"form": papers.PRODUCT_FORM}).encode(),
        b"[" * 100_000,
        b" " * (papers.PRODUCT_SIZE_MAX + 1),
    ],
)
def test_what_is_no_product_is_refused(content: bytes) -> None:
    with pytest.raises(ScenarioFailed, match="cannot be read"):
        papers.read_product(content)
