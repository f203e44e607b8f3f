"""A session for tests of commands: contracts that accept whatever fits their declaration."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass
from types import ModuleType
from typing import get_args, get_origin, get_type_hints

import pytest

from cli.options import Invocation
from client.node import Outcome
from ledger.model import Event, Receipt, Transaction
from ledger.values import Value, encode_value


@dataclass(frozen=True, slots=True)
class FakeNode:
    chain_id: bytes = bytes(32)


@dataclass
class FakeSession:
    """Answers like a node whose contracts accept whatever fits their declared arguments."""

    answers: dict[str, Value] = field(default_factory=dict)
    calls: list[tuple[str, str, tuple[Value, ...]]] = field(default_factory=list)
    node: FakeNode = FakeNode()

    def call(
        self, contract: str, method: str, *args: Value, gas_limit: int | None = None
    ) -> Outcome:
        check_arguments(contract, method, args)
        self.calls.append((contract, method, args))
        event = Event(contract, "Done", (("note", encode_value("fine")),))
        receipt = Receipt(bytes(32), 0, 7, (event,), b"", "", "")
        return Outcome(Transaction(b"", b""), receipt, 5, 0, None)

    def view(self, contract: str, method: str, *args: Value) -> Value:
        check_arguments(contract, method, args)
        self.calls.append((contract, method, args))
        return self.answers.get(f"{contract}.{method}")


def contract_module(contract: str) -> ModuleType:
    return importlib.import_module(f"contracts.system.{contract}")


def check_arguments(contract: str, method: str, args: tuple[Value, ...]) -> None:
    module = contract_module(contract)
    # A trailing underscore is dropped from a method's public name (contracts/dialect/GUIDE.md).
    function = getattr(module, f"{method}_", None) or getattr(module, method)
    encode_value(list(args))
    hints = get_type_hints(function)
    names = list(inspect.signature(function).parameters)
    assert len(args) == len(names), f"{contract}.{method} takes {names}"
    for name, value in zip(names, args, strict=True):
        assert fits(value, hints[name]), f"{contract}.{method}: {name}={value!r}"


def fits(value: Value, kind: object) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is list:
        return isinstance(value, list) and all(fits(item, inner[0]) for item in value)
    if isinstance(kind, type) and is_dataclass(kind):  # a record is given by its fields
        hints = get_type_hints(kind)
        if not isinstance(value, dict) or set(value) != set(hints):
            return False
        return all(fits(value[name], hints[name]) for name in hints)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(map(fits, value, inner))
    return type(value) is kind


def opened(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    """The session that every command opens from now on."""
    fake = FakeSession()

    @contextmanager
    def session(ask: Invocation) -> Iterator[FakeSession]:
        yield fake

    monkeypatch.setattr(Invocation, "session", session)
    return fake
