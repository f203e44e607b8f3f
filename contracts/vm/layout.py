"""What a newer version may do to the storage of the present one.

Stored bytes carry no type: a name that comes back with another type would read what it did not
write. So a declaration keeps its type for ever, also after a version that left it out.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.vm.declare import Storage
from contracts.vm.types import DictOf, ListOf, OptionalOf, RecordOf, Scalar, TupleOf, Type
from crypto import sm3


def layout_of(storage: Mapping[str, Storage]) -> dict[str, str]:
    """Each declaration's name -> SM3 (hex) of its kind and types, records written out."""
    return {
        name: sm3.digest(_written(declared).encode()).hex() for name, declared in storage.items()
    }


def conflict(present: Mapping[str, str], newer: Mapping[str, str]) -> str:
    """Why `newer` may not follow `present`, its retired names included; "" if it may."""
    for name in sorted(newer):
        if present.get(name, newer[name]) != newer[name]:
            return f"storage `{name}` keeps its type: declare a new name, move values in @migrate"
    return ""


def _written(declared: Storage) -> str:
    parts = ", ".join(_spell(kind) for kind in (*declared.keys, declared.value))
    return f"{declared.kind}({parts})"


def _spell(kind: Type) -> str:
    # Not types.show: what it says to people may be reworded, this is hashed into the state.
    match kind:
        case Scalar(name):
            return name
        case ListOf(item):
            return f"list[{_spell(item)}]"
        case DictOf(key, value):
            return f"dict[{_spell(key)}, {_spell(value)}]"
        case TupleOf(items):
            return f"tuple[{', '.join(map(_spell, items))}]"
        case OptionalOf(inner):
            return f"{_spell(inner)} | None"
        case RecordOf(_, fields):  # pragma: no branch (no other kind)
            inside = ", ".join(f"{name}: {_spell(inner)}" for name, inner in fields)
            return f"({inside})"
