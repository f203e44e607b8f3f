"""The insurance scenario without nodes and engine: rows, program, comparison, papers, stages."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import statistics
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from crypto import sm3
from executors.data.registry import Registry
from executors.mpc.inputs import input_vectors
from executors.mpc.program import StatisticsProgram, decode_program, encode_program
from executors.mpc.results import Result
from ledger.values import Value
from scenarios import papers
from scenarios.cast import Cast, cast_of
from scenarios.comparison import RELATIVE_MAX, compare, pooled_results
from scenarios.consortium import Consortium
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
from scenarios.insurance.run import plot
from scenarios.insurance.table import result_table
from scenarios.joint import Plot
from scenarios.record import Kind, ScenarioFailed, Stage
from scenarios.script import Script
from scenarios.sheet import Sheet
from scenarios.stages.aggregation import aggregation
from scenarios.stages.authorization import authorization
from scenarios.stages.delivery import delivery
from scenarios.stages.development import Developed, development
from scenarios.stages.oversight import oversight
from scenarios.tables import comparison_table
from tests.scenario_world import ChainNode, Listener, consortium, finish_task


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
def whole_plot() -> Plot:
    return plot()


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


# --- stages, on an in-memory chain -------------------------------------------------------------


class Run:
    """A run up to the stage that a test is about."""

    def __init__(self, root: Path) -> None:
        self.world: Consortium = consortium(root)
        self.cast: Cast = cast_of(self.world, "test", holding="claims", suppliers=3)
        self.listener = Listener()
        self.plot = whole_plot()
        self.script = Script("insurance", "test", self.world, self.listener)
        node = self.world.clients[0]
        assert isinstance(node, ChainNode)
        self.node = node

    def granted(self) -> None:
        with self.script.during(Stage.AGGREGATION):
            aggregation(self.script, self.cast, self.plot.collection, self.plot.wanted)
        with self.script.during(Stage.AUTHORIZATION):
            authorization(self.script, self.cast, self.plot.terms)

    def develop(self) -> Developed:
        """The stage of development, with whatever the test puts in the engine's place."""
        plot = self.plot
        return development(self.script, self.cast, plot.collection, plot.question, plot.made)

    def developed(self) -> Developed:
        """The stage of development, without its engine."""
        self.granted()
        operator, manager = self.cast.operator.session, self.cast.manager.session
        order = self.cast.order(self.cast.task, "statistics/1", encode_program(program()))
        operator.call("task", "create", *order)
        finish_task(self.node, self.cast.suppliers, self.cast.task)
        content = product_bytes()
        product: list[Value] = [self.cast.product, self.cast.task, "t", "", sm3.digest(content)]
        operator.call("product", "register", *product)
        manager.call("product", "approve", self.cast.product, True, "fit")
        return Developed(content, pooled())

    def refusals(self) -> list[str]:
        return [
            step.receipted.refusal
            for step in self.listener.steps
            if step.kind is Kind.REFUSAL and step.receipted is not None
        ]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_nothing_is_done_without_a_grant_and_nobody_grants_itself(run: Run) -> None:
    run.granted()
    assert run.refusals() == ["grant.unknown", "grant.role", "grant.algorithm"]
    grant = run.cast.manager.session.view("grant", "show", run.cast.grant)
    assert isinstance(grant, dict)
    assert (grant["status"], grant["uses"]) == ("active", 0)
    assert grant["datasets"] == run.cast.datasets


def test_every_supplier_holds_its_own_rows_and_no_others(run: Run) -> None:
    run.granted()
    for supplier, share in zip(run.cast.suppliers, shares(), strict=True):
        listed = Registry(run.world.executor_home(supplier.party)).list()
        assert [one.dataset_id for one in listed] == [run.cast.dataset(supplier)]
        assert listed[0].row_count == len(share)


def test_evidence_names_the_documents_that_parties_keep(run: Run) -> None:
    delivery(run.script, run.cast, run.developed().content, run.plot.agreed)
    manager = run.cast.manager.session
    for member in run.world.members:
        documents = member.home / "documents"
        if not documents.is_dir():
            continue
        for path in documents.iterdir():
            digest = sm3.digest(path.read_bytes())
            found = [
                entry
                for subject in (*run.cast.datasets, run.cast.grant, run.cast.product)
                for entry in listed(manager.view("evidence", "list_by_subject", subject, 0, 100))
            ] + listed(manager.view("evidence", "list_by_subject", run.cast.delivery, 0, 100))
            assert digest in {entry["digest"] for entry in found}, path


def listed(value: object) -> list[dict[object, object]]:
    assert isinstance(value, list)
    return [entry for entry in value if isinstance(entry, dict)]


def test_the_consumer_accepts_what_it_can_open_and_the_chain_confirms(run: Run) -> None:
    with run.script.during(Stage.DELIVERY):
        delivery(run.script, run.cast, run.developed().content, run.plot.agreed)
    shown = run.cast.manager.session.view("delivery", "show", run.cast.delivery)
    assert isinstance(shown, dict)
    assert shown["status"] == "accepted"
    kept = (run.cast.consumer.home / "documents" / f"{run.cast.product}.json").read_bytes()
    assert papers.read_product(kept) == pooled()
    sealed = (run.cast.consumer.home / "inbox" / f"{run.cast.delivery}.sealed").read_bytes()
    assert b"results" not in sealed


def test_a_product_that_is_not_the_registered_one_is_not_accepted(run: Run) -> None:
    developed = run.developed()
    with pytest.raises(ScenarioFailed, match="not the one that was registered"):
        delivery(run.script, run.cast, developed.content + b" ", run.plot.agreed)
    shown = run.cast.manager.session.view("delivery", "show", run.cast.delivery)
    assert isinstance(shown, dict)
    assert shown["status"] == "offered"


def test_a_revoked_grant_starts_nothing_more(run: Run) -> None:
    delivery(run.script, run.cast, run.developed().content, run.plot.agreed)
    oversight(run.script, run.cast, "statistics/1")
    assert run.refusals()[-1] == "grant.revoked"
    trail = run.listener.tables[-1]
    kinds = {row[0].partition(".")[0] for row in trail.rows}
    assert kinds == {"aggregation", "authorization", "delivery"}


def test_a_task_that_an_executor_gave_up_stops_the_run_with_its_reason(run: Run) -> None:
    run.granted()
    supplier = run.cast.suppliers[1].session

    def give_up() -> None:
        supplier.call("task", "fail", run.cast.task, "the engine did not start")

    run.node.before_events = give_up
    with pytest.raises(ScenarioFailed, match="TaskFailed: the engine did not start"):
        run.develop()


def test_a_result_of_a_party_that_was_not_asked_is_refused(run: Run) -> None:
    """And made-up shares of the participants cannot be opened into a result."""
    run.granted()

    def compute() -> None:
        finish_task(run.node, run.cast.suppliers, run.cast.task)

    run.node.before_events = compute
    with pytest.raises(Exception, match="cannot be opened"):
        run.develop()
    assert run.refusals()[-1] == "task.participant"
    kinds = Counter(step.kind for step in run.listener.steps if step.stage is Stage.AUTHORIZATION)
    assert kinds[Kind.EXECUTOR] == 6


def test_a_network_with_too_few_suppliers_is_refused(tmp_path: Path) -> None:
    world = consortium(tmp_path)
    few = tuple(member for member in world.members if member.party != "supplier-b")
    with pytest.raises(ScenarioFailed, match="2 suppliers; 3 are needed"):
        cast_of(dataclasses.replace(world, members=few), "test", holding="claims", suppliers=3)
