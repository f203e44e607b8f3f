"""Methods of str, bytes, list and dict: a fixed table, each emitted as a call of its guard."""

from __future__ import annotations

import ast
from typing import Final

from contracts.vm import emit, prices
from contracts.vm.body import Body, Typed
from contracts.vm.types import (
    BOOL,
    BYTES,
    INT,
    NONE,
    STR,
    UNKNOWN,
    DictOf,
    ListOf,
    OptionalOf,
    Scalar,
    Type,
    show,
)

# method -> (guard, parameter types, result type)
_TEXT: Final[dict[str, tuple[str, tuple[Type, ...], Type]]] = {
    "startswith": ("__starts", (STR,), BOOL),
    "endswith": ("__ends", (STR,), BOOL),
    "find": ("__find", (STR,), INT),
    "split": ("__split", (STR,), ListOf(STR)),
    "join": ("__join", (ListOf(STR),), STR),
    "replace": ("__replace_text", (STR, STR), STR),
    "encode": ("__encode", (), BYTES),
    "lower": ("__lower", (), STR),
    "upper": ("__upper", (), STR),
    "strip": ("__strip", (), STR),
}
_BYTES: Final[dict[str, tuple[str, tuple[Type, ...], Type]]] = {
    "startswith": ("__starts", (BYTES,), BOOL),
    "endswith": ("__ends", (BYTES,), BOOL),
    "find": ("__find", (BYTES,), INT),
    "decode": ("__decode", (), STR),
}

_REPEATED: Final = frozenset({"split", "join", "replace"})  # they measure before they build


def translate_method(body: Body, node: ast.Call) -> Typed:
    """`value.method(arguments)`."""
    assert isinstance(node.func, ast.Attribute)
    name = node.func.attr
    if isinstance(node.func.value, ast.Name) and node.func.value.id == "ctx":
        return body.unknown("L005", node, "ctx has fields, no methods")
    owner = body.expr(node.func.value)
    if node.keywords:
        return body.unknown("L006", node, "methods take positional arguments")
    body.spend(prices.GAS_GUARD)
    match owner.type:
        case ListOf(item):
            return _list_method(body, node, name, owner, item)
        case DictOf():
            return _dict_method(body, node, name, owner, owner.type)
        case Scalar() if owner.type in (STR, BYTES):
            table = _TEXT if owner.type is STR else _BYTES
            if name not in table:
                return body.unknown("L005", node, f"{show(owner.type)} has no {name}()")
            guard, parameters, returns = table[name]
            body.spend(prices.GAS_TEXT * (2 if name in _REPEATED else 1))
            return _call(body, node, guard, owner, parameters, returns)
        case OptionalOf():
            return body.unknown("T005", node, f"this may be None: no {name}() yet")
        case _ if owner.type == UNKNOWN:
            return owner
        case _:
            return body.unknown("L005", node, f"{show(owner.type)} has no {name}()")


def _call(
    body: Body,
    node: ast.Call,
    guard: str,
    owner: Typed,
    parameters: tuple[Type, ...],
    returns: Type,
) -> Typed:
    if len(node.args) != len(parameters):
        return body.unknown("T001", node, f"{len(parameters)} arguments here")
    values = [
        body.fitting(argument, kind) for argument, kind in zip(node.args, parameters, strict=True)
    ]
    return Typed(emit.call(guard, owner.node, *values), returns)


def _list_method(body: Body, node: ast.Call, name: str, owner: Typed, item: Type) -> Typed:
    match name, len(node.args):
        case "append", _:
            return _call(body, node, "__list_append", owner, (item,), NONE)
        case "extend", _:
            return _call(body, node, "__list_extend", owner, (ListOf(item),), NONE)
        case "insert", _:
            return _call(body, node, "__list_insert", owner, (INT, item), NONE)
        case "pop", 0:
            return _call(body, node, "__list_pop", owner, (), item)
        case "pop", _:
            return _call(body, node, "__list_pop_at", owner, (INT,), item)
        case "remove", _:
            return _call(body, node, "__list_remove", owner, (item,), NONE)
        case "index", _:
            return _call(body, node, "__list_index", owner, (item,), INT)
        case "count", _:
            return _call(body, node, "__list_count", owner, (item,), INT)
        case "reverse", _:
            return _call(body, node, "__list_reverse", owner, (), NONE)
        case "sort", _:
            from contracts.vm.calls import is_sortable

            if not is_sortable(item):
                return body.unknown("T001", node, f"no order of {show(item)}")
            return _call(body, node, "__list_sort", owner, (), NONE)
        case _:
            return body.unknown("L005", node, f"list has no {name}()")


def _dict_method(body: Body, node: ast.Call, name: str, owner: Typed, kind: DictOf) -> Typed:
    match name, len(node.args):
        case "get", 1:
            inner = kind.value
            result = inner if isinstance(inner, OptionalOf) else OptionalOf(inner)
            return _call(body, node, "__dict_get", owner, (kind.key,), result)
        case "get", _:
            return _call(body, node, "__dict_getor", owner, (kind.key, kind.value), kind.value)
        case "pop", _:
            return _call(body, node, "__dict_pop", owner, (kind.key,), kind.value)
        case "keys", 0:
            return _call(body, node, "__keys", owner, (), ListOf(kind.key))
        case "values", 0:
            return _call(body, node, "__values", owner, (), ListOf(kind.value))
        case _:
            return body.unknown("L005", node, f"dict has no {name}(); items() is for loops")
