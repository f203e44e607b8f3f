"""Organizations (机构): their roots, as the chain knows them. `shuxin proposal` changes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.domain import add_watch, record_fields, records_table
from cli.literals import parse_digest
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields

app = typer.Typer()
CONTRACT = "identity"
PAGE = 100  # what the contract gives in one answer
COLUMNS = ("organization", "name", "fingerprint", "not_after_ms", "since", "status")

Fingerprint = Annotated[
    bytes, typer.Argument(parser=parse_digest, metavar="FINGERPRINT", help="64 hex digits.")
]


add_watch(app, CONTRACT)


@verb(app, "list")
def list_roots(ask: Invocation) -> Answer:
    """List the roots (根证书) that certificates are judged by now."""
    from cli.certificate import pages

    with ask.session() as session:
        roots = pages(session, "organizations", PAGE)
    return records_table(roots, columns=COLUMNS, whole=ask.json)


@verb(app, "show")
def show_root(ask: Invocation, fingerprint: Fingerprint) -> Answer:
    """Show one root, also a retired one."""
    with ask.session() as session:
        return record_fields(session.view(CONTRACT, "root", fingerprint))


@verb(app, "root")
def save_root(
    ask: Invocation,
    fingerprint: Fingerprint,
    output: Annotated[Path, typer.Option(help="The file to write; it must not exist.")],
) -> Answer:
    """Write a root certificate as PEM, for `ca show --root` and for openssl."""
    from crypto.files import replace_file
    from crypto.x509.read import CERTIFICATE, encode_pem, read_certificate

    if output.exists():
        raise CommandRefused("organization.exists", f"{output} exists: name a new file")
    with ask.session() as session:
        der = session.view(CONTRACT, "root_certificate", fingerprint)
    if not isinstance(der, bytes):
        raise CommandRefused("organization.answer", "the node gave no certificate: ask another")
    root = read_certificate(der)
    if root.fingerprint != fingerprint:
        raise CommandRefused("organization.answer", "the node gave another root: ask another")
    replace_file(output, encode_pem(root.der, CERTIFICATE))
    return Fields({"root": str(output), "organization": root.subject.organization})
