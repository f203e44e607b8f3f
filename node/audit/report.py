"""A verdict as a document that can be kept, signed and shown (5.3d, 8.1.4d).

The document is JSON, and a page for people that is made from that JSON alone. A signature covers
the report's bytes; who reads a page has it made again and compares, so a page cannot say what was
not signed. Reading is untrusted: whatever the bytes, they are a report or raise ReportInvalid.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from client.account import Account
from ledger.genesis import Genesis
from node import VERSION
from node.audit.page import EMBED_BEGIN, EMBED_END, render
from node.audit.parts import (
    DivergencePart,
    Figure,
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

TAG_REPORT: Final = b"shuxin/audit-report/1\0"
FORMAT: Final = "shuxin/audit-report/1"
JSON_NAME: Final = "report.json"
PAGE_NAME: Final = "report.html"
REPORT_SIZE_MAX: Final = 16 << 20  # bytes; a thousand contracts take 0.2 MB


class AnomalyPart(Part, frozen=True):
    name: str
    count: Figure
    heights: tuple[Figure, ...]  # the first ones


class ContractPart(Part, frozen=True):
    name: str
    status: str
    sequence: Figure
    code_hash: str


class Report(Part, frozen=True):
    format: str
    release: str
    made_ms: Time
    verdict: str  # intact diverges
    sentence: str
    genesis: GenesisPart
    source: SourcePart
    divergence: DivergencePart | None
    figures: FiguresPart
    anomalies: tuple[AnomalyPart, ...]
    contracts: tuple[ContractPart, ...]


class Document(Part, frozen=True):
    """What stands in the file."""

    report: Report
    signature: SignaturePart | None


def report_of(verdict: Verdict, genesis: Genesis, source: str, made_ms: int) -> Report:
    """`source` is what the auditor calls it; `made_ms` the auditor's clock."""
    return Report(
        format=FORMAT,
        release=VERSION,
        made_ms=made_ms,
        verdict="intact" if verdict.divergence is None else "diverges",
        sentence=verdict.sentence(),
        genesis=genesis_part(verdict, genesis),
        source=source_part(verdict, source),
        divergence=divergence_part(verdict.divergence),
        figures=figures_part(verdict),
        anomalies=tuple(
            AnomalyPart(name, found.count, tuple(found.heights))
            for name, found in verdict.anomalies.items()
        ),
        contracts=tuple(
            ContractPart(found.name, found.status, found.sequence, found.code_hash)
            for found in verdict.contracts
        ),
    )


def signed_bytes(report: Report) -> bytes:
    """What a signature covers."""
    return TAG_REPORT + msgspec.json.encode(report)


def document_of(report: Report, signer: Account | None) -> Document:
    return Document(report, signature_of(signed_bytes(report), signer))


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
    check_signature(document.signature, signed_bytes(document.report), path)
    return document


def _embedded(page: bytes) -> bytes:
    begin, end = re.escape(EMBED_BEGIN.encode()), re.escape(EMBED_END.encode())
    found = re.search(begin + rb"(.*?)" + end, page, re.DOTALL)
    if found is None:
        raise ValueError("the page holds none")
    return found[1]
