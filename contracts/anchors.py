"""What a node reads of the contract `evidence` from state, without running the VM.

As contracts.registry does for `governance`: the contract (contracts/system/evidence.py) declares
the variables; here their stored form is read.
"""

from __future__ import annotations

from typing import Final, TypeVar

from contracts.registry import RegistryDamaged
from contracts.vm.host import StateReader
from contracts.vm.limits import STORED_VALUE_SIZE_MAX
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import Address, Record
from ledger.values import encode_value

EVIDENCE: Final = "evidence"  # the contract, and so the namespace of its state
_T = TypeVar("_T")


class AccessAnchor(Record):
    """A closed file of a node's access log; the contract says what the fields are."""

    account: str
    number: int
    first: int
    last: int
    head: bytes
    opened_ms: int
    height: int
    time_ms: int
    tx_id: bytes


def anchored_key(account: Address) -> bytes:
    """Where the number of the newest anchor of a node stands."""
    return encode_value(["access_anchored", account])


def anchor_key(account: Address, number: int) -> bytes:
    return encode_value(["access_anchors", account, number])


def newest_anchor(reader: StateReader, account: Address) -> AccessAnchor | None:
    """The newest one of a node. Raises RegistryDamaged."""
    number = read_number(reader.get(EVIDENCE, anchored_key(account)))
    return None if number == 0 else read_anchor(reader.get(EVIDENCE, anchor_key(account, number)))


def read_number(stored: bytes | None) -> int:
    """What stands under `anchored_key`. Raises RegistryDamaged."""
    return 0 if stored is None else _decoded(stored, int)


def read_anchor(stored: bytes | None) -> AccessAnchor:
    """What stands under `anchor_key`. Raises RegistryDamaged, also where nothing does."""
    if stored is None:
        raise RegistryDamaged("evidence: an anchor is counted, but is not there")
    return _decoded(stored, AccessAnchor)


def _decoded(stored: bytes, kind: type[_T]) -> _T:
    try:
        return decode(stored, kind, size_max=STORED_VALUE_SIZE_MAX)
    except DecodeError as error:
        raise RegistryDamaged(f"evidence: {error}; verify the ledger of this node") from None
