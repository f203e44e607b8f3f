"""Keys and values of the state, as people write and read them.

A key is the name of a contract's variable and the parts of the key in it; in the namespace `code`
it is text (contracts.vm.code_records). What a value means only its contract declares: for the
system contracts of this release the names of the fields are known, others are shown as stored.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from types import UnionType
from typing import TYPE_CHECKING, get_args, get_origin, get_type_hints

from cli.language import say
from cli.literals import LiteralInvalid, parse_bytes, parse_value
from cli.output import Json, note, plain

if TYPE_CHECKING:
    from contracts.dialect import Map, Var
    from ledger.values import Value

KEY_PARTS_MAX = 3  # of a Map (contracts.dialect)


class RecordMisfit(Exception):
    """A stored value is not of the form that this release declares."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the state a key stands, for people."""

    told: dict[str, Json]
    sentence: str


# --- written by people ----------------------------------------------------------------------


def parse_key(namespace: str, texts: Sequence[str], *, is_sorted: bool) -> bytes:
    """The stored key that words of a command line mean. Raises LiteralInvalid.

    One word 0x... is the key itself; in the namespace `code` one word is its text. Else the first
    is the name of a variable, the others are parts of the key in it, as literals.
    """
    from contracts.bundle import SYSTEM_CONTRACTS
    from contracts.vm.code_records import CODE
    from contracts.vm.keys import SORTED, sorted_part
    from ledger.encoding import encode
    from ledger.values import encode_value

    if len(texts) == 1 and texts[0].startswith("0x"):
        return parse_bytes(texts[0])
    if namespace == CODE:
        if len(texts) != 1:
            raise LiteralInvalid("a key of `code` is one word: NAME, NAME/2, NAME/layout, ...")
        return texts[0].encode()
    variable, *given = texts
    if namespace in SYSTEM_CONTRACTS and declaration(namespace, variable) is None:
        note(
            say(
                "{variable}: the contract of this release declares no such variable",
                variable=f"{namespace}.{variable}",
            )
        )
    if len(given) > KEY_PARTS_MAX:
        raise LiteralInvalid(f"{len(given)} parts; the key of a Map has up to {KEY_PARTS_MAX}")
    parts: list[str | bytes | bool | int] = []
    for text in given:
        part = parse_value(text)
        if not isinstance(part, str | bytes | bool | int):
            raise LiteralInvalid(f"{text[:80]}: parts of keys are text, bytes, integers or bools")
        parts.append(part)
    if is_sorted:
        return bytes([SORTED]) + encode(variable) + b"".join(map(sorted_part, parts))
    return encode_value([variable, *parts])


# --- read by people -------------------------------------------------------------------------


def place_of(namespace: str, key: bytes) -> Place:
    """What a stored key means; what cannot be read is shown as bytes."""
    from contracts.vm.code_records import CODE
    from contracts.vm.code_records import place_of as place_in_code
    from contracts.vm.keys import SORTED, declaration_of
    from ledger.errors import DecodeError
    from ledger.values import decode_value

    told: dict[str, Json] = {"namespace": namespace}
    if namespace == CODE:
        found = place_in_code(key)
        text = key.decode("utf-8", "backslashreplace")
        if found is not None:
            told["contract"] = found[0]
        return Place(told | {"key": text}, f"the key {text} of the contracts themselves ({CODE})")
    try:
        variable = declaration_of(key)
        parts = [] if key[0] == SORTED else decode_value(key)
    except DecodeError:
        raw = "0x" + key.hex()
        return Place(told | {"key": raw}, f"the key {raw} of {namespace}")
    told |= {"contract": namespace, "variable": variable}
    if key[0] == SORTED:
        raw = "0x" + key.hex()
        return Place(told | {"key": raw}, f"the key {raw} of {namespace}.{variable}")
    assert isinstance(parts, list), "declaration_of read a list"
    shown = plain(parts[1:])
    words = ", ".join(map(_quoted, parts[1:]))
    which = f"{namespace}.{variable}[{words}]" if words else f"{namespace}.{variable}"
    return Place(told | {"key": shown}, which)


def value_told(namespace: str, key: bytes, value: bytes) -> Json:
    """A stored value with the names of its fields, as far as this release knows them."""
    from contracts.vm.code_records import CODE
    from contracts.vm.keys import declaration_of
    from ledger.errors import DecodeError
    from ledger.values import decode_value

    try:
        stored = decode_value(value)
    except DecodeError:
        stored = value
        if namespace == CODE:
            return value.decode("utf-8", "backslashreplace")  # the source of a version
        return plain(stored)
    try:
        declared = declaration(namespace, declaration_of(key))
        return plain(stored if declared is None else named(declared.value_type, stored))
    except (DecodeError, RecordMisfit):
        return plain(stored)


def declaration(contract: str, variable: str) -> Map[object, object] | Var[object] | None:
    """The variable as this release's system contract declares it; None: it has none such."""
    from contracts.bundle import SYSTEM_CONTRACTS
    from contracts.dialect import Map, Var

    if contract not in SYSTEM_CONTRACTS:  # the name may come from a file: nothing else is loaded
        return None
    found = vars(importlib.import_module(f"contracts.system.{contract}")).get(variable)
    return found if isinstance(found, Map | Var) else None


def named(kind: object, value: Value) -> Value:
    """A stored value of the type `kind` with the names of its fields. Raises RecordMisfit."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints, names = get_type_hints(kind), [field.name for field in fields(kind)]
        if not isinstance(value, list) or len(value) != len(names):
            raise RecordMisfit(
                f"the stored record is no {kind.__name__} as this release declares it: the "
                "contract was upgraded; `shuxin state show` shows it as stored"
            )
        return {name: named(hints[name], part) for name, part in zip(names, value, strict=True)}
    inner = get_args(kind)
    if isinstance(kind, UnionType):  # of a record and None: the dialect has no other
        return None if value is None else named(inner[0], value)
    if get_origin(kind) is list and isinstance(value, list):
        return [named(inner[0], part) for part in value]
    if get_origin(kind) is dict and isinstance(value, dict):
        return {key: named(inner[1], part) for key, part in value.items()}
    return value


def _quoted(part: Value) -> str:
    return repr(part) if isinstance(part, str) else str(plain(part))
