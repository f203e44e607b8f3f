"""Structured logs: one JSON object a line, on standard error, from a level on that may change."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _Threshold:
    """Lets through what is loud enough now. The loggers' own filter is made once and for all."""

    def __init__(self) -> None:
        self.level = "info"

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if LEVELS.get(method, logging.CRITICAL) < LEVELS[self.level]:
            raise structlog.DropEvent
        return event


_threshold = _Threshold()


def level() -> str:
    """What is logged from on."""
    return _threshold.level


def set_level(name: str) -> None:
    """Log from another level on, also where logging has begun. Any thread."""
    assert name in LEVELS, "whoever asks for a level has looked at LEVELS"
    _threshold.level = name


def configure(level: str) -> None:
    """Set up structlog for a daemon and keep libraries that chatter to warnings."""
    set_level(level)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    structlog.configure(
        processors=[
            _threshold,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
