"""Statements: control flow, assignment, and where gas is charged.

Straight-line code is charged as one block before it runs: the cost of every expression gathers
in `body.cost` and becomes one `__g += n` at the start of its block. Loop bodies flush the local
counter to the meter, so no loop runs for long beyond its gas.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from contracts.vm import emit, limits, prices
from contracts.vm.body import Body, Narrowing, Typed, settle, stand_in
from contracts.vm.comprehensions import bind_target, iterable
from contracts.vm.declare import is_name
from contracts.vm.operators import combine, narrowings
from contracts.vm.pace import paced
from contracts.vm.storage_ops import operate
from contracts.vm.types import (
    BOOL,
    INT,
    NEVER,
    NONE,
    UNKNOWN,
    DictOf,
    ListOf,
    Type,
    TypeInvalid,
    is_assignable,
    parse_type,
    show,
)


def translate_function(body: Body) -> ast.FunctionDef:
    """The guarded form of one function."""
    function = body.function
    declarations = body.unit.declarations
    for name, kind in function.parameters:
        if declarations.is_taken(name):
            body.add("N003", function.node, f"parameter `{name}` hides another name")
        body.scope.types[name] = kind
        body.scope.assigned.add(name)
    statements = block(body, function.node.body)
    if not body.scope.is_dead and function.returns not in (NONE, UNKNOWN):
        body.add("T004", function.node, f"`{function.name}` may end without a result")
    code = [emit.assign(emit.GAS, emit.constant(0)), *statements]
    if not body.scope.is_dead:
        code.append(emit.flush())
    names = [name for name, _ in function.parameters]
    return emit.function(f"__f_{function.name}", names, code)


def block(body: Body, nodes: Sequence[ast.stmt]) -> list[ast.stmt]:
    """A block of statements; every straight-line run is charged where it starts."""
    done: list[ast.stmt] = []
    run: list[ast.stmt] = []
    for position, node in enumerate(nodes):
        if body.scope.is_dead:
            body.add("L011", node)
            break
        if position == 0 and isinstance(node, ast.Expr) and _is_text(node.value):
            continue
        body.begin(node)
        if isinstance(node, (ast.If, ast.For, ast.While)):
            gas, compound = _compound(body, node)
            done += [*emit.charge(gas), *run, *body.done(node, [compound])]
            run = []
        else:
            lines = statement(body, node)
            if body.scope.is_dead and not isinstance(node, (ast.Break, ast.Continue)):
                lines.insert(0, emit.flush())
            run += body.done(node, lines)
    return [*done, *emit.charge(body.take_cost()), *run] or [ast.Pass()]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def statement(body: Body, node: ast.stmt) -> list[ast.stmt]:
    """A statement without statements inside."""
    match node:
        case ast.Expr():
            return _expression(body, node)
        case ast.Assign(targets=[target]):
            return _assign(body, target, node)
        case ast.AnnAssign():
            return _annotated(body, node)
        case ast.AugAssign():
            return _augmented(body, node)
        case ast.Return():
            return _return(body, node)
        case ast.Delete():
            return [line for target in node.targets for line in _delete(body, target)]
        case ast.Break() | ast.Continue():
            if body.loop_depth == 0:
                body.add("L001", node, "only inside a loop")
            body.scope.is_dead = True
            return [node]
        case ast.Pass():
            return []
        case _:
            body.add("L001", node, f"no {type(node).__name__} in the language")
            return []


def _compound(body: Body, node: ast.If | ast.For | ast.While) -> tuple[int, ast.stmt]:
    """The statement, and the gas of the run that leads to it with its own head."""
    match node:
        case ast.If():
            return _if(body, node)
        case ast.For():
            return _for(body, node)
        case ast.While():  # pragma: no branch (no other kind)
            return _while(body, node)


def _expression(body: Body, node: ast.Expr) -> list[ast.stmt]:
    if not isinstance(node.value, ast.Call):
        body.add("L001", node, "an expression statement is a call")
        return []
    typed = body.raw(node.value)
    if typed.type == NEVER:
        body.scope.is_dead = True
    return [ast.Expr(typed.node)]


def _return(body: Body, node: ast.Return) -> list[ast.stmt]:
    returns = body.function.returns
    value: ast.expr | None = None
    if node.value is not None:
        value = body.fitting(node.value, returns)
    elif returns not in (NONE, UNKNOWN):
        body.add("T004", node, f"returns {show(returns)}")
    body.scope.is_dead = True
    return [ast.Return(value)]


# --- assignment --------------------------------------------------------------------------------


def _bind(body: Body, name: str, kind: Type, node: ast.stmt) -> ast.expr:
    if not is_name(name):
        body.add("N002", node, f"`{name}` is no name of the language")
    if kind in (NONE, NEVER) and name not in body.scope.types:
        body.add("T003", node, f"annotate: `{name}: T | None = ...`")
        kind = UNKNOWN
    body.bind(name, kind, node)
    return emit.store(name)


def _assign(body: Body, target: ast.expr, node: ast.Assign) -> list[ast.stmt]:
    match target:
        case ast.Name(id=name):
            value = body.expr(node.value, body.scope.types.get(name))
            return [ast.Assign([_bind(body, name, value.type, node)], value.node)]
        case ast.Tuple():
            value = body.expr(node.value)
            return [ast.Assign([bind_target(body, target, value.type)], value.node)]
        case ast.Subscript():
            return _store_item(body, target, node.value, None)
        case _:
            body.add("L001", target, "assign to names and items; records change by replace()")
            return []


def _annotated(body: Body, node: ast.AnnAssign) -> list[ast.stmt]:
    if not isinstance(node.target, ast.Name) or node.value is None or not node.simple:
        body.add("L001", node, "write `name: type = value`")
        return []
    name = node.target.id
    try:
        kind = parse_type(node.annotation, body.unit.declarations.records)
    except TypeInvalid as error:
        body.add(error.rule, error.node, str(error))
        kind = UNKNOWN
    if kind == NONE:
        body.add("T002", node, "a local that is always None")
    if body.scope.types.get(name, kind) != kind:
        body.add("T001", node, f"`{name}` is {show(body.scope.types[name])} already")
    value = body.expr(node.value, kind)
    body.demand(value.type, kind, node.value)
    if name not in body.scope.types:
        _bind(body, name, kind if kind != NONE else UNKNOWN, node)
    body.bind(name, value.type if is_assignable(value.type, kind) else kind, node)
    return [emit.assign(name, value.node)]


def _augmented(body: Body, node: ast.AugAssign) -> list[ast.stmt]:
    match node.target:
        case ast.Name(id=name):
            current = body.lookup(name, node.target)
            if current is None:
                body.add("N001", node, f"`{name}` is no local")
                return []
            _refuse_list(body, current.type, node)
            right = body.raw(node.value, current.type)
            value = settle(combine(body, node.op, current, right, node))
            body.bind(name, value.type, node)
            return [emit.assign(name, value.node)]
        case ast.Subscript() as target:
            return _store_item(body, target, node.value, node.op)
        case _:
            body.add("L001", node, "change names and items")
            return []


def _refuse_list(body: Body, kind: Type, node: ast.stmt | ast.expr) -> None:
    if isinstance(kind, ListOf):
        body.add("T001", node, "write extend(): += would also change other names of this list")


def _held(body: Body, typed_node: ast.expr, lines: list[ast.stmt]) -> ast.expr:
    """The value in a compiler local (unless it is a name or literal), evaluated here."""
    if isinstance(typed_node, (ast.Name, ast.Constant)):
        return typed_node
    name = body.temporary()
    lines.append(emit.assign(name, typed_node))
    return emit.load(name)


def _store_item(
    body: Body, target: ast.Subscript, value: ast.expr, operator: ast.operator | None
) -> list[ast.stmt]:
    """`container[key] = value` or `container[key] += value`, each part evaluated once."""
    owner = target.value
    if isinstance(owner, ast.Name) and owner.id in body.unit.declarations.storage:
        return _store_in_map(body, owner.id, target, value, operator)
    lines: list[ast.stmt] = []
    if operator is None:
        typed = body.expr(value, _item_type(body, owner))
        held = _held(body, typed.node, lines)
        container = body.expr(owner)
        key = _item_key(body, container.type, target)
    else:
        container = body.expr(owner)
        container = Typed(_held(body, container.node, lines), container.type)
        key = _held(body, _item_key(body, container.type, target), lines)
        current = _load_item(body, container, key)
        _refuse_list(body, current.type, target)
        typed = settle(combine(body, operator, current, body.raw(value, current.type), target))
        held = _held(body, typed.node, lines)
    body.spend(prices.GAS_GUARD + prices.GAS_ITEM)
    match container.type:
        case ListOf(item):
            body.demand(typed.type, item, value)
            place = ast.Subscript(container.node, key, ast.Store())
            lines.append(ast.Assign([place], held))
        case DictOf(_, item):
            body.demand(typed.type, item, value)
            lines.append(ast.Expr(emit.call("__dict_set", container.node, key, held)))
        case kind if kind != UNKNOWN:
            body.add("T001", target, f"items of {show(kind)} cannot be assigned")
    return lines


def _item_type(body: Body, owner: ast.expr) -> Type | None:
    """The item type of a plain local, to type an empty display assigned to its item."""
    if isinstance(owner, ast.Name):
        kind = body.scope.narrowed.get(owner.id, body.scope.types.get(owner.id))
        if isinstance(kind, DictOf):
            return kind.value
        if isinstance(kind, ListOf):
            return kind.item
    return None


def _item_key(body: Body, kind: Type, target: ast.Subscript) -> ast.expr:
    if isinstance(target.slice, ast.Slice):
        body.add("L001", target, "slices are not assigned")
        return stand_in().node
    return body.fitting(target.slice, kind.key if isinstance(kind, DictOf) else INT)


def _load_item(body: Body, container: Typed, key: ast.expr) -> Typed:
    match container.type:
        case ListOf(item):
            return Typed(emit.index(container.node, key), item)
        case DictOf(_, item):
            return Typed(emit.call("__dict_item", container.node, key), item)
        case _:
            return Typed(container.node, UNKNOWN)


def _store_in_map(
    body: Body, name: str, target: ast.Subscript, value: ast.expr, operator: ast.operator | None
) -> list[ast.stmt]:
    storage = body.unit.declarations.storage[name]
    lines: list[ast.stmt] = []
    key = target.slice
    if operator is None:
        held = _held(body, body.fitting(value, storage.value), lines)
    else:
        parts = key.elts if isinstance(key, ast.Tuple) else [key]
        if not all(isinstance(part, (ast.Name, ast.Constant, ast.Attribute)) for part in parts):
            body.add("L002", target, "put the key into a local first: it is used twice")
        current = operate(body, name, "item", key, [], target)
        _refuse_list(body, current.type, target)
        right = body.raw(value, storage.value)
        typed = settle(combine(body, operator, current, right, target))
        body.demand(typed.type, storage.value, value)
        held = _held(body, typed.node, lines)
    if not isinstance(held, ast.Name):  # a literal: the guard takes it through a local as well
        local = body.temporary()
        lines.append(emit.assign(local, held))
        held = emit.load(local)
    lines.append(ast.Expr(operate(body, name, "set", key, [held.id], target).node))
    return lines


def _delete(body: Body, target: ast.expr) -> list[ast.stmt]:
    if not isinstance(target, ast.Subscript):
        body.add("L001", target, "del removes items")
        return []
    owner = target.value
    if isinstance(owner, ast.Name) and owner.id in body.unit.declarations.storage:
        return [ast.Expr(operate(body, owner.id, "del", target.slice, [], target).node)]
    container = body.expr(owner)
    key = _item_key(body, container.type, target)
    body.spend(prices.GAS_GUARD)
    guard = "__dict_del" if isinstance(container.type, DictOf) else "__list_del"
    if not isinstance(container.type, (DictOf, ListOf)) and container.type != UNKNOWN:
        body.add("T001", target, f"items of {show(container.type)} cannot be deleted")
    return [ast.Expr(emit.call(guard, container.node, key))]


# --- control flow ------------------------------------------------------------------------------


def _if(body: Body, node: ast.If) -> tuple[int, ast.stmt]:
    test = body.fitting(node.test, BOOL)
    when_true, when_false = narrowings(body, node.test)
    head = body.take_cost()
    scope = body.scope
    assigned, narrowed = set(scope.assigned), dict(scope.narrowed)

    scope.narrowed = narrowed | when_true
    first = block(body, node.body)
    after_first = (scope.is_dead, set(scope.assigned), dict(scope.narrowed))

    scope.is_dead, scope.assigned, scope.narrowed = False, assigned, narrowed | when_false
    second = block(body, node.orelse) if node.orelse else []
    after_second = (scope.is_dead, set(scope.assigned), dict(scope.narrowed))

    _merge(body, [after_first, after_second])
    # What both ways cost is charged with the head; the dearer one pays the rest.
    costs = emit.take_charge(first), emit.take_charge(second)
    shared = min(costs)
    first = [*emit.charge(costs[0] - shared), *first] or [ast.Pass()]
    second = [*emit.charge(costs[1] - shared), *second]
    return head + shared, ast.If(test, first, second)


def _merge(body: Body, branches: Sequence[tuple[bool, set[str], Narrowing]]) -> None:
    """What holds after branches that meet; branches that never arrive say nothing."""
    live = [branch for branch in branches if not branch[0]]
    scope = body.scope
    scope.is_dead = not live
    if not live:
        return
    scope.assigned = set.intersection(*(branch[1] for branch in live))
    first = live[0][2]
    scope.narrowed = {
        name: kind for name, kind in first.items() if all(b[2].get(name) == kind for b in live)
    }


def _assigned_names(nodes: Sequence[ast.stmt]) -> set[str]:
    return {
        inner.id
        for node in nodes
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    }


def _loop_body(body: Body, node: ast.For | ast.While, known: Narrowing) -> list[ast.stmt]:
    """The body of a loop. What it changes is not known after it; `known` holds at its start."""
    scope = body.scope
    changed = _assigned_names(node.body)
    assigned = set(scope.assigned)
    kept = {name: kind for name, kind in scope.narrowed.items() if name not in changed}
    scope.narrowed = kept | known
    body.loop_depth += 1
    body.spend(prices.GAS_ITERATION)
    code = [emit.flush_if_over(limits.FLUSH_EVERY), *block(body, node.body)]
    body.loop_depth -= 1
    scope.is_dead, scope.assigned, scope.narrowed = False, assigned, dict(kept)
    return code


def _for(body: Body, node: ast.For) -> tuple[int, ast.stmt]:
    if node.orelse:
        body.add("L001", node, "no else on loops")
    iterator, kind = iterable(body, node.iter)
    head = body.take_cost()
    assigned = set(body.scope.assigned)
    body.reassigned |= _assigned_names(node.body)
    target = bind_target(body, node.target, kind)
    code = _loop_body(body, node, {})
    body.scope.assigned = assigned  # what it runs over may be empty
    return head, paced(body, node, iterator, ast.For(target, iterator, code, []))


def _while(body: Body, node: ast.While) -> tuple[int, ast.stmt]:
    if node.orelse:
        body.add("L001", node, "no else on loops")
    changed = _assigned_names(node.body)
    body.reassigned |= changed
    for name in changed:  # the test runs again after the body
        body.scope.narrowed.pop(name, None)
    before = body.take_cost()
    test = body.fitting(node.test, BOOL)
    turn = body.take_cost()  # the test is paid before the loop and again in every turn
    body.spend(turn)
    code = _loop_body(body, node, narrowings(body, node.test)[0])
    endless = isinstance(node.test, ast.Constant) and node.test.value is True
    body.scope.is_dead = endless and not _has_break(node.body)
    return before + turn, ast.While(test, code, [])


def _has_break(nodes: Sequence[ast.stmt]) -> bool:
    for node in nodes:
        if isinstance(node, ast.Break):
            return True
        if isinstance(node, ast.If) and (_has_break(node.body) or _has_break(node.orelse)):
            return True
    return False
