"""Warnings: what each sees, what it leaves alone, and how a line may know better."""

from __future__ import annotations

import pytest

from contracts.bundle import system_sources
from contracts.vm.check import check_source
from contracts.vm.compile import check
from contracts.vm.rules import RULES
from contracts.vm.version import rules_hash

HEAD = """from contracts.dialect import Map, Var, call, ctx, emit, record, require, view
total = Var(int)
lists = Map(str, list[int])
@view
def sums(key: str) -> int:
    return sum(lists.get(key, [total.get(0)]))
@record
class Item:
    name: str
@call
def act(key: str, n: int) -> None:
    require(ctx.sender == key, "no")
    total.set(n)
    emit("Acted", key=key, item=Item(name=key))
"""

# name -> (rule, what is wrong, the same put right)
PAIRS: dict[str, tuple[str, str, str]] = {
    "storage": (
        "W001",
        "spare = Var(int)",
        "spare = Var(int)\n@view\ndef f() -> int:\n    return spare.get()",
    ),
    "helper": (
        "W002",
        "def f() -> int:\n    return 1",
        "def f() -> int:\n    return 1\n@view\ndef g() -> int:\n    return f()",
    ),
    "open_to_anybody": (
        "W003",
        "@call\ndef f(n: int) -> None:\n    total.set(n)",
        '@call\ndef f(n: int) -> None:\n    require(ctx.party == "p1", "no")\n    total.set(n)',
    ),
    "only_reads": (
        "W004",
        "@call\ndef f() -> int:\n    return total.get()",
        "@view\ndef f() -> int:\n    return total.get()",
    ),
    "unbounded_loop": (
        "W005",
        "@view\ndef f(xs: list[int]) -> int:\n    n = 0\n    for x in xs:\n        n += x\n"
        "    return n",
        "@view\ndef f(xs: list[int]) -> int:\n    require(len(xs) <= 9, 'many')\n    n = 0\n"
        "    for x in xs:\n        n += x\n    return n",
    ),
    "unbounded_comprehension": (
        "W005",
        "@view\ndef f(d: dict[str, int]) -> list[int]:\n    return [d[k] for k in sorted(d)]",
        "def bounded(d: dict[str, int]) -> None:\n    require(len(d) < 9, 'many')\n"
        "@view\ndef f(d: dict[str, int]) -> list[int]:\n    bounded(d)\n"
        "    return [d[k] for k in sorted(d)]",
    ),
    "event_without_an_id": (
        "W006",
        "@call\ndef f() -> None:\n    emit('Seen', item=Item(name=ctx.sender))",
        "@call\ndef f() -> None:\n    emit('Seen', who=ctx.sender, item=Item(name='x'))",
    ),
    "event_without_fields": (
        "W006",
        "@call\ndef f() -> None:\n    emit('Seen')",
        "@call\ndef f() -> None:\n    emit('Seen', height=ctx.height)",
    ),
    "lost_copy": (
        "W007",
        "@call\ndef f(key: str) -> None:\n    require(ctx.sender == key, 'no')\n"
        "    xs = lists[key]\n    xs.append(1)\n    emit('Added', key=key)",
        "@call\ndef f(key: str) -> None:\n    require(ctx.sender == key, 'no')\n"
        "    xs = lists[key]\n    xs.append(1)\n    lists[key] = xs\n    emit('Added', key=key)",
    ),
    "lost_item": (
        "W007",
        "@call\ndef f(key: str) -> None:\n    xs = lists.get(key, [])\n    xs[0] = 1\n"
        "    emit('Set', key=key)",
        "@call\ndef f(key: str) -> None:\n    xs = lists.get(key, [])\n    xs[0] = 1\n"
        "    emit('Set', key=key, now=xs)",
    ),
    "origin": (
        "W008",
        "@call\ndef f(key: str) -> None:\n    require(ctx.origin == key, 'no')\n"
        "    emit('Seen', who=ctx.sender)",
        "@call\ndef f(key: str) -> None:\n    require(ctx.sender == key, 'no')\n"
        "    emit('Seen', who=ctx.origin)",
    ),
    "constant": ("W010", "SPARE = 3", "SPARE = 3\n@view\ndef f() -> int:\n    return SPARE"),
    "record": (
        "W010",
        "@record\nclass Spare:\n    n: int",
        "@record\nclass Spare:\n    n: int\n@view\ndef f() -> Spare:\n    return Spare(n=1)",
    ),
    "import": (
        "W010",
        "from contracts.dialect import sm3",
        "from contracts.dialect import sm3\n@view\ndef f() -> bytes:\n    return sm3(b'')",
    ),
    "parameter": (
        "W010",
        "@view\ndef f(n: int) -> int:\n    return total.get()",
        "@view\ndef f(_n: int) -> int:\n    return total.get()",
    ),
}


def warnings(text: str) -> list[str]:
    found = check_source(f"{HEAD}{text}\n")
    assert all(finding.severity == "warning" for finding in found), found
    return [finding.rule for finding in found]


def test_a_clean_contract_has_none() -> None:
    assert warnings("") == []


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_wrong_is_seen_and_what_is_right_is_not(name: str) -> None:
    rule, wrong, right = PAIRS[name]
    assert (warnings(wrong), warnings(right)) == ([rule], [])


def test_a_number_of_the_state_that_is_changed_is_no_copy() -> None:
    """Only of lists and dicts could one think that changing them changes the state."""
    text = "@view\ndef f() -> int:\n    n = total.get(0)\n    n += 1\n    return n"
    assert warnings(text) == []


def test_every_warning_has_such_a_pair() -> None:
    rules = {rule for rule in RULES if rule.startswith("W")} - {"W099"}
    assert rules == {rule for rule, _, _ in PAIRS.values()}


def test_a_line_may_know_better_and_says_why() -> None:
    assert warnings("spare = Var(int)  # shuxin: allow W001 for the next version") == []
    assert warnings("spare = Var(int)  # shuxin: allow W001") == ["W099"]
    assert warnings("spare = Var(int)  # shuxin: allow W002 not that one") == ["W001", "W099"]
    assert warnings("# shuxin: allow W001 nothing here") == ["W099"]


def test_no_line_allows_an_error() -> None:
    found = check_source(f"{HEAD}x = 1.5  # shuxin: allow L008 a float\n")
    assert [finding.rule for finding in found] == ["L008"]


def test_the_contracts_of_the_standard_have_none() -> None:
    for name, source in system_sources():
        assert check_source(source) == [], name


def test_warnings_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rules_hash(2)
    monkeypatch.delitem(RULES, "W010")
    assert rules_hash(2) == before
    monkeypatch.delitem(RULES, "T001")
    assert rules_hash(2) != before
    styled, plain = (check(HEAD, with_style=flag)[1] for flag in (True, False))
    assert styled is not None and plain is not None
    assert styled.functions == plain.functions
