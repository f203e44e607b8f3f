"""The group-rental scenario without nodes and engine: dwellings, models, all stages."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from executors.data.registry import Registry
from executors.mpc.inputs import input_vectors
from executors.mpc.program import decode_program, encode_program
from executors.mpc.results import Result
from scenarios.comparison import pooled_results
from scenarios.joint import Plot
from scenarios.record import ScenarioFailed
from scenarios.rental.data import BEDROOMS, DISTRICTS, GROUP_SHARE, Dwelling, draw, tenths
from scenarios.rental.dispatch import dispatch
from scenarios.rental.models import Norms, find, judged, models, norms_of
from scenarios.rental.program import HIGH, UTILITIES, program_for
from scenarios.rental.run import plot
from scenarios.rental.table import result_table
from tests.scenario_world import Played

SHORT = 200  # dwellings of a district where a test is not about how many there are
ORDINARY = Dwelling(
    bedrooms="2",
    area=70,
    residents=3,
    water=100,
    power=2_000,
    gas=200,
    parcels=18,
    is_let_by_bed=False,
)


@cache
def drawn() -> tuple[tuple[Dwelling, ...], ...]:
    return draw()


@cache
def short() -> tuple[tuple[Dwelling, ...], ...]:
    return tuple(district[:SHORT] for district in drawn())


@cache
def pooled() -> tuple[Result, ...]:
    sheets = [holding.sheet for holding in plot(drawn()).collection.holdings]
    return pooled_results(program_for([len(sheet.rows) for sheet in sheets]), sheets)


@cache
def norms() -> Norms:
    return norms_of(pooled())


# --- dwellings -------------------------------------------------------------------------------


def test_the_drawing_is_the_same_every_time_and_has_the_share_it_says() -> None:
    assert draw() == drawn()
    assert [len(district) for district in drawn()] == [count for _name, count in DISTRICTS]
    every = [dwelling for district in drawn() for dwelling in district]
    share = sum(dwelling.is_let_by_bed for dwelling in every) / len(every)
    assert share == pytest.approx(GROUP_SHARE, rel=0.1)


def test_a_districts_file_holds_neither_the_truth_nor_an_address() -> None:
    for holding in plot(short()).collection.holdings:
        names = ("bedrooms", "area", "residents", "water", "power", "gas", "parcels")
        assert holding.sheet.names == names
        assert all(len(row) == len(names) for row in holding.sheet.rows)


@pytest.mark.parametrize(("value", "shown"), [(0, "0.0"), (7, "0.7"), (123, "12.3")])
def test_meters_are_read_to_the_tenth(value: int, shown: str) -> None:
    assert tenths(value) == shown


def test_the_data_is_called_generated_wherever_a_record_or_a_person_meets_it() -> None:
    whole = plot(short())
    collection, made = whole.collection, whole.made
    assert "generated" in collection.origin and "生成" in collection.origin
    assert all("generated" in holding.title for holding in collection.holdings)
    assert "generated" in made.title and "generated" in made.description
    assert "generated" in result_table(pooled()).title


# --- program ---------------------------------------------------------------------------------


def test_every_districts_rows_fit_the_program(tmp_path: Path) -> None:
    sheets = [holding.sheet for holding in plot(drawn()).collection.holdings]
    program = program_for([len(sheet.rows) for sheet in sheets])
    assert decode_program(encode_program(program)) == program
    for rank, sheet in enumerate(sheets):
        path = tmp_path / f"{rank}.csv"
        sheet.write_csv(path)
        registry = Registry(tmp_path / str(rank))
        registry.add("dwellings", path, types=sheet.types, now_ms=1)
        vectors = input_vectors(program, rank, registry.load("dwellings", program.columns))
        assert sum(vectors[1]) == sum(sheet.wholes("water", 1))


@pytest.mark.parametrize("bedrooms", BEDROOMS)
def test_norms_are_the_quantiles_of_all_dwellings(bedrooms: str) -> None:
    chosen = [d for district in drawn() for d in district if d.bedrooms == bedrooms]
    for name in UTILITIES:
        tenths_of = np.array([getattr(dwelling, name) for dwelling in chosen])
        expected = np.quantile(tenths_of, HIGH.part / HIGH.parts) / 10
        assert float(norms()[bedrooms, name]) == pytest.approx(expected, rel=1e-12)


# --- models ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, (False, False, False)),
        ({"residents": 5}, (True, False, False)),  # more than two a bedroom
        ({"residents": 4, "area": 19}, (True, False, False)),  # less than five square metres each
        ({"residents": 4, "area": 20}, (False, False, False)),
        ({"water": 900}, (False, False, False)),  # a garden
        ({"water": 900, "power": 9_000}, (False, True, False)),
        ({"parcels": 90}, (False, False, True)),
        ({"parcels": 90, "gas": 900, "power": 9_000}, (False, True, True)),
    ],
)
def test_each_model_looks_at_its_own_signs(
    change: dict[str, int], said: tuple[bool, bool, bool]
) -> None:
    assert models(dataclasses.replace(ORDINARY, **change), norms()) == said  # type: ignore[arg-type]


def test_one_model_alone_suspects_nobody() -> None:
    one = dataclasses.replace(ORDINARY, parcels=90)
    two = dataclasses.replace(ORDINARY, parcels=90, residents=9)
    assert find([ORDINARY, one, two], norms()).suspects == (3,)


def test_where_a_norm_is_suppressed_nobody_is_above_it() -> None:
    hidden = norms_of(Result(r.group, r.column, r.statistic, "") for r in pooled())
    assert hidden == {}
    busy = dataclasses.replace(ORDINARY, parcels=900, water=9_000, power=90_000, gas=9_000)
    assert models(busy, hidden) == (False, False, False)


def test_the_models_find_most_of_what_was_drawn_and_raise_false_alarms_too() -> None:
    found = [find(district, norms()) for district in drawn()]
    truth = [judged(one, district) for one, district in zip(found, drawn(), strict=True)]
    right, let_by_bed = sum(one for one, _ in truth), sum(every for _, every in truth)
    suspects = sum(len(one.suspects) for one in found)
    assert right / let_by_bed > 0.9
    assert right < suspects < 2 * let_by_bed


# --- all stages, on an in-memory chain -------------------------------------------------------


@cache
def short_plot() -> Plot:
    return plot(short())


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    yield Played(tmp_path_factory.mktemp("rental"), short_plot()).play()


def test_each_district_keeps_its_own_list_and_nobody_else_has_it(played: Played) -> None:
    given = norms_of(played_results(played))
    for supplier, district in zip(played.cast.suppliers, short(), strict=True):
        kept = played.documents(supplier)[f"orders-{played.cast.product}.json"]
        orders = json.loads(kept)
        assert orders["rows"] == list(find(district, given).suspects)
        assert "generated" in orders["document"]
        for other in played.world.members:
            if other is not supplier:
                folders = [other.home / name for name in ("documents", "inbox")]
                held = [path.read_bytes() for folder in folders for path in folder.glob("*")]
                assert kept not in held


def played_results(played: Played) -> tuple[Result, ...]:
    sheets = [holding.sheet for holding in short_plot().collection.holdings]
    return pooled_results(program_for([SHORT] * 3), sheets)


def test_what_was_found_is_told_as_of_the_drawing(played: Played) -> None:
    findings = played.script.findings
    assert "of the drawing, not of a city" in findings["suspects"]
    assert "private set intersection" in findings["limits"]
    assert "生成数据" in findings["data"]
    table = next(table for table in played.listener.tables if "各区" in table.title)
    assert len(table.rows) == len(DISTRICTS) and "生成数据" in table.title


def test_norms_that_are_not_the_registered_ones_are_not_acted_on(played: Played) -> None:
    consumer, cast = played.cast.consumer, played.cast
    honest = consumer.document(f"{cast.product}.json")
    consumer.keep(f"{cast.product}.json", honest.replace(b'"form"', b'"form" '))
    try:
        with pytest.raises(ScenarioFailed, match="another product than was registered"):
            dispatch(played.script, cast, short())
    finally:
        consumer.keep(f"{cast.product}.json", honest)
