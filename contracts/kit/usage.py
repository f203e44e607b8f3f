"""What was seen of each contract, over all chains of a test run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.kit.marks import Branch, LineMap


@dataclass(slots=True)
class Usage:
    """One source under one name: how often its lines ran and what they spent."""

    contract: str
    map: LineMap
    hits: Counter[int] = field(default_factory=Counter)  # statements begun, by line
    gas: Counter[int] = field(default_factory=Counter)  # units spent, by line
    taken: Counter[Branch] = field(default_factory=Counter)
    calls: int = 0  # from outside: transactions and views
    beside: int = 0  # gas of those that no line spent: base, arguments, result

    @property
    def lines_gas(self) -> int:
        """All that the lines spent, in gas units."""
        return self.gas.total()

    @property
    def missed_lines(self) -> list[int]:
        """Lines with statements that never ran."""
        return sorted(self.map.lines - self.hits.keys())

    @property
    def missed_branches(self) -> list[Branch]:
        """Ways that were never taken, of branches that were reached."""
        missed = self.map.branches - self.taken.keys()
        reached = (branch for branch in missed if branch.line in self.hits)
        return sorted(reached, key=lambda branch: (branch.line, branch.way))

    @property
    def possible(self) -> int:
        """Lines and ways of branches there are."""
        return len(self.map.lines) + len(self.map.branches)

    @property
    def covered(self) -> int:
        """Lines and ways of branches that ran."""
        return len(self.map.lines & self.hits.keys()) + len(self.taken)


class Ledger:
    """The usages of a test run, in order of first deployment."""

    def __init__(self) -> None:
        self._usages: dict[tuple[str, str], Usage] = {}
        self._maps: dict[str, LineMap] = {}  # by source: chains share what is the same

    def __iter__(self) -> Iterator[Usage]:
        return iter(self._usages.values())

    def named(self, *contracts: str) -> list[Usage]:
        """Those of `contracts` (none: all). Sources of one name follow each other in its order."""
        return [usage for usage in self if not contracts or usage.contract in contracts]

    def usage(self, contract: str, lines: LineMap) -> Usage:
        """That of the source of `lines` under the name `contract`."""
        lines = self._maps.setdefault(lines.source, lines)
        place = contract, lines.source
        if place not in self._usages:
            self._usages[place] = Usage(contract, lines)
        return self._usages[place]


def percent(usages: list[Usage]) -> float:
    """Covered lines and ways of branches per 100 there are; 100 where there are none."""
    possible = sum(usage.possible for usage in usages)
    return 100 * sum(usage.covered for usage in usages) / possible if possible else 100.0
