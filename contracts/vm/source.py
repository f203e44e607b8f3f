"""From text to a bounded syntax tree: everything that must hold before and after the C parser.

The parser recurses in C, so size and nesting are bounded on the text by a linear scan of our
own first. The scan errs on the strict side: it also counts brackets inside f-strings.
"""

from __future__ import annotations

import ast
import re
import threading
import warnings

from contracts.vm import limits
from contracts.vm.rules import Findings

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<fstring>(?:[rRbBuU]?[fF][rRbB]?)(?P<quote>\"\"\"|'''|\"|'))
    |(?P<string>[rRbBuU]{0,2}(?P<plain>\"\"\"|'''|\"|'))
    |(?P<word>\w+)
    |(?P<continued>\\\n)
    |(?P<newline>\n[ ]*)
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<space>[ ]+)
    |(?P<other>.)""",
    re.VERBOSE,
)
_STRING_END = {
    '"': re.compile(r'(?:[^"\\\n]|\\[\s\S])*"'),
    "'": re.compile(r"(?:[^'\\\n]|\\[\s\S])*'"),
    '"""': re.compile(r'(?:[^"\\]|\\[\s\S]|"(?!""))*"""'),
    "'''": re.compile(r"(?:[^'\\]|\\[\s\S]|'(?!''))*'''"),
}
# CPython 3.11 counts the depth of the tree it makes once for all threads of an interpreter, and
# two that parse at a time throw each other's count off (SystemError); filters of warnings are
# shared, too. A worker has one thread; audits and tests may have more.
_PARSER = threading.Lock()
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def parse(text: str, findings: Findings) -> ast.Module | None:
    """The syntax tree, or None after adding at least one finding."""
    if not _is_plain(text, findings) or not _is_shallow(text, findings):
        return None
    try:
        with _PARSER, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "invalid escape" and the like go to no terminal
            tree = ast.parse(text, "contract", "exec")
    except SyntaxError as error:
        findings.add("S004", error.lineno or 1, max(0, (error.offset or 1) - 1), _reason(error))
        return None
    except (ValueError, MemoryError, RecursionError, OverflowError):
        # The parser's own bounds. The scan keeps them out of reach; a verdict (alike on every
        # node) is the safer end should it have a hole, since a fault would stop every node.
        findings.add("S003", 1, 0, "the parser gives up on this source")
        return None
    return tree if _is_flat_tree(tree, findings) else None


def _reason(error: SyntaxError) -> str:
    # The parser's sentence may quote source text; ASCII is certain here, length is not.
    return f"syntax error: {error.msg}"[:200]


def _is_plain(text: str, findings: Findings) -> bool:
    if len(text) > limits.SOURCE_SIZE_MAX:
        findings.add("S002", 1, 0)
        return False
    if not text.isascii():
        index = next(i for i, character in enumerate(text) if character > "\x7f")
        findings.add("S001", text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index) - 1)
        return False
    control = _CONTROL.search(text)
    if control is not None:
        findings.add("S005", text.count("\n", 0, control.start()) + 1, 0)
        return False
    return True


def _is_shallow(text: str, findings: Findings) -> bool:
    """Bound nesting, blocks, operator chains and elif chains by one pass over the text."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > limits.LINE_LENGTH_MAX:
            findings.add(
                "S003", number, 0, f"a line has at most {limits.LINE_LENGTH_MAX} characters"
            )
            return False
    depth = tokens = elifs = position = 0
    indents = [0]
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None, "the last alternative matches any character"
        kind, start = match.lastgroup, position
        position = match.end()
        if kind in ("quote", "plain", "string", "fstring"):
            quote = match["quote"] or match["plain"]
            end = _STRING_END[quote].match(text, position)
            if end is None:
                findings.add("S004", text.count("\n", 0, start) + 1, 0, "unterminated string")
                return False
            if match["quote"] and not _is_shallow_fstring(end[0], depth):
                return _too_deep(text, start, findings, "an f-string nests too deep")
            position = end.end()
            tokens += 1 + (end[0].count("{") * 4 if match["quote"] else 0)
        elif kind == "open":
            depth, tokens = depth + 1, tokens + 1
        elif kind == "close":
            depth, tokens = max(0, depth - 1), tokens + 1
        elif kind == "newline" and depth == 0:
            tokens = 0
            _indent(indents, len(match[0]) - 1, text[position : position + 1])
        elif kind in ("word", "other"):
            tokens += 1
            elifs += match[0] == "elif"
        if depth > limits.BRACKET_DEPTH_MAX:
            return _too_deep(text, start, findings, "brackets nest too deep")
        if tokens > limits.LOGICAL_LINE_TOKENS_MAX:
            return _too_deep(text, start, findings, "the statement is too long")
        if len(indents) > limits.INDENT_DEPTH_MAX:
            return _too_deep(text, start, findings, "blocks nest too deep")
    if elifs > limits.ELIF_TOTAL_MAX:
        return _too_deep(text, 0, findings, "too many elif branches")
    return True


def _indent(indents: list[int], width: int, following: str) -> None:
    if following in ("\n", "#", ""):
        return
    while width < indents[-1]:
        indents.pop()
    if width > indents[-1]:
        indents.append(width)


def _is_shallow_fstring(body: str, depth: int) -> bool:
    """Expressions inside an f-string are parsed with a parser of their own: count them here."""
    if len(body) > limits.LINE_LENGTH_MAX * 4:
        return False
    operators = 0
    for character in body:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(0, depth - 1)
        operators += not character.isalnum() and character != " "
        if depth > limits.BRACKET_DEPTH_MAX:
            return False
    return operators <= limits.LOGICAL_LINE_TOKENS_MAX


def _too_deep(text: str, index: int, findings: Findings, reason: str) -> bool:
    findings.add("S003", text.count("\n", 0, index) + 1, 0, reason)
    return False


def _is_flat_tree(tree: ast.Module, findings: Findings) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(limits.TREE_DEPTH_MAX):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return True
    line = next((node.lineno for node in level if isinstance(node, (ast.stmt, ast.expr))), 1)
    findings.add("S003", line, 0, "the syntax tree is too deep")
    return False
