"""A contract at work: compiled code bound to its namespace, the meter and the executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, Protocol

from contracts.vm import limits, prices
from contracts.vm.codes import Code, Stop
from contracts.vm.compile import Compiled, Method
from contracts.vm.guard_bounds import Guard
from contracts.vm.standing import FIELDS as STANDING_FIELDS
from contracts.vm.standing import Standing, refuse_register
from contracts.vm.storage_guards import Surroundings, storage_guards
from contracts.vm.types import NONE, Scalar, Type
from contracts.vm.values import (
    Arguments,
    Inner,
    encode_outside,
    from_outside,
    text_size,
    to_outside,
    walk,
)
from ledger.values import Value


class Executor(Surroundings, Protocol):
    """What a running contract needs of the executor (apply.py)."""

    guards: dict[str, Guard]

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
        scope.update(storage_guards(storage, name, executor))
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
