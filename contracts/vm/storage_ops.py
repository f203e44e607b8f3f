"""Operations on storage: resolved by name, emitted as one guard per declaration and operation."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

from contracts.vm import emit, prices
from contracts.vm.body import Access, Body, Source, Typed
from contracts.vm.declare import Storage
from contracts.vm.types import (
    BOOL,
    INT,
    NONE,
    ListOf,
    OptionalOf,
    TupleOf,
    Type,
    is_assignable,
    show,
)

# method -> (operation without default, operation with default)
_METHODS: Final = {
    "get": ("item", "getor"),
    "set": ("set", ""),
    "is_set": ("has", ""),
    "clear": ("clear", ""),
}
SCANS: Final = ("keys", "items")  # of a SortedMap
_METHODS_OF_MAPS: Final = {
    "Map": "a Map has get(key) and get(key, default); a SortedMap has keys and items as well",
    "SortedMap": "a SortedMap has get(key), get(key, default), keys(limit) and items(limit)",
}
_BOUNDS: Final = ("start", "after", "end")
WRITES: Final = frozenset({"set", "del", "clear"})


def guard_name(operation: str, storage: str) -> str:
    return f"__s_{operation}_{storage}"


def method(body: Body, name: str, method_name: str, node: ast.Call) -> Typed:
    """`variable.get()`, `mapping.get(key, default)` and the like."""
    storage = body.unit.declarations.storage[name]
    if storage.is_sorted and method_name in SCANS:
        return _scan(body, storage, method_name, node)
    arguments = list(node.args)
    if node.keywords:
        return body.unknown("L006", node, "storage methods take positional arguments")
    if storage.is_map:
        if method_name != "get" or len(arguments) not in (1, 2):
            return body.unknown("L005", node, _METHODS_OF_MAPS[storage.kind])
        operation = "get" if len(arguments) == 1 else "getor"
        return operate(body, name, operation, arguments[0], arguments[1:], node)
    if method_name not in _METHODS:
        return body.unknown("L005", node, "a Var has get, set, is_set, clear")
    expected = {"get": (0, 1), "set": (1,)}.get(method_name, (0,))
    if len(arguments) not in expected:
        return body.unknown("T001", node, f"{method_name} takes {expected[-1]} arguments")
    plain, with_default = _METHODS[method_name]
    operation = with_default if method_name == "get" and arguments else plain
    return operate(body, name, operation, None, arguments, node)


def operate(
    body: Body,
    name: str,
    operation: str,
    key: ast.expr | None,
    arguments: Sequence[ast.expr | str],
    node: ast.expr,
) -> Typed:
    """One storage operation. An argument given as a string is a compiler local."""
    storage = body.unit.declarations.storage[name]
    parts = _key_parts(body, storage, key, node)
    values = [
        emit.load(argument) if isinstance(argument, str) else body.fitting(argument, storage.value)
        for argument in arguments
    ]
    body.unit.storage_used.add(name)
    body.spend(prices.GAS_GUARD + (prices.GAS_WRITE if operation in WRITES else prices.GAS_READ))
    if operation in WRITES:
        body.function.effects.add("write")
    note_access(body, Access("storage", name, "", _sources(body, key)))
    result = emit.call(guard_name(operation, name), *parts, *values)
    return Typed(result, _result_type(storage, operation))


def _result_type(storage: Storage, operation: str) -> Type:
    match operation:
        case "item" | "getor":
            return storage.value
        case "get":
            inner = storage.value
            return inner if isinstance(inner, OptionalOf) else OptionalOf(inner)
        case "has":
            return BOOL
        case _:
            return NONE


def _key_parts(
    body: Body, storage: Storage, key: ast.expr | None, node: ast.expr
) -> list[ast.expr]:
    if key is None:  # of a Var: a Map has no operation without a key
        return []
    if not storage.is_map:
        body.add("L007", node, f"`{storage.name}` is a Var: use get() and set()")
        return []
    if len(storage.keys) == 1:
        return [body.fitting(key, storage.keys[0])]
    if isinstance(key, ast.Tuple) and len(key.elts) == len(storage.keys):
        return [body.fitting(part, kind) for part, kind in zip(key.elts, storage.keys, strict=True)]
    if isinstance(key, ast.Name):
        typed = body.expr(key)
        if is_assignable(typed.type, TupleOf(storage.keys)):
            return [emit.index(typed.node, emit.constant(i)) for i in range(len(storage.keys))]
    body.add("T001", key, f"the key is {show(TupleOf(storage.keys))}, written out")
    return []


# --- pages of a SortedMap ----------------------------------------------------------------------


def _scan(body: Body, storage: Storage, operation: str, node: ast.Call) -> Typed:
    """`mapping.keys(limit, after=key)`: the guard gets the names of what is given, then that."""
    names = [keyword.arg or "" for keyword in node.keywords]
    if len(node.args) != 1:
        return body.unknown("T001", node, f"{operation} takes a limit, everything else by name")
    if "start" in names and "after" in names:
        return body.unknown("T001", node, "a page begins at `start` or `after` a key, not both")
    key = storage.keys[0] if len(storage.keys) == 1 else TupleOf(storage.keys)
    values = [body.fitting(node.args[0], INT)]
    for name, keyword in zip(names, node.keywords, strict=True):
        if name in _BOUNDS:
            values.append(body.fitting(keyword.value, key))
        elif name == "reverse":
            values.append(body.fitting(keyword.value, BOOL))
        elif name == "within":
            values.append(_leading_parts(body, storage, keyword.value))
        else:
            body.add("L006", keyword, "a page has within, start, after, end and reverse")
    body.unit.storage_used.add(storage.name)
    body.spend(prices.GAS_GUARD + prices.GAS_SCAN)
    result = emit.call(guard_name(operation, storage.name), emit.constant(" ".join(names)), *values)
    return Typed(result, ListOf(key if operation == "keys" else TupleOf((key, storage.value))))


def _leading_parts(body: Body, storage: Storage, node: ast.expr) -> ast.expr:
    """`within`: the first part of a key, or a tuple of some of them but not of all."""
    given = body.expr(node, storage.keys[0])
    kinds = given.type.items if isinstance(given.type, TupleOf) else (given.type,)
    if len(kinds) >= len(storage.keys):
        reason = f"`within` fixes fewer parts than the key's {len(storage.keys)}"
        body.add("T001", node, reason)
    for kind, wanted in zip(kinds, storage.keys, strict=False):
        body.demand(kind, wanted, node)
    return given.node


# --- keys known before execution ---------------------------------------------------------------


def note_access(body: Body, access: Access) -> None:
    """Remember what this function will read, for the prefetch of a whole block."""
    known = body.unit.accesses.setdefault(body.function.name, [])
    if len(known) < 64 and access not in known:
        known.append(access)


def _sources(body: Body, key: ast.expr | None) -> tuple[Source, ...]:
    if key is None:
        return ()
    parts = key.elts if isinstance(key, ast.Tuple) else [key]
    return tuple(source_of(body, part) for part in parts)


def source_of(body: Body, node: ast.expr) -> Source:
    """Where the value comes from, if it is a parameter, a literal or ctx.sender; else None."""
    match node:
        case ast.Constant(value=str() | bytes() | bool() | int() as value):
            return ("literal", value)
        case ast.Attribute(value=ast.Name(id="ctx"), attr="sender"):
            return ("sender", 0)
        case ast.Name(id=name) if body.scope.outer is None and name not in body.reassigned:
            for position, (parameter, _) in enumerate(body.function.parameters):
                if parameter == name:
                    return ("parameter", position)
    return None
