"""Static types of the dialect. Every expression has one; nothing is left to run time."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, Union

from contracts.vm import limits


@dataclass(frozen=True, slots=True)
class Scalar:
    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type


@dataclass(frozen=True, slots=True)
class DictOf:
    key: Type
    value: Type


@dataclass(frozen=True, slots=True)
class TupleOf:
    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class OptionalOf:
    inner: Type


@dataclass(frozen=True, slots=True)
class RecordOf:
    """A record: at run time a tuple of its fields in order. Equal names are equal types."""

    name: str
    fields: tuple[tuple[str, Type], ...] = field(compare=False)
    defaults: tuple[tuple[str, Constant], ...] = field(compare=False)
    # Measured once, at declaration: records that hold records are a graph, and walking it anew
    # for every use would take time exponential in its depth.
    levels: int = field(compare=False)
    nodes: int = field(compare=False)

    def index(self, name: str) -> int | None:
        for position, (field_name, _) in enumerate(self.fields):
            if field_name == name:
                return position
        return None


def make_record(
    name: str, fields: tuple[tuple[str, Type], ...], defaults: tuple[tuple[str, Constant], ...]
) -> RecordOf:
    levels = 1 + max((depth(kind) for _, kind in fields), default=0)
    nodes = 1 + sum(size(kind) for _, kind in fields)
    return RecordOf(name, fields, defaults, levels, nodes)


Type: TypeAlias = Union[Scalar, ListOf, DictOf, TupleOf, OptionalOf, RecordOf]
Constant: TypeAlias = Union[None, bool, int, str, bytes, tuple["Constant", ...]]

INT: Final = Scalar("int")
BOOL: Final = Scalar("bool")
STR: Final = Scalar("str")
BYTES: Final = Scalar("bytes")
NONE: Final = Scalar("None")
UNKNOWN: Final = Scalar("?")  # after an error was reported: fits everything, ends the cascade
NEVER: Final = Scalar("never")  # the result of fail()

SCALARS: Final[Mapping[str, Scalar]] = {"int": INT, "bool": BOOL, "str": STR, "bytes": BYTES}


def show(kind: Type) -> str:
    """The type as the author would write it."""
    match kind:
        case Scalar(name):
            return name
        case ListOf(item):
            return f"list[{show(item)}]"
        case DictOf(key, value):
            return f"dict[{show(key)}, {show(value)}]"
        case TupleOf(items):
            return f"tuple[{', '.join(map(show, items))}]"
        case OptionalOf(inner):
            return f"{show(inner)} | None"
        case RecordOf(name):  # pragma: no branch (no other kind)
            return name


def is_assignable(source: Type, target: Type) -> bool:
    """May a value of type `source` stand where `target` is declared?"""
    if source in (target, NEVER) or UNKNOWN in (source, target):
        return True
    if isinstance(target, OptionalOf):
        return source == NONE or is_assignable(source, target.inner)
    if isinstance(source, TupleOf) and isinstance(target, TupleOf):  # immutable: covariant
        return len(source.items) == len(target.items) and all(
            map(is_assignable, source.items, target.items)
        )
    return False


def join(left: Type, right: Type) -> Type | None:
    """The smallest type that holds both, or None."""
    if is_assignable(left, right):
        return right
    if is_assignable(right, left):
        return left
    if left == NONE:
        return OptionalOf(right)
    if right == NONE:
        return OptionalOf(left)
    return None


def is_immutable(kind: Type) -> bool:
    match kind:
        case Scalar():
            return True
        case OptionalOf(inner):
            return is_immutable(inner)
        case TupleOf(items):
            return all(map(is_immutable, items))
        case RecordOf():
            return all(is_immutable(item) for _, item in kind.fields)
        case ListOf() | DictOf():  # pragma: no branch (no other kind)
            return False


def has_dict(kind: Type) -> bool:
    match kind:
        case Scalar():
            return False
        case DictOf():
            return True
        case OptionalOf(inner) | ListOf(inner):
            return has_dict(inner)
        case TupleOf(items):
            return any(map(has_dict, items))
        case RecordOf():  # pragma: no branch (no other kind)
            return any(has_dict(item) for _, item in kind.fields)


def has_record(kind: Type) -> bool:
    match kind:
        case Scalar():
            return False
        case DictOf(key, value):
            return has_record(key) or has_record(value)
        case OptionalOf(inner) | ListOf(inner):
            return has_record(inner)
        case TupleOf(items):
            return any(map(has_record, items))
        case RecordOf():  # pragma: no branch (no other kind)
            return True


def depth(kind: Type) -> int:
    """How many containers deep values of this type can nest; scalars are 0."""
    match kind:
        case Scalar():
            return 0
        case DictOf(key, value):
            return 1 + max(depth(key), depth(value))
        case OptionalOf(inner):
            return depth(inner)
        case ListOf(item):
            return 1 + depth(item)
        case TupleOf(items):
            return 1 + max(map(depth, items), default=0)
        case RecordOf():  # pragma: no branch (no other kind)
            return kind.levels


def size(kind: Type) -> int:
    """Nodes of the type with every record written out: bounds every walk over a type."""
    match kind:
        case Scalar():
            return 1
        case DictOf(key, value):
            return 1 + size(key) + size(value)
        case OptionalOf(inner) | ListOf(inner):
            return 1 + size(inner)
        case TupleOf(items):
            return 1 + sum(map(size, items))
        case RecordOf():  # pragma: no branch (no other kind)
            return kind.nodes


def is_dict_key(kind: Type) -> bool:
    """Ints in tuples are excluded: CPython's tuple hash of ints can be made to collide."""
    if isinstance(kind, TupleOf):
        return len(kind.items) > 0 and all(item in (STR, BYTES, BOOL) for item in kind.items)
    return kind in (STR, BYTES, BOOL, INT)


def is_storage_key(kind: Type) -> bool:
    return kind in (STR, BYTES, BOOL, INT)


class TypeInvalid(ValueError):
    """An annotation outside the language: `rule` and the place to report."""

    def __init__(self, rule: str, node: ast.expr, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.node = node


def parse_type(node: ast.expr, records: Mapping[str, RecordOf]) -> Type:
    """The type that an annotation names. Raises TypeInvalid."""
    kind = _parse(node, records)
    if depth(kind) > limits.TYPE_DEPTH_MAX:
        raise TypeInvalid("T006", node, f"{show(kind)} nests too deep")
    if size(kind) > limits.TYPE_NODES_MAX:
        raise TypeInvalid("T006", node, f"{show(kind)} is too large with its records written out")
    return kind


def _parse(node: ast.expr, records: Mapping[str, RecordOf]) -> Type:
    match node:
        case ast.Constant(value=None):
            return NONE
        case ast.Name(id=name) if name in SCALARS:
            return SCALARS[name]
        case ast.Name(id=name) if name in records:
            return records[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            inner = _parse(left, records)
            if inner == NONE or isinstance(inner, OptionalOf):
                raise TypeInvalid("T002", node, "None stands once in a type")
            return OptionalOf(inner)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return ListOf(_parse(item, records))
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, value])):
            key_type = _parse(key, records)
            if not is_dict_key(key_type):
                raise TypeInvalid("T008", key, f"{show(key_type)} is no dict key")
            return DictOf(key_type, _parse(value, records))
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=items)) if items:
            return TupleOf(tuple(_parse(item, records) for item in items))
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Name() as item):
            return TupleOf((_parse(item, records),))
        case _:
            raise TypeInvalid("T002", node, "not a type of the language")
