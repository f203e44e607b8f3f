"""What generated contract clients stand on: values by their declared types, calls that return them.

`shuxin contract client` writes modules that use nothing else of this package. A decoder takes a
value as the node gave it and returns it typed; whatever does not fit raises `ValueMisfit`, so that
a value of another type never travels on under a wrong annotation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar, cast

from client.errors import ClientError
from client.node import ChainEvent, Outcome
from ledger.model import Receipt
from ledger.values import Key, Value, decode_value, encode_value

__all__ = [
    "Called",
    "Caller",
    "ChainEvent",
    "Client",
    "Decode",
    "Receipt",
    "Record",
    "Value",
    "ValueMisfit",
    "boolean",
    "deploy",
    "dict_of",
    "encode",
    "event_of",
    "events_of",
    "fields",
    "integer",
    "list_of",
    "nothing",
    "octets",
    "optional",
    "parts",
    "text",
]

LIFECYCLE = "contract"  # the system contract that deploys the others

T = TypeVar("T")
K = TypeVar("K")
Decode: TypeAlias = Callable[[Value], T]


class ValueMisfit(ClientError):
    """A contract's value is not of the type that its ABI named when the client was generated."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(
            f"expected {expected}, got {type(value).__name__}; the contract differs from the one "
            "that this client was generated from: run `shuxin contract client` on its present ABI"
        )
        self.expected = expected


class Caller(Protocol):
    """Where calls and views go. `client.session.Session` is one."""

    def call(
        self, contract: str, method: str, *args: Value, gas_limit: int | None = None
    ) -> Outcome: ...

    def view(self, contract: str, method: str, *args: Value) -> Value: ...


class Record(ABC):
    """Base of generated records: their outside form is a dict by field name."""

    __slots__ = ()

    @abstractmethod
    def to_value(self) -> Value: ...


@dataclass(frozen=True, slots=True)
class Called(Outcome, Generic[T]):
    """The outcome of a call that succeeded, with its result as `value`."""

    value: T


class Client:
    """Base of generated clients: one contract as one account sees it.

    Both attributes begin with an underscore; generated methods never do.
    """

    def __init__(self, session: Caller, contract: str) -> None:
        self._session = session
        self._contract = contract

    def _call(
        self, method: str, decode: Decode[T], *args: object, gas_limit: int | None
    ) -> Called[T]:
        values = map(encode, args)
        outcome = self._session.call(self._contract, method, *values, gas_limit=gas_limit)
        data = outcome.receipt.return_value
        return _called(outcome, decode(decode_value(data) if data else None))

    def _view(self, method: str, decode: Decode[T], *args: object) -> T:
        return decode(self._session.view(self._contract, method, *map(encode, args)))


def deploy(
    session: Caller, contract: str, source: str, *args: object, gas_limit: int | None
) -> Called[None]:
    """Deploys `source` under the name `contract` and runs its @init with `args`."""
    given = encode_value([encode(item) for item in args])
    outcome = session.call(LIFECYCLE, "deploy", contract, source, given, gas_limit=gas_limit)
    return _called(outcome, None)


def _called(outcome: Outcome, value: T) -> Called[T]:
    return Called(
        outcome.transaction, outcome.receipt, outcome.height, outcome.index, outcome.proof, value
    )


# --- to the contract ------------------------------------------------------------------------


def encode(value: object) -> Value:
    """The outside form of a typed value. Raises TypeError for what is no contract value."""
    if isinstance(value, Record):
        return value.to_value()
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {_key(key): encode(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | str | bytes):
        return value
    raise TypeError(f"{type(value).__name__} is not a contract value")


def _key(key: object) -> Key:
    """Keys are flat and stay as they are; what else is wrong with one the encoding refuses."""
    return cast(Key, key)


# --- from the contract ----------------------------------------------------------------------


def _scalar(kind: type[T]) -> Decode[T]:
    """Decodes values of exactly this type: a bool is no int here."""

    def decode_scalar(value: Value) -> T:
        if type(value) is not kind:
            raise ValueMisfit(kind.__name__, value)
        return value

    return decode_scalar


integer = _scalar(int)
boolean = _scalar(bool)
text = _scalar(str)
octets = _scalar(bytes)
nothing = _scalar(type(None))


def optional(decode: Decode[T]) -> Decode[T | None]:
    return lambda value: None if value is None else decode(value)


def list_of(decode: Decode[T]) -> Decode[list[T]]:
    def decode_list(value: Value) -> list[T]:
        if not isinstance(value, list | tuple):
            raise ValueMisfit("list", value)
        return [decode(item) for item in value]

    return decode_list


def dict_of(decode_key: Decode[K], decode: Decode[T]) -> Decode[dict[K, T]]:
    def decode_dict(value: Value) -> dict[K, T]:
        if not isinstance(value, dict):
            raise ValueMisfit("dict", value)
        return {decode_key(key): decode(item) for key, item in value.items()}

    return decode_dict


def parts(value: Value, count: int) -> list[Value] | tuple[Value, ...]:
    """The parts of a tuple, which travels as a list."""
    if not isinstance(value, list | tuple) or len(value) != count:
        raise ValueMisfit(f"a tuple of {count}", value)
    return value


def fields(value: Value, *names: str) -> Mapping[str, Value]:
    """The fields of a record: exactly these."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise ValueMisfit(f"a record of {', '.join(names)}", value)
    return cast(Mapping[str, Value], value)


# --- events ---------------------------------------------------------------------------------


def events_of(receipt: Receipt, contract: str, known: Mapping[str, Decode[T]]) -> list[T]:
    """The events of `contract` in a receipt, in order; those of other contracts are left out.

    So are events with names that the ABI did not have. Raises ValueMisfit.
    """
    return [
        known[event.name]({name: decode_value(data) for name, data in event.fields})
        for event in receipt.events
        if event.contract == contract and event.name in known
    ]


def event_of(event: ChainEvent, contract: str, known: Mapping[str, Decode[T]]) -> T | None:
    """One event of a stream as its class; None if it is another contract's, or unknown."""
    if event.contract != contract or event.name not in known:
        return None
    return known[event.name](cast(Value, event.fields))
