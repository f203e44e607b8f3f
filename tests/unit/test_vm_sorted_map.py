"""SortedMap: pages in the order of keys, within a block and across blocks; what check refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.vm import limits, prices
from contracts.vm.abi import extract
from contracts.vm.check import check_source
from contracts.vm.codes import Code, ViewRefused
from contracts.vm.testing import Chain, account
from ledger.values import Value, decode_value

ALICE = account("alice")
HEAD = """
from contracts.dialect import SortedMap, call, init, record, require, view

@record
class Order:
    buyer: str
    amount: int
    notes: list[str]

ages = SortedMap(str, int)
orders = SortedMap((str, int), Order)
cells = SortedMap((int, bool, bytes), str)
"""
SOURCE = (
    HEAD
    + """
@call
def put(name: str, age: int) -> None:
    ages[name] = age

@call
def drop(name: str) -> None:
    del ages[name]

@call
def fail(name: str) -> None:
    ages[name] = 1
    require(len(ages.keys(1)) == 2, "on purpose")

@call
def names(limit: int) -> list[str]:
    return ages.keys(limit)

@call
def move(old: str, new: str) -> list[tuple[str, int]]:
    ages[new] = ages[old]
    del ages[old]
    return ages.items(10)

@call
def order(shop: str, number: int, amount: int) -> None:
    orders[shop, number] = Order(buyer=shop, amount=amount, notes=["new"])

@call
def mark(shop: str) -> list[tuple[tuple[str, int], Order]]:
    for key, found in orders.items(10, within=shop):
        shop_name, number = key
        found.notes.append("seen")
        orders[shop_name, number] = found
    return orders.items(10, within=shop)

@view
def page(limit: int) -> list[str]:
    return ages.keys(limit)

@view
def pairs() -> list[tuple[str, int]]:
    return ages.items(100)

@view
def after(name: str, limit: int, down: bool) -> list[str]:
    return ages.keys(limit, after=name, reverse=down)

@view
def start(name: str, limit: int, down: bool) -> list[str]:
    return ages.keys(limit, reverse=down, start=name)

@view
def between(low: str, high: str, down: bool) -> list[str]:
    return ages.keys(100, start=low, end=high, reverse=down)

@view
def of(shop: str) -> list[tuple[tuple[str, int], Order]]:
    return orders.items(100, within=shop)

@view
def older(shop: str, number: int) -> list[tuple[str, int]]:
    return orders.keys(100, within=shop, after=(shop, number), reverse=True)

@call
def cell(x: int, y: bool, z: bytes) -> None:
    cells[x, y, z] = "here"

@view
def row(x: int, y: bool) -> list[tuple[int, bool, bytes]]:
    return cells.keys(100, within=(x, y))
"""
)


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    assert chain.deploy("shop", SOURCE).status == 0
    return chain


def ask(chain: Chain, method: str, *args: Value) -> Any:
    return chain.view(ALICE, "shop", method, *args)


def fill(chain: Chain, names: str) -> None:
    for age, name in enumerate(names):
        chain.must(ALICE, "shop", "put", name, age)


def test_keys_come_in_their_order_whatever_the_order_of_writing(chain: Chain) -> None:
    fill(chain, "dacbe")
    assert ask(chain, "page", 100) == list("abcde")
    assert ask(chain, "page", 2) == ["a", "b"]
    assert ask(chain, "pairs") == [["a", 1], ["b", 3], ["c", 2], ["d", 0], ["e", 4]]


def test_order_is_by_code_points_not_by_length(chain: Chain) -> None:
    names = ["b", "aa", "", "Z", "\u4e2d", "a", "\U0001f600", "a\0"]
    for name in names:
        chain.must(ALICE, "shop", "put", name, 1)
    assert ask(chain, "page", 100) == sorted(names)


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("after", ("b", 2, False), "cd"),
        ("after", ("bb", 2, False), "cd"),
        ("after", ("e", 2, False), ""),
        ("after", ("d", 2, True), "cb"),
        ("after", ("dd", 2, True), "dc"),
        ("after", ("a", 2, True), ""),
        ("start", ("b", 2, False), "bc"),
        ("start", ("bb", 9, False), "cde"),
        ("start", ("d", 2, True), "dc"),
        ("start", ("cc", 9, True), "cba"),
        ("start", ("", 9, True), ""),
        ("between", ("b", "d", False), "bc"),
        ("between", ("d", "b", False), ""),
        ("between", ("b", "b", False), ""),
        ("between", ("d", "b", True), "dc"),
        ("between", ("b", "d", True), ""),
    ],
)
def test_bounds(chain: Chain, method: str, arguments: tuple[Value, ...], expected: str) -> None:
    fill(chain, "abcde")
    assert ask(chain, method, *arguments) == list(expected)


def test_pages_follow_one_another(chain: Chain) -> None:
    names = [f"{number:03}" for number in range(23)]
    for name in names:
        chain.must(ALICE, "shop", "put", name, 1)
    for down in (False, True):
        found: list[str] = []
        page = ask(chain, "start", "999" if down else "", 5, down)
        while page:
            found += page
            page = ask(chain, "after", page[-1], 5, down)
        assert found == (names[::-1] if down else names)


def test_within_fixes_the_first_parts(chain: Chain) -> None:
    for shop, number in [("a", 2), ("b", -1), ("b", 300), ("b", 2), ("ba", 0), ("c", 1)]:
        chain.must(ALICE, "shop", "order", shop, number, 7)
    assert [key for key, _ in ask(chain, "of", "b")] == [["b", -1], ["b", 2], ["b", 300]]
    assert ask(chain, "of", "b")[0][1] == {"buyer": "b", "amount": 7, "notes": ["new"]}
    assert ask(chain, "of", "") == []
    assert ask(chain, "older", "b", 300) == [["b", 2], ["b", -1]]
    assert ask(chain, "older", "b", -5) == []
    for key in [(1, True, b"\xff"), (1, True, b""), (1, False, b"a"), (2, True, b"a")]:
        chain.must(ALICE, "shop", "cell", *key)
    assert ask(chain, "row", 1, True) == [[1, True, b""], [1, True, b"\xff"]]


def test_a_block_sees_what_it_wrote_itself(chain: Chain) -> None:
    fill(chain, "bdf")
    done = chain.block(
        [
            (ALICE, "shop", "put", ("c", 9)),
            (ALICE, "shop", "drop", ("b",)),
            (ALICE, "shop", "put", ("d", 8)),
            (ALICE, "shop", "names", (2,)),
            (ALICE, "shop", "move", ("f", "a")),
        ]
    )
    assert [receipt.status for receipt in done] == [0] * 5
    assert decode_value(done[3].return_value) == ["c", "d"]
    assert decode_value(done[4].return_value) == [["a", 2], ["c", 9], ["d", 8]]
    assert ask(chain, "pairs") == [["a", 2], ["c", 9], ["d", 8]]


def test_what_was_taken_back_was_never_there(chain: Chain) -> None:
    fill(chain, "b")
    done = chain.block(
        [(ALICE, "shop", "fail", ("a",)), (ALICE, "shop", "names", (9,))], gas_limit=1_000_000
    )
    assert done[0].status == Code.refused
    assert decode_value(done[1].return_value) == ["b"]


def test_changing_what_is_walked_over_changes_the_next_page(chain: Chain) -> None:
    for number in (1, 2):
        chain.must(ALICE, "shop", "order", "a", number, 7)
    marked: Any = chain.must(ALICE, "shop", "mark", "a")
    assert [order["notes"] for _, order in marked] == [["new", "seen"]] * 2


# --- bounds and gas ----------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, -1, limits.PAGE_LENGTH_MAX + 1, 2**255])
def test_a_page_has_bounds(chain: Chain, limit: int) -> None:
    with pytest.raises(ViewRefused, match="1 to 1000 entries"):
        ask(chain, "page", limit)


def test_the_longest_page(chain: Chain) -> None:
    assert ask(chain, "page", limits.PAGE_LENGTH_MAX) == []


def test_a_bound_that_is_no_key_is_refused(chain: Chain) -> None:
    long = "x" * limits.STORED_KEY_SIZE_MAX
    for method, arguments in [("after", (long, 1, False)), ("of", (long,)), ("of", (long * 2,))]:
        with pytest.raises(ViewRefused, match="storage key is too long"):
            ask(chain, method, *arguments)


def gas_of(chain: Chain, method: str, *args: Value) -> int:
    receipt = chain.call(ALICE, "shop", method, *args)
    assert receipt.status == 0
    return receipt.gas_used


def test_every_entry_costs_and_the_cache_does_not_matter(chain: Chain) -> None:
    fill(chain, "abcd")
    one, two, all_four = (gas_of(chain, "names", limit) for limit in (1, 2, 4))
    entry = two - one
    assert entry > prices.GAS_SCAN_ITEM
    assert all_four - two == 2 * entry
    chain.machine.reset()
    assert gas_of(chain, "names", 4) == all_four
    assert gas_of(chain, "names", 9) == all_four  # what is not there costs nothing


def test_passing_over_what_the_block_removed_costs(chain: Chain) -> None:
    fill(chain, "abcd")
    plain = gas_of(chain, "names", 1)
    drops = [(ALICE, "shop", "drop", (name,)) for name in "abc"]
    done = chain.block([*drops, (ALICE, "shop", "names", (1,))])
    assert decode_value(done[-1].return_value) == ["d"]
    assert done[-1].gas_used >= plain + 3 * prices.GAS_SCAN_ITEM
    assert gas_of(chain, "names", 1) == plain  # in the next block they are gone


def test_running_out_of_gas_on_the_way(chain: Chain) -> None:
    fill(chain, "abcdefghij")
    enough = gas_of(chain, "names", 10)
    receipt = chain.call(ALICE, "shop", "names", 10, gas_limit=enough - 1)
    assert receipt.status == Code.out_of_gas
    assert chain.call(ALICE, "shop", "names", 10, gas_limit=enough).status == 0


# --- what check says ---------------------------------------------------------------------------


def findings(body: str, *, language: int = 2) -> list[tuple[str, str]]:
    source = (
        HEAD + "\n@view\ndef look(limit: int) -> int:\n" + f"    found = {body}\n    return 1\n"
    )
    return [(finding.rule, finding.reason) for finding in check_source(source, language)]


WRONG = [
    ("ages.keys()", "T001", "keys takes a limit, everything else by name"),
    ("ages.keys(1, 'a')", "T001", "keys takes a limit, everything else by name"),
    ("ages.items(1, 2, 3)", "T001", "items takes a limit, everything else by name"),
    ("ages.keys('a')", "T001", ""),
    ("ages.keys(1, start=1)", "T001", ""),
    ("ages.keys(1, start='a', after='a')", "T001", "`start` or `after` a key, not both"),
    ("ages.keys(1, reverse=1)", "T001", ""),
    ("ages.keys(1, prefix='a')", "L006", "within, start, after, end and reverse"),
    ("ages.keys(1, within='a')", "T001", "fewer parts than the key's 1"),
    ("orders.keys(1, within=1)", "T001", ""),
    ("orders.keys(1, within=('a', 1))", "T001", "fewer parts than the key's 2"),
    ("cells.keys(1, within=(1, 1))", "T001", ""),
    ("cells.keys(1, within=())", "T002", "no empty tuples"),
    ("orders.keys(1, start='a')", "T001", ""),
    ("orders.keys(1, start=('a', 1, 1))", "T001", ""),
    ("ages.values(1)", "L005", "keys(limit) and items(limit)"),
    ("ages.get()", "L005", "keys(limit) and items(limit)"),
]


@pytest.mark.parametrize(("body", "rule", "reason"), WRONG, ids=[body for body, _, _ in WRONG])
def test_wrong_uses_are_refused(body: str, rule: str, reason: str) -> None:
    found = findings(body)
    assert any(found_rule == rule and reason in text for found_rule, text in found), found


def test_the_abi_says_what_is_walked() -> None:
    source = (
        "from contracts.dialect import Map, SortedMap, Var, call\n"
        "total = Var(int)\nnames = Map(str, int)\nages = SortedMap((str, int), bool)\n"
        "@call\ndef act() -> None:\n    pass\n"
    )
    kinds = [(one["name"], one["kind"]) for one in json.loads(extract(source))["storage"]]
    assert kinds == [("total", "Var"), ("names", "Map"), ("ages", "SortedMap")]


def test_a_map_is_not_walked() -> None:
    source = (
        "from contracts.dialect import Map, view\nages = Map(str, int)\n"
        "@view\ndef look() -> list[str]:\n    return ages.keys(1)\n"
    )
    (finding,) = check_source(source)
    assert (finding.rule, finding.reason) == (
        "L005",
        "a Map has get(key) and get(key, default); a SortedMap has keys and items as well",
    )


def test_language_1_has_no_sorted_map() -> None:
    assert ("N006", "SortedMap: from language 2 on; this chain's is 1") in findings(
        "ages.keys(1)", language=1
    )


@pytest.mark.parametrize(
    "declared", ["SortedMap(str)", "SortedMap((), int)", "SortedMap(list[str], int)"]
)
def test_declarations_that_are_refused(declared: str) -> None:
    source = f"from contracts.dialect import SortedMap, view\nages = {declared}\n"
    assert check_source(source)


def test_the_contract_of_these_tests_has_no_errors() -> None:
    assert not [f for f in check_source(SOURCE) if not f.rule.startswith("W")]
