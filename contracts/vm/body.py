"""State of translating one function: its scope, its gas, and where findings go.

A `Scope` knows each local's one type, which locals are certainly assigned here, and what an
Optional local is narrowed to here. Comprehensions get a scope of their own and are compiled to
functions of their own, with what they capture as parameters: Python's own comprehension scopes
let a name fall through to a global.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from contracts.vm import emit, features, limits, prices
from contracts.vm.declare import Declarations, Function
from contracts.vm.rules import Findings
from contracts.vm.types import INT, NEVER, UNKNOWN, OptionalOf, Type, is_assignable, show
from contracts.vm.widths import INT_BITS, local_widths

Narrowing: TypeAlias = dict[str, Type]
# Where the value of a storage key part comes from, when that is known before execution.
Source: TypeAlias = tuple[str, int | str | bytes | bool] | None


@dataclass(frozen=True, slots=True)
class Typed:
    """A translated expression. `bits` bounds an int whose range is not checked yet."""

    node: ast.expr
    type: Type
    bits: int = INT_BITS


@dataclass(frozen=True, slots=True)
class Site:
    """One `emit`, `call_contract` or `view_contract` in the source."""

    kind: str  # emit call view
    name: str  # event or method name
    fields: tuple[str, ...]  # names of event fields
    types: tuple[Type, ...]  # of fields or arguments
    returns: Type


@dataclass(frozen=True, slots=True)
class Access:
    """A storage access (or a call, when `target` says so) with key parts known in advance."""

    target: str  # "storage", "function" or "contract"
    name: str
    method: str
    parts: tuple[Source, ...]


@dataclass(slots=True)
class Unit:
    """What the functions of one contract share while they are translated."""

    declarations: Declarations
    findings: Findings
    comprehensions: list[ast.FunctionDef] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    storage_used: set[str] = field(default_factory=set)
    context_used: set[str] = field(default_factory=set)
    accesses: dict[str, list[Access]] = field(default_factory=dict)


@dataclass(slots=True)
class Scope:
    types: dict[str, Type] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    narrowed: Narrowing = field(default_factory=dict)
    captured: dict[str, Type] = field(default_factory=dict)
    outer: Scope | None = None
    is_dead: bool = False  # no path leads here


class Body:
    """Translates expressions through the injected `translate`, keeping scope and gas."""

    def __init__(
        self,
        unit: Unit,
        function: Function,
        translate: Callable[[Body, ast.expr, Type | None], Typed],
    ) -> None:
        self.unit = unit
        self.function = function
        self.scope = Scope()
        self.cost = 0  # gas of the straight-line code since the last charge
        self.loop_depth = 0
        self.temporaries = 0
        self.reassigned: set[str] = set()
        constants = {name: value for name, (_, value) in unit.declarations.constants.items()}
        self._widths = local_widths(function.node, constants)
        self._translate = translate

    # --- findings and gas -------------------------------------------------------------------

    def add(self, rule: str, node: ast.stmt | ast.expr | ast.keyword, reason: str = "") -> None:
        self.unit.findings.at(rule, node, reason)

    def unknown(self, rule: str, node: ast.expr, reason: str = "") -> Typed:
        self.add(rule, node, reason)
        return stand_in()

    def demand_feature(self, name: str, node: ast.expr) -> None:
        """A finding at `node` unless the chain's language has the feature (features.py)."""
        features.admit(self.unit.findings, self.unit.declarations.language, name, node)

    def spend(self, gas: int) -> None:
        self.cost += gas

    def begin(self, node: ast.stmt) -> None:
        """A statement starts: what it costs beside its expressions."""
        self.spend(prices.GAS_STATEMENT)

    def done(self, node: ast.stmt, code: list[ast.stmt]) -> list[ast.stmt]:
        """The statement `node` became `code`: what stands for it. Those who watch add marks."""
        return code

    def take_cost(self) -> int:
        cost, self.cost = self.cost, 0
        return cost

    def temporary(self) -> str:
        self.temporaries += 1
        return f"__x{self.temporaries}"

    # --- expressions ------------------------------------------------------------------------

    def raw(self, node: ast.expr, expected: Type | None = None) -> Typed:
        """Translate; an int may still exceed its bound by `bits`."""
        self.spend(prices.GAS_NODE)
        typed = self._translate(self, node, expected)
        assert typed.type is not UNKNOWN or self.unit.findings.error_count, "UNKNOWN has a finding"
        return typed

    def expr(self, node: ast.expr, expected: Type | None = None) -> Typed:
        """Translate; the value is within the model."""
        return settle(self.raw(node, expected))

    def fitting(self, node: ast.expr, target: Type) -> ast.expr:
        """Translate a value that must fit `target`."""
        typed = self.expr(node, target)
        self.demand(typed.type, target, node)
        return typed.node

    def demand(self, kind: Type, target: Type, node: ast.expr) -> None:
        if kind == NEVER or is_assignable(kind, target):
            return
        if isinstance(kind, OptionalOf) and is_assignable(kind.inner, target):
            self.add("T005", node, f"this may be None where {show(target)} is needed")
        else:
            self.add("T001", node, f"this is {show(kind)} where {show(target)} is needed")

    # --- names ------------------------------------------------------------------------------

    def lookup(self, name: str, node: ast.expr) -> Typed | None:
        """A local (possibly of an enclosing scope), or None if no local has this name."""
        kind = _find(self.scope, name)
        if kind is None:
            return None
        if not _is_assigned(self.scope, name):
            self.add("N005", node, f"`{name}` may be unassigned here")
        return Typed(emit.load(name), kind, self._widths.get(name, INT_BITS))

    def bind(self, name: str, kind: Type, node: ast.expr | ast.stmt) -> None:
        """Assign a value of type `kind` to the local `name` at this point."""
        declared = self.scope.types.get(name)
        if declared is None:
            if self.unit.declarations.is_taken(name):
                self.add("N003", node, f"`{name}` is taken by a module-level name or built-in")
            self.scope.types[name] = kind
        elif not is_assignable(kind, declared):
            self.add("T001", node, f"`{name}` is {show(declared)}, not {show(kind)}")
        self.scope.assigned.add(name)
        self.scope.narrowed.pop(name, None)
        declared = self.scope.types[name]
        if isinstance(declared, OptionalOf) and kind == declared.inner:
            self.scope.narrowed[name] = kind
        self.reassigned.add(name)

    @contextmanager
    def narrowed(self, narrowing: Narrowing) -> Iterator[None]:
        """Inside, some Optional locals are known better."""
        before = dict(self.scope.narrowed)
        self.scope.narrowed.update(narrowing)
        yield
        self.scope.narrowed = before


def _find(scope: Scope, name: str) -> Type | None:
    if name in scope.types:
        return scope.narrowed.get(name, scope.types[name])
    if scope.outer is None:
        return None
    kind = _find(scope.outer, name)
    if kind is not None:
        kind = scope.narrowed.get(name, kind)
        scope.captured[name] = kind
    return kind


def _is_assigned(scope: Scope, name: str) -> bool:
    if name in scope.types or scope.outer is None:
        return name in scope.assigned or scope.is_dead
    return _is_assigned(scope.outer, name)


def stand_in(kind: Type = UNKNOWN) -> Typed:
    """What takes the place of an expression after a finding: no code is ever made of it."""
    return Typed(emit.constant(0), kind)


def settle(typed: Typed) -> Typed:
    """Check an int against its bound unless it cannot exceed it."""
    if typed.type is INT and typed.bits > INT_BITS:
        return Typed(emit.within(typed.node, limits.INT_BOUND), INT)
    return typed
