"""汇聚: suppliers describe what they hold; a demand finds what it needs (6.2, 8.1.1, 8.2.2b)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from executors.data.registry import DataSet, Registry
from ledger.values import Value
from scenarios import papers
from scenarios.answers import field, list_of, record_of
from scenarios.cast import Cast, now_ms
from scenarios.consortium import Member
from scenarios.papers import Json
from scenarios.record import ScenarioFailed
from scenarios.script import Script, Told
from scenarios.sheet import Sheet


@dataclass(frozen=True, slots=True)
class Holding:
    """What one supplier brings in."""

    sheet: Sheet
    part: str  # which part of all the data this is, in words: "sites 1 and 2"
    title: str
    quality: Mapping[str, Json]  # what its quality report says beside counts


@dataclass(frozen=True, slots=True)
class Collection:
    """All that is brought in, a holding for each supplier of the cast, in its order."""

    origin: str  # where the data is from; whether it was measured or generated
    preparation: str  # how it was cut into parts
    description: str
    tag: str
    category: str  # class of the data (分类)
    grade: int  # 1 public to 4 core (分级)
    holdings: tuple[Holding, ...]
    update_days: int = 0  # newer rows come every so many days; 0: the data is closed
    rows_per_person: int = 0  # the most that are about one person; 0: it is not about persons


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the consumer asks for, and what operator and manager say to it."""

    title: str
    kind: str
    purpose: str
    items: tuple[str, ...]
    prescreened: str
    reviewed: str
    data_format: str = "one table of statistics"
    quality: str = "of all rows that suppliers committed to; small groups left out"
    delivery: str = "file sealed to the consumer's SM2 key"


def aggregation(
    script: Script, cast: Cast, collection: Collection, wanted: Wanted, *, scenario: str
) -> None:
    """Data sets are added, catalogued and evidenced; a demand is filed, prescreened, reviewed."""
    script.finding("data", collection.origin)
    script.remark(
        f"Preparation: {collection.origin}. {collection.preparation}; each supplier gets its own "
        "part and no other (各存各的)."
    )
    for supplier, holding in zip(cast.suppliers, collection.holdings, strict=True):
        bring_in(script, cast, supplier, collection, holding)
    demand(script, cast, wanted, scenario=scenario)


def bring_in(
    script: Script, cast: Cast, supplier: Member, collection: Collection, holding: Holding
) -> None:
    """A supplier adds its rows to its executor, catalogues them, and evidences their quality."""
    dataset_id = cast.dataset(supplier)
    home = script.consortium.executor_home(supplier.party)
    dataset = _add(home, dataset_id, holding.sheet)
    script.local(
        supplier,
        Told(
            "adds its rows to its own executor; they never leave it",
            "数据集",
            (
                ("rows", f"{dataset.row_count:,} of {holding.part}"),
                ("commitment", _short(dataset.commitment)),
            ),
        ),
    )
    catalogue(script, cast, supplier, collection, holding)
    report = papers.quality_report(
        dataset_id, holding.sheet, {**holding.quality, "source": collection.origin}
    )
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


def catalogue(
    script: Script, cast: Cast, supplier: Member, collection: Collection, holding: Holding
) -> None:
    """A supplier takes its data set from the draft into the catalogue (6.6.3a, 8.1.1)."""
    dataset_id = cast.dataset(supplier)
    dataset = Registry(script.consortium.executor_home(supplier.party)).show(dataset_id)
    texts = holding.sheet.texts
    schema: list[Value] = [
        [name, kind, texts[name]] for name, kind, _remark in dataset.schema.catalogued()
    ]
    script.call(
        supplier,
        Told(
            "describes the data set: class, grade, columns",
            "数据分类分级、编目",
            (
                ("data set", dataset_id),
                ("class", collection.category),
                ("grade", str(collection.grade)),
            ),
        ),
        "catalog.draft",
        dataset_id,
        "",
        holding.title,
        f"{collection.description}. {collection.origin}",
        [collection.tag, cast.run_id],
        schema,
        collection.category,
        collection.grade,
        collection.update_days,
    )
    complete_ppm = holding.sheet.complete_ppm()
    script.call(
        supplier,
        Told(
            "commits to its rows, and says how complete they are",
            "数据归集",
            (("complete", f"{complete_ppm / 10_000:g} % of the cells"),),
        ),
        "catalog.collect",
        dataset_id,
        dataset.row_count,
        dataset.commitment,
        [["completeness", complete_ppm]],
    )
    script.call(
        supplier,
        Told("enters it in the catalogue", "数据目录登记"),
        "catalog.register",
        dataset_id,
    )
    if collection.rows_per_person:
        script.call(
            supplier,
            Told("says that it is about persons", "个人信息"),
            "deidentification.classify",
            dataset_id,
            True,
            collection.description,
        )


def demand(script: Script, cast: Cast, wanted: Wanted, *, scenario: str) -> None:
    """The consumer files a demand; it is forwarded, and the manager matches all data sets to it."""
    script.call(
        cast.consumer,
        Told("files what it needs, and for what", "数据需求", (("demand", cast.demand),)),
        "demand.file",
        cast.demand,
        wanted.title,
        wanted.kind,
        wanted.data_format,
        wanted.quality,
        wanted.delivery,
        wanted.purpose,
        scenario,
        list[Value](wanted.items),
        cast.operator.party,
    )
    script.call(
        cast.operator,
        Told("checks the demand and forwards it", "需求预审"),
        "demand.prescreen",
        cast.demand,
        True,
        wanted.prescreened,
    )
    found = record_of(cast.manager.session.view("catalog", "search", "", cast.run_id, "", 0, 0, 0))
    datasets = sorted(str(dataset_id) for dataset_id in list_of(found.get("datasets")))
    if datasets != sorted(cast.datasets):
        raise ScenarioFailed(f"the catalogue does not show what was registered: {datasets}")
    rows = sum(row_count(cast.manager, dataset_id) for dataset_id in datasets)
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
        wanted.reviewed,
        list[Value](datasets),
    )


def row_count(reader: Member, dataset_id: str) -> int:
    """The rows of a data set, as the catalogue says."""
    return field(record_of(reader.session.view("catalog", "show", dataset_id)), "row_count", int)


def _add(home: Path, dataset_id: str, sheet: Sheet) -> DataSet:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "rows.csv"
        sheet.write_csv(source)
        return Registry(home).add(dataset_id, source, types=sheet.types, now_ms=now_ms())


def _short(digest: bytes) -> str:
    return f"{digest.hex()[:12]}…"
