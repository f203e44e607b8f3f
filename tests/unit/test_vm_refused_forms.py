"""Forms that the language does not have, where they hide: in bounds, in nesting, in odd places."""

from __future__ import annotations

import ast

import pytest

from contracts.vm import limits
from contracts.vm.check import check_source
from contracts.vm.compile import compile_source
from contracts.vm.rules import RULES, Finding, SourceRefused

HEAD = """from contracts.dialect import Map, Var, call, emit, record, view
total = Var(int)
pairs = Map((str, int), int)
@record
class Item:
    name: str
    count: int
"""
PARAMETERS = "a: int, b: bool, s: str, xs: list[int], d: dict[str, int], o: int | None, p: Item"


def errors(source: str) -> list[Finding]:
    return [one for one in check_source(source) if one.severity == "error"]


def told(body: str, before: str = "") -> list[tuple[str, str]]:
    found = errors(f"{HEAD}{before}@call\ndef act({PARAMETERS}) -> None:\n    {body}\n")
    return [(one.rule, one.reason) for one in found]


# body of a function -> rule, words of the reason
FORMS: dict[str, tuple[str, str]] = {
    "x = view(1)": ("N001", "no function `view`"),
    "x = [y async for y in xs]": ("L002", "no async in the language"),
    "x = b + b": ("T001", "no Add of bool and bool"),
    "x = (a, b) + (a, b)": ("T001", "no Add of tuple[int, bool] and tuple[int, bool]"),
    "if a is None:\n        total.set(1)": ("T001", "int is never None"),
    "x = pairs[s]": ("T001", "the key is tuple[str, int], written out"),
    "x = pairs[s, a, a]": ("T001", "the key is tuple[str, int], written out"),
    "x = pairs[xs]": ("T001", "the key is tuple[str, int], written out"),
    "a[0] += 1": ("T001", "items of int cannot be assigned"),
    "s[0] = 'x'": ("T001", "items of str cannot be assigned"),
    "for i in range():\n        total.set(i)": ("T001", "range"),
    "for i in range(a, a, a, a):\n        total.set(i)": ("T001", "range"),
    "emit('Deep', x=[[[[[[[a]]]]]]])": ("T006", "types nest at most 6 deep"),
    "x = list((a, s))": ("T001", "list() does not take tuple[int, str]"),
    "x = sorted([(a, o)])": ("T001", ""),
}


@pytest.mark.parametrize("body", FORMS)
def test_a_form_is_refused_and_named(body: str) -> None:
    rule, words = FORMS[body]
    found = told(body)
    assert found and {one for one, _ in found} == {rule}
    assert any(words in reason for _, reason in found), found


def test_storage_needs_its_import() -> None:
    source = "from contracts.dialect import view\nkept = Map(str, int)\n"
    assert [(one.rule, one.reason) for one in errors(source)] == [("N001", "`Map` is not imported")]


def test_a_decorator_needs_its_import() -> None:
    source = "from contracts.dialect import view\n@call\ndef act() -> None:\n    pass\n"
    found = [(one.rule, one.reason) for one in errors(source)]
    assert found == [("N001", "`call` is not imported")]


@pytest.mark.parametrize("name", ["total", "Item"])
def test_a_record_takes_no_name_that_is_taken(name: str) -> None:
    found = told("total.set(1)", f"@record\nclass {name}:\n    n: int\n")
    assert [rule for rule, _ in found] == ["N003"]


@pytest.mark.parametrize(
    "operation", ["'a' - 1", "1 - 'a'", "True + 1", "b'' * 2", "-'a'", "-True", "-(1, 2)"]
)
def test_constants_are_computed_of_ints_only(operation: str) -> None:
    assert [rule for rule, _ in told("total.set(1)", f"LIMIT = {operation}\n")] == ["L008"]


# --- bounds ------------------------------------------------------------------------------------


def test_a_type_is_bounded_with_its_records_written_out() -> None:
    fields = "".join(f"    f{i}: int\n" for i in range(50))
    wide = f"@record\nclass Wide:\n{fields}"
    within = ", ".join(["Wide"] * (limits.TYPE_NODES_MAX // 51))
    assert told("total.set(1)", f"{wide}kept = Var(tuple[{within}])\n") == []
    ((rule, reason),) = told("total.set(1)", f"{wide}kept = Var(tuple[{within}, Wide])\n")
    assert rule == "T006" and "too large with its records written out" in reason


@pytest.mark.parametrize("prefix", ["", "b"])
def test_a_literal_has_a_bound_also_over_many_lines(prefix: str) -> None:
    def literal(size: int) -> str:
        line = 256
        parts = [f"    {prefix}'{'x' * line}'" for _ in range(size // line)]
        parts.append(f"    {prefix}'{'x' * (size % line)}'")
        return "LONG = (\n" + "\n".join(parts) + "\n)\n"

    assert told("total.set(len(LONG))", literal(limits.CONSTANT_SIZE_MAX)) == []
    found = told("total.set(len(LONG))", literal(limits.CONSTANT_SIZE_MAX + 1))
    assert [rule for rule, _ in found] == ["L008"]


def test_an_f_string_has_a_bound_of_its_own() -> None:
    """It is parsed apart, so the scan of lines and brackets does not see into it."""
    size = limits.LINE_LENGTH_MAX * 4 - 3  # the quotes that end it count, too

    def text(more: str) -> str:
        lines = "\n".join(["x" * 99] * (size // 100))
        return f'x = f"""{lines}\n{"y" * (size % 100)}{more}"""'

    assert told(text("")) == []
    assert told(text("x")) == [("S003", "an f-string nests too deep")]


def test_calls_that_nest_too_deep_are_refused_from_the_outside_too() -> None:
    """The first function calls the next, and so on: the walk itself has to end."""
    length = limits.CALL_DEPTH_MAX + 5
    calls = "".join(f"def f{i}() -> None:\n    f{i + 1}()\n" for i in range(length))
    source = f"{HEAD}{calls}def f{length}() -> None:\n    total.set(1)\n"
    assert {one.rule for one in errors(source)} == {"R002"}


def test_a_refusal_quotes_nothing_of_the_parser() -> None:
    """Its sentences change with any release of CPython, and receipts hold ours."""
    with pytest.raises(SourceRefused) as refused:
        compile_source("x = (")
    (found,) = refused.value.findings
    assert found.rule == "S004" and found.reason.startswith("syntax error")
    assert str(refused.value) == f"S004 {RULES['S004'][0]}"


@pytest.mark.parametrize("error", [MemoryError, RecursionError, ValueError, OverflowError])
def test_a_parser_that_gives_up_is_a_verdict(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """No source is known that does it: the scan before keeps it away."""

    def give_up(*_: object) -> ast.Module:
        raise error

    monkeypatch.setattr(ast, "parse", give_up)
    (found,) = errors(HEAD)
    assert (found.rule, found.reason) == ("S003", "the parser gives up on this source")
