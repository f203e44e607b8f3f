"""What the compiler makes of the accepted snippets, pinned: no chain executes other code silently.

For every piece the guarded code as text, with its gas, and the static facts beside it: methods,
storage, sites, accesses, records, and what style says. A change of any of them changes what
deployed contracts do or cost, so it needs a new language or price table.

Renew with `python -m tests.unit.test_vm_emitted_golden` and read the difference.
"""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from contracts.vm import compile as compiler
from contracts.vm import emit
from contracts.vm.compile import Compiled, Method, check
from contracts.vm.limits import FLUSH_EVERY, INT_BOUND
from contracts.vm.rules import Finding
from contracts.vm.types import RecordOf, show
from tests.unit.test_vm_refusals import function
from tests.vm_snippets import ACCEPTED_LINES, ACCEPTED_MODULES

GOLDEN = Path(__file__).with_name("vm_emitted_golden.json")
SOURCES = {
    **{f"line/{name}": function(body) for name, body in ACCEPTED_LINES.items()},
    **{f"module/{name}": source for name, source in ACCEPTED_MODULES.items()},
}


def emitted(source: str) -> dict[str, Any]:
    """The guarded code and the facts about it, as JSON can hold them."""
    trees: list[ast.Module] = []

    def recorded(tree: ast.Module, *rest: object, **options: Any) -> Any:
        trees.append(tree)
        return compile(tree, *rest, **options)  # type: ignore[call-overload]

    with mock.patch.object(compiler, "compile", recorded, create=True):
        findings, compiled = check(source)
    assert compiled is not None, findings
    return {
        "code": {
            part.name: ast.unparse(part).replace(str(INT_BOUND), "INT_BOUND").split("\n")
            for part in trees[0].body
            if isinstance(part, ast.FunctionDef)
        },
        "functions": [*compiled.functions],
        "style": [_told(finding) for finding in findings],
        **_facts(compiled),
    }


def emitted_line(source: str) -> dict[str, Any]:
    """The same of a line alone: what its surroundings bring by themselves is left out."""
    found, bare = emitted(source), emitted(function("pass"))
    style = found.pop("style"), bare.pop("style")
    told = {key: _changed(value, bare[key]) for key, value in found.items() if value != bare[key]}
    told["style"] = [
        *(f"+ {line}" for line in style[0] if line not in style[1]),
        *(f"- {line}" for line in style[1] if line not in style[0]),
    ]
    return told


def _changed(value: Any, bare: Any) -> Any:
    if isinstance(value, dict):
        return {key: part for key, part in value.items() if part != bare.get(key)}
    return value


def _facts(compiled: Compiled) -> dict[str, Any]:
    return {
        "methods": [_signature(method) for method in compiled.methods.values()],
        "init": compiled.init and _signature(compiled.init),
        "migrate": compiled.migrate and _signature(compiled.migrate),
        "storage": {
            name: f"{'Map' if item.is_map else 'Var'} {[*map(show, item.keys)]} {show(item.value)}"
            for name, item in compiled.storage.items()
        },
        "sites": [
            f"{site.kind} {site.name}({', '.join([*site.fields])})"
            f" {[*map(show, site.types)]} -> {show(site.returns)}"
            for site in compiled.sites
        ],
        "context": sorted(compiled.context),
        "accesses": {
            name: [f"{a.target} {a.name} {a.method} {a.parts}" for a in accesses]
            for name, accesses in compiled.accesses.items()
        },
        "records": [_record(record) for record in compiled.records],
    }


def _signature(method: Method) -> str:
    parameters = ", ".join(f"{name}: {show(kind)}" for name, kind in method.parameters)
    head = f"{method.kind} {method.name}({parameters}) -> {show(method.returns)}"
    return f"{head} = {method.function} {method.documentation!r}"


def _record(record: RecordOf) -> str:
    fields = ", ".join(f"{name}: {show(kind)}" for name, kind in record.fields)
    return f"{record.name}({fields}) {record.defaults} {record.levels} deep {record.nodes} nodes"


def _told(finding: Finding) -> str:
    return f"{finding.line}:{finding.column} {finding.rule} {finding.reason}"


def outcome(name: str) -> dict[str, Any]:
    source = SOURCES[name]
    return emitted_line(source) if name.startswith("line/") else emitted(source)


@pytest.mark.parametrize("name", SOURCES)
def test_the_compiler_makes_what_it_made(name: str) -> None:
    assert outcome(name) == golden()[name]


def test_nothing_is_pinned_that_is_not_looked_at() -> None:
    assert list(golden()) == list(SOURCES)


@pytest.mark.parametrize(
    ("amount", "lines"),
    [(0, 0), (1, 1), (FLUSH_EVERY, 1), (FLUSH_EVERY + 1, 2), (3 * FLUSH_EVERY, 2)],
)
def test_a_charge_can_be_taken_back_whole(amount: int, lines: int) -> None:
    code = emit.charge(amount)
    assert len(code) == lines, "a large one goes to the meter at once"
    code.append(ast.Pass())
    assert emit.take_charge(code) == amount
    assert [type(line) for line in code] == [ast.Pass]
    assert emit.take_charge(code) == 0


@cache
def golden() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="ascii"))
    return found


if __name__ == "__main__":
    made = {name: outcome(name) for name in SOURCES}
    GOLDEN.write_text(json.dumps(made, indent=1) + "\n", encoding="ascii")
