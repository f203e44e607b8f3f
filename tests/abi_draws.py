"""Draws ABIs: types of the grammar, names that collide, documentation that tries to get out."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from contracts.vm import limits
from contracts.vm.types import (
    BOOL,
    BYTES,
    INT,
    NONE,
    STR,
    DictOf,
    ListOf,
    OptionalOf,
    RecordOf,
    Scalar,
    TupleOf,
    Type,
    depth,
    make_record,
    show,
    size,
)
from ledger.values import Value

# Keywords, built-ins, names of the generated module, and pairs that become equal in Python.
_NAMES = """
    self cls class import None True def int str list dict tuple bytes bool type id object print
    typed dataclass annotations Mapping TypeAlias Event EVENTS deploy events_of event_of value
    fields parts from_value to_value session source contract gas_limit Probe ProbeClient
    setOwner set_owner SetOwner set__owner _ __ _x x X l O I N1 _1 n1 __init__ __class__ _call _view
    _session _contract _decode_1 Type1_ match case async await __debug__ __slots__ super property
"""
NAMES = tuple(_NAMES.split())
ESCAPES = ('"""', '"', "'", "\\", "\n", "\r", "\0", "\u202e", "\u2028", "\ud7ff", "é", "#", "{x}")
LONG = "a_name_that_is_as_long_as_the_language_lets_it_be_sixty_four_char"[:64]

names = st.sampled_from((*NAMES, LONG)) | st.from_regex(
    r"[A-Za-z_][A-Za-z0-9_]{0,63}", fullmatch=True
)
documentation = st.lists(
    st.sampled_from(ESCAPES) | st.text(alphabet="abc def.,`", max_size=150), max_size=8
).map("".join)
_keys = st.sampled_from((STR, BYTES, BOOL, INT)) | st.lists(
    st.sampled_from((STR, BYTES, BOOL)), min_size=1, max_size=3
).map(lambda items: TupleOf(tuple(items)))


def types(records: tuple[RecordOf, ...] = ()) -> st.SearchStrategy[Type]:
    """Types within the limits of the language."""
    leaves: st.SearchStrategy[Type] = st.sampled_from((INT, BOOL, STR, BYTES, NONE, *records))
    nested = st.recursive(leaves, _wider, max_leaves=12)
    return nested.filter(
        lambda kind: depth(kind) <= limits.TYPE_DEPTH_MAX and size(kind) <= limits.TYPE_NODES_MAX
    )


def _wider(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    present = inner.filter(lambda kind: kind != NONE and not isinstance(kind, OptionalOf))
    return st.one_of(
        inner.map(ListOf),
        present.map(OptionalOf),
        st.lists(inner, max_size=8).map(lambda items: TupleOf(tuple(items))),
        st.builds(DictOf, _keys, inner),
    )


@st.composite
def record_types(draw: st.DrawFn) -> tuple[RecordOf, ...]:
    """Records that may hold earlier ones, with names that no type of Python has."""
    taken = {"int", "bool", "str", "bytes", "None", "list", "dict", "tuple"}
    made: list[RecordOf] = []
    for name in draw(st.lists(names.filter(lambda n: n not in taken), max_size=3, unique=True)):
        fields = draw(_parts(tuple(made), size_min=1))
        record = make_record(name, fields, ())
        if depth(record) <= 4 and size(record) <= 60:
            made.append(record)
    return tuple(made)


def _parts(
    records: tuple[RecordOf, ...], *, size_min: int = 0
) -> st.SearchStrategy[tuple[tuple[str, Type], ...]]:
    pair = st.tuples(names, types(records))
    return st.lists(pair, min_size=size_min, max_size=5, unique_by=lambda item: item[0]).map(tuple)


@st.composite
def abis(draw: st.DrawFn) -> bytes:
    """A whole ABI as JSON."""
    records = draw(record_types())
    methods: list[dict[str, object]] = [
        {
            "name": name,
            "kind": draw(st.sampled_from(("call", "view"))),
            "parameters": _shown(draw(_parts(records))),
            "returns": show(draw(types(records))),
            "documentation": draw(documentation),
        }
        for name in draw(st.lists(names, max_size=4, unique=True))
    ]
    if draw(st.booleans()):
        methods.insert(0, {**_method("setup", "init"), "parameters": _shown(draw(_parts(records)))})
    events = draw(st.lists(names, max_size=3, unique=True))
    content = {
        "abi": 1,
        "methods": methods,
        "events": [{"name": name, "fields": _shown(draw(_parts(records)))} for name in events],
        "records": _declared(records),
        "storage": [],
    }
    return json.dumps(content).encode()


def echo_abi(kind: Type, records: tuple[RecordOf, ...]) -> bytes:
    """A contract whose view `echo` and call `keep` give back what they are given."""
    part = [{"name": "given", "type": show(kind)}]
    methods = [
        {**_method(name, how), "parameters": part, "returns": show(kind)}
        for name, how in (("echo", "view"), ("keep", "call"))
    ]
    events = [{"name": "Told", "fields": part}]
    content = {
        "abi": 1,
        "methods": methods,
        "events": events,
        "records": _declared(records),
        "storage": [],
    }
    return json.dumps(content).encode()


def long_abi(length: int) -> bytes:
    """An ABI in which every name has `length` characters, beside types short and long."""
    stem = ("abcdefg_" * 8)[: length - 3]
    record = make_record(f"{stem}rec", ((f"{stem}one", INT),), ())
    kinds: tuple[Type, ...] = (
        *(INT, record, ListOf(record), OptionalOf(ListOf(OptionalOf(record)))),
        *(ListOf(ListOf(ListOf(BYTES))), DictOf(STR, ListOf(TupleOf((INT, STR))))),
        TupleOf((record, record)),
    )
    parts = tuple((f"{stem}{number:03}", kind) for number, kind in enumerate(kinds))
    holder = make_record(f"{stem}all", parts, ())
    methods = [
        {
            **_method(f"{stem}{number:03}", how),
            "parameters": _shown(parts),
            "returns": show(kind) if how != "init" else "None",
            "documentation": "word " * 40,
        }
        for how in ("init", "call", "view")
        for number, kind in enumerate(kinds[: 1 if how == "init" else None], ord(how[0]))
    ]
    content = {
        "abi": 1,
        "methods": methods,
        "events": [{"name": f"{stem}evt", "fields": _shown(parts)}],
        "records": _declared((record, holder)),
        "storage": [],
    }
    return json.dumps(content).encode()


def _method(name: str, kind: str) -> dict[str, object]:
    return {"name": name, "kind": kind, "parameters": [], "returns": "None", "documentation": ""}


def _shown(parts: tuple[tuple[str, Type], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": show(kind)} for name, kind in parts]


def _declared(records: tuple[RecordOf, ...]) -> list[dict[str, object]]:
    return [{"name": record.name, "fields": _shown(record.fields)} for record in records]


_SCALARS: dict[Scalar, st.SearchStrategy[Value]] = {
    INT: st.integers(-(2**256), 2**256),
    BOOL: st.booleans(),
    STR: st.text(max_size=5).filter(lambda text: text.isascii() or text.isprintable()),
    BYTES: st.binary(max_size=5),
    NONE: st.none(),
}


def values(kind: Type) -> st.SearchStrategy[Value]:
    """Outside values of a type: records as dicts, tuples as lists."""
    match kind:
        case Scalar():
            return _SCALARS[kind]
        case OptionalOf(inner):
            return st.none() | values(inner)
        case ListOf(item):
            return st.lists(values(item), max_size=2).map(list)
        case TupleOf(items):
            return st.tuples(*map(values, items)).map(list)
        case DictOf(TupleOf(parts), item):
            tuples: Any = st.tuples(*map(values, parts))
            return st.dictionaries(tuples, values(item), max_size=2)
        case DictOf(key, item):
            keys: Any = values(key)  # scalars: is_dict_key
            return st.dictionaries(keys, values(item), max_size=2)
        case RecordOf():
            return st.fixed_dictionaries({name: values(item) for name, item in kind.fields})
