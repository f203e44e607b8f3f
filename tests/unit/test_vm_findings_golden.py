"""What authors read, pinned: rule, place and reason of every finding on a corpus of mistakes.

The corpus is that of test_vm_refusals, of the attacks by syntax, and the refused snippets. Where
CPython's parser speaks, only the rule is kept: its words change with any release.

Renew with `python -m tests.unit.test_vm_findings_golden` and read the difference.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from contracts.vm.check import check_source
from contracts.vm.compile import compile_source
from contracts.vm.rules import SYNTAX, Findings, SourceRefused
from tests.sandbox import test_syntax_attacks as attacks
from tests.unit import test_vm_refusals as refusals
from tests.vm_snippets import REFUSED_LINES, REFUSED_MODULES

GOLDEN = Path(__file__).with_name("vm_findings_golden.json")
SOURCES = {
    **{f"line/{n}": refusals.function(text) for n, text in REFUSED_LINES.items()},
    **{f"module/{n}": text for n, text in REFUSED_MODULES.items()},
    **{f"refused/{n}": refusals.function(item[2]) for n, item in refusals.IN_FUNCTIONS.items()},
    **{
        f"declared/{n}": f"{refusals.function('note(1)')}{item[2]}\n"
        for n, item in refusals.AT_MODULE_LEVEL.items()
    },
    **{f"attack/{n}": attacks.in_function(n) for n in attacks.IN_FUNCTIONS},
    **{f"attack_outside/{n}": attacks.at_module_level(n) for n in attacks.AT_MODULE_LEVEL},
    **{f"bomb/{n}": text for n, (_, text) in attacks.BOMBS.items()},
}


def told(source: str) -> list[str]:
    """`LINE:COLUMN RULE reason` of every finding."""
    return [
        item.rule
        if item.rule == SYNTAX and item.reason.startswith("syntax error: ")
        else f"{item.line}:{item.column} {item.rule} {item.reason}"
        for item in check_source(source)
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_authors_read_what_they_read(name: str) -> None:
    assert told(SOURCES[name]) == golden()[name]


def test_nothing_is_pinned_that_is_not_looked_at() -> None:
    assert list(golden()) == list(SOURCES)
    assert [name for name, lines in golden().items() if not lines or " W0" in lines[0]] == []


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("x = 1.5", "1:4 L008 constants are literals, tuples of them, or int arithmetic"),
        ("import os\nx = q", "1:0 L003 modules hold imports, constants, storage, records and"
         " functions (and 1 more)"),
        ("import a\nimport b\nimport c", "1:0 L003 modules hold imports, constants, storage,"
         " records and functions (and 2 more)"),
        ("x = = 1", "S004 source is Python 3.11 syntax"),
    ],
)  # fmt: skip
def test_a_receipt_tells_the_first_finding(source: str, sentence: str) -> None:
    with pytest.raises(SourceRefused) as refused:
        compile_source(source)
    assert str(refused.value) == sentence


def test_warnings_do_not_count_as_errors() -> None:
    findings = Findings()
    findings.add("W001", 1, 0)
    assert findings.error_count == 0
    findings.add("L001", 1, 0)
    assert findings.error_count == 1


@cache
def golden() -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(GOLDEN.read_text(encoding="ascii"))
    return found


if __name__ == "__main__":
    made = {name: told(source) for name, source in SOURCES.items()}
    GOLDEN.write_text(json.dumps(made, indent=1) + "\n", encoding="ascii")
