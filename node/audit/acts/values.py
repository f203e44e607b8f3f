"""Contract values as JSON: bytes in hexadecimal after 0x, other dicts than by text as pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypeAlias, Union

from ledger.values import Value

Json: TypeAlias = Union[None, bool, int, str, list["Json"], dict[str, "Json"]]


def shown(value: Value) -> Json:
    """The value for JSON."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {str(key): shown(item) for key, item in value.items()}
        return [[shown(key), shown(item)] for key, item in value.items()]
    return value


def json_of(pairs: Iterable[tuple[str, Value]]) -> str:
    """Names and values as the text of a JSON object."""
    named = {name: shown(value) for name, value in pairs}
    return json.dumps(named, ensure_ascii=False, separators=(",", ":"))


def text(value: Value) -> str:
    """A value that should be text; "" for what is none: an upgraded contract may say otherwise."""
    return value if isinstance(value, str) else ""


def texts(value: Value) -> tuple[str, ...]:
    """The texts in a value that should be a list of them."""
    return tuple(map(text, value)) if isinstance(value, list | tuple) else ()


def octets(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""
