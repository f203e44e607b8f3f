"""One call's way through the nodes: whom to ask next, when to pause, when to give up."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from client.errors import ClientError, NodesUnavailable, NodeUnavailable, Refused

BEHIND: Final = "node.behind"  # ours: the node has not seen yet what the caller has
# After every node was asked in vain. From a fraction of a node's restart (seconds) to well below
# the patience; drawn anew each time, so that many clients do not come back at once.
PAUSE_FIRST_S: Final = 0.1
PAUSE_MAX_S: Final = 2.0
PAUSE_GROWTH: Final = 2.0

# Refusals about the node's moment: the same node may answer soon, another one at once.
PASSING: Final = frozenset(
    {
        "node.busy",
        "node.quota",
        "access.busy",
        "node.stopping",
        "node.subscribers",
        "history.empty",
        BEHIND,
    }
)
# Refusals about the node's condition: another one may answer, this one will not soon.
LASTING: Final = frozenset(
    {
        "node.halted",
        "block.pruned",
        "internal",
        "unknown",
        "query.time",
        "access.time",
        "access.log",
        "history.off",
        "history.damaged",
        "transaction.too_early",  # it lags behind the node that named the height
        "answer.unreadable",
        "answer.inconsistent",
    }
)
_DRAW = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds: `now` never goes back, `pause` returns early when the client is closed."""

    now: Callable[[], float]
    pause: Callable[[float], object]


def is_elsewhere(code: str) -> bool:
    """Whether a refusal with `code` says nothing about what was asked: ask another node."""
    return code in PASSING or code in LASTING


class Trial:
    """Goes round `targets` from the one at `first` until an answer, or until patience is spent."""

    def __init__(
        self, targets: Sequence[str], *, first: int, patience_s: float, clock: Clock
    ) -> None:
        self._targets = targets
        self._first = first
        self._clock = clock
        self._began_s = clock.now()
        self._deadline = self._began_s + patience_s
        self._turns = 0
        self._failures: dict[int, ClientError] = {}

    @property
    def place(self) -> int:
        """Whose turn it is."""
        return (self._first + self._turns) % len(self._targets)

    @property
    def turns(self) -> int:
        """How many were asked in vain."""
        return self._turns

    @property
    def left_s(self) -> float:
        """Of the patience; not negative."""
        return max(0.0, self._deadline - self._clock.now())

    def skip(self) -> None:
        """The next one's turn, without a word about the last."""
        self._turns += 1

    def failed(self, error: ClientError) -> None:
        """The node whose turn it is failed: go on to the next, with a pause after each round.

        Raises `error` when another node would say the same, and the sum of all when no node is
        left that might say something else, or no time.
        """
        if isinstance(error, Refused) and not is_elsewhere(error.code):
            raise error
        self._failures[self.place] = error
        self._turns += 1
        if self.left_s <= 0:
            raise self._spent()
        rounds, rest = divmod(self._turns, len(self._targets))
        if rest:
            return
        if all(isinstance(e, Refused) and e.code in LASTING for e in self._failures.values()):
            raise self._spent()
        pause_s = min(PAUSE_MAX_S, PAUSE_FIRST_S * PAUSE_GROWTH ** (min(rounds, 16) - 1))
        self._clock.pause(min(self.left_s, pause_s * _DRAW.uniform(0.5, 1.0)))

    def _spent(self) -> ClientError:
        """What to tell the caller: every node that was asked, and why it failed."""
        if len(self._targets) == 1:
            return self._failures[0]
        reasons = [(self._targets[at], _reason(e)) for at, e in sorted(self._failures.items())]
        refusals = [e for e in self._failures.values() if isinstance(e, Refused)]
        if len(refusals) == len(reasons) and len({e.code for e in refusals}) == 1:
            asked = ", ".join(target for target, _ in reasons)
            return Refused(refusals[0].code, f"{refusals[0].detail} (so say {asked})")
        return NodesUnavailable(reasons, after_s=self._clock.now() - self._began_s)


def _reason(error: ClientError) -> str:
    return error.detail if isinstance(error, NodeUnavailable) else str(error)
