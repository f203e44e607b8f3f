"""ABIs that somebody forged: refused with one error, or harmless in the generated text."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from client.codegen.abi import ABI_SIZE_MAX, AbiInvalid, parse_abi
from client.codegen.grammar import TypeTextInvalid, parse_type_text
from client.codegen.layout import WIDTH, docstring
from client.codegen.module import render_client
from client.codegen.names import camel_case, distinct, snake_case
from contracts.vm.types import INT, STR, ListOf, TupleOf, make_record, show
from tests.abi_draws import ESCAPES

POINT = make_record("Point", (("x", INT),), ())
BAD_NAMES = (
    *("", " ", "a b", "a-b", "a.b", "1a", "é", "x\n", "x\0", "x" * 65, 'x"', "x)", "x: int = 1"),
    "x\nimport os\n",
)


def good() -> dict[str, Any]:
    """A small ABI to be spoiled."""
    return {
        "abi": 1,
        "methods": [
            {
                "name": "move",
                "kind": "call",
                "parameters": [{"name": "to", "type": "Point"}],
                "returns": "int",
                "documentation": "Moves.",
            }
        ],
        "events": [{"name": "Moved", "fields": [{"name": "to", "type": "Point"}]}],
        "records": [{"name": "Point", "fields": [{"name": "x", "type": "int"}]}],
        "storage": [{"name": "at", "kind": "Map", "keys": ["str"], "value": "Point"}],
    }


def spoiled(value: object, *path: str | int) -> bytes:
    """The ABI with `value` at a place, or without what is there."""
    abi: Any = good()
    *way, last = path
    place = abi
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(abi).encode()


def test_the_good_one_is_good() -> None:
    abi = parse_abi(json.dumps(good()).encode())
    assert [method.name for method in abi.methods] == ["move"]
    assert abi.records[0].fields == (("x", INT),)


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize(
    "path",
    [
        ("methods", 0, "name"),
        ("methods", 0, "parameters", 0, "name"),
        ("events", 0, "name"),
        ("events", 0, "fields", 0, "name"),
        ("records", 0, "name"),
        ("records", 0, "fields", 0, "name"),
    ],
)
def test_a_name_is_an_identifier(path: tuple[str | int, ...], name: str) -> None:
    with pytest.raises(AbiInvalid):
        parse_abi(spoiled(name, *path))


@pytest.mark.parametrize(
    "path",
    [
        ("methods", 0, "returns"),
        ("methods", 0, "parameters", 0, "type"),
        ("events", 0, "fields", 0, "type"),
        ("records", 0, "fields", 0, "type"),
    ],
)
@pytest.mark.parametrize("text", ["", "float", "Point2", "int; import os", "list[Any]", "typed"])
def test_a_type_is_of_the_grammar(path: tuple[str | int, ...], text: str) -> None:
    with pytest.raises(AbiInvalid):
        parse_abi(spoiled(text, *path))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (2, ("abi",)),
        ("1", ("abi",)),
        (..., ("abi",)),
        (..., ("storage",)),
        (1, ("more",)),
        (None, ("methods",)),
        ("helper", ("methods", 0, "kind")),
        (1, ("methods", 0, "documentation")),
        (1, ("methods", 0, "more")),
        ("x" * ((64 << 10) + 1), ("methods", 0, "documentation")),
        ([], ("records", 0, "fields")),
        ("Point", ("records", 0, "fields", 0, "type")),  # a record of itself
        ("int", ("records", 0, "name")),
        ("list", ("records", 0, "name")),
        ([good()["methods"][0]] * 2, ("methods",)),
        ([good()["methods"][0]] * 201, ("methods",)),
        ([{**good()["methods"][0], "kind": "init", "name": n} for n in "ab"], ("methods",)),
        ([good()["events"][0]] * 2, ("events",)),
        ([good()["records"][0]] * 2, ("records",)),
        ([{"name": "x", "type": "int"}] * 2, ("records", 0, "fields")),
        ([{"name": f"x{n}", "type": "int"} for n in range(65)], ("records", 0, "fields")),
        ([{"name": f"x{n}", "type": "int"} for n in range(33)], ("methods", 0, "parameters")),
    ],
)
def test_its_form_is_exact(value: object, path: tuple[str | int, ...]) -> None:
    with pytest.raises(AbiInvalid, match="not the ABI of a contract"):
        parse_abi(spoiled(value, *path))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"null", b"[]", b"{", b"\xff", b"1" * 5000, b'{"abi": 1}'),
        b"[" * 100_000,
        b'{"abi": NaN}',
        b" " * (ABI_SIZE_MAX + 1),
    ],
)
def test_bytes_that_are_no_abi_are_refused(data: bytes) -> None:
    with pytest.raises(AbiInvalid):
        parse_abi(data)


def test_records_that_double_with_each_level_are_refused() -> None:
    chain = [{"name": "R0", "fields": [{"name": "a", "type": "int"}]}]
    for level in range(1, 60):
        fields = [{"name": name, "type": f"R{level - 1}"} for name in "ab"]
        chain.append({"name": f"R{level}", "fields": fields})
    with pytest.raises(AbiInvalid, match="too deep or too large"):
        parse_abi(spoiled(chain, "records"))


# --- types ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("int", "None", "Point", "list[int]", "list[None]", "dict[str, list[int]]", "tuple[]"),
        *("tuple[list[int]]", "Point | None", "list[int | None] | None"),
        *("dict[tuple[str, bool], Point | None]", "tuple[int, tuple[str, bytes]]"),
    ],
)
def test_types_read_back_as_they_are_written(text: str) -> None:
    assert show(parse_type_text(text, {"Point": POINT})) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "int ",
            " int",
            "int|None",
            "int | None | None",
            "None | None",
            "list",
            "list[]",
        ),
        *("list[int", "list[int]]", "list[int, str]", "list [int]", "[int]", "dict[str]", "dict[]"),
        *("dict[list[int], int]", "dict[tuple[int, int], int]", "dict[str,int]", "tuple", "tuple["),
        *(
            "tuple[int,]",
            "tuple[int, ]",
            "point",
            "int[int]",
            "int, int",
            "any",
            "never",
            "?",
            "Int",
        ),
        *("list[" * 7 + "int" + "]" * 7, "list[" * 5000 + "int" + "]" * 5000, "list[" * 20_000),
        *("tuple[" + ", ".join(["int"] * 300) + "]", "int\n", "int#", "int | None  ", "| None"),
    ],
)
def test_other_texts_are_no_types(text: str) -> None:
    with pytest.raises(TypeTextInvalid):
        parse_type_text(text, {"Point": POINT})


def test_a_record_has_no_other_meaning_than_its_own() -> None:
    assert parse_type_text("tuple[Point, str]", {"Point": POINT}) == TupleOf((POINT, STR))
    with pytest.raises(TypeTextInvalid):
        parse_type_text("Point", {})
    assert parse_type_text("list[Point]", {"Point": POINT}) == ListOf(POINT)


# --- text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *ESCAPES,
        '"""\nimport os\nos.system("x")\n"""',
        '\\"""; import os; """',
        "ends with a backslash\\",
        '"quoted" and "quoted"',
        "a\r\nb\x0bc\x0c\x85d\u2029e",
        "# type: ignore\n# noqa\n# fmt: off",
        "word " * 200,
        "x" * 1000,
        "   \n\n  indented\n\n\n\tmore  ",
    ],
)
def test_documentation_stays_documentation(text: str) -> None:
    lines = docstring(text, indent="    ")
    assert all(len(line) <= WIDTH and line.isascii() and line.isprintable() for line in lines)
    [function] = ast.parse("\n".join(["def f():", *lines, "    x"])).body
    assert isinstance(function, ast.FunctionDef)
    assert len(function.body) == (2 if lines else 1)
    assert bool(ast.get_docstring(function)) == bool(lines) == bool(text.strip())


def test_documentation_that_is_plain_is_kept() -> None:
    assert docstring('Gives "" if there is none.') == ['"""Gives "" if there is none."""']
    assert docstring('It is ""', indent="  ") == ['  """It is "" """']
    assert docstring("First.\n\nThen.") == ['"""First.', "", "Then.", '"""']
    assert docstring(" \n ") == []


def test_hostile_documentation_adds_no_statement() -> None:
    calm = ast.parse(render(spoiled("calm", "methods", 0, "documentation")))
    wild = ast.parse(render(spoiled("".join(ESCAPES) * 20, "methods", 0, "documentation")))
    assert len(list(ast.walk(calm))) == len(list(ast.walk(wild)))


def render(data: bytes) -> str:
    return render_client(parse_abi(data), class_name="ProbeClient", contract="probe")


# --- names ----------------------------------------------------------------------------------


def test_names_that_can_stay_do() -> None:
    assert distinct(["list", "list_", "x"], {"list"}) == ["list__", "list_", "x"]
    assert distinct(["class", "a", "a"], set()) == ["class_", "a", "a_"]
    assert distinct(["A", "A"], {"A"}, "Event") == ["AEvent", "AEventEvent"]


def test_names_take_the_form_of_the_house() -> None:
    assert [snake_case(name) for name in ("setOwner", "HTTPPort", "_id", "_", "_1", "a_b")] == [
        *("set_owner", "http_port", "id", "n", "n1", "a_b")
    ]
    assert [camel_case(name) for name in ("open_case", "data-set.1", "_", "_1", "Point")] == [
        *("OpenCase", "DataSet1", "N", "N1", "Point")
    ]
