"""How good catalogued rows are (数据质量): measured by suppliers, operators and managers."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import (
    PAGE_DEFAULT,
    Figures,
    Id,
    add_watch,
    call,
    lists,
    record_fields,
    records_table,
)
from cli.filters import listed
from cli.literals import parse_digest
from cli.options import Invocation, verb
from cli.output import Answer

app = typer.Typer()
CONTRACT = "quality"
DATASETS_MAX = 50  # what the contract looks at in one view
MONITORED_COLUMNS = (
    "id",
    "owner",
    "status",
    "version",
    "row_count",
    "rows_most",
    "worst_ppm",
    "fallen_ppm",
    "updated_ms",
    "due_ms",
)
MEASURED_COLUMNS = ("number", "version", "party", "figures", "measured_ms")


add_watch(app, CONTRACT)


@verb(app, "measure")
def measure(
    ask: Invocation,
    dataset_id: Id,
    figures: Figures,
    digest: Annotated[
        bytes | None,
        typer.Option(parser=parse_digest, help="SM3 of the report, or file:PATH."),
    ] = None,
) -> Answer:
    """Put on record how good the present rows are (supplier, operator, manager)."""
    return call(ask, CONTRACT, "measure", dataset_id, lists(figures), digest or b"")


@verb(app, "show")
def show(ask: Invocation, dataset_id: Id) -> Answer:
    """Show the present figures of a data set, and what they were before."""
    with ask.session() as session:
        return record_fields(session.view(CONTRACT, "show", dataset_id))


@verb(app, "history")
def history(
    ask: Invocation,
    dataset_id: Id,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=100)] = PAGE_DEFAULT,
) -> Answer:
    """List all measurements of a data set, oldest first."""
    with ask.session() as session:
        records = listed(session.view, CONTRACT, "history", dataset_id, offset=offset, limit=limit)
    return records_table(records, columns=MEASURED_COLUMNS, whole=ask.json)


@verb(app, "monitor")
def monitor(
    ask: Invocation,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=DATASETS_MAX)] = DATASETS_MAX,
) -> Answer:
    """Quantity, quality and renewal of the catalog's data sets, in its order (6.4a)."""
    with ask.session() as session:
        found = listed(session.view, "catalog", "list", offset=offset, limit=limit)
        ids = [row["id"] for row in found if isinstance(row, dict)]
        records = session.view(CONTRACT, "monitor", ids)
    return records_table(records, columns=MONITORED_COLUMNS, whole=ask.json)
