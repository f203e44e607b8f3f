"""Names in Python for names on the chain: legal, distinct, and the same at every run.

A name that Python, the generated module or the house style has another use for gets an underscore
at its end, as the dialect does (`def list_` is the method `list`); a class gets a word.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

from contracts.vm.limits import NAME_LENGTH_MAX

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
LIKE_DIGITS = frozenset({"l", "O", "I"})  # easily read as one
RESERVED = frozenset({*keyword.kwlist, *dir(builtins), *LIKE_DIGITS})
# What stands at the top of every generated module.
MODULE_NAMES = RESERVED | {
    *("annotations", "dataclass", "typed", "Mapping", "TypeAlias"),
    *("Event", "EVENTS", "deploy", "events_of", "event_of"),
}
# What annotations inside a class or a signature are made of: no member may hide it.
TYPE_WORDS = frozenset({"int", "bool", "str", "bytes", "list", "dict", "tuple"})


def snake_case(name: str) -> str:
    """`setOwner` as `set_owner`; never private: `_id` is `id`, `_1` is `n1`."""
    made = _BOUNDARY.sub("_", name).lower().strip("_")
    if len(made) > NAME_LENGTH_MAX:  # capitals here and there
        made = name.lower().strip("_")
    return made if made[:1].isalpha() else f"n{made}"


def camel_case(name: str) -> str:
    """`open_case` as `OpenCase`, `data.set-1` as `DataSet1`, `_1` as `N1`."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    made = "".join(word[:1].upper() + word[1:] for word in words)
    return made if made[:1].isalpha() else f"N{made}"


def distinct(wanted: Iterable[str], taken: Iterable[str], suffix: str = "_") -> list[str]:
    """One name for each wanted one, none of them `taken` and none twice.

    Names that can stay as they are do, even if an earlier one has to make way for them.
    """
    listed = list(wanted)
    used = set(taken)
    kept: set[int] = set()
    for place, name in enumerate(listed):
        if _is_free(name, used):
            used.add(name)
            kept.add(place)
    named: list[str] = []
    for place, name in enumerate(listed):
        if place not in kept:
            while not _is_free(name, used):
                name += suffix
            used.add(name)
        named.append(name)
    return named


def is_class_name(name: str) -> bool:
    """May the client's class have this name, and lines of it stay short?"""
    return name.isascii() and len(name) <= NAME_LENGTH_MAX and _is_free(name, {*MODULE_NAMES})


def _is_free(name: str, used: set[str]) -> bool:
    return name.isidentifier() and name not in used and not keyword.iskeyword(name)
