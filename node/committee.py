"""Who is who: committee indexes, names and peer ids."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.model import ValidatorSet


class NotAMember(Exception):
    """This node's key or name is not in the committee of the genesis."""


@dataclass(frozen=True, slots=True)
class Committee:
    """The validator set seen from one member."""

    validators: ValidatorSet
    index: int  # our own

    @classmethod
    def of(cls, validators: ValidatorSet, public_key: bytes, name: str) -> Committee:
        """Raises NotAMember, which says what does not fit."""
        for index, validator in enumerate(validators.validators):
            if validator.name == name:
                if validator.public_key != public_key:
                    raise NotAMember(
                        f"the genesis lists {name} with another consensus key: check "
                        "keys.consensus_key and genesis in the configuration"
                    )
                return cls(validators, index)
        raise NotAMember(f"the genesis lists no validator named {name}: check node.name")

    @property
    def own_peer_id(self) -> str:
        return self.validators.validators[self.index].peer_id

    def peer_id(self, index: int) -> str:
        return self.validators.validators[index].peer_id

    def index_of(self, peer_id: str) -> int | None:
        for index, validator in enumerate(self.validators.validators):
            if validator.peer_id == peer_id:
                return index
        return None

    @property
    def others(self) -> tuple[int, ...]:
        return tuple(i for i in range(self.validators.size) if i != self.index)
