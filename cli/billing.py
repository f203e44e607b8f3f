"""Metering and charging (计量计费): what was metered, and statements (账单) over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    PAGE_MAX,
    DigestOption,
    Id,
    Reason,
    add_reads,
    call,
    record_fields,
    records_table,
)
from cli.filters import listed
from cli.literals import parse_amount, parse_id, parse_moment
from cli.options import Invocation, verb
from cli.output import Answer, Fields
from cli.records import shown
from client.pages import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "billing"
PAYMENT = "payment"  # the contract that says how what is due is paid

add_reads(app, CONTRACT, columns=("id", "payee", "payer", "to_ms", "count", "total_fen", "status"))

ENTRY_COLUMNS = ("number", "kind", "subject", "item", "payee", "payer", "units", "price_fen")
Offset = Annotated[int, typer.Option(min=0, help="Skip so many.")]


@verb(app, "meter-task")
def meter_task(ask: Invocation, task_id: Id) -> Answer:
    """Meter a finished task: the work, and each data set (whom it concerns)."""
    return call(ask, CONTRACT, "meter_task", task_id)


@verb(app, "meter-delivery")
def meter_delivery(ask: Invocation, delivery_id: Id) -> Answer:
    """Meter an accepted delivery, by its agreement or by the tariff (whom it concerns)."""
    return call(ask, CONTRACT, "meter_delivery", delivery_id)


@verb(app, "report-use")
def report_use(
    ask: Invocation,
    agreement_id: Id,
    units: Annotated[int, typer.Option(min=1, help="Units that were used.")],
    digest: DigestOption,
) -> Answer:
    """Report use that no chain sees, with the digest of its log (operator of the agreement)."""
    return call(ask, CONTRACT, "report_use", agreement_id, units, digest)


@verb(app, "entries")
def entries(
    ask: Invocation,
    statement: Annotated[str, typer.Option(metavar="ID", help="Only those of a statement.")] = "",
    offset: Offset = 0,
) -> Answer:
    """List what was metered, in order."""
    with ask.session() as session:
        asked = ("entries_of", parse_id(statement)) if statement else ("entries",)
        records = listed(session.view, CONTRACT, *asked, offset=offset, limit=PAGE_MAX)
    return records_table(records, columns=ENTRY_COLUMNS, whole=ask.json)


@verb(app, "issue")
def issue(
    ask: Invocation,
    statement_id: Id,
    payer: Annotated[str, typer.Option(parser=parse_id, help="Party that owes.")],
    until: Annotated[
        int, typer.Option(parser=parse_moment, help="An ISO time with its zone, that has been.")
    ],
) -> Answer:
    """State what a payer owes since the last statement (payee)."""
    return call(ask, CONTRACT, "issue", statement_id, payer, until)


@verb(app, "recompute")
def recompute(ask: Invocation, statement_id: Id) -> Answer:
    """Add the entries of a statement up here; exit code 1 when it says another total."""
    with ask.session() as session:
        statement = shown(session, CONTRACT, statement_id)
        found = list(rows_of(session.view, CONTRACT, "entries_of", statement_id))
    record: Mapping[Key, Value] = statement if isinstance(statement, dict) else {}
    total = sum(_number(entry, "units") * _number(entry, "price_fen") for entry in found)
    is_equal = total == record.get("total_fen") and len(found) == record.get("count")
    return Fields(
        {
            "id": statement_id,
            "entries": len(found),
            "total_fen": total,
            "stated_fen": _number(record, "total_fen"),
            "is_equal": is_equal,
        },
        exit_code=int(not is_equal),
    )


@verb(app, "accept")
def accept(
    ask: Invocation,
    statement_id: Id,
    total: Annotated[
        int,
        typer.Option(
            parser=parse_amount,
            metavar="AMOUNT",
            help="As you recomputed it: 155.00yuan or 15500, in fen.",
        ),
    ],
) -> Answer:
    """Accept the total that you recomputed (payer)."""
    return call(ask, CONTRACT, "accept", statement_id, total)


@verb(app, "contest")
def contest(ask: Invocation, statement_id: Id, reason: Reason) -> Answer:
    """Contest a statement, with reasons (payer)."""
    return call(ask, CONTRACT, "contest", statement_id, reason)


@verb(app, "settle")
def settle(
    ask: Invocation,
    statement_id: Id,
    due: Annotated[
        int,
        typer.Option(
            parser=parse_amount, metavar="AMOUNT", help="What is due: 155.00yuan or 15500, in fen."
        ),
    ],
    reason: Reason,
) -> Answer:
    """Decide what is due of a contested statement (a manager that is neither side)."""
    return call(ask, CONTRACT, "settle", statement_id, due, reason)


@verb(app, "remit")
def remit(ask: Invocation, statement_id: Id, digest: DigestOption) -> Answer:
    """Put on record that you paid what is due, naming what shows it (payer)."""
    return call(ask, PAYMENT, "remit", statement_id, digest)


@verb(app, "confirm")
def confirm(ask: Invocation, statement_id: Id, digest: DigestOption) -> Answer:
    """Confirm that what is due was paid, naming what shows it (payee)."""
    return call(ask, PAYMENT, "confirm", statement_id, digest)


@verb(app, "deny")
def deny(ask: Invocation, statement_id: Id, reason: Reason) -> Answer:
    """Deny a payment that was remitted, with the reason; a manager decides (payee)."""
    return call(ask, PAYMENT, "deny", statement_id, reason)


@verb(app, "conclude")
def conclude(
    ask: Invocation,
    statement_id: Id,
    is_paid: Annotated[
        bool, typer.Option("--paid/--unpaid", help="Whether the papers show that it was paid.")
    ],
    reason: Reason,
) -> Answer:
    """Decide on a payment that is denied, or not confirmed in time (a manager of neither side)."""
    return call(ask, PAYMENT, "conclude", statement_id, is_paid, reason)


@verb(app, "payment")
def payment(ask: Invocation, statement_id: Id) -> Answer:
    """Show what payer, payee and manager said of a payment."""
    with ask.session() as session:
        return record_fields(shown(session, PAYMENT, statement_id))


def _number(record: Mapping[Key, Value], name: str) -> int:
    value = record.get(name)
    return value if isinstance(value, int) else 0
