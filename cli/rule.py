"""Rules and plans (规则、监测计划、预警制度、应急措施) of the four stages, and their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    PAGE_MAX,
    DigestOption,
    Id,
    Reason,
    Title,
    add_reads,
    call,
    record_fields,
    records_table,
)
from cli.filters import listed
from cli.literals import Threshold, parse_threshold
from cli.options import Forms, Invocation, verb
from cli.output import Answer, Fields, plain

if TYPE_CHECKING:
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "rules"
forms = Forms(app, "rule")

add_reads(
    app,
    CONTRACT,
    columns=("id", "kind", "stage", "party", "title", "versions", "enacted", "status"),
)

Stage = Annotated[
    str, typer.Option(help="aggregation, authorization, development or delivery (汇聚到交付).")
]
Number = Annotated[int, typer.Option(min=1, help="Number of the version.")]


@forms.verb("draft")
def draft(
    ask: Invocation,
    rule_id: Id,
    kind: Annotated[
        str, typer.Option(help="rule (manager); monitoring, warning or emergency (operator).")
    ],
    stage: Stage,
    title: Title,
    digest: DigestOption,
    location: Annotated[str, typer.Option(help="Where parties find the text.")] = "",
    limits: Annotated[
        list[Threshold] | None,
        typer.Option(
            "--limit",
            parser=parse_threshold,
            metavar="CHECK=LIMIT:SEVERITY",
            help="By what a check judges, in a monitoring plan; repeatable. See `rule limits`.",
        ),
    ] = None,
) -> Answer:
    """Put up a text, or its next version (manager: rules; operator: plans)."""
    given: list[Value] = [[*threshold] for threshold in limits or ()]
    return call(ask, CONTRACT, "draft", rule_id, kind, stage, title, digest, location, given)


@verb(app, "withdraw")
def withdraw(ask: Invocation, rule_id: Id) -> Answer:
    """Take the draft of a version back (the party that wrote it)."""
    return call(ask, CONTRACT, "withdraw", rule_id)


@verb(app, "enact")
def enact(
    ask: Invocation,
    rule_id: Id,
    number: Number,
    digest: DigestOption,
    from_height: Annotated[int, typer.Option(min=1, help="Height from which on it holds.")],
) -> Answer:
    """Put the draft that you read in force from a height on (manager)."""
    return call(ask, CONTRACT, "enact", rule_id, number, digest, from_height)


@verb(app, "revoke")
def revoke(ask: Invocation, rule_id: Id, reason: Reason) -> Answer:
    """End a text at once, all its versions (manager)."""
    return call(ask, CONTRACT, "revoke", rule_id, reason)


@verb(app, "version")
def version(ask: Invocation, rule_id: Id, number: Number) -> Answer:
    """Show one version: digest, limits, and the heights at which it holds."""
    with ask.session() as session:
        return record_fields(session.view(CONTRACT, "version", rule_id, number))


@verb(app, "in-force")
def in_force(
    ask: Invocation,
    rule_id: Id,
    height: Annotated[int, typer.Option(min=0, help="A height that has been.")],
) -> Answer:
    """Say which version held at a height; exit code 1 when none did."""
    with ask.session() as session:
        number = plain(session.view(CONTRACT, "in_force", rule_id, height))
    return Fields({"id": rule_id, "height": height, "number": number}, exit_code=int(number == 0))


@verb(app, "stage")
def list_stage(
    ask: Invocation,
    stage: Annotated[str, typer.Argument(metavar="STAGE")],
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
) -> Answer:
    """List the texts of one stage."""
    with ask.session() as session:
        records = listed(
            session.view, CONTRACT, "list_by_stage", stage, offset=offset, limit=PAGE_MAX
        )
    columns = ("id", "kind", "party", "title", "enacted", "status")
    return records_table(records, columns=columns, whole=ask.json)


@verb(app, "limits")
def limits(ask: Invocation) -> Answer:
    """List the risk checks, and by what each judges now."""
    with ask.session() as session:
        records = session.view(CONTRACT, "checks")
    columns = ("check", "stage", "limit", "severity", "rule_id")
    return records_table(records, columns=columns, whole=ask.json)
