"""The second look: the compiled code objects hold only what the compiler may have emitted.

Independent of the translation: it trusts no syntax tree, reads bytecode of the CPython that runs
it, and refuses attributes, imports, classes, raises, exception handlers, closures and any global
that is neither a guard nor one of the contract's own functions.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Set
from types import CodeType
from typing import Final

from contracts.vm import limits

# What the compiler's output becomes on every version of CPython that the machine knows, and what
# each makes of jumps, calls and neighbouring locals.
_COMMON: Final = """
    RESUME NOP CACHE POP_TOP COPY SWAP CALL RETURN_VALUE EXTENDED_ARG
    LOAD_CONST LOAD_FAST STORE_FAST LOAD_GLOBAL
    BINARY_OP BINARY_SUBSCR STORE_SUBSCR COMPARE_OP IS_OP
    UNARY_NOT UNARY_NEGATIVE UNARY_INVERT
    BUILD_TUPLE BUILD_LIST BUILD_MAP LIST_EXTEND UNPACK_SEQUENCE GET_ITER FOR_ITER
    JUMP_FORWARD JUMP_BACKWARD
"""
_LATER: Final = """
    END_FOR RETURN_CONST
    POP_JUMP_IF_FALSE POP_JUMP_IF_TRUE POP_JUMP_IF_NONE POP_JUMP_IF_NOT_NONE
"""
_BY_VERSION: Final = {
    (3, 11): """
        PRECALL
        POP_JUMP_FORWARD_IF_FALSE POP_JUMP_FORWARD_IF_TRUE
        POP_JUMP_BACKWARD_IF_FALSE POP_JUMP_BACKWARD_IF_TRUE
        POP_JUMP_FORWARD_IF_NONE POP_JUMP_FORWARD_IF_NOT_NONE
        POP_JUMP_BACKWARD_IF_NONE POP_JUMP_BACKWARD_IF_NOT_NONE
        JUMP_IF_TRUE_OR_POP JUMP_IF_FALSE_OR_POP
    """,
    (3, 12): _LATER,
    (3, 13): _LATER + "TO_BOOL LOAD_FAST_LOAD_FAST STORE_FAST_LOAD_FAST STORE_FAST_STORE_FAST",
}


def opcodes_of(version: tuple[int, int]) -> frozenset[str]:
    """What compiled contracts may hold under CPython `version`; nothing under one not known."""
    return (
        frozenset((_COMMON + _BY_VERSION[version]).split())
        if version in _BY_VERSION
        else frozenset()
    )


OPCODES: Final = opcodes_of(sys.version_info[:2])
# OPTIMIZED | NEWLOCALS, and NOFREE where this build still sets it.
_FLAGS_ALLOWED: Final = 0x01 | 0x02 | 0x40
# A literal tuple on the right of `in` or in a display folds to one of these.
_SCALARS: Final = (type(None), bool, int, str, bytes)


class CodeRefused(AssertionError):
    """The compiler emitted something it must not: a bug of ours, never the author's."""


def verify(code: CodeType, *, guards: Set[str]) -> dict[str, CodeType]:
    """The contract's functions by emitted name, each verified. Raises CodeRefused."""
    functions = {item.co_name: item for item in code.co_consts if isinstance(item, CodeType)}
    _demand(
        all(name.startswith(("__f_", "__c_")) for name in functions), "a function of another kind"
    )
    known = guards | functions.keys()
    for function in functions.values():
        _verify_function(function, known)
    return functions


def _verify_function(code: CodeType, known: Set[str]) -> None:
    _demand(code.co_flags & ~_FLAGS_ALLOWED == 0, f"flags {code.co_flags:#x}")
    _demand(code.co_exceptiontable == b"", "an exception handler")
    _demand(not code.co_freevars and not code.co_cellvars, "a closure")
    _demand(set(code.co_names) <= known, f"globals {sorted(set(code.co_names) - known)}")
    for value in code.co_consts:
        _demand(_is_plain(value), f"a constant of type {type(value).__name__}")
    # Every second byte is an opcode; inline caches count as CACHE.
    for number in set(code.co_code[::2]):
        _demand(dis.opname[number] in OPCODES, f"opcode {dis.opname[number]}")


def _is_plain(value: object) -> bool:
    if type(value) is tuple:
        return all(map(_is_plain, value))
    if type(value) is int:
        return abs(value).bit_length() <= limits.INTERMEDIATE_BITS_MAX
    return type(value) in _SCALARS


def _demand(condition: bool, what: str) -> None:
    if not condition:
        raise CodeRefused(f"compiled code holds {what}")
