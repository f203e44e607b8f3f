"""The operations that `make bench-gas` times: every price and every guard, small and at its bound.

A row is a program that does `act` in every turn of a loop. Times and gas of the same program with
an empty loop are taken off, so that what remains belongs to `act` alone. A unit test demands
that every constant of prices.py and every guard is covered here or has its reason in ELSEWHERE.
"""

from __future__ import annotations

from dataclasses import dataclass

TURNS, FEW, SINGLE = 2_000, 100, 20

TEXT = "s = 'abcdefgh'\nfor o in range(12):\n    s = s + s\nu = s + 'x'"
BYTES = f"{TEXT}\nb = s.encode()"
WIDE = "s = '\\u4e2d'\nfor k in range(13):\n    s = s + s\nu = s + 'x'"
LIST = "xs = [k for k in range(16000)]"
WORDS = "ws = [str(k * 7919 % 15013) for k in range(15000)]"
FEW_WORDS = "ws = ['ab', 'cd', 'ef', 'gh']"
DICT = "d = {k: k for k in range(2500)}"
NESTED = "ys = [[j for j in range(10)] for k in range(1000)]"
MARKS = "for k in range(1000):\n    marks[k] = k"
SIGNED = "key = from_hex(hexes[0])\ngood = from_hex(hexes[1])\nbad = from_hex(hexes[2])"
PRELUDE = """
from contracts.dialect import (
    Map, SortedMap, Var, call, call_contract, ctx, emit, fail, from_hex, int_from_bytes,
    int_to_bytes, is_name, record, replace, require, sm2_verify, sm3, to_hex, view_contract
)
@record
class Item:
    a: int
    b: str
    c: list[int]
numbers = Map(int, int)
texts = Map(int, str)
lists = Map(int, list[int])
dicts = Map(int, dict[int, int])
items = Map(int, Item)
marks = SortedMap(int, int)
def helper(x: int) -> int:
    return x
"""


@dataclass(frozen=True, slots=True)
class Row:
    """`covers` names constants of prices.py and guards; `act` runs `turns` times."""

    label: str
    covers: str
    setup: str
    act: str
    turns: int = TURNS


_INTS = "x = 10 ** 18\ny = 7\nz = 2 ** 255"

INTEGERS = (
    Row("statement: name to name", "GAS_STATEMENT GAS_NODE", "x = 1", "y = x"),
    Row("a small sum", "GAS_NODE", _INTS, "w = y + i"),
    Row("a large sum, checked", "GAS_NODE", _INTS, "w = z + x"),
    Row("six nodes in one expression", "GAS_NODE", _INTS, "w = (x + y - i) * 3 + (y & 5)"),
    Row("product of two at the bound", "GAS_DIVIDE", "z = 2 ** 127", "w = z * z"),
    Row("division of one at the bound", "GAS_DIVIDE", _INTS, "w = z // 10 ** 38"),
    Row("remainder, small", "GAS_DIVIDE", _INTS, "w = x % y"),
    Row("power to the bound", "GAS_POWER __pow", "z = 3", "w = z ** 161"),
    Row("power, small", "GAS_POWER __pow", "z = 3", "w = z ** 2"),
    Row("shift left to the bound", "__shl GAS_GUARD", "z = 1", "w = z << 255"),
    Row("shift right", "__shr", _INTS, "w = z >> 200"),
    Row("abs", "__abs", _INTS, "w = abs(z)"),
    Row("int compared", "GAS_NODE", _INTS, "q = x < y"),
    Row("if", "GAS_STATEMENT", "q = 0", "if i < 5:\n    q = 1"),
    Row("an empty loop of one turn", "GAS_ITERATION __paced", "", "for j in range(1):\n    pass"),
    Row("ten turns of a loop", "GAS_ITERATION __paced", "w = 0", "for j in range(10):\n    w = j"),
    Row("the same, of three bounds", "__paced", "", "for j in range(i, i + 3, 3):\n    pass"),
    Row("a loop left at once", "__range", "", "for j in range(9):\n    break"),
    Row("ten turns of while", "GAS_ITERATION", "", "j = 0\nwhile j < 10:\n    j += 1"),
    Row("call of a helper", "GAS_FUNCTION", "", "w = helper(i)"),
    Row("require", "GAS_NODE", "", "require(i >= 0, 'no')"),
)

TEXTS = (
    Row("len", "__len", TEXT, "w = len(s)"),
    Row("concatenate, small", "__cat GAS_GUARD", "s = 'ab'", "t = s + 'cd'"),
    Row("concatenate, bound", "__cat GAS_TEXT_8", TEXT, "t = s + 'x'", FEW),
    Row("concatenate, bound, wide", "__cat GAS_TEXT_8", WIDE, "t = s + s", FEW),
    Row("f-string, small", "__fmt GAS_ITEM GAS_TEXT", "s = 'ab'", "t = f'{s}:{i}'"),
    Row("f-string, bound", "__fmt", TEXT, "t = f'{s}:{i}'", FEW),
    Row("str of a bound int", "__fmt", _INTS, "t = str(z)"),
    Row("int of 77 digits", "__int", "s = str(2 ** 255)", "w = int(s)"),
    Row("equal texts, small", "__priced", "s = 'ab'\nt = 'ac'", "q = s == t"),
    Row("equal texts, bound", "__priced", f"{TEXT}\nv = s + 'y'", "q = u == v", FEW),
    Row("in text, small", "__in_text", "s = 'abcd'", "q = 'cd' in s"),
    Row("in text, bound, absent", "__in_text GAS_TEXT_8", TEXT, "q = 'hh' in s", FEW),
    Row(
        "in text, bound, hard to find",
        "__in_text",
        f"{TEXT}\np = s[0:20000] + 'x'",
        "q = p in s",
        FEW,
    ),
    Row(
        "find, bound, hard to find", "__find", f"{TEXT}\np = 'x' + s[0:20000]", "q = s.find(p)", FEW
    ),
    Row("find, small", "__find", "s = 'abcd'", "q = s.find('d')"),
    Row("startswith, bound", "__starts", f"{TEXT}\np = s[0:20000]", "q = s.startswith(p)"),
    Row("endswith, bound", "__ends", f"{TEXT}\np = s[0:20000]", "q = s.endswith(p)"),
    Row("split, small", "__split", "s = 'ab,cd'", "l = s.split(',')"),
    Row(
        "split, many",
        "__split",
        "s = ','.join([str(k) for k in range(11000)])",
        "l = s.split(',')",
        SINGLE,
    ),
    Row("join, small", "__join", FEW_WORDS, "t = ','.join(ws)"),
    Row("join, many", "__join", "ws = [str(k) for k in range(10000)]", "t = ','.join(ws)", SINGLE),
    Row("replace, small", "__replace_text", "s = 'abab'", "t = s.replace('a', 'c')"),
    Row("replace, bound", "__replace_text", TEXT, "t = s.replace('a', 'c')", FEW),
    Row("encode, bound", "__encode", TEXT, "b = s.encode()", FEW),
    Row("encode, bound, wide", "__encode", WIDE, "b = s.encode()", FEW),
    Row("decode, bound", "__decode", BYTES, "t = b.decode()", FEW),
    Row("decode, bound, wide", "__decode", f"{WIDE}\nb = s.encode()", "t = b.decode()", FEW),
    Row("lower, small", "__lower", "s = 'AbCd'", "t = s.lower()"),
    Row("lower, bound", "__lower", TEXT, "t = s.lower()", SINGLE),
    Row("upper, bound", "__upper", TEXT, "t = s.upper()", SINGLE),
    Row("strip, bound", "__strip", f"{TEXT}\ns = ' ' + s + ' '", "t = s.strip()", FEW),
    Row("slice of text, small", "__slice", "s = 'abcd'", "t = s[1:3]"),
    Row("slice of text, bound", "__slice", TEXT, "t = s[1:]", FEW),
    Row("index of text", "GAS_NODE", TEXT, "t = s[9]"),
)

LISTS = (
    Row("list of four", "GAS_ITEM", "", "l = [i, i, i, i]"),
    Row("tuple of four", "GAS_ITEM", "", "l = (i, i, i, i)"),
    Row("append", "__list_append", "l: list[int] = []", "l.append(i)"),
    Row("extend by 16,000", "__list_extend", LIST, "l: list[int] = []\nl.extend(xs)", FEW),
    Row("concatenate lists", "__cat_list", f"{LIST}\nl = xs[0:8000]", "m = l + l", FEW),
    Row(
        "insert at the front of 14,000",
        "__list_insert",
        "l = [k for k in range(14000)]",
        "l.insert(0, i)",
        FEW,
    ),
    Row("pop", "__list_pop", LIST, "w = xs.pop()"),
    Row("pop the first of 16,000", "__list_pop_at", LIST, "w = xs.pop(0)", FEW),
    Row("delete the first of 16,000", "__list_del", LIST, "del xs[0]", FEW),
    Row("in a list, absent", "__in_list", LIST, "q = 0 - 1 in xs", SINGLE),
    Row(
        "in a list of equal-length texts",
        "__in_list",
        "ws = ['abcdefgh' + str(10000 + k) for k in range(15000)]",
        "q = 'abcdefghxxxxx' in ws",
        SINGLE,
    ),
    Row("in a list of lists", "__in_list", NESTED, "q = [j for j in range(10, 20)] in ys", SINGLE),
    Row("index of the last", "__list_index", LIST, "w = xs.index(15999)", SINGLE),
    Row("remove the last", "__list_remove", LIST, "xs.remove(15999 - i)", SINGLE),
    Row("count", "__list_count", LIST, "w = xs.count(3)", SINGLE),
    Row("reverse", "__list_reverse", LIST, "xs.reverse()", FEW),
    Row(
        "sort, mixed up",
        "__list_sort GAS_SORT_STEP",
        "zs = [k * 7919 % 15013 for k in range(15000)]",
        "l = list(zs)\nl.sort()",
        SINGLE,
    ),
    Row("sorted texts", "__sorted GAS_SORT_STEP", WORDS, "l = sorted(ws)", SINGLE),
    Row(
        "sorted tuples",
        "__sorted",
        "ts = [(k * 7919 % 15013, 'ab') for k in range(12000)]",
        "l = sorted(ts)",
        5,
    ),
    Row("slice of a list", "__slice", LIST, "l = xs[1:]", FEW),
    Row("list of a list", "__list", LIST, "l = list(xs)", FEW),
    Row("list of a text", "__list", "s = ''.join(['ab' for k in range(8000)])", "l = list(s)", FEW),
    Row("min of two", "__min", "", "w = min(i, 7)"),
    Row("max of 16,000", "__max", LIST, "w = max(xs)", SINGLE),
    Row("sum of 16,000", "__sum", LIST, "w = sum(xs)", SINGLE),
    Row("any of 16,000", "__any", "l = [False for k in range(16000)]", "q = any(l)", FEW),
    Row("all of 16,000", "__all", "l = [True for k in range(16000)]", "q = all(l)", FEW),
    Row("index and store", "GAS_ITEM", LIST, "xs[i] = xs[i + 1]"),
    Row(
        "compared lists",
        "__priced GAS_WALK",
        "l = [k for k in range(9000)]\nm = list(l)",
        "q = l == m",
        SINGLE,
    ),
    Row("a comprehension of 100", "GAS_ITERATION", "", "l = [j for j in range(100)]", FEW),
    Row("loop over 16,000", "GAS_ITERATION", LIST, "w = 0\nfor x in xs:\n    w = x", SINGLE),
    Row("enumerate", "__enumerate", LIST, "for k, x in enumerate(xs):\n    pass", SINGLE),
    Row("zip", "__zip", LIST, "for k, x in zip(xs, xs):\n    pass", SINGLE),
    Row("reversed", "__reversed", LIST, "for x in reversed(xs):\n    pass", SINGLE),
    Row("record", "GAS_ITEM", "l: list[int] = []", "r = Item(a=i, b='x', c=l)"),
    Row(
        "replace of a record",
        "__replace",
        "l: list[int] = []\nr = Item(a=1, b='x', c=l)",
        "r = replace(r, a=i)",
    ),
)

DICTS = (
    Row("dict of two", "__dict GAS_DICT_ITEM", "", "d = {i: i, 7: i}"),
    Row("insert into a dict", "__dict_set GAS_DICT_ITEM", "d: dict[int, int] = {}", "d[i] = i"),
    Row(
        "insert under tuples",
        "__dict_set",
        "d: dict[tuple[str, str], int] = {}",
        "d['a', str(i)] = i",
    ),
    Row("item", "__dict_item", DICT, "w = d[i]"),
    Row(
        "item under a text at its bound",
        "__dict_item",
        f"{TEXT}\nd = {{s + 'y': 1}}",
        "t = s + 'y'\nw = d[t]",
        FEW,
    ),
    Row("get from a dict", "__dict_get", DICT, "w = d.get(i)"),
    Row("get with default", "__dict_getor", DICT, "w = d.get(i, 0)"),
    Row("pop from a dict", "__dict_pop", DICT, "w = d.pop(i)"),
    Row("delete from a dict", "__dict_del", DICT, "del d[i]"),
    Row("in a dict", "__in_dict", DICT, "q = i in d"),
    Row("keys", "__keys", DICT, "l = d.keys()", FEW),
    Row("values", "__values", DICT, "l = d.values()", FEW),
    Row("items", "__items", DICT, "for k, v in d.items():\n    pass", SINGLE),
    Row(
        "compared dicts",
        "__priced GAS_WALK",
        f"{DICT}\ne = {{k: k for k in range(2500)}}",
        "q = d == e",
        5,
    ),
)

HOST = (
    Row("sm3, one block", "GAS_SM3 __sm3", "b = b'abc'", "h = sm3(b)"),
    Row("sm3, bound", "GAS_SM3_64 __sm3", BYTES, "h = sm3(b)", SINGLE),
    Row(
        "sm2, good",
        "GAS_SM2_VERIFY __sm2_verify",
        SIGNED,
        "q = sm2_verify(key, b'm', good)",
        SINGLE,
    ),
    Row(
        "sm2, bad", "GAS_SM2_VERIFY __sm2_verify", SIGNED, "q = sm2_verify(key, b'm', bad)", SINGLE
    ),
    Row("to_hex, bound", "__to_hex", f"{BYTES}\nb = b[0:32000]", "t = to_hex(b)", FEW),
    Row(
        "from_hex, bound", "__from_hex", f"{BYTES}\nh = to_hex(b[0:32000])", "t = from_hex(h)", FEW
    ),
    Row("is_name", "__is_name", "", "q = is_name('a-name-of-the-usual-length')"),
    Row(
        "int_from_bytes",
        "__int_from_bytes",
        "b = int_to_bytes(2 ** 255, 32)",
        "w = int_from_bytes(b)",
    ),
    Row("int_to_bytes", "__int_to_bytes", _INTS, "b = int_to_bytes(z, 32)"),
    Row("read of nothing", "GAS_READ", "", "w = numbers.get(i, 0)"),
    Row(
        "read of a text at its bound", "GAS_READ_BYTE", f"{TEXT}\ntexts[0] = s", "t = texts[0]", FEW
    ),
    Row("a page of nothing", "GAS_SCAN", "", "p = marks.keys(1000)"),
    Row("a page of one key", "GAS_SCAN", MARKS, "p = marks.keys(1, after=500)"),
    Row("a page of 1000 keys", "GAS_SCAN_ITEM", MARKS, "p = marks.keys(1000)", SINGLE),
    Row("a page of 1000 entries", "GAS_SCAN_ITEM", MARKS, "q = marks.items(1000)", SINGLE),
    Row(
        "passing over 1000 removed keys",
        "GAS_SCAN_ITEM",
        f"{MARKS}\nfor k in range(1000):\n    del marks[k]",
        "p = marks.keys(1000)",
        SINGLE,
    ),
    Row("read of a list", "GAS_READ_BYTE", f"{LIST}\nlists[0] = xs", "l = lists[0]", SINGLE),
    Row(
        "read of a list of large ints",
        "GAS_SLOW_NODE GAS_SLOW_BYTE",
        "lists[0] = [2 ** 200 + k for k in range(1500)]",
        "l = lists[0]",
        SINGLE,
    ),
    Row(
        "read of a dict",
        "GAS_SLOW_BYTE",
        "dicts[0] = {k: k for k in range(8000)}",
        "d = dicts[0]",
        SINGLE,
    ),
    Row("write of an int", "GAS_WRITE GAS_WRITE_BYTE", "", "numbers[i] = i"),
    Row("write of a text at its bound", "GAS_WRITE_BYTE", TEXT, "texts[i] = s", SINGLE),
    Row("write of a list", "GAS_WALK", LIST, "lists[i] = xs", SINGLE),
    Row(
        "write of a list of large ints",
        "GAS_SLOW_FACTOR",
        "l = [2 ** 200 + k for k in range(1500)]",
        "lists[i] = l",
        SINGLE,
    ),
    Row(
        "write of a dict",
        "GAS_SLOW_FACTOR",
        "d = {k: k for k in range(8000)}",
        "dicts[i] = d",
        SINGLE,
    ),
    Row("emit", "GAS_EVENT GAS_EVENT_BYTE __emit", "", "emit('Seen', i=i)", FEW),
    Row(
        "emit 2,000 bytes",
        "GAS_EVENT_BYTE __emit",
        f"{TEXT}\nt = s[0:2000]",
        "emit('Seen', t=t)",
        FEW,
    ),
    Row(
        "emit a record",
        "GAS_SLOW_FACTOR __emit",
        "r = Item(a=1, b='x', c=[1, 2])",
        "emit('Seen', r=r)",
        FEW,
    ),
    Row(
        "call_contract",
        "GAS_CROSS_CALL __invoke",
        "",
        "w = call_contract('peer', 'touch', i, returns=int)",
        FEW,
    ),
    Row(
        "view_contract",
        "GAS_CROSS_CALL __invoke",
        "",
        "w = view_contract('peer', 'look', i, returns=int)",
        FEW,
    ),
)

ROWS = (*INTEGERS, *TEXTS, *LISTS, *DICTS, *HOST)

# Measured by programs of their own (bench/gas.py).
WHOLE = ("GAS_TRANSACTION_BASE", "GAS_ARGUMENT_BYTE", "GAS_RESULT_BYTE", "GAS_SOURCE_BYTE")

# What no row can time, each with its reason.
ELSEWHERE = {
    "__flush": "the meter itself: part of every row",
    "__overflow": "ends the transaction",
    "__refuse": "ends the transaction",
}
