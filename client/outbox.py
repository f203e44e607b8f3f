"""What was handed in and is not final yet, so that another node can be given the same bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

# Of what one client keeps. Beyond, the oldest are let go of: they can still be waited for, only
# not handed in a second time. Bytes: as much as a node's pool holds by default.
COUNT_MAX = 20_000
BYTES_MAX = 32 << 20


@dataclass(frozen=True, slots=True)
class Sent:
    """An encoded transaction, and the place of the node that took it."""

    data: bytes
    holder: int


class Outbox:
    """By transaction id. Thread safe."""

    def __init__(self, *, count_max: int = COUNT_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._sent: OrderedDict[bytes, Sent] = OrderedDict()
        self._bytes = 0

    def keep(self, wanted: bytes, sent: Sent) -> None:
        with self._lock:
            self._drop(wanted)
            self._sent[wanted] = sent
            self._bytes += len(sent.data)
            while len(self._sent) > self._count_max or self._bytes > self._bytes_max:
                self._drop(next(iter(self._sent)))

    def find(self, wanted: bytes) -> Sent | None:
        with self._lock:
            return self._sent.get(wanted)

    def let_go(self, wanted: bytes) -> None:
        """Its fate is known."""
        with self._lock:
            self._drop(wanted)

    def _drop(self, wanted: bytes) -> None:
        gone = self._sent.pop(wanted, None)
        if gone is not None:
            self._bytes -= len(gone.data)
