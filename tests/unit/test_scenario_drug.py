"""The drug scenario without nodes and engine: rows, program, model, both kinds of blindness."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from math import inf
from pathlib import Path
from statistics import mean, variance

import pytest

from crypto import sm3
from executors.data.registry import Registry
from executors.mpc.inputs import input_vectors
from executors.mpc.program import decode_program, encode_program
from executors.mpc.results import Result
from scenarios.comparison import pooled_results
from scenarios.consortium import DOCUMENTS
from scenarios.drug.data import (
    GRID,
    HOSPITALS,
    PATIENTS,
    PERIODS,
    Period,
    load_periods,
    own,
    read_periods,
    split,
)
from scenarios.drug.model import (
    effect_of,
    effect_table,
    fit_joint,
    fit_own,
    judge,
    judgement_table,
    model_document,
    read_model,
)
from scenarios.drug.program import ASKED, program_for
from scenarios.drug.run import plot, result_table
from scenarios.glm import Fit
from scenarios.joint import Plot
from scenarios.record import Kind, ScenarioFailed, Stage
from tests.scenario_world import Played

ROW = {"subject": "1", "period": "1", "trt": "placebo", "base": "11", "age": "31", "y": "5"}


@cache
def periods() -> tuple[Period, ...]:
    return load_periods()


@cache
def hospitals() -> tuple[Period, ...]:
    return tuple(one for part in split(periods()) for one in part)


@cache
def whole_plot() -> Plot:
    return plot()


@cache
def pooled() -> tuple[Result, ...]:
    sheets = [holding.sheet for holding in whole_plot().collection.holdings]
    return pooled_results(program_for([len(sheet.rows) for sheet in sheets]), sheets)


# --- rows ------------------------------------------------------------------------------------


def test_the_rows_are_those_of_the_trial() -> None:
    # Thall and Vail 1990, table 2: 28 patients under placebo, 31 under progabide.
    arms = Counter(one.arm for one in periods() if one.number == 1)
    assert arms == {"placebo": 28, "progabide": 31}
    assert len(periods()) == PATIENTS * PERIODS
    assert max(one.seizures for one in periods()) == 102


def test_a_patient_is_at_one_hospital_or_the_developers_own_and_nowhere_else() -> None:
    parts = [own(periods()), *split(periods())]
    patients = [{one.patient for one in part} for part in parts]
    assert len(parts) == HOSPITALS + 1
    assert sorted(number for part in patients for number in part) == list(range(1, PATIENTS + 1))
    assert sum(map(len, parts)) == len(periods())


def test_a_hospitals_file_tells_no_patient() -> None:
    for holding in whole_plot().collection.holdings:
        assert holding.sheet.names == ("cohort", "seizures", "age")
        assert set(holding.sheet.cells("cohort")) <= set(GRID.labels)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trt": "aspirin"}, "treatment aspirin"),
        ({"period": "2"}, "not 4 periods of each"),
        ({"y": "many"}, "invalid literal"),
        ({}, "not 4 periods of each"),
    ],
)
def test_another_data_set_is_refused(change: dict[str, str], said: str) -> None:
    with pytest.raises(ScenarioFailed, match=said):
        read_periods([ROW | change])


def test_a_data_set_without_a_column_is_refused() -> None:
    with pytest.raises(ScenarioFailed, match="base"):
        read_periods([{name: value for name, value in ROW.items() if name != "base"}])


# --- program ---------------------------------------------------------------------------------


def test_every_hospitals_rows_fit_the_program(tmp_path: Path) -> None:
    sheets = [holding.sheet for holding in whole_plot().collection.holdings]
    program = program_for([len(sheet.rows) for sheet in sheets])
    assert decode_program(encode_program(program)) == program
    for rank, sheet in enumerate(sheets):
        path = tmp_path / f"{rank}.csv"
        sheet.write_csv(path)
        registry = Registry(tmp_path / str(rank))
        registry.add("cohorts", path, types=sheet.types, now_ms=1)
        vectors = input_vectors(program, rank, registry.load("cohorts", program.columns))
        assert sum(vectors[1]) == sum(sheet.wholes("seizures", 0))


def test_a_cohort_that_is_shown_has_at_least_three_patients() -> None:
    patients = {
        cell: {one.patient for one in hospitals() if one.cell == cell} for cell in GRID.cells
    }
    for cell in GRID.read(pooled(), "", "count"):
        assert len(patients[cell]) * PERIODS >= ASKED.group_size_min
        assert len(patients[cell]) >= 3


def test_the_table_has_what_the_rows_say() -> None:
    cell = ("high", "progabide")
    counts = [one.seizures for one in hospitals() if one.cell == cell]
    row = result_table(pooled()).rows[GRID.cells.index(cell)]
    assert row[:4] == (*GRID.reading(cell), str(len(counts)), f"{mean(counts):.2f}")


# --- model -----------------------------------------------------------------------------------


def test_the_model_of_all_rows_is_what_statsmodels_says() -> None:
    """GLM of statsmodels 0.15, Poisson with Pearson's scale, over the hospitals' 180 rows."""
    values = (1.1757920112080171, 0.150366782541006, 1.8666197695362765, -0.2528337525368074)
    errors = (0.2307162740016403, 0.31398232187512787, 0.24502007123957387, 0.15063613962008898)
    for fit in (fit_own(hospitals()), fit_joint(pooled())):
        assert fit.values == pytest.approx(values, rel=1e-9)
        assert fit.errors == pytest.approx(errors, rel=1e-9)


def test_the_joint_statistics_give_the_model_that_the_pooled_rows_give() -> None:
    joint, rows = fit_joint(pooled()), fit_own(hospitals())
    assert joint.terms == rows.terms
    assert joint.values == pytest.approx(rows.values, rel=1e-9)


def test_the_effect_is_a_ratio_within_its_interval() -> None:
    ratio, low, high = effect_of(fit_own(own(periods())))
    assert 0 < low < ratio < high
    table = effect_table(fit_own(own(periods())), fit_joint(pooled()))
    assert table.rows[0][1] == f"{ratio:.2f}"


def test_the_model_is_judged_cohort_by_cohort() -> None:
    model = fit_own(own(periods()))
    for one in judge(model, pooled()):
        counts = [row.seizures for row in hospitals() if row.cell == one.cell]
        assert one.seen is not None and one.gap is not None
        assert one.seen.mean == pytest.approx(mean(counts))
        error = (variance(counts) / len(counts)) ** 0.5
        assert one.gap == pytest.approx((mean(counts) - one.predicted) / error)


def test_a_suppressed_cohort_is_not_judged() -> None:
    hidden = [
        Result(
            one.group, one.column, one.statistic, "" if one.group.startswith("low/") else one.value
        )
        for one in pooled()
    ]
    cohorts = judge(fit_own(own(periods())), hidden)
    assert [one.gap for one in cohorts if one.cell[0] == "low"] == [None, None]
    rows = judgement_table(cohorts).rows
    assert [row[2:5] for row in rows[:2]] == [("-", "-", "-")] * 2


def test_a_cohort_in_which_nothing_varies_has_no_gap() -> None:
    """Its variance is 0, or a little below by the fixed point."""
    still = [
        Result(one.group, one.column, one.statistic, "-0.000000000001")
        if (one.group, one.statistic) == ("low/placebo", "variance")
        else one
        for one in pooled()
    ]
    cohort = judge(fit_own(own(periods())), still)[0]
    assert cohort.seen is not None and cohort.gap is None
    row = judgement_table([cohort]).rows[0]
    assert row[2] == "36" and row[-1] == "-"


def test_a_model_is_read_as_it_was_written_and_no_two_documents_are_alike() -> None:
    fit = fit_own(own(periods()))
    documents = [model_document(fit) for _ in range(2)]
    assert documents[0] != documents[1], "a salt, or the digest could be guessed"
    assert read_model(documents[0]) == read_model(documents[1]) == fit


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"form": "another", "terms": {}, "errors": {}}',
        b'{"form": "shuxin response model 1", "terms": {}, "errors": {}}',
        b'{"form": "shuxin response model 1", "terms": 7, "errors": {}}',
        b'{"form": "shuxin response model 1"}',
        model_document(Fit(GRID.terms, (1.0, 1.0, 1.0, inf), (1.0,) * 4)),
        b"[" * 100_000,
    ],
)
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ScenarioFailed, match="response model cannot be read"):
        read_model(content)


# --- all stages, on an in-memory chain -------------------------------------------------------


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    yield Played(tmp_path_factory.mktemp("drug"), whole_plot()).play()


def model_of_run(played: Played) -> bytes:
    return played.documents(played.cast.consumer)[f"model-{played.cast.run_id}.json"]


def test_the_model_is_committed_to_before_anything_is_computed(played: Played) -> None:
    listed = played.cast.manager.session.view(
        "evidence", "list_by_subject", played.cast.demand, 0, 10
    )
    assert isinstance(listed, list)
    (committed,) = [entry for entry in listed if isinstance(entry, dict)]
    assert committed["digest"] == sm3.digest(model_of_run(played))
    height = committed["height"]
    assert isinstance(height, int)
    ordered = [
        step.receipted.height
        for step in played.listener.steps
        if step.receipted is not None
        and (step.receipted.call, step.kind) == ("task.create", Kind.CALL)
    ]
    assert ordered and height < min(ordered)


def test_nobody_but_the_developer_ever_has_the_model(played: Played) -> None:
    terms = json.loads(model_of_run(played))["terms"]
    secrets = [value.encode() for value in terms.values()]
    for path in played.world.root.rglob("*"):
        if path.is_file() and path.parent != played.cast.consumer.home / DOCUMENTS:
            content = path.read_bytes()
            assert not [value for value in secrets if value in content], path


def test_the_developer_never_has_a_row_of_a_hospital(played: Played) -> None:
    rows = {
        ",".join(row).encode()
        for holding in whole_plot().collection.holdings
        for row in holding.sheet.rows
    }
    for path in played.cast.consumer.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [row for row in rows if row in content], path


def test_a_task_that_names_the_model_is_refused(played: Played) -> None:
    refused = [
        step.receipted.refusal
        for step in played.listener.steps
        if step.stage is Stage.AUTHORIZATION
        and step.receipted is not None
        and "run the model" in step.text
    ]
    assert refused == ["grant.algorithm"]


def test_what_is_not_there_and_what_was_found_is_told(played: Played) -> None:
    findings = played.script.findings
    assert "trusted execution environment" in findings["limits"]
    assert "of this demonstration" in findings["data"]
    # As docs/scenarios.md tells it.
    assert findings["model"].startswith("within 2 standard errors of the hospitals in 2 of 6 ")
    assert len({one.patient for one in own(periods())}) == 14
    assert findings["effect"].startswith("progabide: 0.78 times")


def test_a_model_that_was_tuned_afterwards_is_found_out(tmp_path: Path) -> None:
    run = Played(tmp_path, whole_plot())
    compute = run.node.before_events

    def tune_and_compute() -> None:
        path = run.cast.consumer.home / DOCUMENTS / f"model-{run.cast.run_id}.json"
        path.write_bytes(model_document(fit_own(hospitals())))
        compute()

    run.node.before_events = tune_and_compute
    with pytest.raises(ScenarioFailed, match="not the one that it committed to"):
        run.play()
