"""A compiler that keeps lines: its line numbers are indices into a table of marks.

The machine's own code has no lines: nobody needs them there. This one is the same translation
with the same charges and two additions. Every statement and every way of a branch begins with a
`pass`, and every instruction has as its line the number of a `Mark`, which says where in the
source it is from and what it means that it runs. `trace.py` reads the marks as they go by.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import CodeType

from contracts.kit.gas import Gas
from contracts.vm import emit
from contracts.vm.body import Body, Typed, Unit
from contracts.vm.compile import FILENAME, Assembly
from contracts.vm.declare import Function
from contracts.vm.expressions import translate
from contracts.vm.types import Type

PACED = "__paced"


class Effect(Enum):
    NONE = auto()  # only a place
    START = auto()  # a statement begins
    BRANCH = auto()  # a way of a branch is taken
    CHARGE = auto()  # `gas` goes to the local counter
    FLUSH = auto()  # the local counter goes to the meter
    PACED = auto()  # `gas` goes to the meter, once for every turn that is paid ahead


@dataclass(frozen=True, slots=True)
class Branch:
    """One way out of an `if` or a loop."""

    line: int
    way: str  # true, false (if), body, exit (loops)


@dataclass(frozen=True, slots=True)
class Mark:
    line: int  # 1-based
    effect: Effect = Effect.NONE
    gas: Mapping[int, int] = field(default_factory=dict)  # of CHARGE and PACED, by line
    branch: Branch | None = None  # of BRANCH


@dataclass(slots=True)
class LineMap:
    """The marks of one source, and what of it can run at all."""

    source: str
    marks: list[Mark] = field(default_factory=list)
    lines: set[int] = field(default_factory=set)  # on which statements begin
    branches: set[Branch] = field(default_factory=set)


class LineAssembly(Assembly):
    """Puts one source together with marks, and has them in `map` then."""

    def __init__(self, source: str) -> None:
        self.map = LineMap(source)
        self._marks: dict[int, Mark] = {}  # by id of the node, which `_kept` keeps alive
        self._kept: list[ast.stmt] = []
        self._heads: dict[str, int] = {}  # line of a function by emitted name

    def body(self, unit: Unit, function: Function) -> Body:
        self._heads[f"__f_{function.name}"] = function.node.lineno
        return _LineBody(unit, function, self)

    def code(self, module: ast.Module) -> CodeType:
        numbers = _Numbers(self.map.marks, self._marks)
        for function in module.body:
            assert isinstance(function, ast.FunctionDef)
            if function.name in self._heads:  # a comprehension has its place already
                function.lineno = self._heads[function.name]
            numbers.give(function, 0)
        return compile(module, FILENAME, "exec", dont_inherit=True, optimize=0)

    def start(self, line: int) -> ast.stmt:
        """What stands where a statement begins."""
        self.map.lines.add(line)
        return self._marked(Mark(line, Effect.START))

    def way(self, line: int, way: str) -> ast.stmt:
        """What stands where a way of a branch begins."""
        branch = Branch(line, way)
        self.map.branches.add(branch)
        return self._marked(Mark(line, Effect.BRANCH, branch=branch))

    def _marked(self, mark: Mark) -> ast.stmt:
        node = ast.Pass()
        self._marks[id(node)] = mark
        self._kept.append(node)
        return node


class _LineBody(Body):
    """A body that knows the line of what it translates."""

    def __init__(self, unit: Unit, function: Function, assembly: LineAssembly) -> None:
        super().__init__(unit, function, translate)
        self._assembly = assembly
        self._line = function.node.lineno

    def begin(self, node: ast.stmt) -> None:
        self._line = node.lineno
        super().begin(node)

    def spend(self, gas: int) -> None:
        self.cost += gas if isinstance(gas, Gas) else Gas({self._line: gas})

    def raw(self, node: ast.expr, expected: Type | None = None) -> Typed:
        outer, self._line = self._line, node.lineno
        typed = super().raw(node, expected)
        self._line = outer
        _place(typed.node, node.lineno)
        if isinstance(node, (ast.ListComp, ast.DictComp)) and isinstance(typed.node, ast.Call):
            for function in self.unit.comprehensions:
                if isinstance(typed.node.func, ast.Name) and typed.node.func.id == function.name:
                    _place(function, node.lineno)
        return typed

    def done(self, node: ast.stmt, code: list[ast.stmt]) -> list[ast.stmt]:
        for emitted in code:
            _place(emitted, node.lineno)
        match node, code:
            case ast.If(), [ast.If() as choice]:
                choice.body.insert(0, self._assembly.way(node.lineno, "true"))
                choice.orelse.insert(0, self._assembly.way(node.lineno, "false"))
            case ast.For() | ast.While(), [ast.For() | ast.While() as loop]:
                self._mark_loop(node, loop)
        return [self._assembly.start(node.lineno), *code] if code else code

    def _mark_loop(self, node: ast.stmt, loop: ast.For | ast.While) -> None:
        inner = loop
        if isinstance(loop, ast.For) and _is_paced(loop.iter):
            last = loop.body[-1]  # over one part of the range
            assert isinstance(last, ast.For)
            inner = last
        inner.body.insert(0, self._assembly.way(node.lineno, "body"))
        if not (isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant)):
            loop.orelse.append(self._assembly.way(node.lineno, "exit"))


def _place(node: ast.stmt | ast.expr, line: int) -> None:
    if not hasattr(node, "lineno"):
        node.lineno = line


def _is_paced(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == PACED


class _Numbers:
    """Gives every node the number of its mark in place of its line, and makes ints of `Gas`."""

    def __init__(self, marks: list[Mark], special: Mapping[int, Mark]) -> None:
        self._marks = marks
        self._special = special
        self._plain: dict[int, int] = {}  # line -> number of its mark without effect
        self._seen: set[int] = set()  # some nodes stand in two places

    def give(self, node: ast.AST, place: int) -> None:
        """`place` is the number for what has no line of its own."""
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if isinstance(node, (ast.stmt, ast.expr, ast.arg)):
            place = self._number(node, place)
            node.lineno = node.end_lineno = place
            node.col_offset = node.end_col_offset = 0
        for child in ast.iter_child_nodes(node):
            self.give(child, place)

    def _number(self, node: ast.stmt | ast.expr | ast.arg, place: int) -> int:
        line = getattr(node, "lineno", self._marks[place].line if place else 0)
        mark = self._special.get(id(node))
        match node:
            case ast.AugAssign(
                target=ast.Name(id=emit.GAS), value=ast.Constant(value=Gas() as gas) as value
            ):
                mark = Mark(line, Effect.CHARGE, gas.lines)
                value.value = int(gas)
            case ast.Assign(targets=[ast.Name(id=emit.GAS)], value=ast.Call()):
                mark = Mark(line, Effect.FLUSH)
            case ast.For(iter=ast.Call(args=[ast.Constant(value=Gas() as gas) as value, *_])):
                mark = Mark(line, Effect.PACED, gas.lines)
                value.value = int(gas)
        if mark is not None:
            return self._add(mark)
        if not hasattr(node, "lineno"):
            return place
        if line not in self._plain:
            self._plain[line] = self._add(Mark(line))
        return self._plain[line]

    def _add(self, mark: Mark) -> int:
        if not self._marks:
            self._marks.append(Mark(0))  # lines begin with 1, and so do numbers
        self._marks.append(mark)
        return len(self._marks) - 1
