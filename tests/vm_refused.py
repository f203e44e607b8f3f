"""Pieces of contracts that do not compile, beside those of the tests of refusals and attacks.

Most ask what is said where one mistake could bring others: an unknown value ends the cascade, and
what stands beside it is looked at all the same. The rest stand one step beyond a bound.
"""

from __future__ import annotations

IN_FUNCTIONS: dict[str, str] = {
    # --- an unknown value, `q`, ends the cascade ---
    "unknown_operand": "x = q + 1\n    y = 1 + q\n    z = x + y",
    "unknown_added_to": "x = q\n    x += 1\n    y = 1\n    y += q",
    "unknown_compared": "x = q == 1\n    y = 1 < q\n    z = q is None\n    u = 1 < q < 2",
    "unknown_condition": "x = 1 if q else s\n    if q:\n        y = 1\n    while q:\n        pass",
    "unknown_choice": "x = q if b else s",
    "unknown_and": "x = q and b or not q",
    "unknown_negated": "x = -q\n    y = not q",
    "unknown_member": "x = q in xs\n    y = a in q\n    z = q in NAMES\n    u = q in names",
    "unknown_item": "x = q[0]\n    y = xs[q]\n    z = d[q]\n    u = NAMES[q]\n    v = q[1:2]",
    "unknown_field": "x = q.name\n    y = q.name.other",
    "unknown_method": "x = q.append(1)\n    xs.append(q)\n    q.items()",
    "unknown_builtin": "x = len(q)\n    y = sorted(q)\n    z = str(q)\n    u = int(q)\n    v = list(q)",
    "unknown_folded": "x = abs(q)\n    y = sum(q)\n    z = max(q)\n    u = min(q, 1)\n    v = any(q)",
    "unknown_extremes": "x = max(q, q)\n    y = max([q])",
    "unknown_replaced": "x = replace(q, name=s)\n    y = replace(p, name=q)",
    "unknown_argument": "x = helper(q, s)\n    y = Item(q, 1)\n    z = sm3(q)",
    "unknown_outward": "emit('E', x=q)\n    call_contract(q, 'm', q)",
    "unknown_text": "x = f'{q}'\n    require(q, 'no')",
    "unknown_display": "x = [q, 1, 'a']\n    y = {q: 1}\n    z = {1: q}\n    u = (q, 1)",
    "unknown_key_and_value": "x = {q: r}\n    y = {q: 1, 2: 's', 'a': 3}",
    "unknown_loop": "for i in q:\n        x = i + 1\n    for k, v in q.items():\n        y = k",
    "unknown_loops": "for i, j in enumerate(q):\n        x = j\n    for i, j in zip(q, xs):\n"
    "        y = i\n    for i in reversed(q):\n        z = i\n    for i in range(q):\n        u = i",
    "unknown_in_a_comprehension": "x = [i + 1 for i in q]\n    y = [q for i in xs]\n"
    "    z = {q: i for i in xs}\n    u = {i: q for i in xs if q}",
    "unknown_unpacked": "x, y = q\n    z = x + 1\n    (u, v), w = (q, 1)",
    "unknown_assigned": "q[0] = 1\n    xs[q] = q\n    d[q] = q\n    del q[0]\n    q[0] += 1",
    "unknown_stored": "names[q] = q\n    names[s] += q\n    total.set(q)\n    x = names.get(q, q)",
    "unknown_result": "x = nothing(1) + nothing(2)",
    "unknown_annotated": "x: float = 1\n    y: int = x\n    z: float = 's'\n    x: int = 2",
    "unknown_empty": "x = []\n    x.append(1)\n    for i in x:\n        y = i\n    z = x + x",
    "unknown_mixed": "x = [1, 's']\n    y = x[0] + 1",
    "unknown_sliced": "x = s[q:]\n    y = q[1:]",
    "unknown_key_of_a_pair": "x = pairs[q]\n    y = pairs[q, 1]",
    # --- what stands beside a mistake is looked at too ---
    "both_sides": "x = (q + 1) * (r + 2)",
    "both_branches": "if b:\n        x = q\n    else:\n        x = r",
    "all_items": "x = [q, r]\n    y = {q: r}\n    z = (q, r)",
    "all_arguments": "x = helper(q, r)\n    emit('not a name', x=q)\n    require(q, r)",
    "all_of_a_call": "call_contract(a, a, q, returns=float)",
    "two_of_one_line": "x = len(a) + len(b)",
    "nothing_behind_the_dead_line": "return\n    x = q\n    y = r",
    "type_of_the_first": "x = a\n    x = s\n    x = 1\n    y = x + s",
    "optional_not_narrowed_after": "if o is not None:\n        x = 1\n    y = o + 1",
    "optional_not_narrowed_in_else": "if o is not None:\n        x = 1\n    else:\n        y = o + 1",
    "optional_not_narrowed_by_or": "if o is not None or b:\n        x = o + 1",
    "optional_not_narrowed_by_and": "if o is None and b:\n        x = 1\n    else:\n        x = o + 1",
    "optional_changed_in_a_for": "if o is not None:\n        for i in xs:\n            x = o + 1\n"
    "            o = None",
    "optional_changed_in_a_while": "if o is not None:\n        while b:\n            x = o + 1\n"
    "            o = None",
    "optional_changed_before_the_test": "if o is not None:\n        while o > 1:\n            o = None",
    "optional_after_a_while": "while o is not None:\n        o = None\n    x = o + 1",
    "optional_forgotten_at_a_merge": "if b:\n        o = 1\n    x = o + 1",
    "optional_forgotten_in_a_loop": "for i in xs:\n        o = 1\n    x = o + 1",
    "optional_set_to_none": "o = 1\n    o = None\n    x = o + 1",
    "optional_of_a_comprehension": "x = [i + o for i in xs if o is not None]",
    "optional_condition_of_a_comprehension": "x = [k + 1 for k in [o] if b]",
    "optional_of_an_inner_comprehension": "x = [k for k in [o] if k is not None for j in [k + 1]]\n"
    "    y = [k + 1 for k in [o] if k is None or b]",
    "optional_narrowed_no_longer": "x = [k for k in [o] if k is not None] + [o + 1]",
    "optional_by_is_of_no_name": "if d.get(s) is not None:\n        x = d.get(s) + 1",
    "optional_equal_to_none": "if o == None:\n        return\n    x = o + 1",
    "optional_in_a_choice": "x = o + 1 if b else 2\n    y = 1 if o is None else o + s",
    "unassigned_after_one_way": "if b:\n        x = 1\n    else:\n        y = 1\n    z = x + y",
    "unassigned_after_a_loop": "for i in xs:\n        x = i\n    y = x + i",
    "unassigned_after_a_while": "while b:\n        x = 1\n    y = x",
    "unassigned_in_a_while": "while x > 1:\n        x = 1",
    "unassigned_in_a_comprehension": "if b:\n        x = 1\n    y = [x for i in xs]",
    "unassigned_behind_the_end": "if b:\n        x = 1\n    else:\n        fail('no')\n    y = x + z",
    "dead_after_both": "if b:\n        return\n    else:\n        fail('no')\n    x = 1",
    "dead_after_a_break": "for i in xs:\n        break\n        x = 1",
    "dead_after_a_continue": "for i in xs:\n        continue\n        x = 1",
    "dead_after_an_endless": "while True:\n        x = 1\n    y = 1",
    "not_dead_after_a_break": "while True:\n        if b:\n            break\n    return\n    y = 1",
    "a_comprehension_in_dead_code": "return\n    x = [y for i in xs]",
    "inner_names_of_a_comprehension": "x = [i for i in xs]\n    y = [xs for xs in [1]]\n    z = i",
    "comprehension_hides_a_constant": "x = [LIMIT for LIMIT in xs]\n    y = [len for len in xs]",
    "comprehension_with_a_hidden_name": "x = [__g for __g in xs]\n    y = [i for (i, __h) in [(1, 2)]]",
    "comprehension_to_an_item": "x = [1 for xs[0] in xs]",
    "comprehension_of_a_bad_pair": "x = [i for i, j in xs]\n    y = [i for i, j in [(1, 2, 3)]]",
    "comprehension_of_an_int_condition": "x = [i for i in xs if i]",
    "comprehension_with_a_list_key": "x = {xs: 1 for i in xs}\n    y = {[1]: 1 for i in xs}",
    "comprehension_not_as_annotated": "x: list[str] = [i for i in xs]\n"
    "    y: dict[str, str] = {i: i for i in xs}\n    z: list[int] = {k: 1 for k in d}",
    "comprehension_over_what_is_none": "x = [i for i in a]\n    y = [i for i in o]",
    "four_inner_loops": "x = [1 for i in xs for j in xs for k in xs for l in xs for m in q]",
    "asynchronous": "x = [i async for i in xs]",
    # --- positions ---
    "second_argument": "x = helper(1, 2)",
    "keyword_argument": "x = helper(n=s, text=s)",
    "value_of_a_dict": "x = {s: a, 's': s}",
    "inner_condition": "if b and (a or not a):\n        pass",
    "second_of_max": "x = max(a, 1, s)\n    y = max(s, 1)",
    "values_of_a_chain": "x = 1 < s < b",
    "index_of_a_bytes": "x = b'abc'[s]\n    y = s[s]\n    z = NAMES[s]\n    u = NAMES[2]",
    "last_index_of_a_tuple": "x = (1, 's')[2]\n    y = (1, 's')[1] + 1\n    z = (1, 's')[True]",
    "bounds_of_a_slice": "x = xs[s:b]\n    y = a[1:]\n    z = NAMES[1:]\n    u = o[1:]",
    "value_of_an_annotation": "x: int = s\n    y: list[int] = [s]\n    z: str = o",
    "field_of_a_replace": "x = replace(p, count=s)",
    "item_of_a_list": "xs[s] = s\n    d[a] = s\n    xs[0] += s\n    d[s] += s",
    "list_of_lists_changed": "m = [[1]]\n    m[0] += [2]\n    n = {s: [1]}\n    n[s] += [2]",
    "argument_of_a_method": "xs.append(s)\n    xs.insert(s, s)\n    d.get(a)\n    s.replace(a, s)",
    "counts_of_arguments": "xs.append()\n    xs.pop(1, 2)\n    d.get()\n    d.get(s, 1, 2)\n"
    "    d.keys(1)\n    d.values(1)\n    d.pop()\n    xs.sort(1)\n    s.lower(1)",
    "argument_of_a_builtin": "x = sum(s)\n    y = any(xs)\n    z = all(a)\n    u = abs(b)\n    v = abs(o)",
    "counts_of_a_builtin": "x = len()\n    y = abs()\n    z = sum()\n    u = sorted()\n    v = str()\n"
    "    w = int()\n    x1 = list()\n    y1 = max()\n    z1 = max(1)",
    "lists_of_optionals": "x = sum([o])\n    y = max([o])\n    z = sorted([o])\n    u = max(o, o)",
    "sorted_tuples_of_lists": "x = sorted([(1, [2])])\n    [(1, None)].sort()\n    [[1]].sort()",
    "mixed_tuples": "for i in (1, 's'):\n        x = i\n    y = list((1, 's'))\n    z = reversed((1, 's'))",
    "reversed_mixed_tuple": "for i in reversed((1, 's')):\n        x = i",
    "reversed_dict": "for i in reversed(d):\n        x = i",
    "iterators_as_values": "x = range(3)\n    y = enumerate(xs)\n    z = zip(xs, xs)",
    "counts_of_iterators": "for i in range():\n        x = 1\n    for i in range(1, 2, 3, 4):\n"
    "        x = 1\n    for i in enumerate():\n        x = 1\n    for i in enumerate(xs, 1):\n"
    "        x = 1\n    for i in zip(xs, xs, xs, xs):\n        x = 1\n    for i in zip():\n        x = 1\n"
    "    for i in reversed():\n        x = 1",
    "keywords_of_iterators": "for i in range(stop=3):\n        x = 1\n    for i in zip(xs, xs, strict=True):\n"
    "        x = 1",
    "a_local_named_range": "for range in xs:\n        x = 1",
    "items_with_arguments": "for k in d.items(1):\n        x = 1\n    for k in d.keys(z=1):\n        x = 1",
    "items_of_storage": "for k in names.items():\n        x = 1\n    for k in names:\n        x = 1",
    "loops_over_others": "for i in b:\n        x = 1\n    for i in p:\n        x = 1\n    for i in None:\n"
    "        x = 1",
    "targets_of_loops": "for xs[0] in xs:\n        x = 1\n    for i, __j in [(1, 2)]:\n        x = 1\n"
    "    for i, j in xs:\n        x = i\n    for i, (j, k) in [(1, 2)]:\n        x = 1",
    "targets_of_assignments": "x, y = (1, 2, 3)\n    xs[0], y = (1, 2)\n    (x, *y) = (1, 2)\n    __h, y = 1, 2",
    "target_of_another_type": "x = 1\n    x, y = (s, 2)\n    for x in [s]:\n        pass",
    "hidden_annotated": "__g: int = 1\n    len: int = 2\n    (x): int = 1\n    xs[0]: int = 1",
    "never_assigned": "x = fail('no')",
    "none_to_a_local": "x = 1\n    x = None\n    y = note(1)",
    "none_annotated_again": "x: None = None\n    y = x",
    "annotated_with_another": "x: int = 1\n    x: str = s\n    x: int | None = None",
    "result_where_none_is": "x = [note(1)]\n    y = note(1) == None",
    # --- forms ---
    "assert_and_raise": "assert b\n    raise a",
    "forms_of_calls": "(lambda: 1)()\n    xs[0](1)\n    helper(*xs)\n    helper(**d)\n    Item(*xs)",
    "calls_of_names": "s(1)\n    LIMIT(1)\n    names(1)\n    total()\n    Map(1)\n    ctx(1)\n    range(3)\n"
    "    bool(1)\n    tuple(xs)\n    dict(d)\n    init()\n    record(p)",
    "imports_missing": "x = to_hex(b'a')\n    y = is_name(s)\n    z = sm2_verify(b'', b'', b'')",
    "values_of_names": "x = helper\n    y = Item\n    z = total\n    u = int\n    v = emit\n    w = sum\n"
    "    x1 = nothing",
    "ctx_alone": "x = ctx\n    y = ctx.nothing\n    z = ctx.sender.nothing\n    ctx.height(1)\n    ctx.x = 1",
    "fields_of_values": "x = a.real\n    y = o.real\n    z = xs.length\n    u = p.z\n    v = total.value\n"
    "    w = (1, 2).count",
    "methods_of_values": "a.sort()\n    o.sort()\n    p.sort()\n    b.sort()\n    NAMES.index('a')\n"
    "    b'a'.upper()\n    s.append(s)\n    d.items()\n    None.x()",
    "keywords_of_methods": "s.split(sep=',')\n    total.set(value=1)\n    names.get(key=s)\n    len(xs, key=1)",
    "records_of_too_much": "x = Item(s, 1, 2, 3)\n    y = Item()\n    z = Item(s, name=s)\n    u = Item(s, 1, name=s)",
    "records_of_other_types": "x = Item(1, s)\n    y = Item(s, count=s)\n    z = Item(s, None)",
    "helpers_of_too_much": "helper()\n    helper(1, s, s)\n    helper(1, n=2)\n    helper(text=s)\n"
    "    helper(text=s, n=1, z=2)\n    helper(n=1, n2=1)",
    "replaced_with_nothing": "x = replace()\n    y = replace(p, p)\n    z = replace(p, z=1)\n    u = replace(a)\n"
    "    v = replace(a, z=1)\n    w = replace(o, z=1)",
    "acts_of_forms": "require(b, 'x', 'y')\n    require(b, text='x')\n    fail('x', 'y')\n    fail(text='x')\n"
    "    emit()\n    emit('A', 'B')\n    emit('A', name=1, other=2)\n    emit(s)\n    emit('')",
    "texts_of_acts": "require(b, 1)\n    require(b, 'a\\nb')\n    require(b, 'caf\\u00e9')\n    require(b, b'x')\n"
    "    require(b, s + 'x')",
    "dead_by_a_wrong_text": "fail(s)\n    x = 1",
    "too_long_an_event_name": f"emit('{'E' * 65}')",
    "event_name_of_others": "emit('1a')\n    emit('a b')\n    emit('caf\\u00e9')\n    emit(b'A')",
    "too_many_event_fields": f"emit('Wide', {', '.join(f'f{i}={i}' for i in range(33))})",
    "too_deep_an_event_field": "x: list[list[list[list[list[list[int]]]]]] = []\n"
    "    emit('D', x=[x])\n    call_contract('x', 'm', [x])\n    view_contract('x', 'm', x, returns=int)",
    "contract_calls_of_forms": "call_contract()\n    call_contract('x')\n    call_contract('x', 1)\n"
    "    call_contract('x', '')\n    call_contract(1, 'm')\n    call_contract('x', 'm', returns=int, z=1)\n"
    "    call_contract('x', 'm', z=int)\n    view_contract('x', 'm', 1)",
    "host_of_forms": "x = sm3()\n    y = sm3(data=b'')\n    z = sm3(1)",
    "operators_of_types": "x = s - s\n    y = s * 2\n    z = xs * 2\n    u = b + b\n    v = s + b'a'\n    w = d + d\n"
    "    x1 = xs + ['a']\n    y1 = o + o\n    z1 = p + p",
    "operators_of_ints": "x = a / a\n    y = a @ a\n    z = ~b\n    u = -o\n    v = +s",
    "comparisons_of_types": "x = a < s\n    y = xs < xs\n    z = b < b\n    u = o < o\n    v = a == xs\n"
    "    w = p < p\n    x1 = d == xs\n    y1 = NAMES < NAMES",
    "chains": "x = 1 < a != 2\n    y = s < s < s\n    z = 1 in xs in xs\n    u = a is a is None",
    "is_of_others": "x = a is None\n    y = o is a\n    z = None is o\n    u = o is not True\n    v = xs is not None",
    "in_of_others": "x = a in s\n    y = s in b'a'\n    z = a in d\n    u = a in a\n    v = 'a' in (1, 's')\n"
    "    w = a in o\n    x1 = a in names\n    y1 = s in total\n    z1 = s in helper",
    "displays_of_forms": "x = [*xs]\n    y = {**d}\n    z = {s}\n    u = (i for i in xs)\n    v = {i for i in xs}",
    "displays_of_types": "x = [1, None, s]\n    y = {s: 1, a: 2}\n    z = {s: 1, 'a': s}\n    u = {xs: 1}\n"
    "    v = {None: 1}\n    w = {o: 1}",
    "displays_not_as_annotated": "x: list[str] = [a]\n    y: dict[str, str] = {s: a}\n    z: int = []\n    u: str = {}\n"
    "    v: tuple[int, str] = (1, 2)\n    w: tuple[int] = (1, 2)\n    x1: tuple[int, int] = (None, 1)",
    "empty_displays": "x = {}\n    y = [[]]\n    z = [{}]\n    u = ([], 1)\n    v = max([])\n    w = len([])",
    "nones_in_displays": "x = [None, None]\n    y = {s: None}\n    z = (None, None)\n    u = [(1, None)]",
    "texts_of_forms": "x = f'{a!r}'\n    y = f'{a:5}'\n    z = f'{xs}'\n    u = f'{o}'\n    v = f'{b\"a\"}'\n"
    "    w = f'{q}{r}'",
    "choices": "x = a if b else s\n    y = xs if b else ['a']\n    z = a if a else 1\n    u = [] if b else xs",
    "slices_of_forms": "x = xs[::2]\n    y = d[s:]\n    xs[1:] = [1]\n    del xs[1:]\n    x1 = a[::2]",
    "deletions": "del xs\n    del a, s\n    del p.name\n    del s[0]\n    del a[0]\n    del NAMES[0]\n    del xs[s]\n"
    "    del d[a]",
    "assigned_items_of_others": "s[0] = 'a'\n    a[0] = 1\n    o[0] = 1\n    p[0] = 1\n    NAMES[0] = 'a'\n    s[0] += 'a'",
    "augmented_others": "nothing += 1\n    p.count += 1\n    (xs[0], a) = (1, 2)\n    total += 1\n    LIMIT += 1\n"
    "    xs += xs",
    "augmented_types": "a += s\n    s += a\n    b += 1\n    o += 1",
    "augmented_captured": "x = [a for i in xs]\n    a /= 2",
    "storage_of_forms": "names.get()\n    names.get(s, 1, 2)\n    names.pop(s)\n    names.set(s)\n    total.get(1, 2)\n"
    "    total.set()\n    total.set(1, 2)\n    total.is_set(1)\n    total.clear(1)\n    total.pop()",
    "storage_of_types": "total.set(s)\n    x = total.get(s)\n    y = names.get(a)\n    z = names.get(s, s)\n    names[a] = s\n"
    "    del names[a]\n    u = names[s] + s",
    "storage_keys": "x = pairs[s]\n    y = pairs[s, s]\n    z = pairs[s, 1, 2]\n    u = pairs[a, s]\n    k = (a, s)\n"
    "    v = pairs[k]\n    w = pairs[NAMES]\n    x1 = names[s, a]",
    "storage_without_a_key": "x = total[s]\n    total[s] = 1\n    total[s] += 1\n    del total[s]\n    y = s in total",
    "storage_keys_computed": "names[s + 'a'] += 1\n    pairs[s, a + 1] += 1\n    names[s.lower()] += 1\n"
    "    names[xs[0]] += 1",
    "stored_lists_changed": "lists[s] += [1]\n    lists[s] = ['a']\n    lists[s] = 1\n    lists[s][0] = 1\n"
    "    lists[s].append(1)",
    "loose_statements": "a\n    a + 1\n    xs[0]\n    'said'\n    None\n    p.name\n    [i for i in xs]",
    "breaks_outside": "break\n    continue",
    "break_in_an_if": "if b:\n        break\n    x = 1",
    "break_after_a_loop": "for i in xs:\n        x = i\n    break",
    "else_of_loops": "for i in xs:\n        x = i\n    else:\n        x = q\n    while b:\n        x = 1\n"
    "    else:\n        x = r",
    "results": "if b:\n        return 1\n    return None",
}

_HEAD = "from contracts.dialect import Map, Var, call, init, migrate, record, view\n"



def _literal(name: str, piece: str, last: str) -> str:
    """A constant written as 64 pieces and a last one."""
    return f"{name} = (\n{f'    {piece}{chr(10)}' * 64}    {last}\n)\n"


MODULES: dict[str, str] = {
    "docstring_later": "A = 1\n'said'\n",
    "statements": "A += 1\nA: int = 1\nif A:\n    pass\nlen('a')\nA, B = 1, 2\nA = B = 1\nA.b = 1\n",
    "imports": "import contracts.dialect\nfrom contracts.dialect import nothing, call\n"
    "from contracts.dialect import call as c\nfrom contracts import dialect\nfrom . import dialect\n"
    "from __future__ import division\nfrom __future__ import annotations as a\n"
    "from __future__ import annotations, division\nfrom .contracts.dialect import call\n",
    "import_twice": "from contracts.dialect import call\nfrom contracts.dialect import call\n"
    "call = 1\nview = 1\nfrom contracts.dialect import view\n",
    "names": f"__a = 1\na__b = 1\n{'n' * 65} = 1\n___ = 1\n_1 = 1\nlen = 1\ntuple = 2\nA = 1\nA = 2\n",
    "not_imported": "a = Var(int)\nb = Map(str, int)\n@call\ndef f() -> None:\n    pass\n"
    "@record\nclass R:\n    a: int\n",
    "storage": f"{_HEAD}a = Var()\nb = Var(int, int)\nc = Map(int)\nd = Map(str, int, int)\n"
    "e = Map(key=str, value=int)\nf = Var(nothing)\ng = Map(nothing, int)\nh = Map((), int)\n"
    "i = Map((str, str, str, str), int)\nj = Map((str, list[int]), int)\nk = Map(str, None)\n"
    "l = Map(str | None, int)\nm = Map((str, nothing), nothing)\nn = Var(None)\n",
    "types": f"{_HEAD}a = Var(list)\nb = Var(dict[int])\nc = Var(dict[list[int], int])\n"
    "d = Var(tuple[()])\ne = Var(list[int, str])\nf = Var(int | str)\ng = Var(None | int)\n"
    "h = Var(int | None | None)\ni = Var(None | None)\nj = Var(list[nothing])\nk = Var('int')\n"
    "l = Var(set[int])\nm = Var(dict[tuple[int, str], int])\nn = Var(dict[None, int])\n"
    "o = Var(tuple[1])\np = Var(call)\nq = Var(dict[str | None, int])\nr = Var(tuple[list[int]])\n"
    "s = Var(dict[tuple[list[int]], int])\n",
    "too_deep_types": f"{_HEAD}a = Var(list[list[list[list[list[list[list[int]]]]]]])\n"
    "b = Var(dict[str, list[list[list[list[list[list[int]]]]]]])\n"
    "@call\ndef f(a: tuple[list[list[list[list[list[list[int]]]]]], int]) -> None:\n"
    "    x: list[list[list[list[list[list[list[int]]]]]]] = []\n",
    "too_deep_record": f"{_HEAD}@record\nclass R:\n    a: list[list[list[list[list[list[int]]]]]]\n"
    "@record\nclass S:\n    a: R\n",
    "too_large_record": f"{_HEAD}@record\nclass R:\n"
    + "".join(f"    f{i}: tuple[int, int, int, int]\n" for i in range(51))
    + "    last: int\n@view\ndef f(r: R) -> int:\n    return r.f0[0]\n",
    "too_large_type": f"{_HEAD}@record\nclass R:\n"
    + "".join(f"    f{i}: tuple[int, int, int]\n" for i in range(63))
    + "a = Var(list[R])\nb = Var(dict[str, R])\nc = Var(tuple[R, R])\n",
    "constants": "A = len('a')\nB = A + 1\nC = nothing\nD = [1]\nE = {}\nF = 1.5\nG = not True\nH = ~1\n"
    "I = 'a' + 'b'\nJ = 1 / 2\nK = 7 % 2\nL = True + 1\nM = 1 + True\nN = -True\nO = 1 if A else 2\n"
    "P = f'a'\nQ = (1, len('a'))\nR = (1, 2)[0]\nS = A.b\nT = ...\nU = 1j\n",
    "constants_of_bounds": f"A = {2**256 + 1}\nB = -{2**256 + 1}\nC = 2 ** 256 + 1\nD = 2 ** 257\n"
    "E = 1 << 257\nF = 1 << -1\nG = 2 ** -1\nH = 1 // 0\nI = 16 ** 256\nJ = -2 ** 256 - 1\n"
    "K = 0 << 257\nL = 1 ** 257\n",
    "constants_shared": "A = (1, 2)\nB = (A, 3)\nC = ((1, 2), 3)\nD = A\nE = (D, 1)\n",
    "constants_too_deep": "A = (((((((1,),),),),),),)\nB = ('\\ud800', 1)\nC = '\\udfff'\nD = '\\ud7ff\\ue000'\n",
    "texts_too_large": _literal("A", repr("x" * 256), "''") + _literal("B", repr("x" * 256), "'x'"),
    "bytes_too_large": _literal("A", f"b{'x' * 256!r}", "b''")
    + _literal("B", f"b{'x' * 256!r}", "b'x'"),
    "wide_texts_too_large": _literal("A", "'" + "\\xe9" * 64 + "'", "''")
    + _literal("B", "'" + "\\xe9" * 64 + "'", "'\\xe9'"),
    "records": f"{_HEAD}class A:\n    a: int\n@record\nclass B(A):\n    a: int\n"
    "@record\nclass C(metaclass=A):\n    a: int\n@record()\nclass D:\n    a: int\n"
    "@record\n@record\nclass E:\n    a: int\n@record\nclass F:\n    pass\n@record\nclass G:\n"
    "    a = 1\n    b: int\n@record\nclass H:\n    a: int\n    'said'\n@record\nclass len:\n    a: int\n"
    "@record\nclass B:\n    a: int\n@record\nclass I:\n    __a: int\n    a: nothing\n    a: int\n"
    "@record\nclass J:\n    'said'\n",
    "records_defaults": f"{_HEAD}@record\nclass A:\n    a: int = 's'\n    b: int = len('a')\n"
    "    c: str = 1\n    d: int | None = 's'\n    e: int\n    f: bool = True\n    g: int = True\n"
    "    h: list[int] = 1\n    i: int\n",
    "record_of_too_many_fields": f"{_HEAD}@record\nclass A:\n"
    + "".join(f"    f{i}: int\n" for i in range(65)),
    "parameters": f"{_HEAD}A = 1\n@call\ndef f(__a: int, b, b: int, c: nothing, len: int, A: int) -> int:\n"
    "    return b\ndef g(*a: int) -> int:\n    return 1\ndef h(**a: int) -> int:\n    return 1\n"
    "def i(*, a: int) -> int:\n    return 1\ndef j(a: int, /) -> int:\n    return 1\n"
    "def k(a: int = 1) -> int:\n    return a\ndef l(*, a: int = 1) -> int:\n    return 1\n"
    "def m(a: int) -> nothing:\n    return a\n",
    "parameters_too_many": f"def f({', '.join(f'a{i}: int' for i in range(33))}) -> int:\n    return a0\n",
    "methods": f"{_HEAD}@init\ndef a(n: int) -> int:\n    return n\n@init\ndef b() -> None:\n    pass\n"
    "@migrate\ndef c() -> None:\n    pass\n@migrate\ndef d(n: int) -> int:\n    return n\n"
    "@call\ndef e() -> None:\n    pass\n@view\ndef e_() -> None:\n    pass\n@call\ndef e() -> None:\n    pass\n"
    "def list() -> None:\n    pass\n@call\ndef list() -> None:\n    pass\n@view\ndef list() -> None:\n    pass\n"
    "def e_() -> None:\n    pass\n@other\ndef f() -> None:\n    pass\n@call()\ndef g() -> None:\n    pass\n"
    "@call\n@view\ndef h() -> None:\n    pass\n@call\ndef __i() -> None:\n    pass\n",
    "migrate_of_others": f"{_HEAD}@migrate\ndef a(n: int, m: int) -> None:\n    pass\n"
    "@migrate\ndef b(n: str) -> None:\n    pass\n",
    "calls_of_init": f"{_HEAD}@init\ndef a() -> None:\n    pass\n@migrate\ndef b(n: int) -> None:\n    pass\n"
    "@call\ndef c() -> None:\n    a()\n    b(1)\n",
    "views": f"{_HEAD}from contracts.dialect import call_contract, emit\nt = Var(int)\n"
    "m = Map(str, int)\n@view\ndef a() -> None:\n    t.set(1)\n    emit('A')\n    call_contract('x', 'm')\n"
    "@view\ndef b() -> None:\n    d()\n@view\ndef c() -> None:\n    del m['a']\n    t.clear()\n"
    "def d() -> None:\n    e()\ndef e() -> None:\n    m['a'] = 1\n",
    "recursion": "def a(n: int) -> int:\n    return b(n) + c(n)\ndef b(n: int) -> int:\n    return a(n)\n"
    "def c(n: int) -> int:\n    return c(n)\n",
    "missing_results": "def a(b: bool) -> int:\n    if b:\n        return 1\ndef c() -> int:\n    pass\n"
    "def d(b: bool) -> int:\n    while b:\n        return 1\ndef e(b: bool) -> int:\n    while True:\n"
    "        if b:\n            break\ndef f() -> None:\n    return 1\ndef g() -> int:\n    return\n"
    "def h() -> nothing:\n    return\ndef i() -> nothing:\n    pass\n",
    "hidden_functions": f"{_HEAD}@call\ndef __f() -> None:\n    pass\ndef len() -> None:\n    pass\n"
    "async def f() -> None:\n    pass\n",
    "many": "".join(f"x{i} = q\n" for i in range(300)),
}
