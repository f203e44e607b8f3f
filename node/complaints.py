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
        now = self._now()
        with self._lock:
            told = self._told.get((event, peer))
            if told is not None and now - told.at_s < INTERVAL_S:
                told.untold += 1
                return
            untold = told.untold if told is not None else 0
            self._told[event, peer] = _Told(now)
        self._log.warning(event, peer=peer, reason=reason, untold=untold)
