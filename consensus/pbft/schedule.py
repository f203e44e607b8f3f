"""Whose turn it is: pure functions of what every replica of a view knows alike.

The leader of view v is replica v mod n; it makes the NEW-VIEW and proposes first. After every
`rotate_every` heights the next replica takes over within the same view, without a message: no
primary orders for long (8.1.3d). A turn that falls to a dead replica costs a time-out and a view
change, so the view changes carry who is unfit for one; whoever f + 1 of them name (one of them is
honest) loses its turns for SKIP_ROUNDS rounds of the new view. After that it is offered a turn
again, which costs a short time-out (`timing.TIMEOUT_SILENT_TICKS`) if it is still dead: about
half a second in thousands of blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SKIP_ROUNDS = 16  # a round is one turn of every replica that is not skipped


@dataclass(frozen=True, slots=True)
class Schedule:
    """The turns of one view: `start` is the last height that the NEW-VIEW fixed."""

    view: int
    start: int
    skipped: tuple[int, ...]
    size: int  # of the committee
    rotate_every: int

    @property
    def leader(self) -> int:
        return leader(self.view, self.size)

    def proposer(self, height: int) -> int:
        """Who proposes `height`, which is above `start`."""
        assert height > self.start
        turn = (height - self.start - 1) // self.rotate_every
        first = self.leader
        if not self.skipped:
            return (first + turn) % self.size
        order = [(first + step) % self.size for step in range(self.size)]
        present = [index for index in order if index not in self.skipped]
        skipping_turns = SKIP_ROUNDS * len(present)
        if turn < skipping_turns:
            return present[turn % len(present)]
        return order[(turn - skipping_turns) % self.size]


def leader(view: int, size: int) -> int:
    """Who makes the NEW-VIEW of `view`."""
    return view % size


def skipped_replicas(
    named: Sequence[tuple[int, ...]], *, leader: int, size: int, fault_bound: int
) -> tuple[int, ...]:
    """Who loses its turns: named by f + 1 view changes, at most f, most often named first."""
    counts = [0] * size
    for names in named:
        for index in names:
            counts[index] += 1
    guilty = [i for i in range(size) if counts[i] > fault_bound and i != leader]
    guilty.sort(key=lambda index: (-counts[index], index))
    return tuple(sorted(guilty[:fault_bound]))
