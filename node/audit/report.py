"""A verdict as a document that can be kept, signed and shown (5.3d, 8.1.4d).

The document is JSON, and a page for people that is made from that JSON alone. A signature covers
the report's bytes; who reads a page has it made again and compares, so a page cannot say what was
not signed. Reading is untrusted: whatever the bytes, they are a report or raise ReportInvalid.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import msgspec

from client.account import Account
from crypto import sm2
from crypto.errors import KeyInvalid, SignatureInvalid
from ledger.genesis import Genesis
from ledger.model import PUBLIC_KEY_SIZE, SIGNATURE_SIZE, address_of
from node import VERSION
from node.audit.page import EMBED_BEGIN, EMBED_END, render
from node.audit.verdict import Verdict

TAG_REPORT: Final = b"shuxin/audit-report/1\0"
FORMAT: Final = "shuxin/audit-report/1"
JSON_NAME: Final = "report.json"
PAGE_NAME: Final = "report.html"
REPORT_SIZE_MAX: Final = 16 << 20  # bytes; a thousand contracts take 0.2 MB


# What a ledger can hold, and a page can divide: JSON knows larger ones. -1: no height.
_Figure = Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)]
_Time = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_000)]  # up to the year 9999


class ReportInvalid(Exception):
    """A file is no report, or not the one that was signed; says which."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the parts of a report: JSON objects with names."""


class GenesisPart(_Part, frozen=True):
    """What was trusted."""

    name: str
    chain_id: str
    vm_version: str
    validators: _Figure


class SourcePart(_Part, frozen=True):
    """What was examined. `content` covers all that was read up to the last height that holds."""

    name: str
    kind: str  # ledger archive node
    archive: str  # digest of the archive; empty for others
    content: str


class DivergencePart(_Part, frozen=True):
    height: _Figure
    kind: str
    check: str
    transaction: str
    key: str
    expected: str
    found: str


class FiguresPart(_Part, frozen=True):
    """`bound`: raw SM2 verifications a second on the same threads; `share`: thousandths of it."""

    height: _Figure
    certified_height: _Figure
    transactions: _Figure
    signatures: _Figure
    state_root: str
    committees: _Figure
    recoveries: _Figure
    resumed_height: _Figure
    milliseconds: _Figure
    threads: _Figure
    transactions_per_second: _Figure
    signatures_per_second: _Figure
    bound: _Figure
    share: _Figure


class AnomalyPart(_Part, frozen=True):
    name: str
    count: _Figure
    heights: tuple[_Figure, ...]  # the first ones


class ContractPart(_Part, frozen=True):
    name: str
    status: str
    sequence: _Figure
    code_hash: str


class Report(_Part, frozen=True):
    format: str
    release: str
    made_ms: _Time
    verdict: str  # intact diverges
    sentence: str
    genesis: GenesisPart
    source: SourcePart
    divergence: DivergencePart | None
    figures: FiguresPart
    anomalies: tuple[AnomalyPart, ...]
    contracts: tuple[ContractPart, ...]


class SignaturePart(_Part, frozen=True):
    """Over TAG_REPORT and the report's bytes as this module encodes them; hexadecimal."""

    public_key: str
    address: str
    signature: str


class Document(_Part, frozen=True):
    """What stands in the file."""

    report: Report
    signature: SignaturePart | None


def report_of(verdict: Verdict, genesis: Genesis, source: str, made_ms: int) -> Report:
    """`source` is what the auditor calls it; `made_ms` the auditor's clock."""
    divergence = verdict.divergence
    return Report(
        format=FORMAT,
        release=VERSION,
        made_ms=made_ms,
        verdict="intact" if divergence is None else "diverges",
        sentence=verdict.sentence(),
        genesis=GenesisPart(
            genesis.name, verdict.chain_id, genesis.vm_version, genesis.validators.size
        ),
        source=SourcePart(source, verdict.kind, verdict.archive, verdict.content),
        divergence=None
        if divergence is None
        else DivergencePart(
            divergence.height,
            divergence.kind.value,
            divergence.check,
            divergence.transaction,
            divergence.key,
            divergence.expected,
            divergence.found,
        ),
        figures=_figures(verdict),
        anomalies=tuple(
            AnomalyPart(name, found.count, tuple(found.heights))
            for name, found in verdict.anomalies.items()
        ),
        contracts=tuple(
            ContractPart(found.name, found.status, found.sequence, found.code_hash)
            for found in verdict.contracts
        ),
    )


def _figures(verdict: Verdict) -> FiguresPart:
    seconds = max(verdict.seconds, 0.001)
    return FiguresPart(
        height=verdict.height,
        certified_height=verdict.certified_height,
        transactions=verdict.transactions,
        signatures=verdict.signatures,
        state_root=verdict.state_root,
        committees=verdict.committees,
        recoveries=verdict.recoveries,
        resumed_height=verdict.resumed_height,
        milliseconds=round(verdict.seconds * 1000),
        threads=verdict.threads,
        transactions_per_second=round(verdict.transactions / seconds),
        signatures_per_second=round(verdict.rate),
        bound=round(verdict.bound),
        share=round(verdict.share * 1000),
    )


def signed_bytes(report: Report) -> bytes:
    """What a signature covers."""
    return TAG_REPORT + msgspec.json.encode(report)


def document_of(report: Report, signer: Account | None) -> Document:
    if signer is None:
        return Document(report, None)
    part = SignaturePart(
        signer.public_key.hex(), signer.address, signer.sign(signed_bytes(report)).hex()
    )
    return Document(report, part)


def prepare_folder(folder: Path) -> None:
    """Make the folder and see that no report is in it. Raises ReportInvalid, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (JSON_NAME, PAGE_NAME):
        if (folder / name).exists():
            raise ReportInvalid(f"{folder / name} exists and is not overwritten; name a new folder")


def write_report(folder: Path, document: Document) -> None:
    """`report.json` and `report.html` in a folder without. Raises ReportInvalid, OSError."""
    prepare_folder(folder)
    (folder / JSON_NAME).write_bytes(encoded(document))
    (folder / PAGE_NAME).write_bytes(page_of(document))


def encoded(document: Document) -> bytes:
    """The bytes of `report.json`."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def page_of(document: Document) -> bytes:
    """The bytes of `report.html`: the document for people, with its JSON inside."""
    return render(msgspec.to_builtins(document), encoded(document).decode()).encode()


def read_report(path: Path) -> Document:
    """The document in a file of either form; its signature, if there is one, holds.

    Raises ReportInvalid for anything else, OSError.
    """
    with path.open("rb") as file:
        data = file.read(REPORT_SIZE_MAX + 1)
    if len(data) > REPORT_SIZE_MAX:
        raise ReportInvalid(f"{path} is larger than a report can be")
    is_page = data.startswith(b"<!doctype html>")
    try:
        document = msgspec.json.decode(_embedded(data) if is_page else data, type=Document)
        is_same = not is_page or page_of(document) == data
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ReportInvalid(f"{path} is no audit report: {error}") from None
    if document.report.format != FORMAT:
        raise ReportInvalid(f"{path}: a report of the form {document.report.format!r}")
    if not is_same:
        raise ReportInvalid(f"{path}: the page says something else than the report inside of it")
    _check_signature(document, path)
    return document


def _embedded(page: bytes) -> bytes:
    begin, end = re.escape(EMBED_BEGIN.encode()), re.escape(EMBED_END.encode())
    found = re.search(begin + rb"(.*?)" + end, page, re.DOTALL)
    if found is None:
        raise ValueError("the page holds none")
    return found[1]


def _check_signature(document: Document, path: Path) -> None:
    part = document.signature
    if part is None:
        return
    try:
        public, signature = bytes.fromhex(part.public_key), bytes.fromhex(part.signature)
    except ValueError:
        raise ReportInvalid(f"{path}: its signature is not hexadecimal") from None
    sizes = len(public), len(signature)
    if sizes != (PUBLIC_KEY_SIZE, SIGNATURE_SIZE) or address_of(public) != part.address:
        raise ReportInvalid(f"{path}: its signature is not one of the address that it names")
    try:
        sm2.verify(public, signed_bytes(document.report), signature)
    except (KeyInvalid, SignatureInvalid):
        raise ReportInvalid(
            f"{path}: {part.address} did not sign this report: it was altered since"
        ) from None
