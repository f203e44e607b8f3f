"""Grids of cells, and models from counts in them: what every scenario with a model rests on."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from executors.mpc.program import Measure, decode_program, encode_program
from executors.mpc.results import Result
from scenarios.glm import STEP_MIN, fit_logit, fit_poisson
from scenarios.grid import Asked, Factor, Grid, label_of
from scenarios.record import ScenarioFailed
from scenarios.response import (
    Tally,
    auc,
    beside,
    model_of,
    tally_results,
    tally_rows,
)

SIZE = Factor("size", {"small": "小 small", "large": "大 large"})
PLACE = Factor("place", {"b": "乙 b", "a": "甲 a", "c": "丙 c"})
BOUGHT = Factor("bought", {"no": "否 no", "yes": "是 yes"})
GRID = Grid((SIZE, PLACE, BOUGHT))
SEGMENTS = GRID.without_last()
ASKED = Asked("cell", (Measure("paid", 2, 20, ("sum",), ()),), group_size_min=3, rows_step=50)


def results(counts: dict[str, str]) -> list[Result]:
    return [Result(label, "", "count", counts.get(label, "7")) for label in GRID.labels]


# --- grid ------------------------------------------------------------------------------------


def test_a_grid_has_every_combination_of_levels_once() -> None:
    assert len(GRID.cells) == len(set(GRID.cells)) == 2 * 3 * 2
    assert GRID.cells[:2] == (("small", "b", "no"), ("small", "b", "yes"))
    assert GRID.reading(("large", "a", "yes")) == ("大 large", "甲 a", "是 yes")


def test_a_program_over_a_grid_keeps_the_engines_rules_and_hides_the_exact_counts() -> None:
    program = GRID.program(ASKED, (1, 50, 51))
    assert decode_program(encode_program(program)) == program
    assert program.rows == (50, 50, 100)
    assert set(program.groups) == {label_of(cell) for cell in GRID.cells}


def test_the_first_level_of_each_factor_is_the_base_of_a_model() -> None:
    assert SEGMENTS.terms == ("intercept", "size=large", "place=a", "place=c")
    design = SEGMENTS.design([("small", "b"), ("large", "c")])
    assert design.tolist() == [[1, 0, 0, 0], [1, 1, 0, 1]]


def test_suppressed_cells_are_not_read_as_numbers() -> None:
    read = GRID.read(results({"small/a/no": ""}), "", "count")
    assert ("small", "a", "no") not in read
    assert len(read) == len(GRID.cells) - 1


def test_results_of_another_program_are_refused() -> None:
    with pytest.raises(ScenarioFailed, match="large/c/yes: the results are of another program"):
        GRID.read([one for one in results({}) if one.group != "large/c/yes"], "", "count")
    with pytest.raises(ScenarioFailed, match="no mean of paid"):
        GRID.read(results({}), "paid", "mean")


@pytest.mark.parametrize("value", ["many", "nan", "1e999", "-inf", "0x10"])
def test_a_value_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(ScenarioFailed, match="count of small/a/no is no number"):
        GRID.read(results({"small/a/no": value}), "", "count")


# --- models ----------------------------------------------------------------------------------


def test_the_log_odds_of_two_groups_are_those_of_the_textbook() -> None:
    design = np.array([[1.0, 0.0], [1.0, 1.0]])
    fit = fit_logit(("a", "b"), design, np.array([10.0, 30.0]), np.array([50.0, 40.0]))
    assert fit.values == pytest.approx((log(10 / 40), log(30 / 10) - log(10 / 40)), abs=1e-9)
    assert fit.errors[1] == pytest.approx(sqrt(1 / 10 + 1 / 40 + 1 / 30 + 1 / 10), rel=1e-9)


def test_the_log_mean_of_two_groups_is_that_of_the_textbook() -> None:
    design = np.array([[1.0, 0.0], [1.0, 1.0]])
    fit = fit_poisson(("a", "b"), design, np.array([20.0, 900.0]), np.array([10.0, 30.0]))
    assert fit.values == pytest.approx((log(2), log(15)), abs=1e-9)
    assert fit.errors[1] == pytest.approx(sqrt(1 / 20 + 1 / 900), rel=1e-9)


tallies = st.lists(
    st.tuples(st.integers(1, 400), st.integers(1, 400)),
    min_size=len(SEGMENTS.cells),
    max_size=len(SEGMENTS.cells),
)


@settings(max_examples=20)
@given(tallies)
@example([(1, 1)] * 5 + [(1, 54)])  # whole steps run away from this one
@example([(1, 1), (15, 1), *[(1, 1)] * 4])  # near its top a whole step seems to fall, by rounding
def test_at_the_maximum_expected_and_observed_totals_agree_for_every_term(
    counts: list[tuple[int, int]],
) -> None:
    """The score of the likelihood is zero there, and nowhere else: it is strictly concave."""
    hits = np.array([float(yes) for yes, _no in counts])
    trials = hits + np.array([float(no) for _yes, no in counts])
    design = SEGMENTS.design(SEGMENTS.cells)
    logit = fit_logit(SEGMENTS.terms, design, hits, trials)
    share = 1 / (1 + np.exp(-logit.linear(design)))
    assert design.T @ (hits - trials * share) == pytest.approx(0, abs=1e-6)
    poisson = fit_poisson(SEGMENTS.terms, design, hits, trials)
    assert design.T @ (hits - trials * np.exp(poisson.linear(design))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("hits", "trials"),
    [
        ((0, 0), (10, 10)),  # nothing happened
        ((10, 10), (10, 10)),  # it always happened
        ((0, 5), (10, 10)),  # one level decides
        ((0, 0), (0, 0)),  # nobody was there
    ],
)
def test_counts_that_determine_no_model_are_refused(
    hits: tuple[float, float], trials: tuple[float, float]
) -> None:
    design = np.array([[1.0, 0.0], [1.0, 1.0]])
    with pytest.raises(ScenarioFailed, match="determine no model of a, b"):
        fit_logit(("a", "b"), design, np.array(hits), np.array(trials))


def test_a_level_that_no_counted_cell_has_is_refused() -> None:
    design = np.array([[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ScenarioFailed, match="determine no model"):
        fit_poisson(("a", "b"), design, np.array([3.0, 4.0]), np.array([2.0, 2.0]))


def test_a_fit_is_written_with_its_errors() -> None:
    design = np.array([[1.0]])
    fit = fit_poisson(("a",), design, np.array([100.0]), np.array([1.0]))
    assert fit.texts() == {"a": [f"{log(100):.6f}", "0.100000"]}
    assert STEP_MIN < 1e-6, "less than what is written"


# --- responses -------------------------------------------------------------------------------


def test_a_segment_with_a_suppressed_count_is_left_out_and_named() -> None:
    tally = tally_results(GRID, results({"small/a/yes": "", "large/c/no": "11"}))
    assert tally.hidden == (("small", "a"),)
    assert len(tally.segments) == 5
    place = tally.segments.index(("large", "c"))
    assert (tally.hits[place], tally.trials[place]) == (7, 18)


def test_a_cell_without_rows_is_none_and_not_suppressed_where_rows_are_known() -> None:
    tally = tally_rows(GRID, [("small", "a", "yes"), ("small", "a", "no")])
    assert tally.hidden == ()
    assert (sum(tally.hits), sum(tally.trials), tally.rate) == (1, 2, 0.5)


def test_a_model_of_joint_counts_is_the_model_of_the_rows() -> None:
    cells = [cell for place, cell in enumerate(GRID.cells) for _ in range(4 + place % 5)]
    counts = {label_of(cell): str(cells.count(cell)) for cell in GRID.cells}
    joint, rows = tally_results(GRID, results(counts)), tally_rows(GRID, cells)
    assert joint == rows
    compared = beside(model_of(GRID, joint), joint, model_of(GRID, rows))
    assert compared.gap == 0
    assert compared.said == "no segment is suppressed: it is the model over all rows"


def test_a_model_of_other_counts_than_those_of_the_rows_stops_the_run() -> None:
    joint = tally_results(GRID, results({}))
    rows = tally_results(GRID, results({"small/a/yes": "8"}))
    with pytest.raises(ScenarioFailed, match="no segment is suppressed, and yet"):
        beside(model_of(GRID, joint), joint, model_of(GRID, rows))


def test_what_suppression_moves_is_told() -> None:
    whole = tally_results(GRID, results({"small/a/yes": "40"}))
    part = tally_results(GRID, results({"small/a/yes": ""}))
    compared = beside(model_of(GRID, part), part, model_of(GRID, whole))
    assert compared.gap > 0
    assert "1 of 6 segments suppressed" in compared.said
    assert f"{compared.gap:.2f} standard errors" in compared.said


def test_a_suppressed_segment_gets_the_propensity_of_its_levels() -> None:
    model = model_of(GRID, tally_results(GRID, results({"small/a/yes": ""})))
    terms = dict(zip(model.fit.terms, model.fit.values, strict=True))
    odds = exp(terms["intercept"] + terms["place=a"])
    assert model.propensity([("small", "a")]) == pytest.approx((odds / (1 + odds),))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 6)), min_size=1))
def test_the_area_under_the_curve_is_the_chance_of_a_right_order(
    segments: list[tuple[int, int, int]],
) -> None:
    scores = [score for score, _yes, _no in segments]
    hits = [score for score, yes, _no in segments for _ in range(yes)]
    misses = [score for score, _yes, no in segments for _ in range(no)]
    if not hits or not misses:
        return
    right = sum((hit > miss) + 0.5 * (hit == miss) for hit in hits for miss in misses)
    tally = Tally(
        segments=tuple((str(place),) for place in range(len(segments))),
        hits=tuple(yes for _score, yes, _no in segments),
        trials=tuple(yes + no for _score, yes, no in segments),
        hidden=(),
    )
    assert auc(scores, tally) == pytest.approx(right / (len(hits) * len(misses)))
