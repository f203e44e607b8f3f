"""One mistake brings one finding: what has no known type is taken for anything after it.

Whoever reads a list of findings mends the first, and the rest must not be its shadow.
"""

from __future__ import annotations

import pytest

from contracts.vm.check import check_source

HEAD = """from contracts.dialect import Map, Var, call, emit, record, replace, view
total = Var(int)
pairs = Map((str, int), int)
@record
class Item:
    name: str
    count: int
"""
PARAMETERS = "a: int, b: bool, s: str, xs: list[int], d: dict[str, int], o: int | None, p: Item"

# What stands where a value is needed; `nothing` is declared nowhere.
OF_WHAT_IS_NOT_THERE = [
    "x = replace(nothing, name=s)",
    "x = nothing[0]",
    "x = nothing.get(1)",
    "x = nothing.name",
    "x = -nothing",
    "x = nothing + 1",
    "x = nothing < 1",
    "x = nothing is None",
    "x = abs(nothing)",
    "x = sorted(nothing)",
    "x = list(nothing)",
    "x = int(nothing)",
    "x = sum(nothing)",
    "x = [y + 1 for y in nothing]",
    "x = [y + z for y, z in nothing]",
    "y, z = nothing",
    "for y, z in nothing:\n        x = y + z",
    "nothing[0] = 1",
    "nothing[0] += 1",
    "emit('Said', x=nothing)",
]

# What a call that has the wrong number of values says, once.
WITHOUT_ITS_VALUE = [
    ("x = abs()", "T001"),
    ("x = sum()", "T001"),
    ("x = any(b, b)", "T001"),
    ("x = sorted()", "T001"),
    ("x = list(xs, xs)", "T001"),
]


def told(body: str) -> list[tuple[str, str]]:
    source = f"{HEAD}@call\ndef act({PARAMETERS}) -> None:\n    {body}\n"
    return [(one.rule, one.reason) for one in check_source(source) if one.severity == "error"]


@pytest.mark.parametrize("body", OF_WHAT_IS_NOT_THERE)
def test_of_a_name_that_is_not_there_nothing_else_is_said(body: str) -> None:
    (found,) = told(body)
    assert found[0] == "N001" and "nothing" in found[1]


@pytest.mark.parametrize(("body", "rule"), WITHOUT_ITS_VALUE)
def test_a_wrong_number_of_values_is_said_once(body: str, rule: str) -> None:
    (found,) = told(f"{body}\n    y = x + 1")
    assert found[0] == rule
