"""Delivery (交付) of approved products, and their acceptance by the consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    DigestOption,
    Id,
    Note,
    Reason,
    add_reads,
    call,
    records_table,
)
from cli.filters import listed
from cli.literals import parse_digest, parse_id, parse_moment
from cli.options import Forms, Invocation, verb
from cli.output import Answer, CommandRefused
from cli.records import shown

if TYPE_CHECKING:
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "delivery"
forms = Forms(app, "delivery")
USES = ("number", "from_ms", "to_ms", "uses", "scenario", "is_within", "digest")

add_reads(
    app, CONTRACT, columns=("id", "product_id", "operator", "consumer", "status", "offered_ms")
)


@forms.verb("prepare")
def prepare(
    ask: Invocation,
    delivery_id: Id,
    product: Annotated[str, typer.Option(parser=parse_id, help="What is to be delivered.")],
    channel: Annotated[str, typer.Option(help="file, interface, query or enclave.")],
    risk: Annotated[str, typer.Option(help="low, medium or high.")],
    digest: DigestOption,
    note: Note = "",
) -> Answer:
    """Put your due diligence on record before you offer (operator)."""
    return call(ask, CONTRACT, "prepare", delivery_id, product, channel, risk, digest, note)


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


@verb(app, "withdraw")
def withdraw(ask: Invocation, delivery_id: Id, reason: Reason) -> Answer:
    """Take back an offer that the consumer has not answered (operator)."""
    return call(ask, CONTRACT, "withdraw", delivery_id, reason)


@forms.verb("report-use")
def report_use(
    ask: Invocation,
    delivery_id: Id,
    begin: Annotated[int, typer.Option(parser=parse_moment, help="Begin of the period.")],
    end: Annotated[int, typer.Option(parser=parse_moment, help="Its end, which has been.")],
    uses: Annotated[int, typer.Option(min=0, help="How often it was used in the period.")],
    digest: DigestOption,
    scenario: Annotated[
        str, typer.Option(help="What for, where it was not the scenario of the grant.")
    ] = "",
    note: Note = "",
) -> Answer:
    """Report what you used a delivered product for (consumer)."""
    if not scenario:
        with ask.session() as session:
            grant_id = _field(shown(session, CONTRACT, delivery_id), "grant_id")
            scenario = _field(shown(session, "grant", grant_id), "scenario")
    words = (delivery_id, begin, end, uses, scenario, digest, note)
    return call(ask, CONTRACT, "report_use", *words)


@verb(app, "uses")
def uses_of(
    ask: Invocation,
    delivery_id: Id,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List what the consumer reported of its use."""
    with ask.session() as session:
        found = listed(session.view, CONTRACT, "uses_of", delivery_id, offset=offset, limit=limit)
    return records_table(found, columns=USES, whole=ask.json)


def _field(record: Value, name: str) -> str:
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, str):
        raise CommandRefused("delivery.answer", f"the node told no {name}; ask another node")
    return value
