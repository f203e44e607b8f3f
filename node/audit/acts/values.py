"""Values and times for people and other tools.

In JSON bytes are hexadecimal after 0x, and dicts with other keys than text are lists of pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias, Union

from ledger.values import Value

Json: TypeAlias = Union[None, bool, int, str, list["Json"], dict[str, "Json"]]


TIME_MAX_MS: Final = 253_402_300_799_999  # the end of the year 9999: beyond, no calendar agrees
TIMES_KEPT: Final = 256  # rows of one block have its time


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


@lru_cache(maxsize=TIMES_KEPT)
def time_text(time_ms: int) -> str:
    """ISO 8601, UTC, milliseconds; "" for what no calendar has."""
    if not 0 <= time_ms <= TIME_MAX_MS:
        return ""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"


def time_of(value: Value) -> str:
    """A contract's Unix milliseconds as `time_text` tells them; "" for what is none."""
    return time_text(value) if type(value) is int else ""
