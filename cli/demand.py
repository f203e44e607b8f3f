"""Data demands (数据需求): filed by a consumer, prescreened (预审), reviewed (审核)."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import Decision, Id, Note, OptionalDatasetIds, Title, add_reads, call
from cli.options import Invocation, verb
from cli.output import Answer

app = typer.Typer()
CONTRACT = "demand"

add_reads(app, CONTRACT, columns=("id", "consumer", "title", "status", "datasets", "filed_ms"))


@verb(app, "file")
def file(
    ask: Invocation,
    demand_id: Id,
    title: Title,
    purpose: Annotated[str, typer.Option(help="What the data is wanted for.")],
    needs: Annotated[list[str], typer.Option("--need", help="Kind of data; repeatable.")],
) -> Answer:
    """File a demand for public data (consumer)."""
    return call(ask, CONTRACT, "file", demand_id, title, purpose, list(needs))


@verb(app, "prescreen")
def prescreen(ask: Invocation, demand_id: Id, passed: Decision, note: Note = "") -> Answer:
    """Pass a demand on to the manager, or refuse it (operator)."""
    return call(ask, CONTRACT, "prescreen", demand_id, passed, note)


@verb(app, "review")
def review(
    ask: Invocation,
    demand_id: Id,
    approved: Decision,
    datasets: OptionalDatasetIds = None,
    note: Note = "",
) -> Answer:
    """Approve a demand with matching data sets of the catalog, or refuse it (manager)."""
    return call(ask, CONTRACT, "review", demand_id, approved, note, list(datasets or ()))
