"""What `check` refuses and in which words: one wrong line each, and nothing else is said."""

from __future__ import annotations

import pytest

from contracts.vm.check import check_source
from contracts.vm.limits import CALL_DEPTH_MAX, FUNCTIONS_MAX
from tests.vm_snippets import chain

HEAD = """from contracts.dialect import (
    Map, SortedMap, Var, call, call_contract, ctx, emit, fail, init, migrate, record, replace,
    require, sm3, view, view_contract
)
LIMIT = 3
NAMES = ("a", "b")
total = Var(int)
names = Map(str, int)
pairs = Map((str, int), int)
ages = SortedMap(str, int)
triples = SortedMap((str, int, bool), str)
lists = Map(str, list[int])
@record
class Item:
    name: str
    count: int
    mark: int = 7
def helper(n: int, text: str) -> int:
    return n
def note(n: int) -> None:
    emit("Noted", n=n)
"""
PARAMETERS = "a: int, b: bool, s: str, xs: list[int], d: dict[str, int], o: int | None, p: Item"

# name -> (rule, reason, lines of a function)
IN_FUNCTIONS: dict[str, tuple[str, str, str]] = {
    # --- calls ---
    "call_of_a_value": ("L006", "`a` is a value, not a function", "x = a(1)"),
    "keyword_of_a_builtin": ("L006", "len takes no keywords here", "x = len(obj=xs)"),
    "dialect_name_not_imported": ("N001", "`to_hex` is not imported", "x = to_hex(b'')"),
    "unknown_function": ("N001", "no function `nothing`", "nothing()"),
    "too_many_arguments": ("T001", "helper() takes 2 arguments", "x = helper(1, s, 3)"),
    "unknown_keyword": ("T001", "helper() has no further parameter `z`", "x = helper(1, z=s)"),
    "argument_given_twice": ("T001", "helper() has no further parameter `n`", "x = helper(1, n=2)"),
    "missing_argument": ("T001", "helper() misses an argument", "x = helper(1)"),
    "init_is_not_called": ("L006", "@init runs by itself, once", "setup()"),
    "missing_field": ("T001", "Item misses `count`", "x = Item(name=s)"),
    "unknown_field": (
        "T001",
        "Item has no further parameter `z`",
        "x = Item(name=s, count=1, z=2)",
    ),
    "replace_of_nothing": ("T001", "write replace(record, field=value)", "x = replace()"),
    "replace_of_no_record": ("T001", "replace changes a record, not int", "x = replace(a, name=s)"),
    "replace_of_no_field": ("L005", "Item has no field `z`", "x = replace(p, z=1)"),
    "replace_of_a_field_twice": (
        "L005",
        "Item has no field `count`",
        "x = replace(p, count=1, count=2)",
    ),
    "require_without_text": ("T001", 'write require(condition, "text")', "require(b)"),
    "require_with_a_value": ("L009", "a literal of at most 200 ASCII", "require(b, s)"),
    "require_of_an_int": ("T001", "this is int where bool is needed", "require(a, 'no')"),
    "fail_without_text": ("T001", 'write fail("text")', "fail()"),
    "fail_with_a_long_text": ("L009", "a literal of at most 200 ASCII", f"fail('{'x' * 201}')"),
    "emit_without_a_name": ("T001", 'write emit("Name", field=value)', "emit(n=1)"),
    "emit_with_a_value": ("T001", 'write emit("Name", field=value)', "emit('Seen', 1)"),
    "emit_of_no_identifier": ("L009", "a literal name of letters", "emit('not a name', n=1)"),
    "call_without_a_method": ("T001", "write (contract, ", "call_contract('x')"),
    "call_with_another_keyword": ("T001", "write (contract, ", "call_contract('x', 'm', a=1)"),
    "call_with_no_type": ("T002", "", "x = call_contract('x', 'm', returns=3)"),
    "view_without_a_type": ("T001", "view_contract needs returns=type", "view_contract('x', 'm')"),
    "method_name_from_a_value": ("L009", "a literal name", "call_contract('x', s)"),
    "contract_name_of_another_type": ("T001", "this is int where str", "call_contract(a, 'm')"),
    "host_function_with_too_much": ("T001", "sm3 takes 1 arguments", "x = sm3(b'', b'')"),
    "host_function_of_text": ("T001", "this is str where bytes is needed", "x = sm3(s)"),
    # --- built-ins ---
    "len_of_two": ("T001", "one argument", "x = len(xs, xs)"),
    "len_of_an_int": ("T001", "int has no length", "x = len(a)"),
    "max_of_one_int": ("T001", "a list, or two values or more", "x = max(a)"),
    "max_of_bools": ("T001", "no order of bool", "x = max(b, b)"),
    "max_of_two_types": ("T001", "this is str where int is needed", "x = max(a, s)"),
    "abs_of_text": ("T001", "this is str where int is needed", "x = abs(s)"),
    "sum_of_texts": ("T001", "list[str] where list[int] is needed", "x = sum(['a'])"),
    "sorted_of_an_int": ("T001", "sorted does not take int", "x = sorted(a)"),
    "sorted_of_records": ("T001", "sorted does not take list[Item]", "x = sorted([p])"),
    "str_of_a_list": ("T001", "str() takes an int or a bool", "x = str(xs)"),
    "int_of_an_int": ("T001", "int() takes decimal digits as str", "x = int(a)"),
    "list_of_an_int": ("T001", "list() does not take int", "x = list(a)"),
    "list_of_a_mixed_tuple": ("T001", "list() does not take tuple[int, str]", "x = list((1, 'a'))"),
    # --- methods of values ---
    "keyword_of_a_method": ("L006", "methods take positional arguments", "xs.append(x=1)"),
    "method_of_an_optional": ("T005", "this may be None: no find() yet", "x = d.get(s).find(s)"),
    "unknown_method_of_text": ("L005", "str has no title()", "x = s.title()"),
    "unknown_method_of_an_int": ("L005", "int has no bit_length()", "x = a.bit_length()"),
    "unknown_method_of_a_list": ("L005", "list has no copy()", "x = xs.copy()"),
    "unknown_method_of_a_dict": ("L005", "dict has no update()", "d.update(d)"),
    "items_of_a_dict_as_a_value": ("L005", "items() is for loops", "x = d.items()"),
    "too_few_for_a_method": ("T001", "2 arguments here", "x = s.replace(s)"),
    "sort_of_records": ("T001", "no order of Item", "[p].sort()"),
    "method_of_ctx": ("L005", "ctx has fields, no methods", "x = ctx.get()"),
    # --- operators ---
    "or_of_ints": ("T001", "this is int where bool is needed", "x = a or b"),
    "not_of_a_list": ("T001", "this is list[int] where bool is needed", "x = not xs"),
    "minus_of_text": ("T001", "this is str where int is needed", "x = -s"),
    "comparison_of_two_types": ("T001", "", "x = a == s"),
    "order_of_lists": ("T001", "", "x = xs < xs"),
    "order_of_an_optional": ("T001", "no order of int | None", "x = o < 1"),
    "chain_of_memberships": ("L002", "only < <= > >= == make a chain", "x = 1 < a in xs"),
    "is_of_two_values": ("L002", "", "x = a is 1"),
    "an_int_is_never_none": ("T001", "int is never None", "x = a is None"),
    "in_an_int": ("T001", "`in` does not search int", "x = 1 in a"),
    "text_in_a_list_of_ints": ("T001", "this is str where int is needed", "x = s in xs"),
    "int_in_a_tuple_of_texts": ("T001", "int is not in tuple[str, str]", "x = a in NAMES"),
    "sum_of_int_and_text": ("T001", "", "x = a + s"),
    "true_division": ("L002", "int has no such operator; `//` divides", "x = a / a"),
    "either_int_or_text": ("T001", "int or str: write one", "x = a if b else s"),
    # --- items, slices, texts ---
    "item_of_an_int": ("T001", "int has no items", "x = a[0]"),
    "item_of_an_optional": ("T005", "this may be None: no index yet", "x = d.get(s)[0]"),
    "text_as_an_index": ("T001", "this is str where int is needed", "x = xs[s]"),
    "beyond_a_tuple": ("T001", "the tuple is shorter", "x = (1, 'a')[2]"),
    "value_into_a_mixed_tuple": ("T001", "the index into a mixed tuple", "x = (1, 'a')[a]"),
    "slice_of_a_dict": ("T001", "no slice of dict[str, int]", "x = d[0:1]"),
    "slice_with_a_step": ("L002", "", "x = xs[0:1:2]"),
    "text_of_a_list": ("T001", "no text form of list[int]", "x = f'{xs}'"),
    "format_of_a_value": ("L002", "f-strings take no conversion", "x = f'{a:5}'"),
    # --- displays ---
    "empty_list": ("T003", "the type of this empty display is not known", "x = []"),
    "list_of_none": ("T003", "the type of these items is not known", "x = [None]"),
    "empty_tuple": ("T002", "no empty tuples", "x = ()"),
    "none_in_a_tuple": ("T003", "the type of None in this tuple", "x = (1, None)"),
    "list_of_two_types": ("T001", "", "x = [1, 'a']"),
    "int_pair_as_a_dict_key": ("T008", "is no dict key", "x = {(1, 2): 3 for i in xs}"),
    "unpacking_too_few": ("T001", "tuple[int, str] does not unpack to 3", "x, y, z = (1, 'a')"),
    "unpacking_an_int": ("T001", "int does not unpack to 2", "x, y = a"),
    "four_loops_in_one": (
        "S003",
        "at most 3 `for` in a comprehension",
        "x = [1 for i in xs for j in xs for k in xs for m in xs]",
    ),
    # --- loops ---
    "loop_over_an_int": ("T001", "a loop does not run over int", "for i in a:\n        pass"),
    "loop_over_an_optional": ("T005", "nothing to run over", "for i in d.get(s):\n        pass"),
    "items_of_a_list": ("T001", "list[int] has no items()", "for i in xs.items():\n        pass"),
    "reversed_text": ("T001", "reversed takes a list", "for i in reversed(s):\n        pass"),
    "zip_of_one": ("T001", "zip does not take these", "for i in zip(xs):\n        pass"),
    "else_of_a_for": (
        "L001",
        "no else on loops",
        "for i in xs:\n        pass\n    else:\n        pass",
    ),
    "else_of_a_while": (
        "L001",
        "no else on loops",
        "while b:\n        pass\n    else:\n        pass",
    ),
    "break_outside": ("L001", "only inside a loop", "break"),
    "continue_outside": ("L001", "only inside a loop", "continue"),
    "code_after_return": ("L011", "code after return", "return\n    x = 1"),
    "code_after_fail": ("L011", "code after return", "fail('no')\n    x = 1"),
    # --- assignment ---
    "a_second_type": ("T001", "`x` is int, not str", "x = 1\n    x = s"),
    "none_without_a_type": ("T003", "annotate: `x: T | None = ...`", "x = None"),
    "always_none": ("T002", "a local that is always None", "x: None = None"),
    "annotation_without_a_value": ("L001", "write `name: type = value`", "x: int"),
    "annotation_of_no_type": ("T002", "", "x: float = 1"),
    "unknown_local": ("N001", "`y` is no local", "y += 1"),
    "constant_changed": ("N001", "`LIMIT` is no local", "LIMIT += 1"),
    "attribute_changed": ("L001", "change names and items", "p.count += 1"),
    "attribute_assigned": ("L001", "records change by replace()", "p.count = 1"),
    "list_augmented": ("T001", "write extend()", "xs += [1]"),
    "item_of_text_assigned": ("T001", "items of str cannot be assigned", "s[0] = 'a'"),
    "slice_assigned": ("L001", "slices are not assigned", "xs[0:1] = 1"),
    "item_of_text_deleted": ("T001", "items of str cannot be deleted", "del s[0]"),
    "name_deleted": ("L001", "del removes items", "del a"),
    "perhaps_unassigned": ("N005", "`x` may be unassigned here", "if b:\n        x = 1\n    y = x"),
    "name_of_a_builtin": ("N003", "`len` is taken", "len = 1"),
    "name_of_a_constant": ("N003", "`LIMIT` is taken", "LIMIT = 1"),
    "name_of_the_compiler": ("N002", "`__g` is no name of the language", "__g = 1"),
    "loop_over_a_hidden_name": ("N002", "is no name", "for __g in xs:\n        pass"),
    "value_alone": ("L001", "an expression statement is a call", "a"),
    "two_targets": ("L001", "", "x = y = 1"),
    # --- results ---
    "no_result_returned": ("T001", "", "return 1"),
    "optional_where_a_value_is_needed": ("T005", "this may be None where int", "x = helper(o, s)"),
    # --- storage ---
    "keyword_of_storage": ("L006", "storage methods take positional", "x = total.get(default=1)"),
    "method_of_a_map": ("L005", "a Map has get(key)", "names.set('a', 1)"),
    "method_of_a_var": ("L005", "a Var has get, set, is_set, clear", "total.pop()"),
    "var_set_to_nothing": ("T001", "set takes 1 arguments", "total.set()"),
    "var_as_a_map": ("L007", "`total` is a Var: use get() and set()", "x = total['a']"),
    "map_in_a_condition": ("L007", "", "x = names"),
    "half_a_key": ("T001", "the key is tuple[str, int], written out", "x = pairs[s]"),
    "key_of_another_type": ("T001", "this is int where str is needed", "x = names[1]"),
    "value_of_another_type": ("T001", "this is str where int is needed", "names[s] = s"),
    "key_evaluated_twice": ("L002", "put the key into a local first", "names[s + s] += 1"),
    "stored_list_augmented": ("T001", "write extend()", "lists[s] += [1]"),
    "text_added_to_a_stored_int": ("T001", "", "names[s] += s"),
    "unknown_field_of_ctx": ("L005", "", "x = ctx.clock"),
    "unknown_field_of_a_record": ("L005", "", "x = p.nothing"),
}

# name -> (rule, reason, text at module level)
AT_MODULE_LEVEL: dict[str, tuple[str, str, str]] = {
    "hidden_name": ("N002", "`__x` is no name of the language", "__x = 1"),
    "a_name_twice": ("N003", "`total` is taken", "total = Var(int)"),
    "import_over_a_name": (
        "N003",
        "`to_hex` is taken",
        "to_hex = 1\nfrom contracts.dialect import to_hex",
    ),
    "import_of_nothing": (
        "N001",
        "contracts.dialect has no `os`",
        "from contracts.dialect import os",
    ),
    "import_as": (
        "N004",
        "imports come from contracts.dialect",
        "from contracts.dialect import sm3 as f",
    ),
    "import_of_another": ("N004", "imports come from contracts.dialect", "from os import path"),
    "relative_import": ("N004", "imports come from contracts.dialect", "from .dialect import sm3"),
    "var_of_two": ("T002", "write Var(type)", "x = Var(int, int)"),
    "map_of_one": ("T002", "write Map(key, value)", "x = Map(int)"),
    "var_by_keyword": ("T002", "write Var(type)", "x = Var(value=int)"),
    "map_of_four_parts": ("T008", "one to three key parts", "x = Map((str, str, str, str), int)"),
    "map_of_no_parts": ("T008", "one to three key parts", "x = Map((), int)"),
    "map_by_lists": ("T008", "keys are str, bytes", "x = Map(list[int], int)"),
    "var_of_none": ("T002", "None is not stored", "x = Var(None)"),
    "constant_too_deep": ("T006", "types nest at most 6 deep", "x = (((((((1,),),),),),),)"),
    "constant_shared": ("L008", "constants are literals", "x = (NAMES, NAMES)"),
    "constant_of_a_call": ("L008", "constants are literals", "x = len('a')"),
    "constant_of_texts": ("L008", "constants are literals", "x = 'a' + 'b'"),
    "minus_a_text": ("L008", "constants are literals", "x = -'a'"),
    "constant_divided_by_zero": ("L008", "constants are literals", "x = 1 // 0"),
    "constant_shifted_far": ("L008", "constants are literals", "x = 1 << 10000"),
    "constant_too_large": ("T007", "integers stay within +-2**256", "x = 2**256 + 1"),
    "constant_too_small": ("T007", "integers stay within +-2**256", "x = -2**256 - 1"),
    "float_constant": ("L008", "constants are literals", "x = 1.5"),
    "field_twice": (
        "N003",
        "field `a` cannot be declared",
        "@record\nclass R:\n    a: int\n    a: int",
    ),
    "default_first": (
        "L008",
        "fields without a default come first",
        "@record\nclass R:\n    a: int = 1\n    b: int",
    ),
    "default_of_another_type": (
        "T001",
        "the default is not a int",
        "@record\nclass R:\n    a: int = 'x'",
    ),
    "default_computed": ("L008", "", "@record\nclass R:\n    a: int = len('x')"),
    "class_that_is_no_record": ("L010", "", "class R:\n    a: int"),
    "record_that_inherits": (
        "L010",
        "a record has no bases",
        "@record\nclass R(Item):\n    a: int",
    ),
    "record_in_itself": ("T002", "", "@record\nclass R:\n    a: list[R]"),
    "parameter_that_hides": ("N003", "", "def f(total: int) -> int:\n    return total"),
    "parameter_twice": ("N003", "`a` is taken", "def f(a: int, a: int) -> int:\n    return a"),
    "parameter_without_a_type": ("L004", "", "def f(a) -> int:\n    return 1"),
    "parameter_with_a_default": ("L004", "", "def f(a: int = 1) -> int:\n    return a"),
    "star_parameter": ("L004", "", "def f(*a: int) -> int:\n    return 1"),
    "only_positional": ("L004", "", "def f(a: int, /) -> int:\n    return 1"),
    "only_by_keyword": ("L004", "", "def f(*, a: int) -> int:\n    return 1"),
    "parameters_without_end": (
        "R003",
        "at most 32 parameters",
        f"def f({', '.join(f'a{i}: int' for i in range(33))}) -> int:\n    return 1",
    ),
    "migrate_without_a_number": (
        "L004",
        "@migrate takes the previous sequence number",
        "@migrate\ndef f() -> None:\n    total.set(1)",
    ),
    "migrate_of_text": (
        "L004",
        "@migrate takes the previous sequence number",
        "@migrate\ndef f(n: str) -> None:\n    total.set(1)",
    ),
    "two_inits": ("N003", "there is one @init", "@init\ndef again() -> None:\n    total.set(1)"),
    "result_forgotten": (
        "T004",
        "`f` may end without a result",
        "def f(b: bool) -> int:\n    if b:\n        return 1",
    ),
    "result_not_given": ("T004", "returns int", "def f(b: bool) -> int:\n    return"),
    "view_that_writes": (
        "V001",
        "view `f` does: write",
        "@view\ndef f() -> None:\n    total.set(1)",
    ),
    "view_that_emits": ("V001", "view `f` does: emit", "@view\ndef f() -> None:\n    note(1)"),
    "view_that_calls": (
        "V001",
        "view `f` does: call",
        "@view\ndef f() -> None:\n    call_contract('x', 'm')",
    ),
    "recursion": ("R001", "`f` comes to call itself", "def f() -> None:\n    f()"),
    "two_decorators": ("L010", "", "@call\n@view\ndef f() -> None:\n    pass"),
    "async_function": ("L003", "", "async def f() -> None:\n    pass"),
    "key_of_a_dict_type": ("T008", "list[int] is no dict key", "x = Var(dict[list[int], int])"),
    "none_twice_in_a_type": ("T002", "", "x = Var(None | None)"),
    "type_of_two_values": ("T002", "", "x = Var(int | str)"),
    "type_too_deep": ("T006", "", "x = Var(list[list[list[list[list[list[list[int]]]]]]])"),
    "type_that_is_a_value": ("T002", "", "x = Var(3)"),
}


def errors(source: str) -> list[tuple[str, str]]:
    found = check_source(source)
    return [(item.rule, item.reason) for item in found if item.severity == "error"]


def function(body: str) -> str:
    text = f"{HEAD}@init\ndef setup() -> None:\n    total.set(0)\n"
    return f"{text}@call\ndef act({PARAMETERS}) -> None:\n    {body}\n"


def test_a_second_annotation_is_named_beside_its_value() -> None:
    told = errors(function("x = 1\n    x: str = s"))
    assert told == [("T001", "`x` is int already"), ("T001", "`x` is int, not str")]


def test_an_init_with_a_result_is_refused() -> None:
    told = errors(f"{HEAD}@init\ndef setup() -> int:\n    return 1\n")
    assert told == [("L004", "@init returns None")]


def test_calls_nest_at_most_so_deep() -> None:
    def chain_of(length: int) -> str:
        return (
            HEAD
            + "def f0() -> None:\n    note(1)\n"
            + "".join(f"def f{i}() -> None:\n    f{i - 1}()\n" for i in range(1, length))
        )

    assert errors(chain_of(CALL_DEPTH_MAX - 1)) == []
    assert errors(chain(CALL_DEPTH_MAX)) == []
    assert {rule for rule, _ in errors(chain_of(CALL_DEPTH_MAX))} == {"R002"}


def test_there_are_at_most_so_many_functions() -> None:
    def some(count: int) -> str:
        return HEAD + "".join(f"def f{i}() -> None:\n    note(1)\n" for i in range(count))

    assert errors(some(FUNCTIONS_MAX - 2)) == []
    told = errors(some(FUNCTIONS_MAX - 1))
    assert told == [("R003", f"at most {FUNCTIONS_MAX} functions")]


def test_the_surroundings_alone_are_accepted() -> None:
    assert errors(function("note(helper(LIMIT, s))")) == []


@pytest.mark.parametrize("mistake", IN_FUNCTIONS)
def test_a_wrong_line_of_a_function_is_named(mistake: str) -> None:
    rule, reason, body = IN_FUNCTIONS[mistake]
    found = errors(function(body))
    assert [name for name, _ in found] == [rule], found
    assert reason in found[0][1]


@pytest.mark.parametrize("mistake", AT_MODULE_LEVEL)
def test_a_wrong_declaration_is_named(mistake: str) -> None:
    rule, reason, text = AT_MODULE_LEVEL[mistake]
    found = errors(f"{function('note(1)')}{text}\n")
    assert [name for name, _ in found] == [rule], found
    assert reason in found[0][1]
