"""Answers and tables as a folder: files, page, and the manifest that can be signed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from client.account import Account
from ledger.genesis import Genesis
from ledger.store import Store
from node.audit.acts.access import READERS, UNKNOWABLE
from node.audit.answers import Answers, Asked, QuestionRefused, answer, custody_json
from node.audit.answers_page import render
from node.audit.files import Format, building
from node.audit.manifest import AskedPart, Manifest, manifest_of, write_manifest
from node.audit.replay import Replayed
from node.audit.tables.export import export_tables

PAGE_NAME: Final = "answers.html"
TREE_NAME: Final = "custody.tree.json"
TABLES: Final = "tables"  # what a manifest of tables says was asked


def write_answers(
    found: Replayed,
    genesis: Genesis,
    asked: Asked,
    folder: Path,
    formats: Sequence[Format],
    *,
    source: str,
    made_ms: int,
    signer: Account | None,
) -> tuple[Manifest, Answers]:
    """Answer into a new folder. Raises QuestionRefused, OutputRefused, OSError."""
    again = verified(found)
    part = AskedPart(
        tuple(question.value for question in asked.questions),
        asked.grant,
        asked.party,
        asked.dataset,
        asked.product,
        asked.from_ms,
        asked.to_ms,
    )
    manifest = manifest_of(
        found.verdict,
        genesis,
        source=source,
        made_ms=made_ms,
        asked=part,
        cannot_be_known=(*UNKNOWABLE, *READERS),
    )
    with building(folder, formats) as (place, files):
        answers = answer(again, found.verdict.height, asked, files)
        if Format.HTML in formats:
            files.put(PAGE_NAME, render(manifest, answers).encode())
        if Format.JSON in formats and answers.custody is not None:
            files.put(TREE_NAME, custody_json(answers.custody))
        manifest = replace(manifest, files=files.finish())
        write_manifest(place, manifest, signer)
    return manifest, answers


def write_tables(
    found: Replayed,
    genesis: Genesis,
    folder: Path,
    formats: Sequence[Format],
    *,
    source: str,
    made_ms: int,
    signer: Account | None,
) -> Manifest:
    """The whole chain as tables in a new folder. Raises QuestionRefused, OutputRefused, OSError."""
    again = verified(found)
    manifest = manifest_of(
        found.verdict,
        genesis,
        source=source,
        made_ms=made_ms,
        asked=AskedPart((TABLES,), "", "", "", "", None, None),
        cannot_be_known=(*UNKNOWABLE, *READERS),
    )
    with building(folder, formats) as (place, files):
        export_tables(again, found.verdict.height, files)
        manifest = replace(manifest, files=files.finish())
        write_manifest(place, manifest, signer)
    return manifest


def verified(found: Replayed) -> Store:
    """The ledger that may be read. Raises QuestionRefused where nothing holds."""
    if found.again is None:
        raise QuestionRefused(
            f"nothing of the source was verified, so nothing is answered: "
            f"{found.verdict.sentence()}"
        )
    return found.again
