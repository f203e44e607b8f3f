"""Evaluations (绩效评价): how a party did in a period, judged by who supervises it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import Deadline, DigestOption, Id, Note, add_reads, call
from cli.literals import Score, parse_date, parse_id, parse_score
from cli.options import Forms, Invocation, verb
from cli.output import Answer

if TYPE_CHECKING:
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "evaluation"
forms = Forms(app, "evaluation")

add_reads(
    app,
    CONTRACT,
    columns=("id", "evaluator", "party", "to_ms", "outcome", "status", "next_due_ms"),
)

Outcome = Annotated[str, typer.Option(help="passed, conditional or failed.")]
Date = Annotated[int, typer.Option(parser=parse_date, help="A date, or an ISO time with its zone.")]
Text = Annotated[str, typer.Option(help="The reasons; kept on the chain.")]


@forms.verb("publish")
def publish(
    ask: Invocation,
    evaluation_id: Id,
    party: Annotated[str, typer.Option(parser=parse_id, help="Party that is evaluated.")],
    begin: Date,
    end: Date,
    scores: Annotated[
        list[Score],
        typer.Option(
            "--score", parser=parse_score, metavar="CRITERION=POINTS", help="0 to 100; repeatable."
        ),
    ],
    outcome: Outcome,
    digest: DigestOption,
    note: Note,
    next_due: Deadline,
) -> Answer:
    """Evaluate a period that is over (who supervises the party)."""
    points: list[Value] = [[*score] for score in scores]
    words: list[Value] = [party, begin, end, points, outcome, digest, note, next_due]
    return call(ask, CONTRACT, "publish", evaluation_id, *words)


@verb(app, "accept")
def accept(ask: Invocation, evaluation_id: Id, text: Text = "") -> Answer:
    """Accept your evaluation (the party)."""
    return call(ask, CONTRACT, "answer", evaluation_id, True, text)


@verb(app, "contest")
def contest(ask: Invocation, evaluation_id: Id, text: Text) -> Answer:
    """Contest your evaluation, with reasons (the party)."""
    return call(ask, CONTRACT, "answer", evaluation_id, False, text)


@verb(app, "settle")
def settle(ask: Invocation, evaluation_id: Id, outcome: Outcome, text: Text) -> Answer:
    """Decide on what was contested (who published it, or a manager)."""
    return call(ask, CONTRACT, "settle", evaluation_id, outcome, text)
