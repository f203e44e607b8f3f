"""交付后使用: the consumer asks about the product, the operator meters what it asked (6.6.4c)."""

from __future__ import annotations

from collections.abc import Sequence

from client.pages import rows_of
from crypto import sm3
from executors.mpc.results import Result
from scenarios import papers
from scenarios.answers import field, record_of
from scenarios.cast import Cast
from scenarios.record import TableRecord
from scenarios.script import Script, Told
from scenarios.stages.agreement import paper_of, put_up, sign
from scenarios.stages.delivery import Agreed
from scenarios.stages.tariff import QUERY

NO_ANSWER = "-"


def use(script: Script, cast: Cast, results: Sequence[Result], agreed: Agreed) -> None:
    """The second contract is signed, questions are answered, and their number is metered.

    Both sides have the log afterwards; in the consumer's an answer is "" where there was none.
    """
    text = papers.agreement(
        cast.service,
        over=cast.grant,
        operator=cast.operator.party,
        consumer=cast.consumer.party,
        purpose=f"questions about {cast.product}: {agreed.purpose}",
        confidentiality=agreed.confidentiality,
        charge=f"the tariff's price of {QUERY} for each question; one without answer is not due",
    )
    put_up(
        script,
        cast,
        cast.service,
        text,
        over=("grant", cast.grant),
        title="产品查询服务 Questions about the product",
        service=QUERY,
    )
    sign(script, cast.operator, cast.service, text)
    sign(script, cast.consumer, cast.service, cast.consumer.received(paper_of(cast.service)))
    answered = answers(results, agreed.queries)
    log = papers.query_log(cast.service, answered)
    cast.consumer.receive(log_of(cast), log)
    script.local(
        cast.consumer,
        Told(
            "asks the operator's service, which answers from the product and keeps a log",
            "查询服务",
            (("questions", str(len(answered))), ("log", f"SM3 {sm3.digest(log).hex()[:12]}…")),
        ),
    )
    script.table(_table(answered))
    script.call(
        cast.operator,
        Told(
            "meters the use, naming the digest of its log",
            "使用计量",
            (("units", str(len(answered))),),
        ),
        "billing.report_use",
        cast.service,
        len(answered),
        cast.operator.keep(log_of(cast), log),
    )
    _report(script, cast)


def _report(script: Script, cast: Cast) -> None:
    """The consumer tells what it used the product for, up to the use that was metered last."""
    consumer = cast.consumer
    log = consumer.received(log_of(cast))
    begin_ms = field(
        record_of(consumer.session.view("delivery", "show", cast.delivery)), "answered_ms", int
    )
    metered_ms = max(
        field(record_of(dict(row)), "metered_ms", int)
        for row in rows_of(consumer.session.view, "billing", "entries")
    )
    granted = record_of(consumer.session.view("grant", "show", cast.grant))
    asked = len(papers.read_query_log(log))
    script.call(
        consumer,
        Told("reports its use: for what, how often", "使用报告", (("uses", str(asked)),)),
        "delivery.report_use",
        cast.delivery,
        begin_ms,
        metered_ms,
        asked,
        field(granted, "scenario", str),
        consumer.keep(log_of(cast), log),
        "questions to the operator's service; the product was not passed on",
    )


def answers(
    results: Sequence[Result], queries: Sequence[tuple[str, str, str]]
) -> tuple[tuple[str, str, str, str], ...]:
    """What the product says to each query; nothing to what it does not hold or suppresses."""
    known = {(one.group, one.column, one.statistic): one.value for one in results}
    return tuple((*query, known.get(query, "")) for query in queries)


def log_of(cast: Cast) -> str:
    """The name of the service's log, of which both sides have a copy."""
    return f"log-{cast.service}.json"


def _table(answered: Sequence[tuple[str, str, str, str]]) -> TableRecord:
    return TableRecord(
        title="查询服务 Questions about the product, and the answers of the operator's service",
        columns=("组\ngroup", "列\ncolumn", "统计量\nstatistic", "回答\nanswer"),
        rows=tuple(
            (group, column or "行数 rows", statistic, value or NO_ANSWER)
            for group, column, statistic, value in answered
        ),
    )
