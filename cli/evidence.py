"""Evidence (存证): digests on the chain, with what they are about and who put them there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.candidates import beginning
from cli.course import add_history
from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    DigestOption,
    Id,
    Note,
    add_watch,
    call,
    record_fields,
    records_table,
)
from cli.filters import listed
from cli.language import say
from cli.literals import parse_id, parse_public_key
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, plain, progress
from cli.proofs import (
    BundleOutput,
    GenesisFile,
    prove_evidence,
    proven,
    trusted_genesis,
)
from cli.records import shown
from client.errors import Refused

if TYPE_CHECKING:
    from client.session import Session
    from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "evidence"
BATCH_MAX = 1024 * 1024  # files under one record, as the contract takes them
COLUMNS = ("id", "kind", "subject", "party", "height", "time_ms", "note")


def _kinds(incomplete: str) -> list[str]:
    """What `--kind` may be, for shells."""
    from contracts.system.evidence import KINDS

    return beginning(KINDS, incomplete)


Kind = Annotated[
    str,
    typer.Option(help="Kind of evidence, by stage; see docs/standard.md.", autocompletion=_kinds),
]
SubjectOption = Annotated[str, typer.Option(parser=parse_id, help="Id of what it is about.")]
FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE")]


add_watch(app, CONTRACT)
add_history(app, CONTRACT)


@verb(app, "record")
def record(
    ask: Invocation,
    evidence_id: Id,
    kind: Kind,
    subject: SubjectOption,
    digest: DigestOption,
    note: Note = "",
) -> Answer:
    """Put the digest of something on record (any party)."""
    return call(ask, CONTRACT, "record", evidence_id, kind, subject, digest, note)


@verb(app, "record-folder")
def record_folder(
    ask: Invocation,
    evidence_id: Id,
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="All files in it.")],
    kind: Kind,
    subject: SubjectOption,
    is_salted: Annotated[
        bool,
        typer.Option(
            "--salted/--plain", help="Whether random bytes keep each file from being guessed."
        ),
    ] = True,
    location: Annotated[str, typer.Option(help="Where the files are kept, for people.")] = "",
    manifest: Annotated[
        Path | None,
        typer.Option(help="File to keep digests and salts in; default ID.batch; keep it well."),
    ] = None,
    note: Note = "",
) -> Answer:
    """Put all files of a folder on record as one batch; goes on where it was (any party)."""
    from cli.folder import FORMAT, Head, files_in, take_in
    from client.batch import PLAIN, SALTED

    place = (manifest or Path(f"{evidence_id}.batch")).resolve()
    folder = folder.resolve()
    if place.is_relative_to(folder):
        raise CommandRefused("manifest.inside", f"{place} is in the folder itself: name it outside")
    with ask.session() as session:
        if (held := _on_record(session, evidence_id)) is not None:
            return _recorded_before(held, place)
    salting = SALTED if is_salted else PLAIN
    head = Head(FORMAT, evidence_id, salting, str(folder))
    names = files_in(folder, BATCH_MAX)
    with progress(say("bytes"), as_json=ask.json) as advance:
        batch = take_in(folder, place, head, names, advance)
    size, root = len(batch.entries), batch.root()
    words = (evidence_id, kind, subject, root, size, salting, location, note)
    answer = call(ask, CONTRACT, "record_batch", *words)
    assert isinstance(answer, Fields)
    kept: dict[str, Json] = {"files": size, "digest": root.hex(), "manifest": str(place)}
    return replace(answer, values={**answer.values, **kept})


@verb(app, "record-sealed")
def record_sealed(
    ask: Invocation,
    evidence_id: Id,
    file: FileArgument,
    kind: Kind,
    subject: SubjectOption,
    readers: Annotated[
        list[str],
        typer.Option(
            "--reader", metavar="PARTY=KEY", help="Who can open it, by a public key; repeat."
        ),
    ],
    location: Annotated[str, typer.Option(help="Where the file is kept, for people.")] = "",
    note: Note = "",
) -> Answer:
    """Put a file on record so that only these parties can open it (any party)."""
    from client.sealed import CONTENT_MAX, seal

    keys = [_reader(text) for text in readers]
    with file.open("rb") as handle:
        content = handle.read(CONTENT_MAX + 1)  # the one byte too many is refused, not read on
    made = seal(evidence_id, content, keys)
    sealed: list[Value] = [[party, key] for party, key in made.keys]
    words = (evidence_id, kind, subject, made.digest, location, note, made.payload, sealed)
    return call(ask, CONTRACT, "record_sealed", *words)


@verb(app, "open")
def open_sealed(
    ask: Invocation,
    evidence_id: Id,
    output: Annotated[Path, typer.Option(dir_okay=False, help="New file for what was sealed.")],
) -> Answer:
    """Open what was sealed to your party, and check that it is what was recorded."""
    from client.sealed import Sealed, unseal
    from crypto import sm2
    from crypto.keys import load_key
    from ledger.model import address_of
    from node.keys import write_private

    private = load_key(ask.key_path, ask.passphrase(ask.key_path))
    with ask.session() as session:
        party = session.view("parties", "active_party_of", address_of(sm2.public_key(private)))
        record = shown(session, CONTRACT, evidence_id)
        held = session.view(CONTRACT, "sealed", evidence_id)
    digest, payload, keys = _sealed(record, held)
    content = unseal(evidence_id, Sealed(digest, payload, keys), str(party), private)
    write_private(output, content)
    return Fields({"id": evidence_id, "digest": digest.hex(), "file": str(output)})


@verb(app, "prove-file")
def prove_one_file(
    ask: Invocation,
    manifest: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    file: FileArgument,
    output: Annotated[Path, typer.Option(dir_okay=False, help="File for the proof.")],
    name: Annotated[str, typer.Option(help="What the manifest calls it, if it moved.")] = "",
) -> Answer:
    """Prove that a file is under a recorded batch, for `check-file` (who has the manifest)."""
    from cli.fileproof import check_file, prove_file
    from cli.folder import load_manifest
    from client.batch import encode_file_proof

    batch = load_manifest(manifest)
    with ask.connection() as node:
        trusted, trust = trusted_genesis(ask, node)
        proof = prove_file(node, batch, file, name, trusted)
    told = check_file(proof, file, trusted, raw=ask.json)
    output.write_bytes(encode_file_proof(proof))
    return Fields({**told, "trusting": trust, "proof": str(output)})


@verb(app, "check-file")
def check_one_file(
    ask: Invocation,
    proof: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    file: FileArgument,
    genesis: GenesisFile = Path("genesis.json"),
) -> Answer:
    """Check the proof of a file, without any node, and say who put it on record, and when."""
    from cli.fileproof import check_file, load_file_proof
    from ledger.genesis import load_genesis

    told = check_file(load_file_proof(proof), file, load_genesis(genesis), raw=ask.json)
    return Fields({**told, "trusting": str(genesis)})


@verb(app, "show")
def show(ask: Invocation, evidence_id: Id) -> Answer:
    """Show one record, whole."""
    with ask.session() as session:
        return record_fields(shown(session, CONTRACT, evidence_id))


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
        records = listed(session.view, CONTRACT, view, subject, offset=offset, limit=limit)
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


def _reader(text: str) -> tuple[str, bytes]:
    """PARTY=KEY."""
    party, _, key = text.partition("=")
    return parse_id(party), parse_public_key(key)


def _sealed(record: Value, held: Value) -> tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]:
    """Digest, payload and keys, as the contract stores them. Raises CommandRefused."""
    if isinstance(record, dict) and isinstance(held, dict):
        digest, payload, pairs = record.get("digest"), held.get("payload"), held.get("keys")
        if isinstance(digest, bytes) and isinstance(payload, bytes) and isinstance(pairs, list):
            keys = [tuple(pair) for pair in pairs if isinstance(pair, list) and len(pair) == 2]
            named = [(p, k) for p, k in keys if isinstance(p, str) and isinstance(k, bytes)]
            return digest, payload, tuple(named)
    raise CommandRefused("evidence.answer", "the node answered with no record; ask another node")


def _on_record(session: Session, evidence_id: str) -> dict[Key, Value] | None:
    """The record of this id, if there is one."""
    try:
        found = session.view(CONTRACT, "show", evidence_id)
    except Refused as refusal:
        if refusal.detail.startswith("evidence.unknown"):
            return None
        raise
    return found if isinstance(found, dict) else None


def _recorded_before(held: dict[Key, Value], manifest: Path) -> Answer:
    """What an earlier run put on record; its manifest is not touched: it has the salts."""
    from cli.folder import load_manifest

    evidence_id = str(held.get("id"))
    batch = load_manifest(manifest) if manifest.exists() else None
    if batch is None or held.get("digest") != batch.root():
        raise CommandRefused(
            "evidence.exists",
            f"{evidence_id} is on record, and not with what {manifest} says: use a new id",
        )
    return Fields(
        {
            "id": evidence_id,
            "status": "ok",
            "height": plain(held.get("height")),
            "files": len(batch.entries),
            "digest": batch.root().hex(),
            "manifest": str(manifest),
        }
    )
