"""开发: the executors compute together; the operator opens what came out (6.4, 8.1.1, 8.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from client.node import ChainEvent
from crypto import sm3
from executors.mpc.program import ALGORITHM, StatisticsProgram, encode_program
from executors.mpc.record import RESOURCES
from executors.mpc.results import Result
from executors.mpc.reveal import ReportedShare, reveal
from ledger.values import Value
from scenarios import papers
from scenarios.answers import field, list_of, record_of, records_in
from scenarios.cast import Cast
from scenarios.comparison import RELATIVE_MAX, Agreement, compare, pooled_results
from scenarios.consortium import Member
from scenarios.record import ScenarioFailed, TableRecord
from scenarios.script import Script, Told
from scenarios.sheet import Sheet
from scenarios.stages.aggregation import Collection, row_count
from scenarios.stages.deidentification import assessment
from scenarios.tables import comparison_table, resources_table

RUN_TIMEOUT_S = 300.0  # engines of three parties on two processors take about twenty seconds
MISSES = ("TaskFailed", "TaskCancelled", "TaskDisputed", "TaskExpired")


@dataclass(frozen=True, slots=True)
class Derived:
    """What the operator makes of the results beyond showing them: a model, a score."""

    told: Told
    content: Mapping[str, papers.Json]  # what the product holds of it
    tables: tuple[TableRecord, ...] = ()
    findings: tuple[tuple[str, str], ...] = ()
    measures: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What is computed, and how its answer is shown."""

    program_for: Callable[[Sequence[int]], StatisticsProgram]  # of the suppliers' numbers of rows
    result_table: Callable[[Sequence[Result]], TableRecord]
    derive: Callable[[Sequence[Result]], Derived] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What the operator says of the product, and the manager when it passes it."""

    title: str
    description: str
    assessment: str
    output: str = "statistics"  # its kind, of those that the grant allows


@dataclass(frozen=True, slots=True)
class Developed:
    """The approved product and what is in it."""

    content: bytes
    results: tuple[Result, ...]


def development(
    script: Script, cast: Cast, collection: Collection, question: Question, made: Made
) -> Developed:
    """Task, joint run, result, check against the pool, product."""
    counts = [row_count(cast.operator, dataset_id) for dataset_id in cast.datasets]
    program = question.program_for(counts)
    results, report = compute(script, cast, encode_program(program))
    script.table(question.result_table(results))
    check(script, [holding.sheet for holding in collection.holdings], program, results)
    derived = _derive(script, cast, question, results)
    content = papers.product(
        product_id=cast.product,
        task_id=cast.task,
        program_hash=field(report, "program_hash", bytes),
        protection=field(report, "protection", str),
        data=collection.origin,
        results=results,
        derived=derived,
    )
    _record(script, cast, cast.operator, "result", content, "results as they were opened")
    _register(script, cast, content, made)
    assessment(script, cast, collection, program, results, content)
    _approve(script, cast, made)
    return Developed(content, results)


def compute(
    script: Script, cast: Cast, program: bytes
) -> tuple[tuple[Result, ...], Mapping[str, Value]]:
    """The operator orders the encoded `program`, the executors run it, the operator opens it.

    The results, and the report of one executor. Raises ScenarioFailed when it does not finish.
    """
    created = script.call(
        cast.operator,
        Told(
            "orders the computation; results are sealed to its key",
            "任务",
            (("task", cast.task), ("program", f"{len(program)} bytes, SM3 {_short(program)}")),
        ),
        "task.create",
        *cast.order(cast.task, ALGORITHM, program),
    )
    _record(script, cast, cast.operator, "algorithm", program, "program as ordered")
    _follow(script, cast, created.height)
    file = record_of(cast.operator.session.view("task", "show", cast.task))
    results = _open(script, cast, program, file)
    report = records_in(file, "reports")[0]
    script.finding("protection", field(report, "protection", str))
    return results, report


def check(
    script: Script, sheets: Sequence[Sheet], program: StatisticsProgram, results: Sequence[Result]
) -> None:
    """Puts the joint results beside those over all rows. Raises ScenarioFailed beyond the bound."""
    found = compare(results, pooled_results(program, sheets))
    script.remark(
        "A check of this demonstration only: the same statistics over the pooled rows, which in "
        "earnest nobody has (仅供演示核对)."
    )
    script.table(comparison_table(found, sheets[0].texts))
    largest = max(one.relative for one in found)
    script.finding("comparison", _compared(found))
    script.measured("largest_relative_difference", largest)


def _compared(found: Sequence[Agreement]) -> str:
    values = sum(one.values for one in found)
    equal = sum(one.values for one in found if one.absolute == 0)
    said = f"{values} values beside the pooled computation: {equal} equal"
    if equal == values:
        return said
    largest = max(one.relative for one in found)
    bound = f"{largest:.2g} of the value (allowed {RELATIVE_MAX:g})"
    return f"{said}, the others differ by at most {bound}"


def _derive(
    script: Script, cast: Cast, question: Question, results: Sequence[Result]
) -> Mapping[str, papers.Json]:
    """Tells what the operator makes of the results; what of it goes into the product."""
    if question.derive is None:
        return {}
    derived = question.derive(results)
    script.local(cast.operator, derived.told)
    for table in derived.tables:
        script.table(table)
    for name, text in derived.findings:
        script.finding(name, text)
    for name, value in derived.measures:
        script.measured(name, value)
    return derived.content


def _follow(script: Script, cast: Cast, height: int) -> None:
    """Tells what the executors do, until the task is finished."""
    deadline = time.monotonic() + RUN_TIMEOUT_S
    with script.waiting("the executors compute (执行器协同计算)"):
        for event in cast.operator.session.node.events(from_height=height, contract="task"):
            if time.monotonic() > deadline:
                raise ScenarioFailed(
                    f"the executors did not finish within {RUN_TIMEOUT_S:.0f} s: see "
                    f"{script.consortium.root}/executors/PARTY/executor.log"
                )
            if event.fields.get("task_id") != cast.task:
                continue
            if event.name in MISSES:
                reason = record_of(cast.operator.session.view("task", "show", cast.task))
                text = field(record_of(reason["task"]), "reason", str)
                raise ScenarioFailed(f"{event.name}: {text}; see the executors' logs")
            if event.name == "TaskFinished":
                script.remark("All three reported the same program: the task is finished.")
                return
            _tell(script, cast, event)


def _tell(script: Script, cast: Cast, event: ChainEvent) -> None:
    if event.name == "TaskAccepted":
        script.observed(
            _supplier(cast, event),
            Told("checks grant, program and rows, and accepts", "任务接受"),
            event,
        )
    elif event.name == "TaskReady":
        script.remark("All have accepted: the chain dispatches the task (任务下发).")
        digest = sm3.digest(b"a result made up by somebody who was not asked")
        script.refused(
            cast.outsider,
            Told("is not assigned and tries to report a result", "无关方报告"),
            "task.report",
            cast.task,
            digest,
            digest,
            digest,
            digest,
            list[Value](),
            "none",
            code="task.participant",
        )
    elif event.name == "TaskReported":
        script.observed(
            _supplier(cast, event),
            Told(
                "has computed on shares, reports and wipes; its output share is sealed",
                "输出因子",
                (("compiled", f"SM3 {field(event.fields, 'program_hash', bytes).hex()[:12]}…"),),
            ),
            event,
        )


def _open(
    script: Script, cast: Cast, program: bytes, file: Mapping[str, Value]
) -> tuple[Result, ...]:
    """The operator fetches the sealed shares, evidences their receipt and opens them."""
    reports = records_in(file, "reports")
    operator = cast.operator
    sealed = [_share(cast, field(report, "party", str)) for report in reports]
    received = b"".join(sm3.digest(share) for share in sealed)
    _record(script, cast, operator, "output_received", received, "digests of three sealed shares")
    results = reveal(
        cast.task,
        program,
        [
            ReportedShare(
                share,
                field(report, "program_hash", bytes),
                field(report, "output_commitment", bytes),
            )
            for share, report in zip(sealed, reports, strict=True)
        ],
        operator.private_key(),
    )
    script.local(
        operator,
        Told(
            "opens the three shares and puts them together",
            "结果解析",
            (
                ("shares", f"{len(sealed)}, {sum(map(len, sealed)):,} bytes"),
                ("results", str(len(results))),
            ),
        ),
    )
    script.table(
        resources_table([(field(report, "party", str), _resources(report)) for report in reports])
    )
    return results


def _register(script: Script, cast: Cast, content: bytes, made: Made) -> None:
    script.call(
        cast.operator,
        Told(
            "registers the result as a data product", "数据产品登记", (("product", cast.product),)
        ),
        "product.register",
        cast.product,
        cast.task,
        made.title,
        made.description,
        sm3.digest(content),
        made.output,
    )


def _approve(script: Script, cast: Cast, made: Made) -> None:
    script.call(
        cast.manager,
        Told("assesses the product and passes it", "产品评估"),
        "product.approve",
        cast.product,
        True,
        made.assessment,
    )


def _record(script: Script, cast: Cast, who: Member, what: str, content: bytes, note: str) -> None:
    script.call(
        who,
        Told(f"puts on record: {note}", "开发存证"),
        "evidence.record",
        cast.evidence(3, who, what.replace("_", "-")),
        f"development.{what}",
        cast.task,
        who.keep(f"{what}-{cast.task}.bin", content),
        note,
    )


def _share(cast: Cast, party: str) -> bytes:
    share = cast.operator.session.view("task", "share", cast.task, party)
    if not isinstance(share, bytes):
        raise ScenarioFailed(f"task.share did not answer with the bytes that {party} sealed")
    return share


def _supplier(cast: Cast, event: ChainEvent) -> Member:
    party = field(event.fields, "party_id", str)
    return next(supplier for supplier in cast.suppliers if supplier.party == party)


def _resources(report: Mapping[str, Value]) -> Mapping[str, int]:
    """The reported counters by name."""
    counters = [item for item in list_of(report.get("resources")) if isinstance(item, int)]
    return dict(zip(RESOURCES, counters, strict=False))


def _short(content: bytes) -> str:
    return f"{sm3.digest(content).hex()[:12]}…"
