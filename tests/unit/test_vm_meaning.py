"""What rarer forms mean when they run: optional values, tuples, bytes, keys, nested loops."""

from __future__ import annotations

import pytest

from contracts.vm import limits
from contracts.vm.check import check_source
from contracts.vm.codes import ViewRefused
from contracts.vm.testing import Chain, account
from ledger.values import Value

ALICE = account("alice")
HEAD = """
from contracts.dialect import Map, Var, call, migrate, record, view
@record
class Item:
    name: str
    count: int
pairs = Map((str, int), int)
perhaps = Map(str, int | None)
texts = Map(str, str)
HALF = 7 // 2
EIGHT = 1 << 3
last = Var(tuple[str])
"""


def asked(body: str, result: str, *arguments: Value, parameters: str = "") -> Value:
    """What a view with this body answers."""
    chain = Chain()
    receipt = chain.deploy("c", f"{HEAD}\n@view\ndef ask({parameters}) -> {result}:\n    {body}\n")
    assert receipt.status == 0, receipt.detail
    return chain.view(ALICE, "c", "ask", *arguments)


@pytest.mark.parametrize(
    ("body", "result", "value"),
    [
        ("return None if 1 > 2 else 1", "int | None", 1),
        ("return 1 if 1 > 2 else None", "int | None", None),
        ("x = [None, 1]\n    return x", "list[int | None]", [None, 1]),
        ("x = [1, None]\n    return x", "list[int | None]", [1, None]),
        ("return perhaps.get('a') == 1", "bool", False),
        ("return perhaps.get('a') == perhaps.get('b')", "bool", True),
        ("return +5 - -5", "int", 10),
        ("return HALF * 1000 + EIGHT", "int", 3008),
        ("return texts.get('a') == texts.get('b')", "bool", True),
        ("return texts.get('a') == 'x'", "bool", False),
        ("return [x for x in b'ab']", "list[int]", [97, 98]),
        ("total = 0\n    for x in b'ab':\n        total += x\n    return total", "int", 195),
        ("return list((1, 2))", "list[int]", [1, 2]),
        ("return sorted([(2, 'a'), (1, 'b')])", "list[tuple[int, str]]", [[1, "b"], [2, "a"]]),
        ("return [1] in [[2], [1]]", "bool", True),
        ("return [3] in [[2], [1]]", "bool", False),
        ("return (1, 'a') in [(1, 'a')]", "bool", True),
        ("d = {True: 1, False: 2}\n    return d[1 > 2]", "int", 2),
        ("d = {(True, 'a'): 1}\n    return d[True, 'a']", "int", 1),
        ("d = {'b': 1, 'a': 2}\n    return d.keys()", "list[str]", ["b", "a"]),
        ("d = {'b': 1, 'a': 2}\n    return d.values()", "list[int]", [1, 2]),
        ("d = {'b': 1, 'a': 2}\n    del d['b']\n    return d.keys()", "list[str]", ["a"]),
        ("d = {'a': 2}\n    d['a'] += 3\n    return d['a']", "int", 5),
        ("d = {'a': 2}\n    return 'a' in d", "bool", True),
        ("d = {'a': 2}\n    return 'b' not in d", "bool", True),
        ("xs = [1, 2]\n    xs[1] += 3\n    return xs", "list[int]", [1, 5]),
        ("x = 1\n    x *= 6\n    x //= 4\n    return x", "int", 1),
        ("return 13 >> 2", "int", 3),
        ("return [2**70, -(2**70)]", "list[int]", [2**70, -(2**70)]),
        (
            "pair = (1, 'a')\n    wide: tuple[int | None, str] = pair\n    return wide",
            "tuple[int | None, str]",
            [1, "a"],
        ),
        (
            "return [{'a': Item(name='x', count=1)}]",
            "list[dict[str, Item]]",
            [{"a": {"name": "x", "count": 1}}],
        ),
        ("return 'abc'.startswith('ab')", "bool", True),
        ("return ({'a': 1}, 2)", "tuple[dict[str, int], int]", [{"a": 1}, 2]),
        ("return 'abc'.endswith('bc')", "bool", True),
        ("return b'abc'.endswith(b'ab')", "bool", False),
        ("xss = [[1], [2]]\n    xss[1][0] = 5\n    return xss", "list[list[int]]", [[1], [5]]),
    ],
)
def test_a_form_means_what_it_means_in_python(body: str, result: str, value: Value) -> None:
    assert asked(body, result) == value


def test_a_key_of_parts_may_be_a_tuple_with_a_name() -> None:
    chain = Chain()
    source = f"""{HEAD}
@call
def put(key: str, n: int) -> int:
    place = (key, n)
    pairs[place] = n + 1
    pairs[place] += 1
    return pairs[key, n]
@view
def has(key: str, n: int) -> bool:
    place = (key, n)
    return place in pairs
"""
    assert chain.deploy("c", source).status == 0
    assert chain.must(ALICE, "c", "put", "k", 5) == 7
    assert chain.view(ALICE, "c", "has", "k", 5) is True
    assert chain.view(ALICE, "c", "has", "k", 6) is False


@pytest.mark.parametrize(
    "body", ["del d['a']", "d['a'] += 1", "n = d['a']", "n = d.pop('a')"], ids=repr
)
def test_what_a_dict_does_not_hold_is_missing(body: str) -> None:
    with pytest.raises(ViewRefused, match="missing_key: the dict holds no such key"):
        asked(f"d = {{'b': 1}}\n    {body}\n    return 1", "int")


def test_a_loop_inside_a_branch_inside_a_loop_is_counted_turn_by_turn() -> None:
    """Its turns cost unlike amounts, so none is paid ahead: the gas is that of what ran."""
    body = """total = 0
    for i in range(times):
        if i > 90:
            for j in range(3):
                total += j
        else:
            total += 1
    return total"""
    assert asked(body, "int", 100, parameters="times: int") == 91 + 9 * 3
    swapped = body.replace("i > 90", "i <= 90").replace("total += 1", "total += 2")
    assert asked(swapped, "int", 100, parameters="times: int") == 91 * 3 + 9 * 2


@pytest.mark.parametrize("parts", [2, 3])
def test_a_text_beyond_its_bound_is_not_put_together(parts: int) -> None:
    chain = Chain()
    names = "{text}" * parts
    source = f'{HEAD}\n@view\ndef ask(text: str) -> str:\n    return f"{names}"\n'
    assert chain.deploy("c", source).status == 0
    fits = "x" * (limits.TEXT_SIZE_MAX // parts)
    assert chain.view(ALICE, "c", "ask", fits) == fits * parts
    with pytest.raises(ViewRefused, match="value_limit: a text is too long"):
        chain.view(ALICE, "c", "ask", "x" * limits.TEXT_SIZE_MAX)


def test_an_unused_number_of_migrate_is_no_matter_of_style() -> None:
    """It has to be declared; the same in another method is worth a word."""
    unused = "\n@migrate\ndef moved(sequence: int) -> None:\n    last.set(('x',))\n"
    other = "\n@call\ndef put(number: int) -> None:\n    last.set(('x',))\n"
    reasons = [one.reason for one in check_source(HEAD + unused + other)]
    assert any("`number`" in reason for reason in reasons)
    assert not any("`sequence`" in reason for reason in reasons)
