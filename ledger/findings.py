"""What an examination of a ledger found: more than the first contradiction, and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import LedgerDamaged
from ledger.model import Record

# More say nothing new: what is damaged in a hundred places comes from peers as a whole.
FINDINGS_MAX = 100

HISTORY = "history"  # blocks and what belongs to them; the state is not touched
STATE = "state"  # values, or the tree over them: what this node would execute on
INDEX = "index"  # where blocks and transactions stand
BOOKS = "books"  # what says where the ledger stands
FILE = "file"  # bytes of a file, whatever they mean
JOURNAL = "journal"  # votes, which no peer can give back
ACCESS = "access"  # who asked this node what, which no peer has either


class Finding(Record):
    """One contradiction. `offset` is that of the damaged part in `file`; -1: it has none."""

    area: str
    text: str
    height: int = -1
    file: str = ""
    offset: int = -1


@dataclass(slots=True)
class Findings:
    """Collects; what comes beyond the bound is only counted."""

    all: list[Finding] = field(default_factory=list)
    more: int = 0

    def add(self, finding: Finding) -> None:
        if finding in self.all:
            return
        if len(self.all) < FINDINGS_MAX:
            self.all.append(finding)
        else:
            self.more += 1

    @contextmanager
    def noting(self, area: str, height: int | None = None) -> Iterator[None]:
        """Damage that ends the block becomes a finding, and what follows it goes on."""
        try:
            yield
        except LedgerDamaged as damage:
            place = damage.height if damage.height is not None else height
            self.add(Finding(area, str(damage), -1 if place is None else place))

    @property
    def is_state_sound(self) -> bool:
        """Whether what a node executes on, and where it stands, is not concerned."""
        return all(found.area not in (STATE, BOOKS) for found in self.all)

    def of_ledger(self, ledger: Path) -> bool:
        """Whether anything is wrong that making the ledger anew mends."""
        return any(
            found.area in (HISTORY, STATE, INDEX, BOOKS) or ledger in Path(found.file).parents
            for found in self.all
        )

    def raise_first(self) -> None:
        """Raises LedgerDamaged if there is any."""
        if self.all:
            first = self.all[0]
            raise LedgerDamaged(first.text, height=first.height if first.height >= 0 else None)
