"""Style and logic of a contract: what is allowed, but is hardly what its author wants.

Warnings only (rules W...). They are for people: the machine does not look at them when a contract
is deployed, so they decide nothing that nodes must agree on. A line may say that it knows better:

    total.set(n)  # shuxin: allow W003 anybody may count, once a block
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from contracts.vm.body import Unit
from contracts.vm.declare import Function, Storage
from contracts.vm.rules import RULES, Finding, Findings
from contracts.vm.types import BYTES, INT, STR, DictOf, ListOf

_ALLOWANCE = re.compile(r"#\s*shuxin:\s*allow\s+(W\d{3})\b[ \t]*(.*)")
_CHANGING = frozenset(["append", "extend", "insert", "pop", "remove", "reverse", "sort"])
_IDENTIFYING = (STR, BYTES, INT)


def check_style(unit: Unit, tree: ast.Module, source: str) -> None:
    """Add the warnings of a contract without errors to `unit.findings`."""
    found = Findings()
    _check_use(unit, tree, found)
    for function in unit.declarations.functions.values():
        _check_effects(function, found)
        _check_parameters(function, found)
        _check_loops(unit, function, found)
        _check_copies(unit, function, found)
    _check_origin(tree, found)
    _check_events(unit, tree, found)
    unit.findings.extend(_without_allowed(found.items, source))


def _without_allowed(items: list[Finding], source: str) -> Iterator[Finding]:
    """Findings that no line allows, and allowances that nothing needs or that give no reason."""
    allowed: dict[int, re.Match[str]] = {}
    for number, line in enumerate(source.split("\n"), 1):
        said = _ALLOWANCE.search(line)
        if said is not None:
            allowed[number] = said
            if not said[2].strip():
                yield _unneeded(number, said, "an allowance says why")
    used: set[int] = set()
    for finding in items:
        said = allowed.get(finding.line)
        if said is not None and said[1] == finding.rule:
            used.add(finding.line)
        else:
            yield finding
    for number in sorted(allowed.keys() - used):
        said = allowed[number]
        yield _unneeded(number, said, f"nothing here needs an allowance of {said[1]}")


def _unneeded(line: int, said: re.Match[str], reason: str) -> Finding:
    fix = RULES["W099"][1]
    return Finding("W099", line, said.start(), line, said.end(), reason, fix, "warning")


def _loads(nodes: Iterator[ast.AST]) -> set[str]:
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


# --- what is not used --------------------------------------------------------------------------


def _check_use(unit: Unit, tree: ast.Module, found: Findings) -> None:
    declarations = unit.declarations
    called = {callee for f in declarations.functions.values() for callee in f.calls}
    for name in declarations.storage:
        if name not in unit.storage_used:
            found.at("W001", declarations.nodes[name], f"`{name}` is never used")
    for function in declarations.functions.values():
        if function.kind == "helper" and function.name not in called:
            found.at("W002", function.node, f"`{function.name}` is never called")
    used = _loads(ast.walk(tree))
    for name in (*declarations.constants, *declarations.records):
        if name not in used:
            found.at("W010", declarations.nodes[name], f"`{name}` is never used")
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "contracts.dialect":
            for alias in node.names:
                if alias.name not in used:
                    reason = f"`{alias.name}` is imported, but not used"
                    found.at("W010", alias, reason)


def _check_parameters(function: Function, found: Findings) -> None:
    if function.kind == "migrate":
        return  # it has to take the sequence number
    used = _loads(ast.walk(function.node))
    for argument in function.node.args.args:
        if argument.arg not in used and not argument.arg.startswith("_"):
            reason = f"`{argument.arg}` is never read"
            found.at("W010", argument, reason)


# --- who may do what ---------------------------------------------------------------------------


def _check_effects(function: Function, found: Findings) -> None:
    node = function.node
    if function.kind != "call":
        return
    if "write" in function.effects and "identity" not in function.effects:
        found.at("W003", node, f"`{function.name}` writes for anybody")
    if not function.effects & {"write", "emit", "call"}:
        reason = f"`{function.name}` only reads: make it a @view"
        found.at("W004", node, reason)


def _check_origin(tree: ast.Module, found: Findings) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for part in ast.walk(node):
                match part:
                    case ast.Attribute(value=ast.Name(id="ctx"), attr="origin"):
                        found.at("W008", part)


# --- user data ---------------------------------------------------------------------------------


def _check_loops(unit: Unit, function: Function, found: Findings) -> None:
    """A method that runs over an argument whose length neither it nor a helper looks at."""
    if function.kind == "helper":
        return
    long = {name for name, kind in function.parameters if isinstance(kind, (ListOf, DictOf))}
    measured = _measured(function.node)
    for node in ast.walk(function.node):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            measured |= _measured_by_helper(unit, node.value)
    for node in ast.walk(function.node):
        if isinstance(node, (ast.For, ast.comprehension)):
            for name in sorted(_loads(ast.walk(node.iter)) & (long - measured)):
                reason = f"`{name}` is as long as a caller likes"
                found.at("W005", node.iter, reason)


def _measured(function: ast.FunctionDef) -> set[str]:
    """Names whose length is compared with something."""
    return {
        argument.id
        for node in ast.walk(function)
        if isinstance(node, ast.Compare)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "len"
        for argument in call.args
        if isinstance(argument, ast.Name)
    }


def _measured_by_helper(unit: Unit, call: ast.Call) -> set[str]:
    """Arguments of a call of a helper that compares the length of what it is given there."""
    function = unit.declarations.functions.get(
        call.func.id if isinstance(call.func, ast.Name) else ""
    )
    if function is None:
        return set()
    measured = _measured(function.node)
    return {
        argument.id
        for argument, (name, _) in zip(call.args, function.parameters, strict=False)
        if isinstance(argument, ast.Name) and name in measured
    }


def _check_events(unit: Unit, tree: ast.Module, found: Findings) -> None:
    """Sites are in order of translation; their events are found again by name and fields."""
    kinds = {(s.name, s.fields): s.types for s in unit.sites if s.kind == "emit"}
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="emit"), args=[ast.Constant(value=str() as name)], keywords=fields
            ):
                types = kinds.get((name, tuple(str(field.arg) for field in fields)), ())
                if not types or types[0] not in _IDENTIFYING:
                    reason = f"nobody can look for `{name}`: its first field is no id"
                    found.at("W006", node, reason)


# --- copies ------------------------------------------------------------------------------------


def _check_copies(unit: Unit, function: Function, found: Findings) -> None:
    """A list or dict that was read from storage, changed, and is used for nothing afterwards."""
    storage = unit.declarations.storage
    read: dict[str, ast.Assign | ast.AnnAssign] = {}
    for node in ast.walk(function.node):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if _is_collection(storage.get(_storage_read(value))):
                read[name] = node
    if not read:
        return
    changed, used = _uses(function.node)
    for name, node in read.items():
        if name in changed and name not in used:
            reason = f"`{name}` is a copy of what is stored; its changes are lost"
            found.at("W007", node, reason)


def _is_collection(kept: Storage | None) -> bool:
    return kept is not None and isinstance(kept.value, (ListOf, DictOf))


def _storage_read(value: ast.expr) -> str:
    match value:
        case ast.Subscript(value=ast.Name(id=name)):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get")):
            return name
    return ""


def _uses(function: ast.FunctionDef) -> tuple[set[str], set[str]]:
    """Names that are changed in place, and names whose value goes anywhere."""
    changed: set[str] = set()
    places: set[int] = set()  # of names that stand where they are only changed
    for node in ast.walk(function):
        match node:
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name() as name, attr=attr))
            ) if attr in _CHANGING:
                changed.add(name.id)
                places.add(id(name))
            case ast.Subscript(value=ast.Name() as name, ctx=ast.Store() | ast.Del()):
                changed.add(name.id)
                places.add(id(name))
    used = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in places
    }
    return changed, used
