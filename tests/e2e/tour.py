"""A page of documentation as what a reader does with it: files to write, commands to give.

A fenced block with a path after its language is a file. A `console` block holds commands behind
`$ ` and, below each, what it answers. `…` stands for any text within a line, and alone in a line
for any lines. `{NAME}` in an answer is a word that differs from run to run; what follows may use
it. There are no other blocks, so that nothing on the page goes untried. A command whose answer has
a line `refused: …` has to exit with 1, every other one with 0.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

PROGRAM = "shuxin"
PROMPT = "$ "
ANY = "…"
REFUSED = "refused:"
NAME = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")


class PageInvalid(Exception):
    """The page cannot be carried out as it stands; says where and why."""


class PromiseBroken(Exception):
    """A command answered otherwise than the page says."""

    def __init__(self, line: str, answer: str) -> None:
        super().__init__(f"the answer lacks {line!r} in its place:\n{answer}")
        self.line = line


@dataclass(frozen=True, slots=True)
class File:
    """A file that the reader writes, below the folder where the tour began."""

    line: int
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command as its words after the program's name, and the lines it has to answer."""

    line: int
    words: tuple[str, ...]
    promised: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return 1 if any(line.startswith(REFUSED) for line in self.promised) else 0


Step: TypeAlias = File | Command


def read(page: str) -> list[Step]:
    """The steps of a page in order. Raises PageInvalid."""
    steps: list[Step] = []
    for line, opening, body in _blocks(page.splitlines()):
        language, _, path = opening.partition(" ")
        if path:
            if path.startswith("/") or ".." in path.split("/"):
                raise PageInvalid(f"line {line}: {path} leaves the folder of the tour")
            steps.append(File(line, path, "".join(f"{text}\n" for text in body)))
        elif language == "console":
            steps.extend(_commands(line + 1, body))
        else:
            raise PageInvalid(f"line {line}: a block is a file with a path, or `console`")
    return steps


def named(text: str, known: Mapping[str, str]) -> str:
    """`text` with its names filled in. Raises PageInvalid for one that no answer gave."""
    if odd := [name for name in NAME.findall(text) if name not in known]:
        raise PageInvalid(f"no answer before gave {{{odd[0]}}}")
    return NAME.sub(lambda found: known[found[1]], text)


def kept(promised: Sequence[str], answer: str, known: Mapping[str, str]) -> dict[str, str]:
    """The names that an answer gives; it must be as promised.

    Blanks within lines, empty lines and the length of ruled lines do not count. Raises
    PromiseBroken with the first promised line that does not stand in its place.
    """
    lines = [line for text in answer.splitlines() if (line := _plain(text))]
    said = "".join(f"{line}\n" for line in lines)
    given: dict[str, str] = {}
    for count in range(1, len(promised) + 1):
        begun = [*promised[:count], *([ANY] if count < len(promised) else [])]
        found = re.fullmatch(_pattern(begun, known), said)
        if found is None:
            raise PromiseBroken(promised[count - 1], answer)
        given = found.groupdict()
    return given


def _blocks(lines: Sequence[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Number of the opening line, what stands behind its fence, and the lines inside."""
    opened: tuple[int, str] | None = None
    body: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.startswith("```"):
            body.append(line)
        elif opened is None:
            opened, body = (number, line.removeprefix("```").strip()), []
        else:
            yield (*opened, body)
            opened = None
    if opened is not None:
        raise PageInvalid(f"line {opened[0]}: the block has no end")


def _commands(first: int, lines: Sequence[str]) -> Iterator[Command]:
    place = 0
    while place < len(lines):
        number, line = first + place, lines[place]
        if not line.startswith(PROMPT):
            raise PageInvalid(f"line {number}: an answer without a command")
        while line.endswith("\\") and place + 1 < len(lines):
            place += 1
            line = line.removesuffix("\\") + lines[place]
        place += 1
        promised = []
        while place < len(lines) and not lines[place].startswith(PROMPT):
            promised.append(lines[place])
            place += 1
        yield Command(number, _words(number, line.removeprefix(PROMPT)), tuple(promised))


def _words(number: int, line: str) -> tuple[str, ...]:
    """What a shell would make of the line, were it to do nothing but split it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&$`*?~")
    lexer.whitespace_split = True
    try:
        words = tuple(lexer)
    except ValueError as error:
        raise PageInvalid(f"line {number}: {error}") from None
    if odd := [word for word in words if word and not word.strip("();<>|&$`*?~")]:
        raise PageInvalid(f"line {number}: no shell runs this page; {odd[0]} would need one")
    if words[:1] != (PROGRAM,):
        raise PageInvalid(f"line {number}: only {PROGRAM} is run")
    return words[1:]


def _plain(line: str) -> str:
    return re.sub("─+", "─", " ".join(line.split()))


def _pattern(promised: Sequence[str], known: Mapping[str, str]) -> str:
    parts = []
    for line in promised:
        if line.strip() == ANY:
            parts.append(r"(?:.*\n)*?")
        elif _plain(line):
            parts.append(_line_pattern(_plain(line), known) + r"\n")
    return "".join(parts)


def _line_pattern(line: str, known: Mapping[str, str]) -> str:
    parts = []
    for place, part in enumerate(NAME.split(line)):
        if place % 2 == 0:
            parts.append(".*?".join(re.escape(text) for text in part.split(ANY)))
        else:  # a name: once it is known it says the same again
            parts.append(re.escape(known[part]) if part in known else rf"(?P<{part}>[^\s,]+)")
    return "".join(parts)
