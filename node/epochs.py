"""What a block decides about the committee, read from what it wrote."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from contracts.registry import committee_of
from ledger.committee import Epoch, Epochs, effective_base
from ledger.errors import DecodeError
from ledger.model import StateWrite

_log = structlog.get_logger("node.epochs")


class _Written:
    """The writes of one block, as state to read."""

    def __init__(self, writes: Sequence[StateWrite]) -> None:
        self._values = {(write.namespace, write.key): write.value for write in writes}

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self._values.get((namespace, key))


def decided_epoch(
    height: int, writes: Sequence[StateWrite], epochs: Epochs, *, window: int
) -> Epoch | None:
    """The epoch that the block at `height` decided; None for nearly all blocks.

    The contract keeps to the rules. Should another code of it not do so, what does not fit is no
    decision, alike on every node: a committee that is unfit, or a second one before the first
    took effect.
    """
    try:
        decided = committee_of(_Written(writes))
    except DecodeError as error:
        _log.error("committee_unreadable", height=height, reason=str(error))
        return None
    if decided is None or decided.validators == epochs.newest.validators:
        return None
    if epochs.newest.base >= height:
        _log.error("committee_ignored", height=height, reason="one waits to take effect")
        return None
    return Epoch(effective_base(height, window), decided.validators)
