"""Values at the borders of a contract, by static type: stored form and outside form.

In memory a record is a tuple of its fields. Stored, it is a list in field order; outside
(arguments, results, events, other contracts) a dict by field name. Everything that comes in is
checked against its type and bounds; everything that goes out is measured before it is built.
Walks charge before they go on, so that a small graph of shared lists cannot cost more time
than was paid for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, Union

import msgspec

from contracts.vm import limits, prices
from contracts.vm.codes import Code, Stop
from contracts.vm.meter import Meter
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
    has_dict,
    has_record,
    is_immutable,
    show,
)
from ledger.errors import DecodeError
from ledger.values import DEPTH_MAX, Value, decode_value, encode_value

# A value inside the VM: like ledger.values.Value, with records as tuples.
Inner: TypeAlias = Union[
    None, bool, int, str, bytes, list["Inner"], tuple["Inner", ...], dict["Inner", "Inner"]
]
# Converters are built once per type and called with values of exactly that type.
Convert: TypeAlias = Callable[[Any], Any]

_encoder = msgspec.msgpack.Encoder()
_any_decoder = msgspec.msgpack.Decoder()
_NUMBERS = frozenset({int, bool})
_SCALAR_TYPES = {INT: int, BOOL: bool, STR: str, BYTES: bytes, NONE: type(None)}


def text_size(value: str | bytes) -> int:
    """Bytes that a text counts for: a non-ASCII str takes up to four per character."""
    if type(value) is str and not value.isascii():
        return 4 * len(value)
    return len(value)


def walk(value: Inner, meter: Meter, size_max: int) -> int:
    """At most the encoded size, charged node by node. Raises Stop beyond `size_max`.

    What is encoded afterwards is measured exactly; here it only has to stay bounded.
    """
    kind = type(value)
    if kind is str or kind is bytes:
        size = len(value) + 1  # type: ignore[arg-type]
        meter.charge(prices.GAS_WALK + (text_size(value) >> 3))  # type: ignore[arg-type]
    elif kind is list or kind is tuple:
        meter.charge(prices.GAS_WALK + len(value))  # type: ignore[arg-type]
        size = 1
        if _NUMBERS.issuperset(map(type, value)):  # type: ignore[arg-type]
            numbers: Any = value  # node by node at once, for the same gas
            meter.charge(prices.GAS_WALK * len(numbers))
            size += sum([(number.bit_length() >> 3) + 1 for number in numbers])
        else:
            for item in value:  # type: ignore[union-attr]
                size += walk(item, meter, size_max - size)
    elif kind is dict:
        meter.charge(prices.GAS_WALK + 2 * len(value))  # type: ignore[arg-type]
        size = 3
        for key, item in value.items():  # type: ignore[union-attr]
            size += walk(key, meter, size_max - size)
            size += walk(item, meter, size_max - size)
    else:
        meter.charge(prices.GAS_WALK)
        size = (value.bit_length() >> 3) + 1 if kind is int else 1  # type: ignore[union-attr]
    if size > size_max:
        raise Stop(Code.value_limit, "a value is too large")
    return size


def charge_slow(data: bytes, meter: Meter) -> None:
    """Pay for decoding `data` node by node in Python; texts in it cost nothing extra."""
    try:
        tree = _any_decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        meter.charge(len(data))  # it will be refused at once
        return
    _charge_tree(tree, meter, 0)


def _charge_tree(tree: object, meter: Meter, depth: int) -> None:
    if isinstance(tree, msgspec.msgpack.Ext):
        meter.charge(prices.GAS_SLOW_NODE + memoryview(tree.data).nbytes * prices.GAS_SLOW_BYTE)
    elif isinstance(tree, list):
        meter.charge(prices.GAS_SLOW_NODE * (1 + len(tree)))
        if depth < DEPTH_MAX:  # deeper nesting is refused by the decoder
            for item in tree:
                if isinstance(item, (list, msgspec.msgpack.Ext)):
                    _charge_tree(item, meter, depth + 1)


# --- stored form -------------------------------------------------------------------------------


class StoredCodec:
    """Encodes and decodes stored values of one type."""

    def __init__(self, kind: Type, meter: Meter) -> None:
        self.is_immutable = is_immutable(kind)
        self._kind = kind
        self._meter = meter
        self._is_scalar = isinstance(kind, Scalar)
        self._has_dict = has_dict(kind)
        self._decoder = None if self._has_dict else msgspec.msgpack.Decoder(_typed(kind))
        self._restore = from_stored(kind)

    def encode(self, value: Inner) -> bytes:
        """Canonical bytes, paid for. Raises Stop(value_limit)."""
        meter = self._meter
        before = meter.left
        if self._is_scalar:
            kind = type(value)
            if kind is str or kind is bytes:
                size = text_size(value)  # type: ignore[arg-type]
                meter.charge(size >> 3)
                if size > limits.STORED_VALUE_SIZE_MAX:
                    raise Stop(Code.value_limit, "a stored value is too large")
        else:
            walk(value, meter, limits.STORED_VALUE_SIZE_MAX)
        if not self._has_dict:
            try:
                return _encoder.encode(value)
            except OverflowError:  # an int beyond 64 bits takes the extension
                pass
        meter.charge((before - meter.left) * prices.GAS_SLOW_FACTOR)
        return encode_value(value)  # type: ignore[arg-type]  # tuples are values too

    def decode(self, data: bytes) -> Inner:
        """The value; its bytes are paid for by the caller.

        The slow way costs more, but only for mutable types: those are decoded at every read,
        so that the gas of a read never depends on a cache. Raises Stop(bad_storage).
        """
        if self._decoder is not None:
            try:
                return self._decoder.decode(data)  # type: ignore[no-any-return]
            except msgspec.MsgspecError:
                pass  # perhaps an int beyond 64 bits: the slow way decides
        if not self.is_immutable:
            charge_slow(data, self._meter)
        try:
            return self._restore(decode_value(data))  # type: ignore[no-any-return]
        except (DecodeError, Stop):
            raise Stop(Code.bad_storage, f"the stored value is no {show(self._kind)}") from None


def _typed(kind: Type) -> Any:
    """The msgspec type that decodes the stored form straight into the inner form."""
    match kind:
        case Scalar():
            return _SCALAR_TYPES[kind]
        case ListOf(item):
            return list.__class_getitem__(_typed(item))
        case TupleOf(items):
            return tuple.__class_getitem__(tuple(map(_typed, items)))
        case RecordOf():
            return tuple.__class_getitem__(tuple(_typed(item) for _, item in kind.fields))
        case OptionalOf(inner):
            return _typed(inner) | None
        case DictOf():  # pragma: no cover (no decoder is made for what holds a dict)
            raise AssertionError("dicts take the slow way")


def _misfit(kind: Type) -> Stop:
    return Stop(Code.bad_arguments, f"expected {show(kind)}"[:200])


def from_stored(kind: Type) -> Convert:
    """Checks a decoded stored value and gives the inner form; records come as lists."""
    return _incoming(kind, is_record_dict=False)


def from_outside(kind: Type) -> Convert:
    """Checks a decoded outside value and gives the inner form; records come as dicts."""
    return _incoming(kind, is_record_dict=True)


def _incoming(kind: Type, *, is_record_dict: bool) -> Convert:
    match kind:
        case Scalar():
            return _incoming_scalar(kind)
        case OptionalOf(inner):
            convert = _incoming(inner, is_record_dict=is_record_dict)
            return lambda value: None if value is None else convert(value)
        case ListOf(item):
            return _incoming_list(kind, _incoming(item, is_record_dict=is_record_dict))
        case TupleOf(items):
            parts = [_incoming(item, is_record_dict=is_record_dict) for item in items]
            return _incoming_tuple(kind, parts)
        case DictOf(key, item):
            return _incoming_dict(
                kind,
                _incoming(key, is_record_dict=is_record_dict),
                _incoming(item, is_record_dict=is_record_dict),
            )
        case RecordOf():  # pragma: no branch (no other kind)
            parts = [_incoming(item, is_record_dict=is_record_dict) for _, item in kind.fields]
            if is_record_dict:
                return _incoming_record(kind, parts)
            return _incoming_tuple(kind, parts)


def _incoming_scalar(kind: Scalar) -> Convert:
    python = _SCALAR_TYPES[kind]

    def check(value: object) -> object:
        if type(value) is not python:
            raise _misfit(kind)
        return value

    def check_text(value: object) -> object:
        if type(value) is not python:
            raise _misfit(kind)
        if text_size(value) > limits.TEXT_SIZE_MAX:  # type: ignore[arg-type]
            raise Stop(Code.value_limit, "a text is too long")
        return value

    return check_text if kind in (STR, BYTES) else check


def _incoming_list(kind: Type, convert: Convert) -> Convert:
    def check(value: object) -> object:
        if type(value) is not list and type(value) is not tuple:
            raise _misfit(kind)
        if len(value) > limits.LIST_LENGTH_MAX:
            raise Stop(Code.value_limit, "a list is too long")
        return [convert(item) for item in value]

    return check


def _incoming_tuple(kind: Type, parts: list[Convert]) -> Convert:
    def check(value: object) -> object:
        if (type(value) is not list and type(value) is not tuple) or len(value) != len(parts):
            raise _misfit(kind)
        return tuple([part(item) for part, item in zip(parts, value, strict=True)])

    return check


def _incoming_dict(kind: Type, key_of: Convert, item_of: Convert) -> Convert:
    def check(value: object) -> object:
        if type(value) is not dict:
            raise _misfit(kind)
        if len(value) > limits.LIST_LENGTH_MAX:
            raise Stop(Code.value_limit, "a dict is too long")
        result = {}
        for key, item in value.items():
            key = key_of(key)
            if type(key) is int and not abs(key) < limits.DICT_KEY_INT_BOUND:
                raise Stop(Code.value_limit, "a dict key is too large")
            result[key] = item_of(item)
        return result

    return check


def _incoming_record(kind: RecordOf, parts: list[Convert]) -> Convert:
    names = [name for name, _ in kind.fields]
    known = frozenset(names)

    def check(value: object) -> object:
        if type(value) is not dict or value.keys() != known:
            raise _misfit(kind)
        return tuple([part(value[name]) for part, name in zip(parts, names, strict=True)])

    return check


# --- outside form ------------------------------------------------------------------------------


def to_outside(kind: Type) -> Convert | None:
    """Turns records into dicts and copies; None if the inner form is the outside form already.

    Lists are copied too (two contracts never share one), which the encoder does as well: a
    value that is only encoded needs no copy, so plain types give None.
    """
    match kind:
        case Scalar():
            return None
        case RecordOf():
            return _outgoing_record(kind)
        case TupleOf(items):
            return _outgoing_tuple(items) if has_record(kind) else None
        case OptionalOf(inner) | ListOf(inner) | DictOf(_, inner):  # pragma: no branch (no other)
            convert = to_outside(inner)  # keys hold no record
            return None if convert is None else _outgoing_container(kind, convert)


def _outgoing_container(kind: Type, convert: Convert) -> Convert:
    if isinstance(kind, OptionalOf):
        return lambda value: None if value is None else convert(value)
    if isinstance(kind, ListOf):
        return lambda value: [convert(item) for item in value]
    return lambda value: {key: convert(item) for key, item in value.items()}


def _outgoing_tuple(items: tuple[Type, ...]) -> Convert:
    parts = [to_outside(item) for item in items]

    def convert(value: tuple[Inner, ...]) -> list[object]:
        return [
            item if part is None else part(item) for part, item in zip(parts, value, strict=True)
        ]

    return convert


def _outgoing_record(kind: RecordOf) -> Convert:
    names = [name for name, _ in kind.fields]
    parts = [to_outside(item) for _, item in kind.fields]

    def convert(value: tuple[Inner, ...]) -> dict[str, object]:
        return {
            name: item if part is None else part(item)
            for name, part, item in zip(names, parts, value, strict=True)
        }

    return convert


def encode_outside(kind: Type, meter: Meter, size_max: int) -> Callable[[Inner], bytes]:
    """An encoder of results and event fields of type `kind`: measured, converted, canonical."""
    convert = to_outside(kind)
    is_scalar = isinstance(kind, Scalar)
    is_direct = convert is None and not has_dict(kind)

    def encode(value: Any) -> bytes:
        before = meter.left
        if is_scalar:
            if kind is STR or kind is BYTES:
                meter.charge(text_size(value) >> 3)
        else:
            walk(value, meter, size_max)
        if is_direct:
            try:
                return _encoder.encode(value)
            except OverflowError:
                pass
        meter.charge((before - meter.left) * prices.GAS_SLOW_FACTOR)
        return encode_value(value if convert is None else convert(value))

    return encode


class Arguments:
    """Decodes and checks the arguments of one method."""

    def __init__(self, parameters: tuple[tuple[str, Type], ...], meter: Meter) -> None:
        kinds = tuple(kind for _, kind in parameters)
        self._meter = meter
        self._count = len(kinds)
        self._convert = [from_outside(kind) for kind in kinds]
        self._is_scalar = all(isinstance(kind, Scalar) for kind in kinds)
        # Without dicts and records the values decode in one step of C with their types.
        self._decoder = None
        if not any(has_dict(kind) or has_record(kind) for kind in kinds):
            typed = tuple.__class_getitem__(tuple(map(_typed, kinds)))
            self._decoder = msgspec.msgpack.Decoder(typed)

    def decode(self, data: bytes) -> list[Inner]:
        """The checked arguments. Raises Stop(bad_arguments) or Stop(value_limit)."""
        if len(data) > limits.ARGUMENTS_SIZE_MAX:
            raise Stop(Code.value_limit, "the arguments are too large")
        if self._decoder is not None:
            try:
                values = self._decoder.decode(data)
                is_canonical = _encoder.encode(values) == data
            except msgspec.MsgspecError:
                is_canonical = False  # the slow way decides, and knows ints beyond 64 bits
            if is_canonical:
                if not self._is_scalar:
                    walk(values, self._meter, 2 * limits.ARGUMENTS_SIZE_MAX)
                return self._checked(values)
        charge_slow(data, self._meter)
        try:
            general = decode_value(data, size_max=limits.ARGUMENTS_SIZE_MAX)
        except DecodeError:
            raise Stop(Code.bad_arguments, "the arguments are no canonical list") from None
        if type(general) is not list:
            raise Stop(Code.bad_arguments, "the arguments are no canonical list")
        return self.check(general)

    def check(self, values: list[Value] | tuple[Value, ...]) -> list[Inner]:
        """Checked copies of values in their outside form, paid for by the caller."""
        if len(values) != self._count:
            raise Stop(Code.bad_arguments, f"expected arguments: {self._count}")
        return self._checked(values)

    def _checked(self, values: list[Value] | tuple[Value, ...]) -> list[Inner]:
        return [convert(value) for convert, value in zip(self._convert, values, strict=True)]
