"""The verb `history` of nouns: it asks for what names the record, by the field that events have."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli import history
from cli.course import ALONE, FIELDS, parse_subject
from cli.history import About
from cli.literals import LiteralInvalid
from cli.main import NOUNS, main
from cli.options import Invocation
from cli.output import Answer, Table
from ledger.history.pages import Span

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = {"party": "parties", "rule": "rules"}
TOLD = (
    "agreement", "alert", "algorithm", "billing", "catalog", "delivery", "demand", "evaluation",
    "evidence", "feature", "incident", "inquiry", "job", "multisig", "oversight", "party", "policy",
    "product", "proposal", "rule", "task",
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[About, Span, int]]:
    found: list[tuple[About, Span, int]] = []

    def told_of(
        ask: Invocation, about: About, span: Span, limit: int, columns: Sequence[str]
    ) -> Answer:
        found.append((about, span, limit))
        return Table(columns, [])

    monkeypatch.setattr(history, "told_of", told_of)
    return found


def fields_of_events(contract: str) -> set[str]:
    tree = ast.parse((ROOT / "contracts" / "system" / f"{contract}.py").read_text("utf-8"))
    return {
        keyword.arg or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "emit"
        for keyword in node.keywords
    }


@pytest.mark.parametrize("noun", TOLD)
def test_every_noun_of_the_business_tells_the_history_of_its_records(
    noun: str, asked: list[tuple[About, Span, int]]
) -> None:
    assert main([noun, "history", "one", "--limit", "7"]) == 0
    [(about, span, limit)] = asked
    contract = CONTRACTS.get(noun, noun)
    assert about.subject == "one" and about.contract == (contract if noun in ALONE else "")
    assert about.field == "" or about.field in fields_of_events(contract)
    assert (span.is_newest_first, limit) == (False, 7)


def test_every_noun_that_lists_records_of_the_business_has_a_history() -> None:
    for noun in NOUNS:
        app = importlib.import_module(f"cli.{noun}").app
        verbs = {command.name for command in app.registered_commands}
        if {"list", "watch"} <= verbs and noun not in ("tariff", "organization"):
            assert "history" in verbs, noun


def test_fields_that_differ_are_only_those_of_contracts() -> None:
    for contract, field in FIELDS.items():
        assert field != f"{contract}_id"


def test_an_algorithm_is_named_with_its_version_and_nothing_else_has_a_slash() -> None:
    assert parse_subject("statistics/1") == "statistics/1"
    for text in ("", "a b", "a/b/c", "A"):
        with pytest.raises(LiteralInvalid):
            parse_subject(text)
