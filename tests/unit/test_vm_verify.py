"""The second look at compiled code: each demand is broken by code that breaks no other."""

from __future__ import annotations

import sys
from types import CodeType

import pytest

from contracts.vm.limits import INTERMEDIATE_BITS_MAX
from contracts.vm.verify import OPCODES, CodeRefused, opcodes_of, verify

GUARDS = {"__flush", "__len"}


def module(source: str) -> CodeType:
    return compile(source, "contract", "exec", dont_inherit=True, optimize=0)


def function(body: str, parameters: str = "a, b") -> CodeType:
    return module(f"def __f_act({parameters}):\n    {body}\n")


def changed(code: CodeType, **fields: object) -> CodeType:
    """A module whose one function has other fields."""
    inner = next(item for item in code.co_consts if isinstance(item, CodeType))
    other = inner.replace(**fields)  # type: ignore[arg-type]
    return code.replace(co_consts=tuple(other if c is inner else c for c in code.co_consts))


ACCEPTED = {
    "arithmetic": "return a * 3 + b ** 2 - (a // b)",
    "guards": "return __flush(__len(a))",
    "calls_of_its_own_functions": "return __f_act(b, a)",
    "items": "a[0] = b[1]\n    return [a, (b, 1)]",
    "loops": "for i in a:\n        while i < b:\n            i += 1\n    return {1: 2}",
    "texts_and_bytes": "return ('a', b'b', None, True, (1, ('x',)))",
    "a_wide_constant": f"return {2**INTERMEDIATE_BITS_MAX - 1} - a",
}


@pytest.mark.parametrize("body", ACCEPTED)
def test_what_the_compiler_makes_is_let_through(body: str) -> None:
    assert list(verify(function(ACCEPTED[body]), guards=GUARDS)) == ["__f_act"]


# name -> (what the refusal says, body of a function)
BODIES = {
    "attribute": ("globals \\['x'\\]", "return a.x"),
    "attribute_of_a_known_name": ("opcode LOAD_ATTR", "return a.__len"),
    "method_of_a_known_name": ("opcode LOAD_METHOD", "return a.__len()"),
    "attribute_set": ("opcode STORE_ATTR", "a.__len = b"),
    "unknown_global": ("globals \\['open'\\]", "return open(a)"),
    "global_set": ("opcode STORE_GLOBAL", "global __len\n    __len = a"),
    "import": ("globals \\['os'\\]", "import os"),
    "import_of_a_known_name": ("opcode IMPORT_NAME", "import __len"),
    "raise": ("opcode RAISE_VARARGS", "raise a"),
    "assert": ("opcode (LOAD_ASSERTION_ERROR|RAISE_VARARGS)", "assert a"),
    "handler": ("an exception handler", "try:\n        return a\n    except b:\n        return 1"),
    "with": ("an exception handler", "with a:\n        return 1"),
    "closure": ("a closure", "def __f_in():\n        return a\n    return __f_in"),
    "inner_function": ("a constant of type code", "return [x for x in b]"),
    "lambda": ("a constant of type code", "return lambda: 1"),
    "generator": ("flags 0x2", "yield a"),
    "float": ("a constant of type float", "return 1.5"),
    "complex": ("a constant of type complex", "return 1j"),
    "ellipsis": ("a constant of type ellipsis", "return ..."),
    "frozen_set": ("a constant of type frozenset", "return __len({1, 2}) if a in {1, 2} else 0"),
    "float_in_a_tuple": ("a constant of type tuple", "return (1, ('a', 1.5))"),
    "too_wide_a_constant": ("a constant of type int", f"return {2**INTERMEDIATE_BITS_MAX}"),
    "too_wide_below_zero": ("a constant of type int", f"return -{2**INTERMEDIATE_BITS_MAX}"),
    "set": ("opcode BUILD_SET", "return {a, b}"),
    "format": ("opcode FORMAT_VALUE", "return f'{a}'"),
    "membership": ("opcode CONTAINS_OP", "return a in b"),
    "slice": ("opcode BUILD_SLICE", "return a[1:b]"),
    "del_of_an_item": ("opcode DELETE_SUBSCR", "del a[b]"),
    "del_of_a_name": ("opcode DELETE_FAST", "del a"),
    "star_call": ("opcode CALL_FUNCTION_EX", "return __len(*a)"),
    "keyword_call": ("opcode KW_NAMES", "return __len(a=b)"),
    "print_of_locals": ("globals \\['locals'\\]", "return locals()"),
}


@pytest.mark.parametrize("body", BODIES)
def test_anything_else_is_refused(body: str) -> None:
    reason, text = BODIES[body]
    with pytest.raises(CodeRefused, match=f"compiled code holds {reason}"):
        verify(function(text), guards=GUARDS)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("async def __f_act(a):\n    return a\n", "flags 0x8"),
        ("def __f_act(*a):\n    return a\n", "flags 0x7"),
        ("def __f_act(**a):\n    return a\n", "flags 0xb"),
        ("def act(a):\n    return a\n", "a function of another kind"),
        ("def f_act(a):\n    return a\n", "a function of another kind"),
        ("class __f_act:\n    pass\n", "flags 0x0|globals|a constant|opcode"),
    ],
)
def test_a_function_of_another_form_is_refused(source: str, reason: str) -> None:
    with pytest.raises(CodeRefused, match=reason):
        verify(module(source), guards=GUARDS)


def test_names_of_functions_alone_do_not_make_guards() -> None:
    two = module("def __f_a(x):\n    return __c_0(x)\ndef __c_0(x):\n    return x\n")
    assert set(verify(two, guards=set())) == {"__f_a", "__c_0"}
    with pytest.raises(CodeRefused, match="globals"):
        verify(function("return __c_0(a)"), guards=GUARDS)


def test_a_contract_may_use_all_that_it_may_know() -> None:
    assert list(verify(function("return __f_act(__len(a), b)"), guards={"__len"})) == ["__f_act"]


def test_each_version_of_cpython_has_its_opcodes_and_an_unknown_one_none() -> None:
    assert opcodes_of(sys.version_info[:2]) == OPCODES
    assert {"PRECALL", "LOAD_FAST", "JUMP_IF_TRUE_OR_POP"} <= opcodes_of((3, 11))
    assert opcodes_of((3, 12)) - opcodes_of((3, 11)) >= {"END_FOR", "RETURN_CONST"}
    assert opcodes_of((3, 13)) - opcodes_of((3, 12)) >= {"TO_BOOL"}
    assert opcodes_of((3, 14)) == frozenset()


def test_a_hidden_table_of_handlers_is_refused() -> None:
    with pytest.raises(CodeRefused, match="an exception handler"):
        verify(changed(function("return a"), co_exceptiontable=b"\x80\x01\x02\x00"), guards=GUARDS)


def test_a_constant_that_only_looks_plain_is_refused() -> None:
    class Number(int):
        pass

    values: tuple[object, ...] = (Number(1), (Number(1),), frozenset())
    for value in values:
        code = changed(function("return 7"), co_consts=(None, value))
        with pytest.raises(CodeRefused, match="a constant of type"):
            verify(code, guards=GUARDS)


def test_an_unused_opcode_slot_is_looked_at_too() -> None:
    code = function("return a")
    inner = next(item for item in code.co_consts if isinstance(item, CodeType))
    import_name = 108
    hidden = changed(code, co_code=inner.co_code + bytes([import_name, 0]))
    with pytest.raises(CodeRefused, match="opcode IMPORT_NAME"):
        verify(hidden, guards=GUARDS)
