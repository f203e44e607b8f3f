"""The nonces of headers that were shown, for as long as their times would be believed again."""

from __future__ import annotations

import threading
from collections import Counter, deque

from ledger.access import WINDOW_MS
from node import refusals
from node.refusals import Refusal

# 400,000 take some 50 MB: 3,300 calls a second, which is beyond what a node answers.
NONCES_MAX = 400_000
# One holder cannot take the memory of all: 800 calls a second for two windows.
NONCES_OF_ONE_MAX = 100_000
STEP_MS = 5_000  # nonces are forgotten together, of so much time


class Nonces:
    """Thread safe. What was remembered is refused until nobody would believe its time."""

    def __init__(self, *, all_max: int = NONCES_MAX, of_one_max: int = NONCES_OF_ONE_MAX) -> None:
        self._all_max = all_max
        self._of_one_max = of_one_max
        self._lock = threading.Lock()
        self._seen: set[bytes] = set()
        self._held: Counter[str] = Counter()
        self._steps: deque[tuple[int, list[tuple[str, bytes]]]] = deque()

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, nonce: bytes, *, holder: str, public_key: bytes, at_ms: int) -> None:
        """Remember one of a key. It is counted to `holder`: an address, or "" for all strangers.

        `at_ms` is of a clock that nobody sets. Raises Refusal: it was taken before, or there is no
        room to remember it.
        """
        entry = public_key[:16] + nonce
        with self._lock:
            self._forget(at_ms)
            if entry in self._seen:
                raise Refusal(
                    refusals.ACCESS_REPLAYED, "this header was used before: sign each call anew"
                )
            if len(self._seen) >= self._all_max or self._held[holder] >= self._of_one_max:
                raise Refusal(
                    refusals.ACCESS_BUSY, "more calls than this node can tell apart: slow down"
                )
            self._seen.add(entry)
            self._held[holder] += 1
            self._step(at_ms).append((holder, entry))

    def _step(self, at_ms: int) -> list[tuple[str, bytes]]:
        if not self._steps or at_ms - self._steps[-1][0] >= STEP_MS:
            self._steps.append((at_ms, []))
        return self._steps[-1][1]

    def _forget(self, at_ms: int) -> None:
        """A claim's time is at most a window ahead, and is believed until a window behind."""
        while self._steps and at_ms - self._steps[0][0] > 2 * WINDOW_MS + STEP_MS:
            for holder, entry in self._steps.popleft()[1]:
                self._seen.discard(entry)
                self._held[holder] -= 1
                if not self._held[holder]:
                    del self._held[holder]
