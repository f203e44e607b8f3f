"""Agreements (数据服务合同) between operator and consumer, that both sides sign."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import Deadline, DigestOption, Id, Reason, Title, add_reads, call
from cli.literals import parse_amount, parse_id
from cli.options import Forms, Invocation, verb
from cli.output import Answer, CommandRefused

app = typer.Typer()
CONTRACT = "agreement"
forms = Forms(app, CONTRACT)

add_reads(
    app,
    CONTRACT,
    columns=("id", "kind", "subject", "operator", "consumer", "status", "until_ms"),
)


@forms.verb("offer")
def offer(
    ask: Invocation,
    agreement_id: Id,
    title: Title,
    digest: DigestOption,
    until: Deadline,
    product: Annotated[
        str, typer.Option(metavar="ID", help="The approved product that it is over.")
    ] = "",
    grant: Annotated[
        str, typer.Option(metavar="ID", help="The grant whose product is still to be made.")
    ] = "",
    price: Annotated[
        int | None,
        typer.Option(
            parser=parse_amount,
            metavar="AMOUNT",
            help="For what --per says (价格): 150.00yuan, or 15000 fen; default: free.",
        ),
    ] = None,
    service: Annotated[
        str, typer.Option(metavar="NAME", help="Service of the tariff, instead of a price.")
    ] = "",
    per: Annotated[
        str,
        typer.Option(metavar="WHAT", help="What is paid for: each `delivery`, or unit of `use`."),
    ] = "delivery",
    location: Annotated[str, typer.Option(help="Where the two sides find the text.")] = "",
) -> Answer:
    """Put up the contract over a product or a grant's deliverable (operator)."""
    if (product == "") == (grant == ""):
        raise CommandRefused("agreement.subject", "name --product or --grant, one of the two")
    kind, subject = ("product", parse_id(product)) if product else ("grant", parse_id(grant))
    words = (kind, subject, title, digest, location, price or 0, service, per, until)
    return call(ask, CONTRACT, "offer", agreement_id, *words)


@verb(app, "sign")
def sign(ask: Invocation, agreement_id: Id, digest: DigestOption) -> Answer:
    """Sign the text that you read (签署); the second side puts it in force."""
    return call(ask, CONTRACT, "sign", agreement_id, digest)


@verb(app, "decline")
def decline(ask: Invocation, agreement_id: Id, reason: Reason) -> Answer:
    """Refuse it, or take your word back, before both have signed (either side)."""
    return call(ask, CONTRACT, "decline", agreement_id, reason)


@verb(app, "terminate")
def terminate(ask: Invocation, agreement_id: Id, reason: Reason) -> Answer:
    """End what is in force before its time (解除; either side, or a manager)."""
    return call(ask, CONTRACT, "terminate", agreement_id, reason)
