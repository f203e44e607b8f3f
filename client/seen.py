"""How far a node has got, as its answers show: by this a cluster sees which nodes lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from client.node import ChainEvent
from ledger.history.pages import Page

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a node, or the caller's knowledge, has got."""

    certified: int = 0
    head: int = 0

    def joined(self, other: Seen) -> Seen:
        return Seen(max(self.certified, other.certified), max(self.head, other.head))

    def covers(self, other: Seen) -> bool:
        return self.certified >= other.certified and self.head >= other.head


def page_seen(page: Page[R]) -> Seen:
    """A history is of certified heights only."""
    return certified_at(page.height)


def certified_at(height: int) -> Seen:
    return Seen(certified=height, head=height)


def complete_below(event: ChainEvent) -> int:
    """The last height that is certified for sure when `event` comes."""
    return event.height if event.name else max(0, event.height - 1)
