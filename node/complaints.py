"""Complaints about peers in the log: one line now and then, however much a faulty peer sends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

INTERVAL_S = 10.0  # between two lines of one kind about one peer: a flood must not fill the disk


@dataclass(slots=True)
class _Told:
    at_s: float
    untold: int = 0


class Complaints:
    """Thread safe. Memory is bounded by kinds times members: strangers do not get this far."""

    def __init__(self, logger: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._log = structlog.get_logger(logger)
        self._now = now
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], _Told] = {}

    def complain(self, event: str, *, peer: str, reason: str) -> None:
        """Log a warning about `peer`, or count it; the next line says how many were counted."""
        untold = self.due(event, peer)
        if untold is not None:
            self._log.warning(event, peer=peer, reason=reason, untold=untold)

    def due(self, event: str, about: str) -> int | None:
        """None if this is only to be counted; else how many were counted since the last line."""
        now = self._now()
        with self._lock:
            told = self._told.get((event, about))
            if told is not None and now - told.at_s < INTERVAL_S:
                told.untold += 1
                return None
            self._told[event, about] = _Told(now)
            return told.untold if told is not None else 0
