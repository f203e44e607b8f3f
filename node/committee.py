"""Who is who: the committee in office, its indexes, names and peer ids, seen from one node."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.committee import Epoch
from ledger.model import ValidatorSet


class NotAMember(Exception):
    """The committee ties this node's name or key to another: the configuration mixes two nodes."""


@dataclass(frozen=True, slots=True)
class Office:
    """One epoch and our place in it; handed to threads, which must not see it change."""

    epoch: Epoch
    index: int | None  # our own; None: an observer, with a full copy and without a vote

    @property
    def validators(self) -> ValidatorSet:
        return self.epoch.validators

    @property
    def domain(self) -> bytes:
        """What is signed for in this epoch."""
        return self.epoch.domain

    @property
    def base(self) -> int:
        return self.epoch.base

    def peer_id(self, index: int) -> str:
        return self.validators.validators[index].peer_id

    def index_of(self, peer_id: str) -> int | None:
        for index, validator in enumerate(self.validators.validators):
            if validator.peer_id == peer_id:
                return index
        return None


class Committee:
    """The office that is held now. One object for all parts of a node; main task only."""

    def __init__(self, epoch: Epoch, *, public_key: bytes, name: str) -> None:
        """Raises NotAMember, which says what does not fit."""
        self._public_key = public_key
        self._name = name
        self.office = self.office_in(epoch)

    def enter(self, epoch: Epoch) -> Office:
        """From now on this epoch's committee orders."""
        self.office = self.office_in(epoch)
        return self.office

    def office_in(self, epoch: Epoch) -> Office:
        """Our place in any epoch."""
        for index, validator in enumerate(epoch.validators.validators):
            has_key, has_name = (
                validator.public_key == self._public_key,
                validator.name == self._name,
            )
            if has_key and has_name:
                return Office(epoch, index)
            if has_name:
                raise NotAMember(
                    f"the committee lists {self._name} with another consensus key: check "
                    "keys.consensus_key and genesis in the configuration"
                )
            if has_key:
                raise NotAMember(
                    f"the committee lists this node's consensus key as {validator.name}: check "
                    "node.name in the configuration"
                )
        return Office(epoch, None)

    @property
    def validators(self) -> ValidatorSet:
        return self.office.validators

    @property
    def index(self) -> int | None:
        """Our own index; None for an observer."""
        return self.office.index

    def peer_id(self, index: int) -> str:
        return self.office.peer_id(index)

    @property
    def others(self) -> tuple[int, ...]:
        """All members but us."""
        return tuple(i for i in range(self.validators.size) if i != self.index)
