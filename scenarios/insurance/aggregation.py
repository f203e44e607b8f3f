"""汇聚: suppliers describe what they hold; a demand finds what it needs (6.2, 8.1.1, 8.2.2b)."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from executors.data.registry import DataSet, Registry
from ledger.values import Value
from scenarios.answers import field, list_of, record_of
from scenarios.consortium import Member
from scenarios.insurance import papers
from scenarios.insurance.cast import Cast, now_ms
from scenarios.insurance.data import COLUMN_TEXTS, SITES, PersonYear, load_rows, split, write_csv
from scenarios.record import ScenarioFailed
from scenarios.script import Script, Told

GRADE = 3  # sensitive: health of persons, without their names
TAG = "insurance-claims"


@dataclass(frozen=True, slots=True)
class Holdings:
    """The rows of each supplier, in the order of the cast. Only the demonstration has them all."""

    rows: tuple[tuple[PersonYear, ...], ...]


def aggregation(script: Script, cast: Cast) -> Holdings:
    """Data sets are added, catalogued and evidenced; a demand is filed, prescreened, reviewed."""
    holdings = Holdings(split(load_rows()))
    script.remark(
        "Preparation: `randhie` of statsmodels (RAND Health Insurance Experiment, "
        f"{sum(map(len, holdings.rows)):,} person-years) is cut by site; each supplier gets its "
        "own part and no other (按地区划分，各存各的)."
    )
    for place, supplier in enumerate(cast.suppliers):
        _bring_in(script, cast, supplier, place, holdings.rows[place])
    _demand(script, cast)
    return holdings


def _bring_in(
    script: Script, cast: Cast, supplier: Member, place: int, rows: tuple[PersonYear, ...]
) -> None:
    dataset_id = cast.dataset(supplier)
    home = script.consortium.executor_home(supplier.party)
    dataset = _add(home, dataset_id, rows)
    sites = " and ".join(str(site) for site in SITES[place])
    script.local(
        supplier,
        Told(
            "adds its rows to its own executor; they never leave it",
            "数据集",
            (
                ("rows", f"{dataset.row_count:,} of sites {sites}"),
                ("commitment", _short(dataset.commitment)),
            ),
        ),
    )
    schema: list[Value] = [
        [name, kind, COLUMN_TEXTS[name]] for name, kind, _remark in dataset.schema.catalogued()
    ]
    script.call(
        supplier,
        Told(
            "registers description and commitment",
            "数据目录登记",
            (("data set", dataset_id), ("grade", str(GRADE))),
        ),
        "catalog.register",
        dataset_id,
        f"医疗保险赔付 Medical insurance claims, sites {sites}",
        "Yearly claims of insured persons, one row per person and year, without ids",
        [TAG, cast.run_id],
        schema,
        dataset.row_count,
        GRADE,
        dataset.commitment,
    )
    report = papers.quality_report(dataset_id, rows, place)
    script.call(
        supplier,
        Told("puts its quality report on record", "汇聚存证"),
        "evidence.record",
        cast.evidence(1, supplier, "collected"),
        "aggregation.collected",
        dataset_id,
        supplier.keep(f"quality-{dataset_id}.json", report),
        "data quality report",
    )


def _add(home: Path, dataset_id: str, rows: tuple[PersonYear, ...]) -> DataSet:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "claims.csv"
        write_csv(source, rows)
        return Registry(home).add(dataset_id, source, types={"plan": "text"}, now_ms=now_ms())


def _demand(script: Script, cast: Cast) -> None:
    script.call(
        cast.consumer,
        Told("files what it needs, and for what", "数据需求", (("demand", cast.demand),)),
        "demand.file",
        cast.demand,
        "保险计划的赔付统计 Claims by insurance plan",
        "Pricing of a new health insurance plan: what plans cost by person and year",
        [
            "number of person-years by plan",
            "total, mean, variance, median and upper quantiles of yearly claims by plan",
            "the same of outpatient visits",
        ],
    )
    script.call(
        cast.operator,
        Told("checks the demand and forwards it", "需求预审"),
        "demand.prescreen",
        cast.demand,
        True,
        "complete; statistics only, no rows asked for",
    )
    found = record_of(cast.manager.session.view("catalog", "search", "", cast.run_id, "", 0, 0, 0))
    datasets = sorted(str(dataset_id) for dataset_id in list_of(found.get("datasets")))
    if datasets != sorted(cast.datasets):
        raise ScenarioFailed(f"the catalogue does not show what was registered: {datasets}")
    rows = sum(_row_count(cast, dataset_id) for dataset_id in datasets)
    script.call(
        cast.manager,
        Told(
            "approves it and matches data sets of the catalogue",
            "需求审核",
            (("matched", f"{len(datasets)} data sets, {rows:,} rows"),),
        ),
        "demand.review",
        cast.demand,
        True,
        "lawful purpose; results are statistics",
        list[Value](datasets),
    )


def _row_count(cast: Cast, dataset_id: str) -> int:
    return field(
        record_of(cast.manager.session.view("catalog", "show", dataset_id)), "row_count", int
    )


def _short(digest: bytes) -> str:
    return f"{digest.hex()[:12]}…"
