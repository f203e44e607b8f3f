"""A contract at work: compiled code bound to its namespace, the meter and the executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, Protocol

from contracts.vm import limits, prices
from contracts.vm.codes import Code, Stop
from contracts.vm.compile import Compiled, Method
from contracts.vm.declare import Storage
from contracts.vm.guard_bounds import Guard
from contracts.vm.meter import Meter
from contracts.vm.standing import FIELDS as STANDING_FIELDS
from contracts.vm.standing import Standing, refuse_register
from contracts.vm.state import UNDECODED, Entry, Space, State
from contracts.vm.storage_ops import guard_name
from contracts.vm.types import NONE, Scalar, Type
from contracts.vm.values import (
    Arguments,
    Inner,
    StoredCodec,
    encode_outside,
    from_outside,
    text_size,
    to_outside,
    walk,
)
from ledger.encoding import encode
from ledger.values import Value, encode_value


class Executor(Protocol):
    """What a running contract needs of the executor (apply.py)."""

    meter: Meter
    state: State
    guards: dict[str, Guard]
    is_read_only: bool

    def add_event(self, contract: str, name: str, fields: list[tuple[str, bytes]]) -> None: ...

    def call_other(
        self,
        caller: str,
        contract: str,
        method: str,
        arguments: tuple[Value, ...],
        *,
        is_view: bool,
    ) -> Value: ...


@dataclass(slots=True)
class Entrypoint:
    """A callable method: its function and how values cross its border."""

    method: Method
    function: Callable[..., Any]
    arguments: Arguments
    encode_result: Callable[[Inner], bytes]
    to_outside: Callable[[Any], Any]


@dataclass(slots=True)
class Instance:
    name: str
    compiled: Compiled
    scope: dict[str, Any]  # the globals of its functions
    entrypoints: dict[str, Entrypoint]
    init: Entrypoint | None
    migrate: Entrypoint | None
    context: tuple[str, ...] = ()  # fields of ctx that are set when a call begins
    standing: Standing | None = None  # for the fields that are asked for at their first use
    plans: dict[str, object] = field(default_factory=dict)  # see prefetch.py

    def set_context(self, values: dict[str, str | int | bytes]) -> None:
        """Make ctx hold `values`; a contract is never entered twice at a time."""
        scope = self.scope
        for name in self.context:
            scope[f"__ctx_{name}"] = values[name]
        if self.standing is not None:
            self.standing.begin(str(values["sender"]))


def bind(compiled: Compiled, name: str, executor: Executor) -> Instance:
    """`compiled` as the contract `name`. Raises Stop(check_failed)."""
    scope: dict[str, Any] = dict(executor.guards)
    scope["__builtins__"] = {}
    for storage in compiled.storage.values():
        scope.update(_storage_guards(storage, name, executor))
    scope["__emit"] = _emit_guard(compiled, name, executor)
    scope["__invoke"] = _invoke_guard(compiled, name, executor)
    standing = None
    if compiled.context & STANDING_FIELDS.keys():
        refuse_register(name)
        standing = Standing(name, executor)
        scope.update(standing.guards())
    for function_name, code in compiled.functions.items():
        scope[function_name] = FunctionType(code, scope)

    def enter(method: Method) -> Entrypoint:
        return Entrypoint(
            method,
            scope[method.function],
            Arguments(method.parameters, executor.meter),
            encode_outside(method.returns, executor.meter, limits.RETURN_SIZE_MAX),
            to_outside(method.returns) or _same,
        )

    return Instance(
        name,
        compiled,
        scope,
        {key: enter(method) for key, method in compiled.methods.items()},
        enter(compiled.init) if compiled.init else None,
        enter(compiled.migrate) if compiled.migrate else None,
        tuple(sorted(compiled.context - STANDING_FIELDS.keys())),
        standing,
    )


def _same(value: Any) -> Any:
    return value


# --- storage -----------------------------------------------------------------------------------


def key_prefix(storage: Storage) -> bytes:
    """The constant start of the canonical list [name, *parts]."""
    return bytes([0x91 + len(storage.keys)]) + encode(storage.name)


def key_part(part: Inner) -> bytes:
    if type(part) is int:
        return encode_value(part)
    return encode(part)


def _key_maker(storage: Storage, meter: Meter) -> Callable[..., bytes]:
    prefix = key_prefix(storage)

    def one(part: Any) -> bytes:
        if (type(part) is str or type(part) is bytes) and len(part) > limits.STORED_KEY_SIZE_MAX:
            raise Stop(Code.value_limit, "a storage key is too long")
        key = prefix + key_part(part)
        if len(key) > limits.STORED_KEY_SIZE_MAX:
            raise Stop(Code.value_limit, "a storage key is too long")
        return key

    def many(*parts: Any) -> bytes:
        key = prefix
        for part in parts:
            if (type(part) is str or type(part) is bytes) and (
                len(part) > limits.STORED_KEY_SIZE_MAX
            ):
                raise Stop(Code.value_limit, "a storage key is too long")
            key += key_part(part)
        if len(key) > limits.STORED_KEY_SIZE_MAX:
            raise Stop(Code.value_limit, "a storage key is too long")
        return key

    return one if len(storage.keys) == 1 else many


class _Slot:
    """Reading and writing entries of one storage declaration."""

    def __init__(self, storage: Storage, contract: str, executor: Executor) -> None:
        self.contract = contract
        self.executor = executor
        self.state = executor.state
        self.meter = executor.meter
        self.space: Space = executor.state.space(contract)
        self.codec = StoredCodec(storage.value, executor.meter)

    def read(self, key: bytes) -> tuple[bool, Inner]:
        """(is it there, its value); the value's bytes are paid for here."""
        entry: Entry | None = self.space.get(key)
        if entry is None:
            entry = self.state.load(self.contract, key)
        raw, value = entry
        if raw is None:
            return False, None
        self.meter.charge(len(raw) * prices.GAS_READ_BYTE)
        if value is UNDECODED:
            value = self.codec.decode(raw)
            if self.codec.is_immutable:
                self.space[key] = (raw, value)
        return True, value  # type: ignore[return-value]  # UNDECODED was replaced

    def has(self, key: bytes) -> bool:
        entry: Entry | None = self.space.get(key)
        if entry is None:
            entry = self.state.load(self.contract, key)
        return entry[0] is not None

    def write(self, key: bytes, value: Inner) -> None:
        self.demand_writable()
        raw = self.codec.encode(value)
        if len(raw) > limits.STORED_VALUE_SIZE_MAX:
            raise Stop(Code.value_limit, "a stored value is too large")
        self.meter.charge((len(raw) + len(key)) * prices.GAS_WRITE_BYTE)
        kept = value if self.codec.is_immutable else UNDECODED
        self.state.write(self.contract, self.space, key, (raw, kept))

    def remove(self, key: bytes) -> None:
        self.demand_writable()
        self.meter.charge(len(key) * prices.GAS_WRITE_BYTE)
        self.state.write(self.contract, self.space, key, (None, UNDECODED))

    def demand_writable(self) -> None:
        if self.executor.is_read_only:
            raise Stop(Code.read_only, "a view does not write")


def _storage_guards(storage: Storage, contract: str, executor: Executor) -> dict[str, Guard]:
    slot = _Slot(storage, contract, executor)
    key_of = _key_maker(storage, executor.meter)
    missing = f"{storage.name} holds nothing there"

    def item(*parts: Any) -> Inner:
        found, value = slot.read(key_of(*parts))
        if not found:
            raise Stop(Code.missing_key, missing)
        return value

    def get(*parts: Any) -> Inner:
        return slot.read(key_of(*parts))[1]

    def get_or(*parts: Any) -> Inner:
        found, value = slot.read(key_of(*parts[:-1]))
        return value if found else parts[-1]

    def put(*parts: Any) -> None:
        slot.write(key_of(*parts[:-1]), parts[-1])

    def has(*parts: Any) -> bool:
        return slot.has(key_of(*parts))

    def remove(*parts: Any) -> None:
        key = key_of(*parts)
        if not slot.has(key):
            raise Stop(Code.missing_key, missing)
        slot.remove(key)

    def clear(*parts: Any) -> None:
        slot.remove(key_of(*parts))

    operations: dict[str, Guard] = {
        "item": item,
        "get": get,
        "getor": get_or,
        "set": put,
        "has": has,
        "del": remove,
        "clear": clear,
    }
    return {guard_name(name, storage.name): guard for name, guard in operations.items()}


# --- events and other contracts ----------------------------------------------------------------


def _emit_guard(compiled: Compiled, contract: str, executor: Executor) -> Guard:
    meter = executor.meter
    encoders = [
        [
            (name, encode_outside(kind, meter, limits.EVENT_BYTES_MAX))
            for name, kind in zip(site.fields, site.types, strict=True)
        ]
        if site.kind == "emit"
        else []
        for site in compiled.sites
    ]
    names = [site.name for site in compiled.sites]

    def emit(site: int, values: tuple[Inner, ...]) -> None:
        if executor.is_read_only:
            raise Stop(Code.read_only, "a view emits nothing")
        fields = []
        size = 0
        for (name, encode_field), value in zip(encoders[site], values, strict=True):
            data = encode_field(value)
            size += len(name) + len(data)
            fields.append((name, data))
        meter.charge(size * prices.GAS_EVENT_BYTE)
        executor.add_event(contract, names[site], fields)

    return emit


def _invoke_guard(compiled: Compiled, contract: str, executor: Executor) -> Guard:
    meter = executor.meter
    outward = [
        [(to_outside(kind), isinstance(kind, Scalar)) for kind in site.types]
        for site in compiled.sites
    ]
    inward: list[Callable[[Any], Any] | None] = [
        None
        if site.kind == "emit" or _is_ignored(site.returns, site.kind)
        else from_outside(site.returns)
        for site in compiled.sites
    ]

    def invoke(site_number: int, target: str, values: tuple[Any, ...]) -> Any:
        site = compiled.sites[site_number]
        arguments = []
        for (convert, is_scalar), value in zip(outward[site_number], values, strict=True):
            if is_scalar and (type(value) is str or type(value) is bytes):
                meter.charge(text_size(value) >> 3)
            elif not is_scalar:
                walk(value, meter, limits.ARGUMENTS_SIZE_MAX)
            arguments.append(value if convert is None else convert(value))
        is_view = site.kind == "view"
        result = executor.call_other(contract, target, site.name, tuple(arguments), is_view=is_view)
        accept = inward[site_number]
        return None if accept is None else accept(result)

    return invoke


def _is_ignored(returns: Type, kind: str) -> bool:
    return kind == "call" and returns == NONE
