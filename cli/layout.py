"""How answers stand on a terminal: tables, records one below the other, and fields.

Columns are counted as a terminal does, a Chinese character for two. A table that is too wide folds
between words; where even its longest words have no room, each record stands by itself, so that
nothing that may be copied is ever cut. A pipe has no width: there columns have all they need.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cli.language import heading
from cli.readable import PRICES, columns_of, printable, shortened, text_of

if TYPE_CHECKING:
    from cli.output import Json, Table

GAP: Final = 3  # columns between two of a table
INDENT: Final = "  "
LINE_COLUMNS_MAX: Final = 120  # of a record within a record on one line; a longer one is unfolded
QUOTED: Final = "  | "  # before lines that somebody else wrote: none can be taken for a field
# Where a cell may be folded: at blanks, and around each character that stands for a word.
_PIECES: Final = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]|[^\s\u2e80-\u9fff\uff00-\uffef]+|\s+")


def table_lines(table: Table, width: int | None) -> Iterator[str]:
    """The lines of a table on a terminal of `width` columns; None: no width."""
    names = [name for name in table.columns if name != table.below]
    places = [table.columns.index(name) for name in names]
    heads = [heading(name) for name in names]
    rows = [
        [_cell(row[place], table.columns[place], is_last=place == places[-1]) for place in places]
        for row in table.rows
    ]
    below = [_below(table, row) for row in table.rows]
    widths = _widths([heads, *rows], width)
    if widths is None:
        yield from _records(heads, rows, below)
        return
    is_number = [
        not name.endswith("_ms") and all(_is_number(row[place]) for row in table.rows)
        for name, place in zip(names, places, strict=True)
    ]
    aligned = list(zip(widths, is_number, strict=True))
    yield from _row(heads, aligned)
    yield "─" * (sum(widths) + GAP * (len(widths) - 1) + 2)
    for row, under in zip(rows, below, strict=True):
        yield from _row(row, aligned)
        if under:
            yield f"     {under}"


def field_lines(values: Mapping[str, Json], indent: str = "") -> Iterator[str]:
    """Names and values, one below the other; what holds records is unfolded."""
    width = max((columns_of(heading(name)) for name in values), default=0)
    for name, value in values.items():
        shown = heading(name)
        if isinstance(value, str) and "\n" in value:
            yield f"{indent}{shown}:"
            yield from (f"{indent}{QUOTED}{printable(line)}" for line in value.splitlines())
        elif isinstance(value, dict) and value:
            yield f"{indent}{shown}:"
            yield from field_lines(value, indent + INDENT)
        elif isinstance(value, list) and value and name != PRICES and _is_nested(value[0]):
            yield f"{indent}{shown}:"
            for item in value:
                yield from _item_lines(item, name, indent + INDENT)
        else:
            room = " " * (width - columns_of(shown))
            yield f"{indent}{shown}:{room} {text_of(value, name)}"


def _item_lines(item: Json, name: str, indent: str) -> Iterator[str]:
    text = text_of(item, name)
    is_record = isinstance(item, dict) and len(item) > 1
    if isinstance(item, dict) and is_record and (_has_lines(item) or _is_long(text)):
        lines = field_lines(item, indent + INDENT)
        yield f"{indent}- {next(lines).strip()}"
        yield from lines
    else:
        yield f"{indent}- {text}"


def _is_nested(value: Json) -> bool:
    return isinstance(value, dict | list)


def _has_lines(item: Mapping[str, Json]) -> bool:
    return any(isinstance(value, str) and "\n" in value for value in item.values())


def _is_long(text: str) -> bool:
    return columns_of(text) > LINE_COLUMNS_MAX


# --- tables -----------------------------------------------------------------------------------


def _cell(value: Json, name: str, *, is_last: bool) -> str:
    """Sentences are whole in the last column, behind which nothing has to stand in line."""
    text = "" if value == "" else text_of(value, name)  # a dash is no value at all
    return text if is_last and " " in text else shortened(text)


def _below(table: Table, row: Sequence[Json]) -> str:
    """What stands on a line of its own below a row, whole: a command is copied from there."""
    return text_of(row[table.columns.index(table.below)], table.below) if table.below else ""


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int] | None:
    """Of the columns; None if not even their longest words have room."""
    columns = list(zip(*rows, strict=True))
    widths = [max(columns_of(cell) for cell in column) for column in columns]
    if width is None:
        return widths
    room = width - 2 - GAP * (len(widths) - 1)
    least = [max(_longest_word(cell) for cell in column) for column in columns]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        spare = [wide - small for wide, small in zip(widths, least, strict=True)]
        widths[spare.index(max(spare))] -= 1
    return widths


def _longest_word(text: str) -> int:
    return max((columns_of(piece) for piece in _PIECES.findall(text)), default=0)


def _row(cells: Sequence[str], aligned: Sequence[tuple[int, bool]]) -> Iterator[str]:
    folded = [_folded(cell, width) for cell, (width, _) in zip(cells, aligned, strict=True)]
    for number in range(max(len(lines) for lines in folded)):
        parts = []
        for lines, (width, is_number) in zip(folded, aligned, strict=True):
            text = lines[number] if number < len(lines) else ""
            room = " " * (width - columns_of(text))
            parts.append(room + text if is_number else text + room)
        yield (" " + (" " * GAP).join(parts)).rstrip()


def _folded(text: str, width: int) -> list[str]:
    if columns_of(text) <= width:
        return [text]
    lines = [""]
    for piece in _PIECES.findall(text):
        if columns_of(lines[-1] + piece.rstrip()) <= width:
            lines[-1] += piece
        elif piece.strip():
            lines.append(piece)
    return [line.rstrip() for line in lines]


def _records(
    heads: Sequence[str], rows: Sequence[Sequence[str]], below: Sequence[str]
) -> Iterator[str]:
    width = max(columns_of(head) for head in heads)
    for place, (row, under) in enumerate(zip(rows, below, strict=True)):
        if place:
            yield ""
        for head, cell in zip(heads, row, strict=True):
            yield f"{head}:{' ' * (width - columns_of(head))} {cell}"
        if under:
            yield f"{INDENT}{under}"
