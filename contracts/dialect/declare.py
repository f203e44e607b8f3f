"""Declarations: stored records and the methods that the world may call."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")
# A decorator keeps the whole signature, whatever it is; nothing of it is ever called through Any.
F = TypeVar("F", bound=Callable[..., Any])


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """The one class form: a frozen record of annotated fields, for stored and passed values."""
    return dataclasses.dataclass(frozen=True)(cls)


def replace(value: T, **changes: object) -> T:
    """A copy of the record `value` with some fields changed."""
    return cast(T, dataclasses.replace(cast(Any, value), **changes))


def init(function: F) -> F:
    """Runs once, at deployment, with the deployment's arguments."""
    return function


def call(function: F) -> F:
    """A method that transactions and other contracts may call."""
    return function


def view(function: F) -> F:
    """A read-only method: answers queries and other contracts; writes and emits nothing."""
    return function


def migrate(function: F) -> F:
    """Runs once, at an upgrade to this code, with the previous sequence number."""
    return function
