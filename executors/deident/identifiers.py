"""Values that name a person by their form alone, told by their check digits where they have any.

A number counts wherever it stands in a cell, for remarks hold as many as columns of their own do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

RESIDENT_ID: Final = "resident_id"  # 公民身份号码, GB 11643
MOBILE: Final = "mobile"  # 手机号码
EMAIL: Final = "email"  # 电子邮箱
CREDIT_CODE: Final = "credit_code"  # 统一社会信用代码, GB 32100: the self-employed have one too
BANK_CARD: Final = "bank_card"  # 银行卡号, ISO/IEC 7812
UNIQUE: Final = "unique"  # no value twice: a name for its row, whatever its form
KINDS: Final = (RESIDENT_ID, MOBILE, EMAIL, CREDIT_CODE, BANK_CARD, UNIQUE)

SHORTEST: Final = 11  # characters of the shortest number; an address is told by its sign

# First two digits of an id: a province or region, or people from abroad (9).
_REGIONS: Final = frozenset(
    int(tens + one)
    for tens, ones in (
        ("1", "12345"),
        ("2", "123"),
        ("3", "1234567"),
        ("4", "123456"),
        ("5", "01234"),
        ("6", "12345"),
        ("7", "1"),
        ("8", "123"),
        ("9", "1"),
    )
    for one in ones
)
_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
_CREDIT_DIGITS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_CARD_STARTS: Final = ("3", "4", "5", "62", "60", "9")

_EMAIL: Final = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}", re.ASCII
)
_ALPHANUMERIC: Final = re.compile(r"[0-9A-Za-z]+", re.ASCII)
_MOBILE: Final = re.compile(r"(?:86)?(1[3-9][0-9]{9})", re.ASCII)
# People write phones and cards in groups: 138 0013 8000, 6222-0210-0111-6245.
_GROUPED: Final = re.compile(r"[0-9]+(?:[ -][0-9]+)+", re.ASCII)


def kinds_in(text: str) -> Iterator[str]:
    """The kinds of identifiers in a cell; one kind may come several times."""
    if "@" in text and _EMAIL.search(text):
        yield EMAIL
    if len(text) < SHORTEST:
        return
    for word in _ALPHANUMERIC.findall(text):
        yield from _kinds_of(word)
    for group in _GROUPED.findall(text):
        yield from _kinds_of(group.replace(" ", "").replace("-", ""))


def _kinds_of(word: str) -> Iterator[str]:
    if len(word) == 18 and is_resident_id(word):
        yield RESIDENT_ID
    if len(word) == 18 and is_credit_code(word):
        yield CREDIT_CODE
    if len(word) in (11, 13) and _MOBILE.fullmatch(word):
        yield MOBILE
    if 16 <= len(word) <= 19 and is_bank_card(word) and not is_resident_id(word):
        yield BANK_CARD


def is_resident_id(text: str) -> bool:
    """Is it an 18-digit id number (GB 11643): a region, a day of birth, a right check digit?"""
    if len(text) != 18 or not (text.isascii() and text[:17].isdigit()):
        return False
    if int(text[:2]) not in _REGIONS or not _is_day(text[6:14]):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _ID_WEIGHTS, strict=False))
    return text[17].upper() == _ID_CHECKS[total % 11]


def is_credit_code(text: str) -> bool:
    """Is it an 18-character code of an organization (GB 32100) with a right check character?"""
    code = text.upper()
    if len(code) != 18 or any(digit not in _CREDIT_DIGITS for digit in code):
        return False
    if not code[2:8].isdigit():  # where it is registered, GB/T 2260
        return False
    total = sum(
        _CREDIT_DIGITS.index(digit) * weight
        for digit, weight in zip(code, _CREDIT_WEIGHTS, strict=False)
    )
    return _CREDIT_DIGITS.index(code[17]) == (31 - total % 31) % 31


def is_bank_card(text: str) -> bool:
    """Is it a card number: 16 to 19 digits, a start that is issued, a right Luhn digit?"""
    if not (16 <= len(text) <= 19 and text.isascii() and text.isdigit()):
        return False
    if not text.startswith(_CARD_STARTS):
        return False
    total = 0
    for place, digit in enumerate(reversed(text)):
        value = int(digit) << (place & 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_day(text: str) -> bool:
    try:
        born = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return 1850 <= born.year <= 2100
