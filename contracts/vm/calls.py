"""Calls: helpers, records, built-ins, methods of values and storage, host functions, contracts."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from contracts.vm import emit, limits, prices
from contracts.vm import storage_ops as storage
from contracts.vm.body import Access, Body, Site, Typed, stand_in
from contracts.vm.declare import Function
from contracts.vm.methods import translate_method
from contracts.vm.types import (
    BOOL,
    BYTES,
    INT,
    NEVER,
    NONE,
    STR,
    UNKNOWN,
    DictOf,
    ListOf,
    RecordOf,
    Scalar,
    TupleOf,
    Type,
    TypeInvalid,
    depth,
    parse_type,
    show,
)
from contracts.vm.widths import INT_BITS, LENGTH_BITS


@dataclass(frozen=True, slots=True)
class Host:
    """A host function with fixed parameter types."""

    guard: str
    parameters: tuple[Type, ...]
    returns: Type
    gas: int = prices.GAS_GUARD


HOST: Final[Mapping[str, Host]] = {
    "sm2_verify": Host("__sm2_verify", (BYTES, BYTES, BYTES), BOOL, prices.GAS_SM2_VERIFY),
    "sm3": Host("__sm3", (BYTES,), BYTES, prices.GAS_SM3),
    "to_hex": Host("__to_hex", (BYTES,), STR),
    "from_hex": Host("__from_hex", (STR,), BYTES),
    "is_name": Host("__is_name", (STR,), BOOL, prices.GAS_GUARD * 3),
    "int_from_bytes": Host("__int_from_bytes", (BYTES,), INT, prices.GAS_GUARD * 2),
    "int_to_bytes": Host("__int_to_bytes", (INT, INT), BYTES, prices.GAS_GUARD * 2),
}


def translate_call(body: Body, node: ast.Call, expected: Type | None) -> Typed:
    if any(isinstance(argument, ast.Starred) for argument in node.args) or any(
        keyword.arg is None for keyword in node.keywords
    ):
        return body.unknown("L006", node, "no star-arguments")
    match node.func:
        case ast.Attribute(value=ast.Name(id=name), attr=method) if (
            name in body.unit.declarations.storage
        ):
            return storage.method(body, name, method, node)
        case ast.Attribute():
            return translate_method(body, node)
        case ast.Name(id=name):
            return _named(body, name, node, expected)
        case _:
            return body.unknown("L006", node)


def _named(body: Body, name: str, node: ast.Call, expected: Type | None) -> Typed:
    declarations = body.unit.declarations
    if name in body.scope.types:
        return body.unknown("L006", node, f"`{name}` is a value, not a function")
    if name in declarations.functions and name not in _BUILTINS:
        return _helper(body, declarations.functions[name], node)
    if name in declarations.records:
        return _record(body, declarations.records[name], node)
    if name in _BUILTINS:
        if node.keywords:
            return body.unknown("L006", node, f"{name} takes no keywords here")
        body.spend(prices.GAS_GUARD)
        return _BUILTINS[name](body, node, expected)
    if name in declarations.imports:
        if name in HOST:
            return _host(body, name, node)
        if name in _IMPORTED:
            return _IMPORTED[name](body, node)
    if name in HOST or name in _IMPORTED:
        return body.unknown("N001", node, f"`{name}` is not imported")
    return body.unknown("N001", node, f"no function `{name}`")


# --- helpers and records -----------------------------------------------------------------------


def _arguments(
    body: Body, parameters: tuple[tuple[str, Type], ...], node: ast.Call, what: str
) -> list[ast.expr] | None:
    """Positional and keyword arguments in order of the parameters; None after a finding."""
    if len(node.args) > len(parameters):
        body.add("T001", node, f"{what} takes {len(parameters)} arguments")
        return None
    names = [name for name, _ in parameters]
    places = list(range(len(node.args)))
    given: list[ast.expr] = list(node.args)
    for keyword in node.keywords:
        if keyword.arg not in names or names.index(keyword.arg) in places:
            body.add("T001", keyword, f"{what} has no further parameter `{keyword.arg}`")
            return None
        places.append(names.index(keyword.arg))
        given.append(keyword.value)
    values = [
        body.fitting(value, parameters[place][1])
        for value, place in zip(given, places, strict=True)
    ]
    if places == sorted(places):
        return _spread(values, places, len(parameters))
    # Evaluate in the order written, then put in the order declared.
    moved = body.temporary()
    order = [places.index(place) for place in sorted(places)]
    first = ast.NamedExpr(emit.store(moved), emit.tuple_of(values))
    picked = [emit.index(emit.load(moved), emit.constant(position)) for position in order]
    picked[0] = emit.index(first, emit.constant(order[0]))
    body.spend(prices.GAS_ITEM * len(values))
    return _spread(picked, sorted(places), len(parameters))


_ABSENT: Final = ast.Constant(None)


def _spread(values: list[ast.expr], places: list[int], count: int) -> list[ast.expr]:
    filled: list[ast.expr] = [_ABSENT] * count
    for value, place in zip(values, places, strict=True):
        filled[place] = value
    return filled


def _helper(body: Body, function: Function, node: ast.Call) -> Typed:
    body.function.calls.add(function.name)
    body.spend(prices.GAS_FUNCTION)
    if function.kind in ("init", "migrate"):
        return body.unknown("L006", node, f"@{function.kind} runs by itself, once")
    sources = tuple(storage.source_of(body, argument) for argument in node.args)
    storage.note_access(body, Access("function", function.name, "", sources))
    values = _arguments(body, function.parameters, node, f"{function.name}()")
    if values is None:
        return stand_in()
    if any(value is _ABSENT for value in values):
        return body.unknown("T001", node, f"{function.name}() misses an argument")
    if len(values) > limits.GIVEN_MAX:
        return body.unknown("R004", node, f"{function.name}() takes {len(values)} values")
    return Typed(emit.call(f"__f_{function.name}", *values), function.returns)


def _record(body: Body, record: RecordOf, node: ast.Call) -> Typed:
    values = _arguments(body, record.fields, node, record.name)
    if values is None:
        return stand_in(record)
    body.spend(prices.GAS_ITEM * (len(values) + 1))
    defaults = dict(record.defaults)
    for position, (name, _) in enumerate(record.fields):
        if values[position] is not _ABSENT:
            continue
        if name not in defaults:
            return body.unknown("T001", node, f"{record.name} misses `{name}`")
        values[position] = emit.constant(defaults[name])
    return Typed(emit.tuple_of(values), record)


def _replace(body: Body, node: ast.Call) -> Typed:
    if len(node.args) != 1:
        return body.unknown("T001", node, "write replace(record, field=value)")
    value = body.expr(node.args[0])
    kind = value.type
    if not isinstance(kind, RecordOf):
        if kind != UNKNOWN:
            body.add("T001", node, f"replace changes a record, not {show(kind)}")
        return value
    places: list[int] = []
    changes: list[ast.expr] = []
    for keyword in node.keywords:
        place = kind.index(keyword.arg or "")
        if place is None or place in places:
            body.add("L005", keyword, f"{kind.name} has no field `{keyword.arg}`")
            return value
        places.append(place)
        changes.append(body.fitting(keyword.value, kind.fields[place][1]))
    body.spend(prices.GAS_GUARD + prices.GAS_ITEM * len(kind.fields))
    positions = emit.constant(tuple(places))
    return Typed(emit.call("__replace", value.node, positions, emit.tuple_of(changes)), kind)


# --- acts --------------------------------------------------------------------------------------


def _text(body: Body, node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str() as text) if (
            len(text) <= limits.REQUIRE_TEXT_MAX and text.isprintable() and text.isascii()
        ):
            return text
    body.add("L009", node, f"a literal of at most {limits.REQUIRE_TEXT_MAX} ASCII characters")
    return ""


def _require(body: Body, node: ast.Call) -> Typed:
    if len(node.args) != 2 or node.keywords:
        return body.unknown("T001", node, 'write require(condition, "text")')
    condition = body.fitting(node.args[0], BOOL)
    refuse = emit.call("__refuse", emit.constant(_text(body, node.args[1])))
    return Typed(ast.IfExp(condition, emit.constant(None), refuse), NONE)


def _fail(body: Body, node: ast.Call) -> Typed:
    if len(node.args) != 1 or node.keywords:
        return body.unknown("T001", node, 'write fail("text")')
    return Typed(emit.call("__refuse", emit.constant(_text(body, node.args[0]))), NEVER)


def _site(body: Body, site: Site) -> ast.expr:
    body.unit.sites.append(site)
    return emit.constant(len(body.unit.sites) - 1)


def _outward(body: Body, node: ast.expr) -> Typed:
    """A value that leaves the contract; its type must be known and fit the outside depth."""
    typed = body.expr(node)
    if depth(typed.type) > limits.TYPE_DEPTH_MAX:
        body.add("T006", node)
    return typed


def _emit(body: Body, node: ast.Call) -> Typed:
    if len(node.args) != 1 or len(node.keywords) > limits.EVENT_FIELDS_MAX:
        return body.unknown("T001", node, 'write emit("Name", field=value)')
    name = _identifier(body, node.args[0])
    fields = [_outward(body, keyword.value) for keyword in node.keywords]
    names = tuple(str(keyword.arg) for keyword in node.keywords)
    site = Site("emit", name, names, tuple(field.type for field in fields), NONE)
    body.function.effects.add("emit")
    body.spend(prices.GAS_EVENT + prices.GAS_ITEM * len(fields))
    values = emit.tuple_of([field.node for field in fields])
    return Typed(emit.call("__emit", _site(body, site), values), NONE)


def _identifier(body: Body, node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str() as text) if (
            len(text) <= limits.NAME_LENGTH_MAX and text.isascii() and text.isidentifier()
        ):
            return text
    body.add("L009", node, "a literal name of letters, digits and underscores")
    return "_"


def _other_contract(body: Body, node: ast.Call, kind: str) -> Typed:
    if len(node.args) < 2 or [keyword.arg for keyword in node.keywords] not in ([], ["returns"]):
        return body.unknown("T001", node, 'write (contract, "method", *values, returns=type)')
    returns: Type = NONE
    if node.keywords:
        try:
            returns = parse_type(node.keywords[0].value, body.unit.declarations.records)
        except TypeInvalid as error:
            body.add(error.rule, error.node, str(error))
            returns = UNKNOWN
    elif kind == "view":
        body.add("T001", node, "view_contract needs returns=type")
    contract = body.fitting(node.args[0], STR)
    method = _identifier(body, node.args[1])
    values = [_outward(body, argument) for argument in node.args[2:]]
    site = Site(kind, method, (), tuple(value.type for value in values), returns)
    body.function.effects.add("call" if kind == "call" else "identity")
    body.spend(prices.GAS_CROSS_CALL + prices.GAS_ITEM * len(values))
    match node.args[0]:
        case ast.Constant(value=str() as target):
            sources = tuple(storage.source_of(body, argument) for argument in node.args[2:])
            storage.note_access(body, Access("contract", target, method, sources))
    arguments = emit.tuple_of([value.node for value in values])
    return Typed(emit.call("__invoke", _site(body, site), contract, arguments), returns)


def _host(body: Body, name: str, node: ast.Call) -> Typed:
    host = HOST[name]
    if len(node.args) != len(host.parameters) or node.keywords:
        return body.unknown("T001", node, f"{name} takes {len(host.parameters)} arguments")
    values = [
        body.fitting(argument, kind)
        for argument, kind in zip(node.args, host.parameters, strict=True)
    ]
    body.spend(host.gas)
    return Typed(emit.call(host.guard, *values), host.returns)


_IMPORTED: Final[Mapping[str, Callable[[Body, ast.Call], Typed]]] = {
    "require": _require,
    "fail": _fail,
    "emit": _emit,
    "replace": _replace,
    "call_contract": lambda body, node: _other_contract(body, node, "call"),
    "view_contract": lambda body, node: _other_contract(body, node, "view"),
}


# --- built-ins ---------------------------------------------------------------------------------


def _one(body: Body, node: ast.Call, expected: Type | None = None) -> Typed | None:
    if len(node.args) == 1:
        return body.expr(node.args[0], expected)
    body.add("T001", node, "one argument")
    return None


def _len(body: Body, node: ast.Call, _: Type | None) -> Typed:
    value = _one(body, node)
    if value is None or value.type == UNKNOWN:
        return stand_in()
    if value.type not in (STR, BYTES) and not isinstance(value.type, (ListOf, DictOf, TupleOf)):
        return body.unknown("T001", node, f"{show(value.type)} has no length")
    return Typed(emit.call("__len", value.node), INT, LENGTH_BITS)


def _extreme(guard: str, body: Body, node: ast.Call, _: Type | None) -> Typed:
    values = [body.expr(argument) for argument in node.args]
    if len(values) == 1 and isinstance(values[0].type, ListOf):
        kind = values[0].type.item
        operand = values[0].node
    elif len(values) >= 2:
        kind = values[0].type
        for value, argument in zip(values, node.args, strict=True):
            body.demand(value.type, kind, argument)
        operand = emit.tuple_of([value.node for value in values])
        body.spend(prices.GAS_ITEM * len(values))
    else:
        return body.unknown("T001", node, "a list, or two values or more")
    if kind not in (INT, STR, BYTES, UNKNOWN):
        return body.unknown("T001", node, f"no order of {show(kind)}")
    return Typed(emit.call(guard, operand), kind)


def _abs(body: Body, node: ast.Call, _: Type | None) -> Typed:
    value = _one(body, node)
    if value is None:
        return stand_in()
    body.demand(value.type, INT, node)
    return Typed(emit.call("__abs", value.node), INT, INT_BITS)


def _of_list(
    guard: str, item: Type, returns: Type, body: Body, node: ast.Call, _: Type | None
) -> Typed:
    value = _one(body, node, ListOf(item))
    if value is None:
        return stand_in()
    body.demand(value.type, ListOf(item), node)
    return Typed(emit.call(guard, value.node), returns)


def is_sortable(kind: Type) -> bool:
    if isinstance(kind, TupleOf):
        return all(item in (INT, STR, BYTES, BOOL) for item in kind.items)
    return kind in (INT, STR, BYTES, BOOL)


def _sorted(body: Body, node: ast.Call, _: Type | None) -> Typed:
    value = _one(body, node)
    if value is None or value.type == UNKNOWN:
        return stand_in()
    guard = "__sorted"
    item: Type = UNKNOWN
    if isinstance(value.type, ListOf):
        item = value.type.item
    elif isinstance(value.type, DictOf):
        item = value.type.key
    if not is_sortable(item):
        return body.unknown("T001", node, f"sorted does not take {show(value.type)}")
    return Typed(emit.call(guard, value.node), ListOf(item))


def _str(body: Body, node: ast.Call, _: Type | None) -> Typed:
    value = _one(body, node)
    if value is None or value.type not in (INT, BOOL, STR, UNKNOWN):
        return body.unknown("T001", node, "str() takes an int or a bool")
    body.spend(prices.GAS_TEXT + prices.GAS_ITEM)
    return Typed(emit.call("__fmt", value.node), STR)


def _int(body: Body, node: ast.Call, _: Type | None) -> Typed:
    value = _one(body, node)
    if value is None or value.type not in (STR, UNKNOWN):
        return body.unknown("T001", node, "int() takes decimal digits as str")
    body.spend(prices.GAS_TEXT + prices.GAS_ITEM)
    return Typed(emit.call("__int", value.node), INT)


def _list(body: Body, node: ast.Call, expected: Type | None) -> Typed:
    value = _one(body, node, expected)
    if value is None or value.type == UNKNOWN:
        return stand_in()
    match value.type:
        case ListOf(item) | DictOf(item, _):
            return Typed(emit.call("__list", value.node), ListOf(item))
        case TupleOf(items) if all(item == items[0] for item in items):
            return Typed(emit.call("__list", value.node), ListOf(items[0]))
        case Scalar() if value.type is STR:
            return Typed(emit.call("__list", value.node), ListOf(STR))
        case _:
            return body.unknown("T001", node, f"list() does not take {show(value.type)}")


_BUILTINS: Final[Mapping[str, Callable[[Body, ast.Call, Type | None], Typed]]] = {
    "len": _len,
    "min": partial(_extreme, "__min"),
    "max": partial(_extreme, "__max"),
    "sum": partial(_of_list, "__sum", INT, INT),
    "any": partial(_of_list, "__any", BOOL, BOOL),
    "all": partial(_of_list, "__all", BOOL, BOOL),
    "abs": _abs,
    "sorted": _sorted,
    "str": _str,
    "int": _int,
    "list": _list,
}
