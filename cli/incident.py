"""Incidents (应急处置): opened, contained by measures, and closed with a report."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import DigestOption, Id, Reason, Title, add_reads, call
from cli.literals import parse_algorithm, parse_digest, parse_id
from cli.options import Forms, Invocation, verb
from cli.output import Answer

app = typer.Typer()
CONTRACT = "incident"
forms = Forms(app, "incident")

add_reads(
    app,
    CONTRACT,
    columns=("id", "title", "stage", "severity", "party", "status", "measures", "active"),
)

Number = Annotated[int, typer.Option(min=1, help="Number of the measure; see `incident show`.")]


@forms.verb("open")
def open_incident(
    ask: Invocation,
    incident_id: Id,
    title: Title,
    stage: Annotated[str, typer.Option(help="aggregation, authorization, development, delivery.")],
    party: Annotated[str, typer.Option(parser=parse_id, help="Party that it is about.")],
    severity: Annotated[str, typer.Option(help="warning or critical.")] = "critical",
    alerts: Annotated[
        list[str] | None,
        typer.Option("--alert", parser=parse_id, help="Alert behind it; repeatable."),
    ] = None,
) -> Answer:
    """Open an incident (who supervises the party, or the party itself)."""
    return call(
        ask, CONTRACT, "open", incident_id, title, stage, severity, party, list(alerts or ())
    )


@verb(app, "suspend-grant")
def suspend_grant(
    ask: Invocation,
    incident_id: Id,
    grant: Annotated[str, typer.Option(parser=parse_id, help="The grant.")],
    reason: Reason,
) -> Answer:
    """Suspend a grant: no use, no report, no delivery (manager, or its own operator)."""
    return call(ask, CONTRACT, "suspend_grant", incident_id, grant, reason)


@verb(app, "suspend-algorithm")
def suspend_algorithm(
    ask: Invocation,
    incident_id: Id,
    algorithm: Annotated[str, typer.Option(parser=parse_algorithm, help="NAME/VERSION.")],
    reason: Reason,
) -> Answer:
    """Suspend an algorithm: no task begins, goes on or reports (manager, or its provider)."""
    return call(ask, CONTRACT, "suspend_algorithm", incident_id, algorithm, reason)


@verb(app, "cut-party")
def cut_party(ask: Invocation, incident_id: Id, reason: Reason) -> Answer:
    """Cut the party off until the measure is lifted (manager; operator: whom it engaged)."""
    return call(ask, CONTRACT, "cut_party", incident_id, reason)


@verb(app, "note-freeze")
def note_freeze(
    ask: Invocation,
    incident_id: Id,
    contract: Annotated[str, typer.Option(parser=parse_id, help="The frozen contract.")],
    transaction: Annotated[
        bytes, typer.Option(parser=parse_digest, help="Of `contract freeze`, 64 hex digits.")
    ],
    reason: Reason,
) -> Answer:
    """Put a freeze on record that you made by `contract freeze` (manager)."""
    return call(ask, CONTRACT, "note_freeze", incident_id, contract, transaction, reason)


@verb(app, "lift")
def lift(ask: Invocation, incident_id: Id, number: Number, reason: Reason) -> Answer:
    """Lift a measure; what it stopped goes on (manager, or who took it)."""
    return call(ask, CONTRACT, "lift", incident_id, number, reason)


@verb(app, "keep")
def keep(ask: Invocation, incident_id: Id, number: Number, reason: Reason) -> Answer:
    """Let a measure outlast the incident (manager)."""
    return call(ask, CONTRACT, "keep", incident_id, number, reason)


@verb(app, "close")
def close(
    ask: Invocation,
    incident_id: Id,
    outcome: Annotated[str, typer.Option(help="What came of it.")],
    digest: DigestOption,
) -> Answer:
    """Close an incident; --digest is that of the report (who supervises the party)."""
    return call(ask, CONTRACT, "close", incident_id, outcome, digest)
