"""Chinese for what comes as a finished English text: help, refusals, what was not verified.

`cli.language` chooses words where the program writes a sentence. The lines of `--help` are written
beside the commands, refusals in contracts and below, in one language; what people read of them is
looked up here, by the English text. What the catalogues have not is shown as it is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from cli.language import Language, is_chinese

if TYPE_CHECKING:
    from typer.core import TyperCommand, TyperGroup

HELP: Final = Path(__file__).with_name("chinese_help.toml")
SAID: Final = Path(__file__).with_name("chinese_said.toml")
USAGE: Final = "Usage:"
LANG: Final = "--lang"
_FIELD: Final = re.compile(r"\{([a-z_]+)\}")
# Names of typer's texts around the help, which it lets programs set: in English and in Chinese.
_FRAME: Final[Mapping[str, tuple[str, str]]] = {
    "ARGUMENTS_PANEL_TITLE": ("Arguments", "参数"),
    "OPTIONS_PANEL_TITLE": ("Options", "选项"),
    "COMMANDS_PANEL_TITLE": ("Commands", "命令"),
    "DEFAULT_STRING": ("[default: {}]", "[默认：{}]"),
    "ENVVAR_STRING": ("[env var: {}]", "[环境变量： {}]"),
    "REQUIRED_LONG_STRING": ("[required]", "[必填]"),
}


def translated(text: str) -> str:
    """A sentence of the program, of a node or of a system contract, in the language spoken."""
    if not is_chinese():
        return text
    known = _sentences().get(text)
    if known is not None:
        return known
    for pattern, spoken in _patterns():
        if found := pattern.fullmatch(text):
            return spoken.format(**{name: translated(part) for name, part in _parts(found)})
    return text


def help_text(text: str) -> str:
    """A line of `--help`, in the language spoken."""
    return help_lines().get(" ".join(text.split()), text) if is_chinese() else text


def translate_help(command: TyperCommand | TyperGroup) -> None:
    """Have a command, what is below it and their options explain themselves in the language spoken.

    Brackets in a line are meant as they stand there, and not as rich's markup.
    """
    from rich.markup import escape
    from typer.core import TyperArgument, TyperGroup, TyperOption

    command.help = escape(help_text(command.help or ""))
    if is_chinese():
        told = command.get_usage
        usage = help_text(USAGE)
        command.get_usage = lambda ctx: told(ctx).replace(USAGE, usage, 1)  # type: ignore[method-assign]
    for parameter in command.get_params(typer.Context(command)):  # with --help itself
        if isinstance(parameter, TyperArgument | TyperOption):
            parameter.help = escape(help_text(parameter.help or ""))
            if parameter.rich_help_panel:
                parameter.rich_help_panel = help_text(parameter.rich_help_panel)
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            translate_help(below)  # type: ignore[arg-type]  # all are typer's


def translate_frame() -> None:
    """Have typer's own words around the help be in the language spoken."""
    from typer import rich_utils

    for name, texts in _FRAME.items():
        setattr(rich_utils, name, texts[is_chinese()])
    _fold_help()


@cache
def _fold_help() -> None:
    from rich.text import Text
    from typer import rich_utils

    made = rich_utils._make_rich_text

    def foldable(**given: Any) -> Text:
        text = made(**given)
        assert isinstance(text, Text), "no help of ours is Markdown"
        text.overflow = "fold"  # Chinese has no blanks to fold at: rich would cut it
        return text

    rich_utils._make_rich_text = foldable  # typer has no setting for it


def language_before(given: Sequence[str]) -> tuple[list[str], Language | None]:
    """What stands before the noun without `--lang`, which counts there, too; and the language."""
    for place, text in enumerate(given):
        if text == LANG and given[place + 1 : place + 2]:
            wanted = given[place + 1]
            known = Language(wanted) if wanted in set(Language) else None
            is_before = all(word.startswith("-") for word in given[:place])
            if known is None or not is_before:
                return list(given), known
            rest = [*given[:place], *given[place + 2 :]]
            has_noun = any(not word.startswith("-") for word in rest)
            return ([*rest, LANG, wanted] if has_noun else rest), known
    return list(given), None


# --- catalogues -------------------------------------------------------------------------------


@cache
def help_lines() -> Mapping[str, str]:
    """Chinese by line of help."""
    with HELP.open("rb") as file:
        lines: dict[str, str] = tomllib.load(file)["help"]
        return lines


@cache
def said() -> Mapping[str, Mapping[str, str]]:
    """Chinese by finished sentence, in sections; a name in braces stands for any text."""
    with SAID.open("rb") as file:
        sections: dict[str, dict[str, str]] = tomllib.load(file)
        return sections


@cache
def _sentences() -> Mapping[str, str]:
    return {english: spoken for part in said().values() for english, spoken in part.items()}


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Those with most written out first."""
    found = [english for english in _sentences() if _FIELD.search(english)]
    found.sort(key=lambda english: -len(_FIELD.sub("", english)))
    return tuple((_pattern(english), _sentences()[english]) for english in found)


def _pattern(english: str) -> re.Pattern[str]:
    parts = _FIELD.split(english)
    return re.compile(
        "".join(
            f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)
        ),
        re.DOTALL,
    )


def _parts(found: re.Match[str]) -> Iterator[tuple[str, str]]:
    yield from found.groupdict().items()
