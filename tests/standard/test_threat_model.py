"""docs/security.md: the threat model leaves nobody out, and the tests that it names exist."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
REFERENCE = re.compile(r"`([^`]+)`")
# Folders in which a test that stands for a defence may be: all that `make test`,
# `make e2e` and `make crash` run.
FOLDERS = frozenset(
    ("crash", "e2e", "fuzz_vm", "property", "sandbox", "sim", "standard", "unit", "vectors")
)
THREATS_MIN, GAPS_MIN = 40, 15  # what was known when this was written: none is forgotten unseen


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table, by the letter of the table and its number there."""

    letter: str
    number: int
    who: tuple[str, ...]
    cells: tuple[str, ...]  # behind `who`

    @property
    def name(self) -> str:
        return f"{self.letter}{self.number}"


@cache
def lines() -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(cell.strip() for cell in line.strip().strip("|").split(" | "))
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    )


@cache
def attackers() -> tuple[str, ...]:
    return tuple(cells[0] for cells in lines() if re.fullmatch("[A-Z]", cells[0]))


@cache
def rows(letter: str) -> tuple[Row, ...]:
    found = []
    for cells in lines():
        numbered = re.fullmatch(letter + r"(\d+)", cells[0])
        if numbered is not None:
            who = tuple(cells[1].split(", "))
            found.append(Row(letter, int(numbered[1]), who, cells[2:]))
    return tuple(found)


@cache
def functions_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


@pytest.mark.parametrize("letter", ["T", "N"])
def test_rows_are_numbered_without_a_gap_so_that_one_that_goes_is_seen(letter: str) -> None:
    numbers = [row.number for row in rows(letter)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= (THREATS_MIN if letter == "T" else GAPS_MIN)


def test_every_attacker_has_threats_and_there_is_no_other() -> None:
    assert attackers() == tuple("ABCDEFGHIJ")
    named = {who for letter in "TN" for row in rows(letter) for who in row.who}
    assert named == set(attackers())
    defended = {who for row in rows("T") for who in row.who}
    assert defended == set(attackers()), "against each there is a defence"


@pytest.mark.parametrize("row", rows("T"), ids=lambda row: row.name)
def test_a_defence_names_tests_that_exist(row: Row) -> None:
    what, defence, tests = row.cells
    assert what and defence
    references = REFERENCE.findall(tests)
    assert references, "a defence without a test is a wish"
    assert REFERENCE.sub("", tests).replace(",", "").strip() == "", "tests and nothing else"
    for reference in references:
        file, _, name = reference.partition("::")
        path = ROOT / "tests" / file
        assert file.partition("/")[0] in FOLDERS and path.is_file(), reference
        assert name.startswith("test_") and name in functions_of(path), reference


@pytest.mark.parametrize("row", rows("N"), ids=lambda row: row.name)
def test_what_is_not_defended_says_what_helps(row: Row) -> None:
    what, help_ = row.cells
    assert len(what) > 20 and help_


def test_what_no_test_runs_stands_for_nothing() -> None:
    """A reference to a test that is only named, never collected, would prove nothing."""
    for row in rows("T"):
        for reference in REFERENCE.findall(row.cells[-1]):
            assert Path(reference.partition("::")[0]).name.startswith("test_"), reference
