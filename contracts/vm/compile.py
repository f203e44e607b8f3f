"""From source to verified code: parse, declare, translate each function, compile, verify.

The result holds code objects and static facts only; `instance.py` binds it to a state.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from types import CodeType

from contracts.vm import features, limits
from contracts.vm.body import Access, Body, Site, Unit
from contracts.vm.declare import Function, Storage, declare
from contracts.vm.expressions import translate
from contracts.vm.guard_names import GUARDS
from contracts.vm.rules import Finding, Findings, SourceRefused
from contracts.vm.source import parse
from contracts.vm.statements import translate_function
from contracts.vm.storage_ops import SCANS, guard_name
from contracts.vm.style import check_style
from contracts.vm.types import RecordOf, Type
from contracts.vm.verify import verify

FILENAME = "<contract>"  # of all code: tools know by the brackets that there is no such file
OPERATIONS = ("item", "get", "getor", "set", "has", "del", "clear")


@dataclass(frozen=True, slots=True)
class Method:
    """An entry of the ABI: what may be called from outside."""

    name: str
    kind: str  # init call view migrate
    parameters: tuple[tuple[str, Type], ...]
    returns: Type
    function: str  # emitted name
    documentation: str


@dataclass(frozen=True, slots=True)
class Compiled:
    functions: dict[str, CodeType]
    methods: dict[str, Method]  # @call and @view, by public name
    init: Method | None
    migrate: Method | None
    storage: dict[str, Storage]
    sites: tuple[Site, ...]
    context: frozenset[str]  # ctx fields that are used
    accesses: dict[str, tuple[Access, ...]]  # by source name of the function
    records: tuple[RecordOf, ...]


class Assembly:
    """How functions are translated and put together. The test kit has one that keeps lines."""

    def body(self, unit: Unit, function: Function) -> Body:
        """What translates `function`."""
        return Body(unit, function, translate)

    def code(self, module: ast.Module) -> CodeType:
        """The guarded functions, compiled as one module."""
        ast.fix_missing_locations(module)
        return compile(module, FILENAME, "exec", dont_inherit=True, optimize=0)


PLAIN = Assembly()


def check(
    source: str,
    language: int = features.LATEST,
    *,
    with_style: bool = True,
    assembly: Assembly = PLAIN,
) -> tuple[tuple[Finding, ...], Compiled | None]:
    """All findings, and the compiled contract unless one of them is an error.

    Style is looked at where there is no error. Raises LanguageUnknown.
    """
    features.demand_language(language)
    findings = Findings()
    tree = parse(source, findings)
    if tree is None:
        return findings.in_order(), None
    declarations = declare(tree, findings, language)
    unit = Unit(declarations, findings)
    functions = [
        translate_function(assembly.body(unit, function))
        for function in declarations.functions.values()
    ]
    _check_calls(unit)
    if findings.error_count:
        return findings.in_order(), None
    if with_style:
        check_style(unit, tree, source)
    module = ast.Module([*functions, *unit.comprehensions], [])
    return findings.in_order(), _finish(unit, assembly.code(module))


def compile_source(
    source: str, language: int = features.LATEST, assembly: Assembly = PLAIN
) -> Compiled:
    """The compiled contract. Raises SourceRefused with every finding, LanguageUnknown."""
    findings, compiled = check(source, language, with_style=False, assembly=assembly)
    if compiled is None:
        raise SourceRefused(findings)
    return compiled


def _finish(unit: Unit, code: CodeType) -> Compiled:
    declarations = unit.declarations
    storage_guards = {
        guard_name(operation, name)
        for name, storage in declarations.storage.items()
        for operation in (*OPERATIONS, *(SCANS if storage.is_sorted else ()))
    }
    context_guards = {f"__ctx_{name}" for name in unit.context_used}
    functions = verify(code, guards=GUARDS | storage_guards | context_guards)
    methods = [_method(f) for f in declarations.functions.values() if f.kind != "helper"]
    return Compiled(
        functions=functions,
        methods={m.name: m for m in methods if m.kind in ("call", "view")},
        init=next((m for m in methods if m.kind == "init"), None),
        migrate=next((m for m in methods if m.kind == "migrate"), None),
        storage=declarations.storage,
        sites=tuple(unit.sites),
        context=frozenset(unit.context_used),
        accesses={name: tuple(items) for name, items in unit.accesses.items()},
        records=tuple(declarations.records.values()),
    )


def _method(function: Function) -> Method:
    return Method(
        function.public_name,
        function.kind,
        function.parameters,
        function.returns,
        f"__f_{function.name}",
        ast.get_docstring(function.node) or "",
    )


# --- the call graph ----------------------------------------------------------------------------


def _check_calls(unit: Unit) -> None:
    """No recursion, bounded depth; effects of callees are effects of their callers."""
    functions = unit.declarations.functions
    depth: dict[str, int] = {}
    for name in functions:
        _visit(unit, name, depth, ())
    for function in functions.values():
        if function.kind == "view" and function.effects & {"write", "emit", "call"}:
            node = function.node
            what = ", ".join(sorted(function.effects & {"write", "emit", "call"}))
            reason = f"view `{function.name}` does: {what}"
            unit.findings.at("V001", node, reason)


def _visit(unit: Unit, name: str, depth: dict[str, int], path: tuple[str, ...]) -> int:
    if name in depth:
        return depth[name]
    function = unit.declarations.functions[name]
    node = function.node
    if name in path:
        unit.findings.at("R001", node, f"`{name}` comes to call itself")
        return 0
    if len(path) > limits.CALL_DEPTH_MAX:
        unit.findings.at("R002", node)
        return 0
    deepest = 0
    for callee in sorted(function.calls):
        deepest = max(deepest, _visit(unit, callee, depth, (*path, name)))
        function.effects |= unit.declarations.functions[callee].effects
    depth[name] = deepest + 1
    if depth[name] > limits.CALL_DEPTH_MAX:
        unit.findings.at("R002", node)
    return depth[name]
