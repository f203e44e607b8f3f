"""Inquiries (审计问询): audits that a supervisor asks of a party, and the answers."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import Deadline, Decision, DigestOption, Id, add_reads, call
from cli.literals import parse_id
from cli.options import Forms, Invocation, verb
from cli.output import Answer

app = typer.Typer()
CONTRACT = "inquiry"
forms = Forms(app, "inquiry")

add_reads(
    app, CONTRACT, columns=("id", "asker", "party", "stage", "scope", "due_ms", "status", "passed")
)

Finding = Annotated[str, typer.Option(help="What was found, or is missing.")]


@forms.verb("ask")
def ask_party(
    ask: Invocation,
    inquiry_id: Id,
    party: Annotated[str, typer.Option(parser=parse_id, help="Party that has to answer.")],
    stage: Annotated[str, typer.Option(help="aggregation, authorization, development, delivery.")],
    scope: Annotated[str, typer.Option(help="behaviour, permissions, logs or algorithms.")],
    question: Annotated[str, typer.Option(help="What it has to account for.")],
    due: Deadline,
) -> Answer:
    """Ask a party to account for something (who supervises it)."""
    return call(ask, CONTRACT, "ask", inquiry_id, party, stage, scope, question, due)


@verb(app, "answer")
def answer(
    ask: Invocation,
    inquiry_id: Id,
    text: Annotated[str, typer.Option(help="The answer, and where what it shows is found.")],
    digest: DigestOption,
) -> Answer:
    """Answer, naming what you show by its digest (the party)."""
    return call(ask, CONTRACT, "answer", inquiry_id, text, digest)


@verb(app, "send-back")
def send_back(ask: Invocation, inquiry_id: Id, finding: Finding, due: Deadline) -> Answer:
    """Send an answer back with what is missing (who asked, or a manager)."""
    return call(ask, CONTRACT, "send_back", inquiry_id, finding, due)


@verb(app, "conclude")
def conclude(ask: Invocation, inquiry_id: Id, passed: Decision, finding: Finding = "") -> Answer:
    """End an inquiry with a finding (who asked, or a manager)."""
    return call(ask, CONTRACT, "conclude", inquiry_id, passed, finding)


@verb(app, "withdraw")
def withdraw(ask: Invocation, inquiry_id: Id, finding: Finding) -> Answer:
    """Take a question back (who asked, or a manager)."""
    return call(ask, CONTRACT, "withdraw", inquiry_id, finding)
