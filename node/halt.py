"""The one switch that stops a node: it then orders and executes nothing.

A node halts when going on would make things worse: its state contradicts a quorum's, its disk
takes no more votes, or its contract engine fails again and again. The process stays, so that an
operator finds a node that says why instead of one that starts over and over. Two kinds of halt have
a cure that the node knows: a ledger that is damaged, or differs from the quorum's, is rebuilt
(node.repair).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from consensus.pbft.types import HaltKind

_log = structlog.get_logger("node.halt")

OnHalt = Callable[[str, Sequence[bytes]], None]


class HaltSwitch:
    """Thrown once, never reset but by a restart. Main task throws it; any thread may look."""

    def __init__(self) -> None:
        self._reason = ""
        self._kind: HaltKind | None = None
        self._listeners: list[OnHalt] = []

    @property
    def reason(self) -> str:
        """Why the node halted; empty while it has not."""
        return self._reason

    @property
    def kind(self) -> HaltKind | None:
        """None before a halt, and for faults of this machine: its disk, its contract engine."""
        return self._kind

    @property
    def is_curable(self) -> bool:
        """Halted because of what stands in the ledger: it is unfit to read, and can be rebuilt."""
        return self._kind in (HaltKind.DIVERGED, HaltKind.DAMAGED)

    @property
    def is_halted(self) -> bool:
        return bool(self._reason)

    def on_halt(self, listener: OnHalt) -> None:
        """Call `listener(reason, evidence)` when it happens. It must neither wait nor raise."""
        self._listeners.append(listener)

    def halt(
        self, reason: str, evidence: Sequence[bytes] = (), *, kind: HaltKind | None = None
    ) -> None:
        """Stop; the first reason stays. `evidence`: encoded certificates."""
        if self._reason:
            return
        assert reason, "a node that halts says why"
        self._reason = reason
        self._kind = kind
        _log.critical("halted", reason=reason, evidence=len(evidence))
        for listener in self._listeners:
            listener(reason, evidence)
