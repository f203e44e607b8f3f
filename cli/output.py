"""What a command prints: one answer, for people or as JSON; errors and progress on stderr.

Exit codes: 0 done, 1 refused (the sentence says what to do next), 2 misuse of the command line.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, Union

from cli.language import say
from cli.layout import field_lines, table_lines
from cli.readable import printable
from cli.translated import translated

if TYPE_CHECKING:
    from ledger.values import Value

DONE = 0
REFUSED = 1
MISUSE = 2

# Exceptions defined in these packages are typed errors: their text is a sentence for people.
OWN_PACKAGES = frozenset(
    (
        "bench",
        "cli",
        "client",
        "consensus",
        "contracts",
        "crypto",
        "executors",
        "ledger",
        "node",
        "p2p",
        "scenarios",
    )
)

Json: TypeAlias = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]
Advance: TypeAlias = Callable[[int, int | None], None]


class CommandRefused(Exception):
    """A command cannot be carried out; `detail` says what to do next."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Fields:
    """One thing: names and values. `exit_code` lets a finding fail the command."""

    values: Mapping[str, Json]
    title: str = ""
    exit_code: int = DONE


@dataclass(frozen=True, slots=True)
class Table:
    """Many things alike; as JSON a list of objects.

    `below`: the column that stands whole on a line of its own below its row, such as a command.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Json]]
    title: str = ""
    below: str = ""
    exit_code: int = DONE


@dataclass(frozen=True, slots=True)
class Text:
    """Text to be shown as it is, such as source code; as JSON {"text": ...}."""

    text: str
    exit_code: int = DONE


Answer: TypeAlias = Fields | Table | Text | None


def show(answer: Answer, *, as_json: bool) -> int:
    """Print the answer on stdout; returns the exit code it stands for."""
    if answer is None:
        return DONE
    if as_json:
        sys.stdout.write(json_text(answer))
    elif isinstance(answer, Text):
        sys.stdout.write(printable(answer.text.removesuffix("\n"), kept="\n\t") + "\n")
    elif isinstance(answer, Fields):
        _show_fields(answer)
    else:
        _show_table(answer)
    return answer.exit_code


def json_text(answer: Fields | Table | Text) -> str:
    """An answer as --json prints it: one JSON value, indented, and a line's end."""
    return json.dumps(_as_json(answer), ensure_ascii=False, indent=2) + "\n"


def print_json_line(value: Json) -> None:
    """One JSON value on one line, at once: for streams."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def print_line(text: str) -> None:
    """One line of a stream, at once, with control characters escaped."""
    sys.stdout.write(printable(text) + "\n")
    sys.stdout.flush()


def note(sentence: str) -> None:
    """A remark for people, on stderr, so that stdout stays readable by programs."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


@contextmanager
def waiting(what: str, *, as_json: bool = False) -> Iterator[None]:
    """Shows that something is under way: a spinner on a terminal, nothing elsewhere."""
    if as_json or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def progress(what: str, *, as_json: bool = False) -> Iterator[Advance]:
    """A bar on a terminal for work of known size; yields `advance(done, total or None)`."""
    if as_json or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text as Styled

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Styled:
            return Styled(f"{task.finished_speed or task.speed or 0:,.0f}/s")

    counted = (MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    with Progress(TextColumn(what), BarColumn(), *counted, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield advance


def plain(value: Value) -> Json:
    """A contract value as JSON: bytes become 0x-prefixed hex, keys become text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {_key_text(key): plain(item) for key, item in value.items()}
    return value


def _key_text(key: object) -> str:
    if isinstance(key, bytes):
        return "0x" + key.hex()
    if isinstance(key, tuple):
        return "/".join(_key_text(part) for part in key)
    return str(key)


# --- errors ---------------------------------------------------------------------------------


def report(error: Exception, *, as_json: bool) -> int:
    """Print what went wrong as `refused: code: sentence`; never a traceback unless SHUXIN_DEBUG."""
    code, sentence = explain(error)
    if os.environ.get("SHUXIN_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    if as_json:
        problem: Json = {"refused": {"code": code, "detail": sentence}}
        sys.stderr.write(json.dumps(problem, ensure_ascii=False) + "\n")
    else:
        # The sentence may be a contract's, a node's or a file's.
        told = say("refused: {code}: {sentence}", code=code, sentence=translated(sentence))
        sys.stderr.write(printable(told, kept="\n") + "\n")
    return REFUSED


def explain(error: Exception) -> tuple[str, str]:
    """A stable code and a sentence for any exception."""
    code = getattr(error, "code", None)
    detail = getattr(error, "detail", None)
    if isinstance(code, str) and isinstance(detail, str) and code:
        return _explain_refusal(code, detail)
    if type(error).__module__.partition(".")[0] in OWN_PACKAGES:
        return _code_of(type(error).__name__), str(error)
    if isinstance(error, OSError):
        what = error.strerror or type(error).__name__
        return "file", f"{error.filename}: {what}" if error.filename else what
    if isinstance(error, UnicodeDecodeError):
        return "file", "the file is not UTF-8 text"
    return (
        "internal",
        f"{type(error).__name__}: {error}; this is a fault of the program. "
        "Run again with SHUXIN_DEBUG=1 and report what it prints",
    )


def _explain_refusal(code: str, detail: str) -> tuple[str, str]:
    """A contract's own rules name their code in the detail: `grant.expired: ask for a new one`."""
    own = re.fullmatch(r"([a-z0-9_]+\.[a-z0-9_.]+): (.+)", detail, re.DOTALL)
    if code == "refused" and own:
        return own[1], own[2]
    # The machine's details say what was wrong; its advice says what to do.
    advice = "" if code == "refused" and detail else _advice(code)
    if not detail:
        return code, advice or "no further reason was given"
    return code, detail if advice in ("", detail) else f"{detail}; {advice}"


def _advice(code: str) -> str:
    from contracts.vm.codes import ADVICE

    return {known.name: advice for known, advice in ADVICE.items()}.get(code, "")


def _code_of(class_name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).lower()


# --- people ---------------------------------------------------------------------------------


def _as_json(answer: Fields | Table | Text) -> Json:
    if isinstance(answer, Fields):
        return dict(answer.values)
    if isinstance(answer, Text):
        return {"text": answer.text}
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def _show_fields(answer: Fields) -> None:
    if answer.title:
        sys.stdout.write(answer.title + "\n")
    sys.stdout.writelines(f"{line}\n" for line in field_lines(answer.values))


def _show_table(answer: Table) -> None:
    if not answer.rows:
        where = say("nothing to list in {title}", title=answer.title)
        note(where if answer.title else say("nothing to list"))
        return
    if answer.title:
        sys.stdout.write(printable(answer.title) + "\n")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    sys.stdout.writelines(f"{line}\n" for line in table_lines(answer, width))
