"""Figures and treated files beside a second opinion that has all rows in memory and no wits."""

from __future__ import annotations

import csv
import io
from collections import Counter
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executors.deident.apply import apply
from executors.deident.closeness import Distribution
from executors.deident.measure import measure
from executors.deident.plan import PlanInvalid
from tests.deident_files import plan_of, written

CELL = st.sampled_from(["", "a", "b", "ab", "*", "1", "1:", 'x"y', "甲"])
NUMBER = st.integers(-9, 9).map(str)
ROWS = st.lists(st.tuples(CELL, CELL, NUMBER, CELL), min_size=1, max_size=40)
HEADER = ("q", "r", "n", "s")


def csv_of(rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    return text.getvalue()


def up(share: Fraction) -> int:
    return -(-share.numerator * 10**6 // share.denominator)


def classes_of(rows: list[tuple[str, ...]]) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    found: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in rows:
        found.setdefault(row[:2], []).append(row)
    return found


def distance(members: list[str], everybody: list[str]) -> Fraction:
    """The definition: equal distances by half the sum of differences, ordered ones by moving what
    is too much to the next value."""
    values = sorted(set(everybody), key=int) if all(map(is_number, everybody)) else None
    have, all_ = Counter(members), Counter(everybody)

    def gap(value: str) -> Fraction:
        return Fraction(have[value], len(members)) - Fraction(all_[value], len(everybody))

    if values is None:
        return sum((abs(gap(value)) for value in set(everybody)), Fraction(0)) / 2
    if len(values) == 1:
        return Fraction(0)
    moved = carried = Fraction(0)
    for value in values[:-1]:
        carried += gap(value)
        moved += abs(carried)
    return moved / (len(values) - 1)


def is_number(text: str) -> bool:
    return text.removeprefix("-").isdigit()


@settings(max_examples=60)
@given(ROWS, st.integers(1, 6))
def test_figures_are_those_of_the_definitions(rows: list[tuple[str, ...]], k: int) -> None:
    plan = plan_of(quasi="q r", sensitive="n s", k=k)
    with TemporaryDirectory() as folder:
        found = measure(written(Path(folder), csv_of(rows)), plan)
    classes = classes_of(rows)
    sizes = [len(members) for members in classes.values()]
    assert (found.rows, found.classes, found.k) == (len(rows), len(classes), min(sizes))
    assert found.below_ppm == up(Fraction(sum(s for s in sizes if s < k), len(rows)))
    risks = [Fraction(1, len(classes[row[:2]])) for row in rows]
    assert found.risk_max_ppm == up(max(risks))
    assert found.risk_mean_ppm == up(sum(risks, Fraction(0)) / len(risks))
    for number, at in enumerate((2, 3)):
        column = [row[at] for row in rows]
        members = [[row[at] for row in one] for one in classes.values()]
        assert found.sensitive[number].diversity == min(len(set(one)) for one in members)
        farthest = max(distance(one, column) for one in members)
        assert found.sensitive[number].closeness_ppm == up(farthest)


@settings(max_examples=200)
@given(st.lists(st.integers(-30, 30).map(str), min_size=1, max_size=60), st.data())
def test_a_distance_costs_only_the_class_and_is_that_of_the_definition(
    everybody: list[str], data: st.DataObject
) -> None:
    members = data.draw(st.lists(st.sampled_from(everybody), min_size=1, max_size=20))
    distribution = Distribution()
    codes = {value: distribution.code(value) for value in everybody}
    distribution.close()
    counts = Counter(codes[value] for value in members)
    assert Fraction(*distribution.distance(counts)) == distance(members, everybody)


@settings(max_examples=60)
@given(ROWS, st.integers(1, 6))
def test_a_treated_file_keeps_exactly_the_rows_of_large_classes(
    rows: list[tuple[str, ...]], k: int
) -> None:
    do = {"q": "prefix:1", "n": "range:10", "s": "suppress"}
    plan = plan_of(quasi="q r", other="n s", do=do, k=k, lost=100)

    def treated(row: tuple[str, ...]) -> list[str]:
        quasi = row[0] if row[0] in ("", "*") else row[0][:1] + "*"
        low = int(row[2]) // 10 * 10
        return [quasi, row[1], f"[{low},{low + 10})", "*"]

    all_ = [treated(row) for row in rows]
    sizes = Counter(tuple(row[:2]) for row in all_)
    kept = [row for row in all_ if sizes[tuple(row[:2])] >= k]
    with TemporaryDirectory() as folder:
        source, target = written(Path(folder), csv_of(rows)), Path(folder) / "out.csv"
        if not kept:
            with pytest.raises(PlanInvalid):
                apply(source, target, plan, b"")
            assert not target.exists()
            return
        done = apply(source, target, plan, b"")
        with target.open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file)) == [[*HEADER], *kept]
        assert (done.rows, done.rows_lost) == (len(rows), len(rows) - len(kept))
        assert done.figures.k == min(size for size in sizes.values() if size >= k)
        assert [*Path(folder).iterdir()] and done.figures.below_ppm == 0
