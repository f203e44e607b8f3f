"""What a block decides about the committee, read from what it wrote."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from contracts.registry import RegistryDamaged, committee_of, touches_committee
from contracts.vm.host import StateReader
from ledger.committee import Epoch, Epochs, effective_base
from ledger.errors import REMEDY, LedgerDamaged
from ledger.model import StateWrite
from ledger.store import Store

_log = structlog.get_logger("node.epochs")


class StateAfter:
    """The state after a block that is not stored yet."""

    def __init__(self, before: StateReader, writes: Sequence[StateWrite]) -> None:
        self._before = before
        self._values = {(write.namespace, write.key): write.value for write in writes}

    def get(self, namespace: str, key: bytes) -> bytes | None:
        if (namespace, key) in self._values:
            return self._values[namespace, key]
        return self._before.get(namespace, key)


def decided_epoch(
    height: int,
    before: StateReader,
    writes: Sequence[StateWrite],
    epochs: Epochs,
    *,
    window: int,
) -> Epoch | None:
    """The epoch that the block at `height` decided; None for nearly all blocks.

    The contract keeps to the rules. Should another code of it not do so, what does not fit is no
    decision, alike on every node: a committee that is unfit, or a second one before the first
    took effect.
    """
    if not touches_committee(writes):
        return None
    try:
        decided = committee_of(StateAfter(before, writes))
    except RegistryDamaged as error:
        _log.error("committee_unreadable", height=height, reason=str(error))
        return None
    if decided is None or decided.validators == epochs.newest.validators:
        return None
    if epochs.newest.base >= height:
        _log.error("committee_ignored", height=height, reason="one waits to take effect")
        return None
    base = effective_base(height, window)
    return Epoch(base, decided.validators, epochs.newest.domain)


def check_coming(store: Store) -> None:
    """A committee that waits to take over is stored as the contract decided it.

    No block names it yet, so a scrub cannot tell. Raises LedgerDamaged.
    """
    coming = store.epochs.newest
    if coming.base <= store.height:
        return
    try:
        decided = committee_of(store)
    except RegistryDamaged as error:
        raise LedgerDamaged(str(error), height=store.height) from None
    if decided is None or decided.first_height != coming.base + 1:
        return  # the contract said something since that was no decision, see above
    if decided.validators != coming.validators:
        raise LedgerDamaged(
            f"the committee stored for the heights above {coming.base} is not the one that the "
            f"contract governance decided; {REMEDY}",
            height=store.height,
        )
