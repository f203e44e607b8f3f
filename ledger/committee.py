"""Which committee orders which height: epochs, decided on chain long before they begin.

A change that the block at height h decides takes effect at h + window + 1: nobody votes more
than a window above what it executed, so no height in flight changes hands. The last block of an
epoch is certified by its own committee, and the certificate names the next one: a chain of
certificates leads from the genesis to every committee.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.model import ValidatorSet


@dataclass(frozen=True, slots=True)
class Epoch:
    """`validators` order the heights above `base`, up to the base of the next epoch."""

    base: int
    validators: ValidatorSet


class Epochs:
    """All epochs that are decided, oldest first. Immutable: any thread may read it."""

    __slots__ = ("_epochs",)

    def __init__(self, epochs: Sequence[Epoch]) -> None:
        assert epochs and epochs[0].base == 0, "the first epoch is that of the genesis"
        bases = [epoch.base for epoch in epochs]
        assert bases == sorted(set(bases)), "epochs follow each other"
        self._epochs = tuple(epochs)

    def with_next(self, epoch: Epoch) -> Epochs:
        """These and one more."""
        return Epochs((*self._epochs, epoch))

    def at(self, height: int) -> Epoch:
        """The epoch of a height; the genesis block counts to the first.

        True only for heights up to the head + window + 1: what is above may be decided yet.
        """
        for epoch in reversed(self._epochs):
            if height > epoch.base:
                return epoch
        return self._epochs[0]

    def last_of(self, epoch: Epoch) -> int | None:
        """The last height of `epoch`; None while nothing decided one."""
        for later in self._epochs:
            if later.base > epoch.base:
                return later.base
        return None

    def starting_at(self, base: int) -> Epoch | None:
        """The epoch with this base, which a peer may name."""
        for epoch in self._epochs:
            if epoch.base == base:
                return epoch
        return None

    def is_last(self, height: int) -> bool:
        """Does an epoch end with this height?"""
        return height > 0 and self.starting_at(height) is not None

    @property
    def newest(self) -> Epoch:
        """The last one that is decided; it may not have begun."""
        return self._epochs[-1]

    @property
    def all(self) -> tuple[Epoch, ...]:
        return self._epochs


def effective_base(decided_at: int, window: int) -> int:
    """The base of the epoch that the block at `decided_at` decides."""
    return decided_at + window


def deciding_height(base: int, window: int) -> int:
    """The height of the block that decided the epoch with this base."""
    return base - window
