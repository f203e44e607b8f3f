"""Contract values, digests, times and pairs as text on a command line.

A contract argument is read as follows; `str:`, `int:` and `hex:` say it outright.

    42, -7              int                 true, false, null   bool, None
    0x00ff              bytes               file:PATH           bytes of the file
    "text", [..], {..}  JSON (strings beginning with 0x are bytes); no fractions
    anything else       text
"""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from cli.output import CommandRefused

if TYPE_CHECKING:
    from ledger.values import Key, Value

FILE_SIZE_MAX = 64 << 10  # bytes: the longest bytes value a contract takes
HASHED_FILE_CHUNK = 1 << 20  # bytes read at a time
ID = re.compile(r"[a-z0-9_.-]{1,64}")
_FEN = re.compile(r"[0-9]{1,18}", re.ASCII)
_YUAN = re.compile(
    r"([0-9]{1,16}|[0-9]{1,3}(?:,[0-9]{3}){1,5})(?:\.([0-9]{1,2}))? ?(?:yuan|元)", re.ASCII
)
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_FRACTION = re.compile(r"-?[0-9]*\.[0-9]+|-?[0-9]+\.")
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,4}))?", re.ASCII)
_NATURAL = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_TERM = re.compile(r"([0-9]{1,6})(h|d)?", re.ASCII)
_SPAN = re.compile(r"\+([0-9]{1,6})(s|m|h|d)")
_SPAN_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "null": None}


class LiteralInvalid(typer.BadParameter):
    """Text on the command line is not a value of the wanted kind; a misuse, exit code 2."""


class Participant(NamedTuple):
    """A party and the data set that it brings to a task."""

    party: str
    dataset: str


class Threshold(NamedTuple):
    """By what a risk check judges, and how grave what it finds is."""

    check: str
    limit: int
    severity: str


class Score(NamedTuple):
    """Points of a party for one criterion."""

    criterion: str
    points: int


class ServicePrice(NamedTuple):
    """What a unit of a service costs."""

    service: str
    price_fen: int


class QualityFigure(NamedTuple):
    """How good rows are in one respect, in millionths."""

    measure: str
    ppm: int


class Setting(NamedTuple):
    """A parameter of the chain and the value that it is to have."""

    name: str
    value: int


class Made(NamedTuple):
    """KIND=ID of what a piece of commissioned work is on the chain."""

    kind: str
    id: str


class Column(NamedTuple):
    """A column of a data set as the catalog describes it."""

    name: str
    kind: str
    description: str


def parse_value(text: str) -> Value:
    """One contract argument. Raises LiteralInvalid."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text):
        raise LiteralInvalid(f"{text}: contract values have no fractions; for text, str:{text}")
    prefix, separator, rest = text.partition(":")
    if separator and prefix in ("str", "int", "hex", "file"):
        return _parse_prefixed(prefix, rest)
    if text.startswith("0x"):
        return parse_bytes(text)
    if text[:1] in ('"', "[", "{"):
        return _parse_json(text)
    return text


def parse_values(texts: list[str]) -> list[Value]:
    """All arguments of a call. Raises LiteralInvalid naming the position."""
    values: list[Value] = []
    for position, text in enumerate(texts, 1):
        try:
            values.append(parse_value(text))
        except LiteralInvalid as error:
            raise LiteralInvalid(f"argument {position}: {error}") from None
    return values


def parse_bytes(text: str) -> bytes:
    """Hex digits, with or without 0x. Raises LiteralInvalid."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise LiteralInvalid(f"{text[:80]}: not pairs of hex digits") from None


def parse_digest(text: str) -> bytes:
    """32 bytes as 64 hex digits, or `file:PATH` for the SM3 of that file."""
    if text.startswith("file:"):
        return digest_of_file(Path(text.removeprefix("file:")))
    digest = parse_bytes(text)
    if len(digest) != 32:
        raise LiteralInvalid(f"{len(digest)} bytes; an SM3 digest has 64 hex digits, or file:PATH")
    return digest


def parse_public_key(text: str) -> bytes:
    """64 bytes X || Y as 128 hex digits, as `shuxin key show` prints them."""
    key = parse_bytes(text)
    if len(key) != 64:
        raise LiteralInvalid(f"{len(key)} bytes; an SM2 public key has 128 hex digits")
    return key


def parse_id(text: str) -> str:
    """An id on the chain: 1 to 64 characters of a-z 0-9 _ - ."""
    if not ID.fullmatch(text):
        raise LiteralInvalid(f"{text[:80]!r}: an id has 1 to 64 characters of a-z 0-9 _ - .")
    return text


def parse_subject(text: str) -> str:
    """What a check looks at: an id, or a part of it, as DEMAND/SUPPLIER."""
    whole, slash, part = text.partition("/")
    if not ID.fullmatch(whole) or (slash and not ID.fullmatch(part)):
        raise LiteralInvalid(f"{text[:80]!r}: write ID or ID/PART, each of a-z 0-9 _ - .")
    return text


def parse_algorithm(text: str) -> str:
    """The id of an algorithm: NAME/VERSION, up to 64 characters."""
    name, _, version = text.partition("/")
    if len(text) > 64 or not ID.fullmatch(name) or not ID.fullmatch(version):
        raise LiteralInvalid(f"{text[:80]!r}: write NAME/VERSION, each of a-z 0-9 _ - .")
    return text


def parse_parameter(text: str) -> Column:
    """`NAME:TYPE` or `NAME:TYPE:MEANING` of an algorithm's parameter."""
    column = parse_column(text)
    return Column(parse_id(column.name), column.kind, column.description)


def parse_moment(text: str) -> int:
    """Unix milliseconds: `+30d` (s, m, h, d from now), or an ISO time with its zone."""
    if span := _SPAN.fullmatch(text):
        return time.time_ns() // 1_000_000 + int(span[1]) * _SPAN_MS[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise LiteralInvalid(
            f"{text[:80]!r}: write +30d, +12h, +10m, or 2026-12-31T18:00:00+08:00"
        ) from None
    if moment.tzinfo is None:
        raise LiteralInvalid(f"{text}: add the time zone, such as {text}+08:00 or {text}Z")
    return int(moment.timestamp() * 1000)


def parse_date(text: str) -> int:
    """Unix milliseconds of a date's first instant in UTC, or of what `parse_moment` reads."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return parse_moment(text + "T00:00:00+00:00")
    return parse_moment(text)


def parse_participant(text: str) -> Participant:
    """`PARTY=DATASET`, both ids."""
    left, separator, right = text.partition("=")
    if not separator:
        raise LiteralInvalid(f"{text[:80]!r}: write PARTY=DATASET")
    return Participant(parse_id(left), parse_id(right))


def parse_threshold(text: str) -> Threshold:
    """`CHECK=LIMIT:SEVERITY`, such as quota_used=75:warning."""
    check, _, rest = text.partition("=")
    limit, _, severity = rest.partition(":")
    if not check or not severity or not _INTEGER.fullmatch(limit):
        raise LiteralInvalid(f"{text[:80]!r}: write CHECK=LIMIT:SEVERITY")
    return Threshold(check, int(limit), severity)


def parse_score(text: str) -> Score:
    """`CRITERION=POINTS`."""
    criterion, _, points = text.rpartition("=")
    if not criterion or not _INTEGER.fullmatch(points):
        raise LiteralInvalid(f"{text[:80]!r}: write CRITERION=POINTS")
    return Score(criterion, int(points))


def parse_price(text: str) -> ServicePrice:
    """`SERVICE=AMOUNT`."""
    service, _, amount = text.partition("=")
    return ServicePrice(parse_id(service), parse_amount(amount))


def parse_amount(text: str) -> int:
    """Fen, of `15000` or `150.00yuan` (元). Raises LiteralInvalid."""
    if _FEN.fullmatch(text):
        return int(text)
    if found := _YUAN.fullmatch(text):
        return int(found[1].replace(",", "")) * 100 + int((found[2] or "").ljust(2, "0"))
    raise LiteralInvalid(f"{text[:80]!r}: write whole fen, 15000, or yuan, 150.00yuan (150.00元)")


def parse_setting(text: str) -> Setting:
    """`NAME=VALUE` of a parameter, a whole number in its unit."""
    name, _, value = text.partition("=")
    if not _NATURAL.fullmatch(value):
        raise LiteralInvalid(f"{text[:80]!r}: write NAME=VALUE, such as heartbeat_ms=30000")
    return Setting(parse_id(name), int(value))


def parse_share(text: str) -> int:
    """Percent of `60` or `60%`, 1 to 100; 0 of `quorum`. Raises LiteralInvalid."""
    percent = text.removesuffix("%")
    if text == "quorum":
        return 0
    if _NATURAL.fullmatch(percent) and 1 <= int(percent) <= 100:
        return int(percent)
    raise LiteralInvalid(f"{text[:80]!r}: write 1 to 100 percent, or quorum")


def parse_term(text: str) -> int:
    """Milliseconds, of hours, `36` or `36h`, or of days, `7d`. Raises LiteralInvalid."""
    found = _TERM.fullmatch(text)
    if found is None:
        raise LiteralInvalid(f"{text[:80]!r}: write hours, 36 or 36h, or days, 7d")
    return int(found[1]) * _SPAN_MS[found[2] or "h"]


def parse_made(text: str) -> Made:
    """`KIND=ID`, such as product=claims-2026; the id of an algorithm is NAME/VERSION."""
    kind, _, identifier = text.partition("=")
    if not identifier:
        raise LiteralInvalid(f"{text[:80]!r}: write KIND=ID")
    parse = parse_algorithm if kind == "algorithm" else parse_id
    return Made(parse_id(kind), parse(identifier))


def parse_figure(text: str) -> QualityFigure:
    """`MEASURE=PERCENT` with up to four decimals, such as completeness=99.5."""
    measure, _, percent = text.partition("=")
    found = _PERCENT.fullmatch(percent)
    if not measure or found is None:
        raise LiteralInvalid(f"{text[:80]!r}: write MEASURE=PERCENT, such as completeness=99.5")
    return QualityFigure(measure, int(found[1]) * 10_000 + int((found[2] or "").ljust(4, "0")))


def parse_column(text: str) -> Column:
    """`NAME:TYPE` or `NAME:TYPE:DESCRIPTION` of a column."""
    name, _, rest = text.partition(":")
    kind, _, description = rest.partition(":")
    if not name or not kind:
        raise LiteralInvalid(f"{text[:80]!r}: write NAME:TYPE or NAME:TYPE:DESCRIPTION")
    return Column(name, kind, description)


def digest_of_file(path: Path) -> bytes:
    """SM3 of a file of any size."""
    from crypto import sm3

    hasher = sm3.hasher()
    with path.open("rb") as handle:
        while chunk := handle.read(HASHED_FILE_CHUNK):
            hasher.update(chunk)
    return hasher.digest()


def read_source(path: Path, *, size_max: int) -> str:
    """The text of a file. Raises CommandRefused when it is too long or not UTF-8."""
    with path.open("rb") as handle:
        content = handle.read(size_max + 1)
    if len(content) > size_max:
        raise CommandRefused("file.size", f"{path} has more than {size_max} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise CommandRefused("file.text", f"{path} is not UTF-8 text") from None


def _parse_prefixed(prefix: str, rest: str) -> Value:
    if prefix == "str":
        return rest
    if prefix == "hex":
        return parse_bytes(rest)
    if prefix == "int":
        try:
            return int(rest)
        except ValueError:
            raise LiteralInvalid(f"{rest[:80]}: not an integer") from None
    try:
        with Path(rest).open("rb") as handle:
            content = handle.read(FILE_SIZE_MAX + 1)
    except OSError as error:
        raise LiteralInvalid(f"{rest}: {error.strerror}") from None
    if len(content) > FILE_SIZE_MAX:
        raise LiteralInvalid(f"{rest}: more than {FILE_SIZE_MAX} bytes")
    return content


def _parse_json(text: str) -> Value:
    try:
        return _from_json(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        raise LiteralInvalid(f"not JSON ({error}); for text that looks like it, str:...") from None


def _from_json(value: object) -> Value:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return parse_bytes(value) if value.startswith("0x") else value
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if isinstance(value, dict):
        record: dict[Key, Value] = {str(key): _from_json(item) for key, item in value.items()}
        return record
    raise LiteralInvalid(f"{value}: contract values have no fractions")
