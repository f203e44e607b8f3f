"""Lines as the formatter of the house leaves them: 100 columns, else one item a line."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

WIDTH = 100
STEP = "    "
QUOTES = '"""'
_OUTSIDE_ASCII = re.compile(r"[^\x20-\x7e]")


def group(head: str, items: Sequence[str], tail: str, *, indent: str = "") -> list[str]:
    """`head items tail` on one line if it fits; else an item a line, with a last comma."""
    line = f"{indent}{head}{', '.join(items)}{tail}"
    if len(line) <= WIDTH or not items:
        return [line]
    lines = [line for item in items for line in _item(item, f"{indent}{STEP}")]
    return [f"{indent}{head}", *lines, f"{indent}{tail}"]


def _item(item: str, indent: str) -> list[str]:
    """An item on a line of its own; a call that is too long opens at its last bracket."""
    line = f"{indent}{item},"
    head, bracket, argument = item[:-1].rpartition("(")
    if len(line) <= WIDTH or not bracket or not item.endswith(")"):
        return [line]
    return [f"{indent}{head}(", f"{indent}{STEP}{argument}", f"{indent}),"]


def union(head: str, items: Sequence[str]) -> list[str]:
    """`head = A | B`, in brackets when it is long."""
    joined = " | ".join(items)
    if len(f"{head} = {joined}") <= WIDTH:
        return [f"{head} = {joined}"]
    if len(f"{STEP}{joined}") <= WIDTH:
        return [f"{head} = (", f"{STEP}{joined}", ")"]
    lines = [f"{STEP}{'| ' if place else ''}{item}" for place, item in enumerate(items)]
    return [f"{head} = (", *lines, ")"]


def docstring(text: str, *, indent: str = "") -> list[str]:
    """A docstring that says `text`; none for an empty one.

    Documentation may be anybody's: what is not printable ASCII becomes `?`, backslashes become
    slashes and three quotes in a row apostrophes, so that it neither ends early nor hides.
    """
    width = WIDTH - len(indent) - 2 * (len(QUOTES) + 1)  # a quote beside the quotes takes a space
    lines = _fitted([_harmless(line) for line in text.strip().split("\n")], width)
    if not any(lines):
        return []
    first, *rest = lines
    if first.startswith('"'):
        first = f" {first}"
    if not rest:
        closing = f" {QUOTES}" if first.endswith('"') else QUOTES
        return [f"{indent}{QUOTES}{first}{closing}"]
    body = [f"{indent}{part}" if part else "" for part in rest]
    return [f"{indent}{QUOTES}{first}", *body, f"{indent}{QUOTES}"]


def _fitted(lines: list[str], width: int) -> list[str]:
    """The lines if all fit, else their paragraphs anew."""
    if all(len(line) <= width for line in lines):
        return lines
    fitted: list[str] = []
    for paragraph in re.split(r"\n{2,}", "\n".join(lines)):
        fitted += ["", *textwrap.wrap(paragraph, width, break_on_hyphens=False)]
    return fitted[1:]


def _harmless(line: str) -> str:
    line = _OUTSIDE_ASCII.sub("?", line.replace("\t", " ").replace("\\", "/"))
    return re.sub(r'"{3,}', lambda run: "'" * len(run[0]), line).strip()
