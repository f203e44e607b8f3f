"""docs/standard.md is complete, and what it points to exists."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from contracts.system import evidence

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "standard.md"
CLAUSE = re.compile(r"\d(\.\d+)+[a-z]?\d?")
REFERENCE = re.compile(r"`([^`]+)`")
STATES = ("met", "partly", "planned: later issue")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: what the page claims about one clause."""

    clause: str
    what: str
    state: str
    code: tuple[str, ...]
    tests: tuple[str, ...]


@cache
def rows() -> tuple[Row, ...]:
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or CLAUSE.fullmatch(cells[0]) is None:
            continue
        clause, what, state, code, tests = cells
        row = Row(
            clause, what, state, tuple(REFERENCE.findall(code)), tuple(REFERENCE.findall(tests))
        )
        found.append(row)
    return tuple(found)


@cache
def listed() -> tuple[str, ...]:
    block = re.search(r"```clauses\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return tuple(block[1].split())


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def test_the_list_names_each_clause_once_and_in_order() -> None:
    assert len(set(listed())) == len(listed())
    assert all(CLAUSE.fullmatch(clause) for clause in listed())
    sections = [clause.split(".")[0] for clause in listed()]
    assert sections == sorted(sections)
    assert len(listed()) > 120  # sections 5 to 8 of the standard


def test_every_listed_clause_has_exactly_one_row_in_the_same_order() -> None:
    assert tuple(row.clause for row in rows()) == listed()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.clause)
def test_a_claim_names_code_and_tests_that_exist(row: Row) -> None:
    assert row.what and row.state in STATES
    if row.state == "planned: later issue":
        assert row.code == row.tests == (), "a plan claims nothing"
        return
    assert row.code and row.tests, "a claim shows its code and its test"
    for path in row.code:
        assert (ROOT / path).is_file(), path
        assert not path.startswith("tests/")
    for reference in row.tests:
        path, _, name = reference.partition("::")
        assert path.startswith("tests/") and (ROOT / path).is_file(), path
        assert name == "" or name in functions_of(path), reference
    if "partly" in row.state:
        assert any(word in row.what for word in ("planned", "part", "off chain")), (
            "say what is missing"
        )


def test_every_clause_test_is_in_the_table() -> None:
    claimed = {reference for row in rows() for reference in row.tests}
    for path in sorted((ROOT / "tests" / "standard").glob("test_clause_*.py")):
        relative = path.relative_to(ROOT).as_posix()
        for name in functions_of(relative):
            if name.startswith("test_"):
                assert f"{relative}::{name}" in claimed, f"{relative}::{name}"


def test_the_page_names_the_kinds_of_evidence_that_the_contract_takes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    kinds = re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", page, re.MULTILINE)
    assert tuple(kinds) == evidence.KINDS
