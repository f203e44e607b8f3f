"""Writes docs/acts.md: for each clause of sections 6 and 8.6 the acts on chain that keep it, the
commands that make them, and the tests that show it. `make reference` runs it.

Nothing is listed by hand. Tests are found by the clause in their names, contract methods by the
clause in their descriptions and by the calls that those tests make, commands by the methods that
they call.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

from contracts.bundle import SYSTEM_CONTRACTS

ROOT = Path(__file__).parents[2]
STANDARD = ROOT / "docs" / "standard.md"
PAGE = ROOT / "docs" / "acts.md"
SECTIONS = ("6.", "8.6.")
HEAD = """# Clauses, acts, commands, tests

Written by `make reference` from the contracts, the commands and the tests themselves; do not edit.

For each clause of sections 6 (相关方及业务流程) and 8.6 (监督管理) of the standard: the methods of
system contracts that keep it, the commands that call them, and the tests that show it. What each
clause asks, and in which state it is, says [the table](standard.md).

| clause | contract methods | commands | tests |
|---|---|---|---|
"""
# In a docstring: 6.3a, 8.6.2 b, and 8.6.2a to 8.6.5a for one letter of several numbers.
CITED = re.compile(r"\b(\d(?:\.\d)+)\s?([a-z])?\b(?:\d)?(?: to (\d(?:\.\d)+)\s?([a-z])\b)?")
NAMED = re.compile(r"test_clause_((?:\d+_)+\d+[a-z]?)(?:_(to|and)_((?:\d+_)+\d+[a-z]?))?_")

Method = tuple[str, str]


@cache
def clauses() -> tuple[str, ...]:
    """All of both sections, in the order of the standard's table."""
    block = re.search(r"```clauses\n(.*?)```", STANDARD.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    return tuple(clause for clause in block[1].split() if clause.startswith(SECTIONS))


def spread(first: str, last: str) -> list[str]:
    """8.6.2a and 8.6.5a: those of the same letter in between, too."""
    head, letter = first[:-2], first[-1]
    return [f"{head}{number}{letter}" for number in range(int(first[-2]), int(last[-2]) + 1)]


def matching(cited: str) -> list[str]:
    """The clauses that a citation means: an item of 6.6.1 stands under 6.6.1."""
    return [one for one in clauses() if one == cited or one == cited[:-1] or one[:-1] == f"{cited}"]


def cited_in(text: str) -> set[str]:
    found: set[str] = set()
    for number, letter, to_number, to_letter in CITED.findall(text):
        first = number + letter
        names = spread(first, to_number + to_letter) if to_number and letter else [first]
        for name in names:
            found.update(matching(name))
    return found


@cache
def tests() -> Mapping[str, tuple[ast.FunctionDef, ...]]:
    """Clause -> its tests."""
    found: dict[str, list[ast.FunctionDef]] = {clause: [] for clause in clauses()}
    for path in sorted(Path(__file__).parent.glob("test_clause_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            if (named := NAMED.match(node.name)) is None:
                continue
            first, how, last = (part and part.replace("_", ".") for part in named.groups())
            names = [first]
            if how == "and":
                names.append(last)
            elif how == "to":
                names = spread(first, last)
            for clause in {one for name in names for one in matching(name)}:
                found[clause].append(node)
    return {clause: tuple(nodes) for clause, nodes in found.items()}


@cache
def methods() -> Mapping[Method, str]:
    """All that can be called of the system contracts -> its description."""
    found: dict[Method, str] = {}
    for contract in SYSTEM_CONTRACTS:
        path = ROOT / "contracts" / "system" / f"{contract}.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                found[contract, node.name.rstrip("_")] = ast.get_docstring(node) or ""
    return found


def called_in(node: ast.AST, own: str = "") -> Iterator[Method]:
    """Methods that stand as two arguments side by side in a call; `own` is what CONTRACT means.

    A helper of the module, `_signed(ask, "accept", …)`, is told the method of its own contract.
    """
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        texts = [_text(argument, own) for argument in call.args]
        is_helper = isinstance(call.func, ast.Name) and call.func.id.startswith("_")
        pairs = [(own, text) for text in texts] if is_helper else list(pairwise(texts))
        yield from (pair for pair in pairs if pair in methods())


def _text(argument: ast.expr, own: str) -> str:
    if isinstance(argument, ast.Starred):
        return ""
    if isinstance(argument, ast.Name) and argument.id == "CONTRACT":
        return own
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    return ""


@cache
def commands() -> Mapping[Method, tuple[str, ...]]:
    """Method -> the commands that call it."""
    found: dict[Method, list[str]] = {method: [] for method in methods()}
    for path in sorted((ROOT / "cli").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        own, noun = _constant(tree, "CONTRACT"), _constant(tree, "NOUN") or path.stem
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef) or (name := _verb(node)) is None:
                continue
            for method in sorted(set(called_in(node, own))):
                found[method].append(f"{noun} {name}")
    return {method: tuple(lines) for method, lines in found.items()}


def _constant(tree: ast.Module, name: str) -> str:
    """The text that a module gives to this name; "" for none."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=known)], value=ast.Constant(value=str(text))) if (
                known == name
            ):
                return text
            case _:
                pass
    return ""


def _verb(node: ast.FunctionDef) -> str | None:
    for decorator in node.decorator_list:
        match decorator:  # @verb(app, "list") or @forms.verb("file")
            case ast.Call(func=ast.Name(id="verb"), args=[_, ast.Constant(value=str(name)), *_]):
                return name
            case ast.Call(func=ast.Attribute(attr="verb"), args=[ast.Constant(value=str(name))]):
                return name
            case _:
                pass
    return None


def acts_of(clause: str) -> list[Method]:
    """Methods that name the clause, and those that its tests call."""
    found = {method for method, text in methods().items() if clause in cited_in(text)}
    for test in tests()[clause]:
        found.update(called_in(test))
    return sorted(found)


def commands_of(clause: str) -> list[str]:
    return sorted({line for method in acts_of(clause) for line in commands()[method]})


def render() -> str:
    """The page as Markdown."""
    lines = [HEAD]
    for clause in clauses():
        acts = ", ".join(f"`{contract}.{method}`" for contract, method in acts_of(clause))
        told = ", ".join(f"`{line}`" for line in commands_of(clause))
        shown = ", ".join(f"`{test.name}`" for test in tests()[clause])
        lines.append(f"| {clause} | {acts} | {told} | {shown} |\n")
    return "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
