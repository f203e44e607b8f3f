"""The one switch that stops a node: it then orders and executes nothing, and answers reads.

A node halts when going on would make things worse: its state contradicts a quorum's, its disk
takes no more votes, or its contract engine fails again and again. The process stays, so that an
operator finds a node that says why instead of one that starts over and over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

_log = structlog.get_logger("node.halt")

OnHalt = Callable[[str, Sequence[bytes]], None]


class HaltSwitch:
    """Thrown once, never reset but by a restart. Main task throws it; any thread may look."""

    def __init__(self) -> None:
        self._reason = ""
        self._listeners: list[OnHalt] = []

    @property
    def reason(self) -> str:
        """Why the node halted; empty while it has not."""
        return self._reason

    @property
    def is_halted(self) -> bool:
        return bool(self._reason)

    def on_halt(self, listener: OnHalt) -> None:
        """Call `listener(reason, evidence)` when it happens. It must neither wait nor raise."""
        self._listeners.append(listener)

    def halt(self, reason: str, evidence: Sequence[bytes] = ()) -> None:
        """Stop for good; the first reason stays. `evidence`: encoded certificates."""
        if self._reason:
            return
        assert reason, "a node that halts says why"
        self._reason = reason
        _log.critical("halted", reason=reason, evidence=len(evidence))
        for listener in self._listeners:
            listener(reason, evidence)
