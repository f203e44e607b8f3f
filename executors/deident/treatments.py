"""What is done to a cell: generalized (泛化), suppressed (抑制), made a pseudonym (假名化).

A treatment is a function of the cell alone, so that equal cells stay equal. Empty cells and those
that are suppressed already stay as they are. Errors name the column and show no value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import floor
from typing import Final, TypeAlias

from crypto import sm3
from executors.deident.plan import PlanInvalid, Treatment
from executors.errors import DataSetInvalid

SUPPRESSED: Final = "*"
PSEUDONYM_BYTES: Final = 16  # of HMAC-SM3: no two persons of a country meet
LABEL: Final = b"shuxin de-identification pseudonym 1"
_PSEUDONYM: Final = re.compile(r"p[0-9a-f]{32}", re.ASCII)
_DATE: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{1,2})-([0-9]{1,2})|/([0-9]{1,2})/([0-9]{1,2})|([0-9]{2})([0-9]{2}))"
    r"(?:[T ].*)?",
    re.ASCII | re.DOTALL,
)
_NUMBER_LENGTH_MAX: Final = 30  # characters of a cell that is put into a range

Cells: TypeAlias = Callable[[str], str]


def is_suppressed(cell: str) -> bool:
    """Does the cell say nothing?"""
    return cell in ("", SUPPRESSED)


def is_pseudonym(cell: str) -> bool:
    """Does the cell have the form of a pseudonym?"""
    return _PSEUDONYM.fullmatch(cell) is not None


def treatment_of(column: str, treatment: Treatment, *, key: bytes, context: str) -> Cells:
    """What the treatment does to one cell. `key` is that of the pseudonyms, of any length.

    Raises PlanInvalid when it needs a key and has none; what it gives raises DataSetInvalid.
    """
    match treatment.name:
        case "keep":
            return lambda cell: cell
        case "drop" | "suppress":
            return lambda cell: SUPPRESSED
        case "pseudonym":
            if not key:
                raise PlanInvalid(f"column {column}: pseudonyms need a key; name one")
            return _unless_empty(_pseudonyms(key, context, column))
        case "range":
            return _unless_empty(_ranges(column, treatment.width))
        case "prefix":
            return _unless_empty(lambda cell: cell[: treatment.length] + SUPPRESSED)
        case "month":
            return _unless_empty(lambda cell: f"{_date(column, cell):%Y-%m}")
        case "year":
            return _unless_empty(lambda cell: f"{_date(column, cell):%Y}")
    raise AssertionError("the plan has no other treatments")


def _unless_empty(change: Cells) -> Cells:
    return lambda cell: cell if is_suppressed(cell) else change(cell)


def _pseudonyms(key: bytes, context: str, column: str) -> Cells:
    """Keyed, so that nobody without the key can try all id numbers; of their context and column,
    so that two releases cannot be laid side by side."""
    own = sm3.hmac(key, LABEL)
    prefix = f"{len(context)}:{context}{len(column)}:{column}".encode()
    return lambda cell: f"p{sm3.hmac(own, prefix + cell.encode())[:PSEUDONYM_BYTES].hex()}"


def _ranges(column: str, width: Decimal) -> Cells:
    def change(cell: str) -> str:
        try:
            number = Decimal(cell) if len(cell) <= _NUMBER_LENGTH_MAX else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite() or abs(number.adjusted()) > 15:
            raise DataSetInvalid(f"column {column}: a cell is no number, so it has no range")
        steps = floor(Fraction(number) / Fraction(width))
        return f"[{_plain(steps * width)},{_plain((steps + 1) * width)})"

    return change


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}" if number else "0"


def _date(column: str, cell: str) -> date:
    found = _DATE.fullmatch(cell)
    if found is not None:
        parts = [int(part) for part in found.groups() if part is not None]
        try:
            return date(*parts)
        except ValueError:
            pass
    raise DataSetInvalid(f"column {column}: a cell is no date of the form 2024-03-31")
