"""Damaged contracts and plain noise for `check`: it answers, and what it accepts also compiles.

`check` compiles and verifies what it accepts, so that a CodeRefused or any other exception on the
way is a finding of this job.
"""

from __future__ import annotations

import ast
import io
import random
import tokenize
from functools import lru_cache

from contracts.bundle import system_sources
from contracts.vm.check import check_source
from tests.fuzz_vm.compare import Differs
from tests.fuzz_vm.generator import generator
from tests.fuzz_vm.grammar import Writer

_NOISE = [
    "def",
    "f",
    "(",
    ")",
    ":",
    "@",
    "call",
    "view",
    "init",
    "migrate",
    "record",
    "class",
    "return",
    "if",
    "elif",
    "else",
    "for",
    "in",
    "while",
    "=",
    "+",
    "-",
    "*",
    "//",
    "**",
    "%",
    "<<",
    ">>",
    "&",
    "|",
    "^",
    "~",
    "<",
    "<=",
    ">",
    ">=",
    "==",
    "!=",
    "a",
    "b",
    "x",
    "y",
    "0",
    "1",
    "2",
    "'x'",
    "b'y'",
    "f'{a}'",
    "f'{a!r}'",
    "f'{{'",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "ctx",
    "sender",
    "Map",
    "SortedMap",
    "Var",
    "str",
    "int",
    "bool",
    "bytes",
    "list",
    "dict",
    "tuple",
    "None",
    "True",
    "False",
    "is",
    "not",
    "and",
    "or",
    "->",
    "from",
    "import",
    "contracts.dialect",
    "lambda",
    "yield",
    "await",
    "async",
    "with",
    "try",
    "except",
    "raise",
    "del",
    "pass",
    "global",
    "#",
    "\\",
    '"',
    "'''",
    "0x1F",
    "1e9",
    "1j",
    "...",
    ":=",
    "require",
    "emit",
    "fail",
    "break",
    "continue",
    "__g",
    "__t",
    "__f_main",
    "__builtins__",
    "list[int]",
    "dict[str,int]",
    "str|None",
    "(",
    "(",
    "(",
    "[",
    "[",
    ")",
    ")",
    "]",
]
_SPACES = ["\n", "\n    ", "\n        ", "\n\n", " ", "\t", "\r", "\x0c", "\u4e2d"]


def check_soup(seed: int) -> bool:
    """Random text; returns whether it was accepted. Raises Differs."""
    rng = generator("soup", seed)
    if rng.random() < 0.5:
        text = "".join(
            chr(rng.choice((rng.randrange(128), rng.randrange(32, 127), 10, 32)))
            for _ in range(rng.randrange(400))
        )
    else:
        text = " ".join(
            rng.choice(_NOISE if rng.random() < 0.8 else _SPACES) for _ in range(rng.randrange(200))
        )
    return _checked(text)


def check_damaged(seed: int) -> bool:
    """A real contract with a few tokens or branches of its tree changed. Raises Differs."""
    rng = generator("damage", seed)
    source = rng.choice(_corpus()) if rng.random() < 0.5 else Writer(rng).program()
    change = _trees if rng.random() < 0.4 else _tokens
    return _checked(change(source, rng))


@lru_cache
def _corpus() -> tuple[str, ...]:
    return tuple(text for _, text in system_sources())


def _tokens(source: str, rng: random.Random) -> str:
    """Delete, double, swap or replace some of the tokens between two lines of the text."""
    lines = source.splitlines(keepends=True)
    for _ in range(rng.randint(1, 3)):
        row = rng.randrange(len(lines))
        try:
            tokens = [t.string for t in tokenize.generate_tokens(io.StringIO(lines[row]).readline)]
        except (tokenize.TokenError, SyntaxError):
            tokens = lines[row].split()
        words = [token for token in tokens if token.strip()] or ["pass"]
        place = rng.randrange(len(words))
        match rng.randrange(5):
            case 0:
                del words[place]
            case 1:
                words.insert(place, words[place])
            case 2:
                words[place] = rng.choice(_NOISE)
            case 3:
                words.insert(place, rng.choice(_NOISE))
            case _:
                other = rng.randrange(len(words))
                words[place], words[other] = words[other], words[place]
        indent = lines[row][: len(lines[row]) - len(lines[row].lstrip(" "))]
        lines[row] = indent + " ".join(words) + "\n"
    return "".join(lines)


def _trees(source: str, rng: random.Random) -> str:
    """Put expressions and statements of the program in each other's places."""
    tree = ast.parse(source)
    for _ in range(rng.randint(1, 3)):
        spots = [
            (node, name, index, child)
            for node in ast.walk(tree)
            for name, value in ast.iter_fields(node)
            if isinstance(value, list)
            for index, child in enumerate(value)
            if isinstance(child, (ast.stmt, ast.expr))
        ]
        node, name, index, child = rng.choice(spots)
        kind = ast.stmt if isinstance(child, ast.stmt) else ast.expr
        others = [other for *_, other in spots if isinstance(other, kind)]
        getattr(node, name)[index] = rng.choice(others)
        if len(list(_bounded_walk(tree))) > 60_000:
            break  # trees that hold themselves many times over
    try:
        return ast.unparse(tree)
    except (RecursionError, ValueError, AttributeError):
        return source


def _bounded_walk(tree: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    pending = [tree]
    while pending and len(found) <= 60_001:
        node = pending.pop()
        found.append(node)
        pending += ast.iter_child_nodes(node)
    return found


def _checked(text: str) -> bool:
    try:
        findings = check_source(text)
    except Exception as error:
        raise Differs(f"check raises {error!r}", text) from error
    rows = text.count("\n") + 1
    for finding in findings:
        if not (1 <= finding.line <= rows + 1 and finding.column >= 0):
            raise Differs(f"a finding outside of the text: {finding}", text)
    return not any(finding.severity == "error" for finding in findings)
