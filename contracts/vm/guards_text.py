"""Guards of str and bytes: sizes are charged and bounded before a text is made."""

from __future__ import annotations

from typing import Any

from contracts.vm import limits, prices
from contracts.vm.codes import Code, Stop
from contracts.vm.guard_bounds import Guard, bounded_list, bounded_text, within
from contracts.vm.meter import Meter
from contracts.vm.values import text_size

_LOWER = str.maketrans({c: chr(c + 32) for c in range(65, 91)})
_UPPER = str.maketrans({c: chr(c - 32) for c in range(97, 123)})


def text_guards(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge

    def cat(left: Any, right: Any) -> Any:
        charge((text_size(left) + text_size(right)) >> 3)
        return bounded_text(left + right)

    def fmt(*parts: str | int | bool) -> str:
        size = 0
        for part in parts:
            size += text_size(part) if type(part) is str else 80
        if size > 2 * limits.TEXT_SIZE_MAX:
            raise Stop(Code.value_limit, "a text is too long")
        charge(size >> 3)
        return bounded_text("".join([str(part) for part in parts]))  # type: ignore[no-any-return]

    def in_text(part: Any, text: Any) -> bool:
        charge((text_size(part) + text_size(text)) >> 2)
        return part in text

    def starts(text: Any, part: Any) -> bool:
        charge(text_size(part) >> 3)
        return bool(text.startswith(part))

    def ends(text: Any, part: Any) -> bool:
        charge(text_size(part) >> 3)
        return bool(text.endswith(part))

    def find(text: Any, part: Any) -> int:
        charge((text_size(part) + text_size(text)) >> 2)
        return int(text.find(part))

    return {
        "__cat": cat,
        "__fmt": fmt,
        "__in_text": in_text,
        "__starts": starts,
        "__ends": ends,
        "__find": find,
        **_text_parts(meter),
        **_text_forms(meter),
    }


def _text_parts(meter: Meter) -> dict[str, Guard]:
    """Taking texts apart and putting them together."""
    charge = meter.charge

    def pieces(text: str, separator: str) -> int:
        """How often `separator` occurs, paid for."""
        charge((text_size(text) + text_size(separator)) >> 2)
        return text.count(separator)

    def split(text: str, separator: str) -> list[str]:
        if not separator:
            raise Stop(Code.bad_value, "an empty separator")
        count = pieces(text, separator) + 1
        bounded_list(count)
        charge(count * prices.GAS_ITEM)
        return text.split(separator)

    def join(separator: str, items: list[str]) -> str:
        charge(len(items) * prices.GAS_GUARD)  # each is measured first
        size = text_size(separator) * len(items)
        for item in items:
            size += text_size(item)
        if size > 4 * limits.TEXT_SIZE_MAX:
            raise Stop(Code.value_limit, "a text is too long")
        charge(size >> 3)
        return bounded_text(separator.join(items))  # type: ignore[no-any-return]

    def replace_text(text: str, old: str, new: str) -> str:
        if not old:
            raise Stop(Code.bad_value, "an empty text to replace")
        count = pieces(text, old)
        size = text_size(text) + count * text_size(new)
        if size > 4 * limits.TEXT_SIZE_MAX:
            raise Stop(Code.value_limit, "a text is too long")
        charge(size >> 3)
        return bounded_text(text.replace(old, new))  # type: ignore[no-any-return]

    return {"__split": split, "__join": join, "__replace_text": replace_text}


def _text_forms(meter: Meter) -> dict[str, Guard]:
    """Changes of form that keep the length."""
    charge = meter.charge

    def encode(text: str) -> bytes:
        charge(text_size(text) >> 3)
        return text.encode()

    def decode(data: bytes) -> str:
        charge(len(data) >> 2)
        try:
            return bounded_text(data.decode())  # type: ignore[no-any-return]
        except UnicodeDecodeError:
            raise Stop(Code.bad_value, "bytes are no UTF-8") from None

    def lower(text: str) -> str:
        charge(text_size(text))
        return text.translate(_LOWER)

    def upper(text: str) -> str:
        charge(text_size(text))
        return text.translate(_UPPER)

    def strip(text: str) -> str:
        charge(text_size(text) >> 3)
        return text.strip(" \t\n\r\v\f")

    def to_int(text: str) -> int:
        digits = text[1:] if text[:1] == "-" else text
        if not (0 < len(digits) <= 78 and digits.isascii() and digits.isdigit()):
            raise Stop(Code.bad_value, "int() takes decimal digits")
        return within(int(text))

    return {
        "__encode": encode,
        "__decode": decode,
        "__lower": lower,
        "__upper": upper,
        "__strip": strip,
        "__int": to_int,
    }
