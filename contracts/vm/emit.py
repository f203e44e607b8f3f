"""Little builders of the guarded syntax tree. Names with `__` belong to the compiler alone."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from contracts.vm.limits import FLUSH_EVERY, GIVEN_MAX
from contracts.vm.types import Constant

GAS = "__g"  # local gas counter of every compiled function
CHECKED = "__t"  # local that holds an int while its bound is checked
ITERATOR = "__it"  # first parameter of a compiled comprehension
RESULT = "__r"  # what a compiled comprehension builds


def load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())


def constant(value: Constant) -> ast.expr:
    return ast.Constant(value)  # type: ignore[arg-type]  # tuples of constants are fine in 3.11


def call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(load(name), list(args), [])


def tuple_of(items: Sequence[ast.expr]) -> ast.expr:
    return _display(items, lambda part: ast.Tuple(part, ast.Load()))


def list_of(items: Sequence[ast.expr]) -> ast.expr:
    return _display(items, lambda part: ast.List(part, ast.Load()))


def _display(items: Sequence[ast.expr], make: Callable[[list[ast.expr]], ast.expr]) -> ast.expr:
    if all(isinstance(item, ast.Constant) for item in items):
        return make(list(items))  # loaded as one constant, however many
    return joined([make(part) for part in pieces(items)], ast.Add())


def pieces(items: Sequence[ast.expr]) -> list[list[ast.expr]]:
    """`items` in order, in parts that CPython builds or passes at once."""
    return [list(items[begin : begin + GIVEN_MAX]) for begin in range(0, len(items), GIVEN_MAX)]


def joined(parts: Sequence[ast.expr], operator: ast.operator) -> ast.expr:
    """All parts in one, evaluated from left to right; the tree is flat: few copies of each."""
    while len(parts) > 1:
        pairs = [parts[begin : begin + 2] for begin in range(0, len(parts), 2)]
        parts = [ast.BinOp(p[0], operator, p[1]) if len(p) == 2 else p[0] for p in pairs]
    return parts[0]


def index(value: ast.expr, position: ast.expr) -> ast.expr:
    return ast.Subscript(value, position, ast.Load())


def assign(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([store(name)], value)


def within(value: ast.expr, bound: int) -> ast.expr:
    """`value` if it lies within +-bound, else the arithmetic error (evaluated once)."""
    test = ast.Compare(
        ast.Constant(-bound),
        [ast.LtE(), ast.LtE()],
        [ast.NamedExpr(store(CHECKED), value), ast.Constant(bound)],
    )
    return ast.IfExp(test, load(CHECKED), call("__overflow"))


def charge(amount: int) -> list[ast.stmt]:
    """Add to the local counter; a large amount goes to the meter at once."""
    if amount == 0:
        return []
    add = ast.AugAssign(store(GAS), ast.Add(), ast.Constant(amount))
    return [add, flush()] if amount > FLUSH_EVERY else [add]


def take_charge(code: list[ast.stmt]) -> int:
    """Remove the charge that `code` starts with; returns its amount."""
    match code:
        case [
            ast.AugAssign(target=ast.Name(id=name), value=ast.Constant(value=int() as gas)),
            *_,
        ] if name == GAS:
            del code[: 2 if gas > FLUSH_EVERY else 1]
            return gas
    return 0


def flush() -> ast.stmt:
    return assign(GAS, call("__flush", load(GAS)))


def flush_if_over(limit: int) -> ast.stmt:
    test = ast.Compare(load(GAS), [ast.Gt()], [ast.Constant(limit)])
    return ast.If(test, [flush()], [])


def function(name: str, parameters: Sequence[str], body: list[ast.stmt]) -> ast.FunctionDef:
    arguments = ast.arguments([], [ast.arg(p) for p in parameters], None, [], [], None, [])
    return ast.FunctionDef(name, arguments, body, [])
