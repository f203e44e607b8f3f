"""Pieces of contracts that compile, by name: what tests of the compiler's output look at.

Each is there for one construct or one bound. `IN_FUNCTIONS` are lines of a function with the
surroundings of test_vm_refusals; `MODULES` are contracts of their own.
"""

from __future__ import annotations

IN_FUNCTIONS: dict[str, str] = {
    # --- names and constants ---
    "nothing": "pass",
    "only_a_text": "'said'\n    x = 1",
    "a_text_later": "x = 1\n    y = 'said'",
    "module_constants": "x = LIMIT\n    y = NAMES",
    "literals": "x = (1, True, 'a', b'b', -7, ~5, +3)",
    "wide_literals": f"x = {2**256}\n    y = -{2**256}\n    z = {2**255} + 1",
    "annotated": "x: int = a\n    y: int | None = None\n    z: list[str] = []",
    "annotated_again": "x = 1\n    x: int = 2",
    "annotated_optional": "y: int | None = 1\n    z = y + 1",
    "several_targets": "x, y = a, s\n    (u, (v, w)) = (1, ('a', b))",
    "swapped": "x, y = 1, 2\n    x, y = y, x",
    # --- integers ---
    "sums": "x = a + 1\n    y = a - x",
    "products": "x = a * 2\n    y = a // 2\n    z = a % 7",
    "bits": "x = a & 3\n    y = a | 3\n    z = a ^ 3",
    "powers": "x = a ** 2\n    y = a << 2\n    z = a >> 2",
    "powers_of_sums": "x = (a + 1) ** (a - 1)",
    "small_numbers_need_no_check": "x = 1 + 2 * 3",
    "widest_product": f"x = a * a * a * a * {2**71}",
    "a_bit_too_wide_a_product": f"x = a * a * a * a * {2**72}",
    "width_just_below_the_bound": "for i in range(a):\n        x = i * i * i * i",
    "width_at_the_bound": "for i in range(a):\n        x = i * i * i * i * 1",
    "width_at_the_bound_negated": "for i in range(a):\n        x = -(i * i * i * i)",
    "width_below_the_bound_negated": f"for i in range(a):\n        x = -(i * i * i * {2**62})",
    "width_over_the_bound_negated": "x = -(a * a)\n    y = ~(a + a)",
    "quotient_at_the_bound": "x = (a + a) // 2\n    y = 2 % (a + a)",
    "negated": "x = -a\n    y = ~a\n    z = +a\n    u = -7\n    v = -LIMIT",
    "negated_twice": "x = --a\n    y = -(-5)",
    "added_to": "x = a\n    x += 1\n    x -= 2\n    x *= 3\n    x //= 4",
    "small_local_added_to": "x = 0\n    x += 1",
    "added_to_a_parameter": "a += 1",
    "text_added_to": "x = s\n    x += 'b'",
    # --- truth and order ---
    "bools": "x = b and a > 1 or not b",
    "chain": "x = 0 < a < 10 <= a\n    y = 1 == a == 1",
    "chain_of_sums": "x = 0 < a + a < a * a",
    "equal_ints": "x = a == 1\n    y = a != 2",
    "equal_texts": "x = s == s\n    y = s != 'abcdefghijklmnop'\n    z = 'abcdefgh' == s",
    "order_of_texts": "x = s < s\n    y = s >= 'a'",
    "order_of_bytes": "x = sm3(b'a') < sm3(b'b')",
    "equal_lists": "x = xs == xs",
    "equal_records": "x = p == p",
    "equal_bools": "x = b == b",
    "equal_to_an_optional": "x = o == 1\n    y = d.get(s) == o",
    "optional_text": "x: str | None = s\n    y = [x]\n    z = y[0] == y[0]",
    "tests_for_none": "x = o is None\n    y = o is not None\n    z = None is None",
    "memberships": "x = a in xs\n    y = s in d\n    z = 'b' in s\n    u = a in (1, 2)",
    "no_memberships": "x = a not in xs\n    y = s not in d",
    "membership_of_bytes": "x = b'a' in b'abc'",
    "membership_in_a_constant": "x = s in NAMES",
    "membership_in_storage": "x = s in names\n    y = (s, a) in pairs\n    z = s not in names",
    "either": "x = a if b else 1\n    y = o if b else None\n    z = None if b else a",
    "either_optional": "y: int | None = a if b else None",
    "either_or_fail": "x = a if b else fail('no')",
    "or_widened": "x = o if b else a\n    y = a if b else o",
    # --- narrowing ---
    "narrowed_by_is": "x = 0 if o is None else o",
    "narrowed_by_is_not": "x = o if o is not None else 0",
    "narrowed_by_and": "x = o is not None and o > 1",
    "narrowed_by_or": "x = o is None or o > 1",
    "narrowed_by_not": "x = not (o is None) and o > 1",
    "narrowed_by_two": "q: int | None = a\n    x = d.get(s)\n"
    "    if o is not None and x is not None:\n        y = o + x",
    "narrowed_by_an_or_that_fails": "x = d.get(s)\n    if o is None or x is None:\n"
    "        fail('no')\n    y = o + x",
    "narrowed_by_an_if": "if o is None:\n        return\n    x = o + 1",
    "narrowed_by_both_ways": "if b:\n        o = 1\n    else:\n        o = 2\n    x = o + 1",
    "narrowed_by_assignment": "o = 1\n    x = o + 1",
    "narrowed_by_a_while": "while o is not None:\n        x = o + 1\n        o = None",
    "narrowed_through_a_while": "if o is not None:\n        while b:\n            x = o + 1\n"
    "            b = False\n        y = o + 2",
    "narrowed_through_a_for": "if o is not None:\n        for i in xs:\n            x = o + i\n"
    "        y = o",
    "narrowed_around_a_comprehension": "if o is not None:\n        x = [i + o for i in xs]",
    "narrowed_list": "x: list[list[int]] | None = []\n    x = []\n    x.append([])\n    x[0] = []",
    # --- items ---
    "items": "x = xs[0]\n    y = d[s]\n    z = NAMES[1]\n    u = NAMES[a]\n    v = s[0]",
    "items_of_bytes": "x = b'abc'[1]\n    y = b'abc'[a]",
    "items_of_a_mixed_tuple": "x = (1, 'a')[0]\n    y = (1, 'a')[1]",
    "bool_is_no_literal_index": "x = NAMES[-1]",
    "slices": "x = xs[1:]\n    y = s[:2]\n    z = b'abc'[a:a + 1]\n    u = xs[:]",
    "fields": "x = p.name\n    y = p.count + p.mark",
    "set_items": "xs[0] = 1\n    d[s] = a\n    d['a'] = a + 1",
    "changed_items": "xs[0] += 1\n    d[s] -= a\n    xs[a] *= 2\n    d[s + s] += 1",
    "set_item_of_an_item": "m = [[1]]\n    m[0][0] = 2\n    m[0][0] += 2\n    m[0] = []",
    "set_item_to_a_display": "m: dict[str, list[int]] = {}\n    m[s] = []",
    "deleted_items": "del xs[0]\n    del d[s]\n    del d['a'], d['b']",
    # --- texts ---
    "formatted": "x = f'{a}-{b}-{s}{{}}'\n    y = f''\n    z = f'a'",
    "added_texts": "x = s + s\n    y = b'a' + b'b'\n    z = xs + [1]",
    "text_methods": "x = s.startswith('a') or s.endswith('b')\n    y = s.find('a')\n"
    "    z = s.split(',')\n    u = '-'.join(z)\n    v = s.replace('a', 'b')\n"
    "    w = s.lower() + s.upper() + s.strip()",
    "encoded": "x = s.encode()\n    y = x.decode()\n    z = x.find(b'a')\n"
    "    u = x.startswith(b'a') or x.endswith(b'b')",
    "list_methods": "xs.append(1)\n    xs.extend([2])\n    xs.insert(0, 3)\n    x = xs.pop()\n"
    "    y = xs.pop(0)\n    xs.remove(1)\n    z = xs.index(2) + xs.count(2)\n"
    "    xs.reverse()\n    xs.sort()",
    "dict_methods": "x = d.get(s)\n    y = d.get(s, 1)\n    z = d.pop(s)\n    u = d.keys()\n"
    "    v = d.values()",
    "get_of_an_optional_value": "m: dict[str, int | None] = {}\n    x = m.get(s)\n"
    "    y = 0 if x is None else x",
    # --- built-ins ---
    "lengths": "x = len(xs) + len(s) + len(d) + len(b'a') + len(NAMES)",
    "extremes": "x = max(xs) + min(xs)\n    y = max(a, 1, 2)\n    z = min(s, 'a')\n"
    "    u = max(b'a', b'b')",
    "folds": "x = sum(xs)\n    y = any([b]) and all([b, True])\n    z = abs(a)\n    u = sum([])",
    "sorted_things": "x = sorted(xs)\n    y = sorted(d)\n    z = sorted([(1, 'a', b'b', True)])\n"
    "    u = sorted([b'a'])\n    v = sorted([True])",
    "conversions": "x = str(a) + str(b) + str(s)\n    y = int(s)",
    "lists": "x = list(xs)\n    y = list(d)\n    z = list(NAMES)\n    u = list(s)",
    "an_empty_list": "x: list[int] = list([])",
    # --- displays ---
    "displays": "x = [a, 1]\n    y = (a, s)\n    z = {s: a}\n    u = [[1], [2]]",
    "displays_with_none": "x = [None, a]\n    y = [a, None, o]\n    z = {s: None, 'b': a}",
    "displays_of_tuples": "x: list[tuple[int, str | None]] = [(1, None), (2, 'a')]\n"
    "    y: tuple[int | None, list[str]] = (1, [])\n    z = [(1, 'a'), (2, s)]",
    "displays_as_annotated": "x: list[int | None] = [1]\n    y: dict[str, list[int]] = {'a': []}\n"
    "    z: dict[str, int] = {}\n    u: list[list[int]] = [[]]",
    "displays_with_fail": "x = [1, fail('no')]",
    "keys_of_dicts": "x = {1: 2}\n    y = {b'a': 2}\n    z = {True: 2}\n    u = {('a', b'b'): 2}",
    "shorter_tuple_expected": "x = [(1, 2)]\n    x.append((3, 4))",
    # --- comprehensions ---
    "list_comprehension": "x = [i + a for i in xs]",
    "dict_comprehension": "x = {k: v for k, v in d.items()}",
    "conditions": "x = [i for i in xs if i > 1 if b]",
    "nested_loops": "x = [i * j * k for i in xs for j in range(i) for k in xs if j > k]",
    "inner_comprehension": "x = [[i + j + a for i in xs] for j in xs]",
    "comprehension_as_annotated": "x: list[int | None] = [i for i in xs]\n"
    "    y: dict[str, int | None] = {k: 1 for k in d}\n"
    "    z: list[list[int]] = [[] for i in xs]\n"
    "    u: dict[str, list[int]] = {k: [] for k in d}",
    "comprehension_of_optionals": "x = [k for k in [o] if k is not None and k > 1]\n"
    "    y = [k + 1 for k in [o] if k is not None]",
    "comprehension_in_a_loop": "for i in xs:\n        x = [j for j in xs if j > i]",
    "comprehension_with_storage": "x = [names[k] for k in d]",
    "comprehension_after_a_read": "y = names[s] + len([i for i in xs]) + names[s]",
    # --- loops ---
    "for_a_list": "for i in xs:\n        x = i",
    "for_other_things": "for i in d:\n        x = i\n    for j in NAMES:\n        y = j\n"
    "    for k in s:\n        z = k\n    for m in b'abc':\n        u = m",
    "for_a_range": "for i in range(a):\n        x = i\n    for j in range(1, a):\n        y = j\n"
    "    for k in range(9, 0, -1):\n        z = k",
    "for_iterators": "for i, x in enumerate(xs):\n        y = i + x\n"
    "    for u, v in zip(xs, d):\n        y = u\n"
    "    for u, v, w in zip(xs, s, range(3)):\n        y = u\n"
    "    for i in reversed(xs):\n        y = i\n    for k in reversed(NAMES):\n        z = k",
    "for_iterators_of_iterators": "for i, (x, y) in enumerate(zip(xs, xs)):\n        z = i + x + y",
    "for_parts_of_a_dict": "for k, v in d.items():\n        x = v\n    for k in d.keys():\n"
    "        y = k\n    for v in d.values():\n        x = v",
    "for_with_reads": "for i in xs:\n        x = names[s]",
    "for_in_for": "for i in xs:\n        for j in xs:\n            x = i + j",
    "for_that_ends_early": "for i in xs:\n        if i > 1:\n            break\n        if i < 0:\n"
    "            continue\n        x = i",
    "return_in_a_loop": "for i in xs:\n        if i > 1:\n            return",
    "loop_assigns_what_is_known": "x = 0\n    for i in xs:\n        x = i\n    y = x",
    "while": "i = 0\n    while i < a:\n        i += 1",
    "while_with_a_read": "while names[s] > 0:\n        names[s] -= 1",
    "endless": "while True:\n        if b:\n            return",
    "endless_with_a_break": "while True:\n        if a > 1:\n            if b:\n                break\n"
    "    x = 1",
    "endless_with_a_break_in_else": "while True:\n        if b:\n            x = 1\n"
    "        else:\n            break\n    y = 1",
    "endless_with_a_break_of_another": "while True:\n        for i in xs:\n            break",
    # --- branches ---
    "if": "if b:\n        x = 1",
    "if_else": "if b:\n        x = 1\n    else:\n        x = a * a\n    y = x",
    "if_elif": "if b:\n        x = 1\n    elif a > 1:\n        x = 2\n    else:\n        x = 3",
    "if_empty": "if b:\n        pass\n    else:\n        pass",
    "if_dear": "if b:\n        x = names[s]\n    else:\n        x = names['a'] + names['b']",
    "if_that_returns": "if b:\n        return\n    x = 1",
    "if_both_return": "if b:\n        return\n    else:\n        fail('no')",
    "if_one_assigns_and_the_other_ends": "if b:\n        x = 1\n    else:\n        return\n    y = x",
    "if_the_other_assigns": "if b:\n        fail('no')\n    else:\n        x = 1\n    y = x",
    "if_after_lines": "x = 1\n    y = 2\n    if b:\n        z = 3\n    u = 4\n    v = 5",
    # --- calls ---
    "helpers": "x = helper(1, s)\n    y = helper(text=s, n=2)\n    note(1)",
    "helper_of_parameters": "x = helper(a, s)\n    y = helper(a, ctx.sender)",
    "records": "x = Item(s, 1)\n    y = Item(count=1, name=s)\n    z = Item(name=s, count=2, mark=3)\n"
    "    u = Item(s, mark=4, count=5)",
    "replaced": "x = replace(p, count=1, name=s)\n    y = replace(p)",
    "acts": "require(b, 'needed')\n    emit('Seen', who=s, n=a)\n    emit('Bare')",
    "longest_text": f"require(b, '{'x' * 200}')",
    "refused": "fail('no')",
    "longest_event_name": f"emit('{'E' * 64}')",
    "most_event_fields": f"emit('Wide', {', '.join(f'f{i}={i}' for i in range(32))})",
    "deepest_event_field": "x: list[list[list[list[list[list[int]]]]]] = []\n    emit('D', x=x)",
    "host": "x = sm3(b'a')",
    "other_contracts": "call_contract('x', 'm')\n    y = call_contract('x', 'm', a, s, returns=int)\n"
    "    z = view_contract(s, 'm', returns=list[str])\n    u = view_contract('x', 'm', p, returns=Item)",
    "context": "x = ctx.sender + ctx.origin + ctx.contract + ctx.method\n"
    "    y = ctx.height + ctx.time_ms\n    z = ctx.tx_id + ctx.chain_id",
    "standing": "x = ctx.party\n    y = ctx.roles",
    # --- storage ---
    "vars": "x = total.get()\n    y = total.get(0)\n    total.set(1)\n    z = total.is_set()\n"
    "    total.clear()",
    "maps": "x = names[s]\n    y = names.get(s)\n    z = names.get(s, 1)\n    names[s] = 1\n"
    "    del names[s]",
    "maps_of_pairs": "x = pairs[s, 1]\n    pairs[s, a] = 2\n    k = (s, a)\n    y = pairs[k]\n"
    "    z = pairs.get((s, a), 1)\n    del pairs['a', 1]",
    "changed_in_maps": "names[s] += 1\n    names['a'] -= a\n    pairs[s, 1] += 1\n"
    "    names[p.name] += 2\n    names[ctx.sender] *= 2",
    "stored_lists": "lists[s] = [1]\n    lists['a'] = []\n    x = lists[s]",
    "key_of_a_changed_parameter": "s = 'a'\n    x = names[s]",
    "key_of_a_changed_parameter_in_a_loop": "for i in xs:\n        x = names[s]\n        s = 'a'",
    "key_of_a_changed_parameter_in_a_while": "while b:\n        x = names[s]\n        s = 'a'",
    "key_of_a_local": "k = s\n    x = names[k]",
    "keys_of_all_sources": "x = pairs['a', a]\n    y = names[ctx.sender]\n    z = names[ctx.origin]",
    "same_access_twice": "x = names[s]\n    y = names[s]",
    # --- ends ---
    "fails_where_a_value_is_annotated": "x: int = fail('no')",
    "returns": "x = 1\n    return",
    "dear_line": "x = names['a'] + 1\n    return",
}

_HEAD = "from contracts.dialect import Map, Var, call, call_contract, ctx, emit, init, migrate\n"
_MORE = "from contracts.dialect import record, require, to_hex, view, view_contract\n"

MODULES: dict[str, str] = {
    "empty": "",
    "only_a_docstring": '"""A contract."""\n',
    "future": "from __future__ import annotations\n",
    "constants": "A = 1\nB = -A\nC = (A, 'x', (B,))\nD = 2 ** 8 + 3 * 4 - 10 // 3\nE = 1 << 4\n"
    "F = True\nG = None\nH = b'x'\nI = (B, A)\nJ = 7 // -2\n"
    "def f() -> int:\n    return A + B + C[0] + D + E + I[1] + J\n",
    "widest_constants": f"A = {2**256}\nB = -{2**256}\nC = 2 ** 256\nD = 1 << 256\nE = 0 ** 256\n"
    "F = 1 << 0\nG = 5 ** 0\nH = 2 ** 256 // 2 ** 255\n"
    "def f() -> int:\n    return C // D + E + F + G + H\n",
    "deepest_constant": "A = ((((((1,),),),),),)\n",
    "names": f"_a = 1\n_ = 2\n{'n' * 64} = 3\nA1_b = 4\n",
    "storage": f"{_HEAD}{_MORE}a = Var(int)\nb = Map(str, int)\nc = Map((str, int, bool), bytes)\n"
    "d = Map((bytes,), list[str])\ne = Var(int | None)\nf = Map(str, int | None)\n"
    "@view\ndef g(k: str) -> int | None:\n    return f.get(k)\n"
    "@view\ndef h(k: str) -> int | None:\n    return f[k]\n"
    "@view\ndef i() -> bytes:\n    return c['a', 1, True]\n",
    "types": f"{_HEAD}{_MORE}@record\nclass R:\n    a: int\n@record\nclass S:\n    r: list[R]\n"
    "    t: tuple[R, str]\n    u: tuple[int]\n    v: dict[tuple[str, bytes], R | None]\n"
    "@call\ndef f(a: S, b: dict[str, S], c: R | None, d: tuple[int], e: bool) -> list[S]:\n"
    "    return [a]\n",
    "records_with_defaults": f'{_MORE}@record\nclass R:\n    """Said."""\n    a: int\n    b: str = "x"\n'
    "    c: int | None = None\n    d: tuple[int, int] = (1, 2)\n    e: int = -1\n"
    "def f() -> R:\n    return R(1, d=(3, 4))\n",
    "deepest_type": f"{_HEAD}a = Var(list[list[list[list[list[list[int]]]]]])\n",
    "deepest_record": f"{_MORE}@record\nclass R:\n    a: list[list[list[list[list[int]]]]]\n",
    "widest_record": f"{_MORE}@record\nclass R:\n" + "".join(f"    f{i}: int\n" for i in range(64)),
    "largest_record": f"{_MORE}@record\nclass R:\n"
    + "".join(f"    f{i}: tuple[int, int, int, int]\n" for i in range(51)),
    "helpers_of_one_name": f"{_HEAD}def a() -> None:\n    pass\ndef a_() -> None:\n    pass\n"
    "@call\ndef b() -> None:\n    pass\ndef b_() -> None:\n    pass\n",
    "methods": f"{_HEAD}{_MORE}t = Var(int)\n@init\ndef setup(n: int) -> None:\n    t.set(n)\n"
    "@migrate\ndef later(n: int) -> None:\n    t.set(n)\n"
    '@call\ndef act() -> int:\n    """Acts.\n\n    Twice."""\n    return help_(t.get())\n'
    "@view\ndef list_() -> list[int]:\n    return [t.get()]\n"
    "@view\ndef len(x: int) -> int:\n    return x\n"
    "def help_(n: int) -> int:\n    t.set(n)\n    return n\n",
    "most_parameters": f"def f({', '.join(f'a{i}: int' for i in range(32))}) -> int:\n    return a0\n",
    "helper_without_a_result": "def f():\n    pass\n",
    "method_named_like_the_built_in_it_uses": f"{_MORE}@view\ndef sum(x: list[int]) -> int:\n"
    "    return max(x)\n@view\ndef max_(x: list[int]) -> int:\n    return max(x)\n",
    "host_functions": "from contracts.dialect import from_hex, int_from_bytes, int_to_bytes, is_name\n"
    "from contracts.dialect import sm2_verify, to_hex, view\n@view\ndef f(b: bytes) -> bool:\n"
    "    n = int_from_bytes(int_to_bytes(5, 2))\n    h = from_hex(to_hex(b))\n"
    "    return is_name('a') and sm2_verify(b, h, b) and n > 1\n",
    "view_through_helpers": f"{_HEAD}{_MORE}t = Var(int)\ndef g() -> int:\n    return t.get()\n"
    "def f() -> int:\n    return g()\n@view\ndef v() -> int:\n"
    "    return f() + view_contract('x', 'm', returns=int)\n",
    "dear_lines": f"{_HEAD}{_MORE}m = Map(str, int)\n@view\ndef f(a: str, b: str) -> int:\n"
    "    for i in range(3):\n        x = m[a]\n    x = m[a] + m[b]\n    if x > 1:\n"
    "        return m[a]\n    return m[b]\n",
    "nested_comprehensions": "def f(n: int, t: int) -> list[list[list[int]]]:\n"
    "    return [[[i + j + k + t for i in range(n)] for j in range(n)] for k in range(n)]\n",
    "comprehension_in_a_test": "def f(n: int) -> int:\n    while len([i for i in range(n)]) > 3:\n"
    "        n -= 1\n    return n\n",
    "paths": "def f(a: int, b: bool) -> int:\n    if b:\n        return 1\n    elif a > 1:\n"
    "        return 2\n    else:\n        return 3\ndef g(a: int) -> int:\n    while True:\n"
    "        if a > 3:\n            return a\n        a += 1\n",
    "optional_results": "def f(a: int | None) -> int | None:\n    return a\n"
    "def g(b: bool) -> tuple[int | None, str]:\n    return (1, 'a') if b else (None, 'b')\n"
    "def h(x: int) -> tuple[int | None, str]:\n    t = (x, 'a')\n    return t\n",
}
