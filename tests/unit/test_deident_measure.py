"""Figures of tables that others have published, and columns that are not what a plan says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executors.deident.identifiers import is_bank_card, is_credit_code, is_resident_id, kinds_in
from executors.deident.measure import Figures, measure
from executors.deident.plan import Plan, PlanInvalid, parse_plan
from executors.deident.report import ReportInvalid, parse_report, report_of
from executors.errors import DataSetInvalid
from tests.deident_files import plan_of, written

# Sweeney, k-anonymity (2002), figure 2: 2-anonymous by race, birth, gender and zip.
SWEENEY = """race,birth,gender,zip,problem
Black,1965,m,0214*,short breath
Black,1965,m,0214*,chest pain
Black,1965,f,0213*,hypertension
Black,1965,f,0213*,hypertension
Black,1964,f,0213*,obesity
Black,1964,f,0213*,chest pain
White,1964,m,0213*,chest pain
White,1964,m,0213*,obesity
White,1964,m,0213*,short breath
White,1967,m,0213*,chest pain
White,1967,m,0213*,chest pain
"""
# Machanavajjhala and others, l-diversity (2007): 4-anonymous, and one class has one disease.
INPATIENTS = """zip,age,condition
130**,<30,heart
130**,<30,heart
130**,<30,viral
130**,<30,viral
1485*,>=40,cancer
1485*,>=40,heart
1485*,>=40,viral
1485*,>=40,viral
130**,3*,cancer
130**,3*,cancer
130**,3*,cancer
130**,3*,cancer
"""
# The same paper's 3-diverse version.
DIVERSE = """zip,age,condition
1305*,<=40,heart
1305*,<=40,viral
1305*,<=40,cancer
1305*,<=40,cancer
1485*,>40,cancer
1485*,>40,heart
1485*,>40,viral
1485*,>40,viral
1306*,<=40,heart
1306*,<=40,viral
1306*,<=40,cancer
1306*,<=40,cancer
"""
# Li and others, t-closeness (2007): table 3 is 3-diverse and far, table 5 has 0.167 for salaries.
SALARIES_FAR = "class,salary\n" + "".join(
    f"{name},{salary}\n"
    for name, salaries in (("a", (3, 4, 5)), ("b", (6, 11, 8)), ("c", (7, 9, 10)))
    for salary in salaries
)
SALARIES_CLOSE = "class,salary\n" + "".join(
    f"{name},{salary}\n"
    for name, salaries in (("a", (3, 5, 9)), ("b", (6, 11, 8)), ("c", (4, 7, 10)))
    for salary in salaries
)


def figures(tmp_path: Path, text: str, plan: Plan) -> Figures:
    return measure(written(tmp_path, text), plan)


def test_the_table_of_the_paper_on_k_anonymity_is_2_anonymous(tmp_path: Path) -> None:
    plan = plan_of(quasi="race birth gender zip", sensitive="problem", k=3)
    found = figures(tmp_path, SWEENEY, plan)
    assert (found.rows, found.classes, found.k) == (11, 5, 2)
    assert found.below_ppm == -(-8 * 10**6 // 11)
    assert (found.risk_max_ppm, found.risk_mean_ppm) == (500_000, -(-5 * 10**6 // 11))
    assert found.sensitive[0].diversity == 1


@pytest.mark.parametrize(("text", "diversity"), [(INPATIENTS, 1), (DIVERSE, 3)])
def test_the_tables_of_the_paper_on_l_diversity(text: str, diversity: int, tmp_path: Path) -> None:
    found = figures(tmp_path, text, plan_of(quasi="zip age", sensitive="condition", k=4))
    assert (found.k, found.below_ppm, found.sensitive[0].diversity) == (4, 0, diversity)
    assert found.sensitive[0].distance == "equal"


@pytest.mark.parametrize(
    ("text", "closeness"), [(SALARIES_FAR, 375_000), (SALARIES_CLOSE, 166_667)]
)
def test_the_tables_of_the_paper_on_t_closeness(text: str, closeness: int, tmp_path: Path) -> None:
    found = figures(tmp_path, text, plan_of(quasi="class", sensitive="salary", k=3))
    assert (found.sensitive[0].closeness_ppm, found.sensitive[0].distance) == (closeness, "ordered")


def test_levels_go_by_identifiers_risk_and_aggregation(tmp_path: Path) -> None:
    rows = "name,town,ill\n" + "Li Si,A,no\n" * 30
    named = plan_of(identifier="name", quasi="town", sensitive="ill")
    assert figures(tmp_path, rows, named).level == 1
    assert figures(tmp_path, rows, named).identifiers == (("name", 30),)
    hidden = rows.replace("Li Si", "*")
    assert figures(tmp_path, hidden, named).level == 3
    assert figures(tmp_path, hidden + "*,B,no\n", named).level == 2
    groups = plan_of(other="town", kind="groups", count="n")
    assert figures(tmp_path, "town,n\nA,20\nB,99\nC,\n", groups).level == 4
    found = figures(tmp_path, "town,n\nA,19\nB,99\nC,*\n", groups)
    assert (found.level, found.k, found.rows, found.classes) == (2, 19, 3, 2)


def test_pseudonyms_by_the_plan_are_no_direct_identifiers(tmp_path: Path) -> None:
    plan = plan_of(identifier="name", quasi="town", do={"name": "pseudonym"})
    hidden = "name,town\n" + f"p{'0' * 32},A\n" * 30
    assert figures(tmp_path, hidden, plan).level == 3
    assert figures(tmp_path, hidden + "Li Si,A\n", plan).level == 1


# Made up: no such person, card or firm is known, but their check digits are right.
RESIDENT = "11010519491231002X"  # the example of GB 11643
CREDIT = "91350100M000100Y43"  # the example of GB 32100
CARD = "6222021001116245702"


def test_check_digits_tell_identifiers_from_other_numbers() -> None:
    assert is_resident_id(RESIDENT) and is_resident_id(RESIDENT.lower())
    assert not is_resident_id(RESIDENT[:-1] + "1")
    assert not is_resident_id("110105194913310029")  # no thirteenth month
    assert not is_resident_id("99" + RESIDENT[2:])
    assert is_credit_code(CREDIT) and not is_credit_code(CREDIT[:-1] + "4")
    assert not is_bank_card(CARD[4:]) and not is_bank_card("1" + CARD[1:])
    assert sum(is_bank_card(CARD[:-1] + str(digit)) for digit in range(10)) == 1


@pytest.mark.parametrize(
    ("cell", "kinds"),
    [
        (RESIDENT, {"resident_id"}),
        (f"身份证{RESIDENT}。", {"resident_id"}),
        ("13800138000", {"mobile"}),
        ("+86 138 0013 8000", {"mobile"}),
        ("call 138-0013-8000 after six", {"mobile"}),
        ("a.b@example.cn", {"email"}),
        (f"firm {CREDIT}", {"credit_code"}),
        ("2380013800", set()),
        ("12800138000", set()),
        ("user@localhost", set()),
        ("", set()),
    ],
)
def test_identifiers_are_found_wherever_they_stand_in_a_cell(cell: str, kinds: set[str]) -> None:
    assert set(kinds_in(cell)) == kinds


def test_an_undeclared_identifier_makes_level_1_until_somebody_has_looked(tmp_path: Path) -> None:
    rows = "town,note\n" + "A,\n" * 29 + f"A,see {RESIDENT}\n"
    found = figures(tmp_path, rows, plan_of(quasi="town", other="note"))
    told = [(one.column, one.kind, one.cells) for one in found.findings]
    assert (found.level, told) == (1, [("note", "resident_id", 1)])
    allowed = plan_of(quasi="town", other="note", allow={"note": ["resident_id"]})
    assert figures(tmp_path, rows, allowed).level == 3


def test_a_column_without_a_value_twice_names_its_rows(tmp_path: Path) -> None:
    rows = "town,code\n" + "".join(f"A,x{number}\n" for number in range(30))
    found = figures(tmp_path, rows, plan_of(quasi="town", other="code"))
    assert [(one.column, one.kind) for one in found.findings] == [("code", "unique")]
    assert figures(tmp_path, rows + "A,x3\n", plan_of(quasi="town", other="code")).level == 3
    # Amounts differ anyway: of sensitive columns it says nothing.
    assert figures(tmp_path, rows, plan_of(quasi="town", sensitive="code")).level == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("town\n", "no rows"),
        ("town,x\nA,1\n", "say in the plan what these columns are: x"),
        ("x\nA\n", "x"),
        ("town\nA,B\n", "2 cells instead of 1"),
        ("town,town\nA,B\n", "two columns"),
        ('town\n"A\n', "not CSV"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_without_its_values(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises((DataSetInvalid, PlanInvalid)) as refused:
        figures(tmp_path, text, plan_of(quasi="town"))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[columns.a]\nclass = 'secret'",
        "[columns.a]\nclass = 'quasi'\ndo = 'range:0'",
        "[columns.a]\nclass = 'quasi'\ndo = 'shuffle'",
        "[columns.a]\nclass = 'quasi'\nallow = ['name']",
        "[columns.a]\nclass = 'quasi'\nextra = 1",
        "[table]\nk = 0\n[columns.a]\nclass = 'quasi'",
        "[table]\nk = true\n[columns.a]\nclass = 'quasi'",
        "[table]\nkind = 'groups'\n[columns.a]\nclass = 'quasi'",
        "[table]\ncount = 'a'\n[columns.a]\nclass = 'quasi'",
        "[columns.a]\nclass = 'identifier'\ndo = 'pseudonym'",
        "columns = 1",
        "[",
    ],
)
def test_a_plan_with_a_slip_is_refused(text: str) -> None:
    with pytest.raises(PlanInvalid):
        parse_plan(text.encode())


def test_a_report_is_the_same_for_the_same_file_and_read_only_as_it_was_written(
    tmp_path: Path,
) -> None:
    plan = plan_of(quasi="race birth gender zip", sensitive="problem", k=2)
    text = report_of(figures(tmp_path, SWEENEY, plan), plan, bytes(32))
    assert text == report_of(figures(tmp_path, SWEENEY, plan), plan, bytes(32))
    assert b"White" not in text and b"chest" not in text
    measured = parse_report(text)
    assert (measured.level, measured.k, measured.methods) == (2, 2, ("k-anonymity",))
    content = json.loads(text)
    for name, value in [("level", 3), ("k", 20), ("risk_max_ppm", 1), ("form", "")]:
        with pytest.raises(ReportInvalid):
            parse_report(json.dumps({**content, name: value}).encode())
    for junk in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000):
        with pytest.raises(ReportInvalid):
            parse_report(junk)
