"""Assets (软硬件资产): the hardware and software by which an operator works, and their history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    DigestOption,
    Id,
    Reason,
    Title,
    add_reads,
    call,
    record_fields,
    records_table,
)
from cli.filters import listed
from cli.literals import parse_date, parse_digest
from cli.options import Forms, Invocation, verb
from cli.output import Answer, CommandRefused
from cli.records import shown

if TYPE_CHECKING:
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "asset"
forms = Forms(app, CONTRACT)

add_reads(
    app,
    CONTRACT,
    columns=("id", "kind", "operator", "provider", "model", "release", "status",
             "certificate_until_ms"),
)  # fmt: skip

RELEASE = "Release of its firmware or software."
LEVEL = "Security level that its certificate names; 0: none."
CERTIFICATE = "Number of its certificate, such as that of a cryptographic module."
UNTIL = "Day on which the certificate ends, if it does."
PLACE = "Where it stands, in words that others may read."
PURPOSE = "What it is used for."


@forms.verb("register")
def register(
    ask: Invocation,
    asset_id: Id,
    kind: Annotated[
        str,
        typer.Option(help="server, crypto_module, tee, network, storage, software or service."),
    ],
    maker: Annotated[str, typer.Option(help="Who makes it, in words.")],
    model: Annotated[str, typer.Option(help="Model, as its maker names it.")],
    title: Title,
    digest: DigestOption,
    provider: Annotated[
        str, typer.Option(metavar="PARTY", help="Tech provider that supplied it, if a party did.")
    ] = "",
    release: Annotated[str, typer.Option(help=RELEASE)] = "",
    level: Annotated[int, typer.Option(min=0, max=5, help=LEVEL)] = 0,
    certificate: Annotated[str, typer.Option(help=CERTIFICATE)] = "",
    certificate_until: Annotated[str, typer.Option(metavar="DATE", help=UNTIL)] = "",
    place: Annotated[str, typer.Option(help=PLACE)] = "",
    purpose: Annotated[str, typer.Option(help=PURPOSE)] = "",
) -> Answer:
    """Enter an asset in your register; the digest is that of its papers (operator)."""
    ends = _end_of(certificate_until)
    fixed = (kind, provider, maker, model)
    described = (title, release, digest, level, certificate, ends, place, purpose)
    return call(ask, CONTRACT, "register", asset_id, *fixed, *described)


@forms.verb("describe")
def describe(
    ask: Invocation,
    asset_id: Id,
    reason: Reason,
    title: Annotated[str | None, typer.Option(help="Title for people.")] = None,
    release: Annotated[str | None, typer.Option(help=RELEASE)] = None,
    digest: Annotated[
        bytes | None, typer.Option(parser=parse_digest, help="SM3 as 64 hex digits, or file:PATH.")
    ] = None,
    level: Annotated[int | None, typer.Option(min=0, max=5, help=LEVEL)] = None,
    certificate: Annotated[str | None, typer.Option(help=CERTIFICATE)] = None,
    certificate_until: Annotated[str | None, typer.Option(metavar="DATE", help=UNTIL)] = None,
    place: Annotated[str | None, typer.Option(help=PLACE)] = None,
    purpose: Annotated[str | None, typer.Option(help=PURPOSE)] = None,
) -> Answer:
    """Describe it anew, as after an upgrade; what you leave out stays as it is (operator)."""
    given: dict[str, Value] = {
        "title": title,
        "release": release,
        "digest": digest,
        "level": level,
        "certificate": certificate,
        "certificate_until_ms": None if certificate_until is None else _end_of(certificate_until),
        "place": place,
        "purpose": purpose,
    }
    with ask.session() as session:
        present = shown(session, CONTRACT, asset_id)
    if not isinstance(present, dict):
        raise CommandRefused("asset.answer", "the node told no asset; ask another node")
    described = [present.get(name) if value is None else value for name, value in given.items()]
    return call(ask, CONTRACT, "describe", asset_id, *described, reason)


@verb(app, "put-in-service")
def put_in_service(ask: Invocation, asset_id: Id, reason: Reason) -> Answer:
    """Take it into service, or back into it (operator)."""
    return call(ask, CONTRACT, "put_in_service", asset_id, reason)


@verb(app, "maintain")
def maintain(ask: Invocation, asset_id: Id, reason: Reason) -> Answer:
    """Take it out of service for maintenance (operator)."""
    return call(ask, CONTRACT, "maintain", asset_id, reason)


@verb(app, "retire")
def retire(ask: Invocation, asset_id: Id, reason: Reason) -> Answer:
    """Take it out of use for good (operator; a manager, if that is revoked)."""
    return call(ask, CONTRACT, "retire", asset_id, reason)


@verb(app, "version")
def version(ask: Invocation, asset_id: Id, number: Annotated[int, typer.Argument(min=1)]) -> Answer:
    """Show an asset as an earlier version described it."""
    with ask.session() as session:
        return record_fields(session.view(CONTRACT, "version", asset_id, number))


@verb(app, "history")
def history(
    ask: Invocation,
    asset_id: Id,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List what happened to an asset since its registration."""
    with ask.session() as session:
        found = listed(session.view, CONTRACT, "history", asset_id, offset=offset, limit=limit)
    columns = ("time_ms", "height", "kind", "version", "party", "reason")
    return records_table(found, columns=columns, whole=ask.json)


def _end_of(day: str) -> int:
    """0 where a certificate does not end. Raises LiteralInvalid."""
    return parse_date(day) if day else 0
