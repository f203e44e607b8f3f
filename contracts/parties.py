"""What a node reads of the contract `parties` from state, without running the VM.

As contracts.registry does for `governance`: the contract (contracts/system/parties.py) declares
the variables; here their stored form is read.
"""

from __future__ import annotations

from typing import Final, TypeVar

from contracts.registry import RegistryDamaged
from contracts.vm.declare import Storage
from contracts.vm.host import StateReader
from contracts.vm.keys import key_part, key_prefix
from contracts.vm.limits import STORED_VALUE_SIZE_MAX
from contracts.vm.types import STR
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import Address, Record
from ledger.recovery import Party

_S = TypeVar("_S")

PARTIES: Final = "parties"  # the contract, and so the namespace of its state
_PARTY: Final = key_prefix(Storage("parties", (STR,), STR, is_map=True))
_PARTY_BY_ADDRESS: Final = key_prefix(Storage("party_by_address", (STR,), STR, is_map=True))
_KEEPERS: Final = key_prefix(Storage("keepers", (STR,), STR, is_map=True))


class _Party(Record):
    id: str
    name: str
    roles: tuple[str, ...]
    accounts: tuple[str, ...]
    since: int
    status: str
    reason: str
    organization: str
    selected_by: str
    approved_by: str


def party_of(reader: StateReader, address: Address) -> Party | None:
    """The party for which an account may speak now. Raises RegistryDamaged."""
    named = reader.get(PARTIES, _PARTY_BY_ADDRESS + key_part(address))
    if named is None:
        return None
    party_id = _decoded(named, str)
    party = _party(reader, party_id)
    if party is None:
        raise RegistryDamaged(f"parties: {address} is of {party_id}, which is not there")
    if address not in party.accounts:
        return None
    return Party(party.id, party.status == "active", "manager" in party.roles)


def is_keeper(reader: StateReader, address: Address) -> bool:
    """May the account replace lost accounts of an active party, and do nothing else?

    It speaks for nobody, so `party_of` does not know it. Raises RegistryDamaged.
    """
    named = reader.get(PARTIES, _PARTY_BY_ADDRESS + key_part(address))
    if named is None:
        return False
    party_id = _decoded(named, str)
    keeper = reader.get(PARTIES, _KEEPERS + key_part(party_id))
    return keeper is not None and _decoded(keeper, str) == address and is_active(reader, party_id)


def is_active(reader: StateReader, party_id: str) -> bool:
    """Is the party known and active? Raises RegistryDamaged."""
    party = _party(reader, party_id)
    return party is not None and party.status == "active"


def _party(reader: StateReader, party_id: str) -> _Party | None:
    stored = reader.get(PARTIES, _PARTY + key_part(party_id))
    return None if stored is None else _decoded(stored, _Party)


def _decoded(raw: bytes, kind: type[_S]) -> _S:
    try:
        return decode(raw, kind, size_max=STORED_VALUE_SIZE_MAX)
    except DecodeError as error:
        raise RegistryDamaged(f"parties: {error}; verify the ledger of this node") from None
