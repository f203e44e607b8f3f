"""Oversight (监督管理): who supervises whom, and whom an operator engaged."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import Decision, Id, Note, Reason, add_reads, call, records_table
from cli.literals import parse_id
from cli.options import Invocation, verb
from cli.output import Answer

app = typer.Typer()
CONTRACT = "oversight"

add_reads(
    app, CONTRACT, columns=("id", "operator", "party", "status", "manager", "selected_ms", "reason")
)


@verb(app, "select")
def select(
    ask: Invocation,
    engagement_id: Id,
    party: Annotated[str, typer.Option(parser=parse_id, help="Tech provider or developer.")],
    note: Note = "",
) -> Answer:
    """Select a tech provider or developer (operator)."""
    return call(ask, CONTRACT, "select", engagement_id, party, note)


@verb(app, "review")
def review(ask: Invocation, engagement_id: Id, passed: Decision, reason: Reason = "") -> Answer:
    """Pass or refuse whom an operator selected (manager)."""
    return call(ask, CONTRACT, "review", engagement_id, passed, reason)


@verb(app, "end")
def end(ask: Invocation, engagement_id: Id, reason: Reason) -> Answer:
    """End an engagement (its operator, or a manager)."""
    return call(ask, CONTRACT, "end", engagement_id, reason)


@verb(app, "edges")
def edges(ask: Invocation) -> Answer:
    """List which role supervises which, in which stage (8.6.1)."""
    with ask.session() as session:
        records = session.view(CONTRACT, "edges")
    return records_table(records, columns=("supervisor", "supervised", "stage"), whole=ask.json)
