"""The stages of a scenario on an in-memory chain, without engine, with insurance's plot."""

from __future__ import annotations

import dataclasses
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from crypto import sm3
from executors.data.registry import Registry
from executors.mpc.program import StatisticsProgram, encode_program
from executors.mpc.results import Result
from ledger.values import Key, Value
from scenarios import papers
from scenarios.cast import Cast, cast_of
from scenarios.comparison import pooled_results
from scenarios.consortium import Consortium
from scenarios.insurance.program import program_for
from scenarios.insurance.run import plot
from scenarios.joint import Plot
from scenarios.record import Kind, ScenarioFailed, Stage
from scenarios.script import Script
from scenarios.sheet import Column, Sheet
from scenarios.stages.aggregation import aggregation
from scenarios.stages.agreement import put_up, sign
from scenarios.stages.authorization import authorization
from scenarios.stages.deidentification import assessment
from scenarios.stages.delivery import delivery
from scenarios.stages.development import Developed, development
from scenarios.stages.oversight import oversight
from scenarios.stages.settlement import settlement
from scenarios.stages.tariff import PRICES, tariff
from scenarios.stages.use import answers, log_of, use
from tests.scenario_world import ChainNode, Listener, consortium, finish_task

SHORT = 300  # rows of a supplier: of the stages none is another for many rows


@cache
def short_plot() -> Plot:
    whole = plot()
    holdings = tuple(
        dataclasses.replace(one, sheet=dataclasses.replace(one.sheet, rows=one.sheet.rows[:SHORT]))
        for one in whole.collection.holdings
    )
    return dataclasses.replace(
        whole, collection=dataclasses.replace(whole.collection, holdings=holdings)
    )


@cache
def program() -> StatisticsProgram:
    return program_for([SHORT] * 3)


@cache
def pooled() -> tuple[Result, ...]:
    sheets = [holding.sheet for holding in short_plot().collection.holdings]
    return pooled_results(program(), sheets)


def product_bytes() -> bytes:
    return papers.product(
        product_id="p1",
        task_id="t1",
        program_hash=bytes(32),
        protection="x",
        data="measured",
        results=pooled(),
    )


class Run:
    """A run up to the stage that a test is about."""

    def __init__(self, root: Path) -> None:
        self.world: Consortium = consortium(root)
        self.listener = Listener()
        self.plot = short_plot()
        self.begin("test")
        node = self.world.clients[0]
        assert isinstance(node, ChainNode)
        self.node = node

    def begin(self, run_id: str) -> None:
        """A run of this id, on the chain as it is."""
        self.cast: Cast = cast_of(self.world, run_id, holding="claims", suppliers=3)
        self.script = Script("insurance", run_id, self.world, self.listener)

    def granted(self) -> None:
        with self.script.during(Stage.AGGREGATION):
            told = self.plot.collection, self.plot.wanted
            aggregation(self.script, self.cast, *told, scenario=self.plot.terms.scenario)
        with self.script.during(Stage.AUTHORIZATION):
            authorization(self.script, self.cast, self.plot.terms)
            tariff(self.script, self.cast)

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
        product.append("statistics")
        operator.call("product", "register", *product)
        told = self.plot.collection, program(), pooled(), content
        with self.script.during(Stage.DEVELOPMENT):
            assessment(self.script, self.cast, *told)
        manager.call("product", "approve", self.cast.product, True, "fit")
        return Developed(content, pooled())

    def delivered(self) -> None:
        """The stage of delivery."""
        developed = self.developed()
        with self.script.during(Stage.DELIVERY):
            delivery(self.script, self.cast, developed.content, self.plot.agreed)

    def settled(self) -> None:
        """Use after delivery, and what is owed for everything."""
        self.delivered()
        use(self.script, self.cast, pooled(), self.plot.agreed)
        settlement(self.script, self.cast, self.plot.agreed)

    def shown(self, contract: str, name: str) -> dict[Key, Value]:
        """A record as the manager reads it."""
        found = self.cast.manager.session.view(contract, "show", name)
        assert isinstance(found, dict)
        return dict(found)

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
    for supplier, holding in zip(run.cast.suppliers, run.plot.collection.holdings, strict=True):
        kept = Registry(run.world.executor_home(supplier.party))
        assert [one.dataset_id for one in kept.list()] == [run.cast.dataset(supplier)]
        visits = kept.load(run.cast.dataset(supplier), ("mdvis",)).columns["mdvis"]
        assert list(map(str, visits)) == holding.sheet.cells("mdvis")


def test_every_document_that_a_party_keeps_is_named_on_the_chain(run: Run) -> None:
    run.settled()
    manager, cast = run.cast.manager.session, run.cast
    subjects = (*cast.datasets, cast.grant, cast.product, cast.delivery)
    named = {
        entry["digest"]
        for subject in subjects
        for entry in listed(manager.view("evidence", "list_by_subject", subject, 0, 100))
    }
    named |= {entry["digest"] for entry in listed(manager.view("agreement", "list", 0, 100))}
    named |= {entry["digest"] for entry in listed(manager.view("tariff", "list", 0, 100))}
    assessed = listed(manager.view("deidentification", "list", 0, 100))
    assert [(entry["level"], entry["status"]) for entry in assessed] == [(4, "standing")]
    named |= {entry["report"] for entry in assessed}
    diligence = manager.view("delivery", "diligence", cast.delivery)
    assert isinstance(diligence, dict)
    named.add(diligence["digest"])
    named |= {entry["digest"] for entry in listed(manager.view("billing", "entries", 0, 100))}
    named |= {entry["receipt_digest"] for entry in listed(manager.view("billing", "list", 0, 100))}
    kept = [path for one in run.world.members for path in (one.home / "documents").glob("*")]
    assert {path.name.partition("-")[0] for path in kept} == {
        *("quality", "decision", "diligence", "agreement", "service"),
        *("tariff", "product", "log", "receipt", "deidentification"),
    }
    for path in kept:
        assert sm3.digest(path.read_bytes()) in named, path


def listed(value: object) -> list[dict[object, object]]:
    assert isinstance(value, list)
    return [entry for entry in value if isinstance(entry, dict)]


def test_the_consumer_accepts_what_it_can_open_and_the_chain_confirms(run: Run) -> None:
    run.delivered()
    shown = run.shown("delivery", run.cast.delivery)
    assert (shown["status"], shown["agreement_id"]) == ("accepted", run.cast.agreement)
    kept = (run.cast.consumer.home / "documents" / f"{run.cast.product}.json").read_bytes()
    assert papers.read_product(kept) == pooled()
    sealed = (run.cast.consumer.home / "inbox" / f"{run.cast.delivery}.sealed").read_bytes()
    assert b"results" not in sealed


def test_a_product_that_is_not_the_registered_one_is_not_accepted(run: Run) -> None:
    developed = run.developed()
    with pytest.raises(ScenarioFailed, match="not the one that was registered"):
        delivery(run.script, run.cast, developed.content + b" ", run.plot.agreed)
    assert run.shown("delivery", run.cast.delivery)["status"] == "offered"


def test_nothing_is_delivered_before_both_sides_have_signed_one_text(run: Run) -> None:
    run.delivered()
    assert run.refusals()[-2:] == ["agreement.side", "agreement.not_in_force"]
    agreement = run.shown("agreement", run.cast.agreement)
    assert (agreement["status"], agreement["signed_by"]) == ("in_force", "operator")
    copies = {
        (member.home / "documents" / f"{run.cast.agreement}.json").read_bytes()
        for member in (run.cast.operator, run.cast.consumer)
    }
    assert [sm3.digest(copy) for copy in copies] == [agreement["digest"]]


def test_a_consumer_does_not_sign_another_text_than_the_one_on_the_chain(run: Run) -> None:
    run.developed()
    text = b"what both had agreed on"
    over = "product", run.cast.product
    put_up(run.script, run.cast, "a1", text, over=over, title="t", price_fen=1)
    with pytest.raises(ScenarioFailed, match="was handed another text than a1 names"):
        sign(run.script, run.cast.consumer, "a1", text + b", or nearly")
    assert run.shown("agreement", "a1")["status"] == "offered"


def test_what_is_owed_is_what_was_done_and_what_had_an_answer(run: Run) -> None:
    run.settled()
    fen = dict(PRICES)
    used = len(run.plot.agreed.queries) * fen["query"]
    whole = fen["task"] + run.plot.agreed.price_fen + used
    bill = run.shown("billing", run.cast.statement(run.cast.operator))
    assert (bill["status"], bill["count"]) == ("paid", 3)
    assert (bill["total_fen"], bill["due_fen"]) == (whole, whole - fen["query"])
    assert (bill["settler"], run.refusals()[-1]) == ("manager", "billing.role")
    for supplier in run.cast.suppliers:
        bill = run.shown("billing", run.cast.statement(supplier))
        assert (bill["status"], bill["due_fen"]) == ("paid", fen["dataset"])


def test_a_bill_is_accepted_where_every_question_had_its_answer(run: Run) -> None:
    run.delivered()
    agreed = dataclasses.replace(run.plot.agreed, queries=run.plot.agreed.queries[:2])
    use(run.script, run.cast, pooled(), agreed)
    settlement(run.script, run.cast, agreed)
    bill = run.shown("billing", run.cast.statement(run.cast.operator))
    assert (bill["status"], bill["settler"], bill["reason"]) == ("paid", "", "")


def test_the_consumer_reports_a_use_that_keeps_to_the_purpose_of_the_grant(run: Run) -> None:
    run.settled()
    delivered = run.shown("delivery", run.cast.delivery)
    assert (delivered["channel"], delivered["risk"]) == ("file", "low")
    assert (delivered["reports"], delivered["strayed"]) == (1, 0)


def test_a_suppressed_number_is_no_answer() -> None:
    hidden = [Result("free", "meddol", "mean", "")]
    asked = (("free", "meddol", "mean"), ("free", "meddol", "sum"))
    assert [value for *_query, value in answers(hidden, asked)] == ["", ""]


def test_a_consumer_accepts_no_bill_that_its_own_log_contradicts(run: Run) -> None:
    run.delivered()
    use(run.script, run.cast, pooled(), run.plot.agreed)
    log = papers.query_log(run.cast.service, [("free", "meddol", "mean", "1")])
    run.cast.consumer.receive(log_of(run.cast), log)
    with pytest.raises(ScenarioFailed, match="charges other things than its payer knows of"):
        settlement(run.script, run.cast, run.plot.agreed)
    assert run.shown("billing", run.cast.statement(run.cast.operator))["status"] == "issued"


@pytest.mark.parametrize("price", [1, 10**9])
def test_a_consumer_accepts_no_other_price_than_the_agreed_one(run: Run, price: int) -> None:
    run.delivered()
    use(run.script, run.cast, pooled(), run.plot.agreed)
    with pytest.raises(ScenarioFailed, match="charges other things"):
        settlement(run.script, run.cast, dataclasses.replace(run.plot.agreed, price_fen=price))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"questions": 7}',
        b'{"questions": [["a", "b", "c"]]}',
        b'{"questions": [7]}',
        b"[" * 100_000,
        b" " * (papers.LOG_SIZE_MAX + 1),
    ],
)
def test_what_is_no_log_of_questions_is_refused(content: bytes) -> None:
    with pytest.raises(ScenarioFailed, match="cannot be read"):
        papers.read_query_log(content)


def test_another_run_on_the_same_network_uses_the_tariff_and_bills_only_its_own(run: Run) -> None:
    run.settled()
    first = run.shown("billing", run.cast.statement(run.cast.operator))
    run.begin("again")
    run.settled()
    assert any("tariff of an earlier run" in remark for remark in run.listener.remarks)
    assert len(listed(run.cast.manager.session.view("tariff", "list", 0, 100))) == 1
    second = run.shown("billing", run.cast.statement(run.cast.operator))
    assert first["id"] != second["id"]
    for name in ("count", "total_fen", "due_fen", "status"):
        assert first[name] == second[name]


def test_a_payment_is_labelled_as_one_of_a_demonstration(run: Run) -> None:
    run.settled()
    paid = [step for step in run.listener.steps if step.term == "付款"]
    assert len(paid) == 4 and all("演示" in step.text for step in paid)
    paper = papers.receipt("s1", payer="consumer", payee="operator", fen=1)
    assert "no money moved" in paper.decode()


def test_a_revoked_grant_starts_nothing_more(run: Run) -> None:
    run.delivered()
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


def test_how_complete_a_sheet_is_is_counted() -> None:
    columns = (Column("plan", "计划 plan", is_text=True), Column("claims", "赔付 claims"))
    assert Sheet(columns, (("free", "1"), ("25", ""), ("", "3"))).complete_ppm() == 666_666
    assert Sheet(columns, (("free", "1"),)).complete_ppm() == 1_000_000
