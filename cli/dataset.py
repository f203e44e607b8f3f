"""Data sets an executor holds (数据集): the rows stay below --home, only descriptions leave it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    Category,
    Description,
    ForDemand,
    Grade,
    Id,
    OptionalFigures,
    SourceFile,
    Tags,
    Title,
    UpdateDays,
    call,
    lists,
)
from cli.language import say
from cli.literals import LiteralInvalid, QualityFigure
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Table, waiting
from cli.readable import time_text

if TYPE_CHECKING:
    from executors.data.registry import DataSet
    from ledger.values import Value

app = typer.Typer()
USES_SHOWN_MAX = 100  # newest steps of tasks that `show` prints

Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="COLUMN=TYPE", help="Force text, integer or decimal:N; repeatable."
    ),
]


@verb(app, "add")
def add(
    ask: Invocation,
    dataset_id: Id,
    file: SourceFile,
    types: Types = None,
) -> Answer:
    """Copy a CSV file in, infer its columns and commit to its rows."""
    from executors.data.registry import Registry

    forced = dict(_forced(text) for text in types or ())
    with waiting(say("hashing the rows of {name}", name=file.name), as_json=ask.json):
        dataset = Registry(ask.home).add(
            dataset_id, file, types=forced, now_ms=time.time_ns() // 1_000_000
        )
    return Fields(_described(dataset, as_json=ask.json))


@verb(app, "list")
def list_datasets(ask: Invocation) -> Answer:
    """List the data sets of this home."""
    from executors.data.registry import Registry

    rows: list[tuple[Json, ...]] = []
    for dataset in Registry(ask.home).list():
        added: Json = dataset.added_ms if ask.json else time_text(dataset.added_ms)
        columns = len(dataset.schema.columns)
        rows.append((dataset.dataset_id, dataset.row_count, columns, added))
    return Table(("id", "rows", "columns", "added"), rows)


@verb(app, "show")
def show(ask: Invocation, dataset_id: Id) -> Answer:
    """Show columns, commitment and what tasks did with a data set (8.2.2b2)."""
    from executors.data.registry import Registry
    from executors.data.uses import read_uses

    registry = Registry(ask.home)
    fields = _described(registry.show(dataset_id), as_json=ask.json)
    uses = list(read_uses(registry.folder(dataset_id)))
    fields["uses"] = [
        {
            "task": use.task_id,
            "state": use.state,
            "time": use.time_ms if ask.json else time_text(use.time_ms),
        }
        for use in uses[-USES_SHOWN_MAX:]
    ]
    return Fields(fields)


@verb(app, "remove")
def remove(
    ask: Invocation,
    dataset_id: Id,
    sure: Annotated[
        bool, typer.Option("--sure", help="The copy and its salt are gone for good.")
    ] = False,
) -> Answer:
    """Delete a data set's copy and salt; its commitment on chain can no longer be opened."""
    from executors.data.registry import Registry

    registry = Registry(ask.home)
    registry.show(dataset_id)
    if not sure:
        raise CommandRefused(
            "dataset.unsure",
            f"nothing was removed: add --sure, after `shuxin catalog retire {dataset_id}`",
        )
    registry.remove(dataset_id)
    return Fields({"id": dataset_id, "removed": True})


@verb(app, "register")
def register(
    ask: Invocation,
    dataset_id: Id,
    title: Title,
    category: Category,
    grade: Grade,
    update_days: UpdateDays,
    description: Description = "",
    tags: Tags = None,
    demand: ForDemand = "",
    figures: OptionalFigures = None,
) -> Answer:
    """Draft, collect and register a data set of this home in the catalog (supplier).

    What was done before, as when the command was cut off, is not done again.
    """
    from executors.data.registry import Registry

    dataset = Registry(ask.home).check(dataset_id)
    words: list[Value] = [*(tags or ())]
    text = (title, description, words, lists(dataset.schema.catalogued()))
    done = _status_of(ask, dataset_id)
    if done == "":
        call(ask, "catalog", "draft", dataset_id, demand, *text, category, grade, update_days)
    if done in ("", "draft"):
        rows = _rows(dataset, figures or [])
        call(ask, "catalog", "collect", dataset_id, *rows)
    return call(ask, "catalog", "register", dataset_id)


@verb(app, "update")
def update(ask: Invocation, dataset_id: Id, figures: OptionalFigures = None) -> Answer:
    """Commit in the catalog to the rows that this home holds now (supplier)."""
    from executors.data.registry import Registry

    rows = _rows(Registry(ask.home).check(dataset_id), figures or [])
    return call(ask, "catalog", "update", dataset_id, *rows)


def _status_of(ask: Invocation, dataset_id: str) -> str:
    """Of the data set in the catalogue; "" if there is none."""
    from client.errors import Refused

    with ask.session() as session:
        try:
            entry = session.view("catalog", "show", dataset_id)
        except Refused as refusal:
            if refusal.detail.startswith("catalog.unknown"):
                return ""
            raise
    status = entry.get("status") if isinstance(entry, dict) else ""
    return status if isinstance(status, str) else ""


def _rows(dataset: DataSet, figures: list[QualityFigure]) -> tuple[int, bytes, list[Value]]:
    """What the catalogue takes of the rows. All cells are filled, for `dataset add` takes no empty
    one; who knows that rows are missing says less."""
    named = {"completeness": 1_000_000, **dict(figures)}
    return dataset.row_count, dataset.commitment, lists([*named.items()])


def _described(dataset: DataSet, *, as_json: bool) -> dict[str, Json]:
    """What may be told of a data set; the salt may not."""
    columns: list[Json] = [
        {"name": name, "type": kind, "remark": remark}
        for name, kind, remark in dataset.schema.catalogued()
    ]
    return {
        "id": dataset.dataset_id,
        "rows": dataset.row_count,
        "commitment": dataset.commitment.hex(),
        "added": dataset.added_ms if as_json else time_text(dataset.added_ms),
        "columns": columns,
    }


def _forced(text: str) -> tuple[str, str]:
    column, separator, kind = text.partition("=")
    if not (column and separator and kind):
        raise LiteralInvalid(f"{text[:80]!r}: write COLUMN=TYPE, such as income=decimal:2")
    return column, kind
