"""The types of an ABI, as `contracts.vm.types.show` writes them, read back.

    type    = atom [" | None"]
    atom    = "int" | "bool" | "str" | "bytes" | "None" | record
            | "list[" type "]" | "dict[" key ", " type "]" | "tuple[" [type {", " type}] "]"

Inferred types of event fields go further than what an author may write (a tuple of nothing, a
tuple of one list), so this is not the parser of annotations. Text and type are one to one: what
does not read back as it was written is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from contracts.vm import limits
from contracts.vm.types import (
    NONE,
    SCALARS,
    DictOf,
    ListOf,
    OptionalOf,
    RecordOf,
    TupleOf,
    Type,
    depth,
    is_dict_key,
    show,
    size,
)

TEXT_SIZE_MAX = 16 << 10  # characters: a type of TYPE_NODES_MAX nodes with the longest names
BRACKETS_MAX = 2 * limits.TYPE_DEPTH_MAX  # open at a time; bounds the recursion before the depth
_TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\[|\]|, | \| None")


class TypeTextInvalid(ValueError):
    """A type that the grammar does not have."""


def parse_type_text(text: str, records: Mapping[str, RecordOf]) -> Type:
    """The type that `text` names, where `records` are declared. Raises TypeTextInvalid."""
    if len(text) > TEXT_SIZE_MAX:
        raise TypeTextInvalid(f"a type has more than {TEXT_SIZE_MAX} characters")
    reader = _Reader(_tokens(text), records)
    kind = reader.type()
    if reader.tokens or show(kind) != text:
        raise TypeTextInvalid(f"{text[:80]!r} is no type")
    if depth(kind) > limits.TYPE_DEPTH_MAX or size(kind) > limits.TYPE_NODES_MAX:
        raise TypeTextInvalid(f"{text[:80]!r} is too deep or too large a type")
    return kind


def _tokens(text: str) -> list[str]:
    """In reverse, so that the next one is popped from the end."""
    found: list[str] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise TypeTextInvalid(f"{text[:80]!r} is no type")
        found.append(match[0])
        place = match.end()
    return found[::-1]


class _Reader:
    """Recursive descent over tokens."""

    def __init__(self, tokens: list[str], records: Mapping[str, RecordOf]) -> None:
        self.tokens = tokens
        self._records = records
        self._open = 0

    def type(self) -> Type:
        kind = self._atom()
        if self._next_is(" | None"):
            if kind == NONE:
                raise TypeTextInvalid("None stands once in a type")
            return OptionalOf(kind)
        return kind

    def _atom(self) -> Type:
        word = self.tokens.pop() if self.tokens else ""
        if word in ("list", "dict", "tuple"):
            return self._container(word)
        if word == "None":
            return NONE
        if word in SCALARS:
            return SCALARS[word]
        if word in self._records:
            return self._records[word]
        raise TypeTextInvalid(f"{word[:80]!r} is neither a type nor an earlier record")

    def _container(self, word: str) -> Type:
        self._open += 1
        if self._open > BRACKETS_MAX or not self._next_is("["):
            raise TypeTextInvalid(f"{word} nests too deep, or does not say of what")
        items = [] if word == "tuple" and self._next_is("]") else self._items()
        self._open -= 1
        match word, items:
            case "list", [item]:
                return ListOf(item)
            case "dict", [key, value] if is_dict_key(key):
                return DictOf(key, value)
            case "tuple", _:
                return TupleOf(tuple(items))
        raise TypeTextInvalid(f"a {word} of {', '.join(map(show, items))[:80]} is no type")

    def _items(self) -> list[Type]:
        items = [self.type()]
        while self._next_is(", "):
            items.append(self.type())
        if not self._next_is("]"):
            raise TypeTextInvalid("a bracket is left open")
        return items

    def _next_is(self, token: str) -> bool:
        if self.tokens and self.tokens[-1] == token:
            self.tokens.pop()
            return True
        return False
