"""Business under way: transactions of which some have to wait until others are final.

A case is one piece of business, such as a task, as its stages; the transactions of a stage may go
at once, those of the next one when all of them are final. `Flow` says what may be sent; it knows no
clock and no network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction as it is handed in."""

    id: bytes
    encoded: bytes


Case: TypeAlias = Sequence[Sequence[Signed]]


class Flow:
    """`cases` in their order, `open_max` of them and `window` transactions under way at most."""

    def __init__(self, cases: Sequence[Case], *, open_max: int, window: int) -> None:
        assert all(case and all(case) for case in cases), "a stage without transactions never ends"
        self._cases = cases
        self._open_max = open_max
        self._window = window
        self._next = 0  # case that has not begun
        self._open: dict[int, int] = {}  # case -> stage that it is at
        self._left: dict[int, int] = {}  # case -> transactions of that stage not final yet
        self._ready: deque[tuple[int, Signed]] = deque()
        self._out: dict[bytes, int] = {}  # transaction under way -> case
        self.ended = 0  # transactions that are final

    @property
    def is_done(self) -> bool:
        return not self._open and self._next == len(self._cases)

    def due(self, count_max: int) -> list[Signed]:
        """What to send now."""
        while len(self._open) < self._open_max and self._next < len(self._cases):
            self._begin(self._next, stage=0)
            self._next += 1
        room = min(count_max, self._window - len(self._out), len(self._ready))
        batch = [self._ready.popleft() for _ in range(room)]
        self._out |= {item.id: case for case, item in batch}
        return [item for _, item in batch]

    def note(self, final: Container[bytes]) -> None:
        """Transactions in `final` are final: what waited for them may go."""
        done = [transaction for transaction in self._out if transaction in final]
        self.ended += len(done)
        for transaction in done:
            case = self._out.pop(transaction)
            self._left[case] -= 1
            if self._left[case] == 0:
                stage = self._open.pop(case) + 1
                if stage < len(self._cases[case]):
                    self._begin(case, stage=stage)

    def _begin(self, case: int, *, stage: int) -> None:
        transactions = self._cases[case][stage]
        self._open[case] = stage
        self._left[case] = len(transactions)
        self._ready.extend((case, item) for item in transactions)
