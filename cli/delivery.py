"""Delivery (交付) of approved products, and their acceptance by the consumer."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import DigestOption, Id, Note, add_reads, call
from cli.literals import parse_digest, parse_id
from cli.options import Forms, Invocation, verb
from cli.output import Answer

app = typer.Typer()
CONTRACT = "delivery"
forms = Forms(app, "delivery")

add_reads(
    app, CONTRACT, columns=("id", "product_id", "operator", "consumer", "status", "offered_ms")
)


@forms.verb("offer")
def offer(
    ask: Invocation,
    delivery_id: Id,
    product: Annotated[str, typer.Option(parser=parse_id, help="The approved product.")],
    consumer: Annotated[str, typer.Option(parser=parse_id, help="Party that receives it.")],
    agreement: Annotated[
        bytes, typer.Option(parser=parse_digest, help="SM3 of the signed agreement (合同).")
    ],
    payload: Annotated[
        bytes, typer.Option(parser=parse_digest, help="SM3 of the sealed bytes handed over.")
    ],
    under: Annotated[
        str,
        typer.Option(metavar="ID", help="Agreement on the chain, which must be in force."),
    ] = "",
) -> Answer:
    """Offer an approved product to its consumer (operator)."""
    words = (delivery_id, product, consumer, agreement, payload)
    if under:
        return call(ask, CONTRACT, "offer_under", *words, parse_id(under))
    return call(ask, CONTRACT, "offer", *words)


@verb(app, "accept")
def accept(ask: Invocation, delivery_id: Id, digest: DigestOption, note: Note = "") -> Answer:
    """Accept what was received; its digest must be the one offered (consumer)."""
    return call(ask, CONTRACT, "accept", delivery_id, digest, True, note)


@verb(app, "reject")
def reject(ask: Invocation, delivery_id: Id, digest: DigestOption, note: Note) -> Answer:
    """Reject what was received, with the reason (consumer)."""
    return call(ask, CONTRACT, "accept", delivery_id, digest, False, note)
