"""The credit scenario without nodes and engine: generated rows, scorecard, all stages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from math import exp, log
from pathlib import Path

import pytest

from crypto import sm3
from executors.data.registry import Registry
from executors.mpc.inputs import input_vectors
from executors.mpc.program import decode_program, encode_program
from executors.mpc.results import Result
from scenarios.comparison import pooled_results
from scenarios.credit.data import (
    DISTRICTS,
    FIRM,
    FIRMS,
    GRID,
    OVERDUE,
    Firm,
    generate,
    sheet_of,
)
from scenarios.credit.program import program_for
from scenarios.credit.run import plot
from scenarios.credit.scorecard import (
    BASE,
    DOUBLING,
    ODDS,
    derive,
    point_list,
    points,
    result_table,
)
from scenarios.joint import Plot
from scenarios.response import Tally, auc, model_of, tally_results, tally_rows
from tests.scenario_world import Played

DIGEST = "44736f54079adf534fafbae349aa80e0691d2d087b9ac1b476be14235f93faf1"


@cache
def districts() -> tuple[tuple[Firm, ...], ...]:
    return generate()


@cache
def whole_plot() -> Plot:
    return plot()


@cache
def pooled() -> tuple[Result, ...]:
    sheets = [holding.sheet for holding in whole_plot().collection.holdings]
    return pooled_results(program_for([len(sheet.rows) for sheet in sheets]), sheets)


@cache
def all_rows() -> Tally:
    return tally_rows(GRID, (firm.cell for firms in districts() for firm in firms))


# --- rows ------------------------------------------------------------------------------------


def test_the_generated_rows_are_the_same_on_every_machine() -> None:
    rows = [row for firms in districts() for row in sheet_of(firms).rows]
    assert len(rows) == FIRMS
    digest = sm3.digest("\n".join(",".join(row) for row in rows).encode()).hex()
    assert digest == DIGEST


def test_every_district_has_its_own_firms() -> None:
    assert [len(firms) for firms in districts()] == list(DISTRICTS.values())
    assert not set(districts()[0]) >= set(districts()[1])


def test_loans_and_growth_are_within_what_the_program_holds() -> None:
    program = program_for([len(firms) for firms in districts()])
    bits = {measure.column: (measure.decimals, measure.bits) for measure in program.measures}
    for firms in districts():
        sheet = sheet_of(firms)
        for column, (decimals, size) in bits.items():
            assert max(map(abs, sheet.wholes(column, decimals))) < 1 << size


def test_generated_data_is_labelled_wherever_a_party_meets_it() -> None:
    collection, wanted = whole_plot().collection, whole_plot().wanted
    told = [collection.origin, collection.description, *(h.title for h in collection.holdings)]
    assert all("GENERATED" in text for text in told)
    assert "generated" in collection.tag
    assert "generated" in wanted.title and "generated" in whole_plot().made.title
    assert "generated" in whole_plot().limits
    assert all(holding.quality["generated"] is True for holding in collection.holdings)


# --- program and model -----------------------------------------------------------------------


def test_every_districts_rows_fit_the_program(tmp_path: Path) -> None:
    """The smallest district, whose rows are enough to see it."""
    program = program_for([len(firms) for firms in districts()])
    assert decode_program(encode_program(program)) == program
    rank, sheet = 2, sheet_of(districts()[2])
    path = tmp_path / "firms.csv"
    sheet.write_csv(path)
    registry = Registry(tmp_path / "home")
    registry.add("firms", path, types=sheet.types, now_ms=1)
    vectors = input_vectors(program, rank, registry.load("firms", program.columns))
    assert sum(vectors[1]) == sum(sheet.wholes("loan", 0))


def test_the_scorecard_from_joint_counts_is_the_one_of_all_rows() -> None:
    tally = tally_results(GRID, pooled())
    assert tally == all_rows(), "no segment is suppressed"
    assert model_of(GRID, tally).fit == model_of(GRID, all_rows()).fit


def test_what_was_planted_is_found_within_its_error() -> None:
    fit = model_of(GRID, all_rows()).fit
    assert fit.terms == tuple(OVERDUE)
    for term, value, error in zip(fit.terms, fit.values, fit.errors, strict=True):
        assert abs(value - OVERDUE[term]) < 4 * error, term


def test_points_are_on_the_scale_that_is_told() -> None:
    assert points(-log(ODDS)) == pytest.approx(BASE)
    assert points(-log(2 * ODDS)) == pytest.approx(BASE + DOUBLING)


def test_points_of_a_firm_add_up_to_its_score() -> None:
    model = model_of(GRID, all_rows())
    worth = {(name, level): value for name, level, value in point_list(model)}
    segment = ("trade", "M", "some")
    added = worth["", ""] + sum(
        worth[factor.name, level] for factor, level in zip(FIRM.factors, segment, strict=True)
    )
    (chance,) = model.propensity([segment])
    assert added == pytest.approx(points(log(chance / (1 - chance))), abs=2)  # each is rounded


def test_worse_tax_grades_and_arrears_cost_points() -> None:
    worth = {(name, level): v for name, level, v in point_list(model_of(GRID, all_rows()))}
    assert 0 == worth["tax", "A"] > worth["tax", "B"] > worth["tax", "M"] > worth["tax", "C"]
    assert worth["arrears", "some"] < worth["arrears", "none"] == 0


def test_the_score_tells_loans_apart_about_as_well_as_the_planted_model() -> None:
    derived = derive(pooled(), all_rows())
    planted = [
        exp(
            OVERDUE["intercept"]
            + sum(
                OVERDUE.get(f"{factor.name}={level}", 0.0)
                for factor, level in zip(FIRM.factors, segment, strict=True)
            )
        )
        for segment in all_rows().segments
    ]
    power = dict(derived.measures)["auc"]
    assert power == pytest.approx(auc(planted, all_rows()), abs=0.01)
    assert "generated firms" in dict(derived.findings)["model"]


def test_sectors_are_those_of_the_rows() -> None:
    table = result_table(pooled())
    trade = [firm for firms in districts() for firm in firms if firm.sector == "trade"]
    row = next(row for row in table.rows if "trade" in row[0])
    assert row[1] == f"{len(trade):,}"
    assert row[2] == f"{sum(firm.growth for firm in trade) / len(trade):.1f}"
    assert row[3] == f"{sum(firm.loan for firm in trade):,}"
    overdue = [firm for firm in trade if firm.outcome == "overdue"]
    assert row[4] == f"{len(overdue) / len(trade):.1%}"


def test_a_sector_of_which_all_is_suppressed_is_shown_empty() -> None:
    hidden = [
        Result(one.group, one.column, one.statistic, "" if "trade" in one.group else one.value)
        for one in pooled()
    ]
    row = next(row for row in result_table(hidden).rows if "trade" in row[0])
    assert row[1:] == ("0", "-", "0", "-", "-")


# --- all stages, on an in-memory chain -------------------------------------------------------


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    yield Played(tmp_path_factory.mktemp("credit"), whole_plot()).play()


def test_the_consumer_gets_the_scorecard_and_is_told_that_no_firm_is_real(played: Played) -> None:
    content = json.loads(played.documents(played.cast.consumer)[f"{played.cast.product}.json"])
    assert "GENERATED" in content["data"]
    model = content["derived"]["model"]
    assert model["points"] == [list(p) for p in point_list(model_of(GRID, all_rows()))]


def test_the_chain_says_that_the_data_is_generated(played: Played) -> None:
    manager = played.cast.manager.session
    for dataset_id in played.cast.datasets:
        entry = manager.view("catalog", "show", dataset_id)
        assert isinstance(entry, dict)
        assert "GENERATED" in str(entry["title"])
    demand = manager.view("demand", "show", played.cast.demand)
    product = manager.view("product", "show", played.cast.product)
    assert isinstance(demand, dict) and isinstance(product, dict)
    assert "generated" in str(demand["title"]) and "generated" in str(product["title"])


def test_the_story_and_the_record_say_so_too(played: Played) -> None:
    findings = played.script.findings
    assert "GENERATED" in findings["data"] and "generated" in findings["limits"]
    assert findings["comparison"] == "144 values beside the pooled computation: 144 equal"
    assert any("GENERATED" in remark for remark in played.listener.remarks)
