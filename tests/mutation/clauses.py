"""Small changes of a contract: what a slip of its author would leave out, turn round or let in.

A require() is left out, a condition loses one of its parts, a list of states or roles one of its
members, a bound moves by one, a write or an event is forgotten, one field is not replaced. Names
of states in writes need no change of their own: the field is left out instead.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from typing import Any

from tests.mutation.operators import (
    ARITHMETIC,
    COMPARISONS,
    Change,
    become,
    leave_out,
    set_field,
    text_of,
)


def changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """Each change of `node` itself, with its name."""
    text = text_of(node)
    match node:
        case ast.Compare(ops=operators):
            for place, operator in enumerate(operators):
                if type(operator) in COMPARISONS:
                    other = COMPARISONS[type(operator)]
                    at = f" at {place + 1}" if len(operators) > 1 else ""
                    yield f"{text} -> {other.__name__}{at}", partial(_compare_by, place, other)
            last = node.comparators[-1]
            if isinstance(operators[-1], (ast.In, ast.NotIn)) and isinstance(
                last, (ast.Tuple, ast.List)
            ):
                for place, member in enumerate(last.elts):
                    yield f"{text} -> without {text_of(member)}", partial(_drop_member, place)
        case ast.BoolOp(values=values):
            for place, part in enumerate(values):
                yield f"{text} -> without {text_of(part)}", partial(_drop_part, place)
        case ast.UnaryOp(op=ast.Not()):
            yield f"{text} -> without not", _drop_not
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            other_operator = ARITHMETIC[type(node.op)]
            yield f"{text} -> {other_operator.__name__}", set_field("op", other_operator())
        case ast.Constant(value=bool() as flag):
            yield f"{flag} -> {not flag}", set_field("value", not flag)
        case ast.If() | ast.IfExp():
            for value in (True, False):
                change = f"if {text_of(node.test)} -> if {value}"
                yield change, set_field("test", ast.Constant(value))
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Delete():
            yield f"{text} -> left out", leave_out
        case ast.Assign(targets=[ast.Subscript()]):
            yield f"{text} -> left out", leave_out
        case ast.Call(func=ast.Name(id="replace"), keywords=keywords):
            for place, keyword in enumerate(keywords):
                yield f"replace without {text_of(keyword)}", partial(_drop_keyword, place)


def _drop_not(node: Any) -> None:
    become(node, node.operand)  # a bool already: contracts have no bool()


def _compare_by(place: int, other: type[ast.cmpop], node: Any) -> None:
    node.ops[place] = other()


def _drop_member(place: int, node: Any) -> None:
    del node.comparators[-1].elts[place]


def _drop_part(place: int, node: Any) -> None:
    del node.values[place]
    if len(node.values) == 1:  # a chain of one: what is left stands alone
        become(node, node.values[0])


def _drop_keyword(place: int, node: Any) -> None:
    del node.keywords[place]
