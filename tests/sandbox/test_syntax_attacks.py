"""Attacks by syntax: each is refused by `check`, with the rule that says why."""

from __future__ import annotations

import time

import pytest

from contracts.vm.check import check_source

HEAD = "from contracts.dialect import Map, Var, call, ctx, emit, record, require, view\n"

# name of the attack -> (rule, source after the imports)
IN_FUNCTIONS = {
    "dunder_attribute_of_a_value": ("L005", "x = 'a'.__class__"),
    "dunder_of_a_number": ("L005", "x = (1).__class__.__mro__"),
    "attribute_of_ctx_that_is_none": ("L005", "x = ctx.__dict__"),
    "attribute_of_a_function": ("L007", "x = helper.__globals__"),
    "attribute_of_storage": ("L007", "x = store.__class__"),
    "a_function_as_a_value": ("L007", "x = helper"),
    "storage_as_a_value": ("L007", "x = store"),
    "ctx_as_a_value": ("L007", "x = ctx"),
    "a_builtin_as_a_value": ("L007", "x = len"),
    "a_type_as_a_value": ("L007", "x = str"),
    "a_decorator_as_a_value": ("L007", "x = call"),
    "builtins_by_name": ("N001", "x = __builtins__"),
    "import_by_name": ("N001", "x = __import__('os')"),
    "a_guard_by_name": ("N001", "x = __flush(0)"),
    "the_gas_counter_by_name": ("N002", "__g = 0"),
    "a_compiler_local_by_name": ("N002", "__t = 1"),
    "a_function_of_the_compiler_by_name": ("N001", "__f_attack(1)"),
    "eval": ("N001", "x = eval('1')"),
    "exec": ("N001", "exec('x = 1')"),
    "open": ("N001", "x = open('/etc/passwd')"),
    "getattr": ("N001", "x = getattr(ctx, 'sender')"),
    "globals": ("N001", "x = globals()"),
    "type": ("N001", "x = type(1)"),
    "isinstance": ("N001", "x = isinstance(True, int)"),
    "hash_is_not_deterministic": ("N001", "x = hash('a')"),
    "id_is_not_deterministic": ("N001", "x = id('a')"),
    "set_display": ("L002", "x = {1, 2}"),
    "set_comprehension": ("L002", "x = {i for i in range(3)}"),
    "generator_expression": ("L002", "x = sum(i for i in range(3))"),
    "lambda": ("L002", "x = lambda: 1"),
    "walrus": ("L002", "x = (y := 1)"),
    "await": ("L002", "x = await y"),
    "yield": ("L002", "x = yield 1"),
    "float_literal": ("L008", "x = 1.5"),
    "complex_literal": ("L008", "x = 1j"),
    "ellipsis": ("L008", "x = ..."),
    "true_division": ("L002", "x = 4 / 2"),
    "matrix_product": ("L002", "x = 4 @ 2"),
    "format_spec": ("L002", "x = f'{1:>1000000000}'"),
    "nested_format_spec": ("L002", "x = f'{1:{9999}}'"),
    "conversion": ("L002", "x = f'{1!r}'"),
    "percent_format": ("T001", "x = '%1000000000d' % 1"),
    "format_method": ("L005", "x = '{0.__class__}'.format(1)"),
    "string_times_number": ("T001", "x = 'a' * 10**9"),
    "bytes_times_number": ("T001", "x = b'a' * 10**9"),
    "list_times_number": ("T001", "x = [0] * 10**9"),
    "zfill": ("L005", "x = 'a'.zfill(10**9)"),
    "to_bytes": ("L005", "x = (1).to_bytes(10**9, 'big')"),
    "try": ("L001", "try:\n        x = 1\n    except Exception:\n        x = 2"),
    "try_finally": ("L001", "try:\n        x = 1\n    finally:\n        x = 2"),
    "with": ("L001", "with x:\n        pass"),
    "raise": ("L001", "raise ValueError"),
    "assert": ("L001", "assert False"),
    "global": ("L001", "global store"),
    "nonlocal": ("S004", "x = 1 1"),
    "inner_function": ("L001", "def inner() -> None: pass"),
    "inner_class": ("L001", "class C: pass"),
    "inner_import": ("L001", "import os"),
    "match": ("L001", "match 1:\n        case 1: pass"),
    "chained_assignment": ("L001", "x = y = 1"),
    "starred_target": ("L001", "a, *b = (1, 2)"),
    "star_argument": ("L006", "helper(*[1])"),
    "double_star_argument": ("L006", "helper(**{'a': 1})"),
    "double_star_display": ("L002", "x = {**{}}"),
    "attribute_assignment": ("L001", "ctx.sender = 'me'"),
    "deleting_a_name": ("L001", "x = 1\n    del x"),
    "slice_assignment": ("L001", "x = [1]\n    x[0:1] = [2]"),
    "slice_with_step": ("L002", "x = 'abc'[::2]"),
    "call_of_a_call": ("L006", "helper()()"),
    "call_of_a_subscript": ("L006", "x = [1][0]()"),
    "a_bare_expression": ("L001", "1"),
    "a_type_comment_of_a_type_that_is_none": ("T002", "x: object = 1"),
    "any_annotation": ("T002", "x: Any = 1"),
    "string_annotation": ("T002", "x: 'int' = 1"),
    "computed_annotation": ("T002", "x: [int][0] = 1"),
    "comprehension_name_outside": ("N001", "x = [i for i in range(3)]\n    y = i"),
    "comprehension_reaching_a_function": ("L007", "x = [helper for i in range(3)]"),
    "comprehension_reaching_itself": ("N001", "x = [j for i in range(3) for j in j]"),
    "unassigned_local": ("N005", "if ctx.height > 1:\n        x = 1\n    y = x"),
    "loop_variable_after_the_loop": ("N005", "for i in range(0):\n        pass\n    y = i"),
    "mixed_list": ("T001", "x = [1, 'a']"),
    "bool_as_int": ("T001", "x = True + 1"),
    "int_as_condition": ("T001", "if 1:\n        pass"),
    "comparison_of_kinds": ("T001", "x = 1 == 'a'"),
    "order_of_lists": ("T001", "x = [1] < [2]"),
    "is_between_values": ("L002", "x = 1 is 1"),
    "float_dict_key": ("L008", "x = {1.0: 1}"),
    "list_dict_key": ("T008", "x = {[1]: 1}"),
    "int_pair_as_dict_key": ("T008", "x = {(1, 2): 1}"),
    "nested_pair_as_dict_key": ("T008", "x = {(('a', 'b'), 'c'): 1}"),
    "optional_without_a_test": ("T005", "x: str | None = None\n    y = x.startswith('a')"),
    "emit_with_a_computed_name": ("L009", "emit('E' + 'x', a=1)"),
    "require_with_a_computed_text": ("L009", "require(True, ctx.sender)"),
    "shadowing_a_builtin": ("N003", "len = 1"),
    "shadowing_an_import": ("N003", "require = 1"),
    "a_name_with_two_underscores": ("N002", "__class__ = 1"),
    "half_a_character": ("L008", "x = '\\ud800'"),
    "an_int_beyond_the_bound": ("T007", "x = " + str(2**256 + 1)),
}

AT_MODULE_LEVEL = {
    "star_import": ("N004", "from os import *"),
    "plain_import": ("L003", "import os"),
    "import_of_another_module": ("N004", "from contracts.vm import worker"),
    "import_with_an_alias": ("N004", "from contracts.dialect import view as look"),
    "import_of_an_unknown_name": ("N001", "from contracts.dialect import OutsideVm"),
    "relative_import": ("N004", "from . import dialect"),
    "code_at_module_level": ("L003", "for i in range(3):\n    pass"),
    "call_at_module_level": ("L008", "x = len('a')"),
    "mutable_constant": ("L008", "x = [1]"),
    "constant_of_shared_tuples": ("L008", "a = (1, 2)\nb = (a, a)"),
    "constant_power_bomb": ("L008", "x = 2 ** 10 ** 9"),
    "constant_shift_bomb": ("L008", "x = 1 << 10**9"),
    "class_without_record": ("L010", "class A:\n    x: int"),
    "class_with_a_base": ("L010", "@record\nclass A(str):\n    x: int"),
    "class_with_a_metaclass": ("L010", "@record\nclass A(metaclass=type):\n    x: int"),
    "class_with_a_method": ("L003", "@record\nclass A:\n    def x(self) -> int: return 1"),
    "record_of_itself": ("T002", "@record\nclass A:\n    x: list[A]"),
    "unknown_decorator": ("L010", "@property\ndef f() -> int: return 1"),
    "computed_decorator": ("L010", "@call(1)\ndef f() -> int: return 1"),
    "two_decorators": ("L010", "@call\n@view\ndef f() -> int: return 1"),
    "default_argument": ("L004", "@call\ndef f(a: int = 1) -> int: return a"),
    "star_parameters": ("L004", "@call\ndef f(*a: int) -> int: return 1"),
    "keyword_only_parameter": ("L004", "@call\ndef f(*, a: int) -> int: return 1"),
    "positional_only_parameter": ("L004", "@call\ndef f(a: int, /) -> int: return 1"),
    "parameter_without_annotation": ("L004", "@call\ndef f(a) -> int: return 1"),
    "parameter_of_the_compiler": ("N002", "@call\ndef f(__g: int) -> int: return 1"),
    "async_function": ("L003", "async def f() -> int: return 1"),
    "type_parameter_trick": ("T002", "@call\ndef f(a: list[int][0]) -> int: return 1"),
    "recursion": ("R001", "def f(a: int) -> int:\n    return f(a)"),
    "mutual_recursion": (
        "R001",
        "def f(a: int) -> int:\n    return g(a)\ndef g(a: int) -> int:\n    return f(a)",
    ),
    "recursion_in_a_comprehension": (
        "R001",
        "def f(a: int) -> list[int]:\n    return [len(f(i)) for i in range(a)]",
    ),
    "function_redefined": ("N003", "def f() -> int: return 1\ndef f() -> int: return 2"),
    "storage_redefined": ("N003", "store = Var(str)"),
    "two_methods_of_one_public_name": (
        "N003",
        "@view\ndef list_() -> int: return 1\n@view\ndef list() -> int: return 1",
    ),
    "storage_key_of_lists": ("T008", "m = Map(list[int], int)"),
    "storage_of_functions": ("T002", "m = Map(str, call)"),
    "view_that_writes": ("V001", "@view\ndef f() -> None: store.set(1)"),
    "view_that_writes_through_a_helper": (
        "V001",
        "def w() -> None: store.set(1)\n@view\ndef f() -> None: w()",
    ),
    "view_that_emits": ("V001", "@view\ndef f() -> None: emit('E')"),
    "call_of_init": (
        "L006",
        "from contracts.dialect import init\n@init\ndef s() -> None: pass\n"
        "@call\ndef f() -> None: s()",
    ),
    "a_type_nested_too_deep": ("T006", "m = Var(list[list[list[list[list[list[list[int]]]]]]])"),
    "missing_result": ("T004", "@view\ndef f(a: int) -> int:\n    if a > 1:\n        return 1"),
    "dead_code": ("L011", "@view\ndef f() -> int:\n    return 1\n    return 2"),
    "wide_record": (
        "R003",
        "@record\nclass A:\n" + "".join(f"    f{i}: int\n" for i in range(65)),
    ),
}

BOMBS = {
    "non_ascii_source": ("S001", "x = 'caf\u00e9'"),
    "homoglyph_name": ("S001", "\u0430 = 1"),
    "bidirectional_override": ("S001", "x = 1 # \u202e"),
    "null_byte": ("S005", "x = 1\0"),
    "form_feed": ("S005", "x = 1\f"),
    "tab": ("S005", "def f():\n\tpass"),
    "huge_source": ("S002", "# " + "x" * 70_000),
    "long_line": ("S003", "x = '" + "a" * 500 + "'"),
    "nested_brackets": ("S003", "x = " + "(" * 90 + "1" + ")" * 90),
    "brackets_on_many_lines": ("S003", "x = " + "(\n" * 90 + "1" + ")\n" * 90),
    "brackets_after_a_bracket_in_a_text": (
        "S003",
        "x = ')' * 1 + '" + "]" * 20 + "' + " + "[" * 60,
    ),
    "brackets_in_an_f_string": ("S003", "x = f'{" + "(" * 90 + "1" + ")" * 90 + "}'"),
    "unary_chain": ("S003", "x = " + "-\\\n" * 5_000 + "1"),
    "not_chain": ("S003", "x = (" + "not\n" * 5_000 + "True)"),
    "addition_chain": ("S003", "x = (" + "1+\n" * 5_000 + "1)"),
    "attribute_chain": ("S003", "x = (a" + ".b\n" * 5_000 + ")"),
    "conditional_chain": ("S003", "x = (" + "1 if a else\n" * 5_000 + "1)"),
    "comparison_chain": ("S003", "x = (" + "1 <\n" * 5_000 + "1)"),
    "call_chain": ("S003", "x = a" + "()" * 100),
    "elif_chain": (
        "S003",
        "def f(a: int) -> None:\n    if a == 0:\n        pass\n"
        + "    elif a == 1:\n        pass\n" * 1_500,
    ),
    "nested_blocks": ("S003", "".join(" " * i + "if a:\n" for i in range(90)) + " " * 91 + "pass"),
    "deep_but_short_tree": ("S003", "x = " + "not " * 90 + "-" * 100 + "1"),
    "unterminated_string": ("S004", "x = 'abc"),
    "unterminated_long_string": ("S004", "x = '''abc"),
    "unbalanced": ("S004", "x = (1"),
    "indentation": ("S004", "  x = 1\n y = 2"),
    "number_bomb": ("S004", "x = " + "9" * 390 + "\ny = " + "0x" + "f" * 380 + "\nz = 08"),
}


def in_function(attack: str) -> str:
    return (
        f"{HEAD}store = Var(int)\ndef helper() -> int:\n    return store.get()\n"
        f"@call\ndef attack() -> None:\n    {IN_FUNCTIONS[attack][1]}\n"
    )


def at_module_level(attack: str) -> str:
    return f"{HEAD}store = Var(int)\n{AT_MODULE_LEVEL[attack][1]}\n"


def rules_of(source: str) -> set[str]:
    return {finding.rule for finding in check_source(source) if finding.severity == "error"}


@pytest.mark.parametrize("attack", IN_FUNCTIONS)
def test_refused_inside_a_function(attack: str) -> None:
    rule, _ = IN_FUNCTIONS[attack]
    assert rule in rules_of(in_function(attack))


@pytest.mark.parametrize("attack", AT_MODULE_LEVEL)
def test_refused_at_module_level(attack: str) -> None:
    rule, _ = AT_MODULE_LEVEL[attack]
    assert rule in rules_of(at_module_level(attack))


@pytest.mark.parametrize("attack", BOMBS)
def test_source_bomb_is_refused_at_once(attack: str) -> None:
    rule, source = BOMBS[attack]
    start = time.perf_counter()
    assert rule in rules_of(source)
    assert time.perf_counter() - start < 2


def test_every_finding_has_a_place_a_reason_and_a_fix() -> None:
    for rule, code in AT_MODULE_LEVEL.values():
        for finding in check_source(f"{HEAD}store = Var(int)\n{code}\n"):
            assert finding.line >= 1 and finding.column >= 0
            assert finding.reason and finding.fix, rule


def test_a_graph_of_records_is_measured_not_walked() -> None:
    source = HEAD + "@record\nclass R0:\n    a: int\n"
    for level in range(1, 30):
        fields = "".join(f"    f{i}: R{level - 1}\n" for i in range(60))
        source += f"@record\nclass R{level}:\n{fields}"
    start = time.perf_counter()
    assert "T006" in rules_of(source)
    assert time.perf_counter() - start < 2


def test_the_largest_source_is_compiled_in_bounded_time() -> None:
    body = "".join(
        f"    if a == {i}:\n        v{i} = a * {i} + a\n        m[str(v{i})] = v{i} % 7\n"
        for i in range(740)
    )
    source = f"{HEAD}m = Map(str, int)\n@call\ndef f(a: int) -> None:\n{body}"
    assert 50_000 < len(source) < 65_536
    start = time.perf_counter()
    assert not rules_of(source)
    assert time.perf_counter() - start < 5
