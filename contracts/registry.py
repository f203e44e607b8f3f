"""What a node reads of the contract `governance` from state, without running the VM.

The contract (contracts/system/governance.py) declares the variables; here their stored form is
read. A chain without the contract has no such variables and gives None or nothing. What is there
was written by the contract, so that anything else is a damaged store: `RegistryDamaged`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from contracts.vm.declare import Storage
from contracts.vm.host import StateReader
from contracts.vm.keys import key_part, key_prefix
from contracts.vm.limits import STORED_VALUE_SIZE_MAX
from contracts.vm.types import STR
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import Height, Record, StateWrite, Validator, ValidatorSet, address_of

GOVERNANCE: Final = "governance"  # the contract, and so the namespace of its state
_S = TypeVar("_S")


class RegistryDamaged(Exception):
    """A variable of the contract `governance` is not what its source declares."""


@dataclass(frozen=True, slots=True)
class DecidedCommittee:
    """The committee decided last; it orders from `first_height` on, which may be to come."""

    first_height: Height
    validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class RegisteredNode:
    """An observer or a validator. `address` is a multiaddr, or "" where none is known."""

    name: str
    party: str
    public_key: bytes
    peer_id: str
    address: str
    status: str  # observer validator


class _Node(Record):
    name: str
    party: str
    public_key: bytes
    peer_id: str
    address: str
    status: str
    seated: int


class _Change(Record):
    proposal_id: str
    kind: str
    members: tuple[Validator, ...]
    entering: tuple[str, ...]
    leaving: tuple[str, ...]
    expires_ms: int


def _variable(name: str) -> bytes:
    return key_prefix(Storage(name, (), STR, is_map=False))


_COMMITTEE: Final = _variable("committee")
_COMMITTEE_FROM: Final = _variable("committee_from")
_COMMITTEE_BEFORE: Final = _variable("committee_before")
_CHANGE: Final = _variable("change")
_CONFIRMED: Final = _variable("confirmed")
_NODE_NAMES: Final = _variable("node_names")
_NODE_BY_NAME: Final = key_prefix(Storage("node_by_name", (STR,), STR, is_map=True))


def committee_of(reader: StateReader) -> DecidedCommittee | None:
    """The committee that was decided last. Raises RegistryDamaged."""
    members = _read(reader, _COMMITTEE, tuple[Validator, ...])
    first_height = _read(reader, _COMMITTEE_FROM, int)
    if members is None or first_height is None:
        return None
    return DecidedCommittee(Height(first_height), ValidatorSet(members))


def committee_at(reader: StateReader, height: int) -> ValidatorSet | None:
    """The committee that orders `height`, not below that of the state. Raises RegistryDamaged."""
    decided = committee_of(reader)
    if decided is None:
        return None
    if height >= decided.first_height:
        return decided.validators
    before = _read(reader, _COMMITTEE_BEFORE, tuple[Validator, ...])
    return None if before is None else ValidatorSet(before)


def nodes_of(reader: StateReader) -> tuple[RegisteredNode, ...]:
    """Observers and validators in order of entry; a dismissed node is not among them.

    A validator that was expelled still sits in the committee until the next one takes over.
    Raises RegistryDamaged.
    """
    names = _read(reader, _NODE_NAMES, tuple[str, ...]) or ()
    found = []
    for name in names:
        node = _read(reader, _NODE_BY_NAME + key_part(name), _Node)
        if node is None:
            raise RegistryDamaged(f"governance lists the node {name}, but does not hold it")
        found.append(
            RegisteredNode(
                node.name, node.party, node.public_key, node.peer_id, node.address, node.status
            )
        )
    return tuple(found)


def confirmations_awaited(
    reader: StateReader, public_key: bytes, *, now_ms: int = 0
) -> tuple[str, ...]:
    """Approved proposals, at most one, that wait for the member with this consensus key.

    `now_ms` is the time of the latest block; what has run out by then is left out, since its
    confirmation would be refused. Raises RegistryDamaged.
    """
    change = _read(reader, _CHANGE, _Change)
    if change is None or now_ms >= change.expires_ms:
        return ()
    confirmed = _read(reader, _CONFIRMED, tuple[str, ...]) or ()
    account = address_of(public_key)
    for member in change.members:
        if address_of(member.public_key) == account and member.name not in confirmed:
            return (change.proposal_id,)
    return ()


def touches_committee(writes: Sequence[StateWrite]) -> bool:
    """Did a block with these writes decide on a committee?"""
    return any(write.namespace == GOVERNANCE and write.key == _COMMITTEE for write in writes)


def touches_nodes(writes: Sequence[StateWrite]) -> bool:
    """Did a block with these writes admit, dismiss or change a node?"""
    return any(
        write.namespace == GOVERNANCE
        and (write.key == _NODE_NAMES or write.key.startswith(_NODE_BY_NAME))
        for write in writes
    )


def touches_confirmations(writes: Sequence[StateWrite]) -> bool:
    """Did a block with these writes begin or end a wait for confirmations, or take one?"""
    return any(
        write.namespace == GOVERNANCE and write.key in (_CHANGE, _CONFIRMED) for write in writes
    )


def _read(reader: StateReader, key: bytes, kind: type[_S]) -> _S | None:
    raw = reader.get(GOVERNANCE, key)
    if raw is None:
        return None
    try:
        return decode(raw, kind, size_max=STORED_VALUE_SIZE_MAX)
    except DecodeError as error:
        raise RegistryDamaged(f"governance: {error}; verify the ledger of this node") from None
