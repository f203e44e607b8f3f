"""Answers of the chain, narrowed to what a scenario expects of them.

A contract's view answers with contract values. One of another kind than expected means that the
network runs other contracts than the scenario knows, and is told as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ledger.values import Value
from scenarios.record import ScenarioFailed

K = TypeVar("K", str, bytes, int)


def record_of(value: Value) -> Mapping[str, Value]:
    """A record."""
    if not isinstance(value, dict):
        raise _unexpected("a record")
    return {str(name): item for name, item in value.items()}


def list_of(value: Value) -> list[Value]:
    """A list."""
    if not isinstance(value, list | tuple):
        raise _unexpected("a list")
    return list(value)


def field(record: Mapping[str, Value], name: str, kind: type[K]) -> K:
    """The field `name`, of this kind."""
    value = record.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _unexpected(f"{name} as {kind.__name__}")
    return value


def flag(record: Mapping[str, Value], name: str) -> bool:
    """The field `name`, which is true or false."""
    value = record.get(name)
    if not isinstance(value, bool):
        raise _unexpected(f"{name} as true or false")
    return value


def records_in(record: Mapping[str, Value], name: str) -> list[Mapping[str, Value]]:
    """The records in the list `name`."""
    return [record_of(item) for item in list_of(record.get(name))]


def _unexpected(wanted: str) -> ScenarioFailed:
    return ScenarioFailed(
        f"a contract did not answer with {wanted}: the network runs other contracts than this "
        "program brings; make a new one with `shuxin net new`"
    )
