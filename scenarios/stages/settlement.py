"""结算: what was done is metered, stated, checked, and paid (6.6.1c).

The consumer owes the operator for the computation, the delivery and the questions that it asked,
and each supplier for the data set that was used. It accepts what it can add up from its own
records; a charge for a question that got no answer it contests, and the manager decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from client.pages import rows_of
from crypto import sm3
from ledger.values import Value
from scenarios import papers
from scenarios.answers import field, record_of
from scenarios.cast import Cast
from scenarios.consortium import Member
from scenarios.record import ScenarioFailed, TableRecord
from scenarios.script import Script, Told
from scenarios.stages.agreement import yuan
from scenarios.stages.tariff import QUERY, price_of
from scenarios.stages.use import Answered


@dataclass(frozen=True, slots=True)
class Entry:
    """What a statement charges for."""

    kind: str
    subject: str
    item: str
    units: int
    price_fen: int
    metered_ms: int

    @property
    def fen(self) -> int:
        return self.units * self.price_fen


def settlement(script: Script, cast: Cast, answered: Sequence[Answered]) -> None:
    """Metering, a statement of each payee, and what the consumer says to it."""
    script.call(
        cast.operator,
        Told("has the finished task metered: the work and each data set", "任务计量"),
        "billing.meter_task",
        cast.task,
    )
    script.call(
        cast.operator,
        Told("has the accepted delivery metered, at the agreed price", "交付计量"),
        "billing.meter_delivery",
        cast.delivery,
    )
    for payee in (cast.operator, *cast.suppliers):
        entries = _state(script, cast, payee)
        unanswered = sum(not one.value for one in answered) if payee is cast.operator else 0
        _answer(script, cast, payee, entries, unanswered)
        _pay(script, cast, payee)
    script.table(_accounts(cast))


def _state(script: Script, cast: Cast, payee: Member) -> list[Entry]:
    """A payee states its account; the consumer adds it up again, entry by entry."""
    until_ms = max(entry.metered_ms for entry in _entries(payee, "entries")) + 1
    statement = cast.statement(payee)
    script.call(
        payee,
        Told("states what the consumer owes", "对账单", (("statement", statement),)),
        "billing.issue",
        statement,
        cast.consumer.party,
        until_ms,
    )
    shown = _shown(cast, payee)
    entries = _entries(cast.consumer, "entries_of", statement)
    added = sum(entry.fen for entry in entries)
    stated = field(shown, "total_fen", int)
    if added != stated:
        raise ScenarioFailed(f"{statement} says {stated} fen, and its entries come to {added}")
    own = {cast.task, cast.delivery, cast.service}
    if own.isdisjoint(entry.subject for entry in entries):
        raise ScenarioFailed(f"{statement} charges nothing of this run")
    return entries


def _answer(
    script: Script, cast: Cast, payee: Member, entries: Sequence[Entry], unanswered: int
) -> None:
    statement, total = cast.statement(payee), sum(entry.fen for entry in entries)
    if not unanswered:
        script.call(
            cast.consumer,
            Told("has added it up and accepts it", "对账确认", (("total", yuan(total)),)),
            "billing.accept",
            statement,
            total,
        )
        return
    script.call(
        cast.consumer,
        Told(
            "contests it: its log has questions without an answer",
            "对账异议",
            (("total", yuan(total)), ("without answer", str(unanswered))),
        ),
        "billing.contest",
        statement,
        f"{unanswered} of the questions charged got no answer; see the log",
    )
    due = total - unanswered * price_of(cast.manager, QUERY)
    script.refused(
        cast.operator,
        Told("tries to settle its own bill", "自行裁定"),
        "billing.settle",
        statement,
        total,
        "as stated",
        code="billing.role",
    )
    script.call(
        cast.manager,
        Told(
            "settles it: by the agreement such questions are not due", "裁定", (("due", yuan(due)),)
        ),
        "billing.settle",
        statement,
        due,
        f"{unanswered} questions without answer are not due by the agreement",
    )


def _pay(script: Script, cast: Cast, payee: Member) -> None:
    statement = cast.statement(payee)
    due = field(_shown(cast, payee), "due_fen", int)
    paper = papers.receipt(statement, payer=cast.consumer.party, payee=payee.party, fen=due)
    cast.consumer.keep(f"receipt-{statement}.json", paper)
    payee.receive(f"receipt-{statement}.json", paper)
    script.local(
        cast.consumer,
        Told(
            "pays outside the chain: here a paper stands for the bank's receipt (演示凭证)",
            "付款",
            (("due", yuan(due)), ("receipt", f"SM3 {sm3.digest(paper).hex()[:12]}…")),
        ),
    )
    script.call(
        payee,
        Told("confirms that it was paid, naming the receipt", "结清"),
        "billing.confirm",
        statement,
        payee.keep(f"receipt-{statement}.json", payee.received(f"receipt-{statement}.json")),
    )


def _accounts(cast: Cast) -> TableRecord:
    """The statements of the run as the manager reads them from the chain."""
    rows = []
    for payee in (cast.operator, *cast.suppliers):
        shown = record_of(cast.manager.session.view("billing", "show", cast.statement(payee)))
        rows.append(
            (
                payee.party,
                field(shown, "payer", str),
                str(field(shown, "count", int)),
                yuan(field(shown, "total_fen", int)),
                yuan(field(shown, "due_fen", int)),
                field(shown, "status", str),
            )
        )
    return TableRecord(
        title="结算 Statements, as the manager reads them from the chain",
        columns=(
            "收款方\npayee",
            "付款方\npayer",
            "条目\nentries",
            "合计\ntotal",
            "应付\ndue",
            "状态\nstatus",
        ),
        rows=tuple(rows),
    )


def _shown(cast: Cast, payee: Member) -> Mapping[str, Value]:
    return record_of(cast.consumer.session.view("billing", "show", cast.statement(payee)))


def _entries(reader: Member, method: str, *args: Value) -> list[Entry]:
    found = rows_of(reader.session.view, "billing", method, *args)
    return [_entry(record_of(dict(row))) for row in found]


def _entry(record: Mapping[str, Value]) -> Entry:
    return Entry(
        kind=field(record, "kind", str),
        subject=field(record, "subject", str),
        item=field(record, "item", str),
        units=field(record, "units", int),
        price_fen=field(record, "price_fen", int),
        metered_ms=field(record, "metered_ms", int),
    )
