"""ABI JSON, which anybody may have written, as checked declarations.

Sizes, names, kinds and types are held to the rules that the contract machine has for its own
sources; nothing else in the JSON is tolerated. All that is wrong raises `AbiInvalid`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec

from client.codegen.grammar import TypeTextInvalid, parse_type_text
from client.errors import ClientError
from contracts.vm import limits
from contracts.vm.abi import ABI_VERSION
from contracts.vm.types import SCALARS, RecordOf, Type, depth, make_record, size

ABI_SIZE_MAX = 1 << 20  # bytes of JSON; the ABI of the largest source takes a fraction
DECLARATIONS_MAX = 1_000  # events, records or storage; more do not fit a source
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TYPES_OF_PYTHON = frozenset({*SCALARS, "None", "list", "dict", "tuple"})

Parameters: TypeAlias = tuple[tuple[str, Type], ...]


class AbiInvalid(ClientError):
    """JSON that is not the ABI of a contract."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"not the ABI of a contract: {reason}; take it from the source, or as "
            "`shuxin contract show NAME --json` prints it under abi"
        )


@dataclass(frozen=True, slots=True)
class Method:
    """`name` is the one to call by; `kind` is init, call, view or migrate."""

    name: str
    kind: str
    parameters: Parameters
    returns: Type
    documentation: str


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    fields: Parameters


@dataclass(frozen=True, slots=True)
class Abi:
    """Records stand before those that use them."""

    methods: tuple[Method, ...]
    events: tuple[Event, ...]
    records: tuple[RecordOf, ...]

    def method(self, kind: str) -> Method | None:
        """The first one of a kind: for init, of which there is one."""
        return next((method for method in self.methods if method.kind == kind), None)


def parse_abi(data: bytes) -> Abi:
    """The ABI in JSON. Raises AbiInvalid."""
    if len(data) > ABI_SIZE_MAX:
        raise AbiInvalid(f"more than {ABI_SIZE_MAX} bytes")
    try:
        raw = msgspec.json.decode(data, type=_Abi)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise AbiInvalid(str(error)[:200]) from None
    records: dict[str, RecordOf] = {}
    for record in raw.records:
        if record.name in _TYPES_OF_PYTHON or record.name in records:
            raise AbiInvalid(f"record {record.name} is taken")
        fields = _typed(record.name, record.fields, records)
        if not fields:
            raise AbiInvalid(f"record {record.name} has no fields")
        records[record.name] = _measured(make_record(_name(record.name), fields, ()))
    methods = tuple(_method(method, records) for method in raw.methods)
    events = tuple(Event(_name(e.name), _typed(e.name, e.fields, records)) for e in raw.events)
    _check_distinct("method", [method.name for method in methods if method.kind in _CALLED])
    _check_distinct("init", [method.kind for method in methods if method.kind not in _CALLED])
    _check_distinct("event", [event.name for event in events])
    return Abi(methods, events, tuple(records.values()))


def _method(raw: _Method, records: dict[str, RecordOf]) -> Method:
    parameters = _typed(raw.name, raw.parameters, records)
    returns = _type(raw.name, raw.returns, records)
    return Method(_name(raw.name), raw.kind, parameters, returns, raw.documentation)


def _typed(owner: str, raw: Sequence[_Typed], records: dict[str, RecordOf]) -> Parameters:
    _check_distinct(f"part of {owner}", [item.name for item in raw])
    return tuple((_name(item.name), _type(owner, item.type, records)) for item in raw)


def _type(owner: str, text: str, records: dict[str, RecordOf]) -> Type:
    try:
        return parse_type_text(text, records)
    except TypeTextInvalid as error:
        raise AbiInvalid(f"{owner}: {error}") from None


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise AbiInvalid(f"{name[:80]!r} is no name")
    return name


def _measured(record: RecordOf) -> RecordOf:
    if depth(record) > limits.TYPE_DEPTH_MAX or size(record) > limits.TYPE_NODES_MAX:
        raise AbiInvalid(f"record {record.name} is too deep or too large")
    return record


def _check_distinct(what: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise AbiInvalid(f"a {what} is declared twice")


# --- the JSON -------------------------------------------------------------------------------

_CALLED = ("call", "view")
_Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.SOURCE_SIZE_MAX)]


class _Typed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: _Text
    type: _Text


class _Method(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: _Text
    kind: Literal["init", "call", "view", "migrate"]
    parameters: Annotated[list[_Typed], msgspec.Meta(max_length=limits.PARAMETERS_MAX)]
    returns: _Text
    documentation: _Text


class _Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event or a record."""

    name: _Text
    fields: Annotated[list[_Typed], msgspec.Meta(max_length=limits.RECORD_FIELDS_MAX)]


class _Storage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of no use to a client."""

    name: _Text
    kind: Literal["Var", "Map", "SortedMap"]
    keys: Annotated[list[_Text], msgspec.Meta(max_length=3)]
    value: _Text


_Groups: TypeAlias = Annotated[list[_Group], msgspec.Meta(max_length=DECLARATIONS_MAX)]


class _Abi(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    abi: Annotated[int, msgspec.Meta(ge=ABI_VERSION, le=ABI_VERSION)]
    methods: Annotated[list[_Method], msgspec.Meta(max_length=limits.FUNCTIONS_MAX)]
    events: _Groups
    records: _Groups
    storage: Annotated[list[_Storage], msgspec.Meta(max_length=DECLARATIONS_MAX)]
