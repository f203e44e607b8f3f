"""Where findings end: at what is meant, and never before they begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.kit.rule_examples import EXAMPLES
from contracts.kit.rules_page import found_in
from contracts.vm.check import check_source
from contracts.vm.messages import Checked, encoder, reply_decoder

HEAD = "from contracts.dialect import call, view\n"


@pytest.mark.parametrize(
    ("text", "rule", "meant"),
    [
        ("@view\ndef f(s: str) -> str:\n    return s.title()", "L005", "s.title()"),
        ("@view\ndef f(n: int) -> int:\n    if n > 0:\n        return 1", "T004", "def f"),
        ("@call\ndef long_name() -> int:\n    return 1", "W004", "def long_name"),
        ("NAME = 1\n@call\nclass Wide:\n    n: int", "L010", "class Wide"),
        ("@view\ndef f(n) -> int:\n    return 1", "L004", "n"),
        ("@view\ndef f() -> int:\n    for i in 3:\n        pass\n    return 1", "T001", "3"),
        ("@view\ndef f(n: int) -> int:\n    return 1", "W010", "n: int"),
        (
            "@view\ndef f() -> int:\n    return 1\n    while True:\n        pass",
            "L011",
            "while True",
        ),
    ],
)
def test_a_finding_ends_where_what_it_means_ends(text: str, rule: str, meant: str) -> None:
    source = f"{HEAD}{text}\n"
    finding = next(f for f in check_source(source) if f.rule == rule and f.line > 1)
    assert finding.line == finding.end_line
    line = source.split("\n")[finding.line - 1]
    assert line[finding.column : finding.end_column] == meant


def test_a_finding_may_end_on_a_later_line() -> None:
    (finding,) = check_source("from contracts.dialect import (\n    nothing,\n)\n")
    assert (finding.line, finding.column, finding.end_line, finding.end_column) == (1, 0, 3, 1)


@pytest.mark.parametrize("rule", EXAMPLES)
def test_every_rule_gives_a_range_within_the_text_that_survives_the_pipe(rule: str) -> None:
    (finding,) = found_in(EXAMPLES[rule])
    lines = EXAMPLES[rule].source.split("\n")
    assert (finding.line, finding.column) <= (finding.end_line, finding.end_column)
    assert finding.end_line <= len(lines)
    assert finding.end_column <= len(lines[finding.end_line - 1])
    reply = reply_decoder.decode(encoder.encode(Checked([finding])))
    assert reply == Checked([finding])


@given(st.text("def f(x):\n return ifor1=*@[]'\"", max_size=60))
def test_no_text_gives_a_range_that_runs_backwards(text: str) -> None:
    for finding in check_source(text):
        assert (finding.line, finding.column) <= (finding.end_line, finding.end_column)
