"""Values as people read them: times with their zone, spans, amounts with their unit, our words.

What a value is follows from the name of its field: `…_ms` is a time, `…_fen` an amount, `…_ppm` a
share. The heading then goes without the ending (`cli.language.heading`), since the value says it.
JSON has names and values as they are.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cli.language import heading, say, word

if TYPE_CHECKING:
    from cli.output import Json

CELL_COLUMNS_MAX: Final = 48  # of a terminal, for a cell of a table; --json is never shortened
SPANS: Final = frozenset({"term_ms"})  # how long, not when
PRICES: Final = "prices"  # of a tariff: pairs of service and fen
OFFSETS: Final = frozenset({"clock_off_ms"})  # too short for any other unit
TIME_MS_MAX: Final = 1 << 47
NOTHING: Final = "-"
_SPAN_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def text_of(value: Json, name: str) -> str:
    """A value of the field `name` on one line."""
    match value:
        case None | "" | "0x":
            return NOTHING
        case bool():
            return say("yes") if value else say("no")
        case str():
            return printable(word(name, value))
        case int():
            return _number(name, value)
        case list() if name == PRICES:
            pairs = [item if isinstance(item, list) else [item] for item in value]
            return ", ".join(f"{text_of(pair[0], 'kind')} {_amount(pair[-1])}" for pair in pairs)
        case list():
            return ", ".join(
                " ".join(text_of(part, name) for part in item)
                if isinstance(item, list)
                else text_of(item, name)
                for item in value
            ) or (NOTHING if not value else "")
        case dict():
            return "; ".join(f"{heading(key)} {text_of(item, key)}" for key, item in value.items())
    return str(value)


def time_text(time_ms: int) -> str:
    """Local ISO time of Unix milliseconds; "-" for 0."""
    if not 0 < time_ms < TIME_MS_MAX:
        return NOTHING
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone().isoformat(" ", "seconds")


def span_text(span_ms: int) -> str:
    """How long: in the largest unit that leaves no rest."""
    for size, unit in _SPAN_UNITS:
        if span_ms and span_ms % size == 0:
            return f"{span_ms // size:,} {unit}"
    return f"{span_ms:,} ms"


def amount_text(fen: int) -> str:
    """An amount in yuan, `12,525.00 元`."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02} {say('yuan')}"


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes: a Chinese character two, an accent none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def shortened(text: str) -> str:
    """A text that takes no more columns than a cell."""
    if columns_of(text) <= CELL_COLUMNS_MAX:
        return text
    taken, end = 0, 0
    while taken + columns_of(text[end]) < CELL_COLUMNS_MAX:
        taken += columns_of(text[end])
        end += 1
    return text[:end] + "…"


def printable(text: str, *, kept: str = "") -> str:
    """Text from the chain with control characters escaped: it must not drive the terminal."""
    return "".join(c if c.isprintable() or c in kept else f"\\x{ord(c):02x}" for c in text)


def _amount(value: Json) -> str:
    return amount_text(value) if isinstance(value, int) else text_of(value, "")


def _number(name: str, value: int) -> str:
    if name in SPANS:
        return span_text(value)
    if name in OFFSETS:
        return f"{value} ms"
    if name.endswith("_ms"):
        return time_text(value)
    if name.endswith("_fen"):
        return amount_text(value)
    if name.endswith("_ppm"):
        return f"{value / 10_000:g} %" if value >= 0 else NOTHING
    return str(value)
