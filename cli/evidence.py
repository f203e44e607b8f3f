"""Evidence (存证): digests on the chain, with what they are about and who put them there."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    DigestOption,
    Id,
    Note,
    call,
    record_fields,
    records_table,
)
from cli.literals import parse_id
from cli.options import Invocation, verb
from cli.output import Answer
from cli.proofs import (
    BundleOutput,
    prove_evidence,
    proven,
    trusted_genesis,
)
from cli.records import shown
from client.pages import page_of

app = typer.Typer()
CONTRACT = "evidence"
COLUMNS = ("id", "kind", "subject", "party", "height", "time_ms", "note")


@verb(app, "record")
def record(
    ask: Invocation,
    evidence_id: Id,
    kind: Annotated[str, typer.Option(help="Kind of evidence, by stage; see docs/standard.md.")],
    subject: Annotated[str, typer.Option(parser=parse_id, help="Id of what it is about.")],
    digest: DigestOption,
    note: Note = "",
) -> Answer:
    """Put the digest of something on record (any party)."""
    return call(ask, CONTRACT, "record", evidence_id, kind, subject, digest, note)


@verb(app, "show")
def show(ask: Invocation, evidence_id: Id) -> Answer:
    """Show one record, whole."""
    with ask.session() as session:
        return record_fields(shown(session, CONTRACT, evidence_id), raw=ask.json)


@verb(app, "list")
def list_records(
    ask: Invocation,
    subject: Annotated[str, typer.Argument(parser=parse_id, metavar="SUBJECT")],
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List what is on record about a subject, in the order in which it was made."""
    view = "list_by_subject"
    with ask.session() as session:
        records = page_of(session.view, CONTRACT, view, subject, offset=offset, limit=limit)
    return records_table(records, columns=COLUMNS, whole=ask.json)


@verb(app, "prove")
def prove(
    ask: Invocation,
    evidence_id: Id,
    output: BundleOutput = None,
) -> Answer:
    """Fetch a record with its proof and check it here; --output keeps the proof as a file."""
    with ask.connection() as node:
        trusted, trust = trusted_genesis(ask, node)
        bundle = prove_evidence(node, evidence_id, trusted)
    return proven(ask, bundle, trusted, trust=trust, output=output)
