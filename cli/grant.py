"""Grants (授权): who may use which data sets for what, how often, until when."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import DatasetIds, Deadline, Id, Reason, add_reads, call
from cli.literals import parse_id
from cli.options import Invocation, verb
from cli.output import Answer, Fields, plain

app = typer.Typer()
CONTRACT = "grant"

add_reads(
    app,
    CONTRACT,
    columns=("id", "demand_id", "operator", "datasets", "uses", "uses_max", "expires_ms", "status"),
)


@verb(app, "issue")
def issue(
    ask: Invocation,
    grant_id: Id,
    demand: Annotated[str, typer.Option(parser=parse_id, help="The approved demand.")],
    operator: Annotated[str, typer.Option(parser=parse_id, help="Party that may use it.")],
    scenario: Annotated[str, typer.Option(help="The use that is permitted.")],
    datasets: DatasetIds,
    algorithms: Annotated[
        list[str], typer.Option("--algorithm", help="Such as statistics/1; repeatable.")
    ],
    expires: Deadline,
    uses: Annotated[int, typer.Option(min=1, help="How often it may be used.")] = 1,
) -> Answer:
    """Authorize an operator for an approved demand (manager)."""
    return call(
        ask,
        CONTRACT,
        "issue",
        grant_id,
        demand,
        operator,
        scenario,
        list(datasets),
        list(algorithms),
        expires,
        uses,
    )


@verb(app, "revoke")
def revoke(ask: Invocation, grant_id: Id, reason: Reason) -> Answer:
    """End a grant now; its open tasks are cancelled (manager)."""
    return call(ask, CONTRACT, "revoke", grant_id, reason)


@verb(app, "check")
def check(ask: Invocation, grant_id: Id) -> Answer:
    """Say whether a grant may be used now; exit code 1 when it may not."""
    with ask.session() as session:
        is_valid = plain(session.view(CONTRACT, "is_valid", grant_id))
    return Fields({"id": grant_id, "valid": is_valid}, exit_code=0 if is_valid is True else 1)
