"""Structured logs of an executor: one JSON object a line, on standard error.

They carry ids, stages, counts and reasons, never a cell, a share or a key.
"""

from __future__ import annotations

import sys
from typing import TypeAlias

import structlog
from structlog.typing import FilteringBoundLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

Log: TypeAlias = FilteringBoundLogger


def new_log(level: str, *, party: str) -> Log:
    """A log whose every line names the party."""
    log: Log = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        party=party,
    )
    return log
