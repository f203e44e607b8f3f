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
    """`validators` order the heights above `base`, up to the base of the next epoch.

    `domain` is what they sign for: the chain id, or after a recovery what its plan makes of it
    (ledger.recovery), so that no signature from before the plan counts above its height.
    """

    base: int
    validators: ValidatorSet
    domain: bytes


class Epochs:
    """All epochs that are decided, oldest first. Immutable: any thread may read it.

    Committees are decided by blocks, recoveries (height, domain) by people. A recovery begins an
    epoch of the committee that serves then. It may be known before the block at its height is.
    """

    __slots__ = ("_committees", "_epochs", "_recoveries")

    def __init__(
        self, committees: Sequence[Epoch], recoveries: Sequence[tuple[int, bytes]] = ()
    ) -> None:
        assert committees and committees[0].base == 0, "the first epoch is that of the genesis"
        bases = [epoch.base for epoch in committees]
        assert bases == sorted(set(bases)), "epochs follow each other"
        heights = [height for height, _ in recoveries]
        assert heights == sorted(heights), "what was agreed stays"
        self._committees = tuple(committees)
        self._recoveries = tuple(recoveries)
        self._epochs = tuple(self._epoch(base) for base in sorted({*bases, *heights}))

    def with_next(self, epoch: Epoch) -> Epochs:
        """These and one more committee."""
        return Epochs((*self._committees, epoch), self._recoveries)

    def with_recovery(self, height: int, domain: bytes) -> Epochs:
        """These, and above `height` another domain."""
        return Epochs(self._committees, (*self._recoveries, (height, domain)))

    def _epoch(self, base: int) -> Epoch:
        committee = [epoch for epoch in self._committees if epoch.base <= base][-1]
        domains = [domain for height, domain in self._recoveries if height <= base]
        domain = domains[-1] if domains else self._committees[0].domain
        return Epoch(base, committee.validators, domain)

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
        """The committee that is decided last; it may not have begun."""
        return self._committees[-1]

    @property
    def decided(self) -> tuple[Epoch, ...]:
        """Those that the genesis and blocks decided, without what recoveries began."""
        return self._committees

    @property
    def all(self) -> tuple[Epoch, ...]:
        return self._epochs


def effective_base(decided_at: int, window: int) -> int:
    """The base of the epoch that the block at `decided_at` decides."""
    return decided_at + window


def deciding_height(base: int, window: int) -> int:
    """The height of the block that decided the epoch with this base."""
    return base - window
