"""List and dict comprehensions, and what a `for` runs over.

A comprehension becomes a function of its own: parameters are the first iterable and what it
captures, so that its scope is exactly what was resolved here.
"""

from __future__ import annotations

import ast

from contracts.vm import emit, limits, prices
from contracts.vm.body import Body, Scope, Typed
from contracts.vm.declare import is_name
from contracts.vm.operators import narrowings
from contracts.vm.types import (
    BOOL,
    BYTES,
    INT,
    STR,
    UNKNOWN,
    DictOf,
    ListOf,
    OptionalOf,
    TupleOf,
    Type,
    is_assignable,
    is_dict_key,
    show,
)

GENERATORS_MAX = 3  # nested loops in one comprehension: beyond, write statements


def translate_comprehension(
    body: Body, node: ast.ListComp | ast.DictComp, expected: Type | None
) -> Typed:
    if len(node.generators) > GENERATORS_MAX:
        return body.unknown("S003", node, f"at most {GENERATORS_MAX} `for` in a comprehension")
    name = f"__c_{len(body.unit.comprehensions)}"
    # Reserve the number: inner comprehensions take the next ones.
    body.unit.comprehensions.append(emit.function(name, [], []))
    slot = len(body.unit.comprehensions) - 1
    first, item_type = iterable(body, node.generators[0].iter)
    body.spend(prices.GAS_FUNCTION + prices.GAS_ITEM)

    outer, spent = body.scope, body.take_cost()
    body.scope = Scope(outer=outer, is_dead=outer.is_dead)
    statements, kind = _loops(body, node, 0, emit.load(emit.ITERATOR), item_type, expected)
    inner, body.scope, body.cost = body.scope, outer, spent
    captured = list(inner.captured)
    for capture in captured:  # an enclosing comprehension must capture it in turn
        body.lookup(capture, node)
    if len(captured) >= limits.GIVEN_MAX:  # beside what it runs over
        reason = f"the comprehension uses {len(captured)} values of the function around it"
        return body.unknown("R004", node, reason)

    start = ast.Dict([], []) if isinstance(node, ast.DictComp) else ast.List([], ast.Load())
    code: list[ast.stmt] = [
        emit.assign(emit.GAS, emit.constant(0)),
        emit.assign(emit.RESULT, start),
        *statements,
        emit.flush(),
        ast.Return(emit.load(emit.RESULT)),
    ]
    body.unit.comprehensions[slot] = emit.function(name, [emit.ITERATOR, *captured], code)
    return Typed(emit.call(name, first, *map(emit.load, captured)), kind)


def _loops(
    body: Body,
    node: ast.ListComp | ast.DictComp,
    level: int,
    iterator: ast.expr,
    item_type: Type,
    expected: Type | None,
) -> tuple[list[ast.stmt], Type]:
    """The nested loop from `level` inwards and the type of what it builds."""
    generator = node.generators[level]
    if generator.is_async:
        body.add("L002", generator.target, "no async in the language")
    target = bind_target(body, generator.target, item_type)
    body.spend(prices.GAS_ITERATION)
    tests = []
    known = dict(body.scope.narrowed)
    for test in generator.ifs:
        tests.append(body.fitting(test, BOOL))
        body.scope.narrowed |= narrowings(body, test)[0]
    if level + 1 < len(node.generators):
        inner_iterator, inner_type = iterable(body, node.generators[level + 1].iter)
        gas = body.take_cost()
        inner, kind = _loops(body, node, level + 1, inner_iterator, inner_type, expected)
    else:
        inner, kind = _element(body, node, expected)
        gas = body.take_cost()
    body.scope.narrowed = known
    for test in reversed(tests):
        inner = [ast.If(test, inner, [])]
    loop_body = [emit.flush_if_over(limits.FLUSH_EVERY), *emit.charge(gas), *inner]
    return [ast.For(target, iterator, loop_body, [])], kind


def _element(
    body: Body, node: ast.ListComp | ast.DictComp, expected: Type | None
) -> tuple[list[ast.stmt], Type]:
    result = emit.load(emit.RESULT)
    body.spend(prices.GAS_GUARD)
    if isinstance(node, ast.ListComp):
        wanted = expected.item if isinstance(expected, ListOf) else None
        item = body.expr(node.elt, wanted)
        item_kind = wanted if wanted and is_assignable(item.type, wanted) else item.type
        return [ast.Expr(emit.call("__list_append", result, item.node))], ListOf(item_kind)
    wanted_dict = expected if isinstance(expected, DictOf) else None
    key = body.expr(node.key, wanted_dict.key if wanted_dict else None)
    value = body.expr(node.value, wanted_dict.value if wanted_dict else None)
    if key.type != UNKNOWN and not is_dict_key(key.type):
        body.add("T008", node.key, f"{show(key.type)} is no dict key")
    value_kind = value.type
    if wanted_dict and is_assignable(value.type, wanted_dict.value):
        value_kind = wanted_dict.value
    call = emit.call("__dict_set", result, key.node, value.node)
    return [ast.Expr(call)], DictOf(key.type, value_kind)


def bind_target(body: Body, target: ast.expr, kind: Type) -> ast.expr:
    """Bind a loop or unpacking target to values of type `kind`."""
    match target:
        case ast.Name(id=name):
            if not is_name(name):
                body.add("N002", target, f"`{name}` is no name of the language")
            body.bind(name, kind, target)
            return emit.store(name)
        case ast.Tuple(elts=parts):
            kinds: tuple[Type, ...] = (UNKNOWN,) * len(parts)
            if isinstance(kind, TupleOf) and len(kind.items) == len(parts):
                kinds = kind.items
            elif kind != UNKNOWN:
                body.add("T001", target, f"{show(kind)} does not unpack to {len(parts)} names")
            bound = [bind_target(body, part, item) for part, item in zip(parts, kinds, strict=True)]
            return ast.Tuple(bound, ast.Store())
        case _:
            body.add("L001", target, "assign to names")
            return emit.store("_")


# --- iterables ---------------------------------------------------------------------------------


def iterable(body: Body, node: ast.expr) -> tuple[ast.expr, Type]:
    """What a loop runs over, and the type of its items."""
    match node:
        case ast.Call(
            func=ast.Name(id="range" | "enumerate" | "zip" | "reversed" as name), keywords=[]
        ) if body.lookup(name, node) is None:
            body.spend(prices.GAS_GUARD * 2)
            return _iterator_call(body, name, node)
        case ast.Call(
            func=ast.Attribute(value=owner, attr="items" | "keys" | "values" as method),
            args=[],
            keywords=[],
        ) if not (isinstance(owner, ast.Name) and owner.id in body.unit.declarations.storage):
            value = body.expr(owner)
            if isinstance(value.type, DictOf):
                body.spend(prices.GAS_GUARD)
                key, item = value.type.key, value.type.value
                pairs = {"items": TupleOf((key, item)), "keys": key, "values": item}
                return emit.call(f"__{method}", value.node), pairs[method]
            body.add("T001", node, f"{show(value.type)} has no {method}()")
            return value.node, UNKNOWN
    value = body.expr(node)
    return _plain_iterable(body, value, node)


def _plain_iterable(body: Body, value: Typed, node: ast.expr) -> tuple[ast.expr, Type]:
    kind = value.type
    match kind:
        case ListOf(item):
            return value.node, item
        case DictOf(key, _):
            body.spend(prices.GAS_GUARD)
            return emit.call("__keys", value.node), key
        case TupleOf(items) if all(item == items[0] for item in items):
            return value.node, items[0]
        case OptionalOf():
            body.add("T005", node, "this may be None: nothing to run over yet")
        case _ if kind is STR:
            return value.node, STR
        case _ if kind is BYTES:
            return value.node, INT
        case _ if kind != UNKNOWN:
            body.add("T001", node, f"a loop does not run over {show(kind)}")
    return value.node, UNKNOWN


def _iterator_call(body: Body, name: str, node: ast.Call) -> tuple[ast.expr, Type]:
    match name, node.args:
        case "range", [_, *_] as arguments if len(arguments) <= 3:
            return emit.call("__range", *(body.fitting(a, INT) for a in arguments)), INT
        case "enumerate", [inner]:
            value, kind = iterable(body, inner)
            return emit.call("__enumerate", value), TupleOf((INT, kind))
        case "zip", [first, second, *rest] if len(rest) <= 1:
            parts = [iterable(body, part) for part in (first, second, *rest)]
            return emit.call("__zip", *(part[0] for part in parts)), TupleOf(
                tuple(part[1] for part in parts)
            )
        case "reversed", [inner]:
            typed = body.expr(inner)
            if not isinstance(typed.type, (ListOf, TupleOf)):
                body.add("T001", node, "reversed takes a list")
                return typed.node, UNKNOWN
            value, kind = _plain_iterable(body, typed, node)
            return emit.call("__reversed", value), kind
        case _:
            body.add("T001", node, f"{name} does not take these arguments")
            return emit.constant(()), UNKNOWN
