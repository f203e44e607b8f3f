"""Proof of misbehavior, kept on disk for people (and later for the chain).

Two contradictory messages that one validator signed, or the certificates over which this node
halted. Bounded: whoever misbehaves once may do so for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog
import trio

from consensus.pbft.types import Accuse
from crypto import sm3
from crypto.files import make_directory, replace_file
from ledger.encoding import encode

PER_VALIDATOR_MAX = 16  # one is proof enough; some more show a pattern
QUEUE_MAX = 64  # accusations that wait for the disk; what comes beyond them says nothing new

_log = structlog.get_logger("node.accusations")


class Accusations:
    """Files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting_in, self._waiting = trio.open_memory_channel[Accuse](QUEUE_MAX)

    def accuse(self, accusation: Accuse) -> None:
        """Have it kept soon. Main task; never waits."""
        try:
            self._waiting_in.send_nowait(accusation)
        except trio.WouldBlock:
            return

    async def run(self) -> None:
        """Write what `accuse` hands over, for ever."""
        async for accusation in self._waiting:
            await trio.to_thread.run_sync(self.keep, accusation)

    def keep(self, accusation: Accuse) -> None:
        """Write both messages to equivocation-VALIDATOR-DIGEST.bin; blocks on the disk.

        Together with the genesis they prove the fault to anyone. A failing disk is only logged.
        """
        sender = accusation.first.sender
        data = encode((accusation.first, accusation.second))
        # The digest leaves the signatures out: one contradiction signed anew is no second one.
        said = sm3.digest(accusation.first.message + accusation.second.message).hex()[:16]
        if self._has_room(f"equivocation-{sender}"):
            self._write(f"equivocation-{sender}-{said}.bin", data)

    def keep_halt(self, reason: str, evidence: Sequence[bytes]) -> None:
        """Write what this node halted over, (reason, certificates), to halt-DIGEST.bin."""
        if evidence and self._has_room("halt"):
            digest = sm3.digest(b"".join(evidence)).hex()[:16]
            self._write(f"halt-{digest}.bin", encode((reason, tuple(evidence))))

    def _has_room(self, prefix: str) -> bool:
        return len(list(self._folder.glob(f"{prefix}-*.bin"))) < PER_VALIDATOR_MAX

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        if path.exists():
            return
        try:
            make_directory(self._folder)
            replace_file(path, data)  # proof of a fault: a power failure must not take it
        except OSError as error:
            _log.error("accusation_not_kept", file=str(path), error=str(error))
            return
        _log.error("accusation", file=str(path))
