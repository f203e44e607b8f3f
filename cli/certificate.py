"""Certificates (证书) on the chain: registered, revoked, listed. `shuxin ca` makes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import Reason, add_list, call, record_fields, records_table
from cli.literals import parse_id
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Json, Table, plain

if TYPE_CHECKING:
    from client.session import Session
    from crypto.x509.read import Certificate
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "identity"
PAGE = 100  # what the contract gives in one answer
COLUMNS = ("organization", "serial", "role", "name", "address", "not_after_ms", "status")
REVOKED = ("organization", "serial", "reason", "by", "height", "time_ms")

Which = Annotated[
    str, typer.Argument(metavar="WHICH", help="A certificate's file, or its serial in hex.")
]
Organization = Annotated[
    str, typer.Option(help="Whose it is, where WHICH is a serial.", metavar="PARTY")
]

add_list(app, CONTRACT, columns=COLUMNS)


@verb(app, "register")
def register(
    ask: Invocation,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE")],
) -> Answer:
    """Let the key of a certificate speak in its role (its organization, its holder; for an auditor
    a manager)."""
    certificate = _read(file)
    if certificate.is_root:
        raise CommandRefused(
            "certificate.root", "a root is admitted by a proposal: shuxin proposal admit-root"
        )
    return call(ask, CONTRACT, "register", certificate.subject.organization, certificate.der)


@verb(app, "revoke")
def revoke(
    ask: Invocation, which: Which, reason: Reason, organization: Organization = ""
) -> Answer:
    """Have a certificate count no more, on every node from the next block on; for good."""
    return call(ask, CONTRACT, "revoke", *_place(which, organization), reason)


@verb(app, "show")
def show(ask: Invocation, which: Which, organization: Organization = "") -> Answer:
    """Show a registered certificate, and its revocation if there is one."""
    place = _place(which, organization)
    with ask.session() as session:
        record = session.view(CONTRACT, "show", *place)
        revocation = session.view(CONTRACT, "revocation_of", *place)
    if isinstance(record, dict) and isinstance(revocation, dict):
        for name in ("reason", "by", "height", "time_ms"):
            record[f"revoked_{name}"] = revocation.get(name)
    return record_fields(record)


@verb(app, "revocations")
def list_revocations(ask: Invocation) -> Answer:
    """List all that was revoked, in order, also what was never registered."""
    with ask.session() as session:
        found = pages(session, "revocations", PAGE)
    return records_table(found, columns=REVOKED, whole=ask.json)


@verb(app, "history")
def history(
    ask: Invocation,
    organization: Annotated[str, typer.Argument(parser=parse_id, metavar="PARTY")],
) -> Answer:
    """List what was registered and revoked of an organization, in order."""
    with ask.session() as session:
        registered = _of(organization, pages(session, "list", PAGE))
        revoked = _of(organization, pages(session, "revocations", PAGE))
    rows: list[tuple[int, list[Json]]] = []
    for one in registered:
        height = _height(one, "since")
        what = f"{plain(one.get('role'))} {plain(one.get('name'))}"
        rows.append((height, [height, "registered", plain(one.get("serial")), what, ""]))
    for one in revoked:
        height, by = _height(one, "height"), plain(one.get("by"))
        why = f"{by}: {plain(one.get('reason'))}"
        rows.append((height, [height, "revoked", plain(one.get("serial")), "", why]))
    rows.sort(key=lambda row: row[0])
    return Table(("height", "act", "serial", "of", "why"), [row for _, row in rows])


@verb(app, "whois")
def whois(
    ask: Invocation, address: Annotated[str, typer.Argument(help="40 hex digits.")]
) -> Answer:
    """Show the organization and the roles that certificates give to an address now."""
    with ask.session() as session:
        found = session.view(CONTRACT, "standing", address)
    organization, roles = found if isinstance(found, list) and len(found) == 2 else ("", [])
    return record_fields({"address": address, "organization": organization or None, "roles": roles})


def pages(session: Session, view: str, page: int) -> list[Value]:
    """All records of a view of `identity` that answers by pages."""
    found: list[Value] = []
    while True:
        step = session.view(CONTRACT, view, len(found), page)
        if not isinstance(step, list) or not step:
            return found
        found.extend(step)
        if len(step) < page:
            return found


# --- parts --------------------------------------------------------------------------------------


def _read(file: Path) -> Certificate:
    from crypto.x509.authority import read_file
    from crypto.x509.read import read_certificate

    return read_certificate(read_file(file))


def _place(which: str, organization: str) -> tuple[str, str]:
    """Organization and serial."""
    path = Path(which)
    if path.is_file():
        certificate = _read(path)
        return certificate.subject.organization, f"{certificate.serial:x}"
    if not organization:
        raise CommandRefused(
            "certificate.which", f"{which} is no file; for a serial say whose it is: --organization"
        )
    try:
        return organization, f"{int(which, 16):x}"
    except ValueError:
        raise CommandRefused(
            "certificate.which", f"{which} is no file and no serial in hex"
        ) from None


def _of(organization: str, records: list[Value]) -> list[dict[str, Value]]:
    found = [record for record in records if isinstance(record, dict)]
    return [
        {str(name): value for name, value in record.items()}
        for record in found
        if record.get("organization") == organization
    ]


def _height(record: dict[str, Value], name: str) -> int:
    value = record.get(name)
    return value if isinstance(value, int) else 0
