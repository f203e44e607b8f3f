"""结算: what was done is metered, stated, checked, and paid (6.6.1c).

The consumer owes the operator for the computation, the delivery and the questions that it asked,
and each supplier for the data set that was used. It compares each entry with its own records. A
charge for a question that got no answer it contests, and the manager decides by the log, whose
digest was put on the chain when the use was metered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
from scenarios.stages.delivery import Agreed
from scenarios.stages.tariff import QUERY, price_of
from scenarios.stages.use import log_of


class Charge(NamedTuple):
    """What a statement charges for. `digest` is that of the payee's log, of a use."""

    kind: str
    subject: str
    item: str
    units: int
    price_fen: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A charge, and when it was metered."""

    charge: Charge
    metered_ms: int

    @property
    def fen(self) -> int:
        return self.charge.units * self.charge.price_fen


def settlement(script: Script, cast: Cast, agreed: Agreed) -> None:
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
        total = _state(script, cast, payee, owed(cast, payee, agreed))
        unanswered = without_answer(cast.consumer.received(log_of(cast)))
        if payee is cast.operator and unanswered:
            _contest(script, cast, total, unanswered)
        else:
            script.call(
                cast.consumer,
                Told("has compared it and accepts it", "对账确认", (("total", yuan(total)),)),
                "billing.accept",
                cast.statement(payee),
                total,
            )
        _pay(script, cast, payee)
    script.table(_accounts(cast))


def owed(cast: Cast, payee: Member, agreed: Agreed) -> list[Charge]:
    """What the consumer owes for the run by its own records."""
    if payee is not cast.operator:
        price = price_of(cast.consumer, "dataset")
        return [Charge("dataset", cast.task, cast.dataset(payee), 1, price, b"")]
    log = cast.consumer.received(log_of(cast))
    asked = len(papers.read_query_log(log))
    return [
        Charge("task", cast.task, "", 1, price_of(cast.consumer, "task"), b""),
        Charge("delivery", cast.delivery, "", 1, agreed.price_fen, b""),
        Charge("use", cast.service, "", asked, price_of(cast.consumer, QUERY), sm3.digest(log)),
    ]


def without_answer(log: bytes) -> int:
    """How many questions of a log got no answer. Raises ScenarioFailed."""
    return sum(not value for _group, _column, _statistic, value in papers.read_query_log(log))


def _state(script: Script, cast: Cast, payee: Member, expected: Sequence[Charge]) -> int:
    """A payee states its account, and the consumer compares it; the total. Raises ScenarioFailed.

    An earlier run that broke off may have left entries of its own: they are added up, too.
    """
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
    entries = _entries(cast.consumer, "entries_of", statement)
    own = {cast.task, cast.delivery, cast.service}
    if Counter(e.charge for e in entries if e.charge.subject in own) != Counter(expected):
        raise ScenarioFailed(f"{statement} charges other things than its payer knows of")
    added = sum(entry.fen for entry in entries)
    stated = _shown(cast.consumer, statement, "total_fen")
    if added != stated:
        raise ScenarioFailed(f"{statement} says {stated} fen, and its entries come to {added}")
    return added


def _contest(script: Script, cast: Cast, total: int, unanswered: int) -> None:
    """The consumer contests the operator's statement, and the manager looks into the log."""
    statement = cast.statement(cast.operator)
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
    script.refused(
        cast.operator,
        Told("tries to settle its own bill", "自行裁定"),
        "billing.settle",
        statement,
        total,
        "as stated",
        code="billing.role",
    )
    log = cast.consumer.received(log_of(cast))
    cast.manager.receive(log_of(cast), log)
    metered = {entry.charge.digest for entry in _entries(cast.manager, "entries_of", statement)}
    if sm3.digest(log) not in metered:
        raise ScenarioFailed("the log that the consumer shows is not the one that was metered")
    due = total - without_answer(log) * price_of(cast.manager, QUERY)
    script.call(
        cast.manager,
        Told(
            "reads the log that was metered and settles it: such questions are not due",
            "裁定",
            (("due", yuan(due)),),
        ),
        "billing.settle",
        statement,
        due,
        f"{unanswered} questions without answer are not due by the agreement",
    )


def _pay(script: Script, cast: Cast, payee: Member) -> None:
    statement = cast.statement(payee)
    due = _shown(cast.consumer, statement, "due_fen")
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
        "payment.confirm",
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


def _shown(reader: Member, statement: str, name: str) -> int:
    """An amount of a statement, as the chain has it."""
    return field(record_of(reader.session.view("billing", "show", statement)), name, int)


def _entries(reader: Member, method: str, *args: Value) -> list[Entry]:
    found = rows_of(reader.session.view, "billing", method, *args)
    return [_entry(record_of(dict(row))) for row in found]


def _entry(record: Mapping[str, Value]) -> Entry:
    charge = Charge(
        kind=field(record, "kind", str),
        subject=field(record, "subject", str),
        item=field(record, "item", str),
        units=field(record, "units", int),
        price_fen=field(record, "price_fen", int),
        digest=field(record, "digest", bytes),
    )
    return Entry(charge, field(record, "metered_ms", int))
