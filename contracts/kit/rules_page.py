"""Writes docs/contract-rules.md: every rule of `contract check`. `make reference` runs it.

python -m contracts.kit.rules_page > docs/contract-rules.md
"""

from __future__ import annotations

import sys

from contracts.kit.rule_examples import EXAMPLES, Example
from contracts.vm.check import Finding, check_source
from contracts.vm.features import LATEST
from contracts.vm.rules import RULES

HEAD = """# Rules of contracts

Written by `make reference` from the rules and their examples; do not edit.

What `shuxin contract check` says of a contract; `shuxin contract rules` lists the rules in a
terminal, and [the guide](../contracts/dialect/GUIDE.md) is the language as a whole. Errors keep a
contract from being deployed. Warnings do not: `--strict` makes them count, and
`# shuxin: allow W005 reason` at the end of a line answers one. Ids are stable. Each example breaks
its rule alone; below it stands what is said of it, after line:column.
"""
GROUPS = {
    "S": "Source",
    "N": "Names",
    "L": "Language",
    "T": "Types",
    "V": "Views",
    "R": "Recursion and size",
    "W": "Style and logic",
}


def render() -> str:
    """The page as Markdown."""
    parts = [HEAD, "\n| rule | severity | demands |\n|---|---|---|\n"]
    for rule in EXAMPLES:
        demand = RULES[rule][0].replace("|", "\\|")
        parts.append(f"| [{rule}](#{rule.lower()}) | {severity_of(rule)} | {demand} |\n")
    group = ""
    for rule in EXAMPLES:
        if rule[0] != group:
            group = rule[0]
            parts.append(f"\n## {GROUPS[group]}\n")
        parts.append(_section(rule))
    return "".join(parts)


def severity_of(rule: str) -> str:
    """`error` or `warning`."""
    return "warning" if rule.startswith("W") else "error"


def found_in(example: Example) -> list[Finding]:
    """What the check says of an example, on a chain of its language."""
    return check_source(example.source, example.language or LATEST)


def _section(rule: str) -> str:
    demand, fix = RULES[rule]
    example = EXAMPLES[rule]
    told = found_in(example)[0]
    language = f" On a chain of language {example.language}:" if example.language else ""
    return (
        f"\n### {rule}\n{severity_of(rule).capitalize()}: {demand}. Fix: {fix}.{language}\n"
        f"```python\n{example.shown or example.source}```\n"
        f"`{told.line}:{told.column + 1}` {told.reason}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(render())
