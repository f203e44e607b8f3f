"""Alerts (预警): what may go wrong, found by checks or reported by parties."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import relay
from cli.admin import Data
from cli.course import add_history
from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    Id,
    Note,
    add_watch,
    call,
    record_fields,
    records_table,
)
from cli.filters import Filter, StatusFilter, listed
from cli.language import say
from cli.literals import parse_digest, parse_id, parse_subject
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Table, waiting
from cli.records import shown
from cli.scan import COLUMNS as SCAN_COLUMNS
from cli.scan import raise_all, scan_all

if TYPE_CHECKING:
    from node.admin.anomalies import Anomaly

app = typer.Typer()
CONTRACT = "alert"
COLUMNS = ("id", "check", "severity", "party", "subject", "count", "last_ms", "status", "handler")

Subject = Annotated[
    str,
    typer.Argument(
        parser=parse_subject,
        metavar="SUBJECT",
        help="Id of what it looks at; of collection_late: DEMAND/SUPPLIER.",
    ),
]


add_watch(app, CONTRACT)
add_history(app, CONTRACT)


@verb(app, "list")
def list_records(
    ask: Invocation,
    party: Annotated[
        str | None, typer.Option(parser=parse_id, help="Those about a party that you supervise.")
    ] = None,
    status: StatusFilter = None,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List alerts: all for managers, otherwise those about your party and your reports."""
    whose: tuple[str, ...] = ("list",) if party is None else ("list_of", party)
    with ask.session() as session:
        records = listed(
            session.view, CONTRACT, *whose, offset=offset, limit=limit, wanted=Filter(status)
        )
    return records_table(records, columns=COLUMNS, whole=ask.json)


@verb(app, "show")
def show(ask: Invocation, alert_id: Id) -> Answer:
    """Show one alert, whole."""
    with ask.session() as session:
        return record_fields(shown(session, CONTRACT, alert_id))


@verb(app, "check")
def check(
    ask: Invocation,
    check_name: Annotated[str, typer.Argument(metavar="CHECK", help="See `rule limits`.")],
    subject: Subject,
) -> Answer:
    """Have one check look, and raise what it finds (any party)."""
    return call(ask, CONTRACT, "check", check_name, subject)


@verb(app, "scan")
def scan(
    ask: Invocation,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is due.")] = False,
) -> Answer:
    """Have all checks look at all that you may see, and raise what is due (any party)."""
    with (
        ask.session() as session,
        waiting(say("alert: looking everything through"), as_json=ask.json),
    ):
        due = scan_all(session)
        rows = due if dry_run else raise_all(session, due)
    return Table(SCAN_COLUMNS, [list(row) for row in rows])


@verb(app, "relay")
def relay_node(
    ask: Invocation,
    data_dir: Data,
    name: Annotated[
        str, typer.Option(help="Name of the node while it does not answer; else it says so itself.")
    ] = "",
    still_s: Annotated[
        int, typer.Option("--still", min=1, metavar="SECONDS", help="A stop: no block for so long.")
    ] = 120,
    free_mb: Annotated[
        int, typer.Option("--free", min=1, metavar="MB", help="Less room on the disk is a warning.")
    ] = 5_000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is wrong.")] = False,
) -> Answer:
    """Bring what is wrong with a node of this machine on chain, for a timer (its party)."""
    import time

    now_ms = time.time_ns() // 1_000_000
    named = name or data_dir.resolve().parent.name
    found = _wrong(data_dir, named, now_ms, still_s=still_s, free_mb=free_mb)
    file = relay.place(ask.home, data_dir)
    seen = relay.merged(relay.load(file), found, now_ms)
    if dry_run or not seen:
        return Table(relay.COLUMNS, relay.rows([relay.Told(one, "") for one in seen]))
    relay.save(file, seen)  # it stays where the chain stands still, for the next run
    with ask.session() as session:
        party = session.view("parties", "active_party_of", session.account.address)
        if not isinstance(party, str) or not party:
            raise CommandRefused("relay.party", "sign with --key of an account of an active party")
        told = relay.relay(session, party, relay.stage_of(session, party), seen)
    relay.save(file, [])
    return Table(relay.COLUMNS, relay.rows(told))


def _wrong(data_dir: Path, name: str, now_ms: int, *, still_s: int, free_mb: int) -> list[Anomaly]:
    from node.admin.anomalies import Bounds, anomalies, away
    from node.admin.ask import AdminAway, status

    try:
        inside = status(data_dir)
    except AdminAway as error:
        return [away(name, str(error))]
    return anomalies(inside, now_ms, Bounds(still_s=still_s, free_warning_mb=free_mb))


@verb(app, "report")
def report(
    ask: Invocation,
    topic: Id,
    party: Annotated[str, typer.Option(parser=parse_id, help="Party that it is about.")],
    stage: Annotated[str, typer.Option(help="Stage in which the party is supervised.")],
    note: Annotated[str, typer.Option(help="What was seen.")],
    severity: Annotated[str, typer.Option(help="notice, warning or critical.")] = "warning",
    digest: Annotated[
        bytes | None,
        typer.Option(parser=parse_digest, help="SM3 of what it rests on, hex or file:PATH."),
    ] = None,
) -> Answer:
    """Report an anomaly, your own or another party's, to who supervises it (any party)."""
    return call(ask, CONTRACT, "report", topic, party, stage, severity, note, digest or b"")


@verb(app, "acknowledge")
def acknowledge(ask: Invocation, alert_id: Id, note: Note = "") -> Answer:
    """Take an alert up (who supervises its party)."""
    return call(ask, CONTRACT, "acknowledge", alert_id, note)


@verb(app, "close")
def close(ask: Invocation, alert_id: Id, note: Note) -> Answer:
    """Close an alert and say what came of it (who supervises its party)."""
    return call(ask, CONTRACT, "close", alert_id, note)
