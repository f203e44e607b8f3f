"""How large an int local can become: those that stay far below the bound need no check.

A width is a number of bits: the value lies strictly within +-2**width. It holds for a local at
every point of its function. Sums in loops stay bounded because gas bounds how often a statement
runs: a local that only ever adds and subtracts what fits `w` bits never needs more than
`w + GAS_BITS + 1`, beside what else it is set to.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping, Sequence

INT_BITS = 257  # an int of the language, at its bound
GAS_BITS = 64  # a transaction's gas fits 64 bits, and every statement takes some
LENGTH_BITS = 20  # len() of anything
PASSES_MAX = 8  # over the assignments of a function; nearly all settle in three
PATIENCE = 4  # passes, after which what still grows is taken to reach the bound

Constants = Mapping[str, object]


def local_widths(function: ast.FunctionDef, constants: Constants) -> dict[str, int]:
    """Widths of the names that `function` binds, below INT_BITS; others may reach the bound."""
    set_to: list[tuple[str, ast.expr | int]] = []
    added: list[tuple[str, ast.expr]] = []
    for argument in function.args.args:
        set_to.append((argument.arg, INT_BITS))
    for node in ast.walk(function):
        _collect(node, set_to, added)
    names = {name for name, _ in (*set_to, *added)}
    widths = dict.fromkeys(names, 0)
    for number in range(PASSES_MAX):
        found = dict.fromkeys(names, 0)
        for name, source in set_to:
            found[name] = max(found[name], _width_of(source, widths, constants))
        growth: dict[str, int] = defaultdict(int)
        for name, amount in added:
            growth[name] = max(growth[name], _width_of(amount, widths, constants) + GAS_BITS)
        for name in names:
            if name in growth:
                found[name] = max(found[name], growth[name]) + 1
            found[name] = min(INT_BITS, max(widths[name], found[name]))
            if number >= PATIENCE and found[name] > widths[name]:
                found[name] = INT_BITS
        if found == widths:
            return {name: width for name, width in widths.items() if width < INT_BITS}
        widths = found
    return {}


def _collect(
    node: ast.AST, set_to: list[tuple[str, ast.expr | int]], added: list[tuple[str, ast.expr]]
) -> None:
    """What `node` itself binds, and how."""
    match node:
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add() | ast.Sub(), value=value):
            added.append((name, value))
        case ast.AugAssign(target=ast.Name(id=name) as left, op=operator, value=value):
            read = ast.Name(left.id, ast.Load())
            set_to.append((name, ast.BinOp(read, operator, value)))
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.BinOp(left=ast.Name(id=same), op=ast.Add() | ast.Sub(), right=right),
        ) if name == same:
            added.append((name, right))
        case ast.Assign(targets=[target], value=value):
            _bind(target, value, set_to)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            set_to.append((name, value))
        case ast.For(target=target, iter=items) | ast.comprehension(target=target, iter=items):
            _bind_turns(target, items, set_to)


def _bind(target: ast.expr, value: ast.expr, set_to: list[tuple[str, ast.expr | int]]) -> None:
    match target, value:
        case ast.Name(id=name), _:
            set_to.append((name, value))
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
            for part, item in zip(targets, values, strict=True):
                _bind(part, item, set_to)
        case _:
            _bind_unknown(target, set_to)


def _bind_unknown(target: ast.expr, set_to: list[tuple[str, ast.expr | int]]) -> None:
    for inner in ast.walk(target):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            set_to.append((inner.id, INT_BITS))


def _bind_turns(
    target: ast.expr, items: ast.expr, set_to: list[tuple[str, ast.expr | int]]
) -> None:
    match target, items:
        case ast.Name(id=name), ast.Call(func=ast.Name(id="range"), args=bounds):
            set_to.append((name, ast.Call(ast.Name("range", ast.Load()), bounds, [])))
        case (
            ast.Tuple(elts=[ast.Name(id=name), rest]),
            ast.Call(func=ast.Name(id="enumerate"), args=[_]),
        ):
            set_to.append((name, GAS_BITS))
            _bind_unknown(rest, set_to)
        case _:
            _bind_unknown(target, set_to)


def _width_of(source: ast.expr | int, widths: Mapping[str, int], constants: Constants) -> int:
    """Of a value that was checked against the bound, so at most INT_BITS."""
    width = source if isinstance(source, int) else _width(source, widths, constants)
    return min(INT_BITS, width)


def _width(node: ast.expr, widths: Mapping[str, int], constants: Constants) -> int:
    def of(part: ast.expr) -> int:
        return _width(part, widths, constants)

    match node:
        case ast.Constant(value=int() as value):
            return value.bit_length()
        case ast.Name(id=name):
            known = constants.get(name)
            if name in widths:
                return widths[name]
            return known.bit_length() if isinstance(known, int) else INT_BITS
        case ast.BinOp(left=left, op=operator, right=right):
            return result_width(operator, of(left), of(right))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Invert(), operand=operand):
            return of(operand) + 1
        case ast.IfExp(body=first, orelse=second):
            return max(of(first), of(second))
        case ast.Call(func=ast.Name(id="len"), keywords=[]):
            return LENGTH_BITS
        case ast.Call(func=ast.Name(id="range"), args=bounds):
            return _range_width([of(bound) for bound in bounds])
        case _:
            return INT_BITS


def _range_width(bounds: Sequence[int]) -> int:
    """A number of range() lies between its bounds, and gas bounds how many there are."""
    match bounds:
        case [stop]:
            return min(stop, GAS_BITS)
        case [start, stop]:
            return min(max(start, stop), max(start, GAS_BITS) + 1)
        case [start, stop, step]:
            return min(max(start, stop), max(start, step + GAS_BITS) + 1)
        case _:
            return INT_BITS


def result_width(operator: ast.operator, left: int, right: int) -> int:
    """Of `left operator right`, before any check."""
    match operator:
        case ast.Add() | ast.Sub() | ast.BitAnd() | ast.BitOr() | ast.BitXor():
            return max(left, right) + 1
        case ast.Mult():
            return left + right
        case ast.FloorDiv():
            return left  # never further from zero than what is divided
        case ast.Mod():
            return right  # nearer to zero than the divisor
        case _:
            return INT_BITS
