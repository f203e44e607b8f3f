"""What stands behind a folder of answers or tables: `answers.json`, which can be signed.

It names the replay (chain, height, state root, digests of what was read), what was asked, and every
file with its digest. Reading is untrusted: whatever the bytes, they are a manifest whose files are
the ones that it names, or they raise ReportInvalid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from client.account import Account
from ledger.genesis import Genesis
from node import VERSION
from node.audit.files import FilePart, digest_of
from node.audit.parts import (
    DivergencePart,
    FiguresPart,
    GenesisPart,
    Part,
    ReportInvalid,
    SignaturePart,
    SourcePart,
    Time,
    check_signature,
    divergence_part,
    figures_part,
    genesis_part,
    signature_of,
    source_part,
)
from node.audit.verdict import Verdict

TAG_MANIFEST: Final = b"shuxin/audit-answers/1\0"
FORMAT: Final = "shuxin/audit-answers/1"
MANIFEST_NAME: Final = "answers.json"
_SIZE_MAX: Final = 1 << 20  # bytes; forty files take 10 KB


class AskedPart(Part, frozen=True):
    """Empty or null: not asked for. `questions` are acts access custody books, or tables."""

    questions: tuple[str, ...]
    grant: str
    party: str
    dataset: str
    product: str
    from_ms: Time | None
    to_ms: Time | None


class Manifest(Part, frozen=True):
    """Nothing above `figures.height` was answered from."""

    format: str
    release: str
    made_ms: Time
    verdict: str  # intact diverges
    sentence: str
    genesis: GenesisPart
    source: SourcePart
    divergence: DivergencePart | None
    figures: FiguresPart
    asked: AskedPart
    cannot_be_known: tuple[str, ...]
    files: tuple[FilePart, ...]


class ManifestDocument(Part, frozen=True):
    """What stands in the file."""

    answers: Manifest
    signature: SignaturePart | None


def manifest_of(
    verdict: Verdict,
    genesis: Genesis,
    *,
    source: str,
    made_ms: int,
    asked: AskedPart,
    cannot_be_known: tuple[str, ...],
    files: tuple[FilePart, ...] = (),
) -> Manifest:
    """`source` is what the auditor calls it; `made_ms` the auditor's clock."""
    return Manifest(
        format=FORMAT,
        release=VERSION,
        made_ms=made_ms,
        verdict="intact" if verdict.divergence is None else "diverges",
        sentence=verdict.sentence(),
        genesis=genesis_part(verdict, genesis),
        source=source_part(verdict, source),
        divergence=divergence_part(verdict.divergence),
        figures=figures_part(verdict),
        asked=asked,
        cannot_be_known=cannot_be_known,
        files=files,
    )


def write_manifest(folder: Path, manifest: Manifest, signer: Account | None) -> None:
    """`answers.json`. Raises OSError."""
    document = ManifestDocument(manifest, signature_of(_signed_bytes(manifest), signer))
    content = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    (folder / MANIFEST_NAME).write_bytes(content)


def read_manifest(folder: Path) -> ManifestDocument:
    """The manifest of a folder; its signature holds, and every file is the one that it names.

    Raises ReportInvalid for anything else, OSError.
    """
    path = folder / MANIFEST_NAME
    with path.open("rb") as file:
        data = file.read(_SIZE_MAX + 1)
    if len(data) > _SIZE_MAX:
        raise ReportInvalid(f"{path} is larger than it can be")
    try:
        document = msgspec.json.decode(data, type=ManifestDocument)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ReportInvalid(f"{path} does not tell of answers: {error}") from None
    if document.answers.format != FORMAT:
        raise ReportInvalid(f"{path}: answers of the form {document.answers.format!r}")
    check_signature(document.signature, _signed_bytes(document.answers), path)
    for named in document.answers.files:
        _check_file(folder, named)
    return document


def unnamed_files(folder: Path, document: ManifestDocument) -> tuple[str, ...]:
    """What lies in the folder beside the files that were answered: nobody vouches for it."""
    named = {MANIFEST_NAME, *(file.name for file in document.answers.files)}
    return tuple(sorted(path.name for path in folder.iterdir() if path.name not in named))


def _check_file(folder: Path, named: FilePart) -> None:
    path = folder / named.name
    if Path(named.name).name != named.name or path.is_symlink() or not path.is_file():
        raise ReportInvalid(f"{path} is not there: copy the whole folder")
    if path.stat().st_size != named.bytes or digest_of(path).hex() != named.digest:
        raise ReportInvalid(f"{path} is not the file that was answered with: it was altered since")


def _signed_bytes(manifest: Manifest) -> bytes:
    return TAG_MANIFEST + msgspec.json.encode(manifest)
