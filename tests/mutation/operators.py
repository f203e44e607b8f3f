"""Mutants of a module: one small change each, in the body of a function.

All of a module share its tree: `Mutant.code` changes it in place, for a process that ends with it.

A mutant is told by module, function and change, not by line, so that its name outlives edits
elsewhere in the file.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import CodeType
from typing import Any, TypeAlias

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
Change: TypeAlias = Callable[[Any], None]  # of the node itself, whatever its kind
Changes: TypeAlias = Callable[[ast.AST], Iterator[tuple[str, Change]]]
TEXT_MAX = 70  # characters of source in the name of a mutant


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: `line` is where it stands, for choosing tests; the rest names it."""

    module: str
    function: str
    change: str
    line: int
    end: int
    home: ast.Module  # that holds the function, or the class around it, alone
    make: Callable[[], None]

    @property
    def node(self) -> ast.stmt:
        """The function, or the class around it; `make` changes it."""
        return self.home.body[-1]

    @property
    def name(self) -> str:
        return f"{self.module} {self.function}: {self.change}"

    def code(self, path: str) -> CodeType:
        """The changed function, as if compiled from the module at `path`."""
        self.make()
        ast.fix_missing_locations(self.home)
        found = compile(self.home, path, "exec", dont_inherit=True)
        for part in self.function.split("."):
            found = next(
                c for c in found.co_consts if isinstance(c, CodeType) and c.co_name == part
            )
        return found


def mutants(module: str, source: str, changes: Changes | None = None) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its text; equal names are numbered."""
    changes = changes or changes_of_code
    tree = ast.parse(source)
    counts: dict[str, int] = {}
    for function, node, home in _functions(tree):
        for inner in _running(node):
            for change, make in changes(inner):
                name = f"{function}: {change}"
                counts[name] = counts.get(name, 0) + 1
                if counts[name] > 1:
                    change = f"{change} ({counts[name]})"
                line = getattr(inner, "lineno", node.lineno)
                end = getattr(inner, "end_lineno", None) or line
                yield Mutant(module, function, change, line, end, home, partial(make, inner))


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef, ast.Module]]:
    """Functions of the module and methods of its classes; what nests in one belongs to it."""
    for node in tree.body:
        # Annotations stay text: without that, those of inner functions would be run.
        home = ast.Module([*ast.parse("from __future__ import annotations").body, node], [])
        if isinstance(node, ast.FunctionDef):
            yield node.name, node, home
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    yield f"{node.name}.{method.name}", method, home


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and what its code runs, as far as a change of it could be told.

    Annotations do not run; `strict` of zip() is an assertion of lengths that are equal already.
    Decorators and defaults run with the module, which is not done again for a mutant.
    """
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "defaults", "kw_defaults") or (
            name == "value" and _is_strict(node)
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _running(child)


def _is_strict(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg == "strict"


def changes_of_code(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare(ops=[operator, *_]) if type(operator) in COMPARISONS:
            other = COMPARISONS[type(operator)]
            yield f"{text_of(node)} -> {other.__name__}", partial(_compare_by, other)
        case ast.BoolOp():
            swapped = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield f"{text_of(node)} -> {swapped.__name__}", set_field("op", swapped())
        case ast.UnaryOp(op=ast.Not()):
            yield f"{text_of(node)} -> without not", drop_not
        case ast.BinOp() if type(node.op) in ARITHMETIC and not _is_types(node):
            other_operator = ARITHMETIC[type(node.op)]
            yield f"{text_of(node)} -> {other_operator.__name__}", set_field("op", other_operator())
        case ast.AugAssign() if type(node.op) in ARITHMETIC:
            yield f"{text_of(node)} -> left out", leave_out
        case ast.Constant(value=bool() as flag):
            yield f"{flag} -> {not flag}", set_field("value", not flag)
        case ast.Constant(value=int() as number):
            yield f"{number} -> {number + 1}", set_field("value", number + 1)
        case ast.If() | ast.IfExp():
            for value in (True, False):
                change = f"if {text_of(node.test)} -> if {value}"
                yield change, set_field("test", ast.Constant(value))
        case ast.Expr(value=ast.Call()):
            yield f"{text_of(node)} -> left out", leave_out
        case ast.Return(value=ast.expr() as result) if not _is_plain(result):
            yield f"{text_of(node)} -> None", set_field("value", ast.Constant(None))
        case ast.Match() if len(node.cases) > 1:
            for index, case in enumerate(node.cases[:-1]):
                yield f"case {text_of(case.pattern)} -> left out", partial(_drop_case, index)


def _compare_by(other: type[ast.cmpop], node: Any) -> None:
    node.ops = [other(), *node.ops[1:]]


def set_field(field: str, value: object) -> Change:
    return lambda node: setattr(node, field, value)


def drop_not(node: Any) -> None:
    become(node, ast.Call(ast.Name("bool", ast.Load()), [node.operand], []))


def leave_out(node: Any) -> None:
    become(node, ast.Pass())


def _drop_case(index: int, node: Any) -> None:
    del node.cases[index]


def _is_types(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.BitOr) and isinstance(node.right, ast.Constant)


def _is_plain(node: ast.expr) -> bool:
    """None is there already, and True and False have a mutant of their own."""
    return isinstance(node, ast.Constant) and (node.value is None or type(node.value) is bool)


def text_of(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 3]}..."


def become(node: Any, other: ast.AST) -> None:
    """Turn the node itself into another, so that whatever holds it may stay as it is."""
    node.__class__ = other.__class__
    node.__dict__.clear()
    node.__dict__.update(other.__dict__)
