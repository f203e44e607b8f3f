"""The trial scenario without nodes and engine: births, criteria, plan, all stages."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from executors.data.registry import Registry
from executors.mpc.inputs import input_vectors
from executors.mpc.program import decode_program, encode_program
from executors.mpc.results import Result
from scenarios.comparison import pooled_results
from scenarios.record import ScenarioFailed
from scenarios.trial.data import (
    BIRTHS,
    HOSPITALS,
    OUT,
    STRATA,
    Birth,
    load_births,
    read_births,
    sheet_of,
    split,
)
from scenarios.trial.plan import plan_of, result_table
from scenarios.trial.program import GROUP_SIZE_MIN, program_for
from scenarios.trial.recruit import recruit
from scenarios.trial.run import plot
from tests.scenario_world import Played

ROW = {"mage": "25", "msmoke": "6-10 daily", "alcohol": "0", "prenatal": "1", "fbaby": "Yes"}
ROW |= {"nprenatal": "12", "bweight": "3200"}
ELIGIBLE = Birth(
    number=1,
    age=25,
    cigarettes="6-10 daily",
    drinks=False,
    trimester=1,
    is_first=True,
    visits=12,
    weight=3_200,
)


@cache
def births() -> tuple[Birth, ...]:
    return load_births()


@cache
def hospitals() -> tuple[tuple[Birth, ...], ...]:
    return split(births())


def results_of(parts: Sequence[Sequence[Birth]]) -> tuple[Result, ...]:
    sheets = [sheet_of(part) for part in parts]
    return pooled_results(program_for([len(part) for part in parts]), sheets)


@cache
def pooled() -> tuple[Result, ...]:
    return results_of(hospitals())


# --- births ----------------------------------------------------------------------------------


def test_the_rows_are_those_of_the_study() -> None:
    assert len(births()) == BIRTHS
    # As published with the extract: 864 mothers who smoke, 3137.66 g; 3778 others, 3412.91 g.
    smokers = [one.weight for one in births() if one.cigarettes != "0 daily"]
    others = [one.weight for one in births() if one.cigarettes == "0 daily"]
    assert (len(smokers), round(statistics.fmean(smokers), 2)) == (864, 3137.66)
    assert (len(others), round(statistics.fmean(others), 2)) == (3778, 3412.91)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"msmoke": "many"}, "cigarettes many"),
        ({"fbaby": "2"}, "first child 2"),
        ({"mage": "young"}, "invalid literal"),
        ({"alcohol": ""}, "invalid literal"),
        ({}, f"1 rows instead of {BIRTHS}"),
    ],
)
def test_another_data_set_is_refused(change: dict[str, str], said: str) -> None:
    with pytest.raises(ScenarioFailed, match=said):
        read_births([ROW | change])


def test_a_data_set_without_a_column_is_refused() -> None:
    with pytest.raises(ScenarioFailed, match="bweight"):
        read_births([{name: value for name, value in ROW.items() if name != "bweight"}])


def test_every_birth_is_at_exactly_one_hospital_by_its_number_alone() -> None:
    assert sorted(one.number for part in hospitals() for one in part) == list(range(1, BIRTHS + 1))
    assert [len({one.number % HOSPITALS for one in part}) for part in hospitals()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("change", "stratum"),
    [
        ({}, "6-10 first"),
        ({"is_first": False}, "6-10 later"),
        ({"cigarettes": "11+ daily"}, "11+ first"),
        ({"cigarettes": "0 daily"}, OUT),
        ({"age": 17}, OUT),
        ({"age": 18}, "6-10 first"),
        ({"age": 35}, "6-10 first"),
        ({"age": 36}, OUT),
        ({"drinks": True}, OUT),
        ({"trimester": 2}, OUT),
        ({"trimester": 0}, OUT),  # no visit at all
    ],
)
def test_each_criterion_screens_out_by_itself(change: dict[str, object], stratum: str) -> None:
    assert dataclasses.replace(ELIGIBLE, **change).stratum == stratum  # type: ignore[arg-type]


def test_a_hospitals_file_names_no_patient() -> None:
    sheet = sheet_of([ELIGIBLE])
    assert sheet.names == ("stratum", "age", "visits", "weight")
    assert sheet.rows == (("6-10 first", "25", "12", "3200"),)


# --- program and plan ------------------------------------------------------------------------


def test_every_hospitals_rows_fit_the_program(tmp_path: Path) -> None:
    sheets = [sheet_of(part) for part in hospitals()]
    program = program_for([len(sheet.rows) for sheet in sheets])
    assert decode_program(encode_program(program)) == program
    for rank, sheet in enumerate(sheets):
        path = tmp_path / f"{rank}.csv"
        sheet.write_csv(path)
        registry = Registry(tmp_path / str(rank))
        registry.add("records", path, types=sheet.types, now_ms=1)
        vectors = input_vectors(program, rank, registry.load("records", program.columns))
        assert sum(vectors[1]) == sum(sheet.wholes("weight", 0))


def test_the_plan_needs_what_the_formula_says() -> None:
    """By hand: within strata 332881.414, so 2 * 2.801585^2 * 332881.414 / 200^2 = 130.6."""
    plan = plan_of(pooled())
    assert plan.eligible == sum(one.stratum != OUT for one in births()) == 513
    assert plan.screened == BIRTHS
    assert plan.variance == pytest.approx(332_881.414, rel=1e-6)
    assert (plan.needed, plan.expected, plan.is_feasible) == (2 * 131, 307, True)


def test_a_trial_that_finds_too_few_is_not_feasible() -> None:
    some = tuple(part[:900] for part in hospitals())
    plan = plan_of(results_of(some))
    assert plan.expected < plan.needed
    assert not plan.is_feasible


def test_what_is_suppressed_is_neither_planned_with_nor_shown() -> None:
    hidden = [without_value(one) if one.group == STRATA[0] else one for one in pooled()]
    few = sum(one.stratum == STRATA[0] for one in births())
    assert plan_of(hidden).eligible == plan_of(pooled()).eligible - few
    assert set(result_table(hidden).rows[0][1:]) == {"-"}
    with pytest.raises(ScenarioFailed, match="nothing to plan by"):
        plan_of([without_value(one) for one in pooled()])


def without_value(one: Result) -> Result:
    return Result(one.group, one.column, one.statistic, "")


def test_the_table_has_a_line_per_stratum() -> None:
    rows = result_table(pooled()).rows
    assert len(rows) == len(STRATA) + 1
    assert all(int(row[1].replace(",", "")) >= GROUP_SIZE_MIN for row in rows)


# --- all stages, on an in-memory chain -------------------------------------------------------


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    yield Played(tmp_path_factory.mktemp("trial"), plot(hospitals())).play()


def test_each_hospital_invites_its_own_patients_and_nobody_else_has_the_list(
    played: Played,
) -> None:
    for supplier, part in zip(played.cast.suppliers, hospitals(), strict=True):
        kept = played.documents(supplier)[f"invitations-{played.cast.product}.json"]
        assert json.loads(kept)["rows"] == [one.number for one in part if one.stratum != OUT]
        for other in played.world.members:
            if other is not supplier:
                folders = [other.home / name for name in ("documents", "inbox")]
                held = [path.read_bytes() for folder in folders for path in folder.glob("*")]
                assert kept not in held


def test_the_product_holds_the_plan(played: Played) -> None:
    content = played.documents(played.cast.consumer)[f"{played.cast.product}.json"]
    told = json.loads(content)["derived"]["plan"]
    assert (told["eligible"], told["needed"], told["is_feasible"]) == (513, 262, True)
    assert "513 of 4,642" in played.script.findings["match"]
    assert "counted twice" in played.script.findings["limits"]
    assert "of this demonstration" in played.script.findings["data"]


def test_another_plan_than_the_registered_one_invites_nobody(played: Played) -> None:
    consumer, cast = played.cast.consumer, played.cast
    honest = consumer.document(f"{cast.product}.json")
    consumer.keep(f"{cast.product}.json", honest.replace(b"true", b"false"))
    try:
        with pytest.raises(ScenarioFailed, match="another product than was registered"):
            recruit(played.script, cast, hospitals())
    finally:
        consumer.keep(f"{cast.product}.json", honest)
