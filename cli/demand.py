"""Data demands (数据需求): filed, prescreened (预审), reviewed (审核), collected for (归集)."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import (
    DatasetIds,
    Deadline,
    Decision,
    Id,
    Note,
    OptionalDatasetIds,
    Title,
    add_reads,
    call,
)
from cli.literals import parse_id
from cli.options import Forms, Invocation, verb
from cli.output import Answer

app = typer.Typer()
CONTRACT = "demand"
forms = Forms(app, "demand")

add_reads(
    app, CONTRACT, columns=("id", "consumer", "title", "kind", "status", "datasets", "filed_ms")
)


@forms.verb("file")
def file(
    ask: Invocation,
    demand_id: Id,
    title: Title,
    kind: Annotated[str, typer.Option(help="Kind of data (种类).")],
    data_format: Annotated[str, typer.Option("--format", help="In what form (格式).")],
    quality: Annotated[str, typer.Option(help="How good it has to be (质量).")],
    delivery: Annotated[str, typer.Option(help="In what way it is delivered (交付方式).")],
    purpose: Annotated[str, typer.Option(help="What the data is wanted for (用途).")],
    scenario: Annotated[str, typer.Option(help="Where it is used (应用场景).")],
    needs: Annotated[list[str], typer.Option("--need", help="A need in words; repeatable.")],
    operator: Annotated[
        str,
        typer.Option(metavar="PARTY", help="Who alone may prescreen it; default: any operator."),
    ] = "",
) -> Answer:
    """File a demand for public data (consumer)."""
    wanted = (title, kind, data_format, quality, delivery, purpose, scenario)
    addressee = parse_id(operator) if operator else ""
    return call(ask, CONTRACT, "file", demand_id, *wanted, list(needs), addressee)


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


@forms.verb("collect")
def collect(
    ask: Invocation,
    demand_id: Id,
    suppliers: Annotated[
        list[str], typer.Option("--supplier", parser=parse_id, help="Who collects; repeatable.")
    ],
    order: Annotated[str, typer.Option(help="What they are to collect.")],
    due: Deadline,
    note: Note = "",
) -> Answer:
    """Have suppliers collect what the catalog lacks, or change that order (manager)."""
    return call(ask, CONTRACT, "collect", demand_id, note, list(suppliers), order, due)


@verb(app, "match")
def match(ask: Invocation, demand_id: Id, datasets: DatasetIds, note: Note = "") -> Answer:
    """Match what was collected for a demand: it is ready to be granted (manager)."""
    return call(ask, CONTRACT, "match", demand_id, note, list(datasets))


@verb(app, "abandon")
def abandon(ask: Invocation, demand_id: Id, note: Note) -> Answer:
    """Give a collection up, and reject the demand (manager)."""
    return call(ask, CONTRACT, "abandon", demand_id, note)
