"""Contracts (合约): check source, deploy it, look at it, call it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import SourceFile, call
from cli.literals import parse_values, read_source
from cli.options import Invocation, verb
from cli.output import REFUSED, Answer, Fields, Table, plain
from cli.tx import Arguments

app = typer.Typer()
LIFECYCLE = "contract"  # the system contract that deploys the others

Name = Annotated[str, typer.Argument(metavar="CONTRACT")]
Method = Annotated[str, typer.Argument(metavar="METHOD")]


@verb(app, "check")
def check(ask: Invocation, source: SourceFile) -> Answer:
    """Check a contract's source against the dialect, without a network."""
    from contracts.vm.check import check_source
    from contracts.vm.limits import SOURCE_SIZE_MAX

    findings = check_source(read_source(source, size_max=SOURCE_SIZE_MAX))
    failed = any(finding.severity == "error" for finding in findings)
    if not findings:
        return Fields({"file": str(source), "verdict": "clean", "findings": []})
    return Table(
        ("line", "column", "rule", "severity", "reason", "fix"),
        [(f.line, f.column, f.rule, f.severity, f.reason, f.fix) for f in findings],
        title=str(source),
        exit_code=REFUSED if failed else 0,
    )


@verb(app, "deploy")
def deploy(ask: Invocation, name: Name, source: SourceFile, args: Arguments = None) -> Answer:
    """Deploy a contract and run its @init with ARGS (manager, operator or tech_provider)."""
    from contracts.vm.limits import SOURCE_SIZE_MAX
    from ledger.values import encode_value

    text = read_source(source, size_max=SOURCE_SIZE_MAX)
    return call(ask, LIFECYCLE, "deploy", name, text, encode_value(parse_values(args or [])))


@verb(app, "call")
def call_method(ask: Invocation, contract: Name, method: Method, args: Arguments = None) -> Answer:
    """Call a method, wait for the certified receipt, show value and events."""
    return call(ask, contract, method, *parse_values(args or []))


@verb(app, "view")
def view(ask: Invocation, contract: Name, method: Method, args: Arguments = None) -> Answer:
    """Read a view as this account; the query is signed."""
    values = parse_values(args or [])
    with ask.session() as session:
        value = session.view(contract, method, *values)
    return Fields({"value": plain(value)})
