"""What the books have in common: records, and what was found to contradict them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from node.audit.acts.act import Act
from node.audit.acts.forms import Subject
from node.audit.acts.graph import Proof


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`name` is the check, for programs; `proof` the transaction in which it shows."""

    subject: Subject
    name: str
    says: str
    proof: Proof


@dataclass(slots=True)
class Kept:
    """A record: who takes part in it, what it is about, and when it was made and last changed."""

    subject: Subject
    made: Proof
    last_ms: int
    parties: set[str] = field(default_factory=set)
    about: set[Subject] = field(default_factory=set)

    @property
    def id(self) -> str:
        return self.subject[1]


class Faults:
    """What contradicts, in the order of the chain."""

    def __init__(self) -> None:
        self.found: list[Contradiction] = []
        self._counts: Counter[Subject] = Counter()
        self._proof = Proof("", 0, 0, 0)

    def stand_at(self, act: Act) -> Proof:
        """What is found from now on shows in this act."""
        self._proof = Proof(act.transaction, act.height, act.index, act.time_ms)
        return self._proof

    def expect(self, holds: bool, subject: Subject, name: str, says: str) -> bool:
        """Whether it holds; where it does not, `says` is what contradicts."""
        if not holds:
            self.found.append(Contradiction(subject, name, says, self._proof))
            self._counts[subject] += 1
        return holds

    def count(self, subjects: Iterable[Subject]) -> int:
        """How many are about these."""
        return sum(self._counts[subject] for subject in subjects)


def listed(names: Iterable[str]) -> str:
    """For a sentence."""
    return ", ".join(names) or "nobody"
