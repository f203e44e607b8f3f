"""The rules of the language: every finding of `check` names one of them.

Ids are stable. Letters: S source form, N names, L language, T types, V views, R recursion and
size, W style warnings. A warning does not keep a contract from being deployed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from contracts.vm import limits


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: where (1-based lines, 0-based columns), why, and what to do.

    It ends before `end_column`. Where only a place is known, it ends where it begins.
    """

    rule: str
    line: int
    column: int
    end_line: int
    end_column: int
    reason: str
    fix: str
    severity: str = "error"  # or "warning"


Node: TypeAlias = ast.stmt | ast.expr | ast.keyword | ast.arg | ast.alias

SYNTAX: Final = "S004"
# rule id -> (what the rule demands, what to do)
RULES: Final[dict[str, tuple[str, str]]] = {
    "S001": ("source is ASCII", "write other characters as \\u escapes inside string literals"),
    "S002": (
        f"source is at most {limits.SOURCE_SIZE_MAX} bytes",
        "split it into two contracts",
    ),
    "S003": ("lines, brackets and blocks stay shallow", "break the line up into named steps"),
    "S004": ("source is Python 3.11 syntax", "fix the syntax error"),
    "S005": ("no control characters", "use spaces, line feeds and escapes"),
    "N001": ("names are known", "declare it, import it from contracts.dialect, or fix the typing"),
    "N002": ("names start with a letter or one underscore", "rename it"),
    "N003": ("names are declared once and shadow nothing", "rename it"),
    "N004": (
        "imports come from contracts.dialect by name",
        "write `from contracts.dialect import NAME`",
    ),
    "N005": ("locals are assigned on every path before use", "assign it before the branch"),
    "N006": (
        "this chain's language does not have it yet",
        "do without it, or propose the change of the engine and wait for its height",
    ),
    "L001": ("only the subset's statements", "see the guide for the accepted statements"),
    "L002": ("only the subset's expressions", "see the guide for the accepted expressions"),
    "L003": (
        "modules hold imports, constants, storage, records and functions",
        "move it into a function",
    ),
    "L004": ("functions have plain annotated parameters", "annotate it; no defaults, no stars"),
    "L005": ("attributes are fields of records and ctx, or known methods", "see the guide's table"),
    "L006": ("calls name a function, a record, a method or a built-in", "call it by its name"),
    "L007": ("storage, functions, types and ctx are no values", "use it by its operations"),
    "L008": ("constants are literals, tuples of them, or int arithmetic", "use a literal"),
    "L009": (
        "texts of require, fail, emit and method names are literals",
        "write the literal here",
    ),
    "L010": (
        "decorators are init, call, view, migrate (functions) and record (classes)",
        "drop it",
    ),
    "L011": ("code after return, fail, break or continue never runs", "delete it"),
    "T001": ("types fit", "convert the value or change the annotation"),
    "T002": (
        "types are those of the guide",
        "use int bool str bytes None list dict tuple or a record",
    ),
    "T003": ("the type of an empty display or None is annotated", "annotate: `xs: list[str] = []`"),
    "T004": ("a function with a result returns it on every path", "return a value or call fail()"),
    "T005": ("an Optional is tested before use", "test `if x is None:` on a local name first"),
    "T006": (f"types nest at most {limits.TYPE_DEPTH_MAX} deep", "flatten it or use a record"),
    "T007": ("integers stay within +-2**256", "use a smaller constant"),
    "T008": (
        "keys are str, bytes, bool, int or tuples of str, bytes, bool",
        "choose another key type",
    ),
    "V001": (
        "views and what they call write, emit and call nothing",
        "use @call or drop the effect",
    ),
    "R001": ("functions do not call themselves", "write a loop"),
    "R002": (f"calls nest at most {limits.CALL_DEPTH_MAX} deep", "merge functions"),
    "R003": ("contracts stay small", "split it into two contracts"),
    "R004": (
        f"a function is given at most {limits.GIVEN_MAX} values",
        "pass a record, or write a loop for the comprehension",
    ),
    "W001": ("storage is used", "delete the declaration"),
    "W002": ("helpers are used", "delete the function or decorate it"),
    "W003": ("a @call that writes checks who calls", "read ctx.sender or ask a view about it"),
    "W004": ("what only reads is a @view", "write @view instead of @call"),
    "W005": ("loops over arguments are bounded", "begin with `require(len(xs) <= MAX, ...)`"),
    "W006": ("an event starts with an id to look for", "put an id (str, bytes, int) first"),
    "W007": ("a copy of stored data is assigned back", "assign it: `m[key] = copy`"),
    "W008": ("ctx.origin decides nothing", "decide by ctx.sender or ctx.party"),
    "W010": ("what is declared is used", "delete it, or start a parameter with `_`"),
    "W099": ("allowances are needed and say why", "delete it, or write the reason behind it"),
}


class SourceRefused(ValueError):
    """Source that has errors; `findings` lists them.

    The sentence lands in receipts, so it quotes nothing of CPython's parser: what that says, and
    where it stands when it does, changes with any release.
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        told = f"{first.line}:{first.column} {first.rule} {first.reason}"
        if first.rule == SYNTAX:
            told = f"{SYNTAX} {RULES[SYNTAX][0]}"
        super().__init__(told + more)
        self.findings = findings


class Findings:
    """Collects findings up to a bound; later ones are dropped, errors are counted all the same."""

    def __init__(self) -> None:
        self.items: list[Finding] = []
        self.error_count = 0

    def at(self, rule: str, node: Node, reason: str = "") -> None:
        """A finding from the start of `node` to its end."""
        place = node.lineno, node.col_offset
        self._keep(_finding(rule, place, _end(node), reason))

    def add(self, rule: str, line: int, column: int, reason: str = "") -> None:
        """A finding at a place in the text."""
        place = line, column
        self._keep(_finding(rule, place, place, reason))

    def extend(self, findings: Iterable[Finding]) -> None:
        """Findings of another collection."""
        for finding in findings:
            self._keep(finding)

    def _keep(self, finding: Finding) -> None:
        if finding.severity == "error":
            self.error_count += 1
        if len(self.items) < limits.FINDINGS_MAX:
            self.items.append(finding)

    def in_order(self) -> tuple[Finding, ...]:
        return tuple(sorted(self.items, key=lambda f: (f.line, f.column, f.rule, f.reason)))


def _finding(rule: str, start: tuple[int, int], end: tuple[int, int], reason: str) -> Finding:
    demand, fix = RULES[rule]
    severity = "warning" if rule.startswith("W") else "error"
    return Finding(rule, *start, *end, reason or demand, fix, severity)


def _end(node: Node) -> tuple[int, int]:
    """(line, column) where what is meant by `node` ends: of a block, that is its head."""
    match node:
        case ast.FunctionDef(name=name):
            return node.lineno, node.col_offset + len(f"def {name}")
        case ast.ClassDef(name=name):
            return node.lineno, node.col_offset + len(f"class {name}")
        case ast.If(test=head) | ast.While(test=head) | ast.For(iter=head):
            return _end(head)
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
