"""Expressions: typed, resolved, and rewritten to guarded code. The white list is `translate`."""

from __future__ import annotations

import ast

from contracts.vm import calls, comprehensions, emit, limits, operators, prices
from contracts.vm.body import Access, Body, Typed
from contracts.vm.declare import BUILTINS, checked_literal, constant_type
from contracts.vm.standing import FIELDS as STANDING_FIELDS
from contracts.vm.standing import PARTIES
from contracts.vm.standing import VIEW as STANDING_VIEW
from contracts.vm.storage_ops import note_access, operate
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
    OptionalOf,
    RecordOf,
    Scalar,
    TupleOf,
    Type,
    is_assignable,
    is_dict_key,
    join,
    show,
)
from contracts.vm.widths import INT_BITS

CONTEXT = {
    "sender": STR,
    "origin": STR,
    "chain_id": BYTES,
    "height": INT,
    "time_ms": INT,
    "contract": STR,
    "method": STR,
    "tx_id": BYTES,
}


def translate(body: Body, node: ast.expr, expected: Type | None) -> Typed:
    """The translation of one expression; `expected` types empty displays and None."""
    if isinstance(expected, OptionalOf) and not isinstance(node, ast.IfExp):
        expected = expected.inner
    match node:
        case ast.Constant():
            return _constant(body, node)
        case ast.Name():
            return _name(body, node)
        case ast.JoinedStr():
            return _joined(body, node)
        case ast.BinOp():
            return operators.binary(body, node, expected)
        case ast.UnaryOp():
            return operators.unary(body, node)
        case ast.BoolOp():
            return operators.boolean(body, node)
        case ast.Compare():
            return operators.compare(body, node)
        case ast.IfExp():
            return operators.conditional(body, node, expected)
        case ast.Call():
            return calls.translate_call(body, node, expected)
        case ast.Attribute():
            return _attribute(body, node)
        case ast.Subscript():
            return _subscript(body, node)
        case ast.List():
            return _list(body, node, expected)
        case ast.Tuple():
            return _tuple(body, node, expected)
        case ast.Dict():
            return _dict(body, node, expected)
        case ast.ListComp() | ast.DictComp():
            return comprehensions.translate_comprehension(body, node, expected)
        case _:
            return body.unknown("L002", node, f"no {type(node).__name__} in the language")


def _constant(body: Body, node: ast.Constant) -> Typed:
    value = checked_literal(node, body.unit.findings)
    return _of_value(emit.constant(value), constant_type(value), value)


def _of_value(node: ast.expr, kind: Type, value: object) -> Typed:
    bits = value.bit_length() if type(value) is int else INT_BITS
    return Typed(node, kind, bits)


def _name(body: Body, node: ast.Name) -> Typed:
    local = body.lookup(node.id, node)
    if local is not None:
        return local
    declarations = body.unit.declarations
    if node.id in declarations.constants:
        kind, value = declarations.constants[node.id]
        return _of_value(emit.constant(value), kind, value)
    if declarations.is_taken(node.id) or node.id in BUILTINS:
        return body.unknown("L007", node, f"`{node.id}` is no value")
    return body.unknown("N001", node, f"`{node.id}` is not known")


def _joined(body: Body, node: ast.JoinedStr) -> Typed:
    parts: list[ast.expr] = []
    for part in node.values:
        match part:
            case ast.Constant(value=str()):
                parts.append(_constant(body, part).node)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                typed = body.expr(value)
                if typed.type not in (STR, INT, BOOL, UNKNOWN):
                    body.add("T001", value, f"no text form of {show(typed.type)}")
                parts.append(typed.node)
            case _:
                body.add("L002", node, "f-strings take no conversion and no format")
    body.spend(prices.GAS_GUARD + prices.GAS_TEXT + len(parts) * prices.GAS_ITEM)
    while len(parts) > limits.GIVEN_MAX:
        parts = [emit.call("__fmt", *piece) for piece in emit.pieces(parts)]
    return Typed(emit.call("__fmt", *parts), STR)


def _attribute(body: Body, node: ast.Attribute) -> Typed:
    if isinstance(node.value, ast.Name) and node.value.id == "ctx":
        return _context(body, node)
    value = body.expr(node.value)
    kind = value.type
    if kind == UNKNOWN:
        return value
    if isinstance(kind, OptionalOf):
        return body.unknown("T005", node, f"this may be None: no `.{node.attr}` yet")
    position = kind.index(node.attr) if isinstance(kind, RecordOf) else None
    if position is None or not isinstance(kind, RecordOf):
        return body.unknown("L005", node, f"{show(kind)} has no field `{node.attr}`")
    return Typed(emit.index(value.node, emit.constant(position)), kind.fields[position][1])


def _context(body: Body, node: ast.Attribute) -> Typed:
    if "ctx" not in body.unit.declarations.imports:
        return body.unknown("N001", node, "`ctx` is not imported")
    if node.attr in STANDING_FIELDS:
        return _standing(body, node)
    if node.attr not in CONTEXT:
        return body.unknown("L005", node, f"ctx has no `{node.attr}`")
    body.unit.context_used.add(node.attr)
    if node.attr in ("sender", "origin"):
        body.function.effects.add("identity")
    return Typed(emit.load(f"__ctx_{node.attr}"), CONTEXT[node.attr])


def _standing(body: Body, node: ast.Attribute) -> Typed:
    """`ctx.party` and `ctx.roles`: asked for at their first use, so a guard gives them."""
    body.demand_feature("ctx_party", node)
    body.unit.context_used.add(node.attr)
    body.function.effects.add("identity")
    body.spend(prices.GAS_GUARD)
    note_access(body, Access("contract", PARTIES, STANDING_VIEW, (("sender", 0),)))
    return Typed(emit.call(f"__ctx_{node.attr}"), STANDING_FIELDS[node.attr])


def _subscript(body: Body, node: ast.Subscript) -> Typed:
    if isinstance(node.value, ast.Name) and node.value.id in body.unit.declarations.storage:
        return operate(body, node.value.id, "item", node.slice, [], node)
    value = body.expr(node.value)
    if isinstance(node.slice, ast.Slice):
        return _slice(body, node, value, node.slice)
    match value.type:
        case ListOf(item):
            return Typed(emit.index(value.node, body.fitting(node.slice, INT)), item)
        case DictOf(key, item):
            body.spend(prices.GAS_GUARD)
            return Typed(emit.call("__dict_item", value.node, body.fitting(node.slice, key)), item)
        case TupleOf(items):
            return _tuple_item(body, node, value, items)
        case Scalar() if value.type is STR:
            return Typed(emit.index(value.node, body.fitting(node.slice, INT)), STR)
        case Scalar() if value.type is BYTES:
            return Typed(emit.index(value.node, body.fitting(node.slice, INT)), INT)
        case OptionalOf():
            return body.unknown("T005", node, "this may be None: no index yet")
        case _ if value.type == UNKNOWN:
            return value
        case _:
            return body.unknown("T001", node, f"{show(value.type)} has no items")


def _tuple_item(body: Body, node: ast.Subscript, value: Typed, items: tuple[Type, ...]) -> Typed:
    match node.slice:
        case ast.Constant(value=int() as position) if type(position) is int:
            if position < len(items):
                return Typed(emit.index(value.node, emit.constant(position)), items[position])
            return body.unknown("T001", node, "the tuple is shorter")
    if all(item == items[0] for item in items):
        return Typed(emit.index(value.node, body.fitting(node.slice, INT)), items[0])
    return body.unknown("T001", node, "the index into a mixed tuple is a literal")


def _slice(body: Body, node: ast.Subscript, value: Typed, part: ast.Slice) -> Typed:
    if part.step is not None:
        return body.unknown("L002", node, "slices have no step")
    if value.type not in (STR, BYTES) and not isinstance(value.type, ListOf):
        return body.unknown("T001", node, f"no slice of {show(value.type)}")
    bounds = [
        emit.constant(None) if bound is None else body.fitting(bound, INT)
        for bound in (part.lower, part.upper)
    ]
    body.spend(prices.GAS_GUARD + prices.GAS_TEXT)
    return Typed(emit.call("__slice", value.node, *bounds), value.type)


# --- displays ----------------------------------------------------------------------------------


def _list(body: Body, node: ast.List, expected: Type | None) -> Typed:
    wanted = expected.item if isinstance(expected, ListOf) else None
    items = [body.expr(item, wanted) for item in node.elts]
    body.spend(prices.GAS_ITEM * (len(items) + 1))
    kind = _common(body, [item.type for item in items], wanted, node)
    return Typed(emit.list_of([item.node for item in items]), ListOf(kind))


def _common(body: Body, kinds: list[Type], wanted: Type | None, node: ast.expr) -> Type:
    """The item type of a display: the expected one if all fit, else their smallest common one."""
    if wanted is not None and all(is_assignable(kind, wanted) for kind in kinds):
        return wanted
    if not kinds:
        return body.unknown("T003", node, "the type of this empty display is not known").type
    common = kinds[0]
    for kind in kinds[1:]:
        joined = join(common, kind)
        if joined is None:
            reason = f"{show(common)} and {show(kind)} in one display"
            return body.unknown("T001", node, reason).type
        common = joined
    if common in (NONE, NEVER):
        return body.unknown("T003", node, "the type of these items is not known").type
    return common


def _tuple(body: Body, node: ast.Tuple, expected: Type | None) -> Typed:
    wanted: tuple[Type | None, ...] = (None,) * len(node.elts)
    if isinstance(expected, TupleOf) and len(expected.items) == len(node.elts):
        wanted = expected.items
    items = [body.expr(item, want) for item, want in zip(node.elts, wanted, strict=True)]
    if not items:
        return body.unknown("T002", node, "no empty tuples")
    body.spend(prices.GAS_ITEM * (len(items) + 1))
    # An item takes the expected type where it fits: (1, None) may be a tuple[int, str | None].
    kinds = tuple(
        want if want is not None and is_assignable(item.type, want) else item.type
        for item, want in zip(items, wanted, strict=True)
    )
    if any(kind == NONE and want is None for kind, want in zip(kinds, wanted, strict=True)):
        body.add("T003", node, "the type of None in this tuple is not known")
    return Typed(emit.tuple_of([item.node for item in items]), TupleOf(kinds))


def _dict(body: Body, node: ast.Dict, expected: Type | None) -> Typed:
    wanted = expected if isinstance(expected, DictOf) else None
    keys: list[Typed] = []
    values: list[Typed] = []
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            return body.unknown("L002", node, "no `**` in displays")
        keys.append(body.expr(key, wanted.key if wanted else None))
        values.append(body.expr(value, wanted.value if wanted else None))
    body.spend(prices.GAS_GUARD + prices.GAS_DICT_ITEM * (len(keys) + 1))
    key_type = _common(body, [key.type for key in keys], wanted.key if wanted else None, node)
    value_type = (
        _common(body, [value.type for value in values], wanted.value if wanted else None, node)
        if key_type != UNKNOWN
        else UNKNOWN
    )
    if key_type != UNKNOWN and not is_dict_key(key_type):
        body.add("T008", node, f"{show(key_type)} is no dict key")
    pairs = [item.node for pair in zip(keys, values, strict=True) for item in pair]
    parts = [emit.call("__dict", *part) for part in emit.pieces(pairs)] or [emit.call("__dict")]
    return Typed(emit.joined(parts, ast.BitOr()), DictOf(key_type, value_type))
