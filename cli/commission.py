"""Commissions (委托): work that an operator gives to whom it engaged, reports on it and results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    Deadline,
    Decision,
    DigestOption,
    Id,
    Note,
    Reason,
    Title,
    add_reads,
    call,
    lists,
    records_table,
)
from cli.filters import listed
from cli.literals import Made, parse_digest, parse_id, parse_made, parse_moment
from cli.options import Forms, Invocation, verb
from cli.output import Answer

if TYPE_CHECKING:
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "commission"
forms = Forms(app, CONTRACT)

add_reads(
    app,
    CONTRACT,
    columns=("id", "kind", "operator", "party", "title", "due_ms", "status", "waiting"),
)

Offset = Annotated[int, typer.Option(min=0, help="Skip so many.")]
Limit = Annotated[int, typer.Option(min=1, max=PAGE_MAX)]


@forms.verb("offer")
def offer(
    ask: Invocation,
    commission_id: Id,
    party: Annotated[
        str, typer.Option(parser=parse_id, help="Developer or tech provider that you engaged.")
    ],
    kind: Annotated[
        str, typer.Option(help="build, operate, monitor, fuse, govern, deliver or assess.")
    ],
    title: Title,
    digest: DigestOption,
    due: Deadline,
    report_days: Annotated[
        int,
        typer.Option(min=0, help="Reports come every so many days (operate, monitor); else 0."),
    ] = 0,
    about: Annotated[
        str, typer.Option(help="demand, grant, dataset, product or asset, if it is about one.")
    ] = "",
    subject: Annotated[str, typer.Option(metavar="ID", help="Id of what it is about.")] = "",
    location: Annotated[str, typer.Option(help="Where the two sides find the text.")] = "",
) -> Answer:
    """Commission whom you engaged with a piece of work (operator)."""
    words = (party, kind, title, digest, location, about, subject, due, report_days)
    return call(ask, CONTRACT, "offer", commission_id, *words)


@verb(app, "accept")
def accept(ask: Invocation, commission_id: Id, digest: DigestOption) -> Answer:
    """Take a commission, naming the text that you read (who was commissioned)."""
    return call(ask, CONTRACT, "accept", commission_id, digest)


@verb(app, "decline")
def decline(ask: Invocation, commission_id: Id, reason: Reason) -> Answer:
    """Decline it, or take it back, before it is accepted (either side)."""
    return call(ask, CONTRACT, "decline", commission_id, reason)


@verb(app, "prolong")
def prolong(ask: Invocation, commission_id: Id, due: Deadline, reason: Reason) -> Answer:
    """Give more time for work under way (operator)."""
    return call(ask, CONTRACT, "prolong", commission_id, due, reason)


@forms.verb("report")
def report(
    ask: Invocation,
    commission_id: Id,
    until: Annotated[
        int,
        typer.Option(parser=parse_moment, help="End of the period, which has been, with its zone."),
    ],
    digest: DigestOption,
    anomalies: Annotated[int, typer.Option(min=0, help="How many anomalies there were.")],
    note: Note = "",
) -> Answer:
    """Report operation or monitoring since your last report (who was commissioned)."""
    return call(ask, CONTRACT, "report", commission_id, until, digest, anomalies, note)


@forms.verb("hand-in")
def hand_in(
    ask: Invocation,
    commission_id: Id,
    digests: Annotated[
        list[bytes],
        typer.Option(
            "--digest", parser=parse_digest, help="SM3 of what you made, or file:PATH; repeatable."
        ),
    ],
    made: Annotated[
        list[Made] | None,
        typer.Option(
            parser=parse_made,
            metavar="KIND=ID",
            help="evidence, algorithm, product or asset that it is; repeatable.",
        ),
    ] = None,
    note: Note = "",
) -> Answer:
    """Hand in a piece of your work (who was commissioned)."""
    named: list[Value] = [*digests]
    return call(ask, CONTRACT, "hand_in", commission_id, named, lists(made or ()), note)


@verb(app, "judge")
def judge(
    ask: Invocation,
    commission_id: Id,
    number: Annotated[int, typer.Option(min=1, help="Number of the piece; see `work`.")],
    passed: Decision,
    note: Note = "",
) -> Answer:
    """Approve a piece that was handed in, or return it with reasons (operator)."""
    return call(ask, CONTRACT, "judge", commission_id, number, passed, note)


@verb(app, "close")
def close(ask: Invocation, commission_id: Id, note: Note = "") -> Answer:
    """Close what is done (operator)."""
    return call(ask, CONTRACT, "close", commission_id, note)


@verb(app, "end")
def end(ask: Invocation, commission_id: Id, reason: Reason) -> Answer:
    """End work before it is done (either side, or a manager)."""
    return call(ask, CONTRACT, "end", commission_id, reason)


@verb(app, "work")
def work(
    ask: Invocation, commission_id: Id, offset: Offset = 0, limit: Limit = PAGE_DEFAULT
) -> Answer:
    """List what was handed in, and what the operator said to it."""
    with ask.session() as session:
        found = listed(session.view, CONTRACT, "work_of", commission_id, offset=offset, limit=limit)
    columns = ("number", "time_ms", "made", "note", "status", "answer")
    return records_table(found, columns=columns, whole=ask.json)


@verb(app, "reports")
def reports(
    ask: Invocation, commission_id: Id, offset: Offset = 0, limit: Limit = PAGE_DEFAULT
) -> Answer:
    """List what was reported of operation or monitoring."""
    with ask.session() as session:
        found = listed(
            session.view, CONTRACT, "reports_of", commission_id, offset=offset, limit=limit
        )
    columns = ("number", "from_ms", "to_ms", "anomalies", "note", "digest")
    return records_table(found, columns=columns, whole=ask.json)
