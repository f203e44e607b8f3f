"""去标识化评估: what of persons is left in the product, measured and put on record (6.4b)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from crypto import sm3
from executors.deident.measure import Figures, measure
from executors.deident.plan import Plan, parse_plan
from executors.deident.report import methods_of, report_of
from executors.mpc.program import COUNT, StatisticsProgram
from executors.mpc.results import Result
from ledger.values import Value
from scenarios.cast import Cast
from scenarios.script import Script, Told
from scenarios.stages.aggregation import Collection

GROUP = "group"
PERSONS = "persons"


def assessment(
    script: Script,
    cast: Cast,
    collection: Collection,
    program: StatisticsProgram,
    results: Sequence[Result],
    content: bytes,
) -> None:
    """Where the data is about persons: the manager may not pass the product unassessed; the
    operator measures its groups, of persons and not of rows, and puts that on record."""
    if collection.rows_per_person == 0:
        return
    script.refused(
        cast.manager,
        Told("tries to pass a product about persons that nobody has measured", "未经评估"),
        "product.approve",
        cast.product,
        True,
        "",
        code="deidentification.missing",
    )
    plan = plan_text(-(-program.group_size_min // collection.rows_per_person))
    figures = measured(group_table(results, collection.rows_per_person), parse_plan(plan))
    report = report_of(figures, parse_plan(plan), sm3.digest(plan))
    methods: list[Value] = [*methods_of(parse_plan(plan))]
    script.call(
        cast.operator,
        Told(
            "has measured what of persons is left in it: aggregates alone",
            "去标识化评估",
            (
                ("level", str(figures.level)),
                ("smallest group", f"{figures.k:,} persons at least"),
                ("risk", f"{figures.risk_max_ppm / 10_000:g} % at most"),
            ),
        ),
        "deidentification.assess",
        f"assessment-{cast.run_id}",
        cast.product,
        sm3.digest(content),
        methods,
        figures.level,
        figures.k,
        figures.risk_mean_ppm,
        parse_plan(plan).threshold_ppm,
        cast.operator.keep(f"deidentification-{cast.product}.json", report),
        "groups as they were opened; smaller ones were left out in the computation",
    )


def group_table(results: Sequence[Result], rows_per_person: int) -> bytes:
    """The groups of the product with the fewest persons that each can be about."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((GROUP, PERSONS))
    for one in results:
        if one.statistic == COUNT:
            rows = int(one.value) if not one.is_suppressed else 0
            writer.writerow((one.group, str(-(-rows // rows_per_person)) if rows else "*"))
    return text.getvalue().encode()


def plan_text(group_min: int) -> bytes:
    """The plan by which groups are measured; the risk that is accepted is that of the smallest."""
    threshold = -(-(10**6) // group_min)
    return (
        f'[table]\nkind = "groups"\ncount = "{PERSONS}"\nk = {group_min}\n'
        f'threshold_ppm = {threshold}\n[columns.{GROUP}]\nclass = "other"\n'
        f'[columns.{PERSONS}]\nclass = "other"\nallow = ["unique"]\n'
    ).encode()


def measured(groups: bytes, plan: Plan) -> Figures:
    """The figures of a table of groups."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "groups.csv"
        path.write_bytes(groups)
        return measure(path, plan)
