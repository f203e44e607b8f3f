"""Attacks in accepted syntax: values that grow, collide, alias, recur or confuse.

Each runs in the real executor and must end with the stated code, within a bounded time, and
leave no write behind unless it succeeds.
"""

from __future__ import annotations

import time

import pytest

from contracts.vm.codes import Code
from contracts.vm.testing import Chain, account
from ledger.values import Value

HEAD = """
from contracts.dialect import (
    Map, SortedMap, Var, call, ctx, emit, fail, from_hex, int_from_bytes, int_to_bytes, is_name,
    record, replace, require, sm3, to_hex, view
)
@record
class Item:
    name: str
    tags: list[str]
store = Map(str, int)
texts = Map(str, str)
lists = Map(str, list[int])
deep = Map(str, list[list[list[list[list[int]]]]])
items = Map(str, Item)
wide = Map((str, str, bytes), int)
by_number = Map(int, int)
sorted_texts = SortedMap((str, bytes), str)
"""
ATTACKER = account("attacker")
SECONDS_MAX = 5  # for 20 million units of gas on a busy machine
GAS = 20_000_000

GROW = "s = 'abcdefgh'\n    while len(s) < 30000:\n        s = s + s\n"

# name -> (code, body)
ATTACKS = {
    # --- pages of a SortedMap ---
    "pages_without_end": (
        "out_of_gas",
        "while True:\n        p = sorted_texts.keys(1000)",
    ),
    "page_of_everything": ("value_limit", "p = sorted_texts.keys(2**255)"),
    "page_of_less_than_nothing": ("value_limit", "p = sorted_texts.items(-1)"),
    "page_that_is_removed_and_walked_again": (
        "out_of_gas",
        "for i in range(1000):\n        sorted_texts['a', int_to_bytes(i, 4)] = ''\n"
        "    for key, text in sorted_texts.items(1000):\n        name, tail = key\n"
        "        del sorted_texts[name, tail]\n"
        "    while True:\n        require(sorted_texts.keys(1) == [], 'x')",
    ),
    "page_with_values_larger_than_gas": (
        "out_of_gas",
        "for i in range(20):\n        sorted_texts['a', int_to_bytes(i, 4)] = 'x'.join("
        "[str(i) for i in range(9000)])\n"
        "    while True:\n        p = sorted_texts.items(1000)",
    ),
    "bounds_that_end_like_a_key": (
        "ok",
        "sorted_texts['a', b'\\xff'] = 'x'\n    sorted_texts['a\\x00', b''] = 'y'\n"
        "    require(sorted_texts.keys(9, within='a') == [('a', b'\\xff')], 'a')\n"
        "    require(len(sorted_texts.keys(9, after=('a', b'\\xff'))) == 1, 'b')\n"
        "    require(sorted_texts.keys(9, end=('a', b'')) == [], 'c')",
    ),
    "bound_longer_than_any_key": (
        "value_limit",
        "s = 'abcdefgh'\n    while len(s) < 600:\n        s = s + s\n"
        "    p = sorted_texts.keys(1, within=s)",
    ),
    "zeros_that_double_a_key": (
        "value_limit",
        "b = int_to_bytes(0, 32)\n    while len(b) < 512:\n        b = b + b\n"
        "    sorted_texts['', b] = 'x'",
    ),
    # --- time ---
    "infinite_loop": ("out_of_gas", "while True:\n        pass"),
    "infinite_loop_with_continue": ("out_of_gas", "while True:\n        continue"),
    "loop_over_a_huge_range": ("out_of_gas", "for i in range(2**250):\n        pass"),
    "loop_that_feeds_its_own_list": (
        "value_limit",
        "xs = [1]\n    for x in xs:\n        xs.append(x)",
    ),
    "loop_over_a_dict_that_grows_sees_the_old_keys": (
        "ok",
        "d = {1: 1}\n    for k in d:\n        d[k + 1] = 1\n    require(len(d) == 2, 'x')",
    ),
    "loop_over_a_dict_that_shrinks": (
        "ok",
        "d = {1: 1, 2: 2}\n    for k in d:\n        del d[k]\n    require(len(d) == 0, 'x')",
    ),
    "nested_loops": (
        "out_of_gas",
        "t = 0\n    for i in range(10000):\n        for j in range(10000):\n            t += 1",
    ),
    "nested_comprehensions": (
        "out_of_gas",
        "xs = [[i * j for j in range(16000)] for i in range(16000)]",
    ),
    "comprehension_that_keeps_nothing": (
        "out_of_gas",
        "xs = [i for i in range(2**200) if i < 0]",
    ),
    "three_loops_in_a_comprehension": (
        "out_of_gas",
        "xs = [1 for a in range(9999) for b in range(9999) for c in range(9999) if a < 0]",
    ),
    "search_in_long_texts": ("out_of_gas", GROW + "    while 'zq' + s not in s:\n        pass"),
    "find_in_long_texts": ("out_of_gas", GROW + "    while s.find('hgf') < 0:\n        pass"),
    "compare_long_texts": (
        "out_of_gas",
        GROW + "    t = s + 'a'\n    u = s + 'b'\n    while t != u:\n        pass",
    ),
    "compare_lists_of_long_texts": (
        "out_of_gas",
        GROW + "    a = [s + '1' for i in range(100)]\n    b = [s + '1' for i in range(100)]\n"
        "    b.append('')\n    while a != b:\n        pass",
    ),
    "search_a_list_of_long_texts": (
        "out_of_gas",
        GROW + "    a = [s + '1' for i in range(100)]\n    while s + '2' not in a:\n        pass",
    ),
    "count_in_a_list_of_long_texts": (
        "out_of_gas",
        GROW + "    a = [s + '1' for i in range(100)]\n    t = s + '2'\n"
        "    while a.count(t) == 0:\n        pass",
    ),
    "sort_long_texts": (
        "out_of_gas",
        GROW + "    a = [s + str(i % 7) for i in range(100)]\n    while True:\n        a.sort()",
    ),
    "least_of_long_texts": (
        "out_of_gas",
        GROW
        + "    a = [s + str(i % 7) for i in range(100)]\n    while min(a) != '':\n        pass",
    ),
    "dict_keys_of_long_texts": (
        "out_of_gas",
        GROW + "    d: dict[str, int] = {}\n    for i in range(10000):\n        d[s + str(i)] = i",
    ),
    "hash_long_data_for_ever": (
        "out_of_gas",
        GROW + "    b = s.encode()\n    while len(sm3(b)) == 32:\n        pass",
    ),
    "comparison_of_a_graph_of_lists": (
        "out_of_gas",
        "a = [1 for i in range(16000)]\n    b = [a for i in range(16000)]\n"
        "    c = [1 for i in range(16000)]\n    d = [c for i in range(16000)]\n"
        "    require(b == d, 'x')",
    ),
    "comparison_of_a_deep_graph": (
        "out_of_gas",
        "a0 = [1 for i in range(20)]\n    a1 = [a0 for i in range(20)]\n"
        "    a2 = [a1 for i in range(20)]\n    a3 = [a2 for i in range(20)]\n"
        "    a4 = [a3 for i in range(20)]\n    a5 = [a4 for i in range(20)]\n"
        "    b0 = [1 for i in range(20)]\n    b1 = [b0 for i in range(20)]\n"
        "    b2 = [b1 for i in range(20)]\n    b3 = [b2 for i in range(20)]\n"
        "    b4 = [b3 for i in range(20)]\n    b5 = [b4 for i in range(20)]\n"
        "    require(a5 == b5, 'x')",
    ),
    "storing_a_graph_of_lists": (
        "value_limit",
        "a0 = [1 for i in range(100)]\n    a1 = [a0 for i in range(100)]\n"
        "    a2 = [a1 for i in range(100)]\n    a3 = [a2 for i in range(100)]\n"
        "    deep['x'] = [a3 for i in range(100)]",
    ),
    "emitting_a_graph_of_lists": (
        "value_limit",
        "a0 = [1 for i in range(100)]\n    a1 = [a0 for i in range(100)]\n"
        "    a2 = [a1 for i in range(100)]\n    emit('E', a=[a2 for i in range(100)])",
    ),
    # --- integers ---
    "power_bomb": ("arithmetic", "x = 10 ** (10 ** 9)"),
    "power_tower": ("arithmetic", "x = 9 ** 9 ** 9 ** 9"),
    "power_of_a_large_base": ("arithmetic", "x = (2**255) ** 2"),
    "negative_power": ("arithmetic", "x = 2 ** (0 - 1)"),
    "power_zero_of_zero": ("ok", "require(0 ** 0 == 1, 'x')"),
    "huge_power_of_one": ("ok", "require(1 ** (2**200) == 1, 'x')"),
    "huge_power_of_minus_one": (
        "ok",
        "require((0 - 1) ** (2**200) == 1 and (0 - 1) ** (2**200 + 1) == 0 - 1, 'x')",
    ),
    "huge_power_of_zero": ("ok", "require(0 ** (2**200) == 0, 'x')"),
    "shift_bomb": ("arithmetic", "x = 1 << 10**12"),
    "negative_shift": ("arithmetic", "x = 1 << (0 - 1)"),
    "right_shift_bomb": ("arithmetic", "x = 1 >> 10**12"),
    "doubling_for_ever": ("arithmetic", "x = 2\n    while True:\n        x = x * x"),
    "addition_beyond_the_bound": ("arithmetic", "x = 2**256\n    x += 1"),
    "subtraction_beyond_the_bound": ("arithmetic", "x = 0 - 2**256\n    x -= 1"),
    "the_bound_itself_is_fine": ("ok", "x = 2**255 + 2**255\n    require(x == 2**256, 'x')"),
    "product_in_one_expression": ("arithmetic", "a = 2**200\n    x = a * a * a * a * a * a * a"),
    "product_hidden_in_a_quotient": (
        "ok",
        "a = 2**200\n    require(a * a // a == a, 'x')",
    ),
    "complement_at_the_bound": ("arithmetic", "x = 2**256\n    y = ~x"),
    "sum_beyond_the_bound": ("arithmetic", "x = sum([2**256, 1])"),
    "int_in_a_list_is_checked": ("arithmetic", "a = 2**256\n    xs = [a + 1]"),
    "int_in_an_event_is_checked": ("arithmetic", "a = 2**256\n    emit('E', a=a + 1)"),
    "division_by_zero": ("arithmetic", "x = 1 // (ctx.height - ctx.height)"),
    "remainder_by_zero": ("arithmetic", "x = 1 % (ctx.height - ctx.height)"),
    "digits_bomb": ("bad_value", "x = int('9' + '9'.join(['9' for i in range(2000)]))"),
    "digits_beyond_the_bound": ("arithmetic", "x = int('" + "9" * 78 + "')"),
    "digits_with_underscores": ("bad_value", "x = int('1_0')"),
    "digits_of_another_script": ("bad_value", "x = int('\\u0663')"),
    "digits_with_spaces": ("bad_value", "x = int(' 1')"),
    "no_digits": ("bad_value", "x = int('-')"),
    # --- texts ---
    "text_doubling": ("value_limit", "s = 'a'\n    while True:\n        s = s + s"),
    "bytes_doubling": ("value_limit", "s = b'a'\n    while True:\n        s = s + s"),
    "f_string_doubling": ("value_limit", "s = 'a'\n    while True:\n        s = f'{s}{s}'"),
    "wide_text_counts_four_times": (
        "value_limit",
        "s = '\\U0001f600'\n    while len(s) < 17000:\n        s = s + s",
    ),
    "join_bomb": (
        "value_limit",
        GROW + "    t = s.join([s for i in range(16000)])",
    ),
    "replace_bomb": ("value_limit", GROW + "    t = s.replace('a', s)"),
    "replace_of_nothing": ("bad_value", "t = 'abc'.replace('', 'x')"),
    "split_by_nothing": ("bad_value", "t = 'abc'.split('')"),
    "split_into_too_many": (
        "value_limit",
        GROW + "    t = s.replace('a', ',,').split(',')\n"
        "    u = s.replace('b', ',,,,').split('c')\n"
        "    v = (',' + s[0:1]).join(u)\n    w = ','.join(list(s)[0:16000])"
        "\n    x = w.replace('a', ',,').split(',')",
    ),
    "hex_of_odd_digits": ("bad_value", "x = from_hex('abc')"),
    "hex_in_capitals": ("bad_value", "x = from_hex('AB')"),
    "hex_with_spaces": ("bad_value", "x = from_hex('ab cd')"),
    "broken_utf8": ("bad_value", "x = b'\\xff'.decode()"),
    "overlong_utf8": ("bad_value", "x = b'\\xc0\\xaf'.decode()"),
    "utf8_of_half_a_character": ("bad_value", "x = b'\\xed\\xa0\\x80'.decode()"),
    "int_bytes_too_long": ("bad_value", GROW + "    x = int_from_bytes(s.encode())"),
    "int_bytes_of_huge_size": ("bad_value", "x = int_to_bytes(1, 10**9)"),
    "int_bytes_of_a_negative": ("bad_value", "x = int_to_bytes(0 - 1, 32)"),
    # --- lists and dicts ---
    "list_growth": ("value_limit", "xs = [1]\n    while True:\n        xs.append(1)"),
    "list_doubling": ("value_limit", "xs = [1]\n    while True:\n        xs.extend(xs)"),
    "list_sum_doubling": ("value_limit", "xs = [1]\n    while True:\n        xs = xs + xs"),
    "list_insertion": ("value_limit", "xs = [1]\n    while True:\n        xs.insert(0, 1)"),
    "list_insertion_far_out": (
        "ok",
        "xs = [1]\n    xs.insert(2**200, 2)\n"
        "    xs.insert(0 - 2**200, 0)\n    require(xs == [0, 1, 2], 'x')",
    ),
    "pop_of_nothing": ("bad_index", "xs = [1]\n    xs.pop()\n    xs.pop()"),
    "pop_far_out": ("bad_index", "xs = [1]\n    xs.pop(2**200)"),
    "index_far_out": ("bad_index", "xs = [1]\n    x = xs[2**200]"),
    "deleting_far_out": ("bad_index", "xs = [1]\n    del xs[2**200]"),
    "storing_far_out": ("bad_index", "xs = [1]\n    xs[2**200] = 1"),
    "text_index_far_out": ("bad_index", "x = 'abc'[2**200]"),
    "slice_far_out": ("ok", "require('abc'[0 - 2**200:2**200] == 'abc', 'x')"),
    "tuple_index_far_out": ("bad_index", "t = (1, 2)\n    i = 2**200\n    x = t[i]"),
    "absent_list_item": ("bad_value", "xs = [1]\n    xs.remove(2)"),
    "least_of_nothing": ("bad_value", "xs: list[int] = []\n    x = min(xs)"),
    "range_without_steps": ("bad_value", "for i in range(0, 1, 0):\n        pass"),
    "dict_growth": (
        "value_limit",
        "d: dict[int, int] = {}\n    i = 0\n    while True:\n        d[i] = i\n        i += 1",
    ),
    "absent_dict_key": ("missing_key", "d = {'a': 1}\n    x = d['b']"),
    "deleting_an_absent_dict_key": ("missing_key", "d = {'a': 1}\n    del d['b']"),
    "dict_key_chosen_to_collide": ("value_limit", "d = {1: 1}\n    d[2**61] = 1"),
    "dict_key_chosen_to_collide_in_a_display": ("value_limit", "d = {2**61 - 1: 1}"),
    "dict_lookup_of_a_huge_key": ("value_limit", "d = {1: 1}\n    x = d.get(2**200)"),
    "dict_membership_of_a_huge_key": ("value_limit", "d = {1: 1}\n    x = 2**200 in d"),
    "memory_of_many_texts": (
        "out_of_gas",
        GROW + "    xs: list[str] = []\n    while True:\n        xs.append(s + str(len(xs)))",
    ),
    "memory_of_many_lists": (
        "out_of_gas",
        "xs = [[[i for i in range(16000)] for j in range(16000)] for k in range(16000)]",
    ),
    # --- storage ---
    "storing_too_large_a_text": ("value_limit", GROW + "    texts['a'] = s + s"),
    "storing_too_large_a_list": (
        "value_limit",
        "lists['a'] = [2**64 + i for i in range(16000)]",
    ),
    "storing_a_record_with_too_large_a_list": (
        "value_limit",
        GROW + "    items['a'] = Item(name=s, tags=[s])",
    ),
    "too_long_a_key": ("value_limit", GROW + "    store[s] = 1"),
    "too_long_a_key_in_parts": (
        "value_limit",
        GROW + "    wide['a', s[0:300], b'x' + s[0:300].encode()] = 1",
    ),
    "absent_key": ("missing_key", "x = store['nothing']"),
    "deleting_an_absent_key": ("missing_key", "del store['nothing']"),
    "writing_for_ever": (
        "out_of_gas",
        "i = 0\n    while True:\n        store[str(i)] = i\n        i += 1",
    ),
    "reading_for_ever": (
        "out_of_gas",
        "i = 0\n    while True:\n        i += 1 + store.get(str(i), 0)",
    ),
    "changing_a_copy_changes_no_state": (
        "ok",
        "lists['a'] = [1]\n    xs = lists['a']\n    xs.append(2)\n"
        "    require(lists['a'] == [1], 'aliased')\n    ys = lists['a']\n"
        "    require(ys == [1], 'aliased')",
    ),
    "changing_after_storing_changes_no_state": (
        "ok",
        "xs = [1]\n    lists['a'] = xs\n    xs.append(2)\n    require(lists['a'] == [1], 'x')",
    ),
    "a_list_inside_a_stored_record_is_a_copy": (
        "ok",
        "items['a'] = Item(name='a', tags=['x'])\n    i = items['a']\n    i.tags.append('y')\n"
        "    require(len(items['a'].tags) == 1, 'aliased')",
    ),
    "keys_of_other_parts_stay_apart": (
        "ok",
        "wide['ab', 'c', b''] = 1\n    require(('a', 'bc', b'') not in wide, 'x')",
    ),
    "number_and_text_keys_stay_apart": (
        "ok",
        "by_number[1] = 1\n    store['1'] = 2\n    require(by_number[1] == 1, 'x')",
    ),
    "huge_number_as_storage_key": (
        "ok",
        "n = 2**256\n    by_number[n] = 1\n    by_number[-n] = 2\n    require(n in by_number, '')",
    ),
    # --- events ---
    "too_many_events": ("value_limit", "while True:\n        emit('E', a=1)"),
    "too_large_an_event": (
        "value_limit",
        GROW + "    xs = [s for i in range(100)]\n    emit('E', a=xs)",
    ),
    "too_large_events": ("value_limit", GROW + "    while True:\n        emit('E', a=s)"),
}


def source_of(attack: str) -> str:
    body = ATTACKS[attack][1]
    return f"{HEAD}@call\ndef attack() -> None:\n    store['before'] = 1\n    {body}\n"


def deploy(source: str) -> Chain:
    chain = Chain()
    receipt = chain.deploy("victim", source)
    assert receipt.status == 0, receipt.detail
    return chain


@pytest.mark.parametrize("attack", ATTACKS)
def test_ends_with_its_code_in_bounded_time(attack: str) -> None:
    expected, _ = ATTACKS[attack]
    chain = deploy(source_of(attack))
    before = dict(chain.state)
    start = time.perf_counter()
    receipt = chain.call(ATTACKER, "victim", "attack", gas_limit=GAS)
    assert time.perf_counter() - start < SECONDS_MAX
    assert (receipt.error or "ok") == expected, receipt.detail
    assert receipt.gas_used <= GAS
    if receipt.status != 0:
        assert chain.state == before
        assert not receipt.events
    if expected == "out_of_gas":
        assert receipt.gas_used == GAS


ARGUMENTS: dict[str, tuple[str, Value]] = {
    "a_bool_for_an_int": ("int", True),
    "an_int_for_a_bool": ("bool", 1),
    "bytes_for_text": ("str", b"a"),
    "text_for_bytes": ("bytes", "a"),
    "none_for_text": ("str", None),
    "a_list_for_a_tuple_of_another_length": ("tuple[int, int]", [1, 2, 3]),
    "a_mixed_list": ("list[int]", [1, "a"]),
    "a_dict_for_a_list": ("list[int]", {}),
    "a_dict_with_a_wrong_key": ("dict[str, int]", {1: 1}),
    "a_list_for_a_record": ("Item", ["name", []]),
    "a_record_with_a_missing_field": ("Item", {"name": "a"}),
    "a_record_with_a_further_field": ("Item", {"name": "a", "tags": [], "x": 1}),
    "a_record_with_a_wrong_field": ("Item", {"name": "a", "tags": [1]}),
    "a_deep_list": ("list[list[int]]", [[[1]]]),
    "a_huge_dict_key": ("dict[int, int]", {2**61: 1}),
    "an_argument_too_many": ("", 1),
}


@pytest.mark.parametrize("attack", ARGUMENTS)
def test_arguments_of_another_type_are_refused(attack: str) -> None:
    kind, value = ARGUMENTS[attack]
    chain = Chain()
    parameter = f"a: {kind}" if kind else ""
    chain.deploy("victim", f"{HEAD}@call\ndef attack({parameter}) -> None:\n    store['x'] = 1\n")
    receipt = chain.call(ATTACKER, "victim", "attack", value)
    assert receipt.error in ("bad_arguments", "value_limit")


def test_bytes_that_are_no_argument_list_are_refused() -> None:
    chain = Chain()
    chain.deploy("victim", f"{HEAD}@call\ndef attack(a: int) -> None:\n    store['x'] = a\n")
    for data in (
        b"",
        b"\xc0",
        b"\x80",
        b"\x91",
        b"\x91\xcc\x01",
        b"\x91\x01\x00",
        b"\x91\xcb" + b"\0" * 8,
        b"\x91" * 2000 + b"\x01",
        b"\x91\xd9\x01a",
        b"\xdd\xff\xff\xff\xff",
        b"\x91\xc7\x00\x01",
    ):
        call = chain.transaction(ATTACKER, "victim", "attack", [1], GAS)
        broken = type(call)(call.transaction_id, call.sender, call.contract, call.method, data, GAS)
        chain.height += 1
        receipts, writes = chain.machine.apply_block(chain.block_context(), [broken])
        assert receipts[0].error == "bad_arguments" and not writes


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.ok])
def test_every_failure_has_advice(code: Code) -> None:
    from contracts.vm.codes import ADVICE

    assert ADVICE[code]
