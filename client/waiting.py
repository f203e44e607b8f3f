"""Who asks what waits for a party (client/work.py): an account, what it may read, and how.

Pages are read oldest first; of a list that has grown too long, the newest records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from client.pages import View, page_of
from ledger.values import Key, Value

PAGE: Final = 100  # what the system contracts give in one answer
RECORDS_MAX: Final = 10_000  # of one list, the newest: what is older hardly waits
LENGTH_MAX: Final = 1 << 40  # records; no chain of blocks has a longer list

Row = Mapping[Key, Value]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An act that is due. `due_ms` is 0 where no time is set."""

    what: str
    subject: str
    about: str
    due_ms: int
    command: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: an account, its active party and that one's roles."""

    view: View
    address: str
    party: str
    roles: frozenset[str]

    def rows(
        self, contract: str, method: str = "list", *args: Value, page: int = PAGE
    ) -> Iterator[Row]:
        def ask(offset: int, limit: int) -> list[Value]:
            return page_of(self.view, contract, method, *args, offset=offset, limit=limit)

        offset, found = 0, ask(0, page)
        if len(found) == page and (older := _length(ask) - RECORDS_MAX) > 0:
            offset, found = older, ask(older, page)
        stop = offset + RECORDS_MAX + page  # for a node whose list has no end
        while found and offset < stop:
            yield from (row for row in found if isinstance(row, dict))
            offset += page
            found = ask(offset, page) if len(found) == page else []

    def supervises(self, party: str, stage: str) -> bool:
        return self.view("oversight", "supervises", self.party, party, stage) is True


def reader_of(view: View, address: str) -> Reader | None:
    """None if the account speaks for no active party."""
    party, roles = _standing(view("parties", "standing", address))
    return Reader(view, address, party, roles) if party else None


def waiting(what: str, subject: str, about: str, command: str, due_ms: int = 0) -> Waiting:
    return Waiting(what, subject, about, due_ms, f"shuxin {command}")


def items(value: Value) -> tuple[Value, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()


def field(value: Value, name: str) -> Value:
    return value.get(name) if isinstance(value, dict) else None


def text(row: Row, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def number(row: Row, name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) else 0


def _standing(value: Value) -> tuple[str, frozenset[str]]:
    party, roles = items(value) if len(items(value)) == 2 else ("", ())
    names = frozenset(name for name in items(roles) if isinstance(name, str))
    return (party if isinstance(party, str) else ""), names


def _length(ask: Callable[[int, int], list[Value]]) -> int:
    """How many records a list has, if more than RECORDS_MAX; else anything up to that."""
    known, beyond = 0, RECORDS_MAX
    while beyond < LENGTH_MAX and ask(beyond, 1):
        known, beyond = beyond, 2 * beyond
    while known and beyond - known > 1:
        middle = (known + beyond) // 2
        known, beyond = (middle, beyond) if ask(middle, 1) else (known, middle)
    return beyond
