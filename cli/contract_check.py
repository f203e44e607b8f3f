"""`contract check` and `contract rules`: what a contract's text must and should be (8.1.5c)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import VmVersion
from cli.literals import read_source
from cli.options import Invocation
from cli.output import REFUSED, Answer, CommandRefused, Json, Table, Text

if TYPE_CHECKING:
    from contracts.vm.rules import Finding

COLUMNS = (
    *("file", "line", "column", "end_line", "end_column"),
    *("rule", "severity", "reason", "fix"),
)
Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="FILE...")]
Strict = Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")]
RuleId = Annotated[str, typer.Argument(metavar="RULE", help="Such as L005; default: all.")]


def check(
    ask: Invocation, files: Files, strict: Strict = False, vm_version: VmVersion = ""
) -> Answer:
    """Check sources of contracts: their form, language and types, and their style.

    Exit code 0 when none has an error (with --strict: nor a warning), else 1. As JSON a list of
    objects with file, line, column, end_line, end_column (all from 1; a finding ends before its
    end_column), rule, severity, reason and fix.
    Every rule with an example: docs/contract-rules.md.
    """
    from contracts.vm import engines
    from contracts.vm.check import check_source
    from contracts.vm.limits import SOURCE_SIZE_MAX

    engine = engines.LATEST
    if vm_version:
        engine = engines.find(vm_version, where="--vm-version names")
    checked: list[tuple[Path, str, Sequence[Finding]]] = []
    for path in files:
        text = read_source(path, size_max=SOURCE_SIZE_MAX)
        checked.append((path, text, check_source(text, engine.language)))
    found = [finding for _, _, findings in checked for finding in findings]
    errors = sum(finding.severity == "error" for finding in found)
    code = REFUSED if errors or (strict and found) else 0
    if ask.json:
        rows = [_row(path, finding) for path, _, findings in checked for finding in findings]
        return Table(COLUMNS, rows, exit_code=code)
    told = [_told(path, text, finding) for path, text, some in checked for finding in some]
    return Text("\n".join([*told, _summary(errors, len(found) - errors)]), exit_code=code)


def _row(path: Path, finding: Finding) -> list[Json]:
    start: list[Json] = [str(path), finding.line, finding.column + 1]
    end: list[Json] = [finding.end_line, finding.end_column + 1]
    return [*start, *end, finding.rule, finding.severity, finding.reason, finding.fix]


def _told(path: Path, text: str, finding: Finding) -> str:
    """`path:line:column: RULE reason`, the line with marks under the place, and the fix."""
    lines = text.split("\n")
    line = lines[finding.line - 1] if finding.line <= len(lines) else ""
    number = str(finding.line)
    margin = " " * len(number)
    end = finding.end_column if finding.end_line == finding.line else len(line)
    marks = "^" * max(1, end - finding.column)
    return (
        f"{path}:{finding.line}:{finding.column + 1}: {finding.rule} {finding.reason}\n"
        f"{margin} |\n"
        f"{number} | {line}\n"
        f"{margin} | {' ' * finding.column}{marks} {finding.severity}\n"
        f"{margin} = fix: {finding.fix}\n"
    )


def _summary(errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return "All checks passed."
    counts = (_count(errors, "error"), _count(warnings, "warning"))
    return f"Found {' and '.join(count for count in counts if count)}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}" if number else ""


def rules(ask: Invocation, rule: RuleId = "") -> Answer:
    """List the rules that `contract check` names: what each demands, and what to do."""
    from contracts.vm.rules import RULES

    if rule and rule not in RULES:
        raise CommandRefused("contract.rule", f"no rule {rule}; `shuxin contract rules` lists them")
    rows: list[list[Json]] = [
        [name, "warning" if name.startswith("W") else "error", demand, fix]
        for name, (demand, fix) in RULES.items()
        if rule in ("", name)
    ]
    return Table(("rule", "severity", "demand", "fix"), rows)
