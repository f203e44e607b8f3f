"""What the language accepts and means: types, narrowing, copies, order, ABI, findings."""

from __future__ import annotations

import gc
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contracts.bundle import system_sources
from contracts.vm.abi import extract
from contracts.vm.check import check_source
from contracts.vm.codes import ViewRefused
from contracts.vm.compile import compile_source
from contracts.vm.rules import RULES, SourceRefused
from contracts.vm.testing import CallFailed, Chain, account
from contracts.vm.verify import CodeRefused, verify
from ledger.values import Value

ALICE, BOB = account("alice"), account("bob")
ROOT = Path(__file__).resolve().parents[2]
HEAD = """
from __future__ import annotations
from contracts.dialect import (
    Map, Var, call, ctx, emit, fail, init, is_name, record, replace, require, sm3, to_hex, view
)
"""
GUIDE = (ROOT / "contracts" / "dialect" / "GUIDE.md").read_text()


def answer(body: str, result: str = "int", *, before: str = "") -> Value:
    """What a view with this body returns."""
    chain = Chain()
    source = f"{HEAD}{before}\n@view\ndef ask() -> {result}:\n    {body}\n"
    receipt = chain.deploy("c", source)
    assert receipt.status == 0, receipt.detail
    return chain.view(ALICE, "c", "ask")


@pytest.mark.parametrize(
    ("body", "result", "value"),
    [
        ("return 7 // 2 - 7 % 3 + 2 ** 10", "int", 1026),
        ("return -7 // 2", "int", -4),
        ("return 1 << 8 | 5 & 4 ^ 1", "int", 261),
        ("x, y = 1, 2\n    x, y = y, x\n    return x * 10 + y", "int", 21),
        ("return 1 < 2 < 3 and not 2 > 3 or False", "bool", True),
        ("return 'a' if 1 > 2 else 'b'", "str", "b"),
        ("return f'{1}-{True}-{\"x\"}{{}}'", "str", "1-True-x{}"),
        ("return 'a,b,,c'.split(',')", "list[str]", ["a", "b", "", "c"]),
        ("return '-'.join(['a', 'b'])", "str", "a-b"),
        ("return 'Abc'.lower() + 'Abc'.upper()", "str", "abcABC"),
        ("return ' a\\n'.strip()", "str", "a"),
        ("return 'abcabc'.replace('b', 'xy')", "str", "axycaxyc"),
        ("return 'caf\\u00e9'.encode().decode()", "str", "caf\u00e9"),
        ("return to_hex(b'\\x01\\xff')", "str", "01ff"),
        ("return len(sm3(b'abc'))", "int", 32),
        ("return b'abc'[1]", "int", 98),
        ("return b'abc'[1:]", "bytes", b"bc"),
        ("return [i * i for i in range(5) if i % 2 == 0]", "list[int]", [0, 4, 16]),
        ("return {str(i): i for i in range(3)}", "dict[str, int]", {"0": 0, "1": 1, "2": 2}),
        ("return [[j for j in range(i)] for i in range(3)]", "list[list[int]]", [[], [0], [0, 1]]),
        ("return [k for k, v in {'a': 1, 'b': 2}.items() if v > 1]", "list[str]", ["b"]),
        ("return [i + p for i, p in enumerate([5, 6])]", "list[int]", [5, 7]),
        ("return [a + b for a, b in zip([1, 2], [3, 4])]", "list[int]", [4, 6]),
        ("return [x for x in reversed([1, 2, 3])]", "list[int]", [3, 2, 1]),
        ("return sorted(['b', 'a'])", "list[str]", ["a", "b"]),
        ("return max(3, 1, 2) * 10 + min([3, 1, 2])", "int", 31),
        ("return sum([1, 2, 3]) + abs(-4) + len('abc')", "int", 13),
        ("return any([False, True]) and all([True, True])", "bool", True),
        ("return int('-42') + int('7')", "int", -35),
        ("return list('abc')", "list[str]", ["a", "b", "c"]),
        ("return 2 in (1, 2, 3) and 'b' in 'abc' and 1 not in [2]", "bool", True),
        ("return (1, 'a')", "tuple[int, str]", [1, "a"]),
        ("xs = [3, 1]\n    xs.append(2)\n    xs.sort()\n    return xs", "list[int]", [1, 2, 3]),
        ("xs = [1, 2, 3]\n    xs.insert(0, 9)\n    xs.remove(2)\n    del xs[0]\n"
         "    xs.extend([7])\n    xs.reverse()\n    return xs", "list[int]", [7, 3, 1]),
        ("xs = [1, 2]\n    a = xs.pop(0)\n    return a * 10 + xs.pop()", "int", 12),
        ("return [4, 5, 5].index(5) * 10 + [4, 5, 5].count(5)", "int", 12),
        ("d = {'a': 1}\n    d['b'] = 2\n    d['a'] += 5\n    del d['b']\n    return d",
         "dict[str, int]", {"a": 6}),
        ("d = {'a': 1}\n    x = d.get('z')\n    return d.get('a', 0) + d.pop('a') + len(d)"
         " + (5 if x is None else x)", "int", 7),
        ("d = {('a', b'b'): 1}\n    return d['a', b'b']", "int", 1),
        ("t = 0\n    for i in range(10, 0, -3):\n        if i == 4:\n            continue\n"
         "        t += i\n    return t", "int", 18),
        ("i = 0\n    while True:\n        i += 1\n        if i > 4:\n            break\n"
         "    return i", "int", 5),
        ("x: int | None = None\n    for i in range(3):\n        if i == 1:\n            x = i\n"
         "    if x is None:\n        return -1\n    return x", "int", 1),
        ("return None", "str | None", None),
        ("if 1 > 2:\n        return 1\n    elif 2 > 1:\n        return 2\n    else:\n"
         "        return 3", "int", 2),
    ],
)  # fmt: skip
def test_the_language_means_what_python_means(body: str, result: str, value: Value) -> None:
    assert answer(body, result) == value


def test_optional_narrows_with_and_or_not_and_fail() -> None:
    before = """
def first(a: int | None, b: int | None) -> int:
    if a is not None and a > 5:
        return a
    if a is None or a == 3:
        return 0
    if not (b is not None):
        fail("no b")
    return a + b
"""
    body = "return first(9, None) * 1000 + first(3, None) * 100 + first(1, 2)"
    assert answer(body, before=before) == 9003


RECORDS = """
@record
class Point:
    x: int
    y: int = 7
@record
class Line:
    start: Point
    end: Point
    name: str | None = None
"""


def test_records_are_values_with_defaults_keywords_and_replace() -> None:
    body = (
        "line = Line(end=Point(3, 4), start=Point(x=1))\n"
        "    moved = replace(line, name='l', end=replace(line.end, x=9))\n"
        "    require(line.end == Point(3, 4), 'changed')\n    return moved"
    )
    assert answer(body, "Line", before=RECORDS) == {
        "start": {"x": 1, "y": 7},
        "end": {"x": 9, "y": 4},
        "name": "l",
    }


def test_keyword_arguments_are_evaluated_in_the_order_written() -> None:
    source = f"""{HEAD}{RECORDS}
log = Var(str)
def note(t: str) -> int:
    log.set(log.get("") + t)
    return 1
@call
def go() -> str:
    p = Point(y=note("y"), x=note("x"))
    return log.get()
"""
    chain = Chain()
    chain.deploy("c", source)
    assert chain.must(ALICE, "c", "go") == "yx"


def test_assignments_evaluate_value_then_container_then_key() -> None:
    source = f"""{HEAD}
log = Var(str)
m = Map(str, int)
def note(t: str) -> str:
    log.set(log.get("") + t)
    return t
@call
def go() -> str:
    d = {{"k": 1}}
    d[note("k")] = len(note("v"))
    m[note("m")] = len(note("w"))
    d[note("k")] += len(note("z"))
    return log.get()
"""
    chain = Chain()
    chain.deploy("c", source)
    assert chain.must(ALICE, "c", "go") == "vkwmkz"


def test_stored_values_come_back_as_they_were() -> None:
    source = f"""{HEAD}{RECORDS}
lines = Map(str, Line)
table = Map((str, int), dict[str, list[int]])
maybe = Var(int)
@call
def put(line: Line, rows: dict[str, list[int]]) -> None:
    lines["a"] = line
    table["t", 2**100] = rows
    maybe.set(2**200)
@view
def get() -> tuple[Line, dict[str, list[int]], int, bool, int | None]:
    return (lines["a"], table["t", 2**100], maybe.get(), "b" in lines, None)
@call
def drop() -> bool:
    del lines["a"]
    maybe.clear()
    return "a" in lines or maybe.is_set()
"""
    chain = Chain()
    chain.deploy("c", source)
    line: Value = {"start": {"x": 1, "y": 2**90}, "end": {"x": 3, "y": 4}, "name": None}
    rows: Value = {"b": [1], "a": []}
    chain.must(ALICE, "c", "put", line, rows)
    expected = [line, rows, 2**200, False, None]
    assert chain.view(ALICE, "c", "get") == expected
    chain.machine.reset()  # and again from the stored bytes
    assert chain.view(ALICE, "c", "get") == expected
    assert chain.must(ALICE, "c", "drop") is False
    assert chain.call(ALICE, "c", "drop").error == "missing_key"


def test_context_tells_height_time_sender_and_transaction() -> None:
    source = f"""{HEAD}
@call
def facts() -> tuple[str, str, int, int, str, str, int]:
    size = len(ctx.tx_id)
    return (ctx.sender, ctx.origin, ctx.height, ctx.time_ms, ctx.contract, ctx.method, size)
"""
    chain = Chain(height=5, time_ms=100)
    chain.deploy("c", source)
    chain.advance(height=3, time_ms=50)
    assert chain.must(ALICE, "c", "facts") == [ALICE, ALICE, 9, 151, "c", "facts", 32]


def test_a_method_may_carry_the_name_of_a_builtin() -> None:
    source = f"{HEAD}@view\ndef list_() -> list[int]:\n    return list([1])\n"
    chain = Chain()
    chain.deploy("c", source)
    assert chain.view(ALICE, "c", "list") == [1]


def test_the_guide_examples_run() -> None:
    first, second, _ = re.findall(r"## Example \d.*?```python\n(.*?)```", GUIDE, re.DOTALL)
    chain = Chain()
    parties = f"""{HEAD}
@view
def has_role(address: str, role: str) -> bool:
    return False
@view
def party_of(address: str) -> str:
    return "p1"
"""
    grant = f"{HEAD}@call\ndef check(g: str, p: str, tags: list[str], a: str) -> None:\n    pass\n"
    for name, source, args in (
        ("parties", parties, []),
        ("grant", grant, []),
        ("token", first, [ALICE]),
        ("cases", second, []),
    ):
        receipt = chain.deploy(name, source, args)
        assert receipt.status == 0, receipt.detail
    assert chain.must(ALICE, "token", "issue", ALICE, 100) == 100
    chain.must(ALICE, "token", "transfer", BOB, 30)
    assert chain.view(BOB, "token", "balance", BOB) == 30
    with pytest.raises(CallFailed, match="not a manager"):
        chain.must(BOB, "token", "issue", BOB, 1)
    chain.must(ALICE, "cases", "open_case", "c1", "g1", ["x"])
    chain.must(ALICE, "cases", "sign", "c1")
    chain.must(ALICE, "cases", "close", "c1")
    shown = chain.view(ALICE, "cases", "show", "c1")
    assert isinstance(shown, dict) and shown["status"] == "closed"
    assert chain.view(ALICE, "cases", "list_page", "", 10) == [shown]
    with pytest.raises(ViewRefused, match="no such case"):
        chain.view(ALICE, "cases", "show", "c2")


def test_the_abi_tells_methods_events_records_and_storage() -> None:
    source = f"""{HEAD}{RECORDS}
lines = Map((str, int), Line)
@call
def put(line: Line) -> None:
    \"\"\"Stores a line.\"\"\"
    lines["a", 1] = line
    emit("Put", line=line, by=ctx.sender)
"""
    abi = json.loads(extract(source))
    assert abi["methods"] == [
        {
            "name": "put",
            "kind": "call",
            "parameters": [{"name": "line", "type": "Line"}],
            "returns": "None",
            "documentation": "Stores a line.",
        }
    ]
    assert abi["events"][0]["fields"][1] == {"name": "by", "type": "str"}
    assert abi["storage"] == [
        {"name": "lines", "kind": "Map", "keys": ["str", "int"], "value": "Line"}
    ]
    assert [item["name"] for item in abi["records"]] == ["Point", "Line"]


def test_a_refused_source_carries_all_its_findings() -> None:
    with pytest.raises(SourceRefused) as refused:
        compile_source("import os\nimport sys\n")
    assert [finding.line for finding in refused.value.findings] == [1, 2]
    assert "and 1 more" in str(refused.value)


def test_every_rule_has_a_reason_and_a_fix() -> None:
    for rule, (demand, fix) in RULES.items():
        assert re.fullmatch(r"[SNLTVRW]\d{3}", rule)
        assert demand and fix


@pytest.mark.parametrize(
    "code",
    [
        "def __f_x(a):\n    return a.real",
        "def __f_x(a):\n    a.real = 1",
        "def __f_x():\n    import os",
        "def __f_x():\n    raise ValueError",
        "def __f_x():\n    try:\n        pass\n    except ValueError:\n        pass",
        "def __f_x():\n    try:\n        __len(1)\n    finally:\n        __len(2)",
        "def __f_x():\n    with __len(1):\n        pass",
        "def __f_x():\n    return open('x')",
        "def __f_x():\n    return lambda: 1",
        "def __f_x(a):\n    return [a for i in a]",
        "def __f_x(a):\n    yield a",
        "async def __f_x(a):\n    return a",
        "def __f_x(*a):\n    return a",
        "def __f_x(a):\n    def g():\n        return a\n    return g",
        "def __f_x():\n    class C:\n        pass",
        "def __f_x():\n    return 1.5",
        "def __f_x():\n    return ...",
        "def __f_x():\n    global __len\n    __len = 1",
        "def __f_x(a):\n    return {*a}",
        "def __f_x(a):\n    return f'{a!r}'",
        "def __f_x(a):\n    match a:\n        case [1]:\n            return 2",
        "def other():\n    return 1",
    ],
)
def test_the_bytecode_verifier_refuses_what_the_compiler_never_emits(code: str) -> None:
    module = compile(code, "forged", "exec", dont_inherit=True, optimize=0)
    with pytest.raises(CodeRefused):
        verify(module, guards={"__len"})


def test_the_bytecode_verifier_accepts_guarded_code() -> None:
    code = (
        "def __f_x(a):\n    for i in a:\n        if i > 1 and __len(a) < 3:\n            return 1\n"
    )
    module = compile(code, "forged", "exec", dont_inherit=True, optimize=0)
    assert set(verify(module, guards={"__len"})) == {"__f_x"}


def test_sources_may_be_compiled_on_several_threads_at_once() -> None:
    """CPython 3.11 alone would raise SystemError: it counts the depth of a tree for all threads.

    Threads change in the middle of a tree where the garbage collector calls back into Python, as
    it does where hypothesis is loaded.
    """
    source = dict(system_sources())["governance"]

    def pause(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)

    gc.callbacks.append(pause)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: check_source(source), range(12)))
    finally:
        gc.callbacks.remove(pause)
    assert found == [[]] * 12
