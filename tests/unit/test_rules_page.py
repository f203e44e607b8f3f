"""docs/contract-rules.md: each example breaks its rule alone, and the page is what is generated."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.kit.rule_examples import EXAMPLES
from contracts.kit.rules_page import found_in, render, severity_of
from contracts.vm.rules import RULES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "contract-rules.md"


def test_each_rule_has_an_example() -> None:
    assert EXAMPLES.keys() == RULES.keys()


@pytest.mark.parametrize("rule", EXAMPLES)
def test_an_example_breaks_its_rule_and_no_other(rule: str) -> None:
    (finding,) = found_in(EXAMPLES[rule])
    assert (finding.rule, finding.severity) == (rule, severity_of(rule))


@pytest.mark.parametrize("rule", EXAMPLES)
def test_what_the_page_shows_is_short_and_plain(rule: str) -> None:
    shown = EXAMPLES[rule].shown or EXAMPLES[rule].source
    assert shown.isascii() and shown.replace("\n", "").isprintable() and shown.endswith("\n")
    assert max(map(len, shown.splitlines())) <= 100 and shown.count("\n") < 25


def test_the_page_is_what_is_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make reference`"
