"""A step of the business, and who may take it; `tests/unit/test_system_roles.py` tries them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ledger.values import Value
from tests.business import Business


@dataclass(frozen=True, slots=True)
class Step:
    """A call with the parties that may make it; `code` is what the others are told."""

    contract: str
    method: str
    prepare: Callable[[Business], object]
    args: Callable[[Business], list[Value]]
    allowed: tuple[str, ...]
    code: str  # for parties that lack the role or the right
    peer_code: str = ""  # for parties of the right role that this matter does not concern

    def __str__(self) -> str:
        return f"{self.contract}.{self.method}"


def nothing(_business: Business) -> None:
    """The step needs no earlier one."""


def fixed(*args: Value) -> Callable[[Business], list[Value]]:
    return lambda _business: list(args)
