"""The bounds of source text: at each it is taken, one beyond it is refused where it stands."""

from __future__ import annotations

import ast
import warnings
from types import SimpleNamespace

import pytest

from contracts.vm import limits, source
from contracts.vm.rules import Findings
from contracts.vm.source import parse


def told(text: str) -> list[tuple[int, int, str, str]]:
    """(line, column, rule, reason) of what stands against the text; a tree, if nothing does."""
    findings = Findings()
    tree = parse(text, findings)
    assert isinstance(tree, ast.Module) == (not findings.items)
    return [(item.line, item.column, item.rule, item.reason) for item in findings.items]


DEEP, LONG = "brackets nest too deep", "the statement is too long"
BLOCKS, ELIFS = "blocks nest too deep", "too many elif branches"
F_DEEP, TREE = "an f-string nests too deep", "the syntax tree is too deep"
LINE = f"a line has at most {limits.LINE_LENGTH_MAX} characters"
CONTROL, SIZE, ASCII = "no control characters", "source is at most 65536 bytes", "source is ASCII"
BRACKETS, TOKENS = limits.BRACKET_DEPTH_MAX, limits.LOGICAL_LINE_TOKENS_MAX
INDENTS = limits.INDENT_DEPTH_MAX


def lines_of(size: int) -> str:
    """A text of exactly so many characters, in lines."""
    whole, rest = divmod(size, 100)
    return ("#" * 99 + "\n") * whole + "#" * rest


def nested(opened: str, count: int, closed: str) -> str:
    return f"x = {opened * count}1{closed * count}\n"


def f_nested(count: int) -> str:
    """An f-string with so many brackets beside the brace."""
    return f"f'{{{'(' * count}1{')' * count}}}'"


def tokens(count: int) -> str:
    """A statement of exactly so many tokens on lines of four, in brackets."""
    items = count - 4  # x = ( )
    pairs, odd = divmod(items, 2)
    return "x = (" + "1,\n" * pairs + ("1" if odd else "") + ")\n"


def blocks(levels: int) -> str:
    return "".join(f"{' ' * level}if a:\n" for level in range(levels)) + " " * levels + "x = 1\n"


def elifs(count: int) -> str:
    branch = "if a:\n    x = 1\n" + "elif a:\n    x = 1\n" * 50
    rest = "if a:\n    x = 1\n" + "elif a:\n    x = 1\n" * (count % 50)
    return branch * (count // 50) + rest


ACCEPTED = {
    "nothing": "",
    "largest": lines_of(limits.SOURCE_SIZE_MAX),
    "longest_line": "#" * limits.LINE_LENGTH_MAX,
    "longest_line_with_its_end": "#" * limits.LINE_LENGTH_MAX + "\n",
    "last_ascii_character": "# ~\n",
    "deepest_brackets": nested("(", BRACKETS, ")"),
    "deepest_braces": f"x = {'{1: ' * BRACKETS}1{'}' * BRACKETS}\n",
    "deepest_brackets_twice": nested("[", BRACKETS, "]") * 2,
    "brackets_in_texts": f"x = '{'(' * 60}' + \"{'[' * 60}\" # {'{' * 60}\n",
    "brackets_in_long_texts": f"x = '''{'(' * 60}''' + \"\"\"{'[' * 60}\"\"\"\n",
    "braces_in_a_plain_text": f"x = '{'{' * 250}'\n",
    "brackets_behind_an_escaped_quote": f"x = 'a\\'{'(' * 60}'\n",
    "brackets_behind_two_quotes": f"x = '''a''{'(' * 60}'''\n",
    "longest_statement": tokens(TOKENS),
    "longest_statement_odd": tokens(TOKENS - 1),
    "longest_statements": tokens(TOKENS) * 2,
    "longest_statement_of_texts": "x = (" + "'a'\n" * (TOKENS - 4) + ")\n",
    "statements_without_end": "x = 1\n" * 2_000,
    "comments_and_spaces_are_no_tokens": "x = (1 # a b c d\n" + "    # , , , , ,\n" * 400 + ")\n",
    "deepest_blocks": blocks(INDENTS - 1),
    "deepest_blocks_twice": blocks(INDENTS - 1) * 2,
    "blocks_of_brackets_do_not_count": "x = (\n"
    + "".join(f"{' ' * i}1,\n" for i in range(40))
    + ")\n",
    "comment_lines_do_not_indent": "x = 1\n" + "".join(f"{' ' * i}# a\n" for i in range(60)),
    "empty_lines_do_not_indent": "x = 1\n" + "".join(f"{' ' * i}\n" for i in range(60)),
    "spaces_at_the_end_do_not_indent": "x = 1\n" + " " * 40,
    "most_elifs": elifs(limits.ELIF_TOTAL_MAX),
    "elif_in_a_text_is_none": "x = 'elif'\n" * 300,
    "deepest_f_string": f"x = {f_nested(BRACKETS - 1)}\n",
    "f_string_in_brackets": f"x = (((({f_nested(BRACKETS - 5)}))))\n",
    "f_string_closes_what_it_did_not_open": "x = f')))' + (((1)))\n",
    "f_string_that_closes_first": f"x = f'){f_nested(BRACKETS - 1)[2:]}\n",
    "f_strings_one_after_another": f"x = f'{{{'(' * 20}1{')' * 20}}}{{{'(' * 20}1{')' * 20}}}'\n",
    "longest_f_string": "x = f'''" + ("a" * 99 + "\n") * 15 + "a" * 97 + "'''\n",
    "most_signs_in_an_f_string": "x = f'''" + ("-" * 199 + "\n") * 3 + "-" * 197 + "'''\n",
    "spaces_in_an_f_string": "x = f'''" + (" " * 199 + "\n") * 7 + "'''\n",
    "most_braces_of_f_strings": "x = (" + "f'{1}'\n" * 159 + "'a')\n",
    "kinds_of_texts": "x = rb'a' + Rb\"b\"\nz = u'c'\nw = fr'{1}\\n' + Rf'{2}'\n",
    "deepest_tree": "x = " + "-" * 97 + "1\n",
    "continued": "x = 1 + \\\n  2\n",
    "unused_escape": "x = '\\d'\n",
}

REFUSED: dict[str, tuple[str, tuple[int, int, str, str]]] = {
    "too_large": (lines_of(limits.SOURCE_SIZE_MAX + 1), (1, 0, "S002", SIZE)),
    "too_long_a_line": ("x = 1\n" + "#" * 401 + "\nx = 1", (2, 0, "S003", LINE)),
    "too_long_a_last_line": ("#" * 401, (1, 0, "S003", LINE)),
    "other_character": ("x = 1\ny = '\x80'", (2, 5, "S001", ASCII)),
    "other_character_after_delete": ("\x7f\u00e9", (1, 1, "S001", ASCII)),
    "other_character_on_the_second_line": ("\n\u00e9", (2, 0, "S001", ASCII)),
    "other_character_first": ("\u00e9", (1, 0, "S001", ASCII)),
    "other_character_and_control": ("\t\u00e9", (1, 1, "S001", ASCII)),
    "tab": ("x = 1\n\nif x:\n\ty = 1\n", (4, 0, "S005", CONTROL)),
    "tab_on_the_second_line": ("\n\t", (2, 0, "S005", CONTROL)),
    "return": ("x = 1\r\n", (1, 0, "S005", CONTROL)),
    "delete": ("x = 1\n# \x7f", (2, 0, "S005", CONTROL)),
    "null": ("\x00", (1, 0, "S005", CONTROL)),
    "too_deep_brackets": ("\n\n" + nested("(", BRACKETS + 1, ")"), (3, 0, "S003", DEEP)),
    "too_deep_braces": (nested("{", BRACKETS + 1, "}"), (1, 0, "S003", DEEP)),
    "too_deep_over_lines": ("x = " + "[\n" * 30 + "1" + "]" * 30, (BRACKETS + 1, 0, "S003", DEEP)),
    "brackets_closed_before": (")" * 9 + "(" * (BRACKETS + 1), (1, 0, "S003", DEEP)),
    "brackets_behind_a_text": ("x = 'a' + " + "(" * 25, (1, 0, "S003", DEEP)),
    "brackets_behind_a_comment": ("# '\n" + "(" * 25, (2, 0, "S003", DEEP)),
    "brackets_behind_a_quoted_quote": ("x = '\\'' + " + "(" * 25, (1, 0, "S003", DEEP)),
    "brackets_behind_a_long_text": ("x = '''\n'\n''' + " + "(" * 25, (3, 0, "S003", DEEP)),
    "too_long_a_statement": (tokens(TOKENS + 1), (399, 0, "S003", LONG)),
    "too_long_a_statement_of_texts": (
        "x = (" + "'a'\n" * (TOKENS - 3) + ")",
        (798, 0, "S003", LONG),
    ),
    "too_many_opened": ("x = (" + "()\n" * 400, (399, 0, "S003", LONG)),
    "too_many_braces_of_f_strings": ("x = (" + "f'{1}'\n" * 160 + "1)\n", (160, 0, "S003", LONG)),
    "too_deep_blocks": (blocks(INDENTS), (INDENTS, 0, "S003", BLOCKS)),
    "too_deep_blocks_of_other_widths": (
        "".join(f"{' ' * (level * 3)}if a:\n" for level in range(INDENTS + 1)) + "\n",
        (INDENTS, 0, "S003", BLOCKS),
    ),
    "too_many_elifs": (elifs(limits.ELIF_TOTAL_MAX + 1), (1, 0, "S003", ELIFS)),
    "too_many_elifs_further_down": (f"\n{elifs(201)}", (1, 0, "S003", ELIFS)),
    "too_deep_an_f_string": (
        f"\nx = {f_nested(BRACKETS)}\n",
        (2, 0, "S003", F_DEEP),
    ),
    "too_deep_an_f_string_in_brackets": (
        f"x = (((({f_nested(BRACKETS - 4)}))))\n",
        (1, 0, "S003", F_DEEP),
    ),
    "too_deep_an_f_string_with_letters": (f"x = f'{'(a' * 25}'", (1, 0, "S003", F_DEEP)),
    "too_deep_an_f_string_after_one_end": (
        f"x = f'{'(' * 20}){'(' * 6}'",
        (1, 0, "S003", F_DEEP),
    ),
    "too_deep_an_f_string_after_closing": (f"x = f'){'[' * 25}'", (1, 0, "S003", F_DEEP)),
    "too_long_an_f_string": (
        "x = f'''" + ("a" * 99 + "\n") * 15 + "a" * 98 + "'''\n",
        (1, 0, "S003", F_DEEP),
    ),
    "too_many_signs_in_an_f_string": (
        "x = f'''" + ("-" * 199 + "\n") * 3 + "-" * 198 + "'''\n",
        (1, 0, "S003", F_DEEP),
    ),
    "open_text": ("x = 1\ny = 'a\n'", (2, 0, "S004", "unterminated string")),
    "open_text_on_the_second_line": ("\nx = 'a", (2, 0, "S004", "unterminated string")),
    "open_text_at_the_end": ('x = "a', (1, 0, "S004", "unterminated string")),
    "open_long_text": ("x = '''a\n''\n", (1, 0, "S004", "unterminated string")),
    "open_f_string": ("x = f'{1}\n'", (1, 0, "S004", "unterminated string")),
    "open_by_an_escape": ("x = 'a\\'", (1, 0, "S004", "unterminated string")),
    "too_deep_by_a_leaf_without_a_place": ("\nx = " + "-" * 97 + "a\n", (1, 0, "S003", TREE)),
    "too_deep_a_tree": ("\nx = " + "-" * 98 + "1\n", (2, 0, "S003", TREE)),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_text_within_the_bounds_is_taken(name: str) -> None:
    assert told(ACCEPTED[name]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_text_beyond_a_bound_is_refused_at_its_place(name: str) -> None:
    text, finding = REFUSED[name]
    assert told(text) == [finding]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("x = 1\ny = = 1\n", 2, 4), ("= 1", 1, 0)],
)
def test_a_syntax_error_is_named_where_it_stands(text: str, line: int, column: int) -> None:
    ((found_line, found_column, rule, reason),) = told(text)
    assert (found_line, found_column, rule) == (line, column, "S004")
    assert reason.startswith("syntax error: ")


def refusing(error: Exception) -> SimpleNamespace:
    """A parser that raises `error`, in the place of CPython's."""

    def parse_nothing(*_: object) -> None:
        raise error

    return SimpleNamespace(parse=parse_nothing)


@pytest.mark.parametrize("error", [ValueError(), MemoryError(), RecursionError(), OverflowError()])
def test_a_parser_that_gives_up_is_a_finding(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "ast", refusing(error))
    assert told("x = 1") == [(1, 0, "S003", "the parser gives up on this source")]


@pytest.mark.parametrize(
    ("place", "told_place"), [((None, None), (1, 0)), ((3, 0), (3, 0)), ((3, 1), (3, 0))]
)
def test_a_syntax_error_without_a_place_stands_at_the_start(
    place: tuple[int | None, int | None],
    told_place: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = SyntaxError("x" * 300, ("contract", *place, None))
    monkeypatch.setattr(source, "ast", refusing(error))
    assert told("x = 1") == [(*told_place, "S004", f"syntax error: {'x' * 186}")]


def test_warnings_of_the_parser_reach_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert told("x = '\\d'\n") == []
