"""Loops over range() pay for many turns at once.

Where a loop's turns cost alike and it cannot be left early, counting gas in every turn is waste:
the numbers are handed out in parts, each paid in full before its turns run. What such a loop
costs in the end is exactly what counting turn by turn would have cost. One that fails in its
middle has paid for at most PACED_GAS_MAX units of turns that did not run.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from contracts.vm import emit, limits
from contracts.vm.body import Body

TURNS_MIN = 8  # in one part; with fewer, counting is as cheap


def paced(body: Body, node: ast.For, iterator: ast.expr, loop: ast.For) -> ast.stmt:
    """`loop`, or two loops in its place: over parts of the range, and over one part."""
    if not _is_range(iterator) or _may_leave(node.body):
        return loop
    test, *code = loop.body
    cost = emit.take_charge(code)
    extra = _extra(code)
    if extra is None:
        return loop
    turns = limits.PACED_GAS_MAX // cost
    if extra:  # between two looks at the local counter it gathers no more than FLUSH_EVERY
        turns = min(turns, limits.FLUSH_EVERY // extra)
    if turns < TURNS_MIN:
        return loop
    part = body.temporary()
    assert isinstance(iterator, ast.Call)
    parts = emit.call("__paced", emit.constant(cost), emit.constant(turns), *iterator.args)
    inner = ast.For(loop.target, emit.load(part), code or [ast.Pass()], [])
    return ast.For(emit.store(part), parts, [test, inner] if extra else [inner], [])


def _is_range(iterator: ast.expr) -> bool:
    return (
        isinstance(iterator, ast.Call)
        and isinstance(iterator.func, ast.Name)
        and iterator.func.id == "__range"
    )


def _may_leave(nodes: Sequence[ast.stmt]) -> bool:
    """Whether a turn may be the last one before the range is through."""
    inner = [part for node in nodes for part in ast.walk(node)]
    return any(isinstance(part, (ast.Break, ast.Return)) for part in inner)


def _extra(code: Sequence[ast.stmt]) -> int | None:
    """The most that a turn adds to the local counter; None where it has a loop inside."""
    total = 0
    for node in code:
        match node:
            case ast.For() | ast.While():
                return None
            case ast.If(body=first, orelse=second):
                branches = _extra(first), _extra(second)
                if branches[0] is None or branches[1] is None:
                    return None
                total += max(branches[0], branches[1])
            case ast.AugAssign(
                target=ast.Name(id=emit.GAS), value=ast.Constant(value=int() as gas)
            ):
                total += gas
    return total
