"""The tariff (收费标准): what a unit of each service costs, in versions of the manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import DigestOption, add_list, call, record_fields
from cli.literals import ServicePrice, parse_id, parse_price
from cli.options import Invocation, verb
from cli.output import Answer

if TYPE_CHECKING:
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "tariff"

add_list(
    app, CONTRACT, columns=("number", "manager", "status", "from_height", "until_height", "prices")
)

Number = Annotated[int, typer.Argument(min=1, metavar="NUMBER")]


@verb(app, "show")
def show(ask: Invocation, number: Number) -> Answer:
    """Show one version, whole."""
    with ask.session() as session:
        return record_fields(session.view(CONTRACT, "show", number))


@verb(app, "enact")
def enact(
    ask: Invocation,
    number: Number,
    digest: DigestOption,
    from_height: Annotated[int, typer.Option(min=1, help="Height from which on it holds.")],
    prices: Annotated[
        list[ServicePrice],
        typer.Option(
            "--price",
            parser=parse_price,
            metavar="SERVICE=AMOUNT",
            help="For a unit, as task=5.00yuan or task=500, in fen; repeatable.",
        ),
    ],
    location: Annotated[str, typer.Option(help="Where parties find the text.")] = "",
) -> Answer:
    """Put the next version in force from a height on (manager)."""
    named: list[Value] = [[*price] for price in prices]
    return call(ask, CONTRACT, "enact", number, digest, location, named, from_height)


@verb(app, "withdraw")
def withdraw(ask: Invocation, number: Number) -> Answer:
    """Take back a version that is only announced (manager)."""
    return call(ask, CONTRACT, "withdraw", number)


@verb(app, "price")
def price(
    ask: Invocation, service: Annotated[str, typer.Argument(parser=parse_id, metavar="SERVICE")]
) -> Answer:
    """Say what a unit of a service costs now."""
    with ask.session() as session:
        return record_fields(session.view(CONTRACT, "price_of", service))
