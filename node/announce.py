"""Tells threads that wait (receipts, event streams) that the certified height has moved."""

from __future__ import annotations

import threading
import time


class Announcer:
    """One condition for all waiters; the main task announces, gRPC threads wait."""

    def __init__(self, certified_height: int) -> None:
        self._condition = threading.Condition()
        self._certified_height = certified_height
        self._closed = False

    @property
    def certified_height(self) -> int:
        return self._certified_height

    @property
    def closed(self) -> bool:
        """The height will not move any more: the node halted or is stopping."""
        return self._closed

    def announce(self, certified_height: int) -> None:
        with self._condition:
            if certified_height > self._certified_height:
                self._certified_height = certified_height
                self._condition.notify_all()

    def close(self) -> None:
        """Wake everybody for the last time."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def wait_above(self, height: int, timeout_s: float) -> bool:
        """True as soon as the certified height exceeds `height`; False when time is over."""
        deadline = time.monotonic() + timeout_s
        with self._condition:
            while self._certified_height <= height and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._condition.wait(left)
            return self._certified_height > height
