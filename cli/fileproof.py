"""Proofs of single files under a batch of evidence: made with a node, checked without one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cli.folder import Manifest, digest_of_file, entry_of
from cli.output import CommandRefused, Json
from cli.proofs import block_told, certified_fields, check, evidence_record, prove_evidence
from cli.readable import time_text
from client.batch import (
    FILE_PROOF_SIZE_MAX,
    FileProof,
    FileProofInvalid,
    check_file_proof,
    decode_file_proof,
)

if TYPE_CHECKING:
    from client.connection import Connection
    from ledger.genesis import Genesis


def prove_file(
    node: Connection, manifest: Manifest, file: Path, name: str, genesis: Genesis
) -> FileProof:
    """The proof of a file of the batch, which must be as it was. Not checked yet.

    Raises CommandRefused.
    """
    from ledger.bundle import encode_bundle
    from ledger.merkle import path

    place = entry_of(manifest, file, name)
    entry = manifest.entries[place]
    salt = bytes.fromhex(entry.salt)
    if digest_of_file(file, salt).hex() != entry.digest:
        raise CommandRefused(
            "folder.altered",
            f"{file} is not what went on record as {entry.file}: find a copy of it as it was",
        )
    bundle = prove_evidence(node, manifest.head.evidence, genesis)
    return FileProof(entry.file, salt, path(manifest.digests(), place), encode_bundle(bundle))


def load_file_proof(path: Path) -> FileProof:
    """The proof in a file. Raises DecodeError, naming the file, for anything else."""
    from ledger.errors import DecodeError

    with path.open("rb") as opened:
        data = opened.read(FILE_PROOF_SIZE_MAX + 1)
    try:
        return decode_file_proof(data)
    except DecodeError as error:
        raise DecodeError(f"{path}: {error}") from None


def check_file(proof: FileProof, file: Path, genesis: Genesis, *, raw: bool) -> dict[str, Json]:
    """What the proof shows of the file to who trusts `genesis`; `raw` keeps times as numbers.

    Raises DecodeError, BundleInvalid or FileProofInvalid.
    """
    from ledger.bundle import StateFacts, decode_bundle

    facts = check(decode_bundle(proof.bundle), genesis)
    record = evidence_record(facts) if isinstance(facts, StateFacts) else None
    match (record or {}).get("digest"), (record or {}).get("size"), (record or {}).get("salting"):
        case str(root), int(size), str(salting) if size > 0:
            pass
        case _:
            raise FileProofInvalid("its bundle proves no batch of evidence: have it made anew")
    assert record is not None, "it has these fields"
    digest = digest_of_file(file, proof.salt)
    root_bytes = bytes.fromhex(root.removeprefix("0x"))
    check_file_proof(proof, digest, root=root_bytes, size=size, salting=salting)
    written = record["time_ms"]
    when = time_text(written) if isinstance(written, int) else "-"
    return {
        "verdict": f"proven: {file} is one of the {size} things that {record['party']}, by the "
        f"account {record['account']}, put on record as {record['id']} ({record['kind']} about "
        f"{record['subject']}) in block {record['height']} of {when}; "
        f"{block_told(facts.certified)} holds the record",
        "file": proof.name,
        "digest": digest.hex(),
        "record": {**record, "time_ms": written if raw else when},
        **certified_fields(facts.certified, raw=raw),
    }
