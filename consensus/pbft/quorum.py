"""Counting votes: one per validator, grouped by what they are for."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ledger.model import Signature

Subject = TypeVar("Subject", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Vote(Generic[Subject]):
    subject: Subject
    signature: bytes


class Votes(Generic[Subject]):
    """The first vote of each validator; a second one for something else is a contradiction."""

    __slots__ = ("_contradicted", "_counts", "_votes")

    def __init__(self) -> None:
        self._votes: dict[int, Vote[Subject]] = {}
        self._counts: dict[Subject, int] = {}
        self._contradicted: set[int] = set()

    def add(self, validator: int, subject: Subject, signature: bytes) -> Vote[Subject] | None:
        """Count a vote. Returns the earlier one if this contradicts it (once per validator)."""
        earlier = self._votes.get(validator)
        if earlier is None:
            self._votes[validator] = Vote(subject, signature)
            self._counts[subject] = self._counts.get(subject, 0) + 1
            return None
        if earlier.subject == subject or validator in self._contradicted:
            return None
        self._contradicted.add(validator)
        return earlier

    def count(self, subject: Subject) -> int:
        return self._counts.get(subject, 0)

    def vote_of(self, validator: int) -> Vote[Subject] | None:
        return self._votes.get(validator)

    def dissenters(self, subject: Subject) -> tuple[int, ...]:
        """Who voted for something else, ascending."""
        if self._counts.get(subject, 0) == len(self._votes):
            return ()
        return tuple(v for v in sorted(self._votes) if self._votes[v].subject != subject)

    def signatures(self, subject: Subject, quorum: int) -> tuple[Signature, ...]:
        """A quorum's signatures for `subject`, of the lowest indexes that gave one."""
        return tuple(
            Signature(validator=validator, signature=self._votes[validator].signature)
            for validator in sorted(self._votes)
            if self._votes[validator].subject == subject
        )[:quorum]

    def voters(self, subject: Subject) -> tuple[int, ...]:
        """Who voted for `subject`, ascending."""
        return tuple(
            validator
            for validator in sorted(self._votes)
            if self._votes[validator].subject == subject
        )
