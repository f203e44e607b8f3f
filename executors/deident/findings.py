"""Columns that hold identifiers though the plan does not say so (未声明的标识符)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crypto import sm3
from executors.deident import plan as plans
from executors.deident.identifiers import UNIQUE, kinds_in
from executors.deident.treatments import is_pseudonym, is_suppressed

UNIQUE_ROWS_MIN: Final = 20  # in a shorter file, values that differ say nothing
UNIQUE_ROWS_SEEN: Final = 20_000  # after so many without a second one it is taken for unique
MARK_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """`cells` of the column hold an identifier of this kind."""

    column: str
    kind: str
    cells: int


class Watch:
    """Looks at every cell that the plan does not call an identifier; remembers counts, no values.

    Of declared identifiers it tells whether any is left: a cell that is neither empty, suppressed
    nor a pseudonym by the plan.
    """

    def __init__(self, header: Sequence[str], plan: plans.Plan | None) -> None:
        self._rows = 0
        self._names = tuple(header)
        self._counts: dict[tuple[int, str], int] = {}
        self._seen: dict[int, set[bytes]] = {}
        self._full: set[int] = set()
        self._left: dict[int, int] = {}
        self._allowed: dict[int, tuple[str, ...]] = {}
        self._pseudonyms: set[int] = set()
        self._watched: list[int] = []
        for at, name in enumerate(self._names):
            column = None if plan is None else plan.columns[name]
            if column is not None and column.kind == plans.IDENTIFIER:
                self._left[at] = 0
                if column.treatment.name == "pseudonym":
                    self._pseudonyms.add(at)
                continue
            self._watched.append(at)
            self._allowed[at] = () if column is None else column.allowed
            if column is None or column.kind == plans.OTHER:
                self._seen[at] = set()

    def see(self, row: Sequence[str]) -> None:
        """Takes one row into account."""
        self._rows += 1
        for at in self._watched:
            for kind in set(kinds_in(row[at])):
                self._counts[at, kind] = self._counts.get((at, kind), 0) + 1
        for at in self._left:
            cell = row[at]
            is_hidden = at in self._pseudonyms and is_pseudonym(cell)
            self._left[at] += not (is_hidden or is_suppressed(cell))
        for at in [*self._seen]:
            self._see_unique(at, row[at])

    def identifiers_left(self) -> Mapping[str, int]:
        """Declared identifiers that are still readable: how many cells of each column."""
        return {self._names[at]: count for at, count in self._left.items() if count}

    def findings(self) -> list[Finding]:
        """What was found and not allowed, by column and kind."""
        counts = dict(self._counts)
        if self._rows >= UNIQUE_ROWS_MIN:
            for at in (*self._seen, *self._full):
                counts[at, UNIQUE] = self._rows
        return [
            Finding(self._names[at], kind, count)
            for (at, kind), count in sorted(counts.items())
            if kind not in self._allowed[at]
        ]

    def _see_unique(self, at: int, cell: str) -> None:
        seen = self._seen[at]
        mark = sm3.digest(cell.encode())[:MARK_BYTES]
        if mark in seen or is_suppressed(cell):
            del self._seen[at]
            return
        seen.add(mark)
        if len(seen) == UNIQUE_ROWS_SEEN:
            del self._seen[at]
            self._full.add(at)
