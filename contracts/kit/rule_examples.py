"""For every rule of the language a small contract that breaks it, and no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.vm import limits

PLACE: Final = "# (...)\n"  # stands on the page for lines that say the same again


@dataclass(frozen=True, slots=True)
class Example:
    """A contract that breaks one rule; `shown` in place of it where it is long."""

    source: str
    shown: str = ""
    language: int = 0  # of the chain; 0: the latest


def _view(body: str, parameters: str = "", *, imports: str = "view", result: str = "int") -> str:
    head = f"from contracts.dialect import {imports}\n\n\n@view\ndef f({parameters}) -> {result}:\n"
    return head + "".join(f"    {line}\n" for line in body.split("\n"))


def _chain(length: int) -> str:
    """A view and helpers that each call the next."""
    helpers = "".join(
        f"def f{i}() -> int:\n    return f{i + 1}()\n\n\n" for i in range(1, length - 1)
    )
    return f"{_view('return f1()')}\n\n{helpers}def f{length - 1}() -> int:\n    return 1\n"


def _many_given(parameters: str, given: str) -> str:
    """A view that gives all values to a helper."""
    return f"{_view(f'return f1({given})')}\n\ndef f1({parameters}) -> int:\n    return 1\n"


_TOTAL = "from contracts.dialect import Var, {}\n\ntotal = Var(int)\n\n\n"
_PARAMETERS = [f"p{i}: int" for i in range(limits.PARAMETERS_MAX + 1)]
_GIVEN = [f"p{i}: int" for i in range(limits.GIVEN_MAX + 1)]
_DEEP = limits.TYPE_DEPTH_MAX + 1
_BRACKETS = limits.BRACKET_DEPTH_MAX + 1

_SOURCE_AND_NAMES: Final = {
    "S001": Example(
        'NAME = "caf\u00e9"\n', 'NAME = "caf\\xe9"  # where \\xe9 stands for the character itself\n'
    ),
    "S002": Example(
        "#" * (limits.SOURCE_SIZE_MAX + 1),
        f"# ...\n# {limits.SOURCE_SIZE_MAX + 1} bytes in all\n",
    ),
    "S003": Example(f"DEEP = {'[' * _BRACKETS}1{']' * _BRACKETS}\n"),
    "S004": Example("FEE = = 3\n"),
    "S005": Example("FEE =\t3\n", "FEE =\\t3  # where \\t stands for a tabulator\n"),
    "N001": Example(_view("return tota")),
    "N002": Example("__fee = 3\n"),
    "N003": Example("FEE = 3\nFEE = 4\n"),
    "N004": Example("from math import sqrt\n"),
    "N005": Example(_view("if n > 0:\n    found = 1\nreturn found", "n: int")),
    "N006": Example(_view("return ctx.party", imports="ctx, view", result="str"), language=1),
}
_LANGUAGE: Final = {
    "L001": Example(_view("assert n > 0\nreturn n", "n: int")),
    "L002": Example(_view("return n / 2", "n: int")),
    "L003": Example('print("deployed")\n'),
    "L004": Example(_view("return n", "n")),
    "L005": Example(_view("return s.title()", "s: str", result="str")),
    "L006": Example(_view("return n(1)", "n: int")),
    "L007": Example(
        "from contracts.dialect import Var, view\n\ntotal = Var(int)\n\n\n"
        "@view\ndef f() -> int:\n    return total\n"
    ),
    "L008": Example('FEES = {"low": 1}\n'),
    "L009": Example(
        "from contracts.dialect import call, require\n\n\n"
        "@call\ndef f(text: str) -> None:\n    require(len(text) > 9, text)\n"
    ),
    "L010": Example("@property\ndef f() -> int:\n    return 1\n"),
    "L011": Example(_view("return 1\nreturn 2")),
}
_TYPES: Final = {
    "T001": Example(_view('return "3"')),
    "T002": Example(_view("return 1", "rate: float")),
    "T003": Example(_view("xs = []\nreturn len(xs)")),
    "T004": Example(_view("if n > 0:\n    return 1", "n: int")),
    "T005": Example(_view('return d.get("a")', "d: dict[str, int]")),
    "T006": Example(_view("return 1", f"xs: {'list[' * _DEEP}int{']' * _DEEP}")),
    "T007": Example(f"MANY = {2**257}\n"),
    "T008": Example(_view("return 1", "d: dict[tuple[int, int], int]")),
    "V001": Example(
        _TOTAL.format("view") + "@view\ndef f() -> int:\n    total.set(1)\n    return 1\n"
    ),
    "R001": Example(_view("return f()")),
    "R002": Example(
        _chain(limits.CALL_DEPTH_MAX + 1),
        f"{_view('return f1()')}\n\ndef f1() -> int:\n    return f2()\n\n\n{PLACE}\n\n"
        f"def f{limits.CALL_DEPTH_MAX}() -> int:\n    return 1\n",
    ),
    "R003": Example(
        _view("return 1", ", ".join(_PARAMETERS)),
        _view("return 1", f"{_PARAMETERS[0]}, {_PARAMETERS[1]}, ..., {_PARAMETERS[-1]}"),
    ),
    "R004": Example(
        _many_given(", ".join(_GIVEN), ", ".join(["1"] * len(_GIVEN))),
        _many_given(f"{_GIVEN[0]}, {_GIVEN[1]}, ..., {_GIVEN[-1]}", "1, 1, ..., 1"),
    ),
}
_STYLE: Final = {
    "W001": Example("from contracts.dialect import Var\n\ntotal = Var(int)\n"),
    "W002": Example("def f() -> int:\n    return 1\n"),
    "W003": Example(
        _TOTAL.format("call") + "@call\ndef f(n: int) -> None:\n    total.set(n)\n",
    ),
    "W004": Example(
        _TOTAL.format("call") + "@call\ndef f() -> int:\n    return total.get()\n",
    ),
    "W005": Example(
        _view("n = 0\nfor x in xs:\n    n += x\nreturn n", "xs: list[int]"),
    ),
    "W006": Example(
        "from contracts.dialect import call, emit\n\n\n"
        '@call\ndef f(tags: list[str]) -> None:\n    emit("Tagged", tags=tags)\n'
    ),
    "W007": Example(
        "from contracts.dialect import Map, call, ctx, emit\n\ntags = Map(str, list[str])\n\n\n"
        "@call\ndef f(tag: str) -> None:\n    mine = tags[ctx.sender]\n    mine.append(tag)\n"
        '    emit("Tagged", who=ctx.sender)\n'
    ),
    "W008": Example(
        _TOTAL.format("call, ctx, require")
        + "@call\ndef f(who: str) -> None:\n"
        + '    require(ctx.origin == who, "not you")\n    total.set(1)\n'
    ),
    "W010": Example(_view("return 1", "n: int")),
    "W099": Example(_view("return 1  # shuxin: allow W005 of the genesis alone")),
}
EXAMPLES: Final[dict[str, Example]] = {**_SOURCE_AND_NAMES, **_LANGUAGE, **_TYPES, **_STYLE}
