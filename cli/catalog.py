"""The data catalog (数据目录): descriptions of data sets; the rows stay with their supplier."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import Description, Id, Reason, Title, add_reads, call
from cli.literals import Column, parse_column, parse_digest
from cli.options import Invocation, verb
from cli.output import Answer, Fields, Table, plain

app = typer.Typer()
CONTRACT = "catalog"

Tags = Annotated[list[str] | None, typer.Option("--tag", help="Word to find it by; repeatable.")]
Columns = Annotated[
    list[Column],
    typer.Option(
        "--column", parser=parse_column, metavar="NAME:TYPE[:TEXT]", help="Column; repeatable."
    ),
]
RowCount = Annotated[int, typer.Option(min=0, help="Number of rows.")]
Grade = Annotated[int, typer.Option(min=1, max=4, help="1 public to 4 highly sensitive.")]
Commitment = Annotated[
    bytes,
    typer.Option(parser=parse_digest, help="64 hex digits, as `shuxin dataset show` prints them."),
]

add_reads(
    app, CONTRACT, columns=("id", "owner", "title", "row_count", "grade", "version", "status")
)


@verb(app, "register")
def register(
    ask: Invocation,
    dataset_id: Id,
    title: Title,
    columns: Columns,
    row_count: RowCount,
    commitment: Commitment,
    description: Description = "",
    tags: Tags = None,
    grade: Grade = 2,
) -> Answer:
    """Add a data set to the catalog (supplier)."""
    return call(
        ask,
        CONTRACT,
        "register",
        dataset_id,
        title,
        description,
        list(tags or ()),
        [tuple(column) for column in columns],
        row_count,
        grade,
        commitment,
    )


@verb(app, "update")
def update(
    ask: Invocation,
    dataset_id: Id,
    title: Title,
    columns: Columns,
    row_count: RowCount,
    commitment: Commitment,
    description: Description = "",
    tags: Tags = None,
    grade: Grade = 2,
) -> Answer:
    """Describe newer rows of a data set; earlier commitments stay on record (supplier)."""
    return call(
        ask,
        CONTRACT,
        "update",
        dataset_id,
        title,
        description,
        list(tags or ()),
        [tuple(column) for column in columns],
        row_count,
        grade,
        commitment,
    )


@verb(app, "withdraw")
def withdraw(ask: Invocation, dataset_id: Id, reason: Reason) -> Answer:
    """Take a data set out of use for new tasks (supplier)."""
    return call(ask, CONTRACT, "withdraw", dataset_id, reason)


@verb(app, "search")
def search(
    ask: Invocation,
    text: Annotated[str, typer.Argument(help="Sought in id, title, text, columns.")] = "",
    tag: Annotated[str, typer.Option(help="Exactly this tag.")] = "",
    column_type: Annotated[str, typer.Option(help="Has a column of this type.")] = "",
    rows_min: Annotated[int, typer.Option(min=0)] = 0,
    rows_max: Annotated[int, typer.Option(min=0, help="0: any number.")] = 0,
) -> Answer:
    """Find data sets by what the catalog says of them."""
    found: list[str] = []
    offset = 0
    with ask.session() as session:
        while offset >= 0:
            step = session.view(
                CONTRACT, "search", text, tag, column_type, rows_min, rows_max, offset
            )
            ids, offset_next = _step(step)
            found.extend(ids)
            # A contract that does not advance must not hold the command for ever.
            offset = offset_next if offset_next > offset else -1
    return Table(("id",), [(dataset_id,) for dataset_id in found])


@verb(app, "commitment")
def commitment(
    ask: Invocation, dataset_id: Id, version: Annotated[int, typer.Argument(min=1)]
) -> Answer:
    """Show what the supplier committed to in an earlier version."""
    with ask.session() as session:
        value = session.view(CONTRACT, "commitment_at", dataset_id, version)
    return Fields({"id": dataset_id, "version": version, "commitment": plain(value)})


def _step(step: object) -> tuple[list[str], int]:
    if not isinstance(step, dict):
        return [], -1
    ids, offset = step.get("datasets"), step.get("next_offset")
    names = [item for item in ids if isinstance(item, str)] if isinstance(ids, list) else []
    return names, offset if isinstance(offset, int) else -1
