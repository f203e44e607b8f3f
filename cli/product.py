"""Data products (数据产品): results of finished tasks, registered and approved for delivery."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import Decision, Description, DigestOption, Id, Note, Title, add_reads, call
from cli.literals import parse_id
from cli.options import Forms, Invocation, verb
from cli.output import Answer

app = typer.Typer()
CONTRACT = "product"
forms = Forms(app, "product")

add_reads(app, CONTRACT, columns=("id", "task_id", "operator", "consumer", "title", "status"))


@forms.verb("register")
def register(
    ask: Invocation,
    product_id: Id,
    task: Annotated[str, typer.Option(parser=parse_id, help="The finished task.")],
    title: Title,
    digest: DigestOption,
    description: Description = "",
    output: Annotated[
        str,
        typer.Option(parser=parse_id, help="Its kind, of those that the grant allows."),
    ] = "statistics",
) -> Answer:
    """Register the result of a finished task as a product (operator)."""
    return call(ask, CONTRACT, "register", product_id, task, title, description, digest, output)


@verb(app, "approve")
def approve(ask: Invocation, product_id: Id, passed: Decision, note: Note = "") -> Answer:
    """Pass a product for delivery, or refuse it (manager)."""
    return call(ask, CONTRACT, "approve", product_id, passed, note)
