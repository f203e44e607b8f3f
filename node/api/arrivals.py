"""Calls whose request has not come yet: each holds a thread, and gRPC lets it do so for ever.

Nobody is known before the request is there, since the header covers its bytes: no quota counts
them. So they have little time, and less where they hold so many threads that others want.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final

import grpc

LOOK_S: Final = 0.5  # between two looks at who is late
REQUEST_S: Final = 15.0  # for all of a request: as long as our clients wait for the answer
PRESSED_S: Final = 1.0  # where half of the threads wait: a request comes with its call, mostly


class Arrivals:
    """Thread safe."""

    def __init__(self, threads: int, now_s: Callable[[], float]) -> None:
        self._waiting_max = threads // 2
        self._now_s = now_s
        self._lock = threading.Lock()
        self._since: dict[grpc.ServicerContext, float] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._since)

    def first(self, requests: Iterator[object], context: grpc.ServicerContext) -> object:
        """The one request of a call, None where there is none. Raises what `requests` raises."""
        with self._lock:
            self._since[context] = self._now_s()
        try:
            return next(requests, None)
        finally:
            with self._lock:
                del self._since[context]

    def cut_late(self) -> None:
        """End the calls that keep their threads waiting."""
        with self._lock:
            now = self._now_s()
            waiting = len(self._since)
            late: list[grpc.ServicerContext] = []
            for context, since in self._since.items():
                is_pressed = waiting - len(late) > self._waiting_max
                if now - since < (PRESSED_S if is_pressed else REQUEST_S):
                    break
                late.append(context)
        for context in late:
            # `first` raises then, on the thread of the call. The stubs leave this one bare.
            context.cancel()  # type: ignore[no-untyped-call]

    def watch(self, ending: threading.Event) -> None:
        """Cut late calls until `ending`, on a thread of its own: all others may be held."""
        while not ending.wait(LOOK_S):
            self.cut_late()
