"""What a plan does to a file, and what it refuses to do."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest

from crypto import sm3
from executors.deident.apply import apply
from executors.deident.measure import measure
from executors.deident.plan import ColumnPlan, Plan, PlanInvalid, Treatment
from executors.deident.treatments import SUPPRESSED, treatment_of
from executors.errors import DataSetInvalid
from tests.deident_files import plan_of, written

KEY = b"k" * 32
PATIENTS = "name,phone,born,postcode,bill\n" + "".join(
    f"P{number},138001380{number:02},19{50 + number % 4 * 10}-0{1 + number % 9}-11,"
    f"2000{number % 2}0,{number * 7}.50\n"
    for number in range(80)
)
DO = {
    "name": "pseudonym",
    "phone": "drop",
    "born": "year",
    "postcode": "prefix:3",
    "bill": "range:100",
}


def patients(**words: object) -> Plan:
    said: dict[str, object] = {"do": DO, "k": 20, **words}
    return plan_of(identifier="name phone", quasi="born postcode", sensitive="bill", **said)


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_register_of_patients_goes_out_at_level_3(tmp_path: Path) -> None:
    source, target = written(tmp_path, PATIENTS), tmp_path / "out.csv"
    assert measure(source, patients()).level == 1
    done = apply(source, target, patients(), KEY)
    assert (done.rows, done.rows_lost, done.figures.k, done.figures.level) == (80, 0, 20, 3)
    header, *rows = rows_of(target)
    assert header == ["name", "born", "postcode", "bill"]
    assert rows[1] == [rows[1][0], "1960", "200*", "[0,100)"]
    assert len({row[0] for row in rows}) == 80 and all(row[0].startswith("p") for row in rows)
    assert done.figures.digest == sm3.digest(target.read_bytes())
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert done.source_digest == sm3.digest(source.read_bytes())


def test_pseudonyms_differ_by_key_and_context_and_agree_within(tmp_path: Path) -> None:
    treat = treatment_of("name", Treatment("pseudonym"), key=KEY, context="a")
    assert treat("Li Si") == treat("Li Si") != treat("Li Wu")
    for key, context, column in [(b"other", "a", "name"), (KEY, "b", "name"), (KEY, "a", "nam")]:
        other = treatment_of(column, Treatment("pseudonym"), key=key, context=context)
        assert other("Li Si") != treat("Li Si")
    assert treat("") == "" and treat(SUPPRESSED) == SUPPRESSED
    with pytest.raises(PlanInvalid):
        apply(written(tmp_path, PATIENTS), tmp_path / "out.csv", patients(), b"")


@pytest.mark.parametrize(
    ("treatment", "cell", "becomes"),
    [
        (Treatment("month"), "2024-03-31", "2024-03"),
        (Treatment("year"), "2024/3/1", "2024"),
        (Treatment("month"), "20240331", "2024-03"),
        (Treatment("year"), "2024-03-31T10:00:00Z", "2024"),
        (Treatment("prefix", length=6), "310101", "310101*"),
        (Treatment("suppress"), "x", "*"),
        (Treatment("keep"), "x", "x"),
    ],
)
def test_a_cell_is_generalized(treatment: Treatment, cell: str, becomes: str) -> None:
    assert treatment_of("c", treatment, key=b"", context="")(cell) == becomes


@pytest.mark.parametrize(
    ("width", "cell", "becomes"),
    [
        ("10", "29", "[20,30)"),
        ("10", "30", "[30,40)"),
        ("10", "-1", "[-10,0)"),
        ("0.5", "1.49", "[1,1.5)"),
        ("1000", "0.000000001", "[0,1000)"),
        ("7", "999999999999999.999999999", "[999999999999994,1000000000000001)"),
    ],
)
def test_a_number_falls_into_the_range_that_begins_at_or_below_it(
    width: str, cell: str, becomes: str
) -> None:
    from decimal import Decimal

    treatment = Treatment("range", width=Decimal(width))
    assert treatment_of("c", treatment, key=b"", context="")(cell) == becomes


@pytest.mark.parametrize("cell", ["x", "NaN", "1e99", "9" * 40])
def test_what_is_no_number_has_no_range_and_is_not_told(cell: str, tmp_path: Path) -> None:
    source = written(tmp_path, f"age\n{cell}\n")
    plan = plan_of(quasi="age", do={"age": "range:10"}, k=1)
    with pytest.raises(DataSetInvalid) as refused:
        apply(source, tmp_path / "out.csv", plan, b"")
    assert cell not in str(refused.value) and [*tmp_path.iterdir()] == [source]


@pytest.mark.parametrize("cell", ["2024-13-01", "yesterday", "2025"])
def test_what_is_no_date_has_no_month(cell: str) -> None:
    treat = treatment_of("born", Treatment("month"), key=b"", context="")
    with pytest.raises(DataSetInvalid) as refused:
        treat(cell)
    assert cell not in str(refused.value)


def test_a_plan_that_loses_too_many_rows_writes_nothing(tmp_path: Path) -> None:
    source = written(tmp_path, "town\n" + "A\n" * 20 + "B\n" * 3)
    target = tmp_path / "out.csv"
    with pytest.raises(PlanInvalid, match="3 of 23 rows"):
        apply(source, target, plan_of(quasi="town", k=20), b"")
    assert not target.exists()
    done = apply(source, target, plan_of(quasi="town", k=20, lost=20), b"")
    assert (done.rows_lost, done.figures.rows) == (3, 20)
    with pytest.raises(PlanInvalid, match="there already"):
        apply(source, target, plan_of(quasi="town", k=20, lost=20), b"")


def test_groups_are_not_treated(tmp_path: Path) -> None:
    plan = Plan({"n": ColumnPlan("other")}, kind="groups", count="n")
    with pytest.raises(PlanInvalid, match="groups"):
        apply(written(tmp_path, "n\n5\n"), tmp_path / "out.csv", plan, b"")
