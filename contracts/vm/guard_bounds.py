"""Bounds that several guards share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from contracts.vm import limits
from contracts.vm.codes import Code, Stop
from contracts.vm.values import text_size

Guard: TypeAlias = Callable[..., Any]

WALK_SIZE_MAX = 1 << 40  # no bound but gas: comparisons store nothing


def overflow() -> NoReturn:
    raise Stop(Code.arithmetic, "an integer beyond +-2**256")


def within(value: int) -> int:
    if not -limits.INT_BOUND <= value <= limits.INT_BOUND:
        overflow()
    return value


def bounded_text(value: Any) -> Any:
    """A str or bytes within its bound."""
    if text_size(value) > limits.TEXT_SIZE_MAX:
        raise Stop(Code.value_limit, "a text is too long")
    return value


def bounded_list(length: int) -> None:
    if length > limits.LIST_LENGTH_MAX:
        raise Stop(Code.value_limit, "a list is too long")
