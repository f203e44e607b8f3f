"""In which language commands speak to people: Chinese where the locale says so, else English.

Names of fields, words of statuses, kinds and roles, and what the program itself says come from one
catalogue, cli/chinese.toml; what it has not is shown as it is. Texts of parties, nodes and
contracts are shown as they were written. JSON is the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

CATALOGUE: Final = Path(__file__).with_name("chinese.toml")
LOCALE_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set decides
# Fields that take their words from another one's.
SHARED: Final[Mapping[str, str]] = {
    "roles": "role",
    "check_name": "check",
    "outputs": "output",
    "permissions": "permission",
    "prohibitions": "permission",
    "duties": "permission",
    "state": "status",
    "owner_status": "status",
    "supervisor": "role",
    "supervised": "role",
}
UNITS: Final = ("_ms", "_fen", "_ppm")  # endings of names for programs (cli/readable.py)
_BOTH = re.compile(r".+ \(([\u4e00-\u9fff、]+)\)")


class Language(StrEnum):
    """What `--lang` takes."""

    ENGLISH = "en"
    CHINESE = "zh"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Chinese by names of fields, by field and word, by event, and by English sentence."""

    names: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    acts: Mapping[str, str]
    sentences: Mapping[str, str]


_spoken: ContextVar[Language] = ContextVar("spoken", default=Language.ENGLISH)


def language_of(environment: Mapping[str, str]) -> Language:
    """The language of a locale, such as zh_CN.UTF-8, as POSIX looks it up."""
    for variable in LOCALE_VARIABLES:
        if locale := environment.get(variable):
            is_zh = re.split("[_.@]", locale)[0].lower() == "zh"
            return Language.CHINESE if is_zh else Language.ENGLISH
    return Language.ENGLISH


def speak(language: Language) -> None:
    """What is shown from now on is in this language."""
    _spoken.set(language)


def is_chinese() -> bool:
    """Whether people are spoken to in Chinese."""
    return _spoken.get() is Language.CHINESE


def heading(name: str) -> str:
    """The name of a field or column for people, without the unit that its value is shown with."""
    if is_chinese():
        known = catalogue()
        return f"{known.acts[name]} {name}" if name in known.acts else known.names.get(name, name)
    return name.removesuffix(next((end for end in UNITS if name.endswith(end)), ""))


def word(field: str, value: str) -> str:
    """A value of a field for people: as it is, where the field has no words of ours.

    What is to be done is named in both languages, `result to report (上报)`: there the Chinese.
    """
    if not is_chinese():
        return value
    if field == "what" and (both := _BOTH.fullmatch(value)):
        return both[1]
    return _words(field).get(value, value)


def code_of(field: str, text: str) -> str:
    """The value that `word` shows as `text`; any other text is a value already."""
    return next((value for value, shown in _words(field).items() if shown == text), text)


def say(sentence: str, /, **fields: object) -> str:
    """A sentence of the program, in English with the names of fields in braces."""
    spoken = catalogue().sentences.get(sentence, sentence) if is_chinese() else sentence
    return spoken.format(**fields)


@cache
def catalogue() -> Catalogue:
    """The words of cli/chinese.toml, read when they are first needed."""
    import tomllib

    with CATALOGUE.open("rb") as file:
        return Catalogue(**tomllib.load(file))


def _words(field: str) -> Mapping[str, str]:
    return catalogue().values.get(SHARED.get(field, field), {})
