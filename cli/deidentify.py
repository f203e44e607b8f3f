"""De-identification (去标识化): of files here, and assessments of products on the chain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    DatasetIds,
    DigestOption,
    Id,
    Note,
    Reason,
    SourceFile,
    add_reads,
    call,
    record_fields,
    records_table,
)
from cli.language import say
from cli.literals import parse_digest, parse_id
from cli.options import Forms, Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Text, waiting

if TYPE_CHECKING:
    from executors.deident.measure import Figures
    from executors.deident.plan import Plan
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "deidentification"
forms = Forms(app, "deidentify")

add_reads(
    app,
    CONTRACT,
    columns=("id", "product_id", "assessor", "level", "k", "risk_ppm", "threshold_ppm", "status"),
)
CLASSIFIED_COLUMNS = ("dataset_id", "is_personal", "party", "note", "said_ms")

PlanFile = Annotated[
    Path,
    typer.Option("--plan", exists=True, dir_okay=False, help="The plan; see the verb `plan`."),
]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", dir_okay=False, help="Write the report here; its SM3 is told."),
]
ProductOption = Annotated[str, typer.Option("--product", parser=parse_id, help="The product.")]


# --- files ----------------------------------------------------------------------------------------


@verb(app, "plan")
def plan(ask: Invocation, file: SourceFile) -> Answer:
    """Print a plan for a CSV file to be filled in: its columns, and what was seen in them."""
    from executors.deident.draft import draft_plan

    with waiting(say("looking through {name}", name=file.name), as_json=ask.json):
        return Text(draft_plan(file))


@verb(app, "measure")
def measure(ask: Invocation, file: SourceFile, plan: PlanFile, report: ReportFile = None) -> Answer:
    """Measure how far a CSV file leads back to persons: classes, risks, identifiers, level."""
    from executors.deident.measure import measure as figures_of

    _check_report(report)
    wanted, plan_digest = _plan(plan)
    with waiting(say("measuring {name}", name=file.name), as_json=ask.json):
        figures = figures_of(file, wanted)
    return Fields(_told(figures, wanted, plan_digest, report))


@verb(app, "apply")
def apply(
    ask: Invocation,
    file: SourceFile,
    plan: PlanFile,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="The new file.")],
    report: ReportFile = None,
    pseudonym_key: Annotated[
        str, typer.Option(help="Key of the pseudonyms, as PATH or NAME; made by `key new`.")
    ] = "",
) -> Answer:
    """Treat a CSV file by its plan, leave rows of small classes out, and measure the result."""
    from executors.deident.apply import apply as treat

    _check_report(report)
    wanted, plan_digest = _plan(plan)
    key = _pseudonym_key(ask, pseudonym_key) if pseudonym_key else b""
    with waiting(say("treating {name}", name=file.name), as_json=ask.json):
        done = treat(file, out, wanted, key)
    told = _told(done.figures, wanted, plan_digest, report)
    return Fields({"rows_read": done.rows, "rows_lost": done.rows_lost, **told})


# --- the chain ------------------------------------------------------------------------------------


@verb(app, "classify")
def classify(
    ask: Invocation,
    dataset_id: Id,
    personal: Annotated[
        bool,
        typer.Option("--personal/--not-personal", help="Is it about persons?", show_default=False),
    ],
    note: Note = "",
) -> Answer:
    """Say whether a data set is about persons (its supplier; that it is not: a manager)."""
    return call(ask, CONTRACT, "classify", dataset_id, personal, note)


@verb(app, "classified")
def classified(ask: Invocation, datasets: DatasetIds) -> Answer:
    """Show which data sets are taken for data about persons, and who said so."""
    words: list[Value] = [*datasets]
    with ask.session() as session:
        records = session.view(CONTRACT, "classified", words)
    return records_table(records, columns=CLASSIFIED_COLUMNS, whole=ask.json)


@verb(app, "ask")
def ask_for(ask: Invocation, product_id: Id) -> Answer:
    """Have a product assessed before it is approved, whatever its data (operator, manager)."""
    return call(ask, CONTRACT, "ask", product_id)


@verb(app, "standing")
def standing(ask: Invocation, product_id: Id) -> Answer:
    """Show whether a product needs an assessment, what stands, and what hinders its approval."""
    with ask.session() as session:
        return record_fields(session.view(CONTRACT, "standing", product_id))


@verb(app, "record")
def record(
    ask: Invocation,
    assessment_id: Id,
    product: ProductOption,
    measured: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="The report that `measure` wrote."),
    ],
    note: Note = "",
) -> Answer:
    """Put what was measured of a product's result on record, by the report (评估)."""
    from crypto import sm3
    from executors.deident.report import REPORT_SIZE_MAX, parse_report

    data = _read(measured, REPORT_SIZE_MAX)
    said = parse_report(data)
    figures: list[Value] = [said.level, said.k, said.risk_mean_ppm, said.threshold_ppm]
    words: list[Value] = [said.digest, list(said.methods), *figures, sm3.digest(data), note]
    return call(ask, CONTRACT, "assess", assessment_id, product, *words)


@forms.verb("assess")
def assess(
    ask: Invocation,
    assessment_id: Id,
    product: ProductOption,
    digest: DigestOption,
    methods: Annotated[
        list[str],
        typer.Option("--method", parser=parse_id, help="generalize, statistics, ...; repeatable."),
    ],
    level: Annotated[int, typer.Option(min=1, max=4, help="1 named to 4 aggregates alone.")],
    k: Annotated[int, typer.Option("--k", min=1, help="Smallest class, or smallest group.")],
    mean_ppm: Annotated[int, typer.Option(min=1, help="Mean risk of a row, in millionths.")],
    threshold_ppm: Annotated[int, typer.Option(min=1, help="Acceptable risk, in millionths.")],
    report: Annotated[
        bytes, typer.Option(parser=parse_digest, help="SM3 of the report, or file:PATH.")
    ],
    note: Note = "",
) -> Answer:
    """Put on record what was found in a product's result by other means, such as statistics."""
    ways: list[Value] = [*methods]
    words: list[Value] = [digest, ways, level, k, mean_ppm, threshold_ppm, report, note]
    return call(ask, CONTRACT, "assess", assessment_id, product, *words)


@verb(app, "dismiss")
def dismiss(ask: Invocation, assessment_id: Id, reason: Reason) -> Answer:
    """Set an assessment aside, with the reason (a manager who is no side of the product)."""
    return call(ask, CONTRACT, "dismiss", assessment_id, reason)


# --- helpers --------------------------------------------------------------------------------------


def _plan(path: Path) -> tuple[Plan, bytes]:
    from crypto import sm3
    from executors.deident.plan import PLAN_SIZE_MAX, parse_plan

    data = _read(path, PLAN_SIZE_MAX)
    return parse_plan(data), sm3.digest(data)


def _read(path: Path, size_max: int) -> bytes:
    """A byte more than the file may have at most: whoever parses it refuses that."""
    with path.open("rb") as file:
        return file.read(size_max + 1)


def _check_report(path: Path | None) -> None:
    """Before the work, which takes minutes, and again when it is written."""
    if path is not None and path.exists():
        raise CommandRefused("deidentify.report", f"{path} is there already: name another")


def _pseudonym_key(ask: Invocation, named: str) -> bytes:
    """The secret of a key file like any other; it is to be used for pseudonyms alone."""
    from crypto.keys import load_key

    path = ask.key_path_of(named)
    return load_key(path, ask.passphrase(path))


def _told(figures: Figures, plan: Plan, plan_digest: bytes, report: Path | None) -> dict[str, Json]:
    """What may be said of a file: counts and names of columns. Writes the report if it is asked."""
    from crypto import sm3
    from crypto.files import replace_file
    from executors.deident.report import report_of

    told: dict[str, Json] = {
        "digest": figures.digest.hex(),
        "level": figures.level,
        "rows": figures.rows,
        "classes": figures.classes,
        "k": figures.k,
        "rows_below_k_ppm": figures.below_ppm,
        "risk_max_ppm": figures.risk_max_ppm,
        "risk_mean_ppm": figures.risk_mean_ppm,
        "threshold_ppm": plan.threshold_ppm,
        "sensitive": [
            {
                "column": one.column,
                "l": one.diversity,
                "t_ppm": one.closeness_ppm,
                "distance": one.distance,
            }
            for one in figures.sensitive
        ],
        "identifiers_left": [
            {"column": column, "cells": cells} for column, cells in figures.identifiers
        ],
        "findings": [
            {"column": one.column, "kind": one.kind, "cells": one.cells} for one in figures.findings
        ],
    }
    if report is not None:
        _check_report(report)
        text = report_of(figures, plan, plan_digest)
        replace_file(report, text)
        told["report_digest"] = sm3.digest(text).hex()
    return told
