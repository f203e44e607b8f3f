"""t-closeness (Li, Li and Venkatasubramanian, ICDE 2007): how far the sensitive values of a class
are from those of all rows, by the earth mover's distance.

Numbers are ordered: two neighbours in the order of all values are 1 / (m - 1) apart, m being how
many different ones there are. Other values are all 1 apart. Distances are fractions of whole
numbers, so equal files give equal figures everywhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import accumulate

NUMBER_LENGTH_MAX = 40  # characters; longer digits are a code, not a quantity


class Distribution:
    """A sensitive column over all rows: codes of values in order of appearance, and their counts.

    `distance` may be asked when all rows have been counted and `close` was called.
    """

    def __init__(self) -> None:
        self.counts: list[int] = []
        self._codes: dict[str, int] = {}
        self._ranks: list[int] = []
        self._below: list[int] = []  # rows with a value of this rank or below
        self._sums: list[int] = []  # of `_below`, before each rank
        self.is_ordered = False
        self.rows = 0

    def code(self, value: str) -> int:
        """The number that stands for a value; counts it."""
        code = self._codes.setdefault(value, len(self.counts))
        if code == len(self.counts):
            self.counts.append(0)
        self.counts[code] += 1
        self.rows += 1
        return code

    def close(self) -> None:
        """All rows are counted: values are forgotten, their order is kept if they are numbers."""
        numbers = _numbers(self._codes)
        self.is_ordered = numbers is not None and len(numbers) > 1
        if numbers is not None and self.is_ordered:
            # 1, 1.0 and 01 are one number: they share a rank.
            rank = {value: at for at, value in enumerate(sorted(set(numbers)))}
            self._ranks = [rank[value] for value in numbers]
            self.is_ordered = len(rank) > 1
            counted = [0] * len(rank)
            for code, count in enumerate(self.counts):
                counted[self._ranks[code]] += count
            self._below = list(accumulate(counted))
            self._sums = [0, *accumulate(self._below)]
        self._codes = {}

    def distance(self, counts: Mapping[int, int]) -> tuple[int, int]:
        """Of a class that has these counts by code, to all rows: a share, as a part and a whole."""
        size = sum(counts.values())
        if self.is_ordered:
            return self._ordered(counts, size)
        more = 0
        for code, count in counts.items():
            more += max(0, count * self.rows - self.counts[code] * size)
        return more, size * self.rows

    def _ordered(self, counts: Mapping[int, int], size: int) -> tuple[int, int]:
        """Between two values of the class, what it has below is constant: each stretch is summed at
        once, so a class costs what its own values cost, not what all values do."""
        by_rank: dict[int, int] = {}
        for code, count in counts.items():
            rank = self._ranks[code]
            by_rank[rank] = by_rank.get(rank, 0) + count
        last = len(self._below) - 1  # at the last rank both have everything below: no distance
        moved, have, start = 0, 0, 0
        for rank in sorted(by_rank):
            moved += self._stretch(start, min(rank, last), have, size)
            have += by_rank[rank]
            start = min(rank, last)
        moved += self._stretch(start, last, have, size)
        return moved, size * self.rows * last

    def _stretch(self, start: int, end: int, have: int, size: int) -> int:
        """The sum over the ranks start to end - 1 of |have * rows - below * size|."""
        if start >= end:
            return 0
        level = have * self.rows
        # Up to here what all rows have below is not more than what the class has.
        split = bisect_right(self._below, level // size, start, end)
        lower = level * (split - start) - (self._sums[split] - self._sums[start]) * size
        upper = (self._sums[end] - self._sums[split]) * size - level * (end - split)
        return lower + upper


def _numbers(values: Mapping[str, int]) -> Sequence[Decimal] | None:
    """The values as numbers in order of appearance; None if one is none."""
    numbers: list[Decimal] = []
    for value in values:
        if len(value) > NUMBER_LENGTH_MAX:
            return None
        try:
            number = Decimal(value)
        except InvalidOperation:
            return None
        if not number.is_finite() or abs(number.adjusted()) > NUMBER_LENGTH_MAX:
            return None
        numbers.append(number)
    return numbers
