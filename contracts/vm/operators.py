"""Operators: arithmetic with bounds, comparisons priced by the size of what they compare."""

from __future__ import annotations

import ast

from contracts.vm import emit, limits, prices
from contracts.vm.body import Body, Narrowing, Typed, settle
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
    TupleOf,
    Type,
    is_assignable,
    join,
    show,
)
from contracts.vm.widths import INT_BITS, result_width

_ORDERED = (INT, STR, BYTES)


def binary(body: Body, node: ast.BinOp, expected: Type | None) -> Typed:
    left = body.raw(node.left, expected)
    right = body.raw(node.right, expected if isinstance(left.type, ListOf) else None)
    return combine(body, node.op, left, right, node)


def combine(
    body: Body, operator: ast.operator, left: Typed, right: Typed, node: ast.expr | ast.stmt
) -> Typed:
    """`left operator right`; also serves augmented assignment."""
    if UNKNOWN in (left.type, right.type):
        return Typed(left.node, UNKNOWN)
    if left.type is INT and right.type is INT:
        return _integers(body, operator, left, right, node)
    if isinstance(operator, ast.Add) and left.type == right.type:
        body.spend(prices.GAS_GUARD)
        if left.type in (STR, BYTES):
            body.spend(prices.GAS_TEXT)
            return Typed(emit.call("__cat", left.node, right.node), left.type)
        if isinstance(left.type, ListOf):
            return Typed(emit.call("__cat_list", left.node, right.node), left.type)
    sign = type(operator).__name__
    body.add("T001", node, f"no {sign} of {show(left.type)} and {show(right.type)}")
    return Typed(left.node, UNKNOWN)


def _integers(
    body: Body, operator: ast.operator, left: Typed, right: Typed, node: ast.expr | ast.stmt
) -> Typed:
    guard = {ast.Pow: "__pow", ast.LShift: "__shl", ast.RShift: "__shr"}.get(type(operator))
    if guard is not None:
        body.spend(prices.GAS_POWER if guard == "__pow" else prices.GAS_GUARD)
        return Typed(emit.call(guard, settle(left).node, settle(right).node), INT)
    match operator:
        case ast.Add() | ast.Sub() | ast.BitAnd() | ast.BitOr() | ast.BitXor():
            pass
        case ast.Mult() | ast.FloorDiv() | ast.Mod():
            body.spend(prices.GAS_DIVIDE)
        case _:
            body.add("L002", node, "int has no such operator; `//` divides")
            return Typed(left.node, UNKNOWN)
    bits = result_width(operator, left.bits, right.bits)
    if bits > limits.INTERMEDIATE_BITS_MAX:
        return _integers(body, operator, settle(left), settle(right), node)
    if bits >= INT_BITS and not isinstance(operator, (ast.FloorDiv, ast.Mod)):
        bits = max(bits, INT_BITS + 1)  # exactly at the bound still needs the check
    body.spend(prices.GAS_NODE * 2)
    return Typed(ast.BinOp(left.node, operator, right.node), INT, bits)


def unary(body: Body, node: ast.UnaryOp) -> Typed:
    operand = body.raw(node.operand)
    match node.op:
        case ast.Not():
            body.demand(operand.type, BOOL, node.operand)
            return Typed(ast.UnaryOp(node.op, operand.node), BOOL)
        case ast.UAdd():
            body.demand(operand.type, INT, node.operand)
            return operand  # nothing to do, and each version of CPython has another opcode for it
        case _:  # - and ~
            body.demand(operand.type, INT, node.operand)
            if isinstance(operand.node, ast.Constant) and type(operand.node.value) is int:
                return Typed(ast.UnaryOp(node.op, operand.node), INT, operand.bits + 1)
            bits = INT_BITS + 1 if operand.bits >= INT_BITS - 1 else operand.bits + 1
            return Typed(ast.UnaryOp(node.op, operand.node), INT, max(bits, operand.bits))


def boolean(body: Body, node: ast.BoolOp) -> Typed:
    """`and`/`or` of bools; each operand knows what the ones before it established."""
    is_and = isinstance(node.op, ast.And)
    known: Narrowing = {}
    operands: list[ast.expr] = []
    for value in node.values:
        with body.narrowed(known):
            operands.append(body.fitting(value, BOOL))
            when_true, when_false = narrowings(body, value)
        known |= when_true if is_and else when_false
    return Typed(ast.BoolOp(node.op, operands), BOOL)


def conditional(body: Body, node: ast.IfExp, expected: Type | None) -> Typed:
    test = body.fitting(node.test, BOOL)
    when_true, when_false = narrowings(body, node.test)
    with body.narrowed(when_true):
        first = body.expr(node.body, expected)
    with body.narrowed(when_false):
        second = body.expr(node.orelse, expected)
    kind = join(first.type, second.type)
    if kind is None:
        return body.unknown("T001", node, f"{show(first.type)} or {show(second.type)}: write one")
    return Typed(ast.IfExp(test, first.node, second.node), kind)


def narrowings(body: Body, test: ast.expr) -> tuple[Narrowing, Narrowing]:
    """What is known of Optional locals where `test` is true, and where it is false."""
    match test:
        case ast.Compare(
            left=ast.Name(id=name), ops=[ast.Is() | ast.IsNot() as op], comparators=[right]
        ) if isinstance(right, ast.Constant) and right.value is None:
            local = body.scope.types.get(name)
            if not isinstance(local, OptionalOf):
                return {}, {}
            present: Narrowing = {name: local.inner}
            absent: Narrowing = {name: NONE}
            return (absent, present) if isinstance(op, ast.Is) else (present, absent)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            when_true, when_false = narrowings(body, operand)
            return when_false, when_true
        case ast.BoolOp(op=op, values=values):
            merged: Narrowing = {}
            side = 0 if isinstance(op, ast.And) else 1
            for value in values:
                merged |= narrowings(body, value)[side]
            return (merged, {}) if side == 0 else ({}, merged)
        case _:
            return {}, {}


# --- comparisons ------------------------------------------------------------------------------


def compare(body: Body, node: ast.Compare) -> Typed:
    if len(node.ops) == 1:
        return _compare_once(body, node.left, node.ops[0], node.comparators[0], node)
    if not all(isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq)) for op in node.ops):
        return body.unknown("L002", node, "only < <= > >= == make a chain")
    operands = [body.raw(operand) for operand in (node.left, *node.comparators)]
    for operand, source in zip(operands, (node.left, *node.comparators), strict=True):
        body.demand(operand.type, INT, source)
    left, *rest = (operand.node for operand in operands)
    return Typed(ast.Compare(left, list(node.ops), rest), BOOL)


def _compare_once(
    body: Body, left: ast.expr, operator: ast.cmpop, right: ast.expr, node: ast.Compare
) -> Typed:
    match operator:
        case ast.In() | ast.NotIn():
            return _membership(body, left, operator, right, node)
        case ast.Is() | ast.IsNot():
            if not (isinstance(right, ast.Constant) and right.value is None):
                return body.unknown("L002", node, "`is` tests for None only")
            value = body.expr(left)
            if not isinstance(value.type, OptionalOf) and value.type not in (NONE, UNKNOWN):
                body.add("T001", node, f"{show(value.type)} is never None")
            return Typed(ast.Compare(value.node, [operator], [emit.constant(None)]), BOOL)
    first = body.raw(left)
    second = body.raw(right, first.type)
    is_equality = isinstance(operator, (ast.Eq, ast.NotEq))
    if UNKNOWN not in (first.type, second.type):
        if join(first.type, second.type) is None:
            return body.unknown(
                "T001", node, f"{show(first.type)} is not comparable with {show(second.type)}"
            )
        if not is_equality and not (first.type == second.type and first.type in _ORDERED):
            return body.unknown("T001", node, f"no order of {show(first.type)}")
    compared = _priced(body, first, second)
    return Typed(ast.Compare(compared, [operator], [second.node]), BOOL)


def _is_small(kind: Type) -> bool:
    if isinstance(kind, OptionalOf):
        return _is_small(kind.inner)
    return isinstance(kind, Scalar) and kind not in (STR, BYTES)


def _priced(body: Body, first: Typed, second: Typed) -> ast.expr:
    """The left operand, charged for its size unless one side is small or literal."""
    if _is_small(first.type) or _is_small(second.type):
        return first.node
    for side in (first.node, second.node):
        if isinstance(side, ast.Constant) and isinstance(side.value, (str, bytes)):
            body.spend(len(side.value) // 8)
            return first.node
    body.spend(prices.GAS_GUARD + (prices.GAS_TEXT if first.type in (STR, BYTES) else 0))
    return emit.call("__priced", first.node)


def _membership(
    body: Body, left: ast.expr, operator: ast.cmpop, right: ast.expr, node: ast.Compare
) -> Typed:
    if isinstance(right, ast.Name) and right.id in body.unit.declarations.storage:
        test = _in_storage(body, left, right)
    else:
        test = _in_value(body, left, right, node)
    if isinstance(operator, ast.NotIn):
        return Typed(ast.UnaryOp(ast.Not(), test), BOOL)
    return Typed(test, BOOL)


def _in_storage(body: Body, left: ast.expr, right: ast.Name) -> ast.expr:
    from contracts.vm.storage_ops import operate

    return operate(body, right.id, "has", left, [], right).node


def _in_value(body: Body, left: ast.expr, right: ast.expr, node: ast.Compare) -> ast.expr:
    container = body.expr(right)
    kind = container.type
    body.spend(prices.GAS_GUARD)
    match kind:
        case TupleOf(items):
            value = body.expr(left)
            if not all(is_assignable(value.type, item) for item in items):
                body.add("T001", node, f"{show(value.type)} is not in {show(kind)}")
            body.spend(len(items) * prices.GAS_NODE)
            return emit.call("__in_list", value.node, container.node)
        case ListOf(item):
            return emit.call("__in_list", body.fitting(left, item), container.node)
        case DictOf(key, _):
            return emit.call("__in_dict", body.fitting(left, key), container.node)
        case Scalar() if kind in (STR, BYTES):
            body.spend(prices.GAS_TEXT)
            return emit.call("__in_text", body.fitting(left, kind), container.node)
        case _:
            return body.unknown("T001", node, f"`in` does not search {show(kind)}").node
