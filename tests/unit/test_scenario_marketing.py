"""The marketing scenario without nodes and engine: rows, program, model, all stages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from executors.data.registry import Registry
from executors.mpc.inputs import input_vectors
from executors.mpc.program import decode_program, encode_program
from executors.mpc.results import Result
from scenarios.comparison import pooled_results
from scenarios.consortium import INBOX
from scenarios.grid import label_of
from scenarios.joint import Plot
from scenarios.marketing.data import (
    GRID,
    PLATFORMS,
    SEGMENTS,
    TRAVELLERS,
    load_travellers,
    read_travellers,
    split,
)
from scenarios.marketing.program import ASKED, program_for
from scenarios.marketing.run import plot
from scenarios.marketing.segments import derive, model_table, result_table, targets
from scenarios.papers import read_product
from scenarios.record import ScenarioFailed
from scenarios.response import model_of, tally_results, tally_rows
from tests.scenario_world import Played

TRAVELLER = {"individual": "1", "mode": "2", "choice": "1", "ttme": "3", "invc": "4"}
TRAVELLER |= {"invt": "5", "gc": "6", "hinc": "35", "psize": "1"}

VALUES = (0.5132068339362935, -1.1398154770638933, -2.1240643560657904, 0.09514935174747037)
ERRORS = (0.3483456041909245, 0.45718397340905825, 0.4024410935669806, 0.3310245188066487)


@cache
def whole_plot() -> Plot:
    return plot()


@cache
def pooled() -> tuple[Result, ...]:
    sheets = [holding.sheet for holding in whole_plot().collection.holdings]
    return pooled_results(program_for([len(sheet.rows) for sheet in sheets]), sheets)


# --- rows ------------------------------------------------------------------------------------


def test_the_rows_are_those_of_the_study() -> None:
    # Choices as published: Greene, Econometric Analysis, table on the travel mode data.
    modes = Counter(one.mode for one in load_travellers())
    assert modes == {1: 58, 2: 63, 3: 30, 4: 59}


def test_every_traveller_is_at_exactly_one_platform_by_number_alone() -> None:
    parts = split(load_travellers())
    numbers = [one.number for part in parts for one in part]
    assert sorted(numbers) == list(range(1, TRAVELLERS + 1))
    assert len(parts) == PLATFORMS
    for part in parts:
        assert len({one.number % PLATFORMS for one in part}) == 1


def test_a_platforms_file_tells_no_number() -> None:
    for holding in whole_plot().collection.holdings:
        assert holding.sheet.names == ("segment", "cost", "wait")
        assert set(holding.sheet.cells("segment")) <= set(GRID.labels)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mode": "5"}, "mode 5"),
        ({"individual": "2"}, "not a choice of each"),
        ({"hinc": "much"}, "invalid literal"),
        ({"choice": "0"}, "not a choice of each"),
    ],
)
def test_another_data_set_is_refused(change: dict[str, str], said: str) -> None:
    with pytest.raises(ScenarioFailed, match=said):
        read_travellers([TRAVELLER | change])


def test_a_data_set_without_a_column_is_refused() -> None:
    with pytest.raises(ScenarioFailed, match="hinc"):
        read_travellers([{name: value for name, value in TRAVELLER.items() if name != "hinc"}])


# --- program and model -----------------------------------------------------------------------


def test_every_platforms_rows_fit_the_program(tmp_path: Path) -> None:
    sheets = [holding.sheet for holding in whole_plot().collection.holdings]
    program = program_for([len(sheet.rows) for sheet in sheets])
    assert decode_program(encode_program(program)) == program
    for rank, sheet in enumerate(sheets):
        path = tmp_path / f"{rank}.csv"
        sheet.write_csv(path)
        registry = Registry(tmp_path / str(rank))
        registry.add("trips", path, types=sheet.types, now_ms=1)
        vectors = input_vectors(program, rank, registry.load("trips", program.columns))
        assert sum(vectors[1]) == sum(sheet.wholes("cost", 0))


def test_no_cell_is_too_small_to_be_shown() -> None:
    """One alone would be no secret: the catalogue tells the number of all rows."""
    counts = Counter(one.cell for one in load_travellers())
    assert min(counts[cell] for cell in GRID.cells) >= ASKED.group_size_min
    assert not [one for one in pooled() if one.is_suppressed]


def test_the_model_is_that_of_all_rows_and_what_statsmodels_says() -> None:
    """Logit of statsmodels 0.15 over the 210 rows, with the same terms."""
    joint = tally_results(GRID, pooled())
    assert joint == tally_rows(GRID, (one.cell for one in load_travellers()))
    model = model_of(GRID, joint)
    assert model.fit.values == pytest.approx(VALUES, rel=1e-9)
    assert model.fit.errors == pytest.approx(ERRORS, rel=1e-9)


def test_targets_are_the_segments_above_the_overall_rate_likeliest_first() -> None:
    tally = tally_results(GRID, pooled())
    model = model_of(GRID, tally)
    chances = dict(zip(SEGMENTS.cells, model.propensity(SEGMENTS.cells), strict=True))
    aimed = targets(model, tally)
    assert all((chances[cell] > tally.rate) == (cell in aimed) for cell in chances)
    assert list(aimed) == sorted(aimed, key=lambda cell: -chances[cell])


def test_what_is_suppressed_is_shown_as_such_in_both_tables() -> None:
    hidden = [
        Result(one.group, one.column, one.statistic, "" if "low/alone" in one.group else one.value)
        for one in pooled()
    ]
    tally = tally_results(GRID, hidden)
    rows = [row for row in result_table(hidden).rows if row[3:] == ("-", "-", "-")]
    assert len(rows) == 2
    rows = [row for row in model_table(model_of(GRID, tally), tally).rows if row[2] == "-"]
    assert len(rows) == len(tally.hidden) == 1
    said = dict(derive(hidden, tally_results(GRID, pooled())).findings)["model"]
    assert "1 of 6 segments suppressed" in said


# --- all stages, on an in-memory chain -------------------------------------------------------


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    yield Played(tmp_path_factory.mktemp("marketing"), whole_plot()).play()


def test_the_consumer_gets_the_results_and_the_model(played: Played) -> None:
    content = played.documents(played.cast.consumer)[f"{played.cast.product}.json"]
    assert [one.is_suppressed for one in read_product(content)] == [
        one.is_suppressed for one in pooled()
    ]
    derived = json.loads(content)["derived"]
    tally = tally_results(GRID, pooled())
    aimed = targets(model_of(GRID, tally), tally)
    assert derived["targets"] == [label_of(cell) for cell in aimed] != []
    assert set(derived["model"]["terms"]) == set(SEGMENTS.terms)


def test_what_is_not_there_is_told_and_on_record(played: Played) -> None:
    findings = played.script.findings
    assert "private set intersection" in findings["limits"]
    assert any("局限" in remark for remark in played.listener.remarks)
    assert "cut into three platforms is of this demonstration" in findings["data"]


def test_no_row_leaves_its_platform(played: Played) -> None:
    """What others keep has counts and totals only."""
    rows = {
        ",".join(row).encode()
        for holding in played.plot.collection.holdings
        for row in holding.sheet.rows
    }
    for member in (played.cast.operator, played.cast.consumer, played.cast.manager):
        kept = b"".join(path.read_bytes() for path in member.home.rglob("*") if path.is_file())
        assert not [row for row in rows if row in kept]
    assert (played.cast.consumer.home / INBOX).is_dir()
