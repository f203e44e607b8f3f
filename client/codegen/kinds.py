"""Types of an ABI as Python: what annotations say of them, and what decodes them.

Long expressions get a name of their own above their use, so that no line is long and a type that
is used twice is written once. Records nest by name alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from client.codegen.layout import STEP, WIDTH, group
from contracts.vm.types import DictOf, ListOf, OptionalOf, RecordOf, Scalar, TupleOf, Type

INLINE_MAX = 60  # characters of an expression that still reads well within another
_SCALARS = {
    "int": "typed.integer",
    "bool": "typed.boolean",
    "str": "typed.text",
    "bytes": "typed.octets",
    "None": "typed.nothing",
}


class Kinds:
    """Annotations and decoders for one module. `records` gives their names in Python.

    The definitions that they need gather in `aliases` and `decoders`, each as its lines.
    """

    def __init__(self, records: Mapping[str, str]) -> None:
        self._records = records
        self._annotations: dict[str, str] = {}  # expression -> alias
        self._decoders: dict[str, str] = {}  # expression or annotation of a tuple -> name
        self.aliases: list[list[str]] = []
        self.decoders: list[list[str]] = []

    # --- annotations ------------------------------------------------------------------------

    def annotation(self, kind: Type) -> str:
        match kind:
            case Scalar(name):
                return name
            case RecordOf(name):
                return self._records[name]
            case OptionalOf(inner):
                return self._aliased(f"{self.annotation(inner)} | None", [], "")
            case ListOf(item):
                return self._aliased("list[", [self.annotation(item)], "]")
            case DictOf(key, value):
                return self._aliased("dict[", [self.annotation(key), self.annotation(value)], "]")
            case TupleOf(items):
                parts = [self.annotation(item) for item in items] or ["()"]
                return self._aliased("tuple[", parts, "]")

    def declaration(self, name: str, kind: Type, *, indent: str) -> str:
        """`name: type`; a long name beside a long type takes an alias of it."""
        whole = f"{name}: {self.annotation(kind)}"
        if len(f"{indent}{whole},") <= WIDTH:
            return whole
        return f"{name}: {self._alias_of(self.annotation(kind), [], '')}"

    def _aliased(self, head: str, items: list[str], tail: str) -> str:
        whole = f"{head}{', '.join(items)}{tail}"
        return whole if len(whole) <= INLINE_MAX else self._alias_of(head, items, tail)

    def _alias_of(self, head: str, items: list[str], tail: str) -> str:
        whole = f"{head}{', '.join(items)}{tail}"
        if whole not in self._annotations:
            alias = f"Type{len(self.aliases) + 1}_"
            self._annotations[whole] = alias
            self.aliases.append(group(f"{alias}: TypeAlias = {head}", items, tail))
        return self._annotations[whole]

    # --- decoders ---------------------------------------------------------------------------

    def decoder(self, kind: Type) -> str:
        """An expression whose value is a decoder of `kind`."""
        match kind:
            case Scalar(name):
                return _SCALARS[name]
            case RecordOf(name):
                return f"{self._records[name]}.from_value"
            case OptionalOf(inner):
                return self._named("typed.optional(", [self.decoder(inner)])
            case ListOf(item):
                return self._named("typed.list_of(", [self.decoder(item)])
            case DictOf(key, value):
                return self._named("typed.dict_of(", [self.decoder(key), self.decoder(value)])
            case TupleOf(items):
                return self._tuple(kind, [self.decoder(item) for item in items])

    def short_decoder(self, kind: Type) -> str:
        """The same as a name, where an expression would make a line too long."""
        whole = self.decoder(kind)
        return self._name_of(whole, whole, []) if whole.endswith(")") else whole

    def _named(self, head: str, items: list[str]) -> str:
        whole = f"{head}{', '.join(items)})"
        if len(whole) <= INLINE_MAX:
            return whole
        return self._name_of(whole, head, items)

    def _name_of(self, whole: str, head: str, items: list[str]) -> str:
        if whole not in self._decoders:
            name = self._decoders[whole] = self._next_name()
            self.decoders.append(group(f"{name} = {head}", items, ")" if items else ""))
        return self._decoders[whole]

    def _tuple(self, kind: TupleOf, parts: list[str]) -> str:
        """A function: the parts of a tuple have types of their own."""
        annotation = self.annotation(kind)
        if annotation not in self._decoders:
            name = self._decoders[annotation] = self._next_name()
            picked = [f"{part}(parts[{place}])" for place, part in enumerate(parts)]
            tail = ",)" if len(parts) == 1 else ")"
            self.decoders.append(
                [
                    *group(f"def {name}(", ["value: typed.Value"], f") -> {annotation}:"),
                    f"{STEP}{'parts = ' if parts else ''}typed.parts(value, {len(parts)})",
                    *group("return (", picked, tail, indent=STEP),
                ]
            )
        return self._decoders[annotation]

    def _next_name(self) -> str:
        return f"_decode_{len(self.decoders) + 1}"
