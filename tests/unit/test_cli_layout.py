"""Answers on a terminal: columns, units, what is folded and what is never cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.language import Language, heading, speak
from cli.layout import field_lines, table_lines
from cli.output import Json, Table
from cli.readable import amount_text, columns_of, shortened, span_text, text_of

LONG = "shuxin demand review d-1 --pass|--refuse --dataset … --note …, or: demand collect d-1 …"


@pytest.fixture(params=list(Language))
def language(request: pytest.FixtureRequest) -> Iterator[Language]:
    speak(request.param)
    yield request.param
    speak(Language.ENGLISH)


GRANTS = Table(
    ("id", "operator", "datasets", "uses", "expires_ms"),
    [
        ("credit", "授权运营方公司", ["incomes-a", "incomes-b"], 1, 1_798_352_151_162),
        ("figures-1", "operator", ["incomes-c"], 12, 0),
    ],
)


def places(line: str, letter: str) -> int:
    return columns_of(line[: line.index(letter)])


def test_columns_stand_below_each_other_though_a_character_takes_two(language: Language) -> None:
    head, rule, first, second = table_lines(GRANTS, None)
    assert places(first, "incomes-a") == places(second, "incomes-c")
    assert set(rule) == {"─"}
    assert columns_of(head) <= len(rule)


def test_numbers_stand_at_the_right(language: Language) -> None:
    _head, _rule, first, second = table_lines(GRANTS, None)
    assert places(first, " 1 ") + 1 == places(second, " 12 ") + 2


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_terminal_cuts_no_word(width: int, language: Language) -> None:
    lines = list(table_lines(GRANTS, width))
    assert max(columns_of(line) for line in lines) <= width
    for word in ("credit", "figures-1", "incomes-a", "incomes-b"):
        assert any(word in line for line in lines), word


def test_where_words_have_no_room_each_record_stands_by_itself() -> None:
    lines = list(table_lines(GRANTS, 30))
    assert lines[0] == "id:       credit"
    assert "datasets: incomes-a, incomes-b" in lines
    assert lines.count("") == 1


def test_a_command_stands_whole_below_its_row(language: Language) -> None:
    work = Table(("what", "id", "command"), [("demand to review", "d-1", LONG)], below="command")
    for width in (None, 60, 20):
        assert list(table_lines(work, width))[-1].strip() == LONG
    assert not any(heading("command") in line.split() for line in table_lines(work, None))


def test_a_value_is_shown_with_the_unit_that_its_name_ends_with() -> None:
    assert text_of(1_252_000, "due_fen") == "12,520.00 yuan"
    assert amount_text(-5) == "-0.05 yuan"
    assert text_of(30 * 86_400_000, "term_ms") == "30 d"
    assert span_text(90_000) == "90 s"
    assert text_of(-12, "clock_off_ms") == "-12 ms"
    assert text_of(995_000, "worst_ppm") == "99.5 %"
    assert text_of(-1, "before_ppm") == "-"
    assert text_of(1_798_352_151_162, "expires_ms").startswith("2026-12-27 ")
    assert text_of([["task", 500], ["query", 5]], "prices") == "task 5.00 yuan, query 0.05 yuan"
    assert text_of("0x", "signature") == "-"
    assert text_of({"due_fen": 5, "over_ms": 0}, "") == "due 0.05 yuan; over -"
    assert heading("due_fen") == "due" and heading("fen") == "fen"


def test_what_is_empty_is_a_dash_and_no_trailing_blank() -> None:
    lines = list(field_lines({"id": "g", "reason": "", "duties": [], "at": None}))
    assert lines == ["id:     g", "reason: -", "duties: -", "at:     -"]


def test_lines_of_somebody_else_cannot_be_taken_for_fields() -> None:
    lines = list(field_lines({"terms": "grant 1\nstatus: active\x1b[2J", "status": "revoked"}))
    assert lines == ["terms:", "  | grant 1", "  | status: active\\x1b[2J", "status: revoked"]


def test_a_record_within_is_unfolded_and_a_long_one_in_a_list() -> None:
    inner: dict[str, Json] = {"id": "leak", "party": "op"}
    assert list(field_lines({"incident": inner})) == ["incident:", "  id:    leak", "  party: op"]
    assert list(field_lines({"reports": [inner]})) == ["reports:", "  - id leak; party op"]
    long: dict[str, Json] = {"party": "op", "certificate": "a\nb"}
    assert list(field_lines({"reports": [long]})) == [
        "reports:",
        "  - party:       op",
        "    certificate:",
        "      | a",
        "      | b",
    ]


def test_a_cell_is_cut_by_columns_and_not_by_characters() -> None:
    assert shortened("数" * 24) == "数" * 24
    assert columns_of(shortened("数" * 25)) <= 48
    assert shortened("数" * 25).endswith("…")
