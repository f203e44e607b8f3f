"""Draws records of any type from their annotations, and damages bytes: for fuzzing of decoders.

What is drawn is of the right types and little of it makes sense: heights that overflow, digests of
31 bytes, lists that are empty or hold one thing twice. `Known` values make some of it plausible.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from random import Random
from typing import Annotated, NewType, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec

DEPTH_MAX = 5  # of records in records: below, lists are empty
INTEGERS = (-(2**63), -1, 0, 1, 2, 3, 7, 255, 2**31, 2**32, 2**53 - 1, 2**53, 2**63 - 1, 2**64 - 1)
SIZES = (0, 1, 16, 20, 31, 32, 33, 63, 64, 65, 300)
TEXTS = ("", "a", "notes", "\0", "../x", "é" * 100, "数据" * 20)
# First bytes of msgpack that promise more than comes, or that nobody writes.
HEADS = (
    b"\xdd\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc1",
    b"\xc0",
)
NESTING = (10, 500, 5_000)

Drawn: TypeAlias = object


@dataclass(frozen=True, slots=True)
class Known:
    """What is true where the bytes go to."""

    height: int = 5
    blobs: tuple[bytes, ...] = ()  # digests, keys, encoded things
    records: tuple[msgspec.Struct, ...] = ()  # taken whole where their type is wanted


NOTHING = Known()


@cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, object]:
    return get_type_hints(kind, include_extras=True)


def drawn(random: Random, kind: object, known: Known = NOTHING, depth: int = 0) -> Drawn:
    """A value of the annotated type `kind`; of a constrained one mostly within its bounds."""
    if isinstance(kind, NewType):
        return drawn(random, kind.__supertype__, known, depth)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _constrained(random, parts[0], parts[1:], known, depth)
    if origin in (Union, types.UnionType):
        return drawn(random, random.choice(parts), known, depth)
    if origin is tuple:
        return _tuple(random, parts, known, depth)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return record(random, kind, known, depth)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return random.choice(list(kind))
    return _scalar(random, kind, known)


def record(
    random: Random, kind: type[msgspec.Struct], known: Known = NOTHING, depth: int = 0
) -> msgspec.Struct:
    """A record; a known one in every other case where there is any."""
    at_hand = [found for found in known.records if type(found) is kind]
    if at_hand and random.randrange(2):
        return random.choice(at_hand)
    hints = _hints(kind)
    fields = {name: drawn(random, hints[name], known, depth + 1) for name in kind.__struct_fields__}
    return kind(**fields)


def _tuple(random: Random, parts: Sequence[object], known: Known, depth: int) -> Drawn:
    if len(parts) == 2 and parts[1] is Ellipsis:
        count = 0 if depth >= DEPTH_MAX else random.choice((0, 1, 1, 2, 3, 8))
        items = [drawn(random, parts[0], known, depth + 1) for _ in range(count)]
        return (*items, *items[:1]) if random.randrange(6) == 0 else tuple(items)
    return tuple(drawn(random, part, known, depth + 1) for part in parts)


def _constrained(
    random: Random, kind: object, notes: Sequence[object], known: Known, depth: int
) -> Drawn:
    bounds = next((note for note in notes if isinstance(note, msgspec.Meta)), None)
    for _ in range(8 if random.randrange(8) else 1):
        found = drawn(random, kind, known, depth)
        if bounds is None or _fits(found, bounds):
            return found
    if kind is bytes and bounds is not None and random.randrange(4):
        return random.randbytes(bounds.min_length or bounds.max_length or 0)
    return drawn(random, kind, known, depth)


def _fits(found: Drawn, bounds: msgspec.Meta) -> bool:
    if isinstance(found, int):
        return (bounds.ge is None or found >= bounds.ge) and (
            bounds.lt is None or found < bounds.lt
        )
    if isinstance(found, bytes | str | tuple):
        return (bounds.min_length or 0) <= len(found) <= (bounds.max_length or 1 << 62)
    return True


def _scalar(random: Random, kind: object, known: Known) -> Drawn:
    if kind is int:
        near = known.height + random.randrange(-3, 4)
        return random.choice((near, near, random.randrange(4), random.choice(INTEGERS)))
    if kind is bytes:
        if known.blobs and random.randrange(2):
            return random.choice(known.blobs)
        return random.randbytes(random.choice(SIZES))
    if kind is str:
        return random.choice(TEXTS)
    if kind is bool:
        return bool(random.getrandbits(1))
    if kind in (None, type(None)):
        return None
    raise TypeError(f"no draw for {kind!r}: add one")


# --- bytes ----------------------------------------------------------------------------------


def damaged(random: Random, data: bytes) -> bytes:
    """`data` with one to three things done to it."""
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(7):
            case 0 if data:
                changed = bytearray(data)
                changed[at % len(data)] ^= 1 << random.randrange(8)
                data = bytes(changed)
            case 1:
                data = data[:at]
            case 2:
                data = data[:at] + data[random.randrange(len(data) + 1) :]
            case 3:
                data = data[:at] + random.choice(HEADS) + data[at:]
            case 4:
                data = data[:at] + b"\x91" * random.choice(NESTING) + data[at:]
            case 5:
                data = data[:at] + random.randbytes(random.choice((1, 2, 9))) + data[at:]
            case _:
                data = data + data[:at]
    return data
