"""The data catalog (数据目录): descriptions of data sets; the rows stay with their supplier."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    Category,
    Description,
    Figures,
    ForDemand,
    Grade,
    Id,
    Reason,
    Tags,
    Title,
    UpdateDays,
    add_list,
    call,
    lists,
    record_fields,
)
from cli.literals import Column, parse_column, parse_digest
from cli.options import Forms, Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Table, Text, plain
from cli.records import shown
from client.pages import rows_of

if TYPE_CHECKING:
    from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "catalog"
forms = Forms(app, "catalog")

FOUND = ("owner", "title", "category", "grade", "row_count", "status")
SHOWN_MAX = 100  # data sets that a search tells more of than their id

Columns = Annotated[
    list[Column],
    typer.Option(
        "--column", parser=parse_column, metavar="NAME:TYPE[:TEXT]", help="Column; repeatable."
    ),
]
RowCount = Annotated[int, typer.Option(min=0, help="Number of rows.")]
Commitment = Annotated[
    bytes,
    typer.Option(parser=parse_digest, help="64 hex digits, as `shuxin dataset show` prints them."),
]

add_list(
    app,
    CONTRACT,
    columns=("id", "owner", "title", "category", "grade", "row_count", "version", "status"),
)


@forms.verb("draft")
def draft(
    ask: Invocation,
    dataset_id: Id,
    title: Title,
    columns: Columns,
    category: Category,
    grade: Grade,
    update_days: UpdateDays,
    description: Description = "",
    tags: Tags = None,
    demand: ForDemand = "",
) -> Answer:
    """Describe a data set whose rows are still to be collected (supplier)."""
    words: list[Value] = [*(tags or ())]
    text = (title, description, words, lists(columns))
    return call(ask, CONTRACT, "draft", dataset_id, demand, *text, category, grade, update_days)


@forms.verb("describe")
def describe(
    ask: Invocation,
    dataset_id: Id,
    title: Title,
    columns: Columns,
    category: Category,
    grade: Grade,
    update_days: UpdateDays,
    description: Description = "",
    tags: Tags = None,
) -> Answer:
    """Describe a data set anew; its rows stay what they are (supplier)."""
    words: list[Value] = [*(tags or ())]
    text = (title, description, words, lists(columns))
    return call(ask, CONTRACT, "describe", dataset_id, *text, category, grade, update_days)


@verb(app, "collect")
def collect(
    ask: Invocation,
    dataset_id: Id,
    row_count: RowCount,
    commitment: Commitment,
    figures: Figures,
) -> Answer:
    """Commit to the rows of a draft, and say how good they are (supplier)."""
    return call(ask, CONTRACT, "collect", dataset_id, row_count, commitment, lists(figures))


@verb(app, "register")
def register(ask: Invocation, dataset_id: Id) -> Answer:
    """Enter a collected data set in the catalog, for others to use (supplier)."""
    return call(ask, CONTRACT, "register", dataset_id)


@verb(app, "update")
def update(
    ask: Invocation,
    dataset_id: Id,
    row_count: RowCount,
    commitment: Commitment,
    figures: Figures,
) -> Answer:
    """Commit to newer rows of a data set; earlier commitments stay on record (supplier)."""
    return call(ask, CONTRACT, "update", dataset_id, row_count, commitment, lists(figures))


@verb(app, "retire")
def retire(ask: Invocation, dataset_id: Id, reason: Reason) -> Answer:
    """Take a data set out of use for new tasks (supplier)."""
    return call(ask, CONTRACT, "retire", dataset_id, reason)


@verb(app, "show")
def show(ask: Invocation, dataset_id: Id) -> Answer:
    """Show one data set, whole, and how its owner stands: only an active one's is used."""
    with ask.session() as session:
        entry = _record(shown(session, CONTRACT, dataset_id))
        owner = _record(shown(session, "parties", str(entry.get("owner"))))
    return record_fields({**entry, "owner_status": owner.get("status")})


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
        records = [session.view(CONTRACT, "show", dataset_id) for dataset_id in found[:SHOWN_MAX]]
    rows: list[list[Json]] = [[dataset_id, *[None] * len(FOUND)] for dataset_id in found]
    for row, record in zip(rows, records, strict=False):
        if isinstance(record, dict):
            row[1:] = [plain(record.get(name)) for name in FOUND]
    return Table(("id", *FOUND), rows)


@verb(app, "version")
def version(
    ask: Invocation, dataset_id: Id, number: Annotated[int, typer.Argument(min=1)]
) -> Answer:
    """Show what the supplier committed to in an earlier version."""
    with ask.session() as session:
        return record_fields(session.view(CONTRACT, "version", dataset_id, number))


@verb(app, "dcat")
def dcat(
    ask: Invocation,
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The file to write; it must not exist.")
    ] = None,
) -> Answer:
    """Write what is registered as a DCAT 3 catalogue in JSON-LD, for portals (8.1.1)."""
    from client.dcat import LISTED, catalogue

    with ask.session() as session:
        entries = [
            (
                _record(shown(session, CONTRACT, name)),
                _record(session.view("quality", "show", name)),
            )
            for row in rows_of(session.view, CONTRACT, "list")
            if row.get("status") in LISTED and isinstance(name := row.get("id"), str)
        ]
        known = rows_of(session.view, "parties", "list")
        parties = {str(row.get("id")): str(row.get("name")) for row in known}
        document = catalogue(session.node.chain_id, entries=entries, parties=parties)
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if output is None:
        return Fields(json.loads(text)) if ask.json else Text(text)
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandRefused("file.exists", f"{output} exists: name another file") from None
    return Fields({"file": str(output), "datasets": len(entries)})


def _record(value: Value) -> Mapping[Key, Value]:
    return value if isinstance(value, dict) else {}


def _step(step: object) -> tuple[list[str], int]:
    if not isinstance(step, dict):
        return [], -1
    ids, offset = step.get("datasets"), step.get("next_offset")
    names = [item for item in ids if isinstance(item, str)] if isinstance(ids, list) else []
    return names, offset if isinstance(offset, int) else -1
