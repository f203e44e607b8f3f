"""Assets (软硬件资产): the hardware and software by which an operator works, and their history."""

from __future__ import annotations

from typing import Annotated

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
from cli.literals import parse_date
from cli.options import Forms, Invocation, verb
from cli.output import Answer

app = typer.Typer()
CONTRACT = "asset"
forms = Forms(app, CONTRACT)

add_reads(
    app,
    CONTRACT,
    columns=("id", "kind", "operator", "provider", "model", "release", "status",
             "certificate_until_ms"),
)  # fmt: skip

Release = Annotated[str, typer.Option(help="Release of its firmware or software.")]
Level = Annotated[
    int, typer.Option(min=0, max=5, help="Security level that its certificate names; 0: none.")
]
Certificate = Annotated[
    str, typer.Option(help="Number of its certificate, such as that of a cryptographic module.")
]
CertificateUntil = Annotated[
    str, typer.Option(metavar="DATE", help="Day on which the certificate ends, if it does.")
]
Place = Annotated[str, typer.Option(help="Where it stands, in words that others may read.")]
Purpose = Annotated[str, typer.Option(help="What it is used for.")]


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
    release: Release = "",
    level: Level = 0,
    certificate: Certificate = "",
    certificate_until: CertificateUntil = "",
    place: Place = "",
    purpose: Purpose = "",
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
    title: Title,
    digest: DigestOption,
    reason: Reason,
    release: Release = "",
    level: Level = 0,
    certificate: Certificate = "",
    certificate_until: CertificateUntil = "",
    place: Place = "",
    purpose: Purpose = "",
) -> Answer:
    """Describe it anew, whole: after an upgrade, a move, or a new certificate (operator)."""
    ends = _end_of(certificate_until)
    described = (title, release, digest, level, certificate, ends, place, purpose)
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
