"""What a node reads of the contract `identity` from state, without running the VM.

As contracts.registry does for `governance`: the contract (contracts/system/identity.py) declares
the variables; here their stored form is read. A chain without the contract has no roots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from contracts.registry import RegistryDamaged
from contracts.vm.declare import Storage
from contracts.vm.host import StateReader
from contracts.vm.keys import key_part, key_prefix
from contracts.vm.limits import STORED_VALUE_SIZE_MAX
from contracts.vm.types import BYTES, INT, STR
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import Address, Record, StateWrite

IDENTITY: Final = "identity"  # the contract, and so the namespace of its state
_S = TypeVar("_S")


class RegisteredRoot(Record):
    """A root of an organization; `fingerprint` is SM3 of its DER."""

    organization: str
    name: str
    fingerprint: bytes
    public_key: bytes
    not_after_ms: int
    since: int
    status: str  # active retired


class RegisteredCertificate(Record):
    """A certificate whose key, the account `address`, has a role on the chain."""

    organization: str
    serial: str  # hex
    role: str
    name: str
    address: str
    peer_id: str
    not_before_ms: int
    not_after_ms: int
    fingerprint: bytes
    root: bytes
    since: int
    status: str  # registered revoked


class Revocation(Record):
    """A certificate that counts no more, whatever it says of itself."""

    organization: str
    serial: str  # hex
    reason: str
    by: str
    height: int
    time_ms: int


_ROOT_FINGERPRINTS: Final = key_prefix(Storage("root_fingerprints", (), STR, is_map=False))
_ROOTS: Final = key_prefix(Storage("roots", (BYTES,), STR, is_map=True))
_ROOT_CERTIFICATES: Final = key_prefix(Storage("root_certificates", (BYTES,), STR, is_map=True))
_CERTIFICATES: Final = key_prefix(Storage("certificates", (STR, STR), STR, is_map=True))
_ALIVE: Final = key_prefix(Storage("alive", (STR,), STR, is_map=True))
_ORGANIZATION: Final = key_prefix(Storage("organization_by_address", (STR,), STR, is_map=True))
_REVOCATION_COUNT: Final = key_prefix(Storage("revocation_count", (), INT, is_map=False))
_REVOCATIONS: Final = key_prefix(Storage("revocation_by_number", (INT,), STR, is_map=True))


def roots_of(reader: StateReader) -> tuple[RegisteredRoot, ...]:
    """The active roots in order of entry. Raises RegistryDamaged."""
    return tuple(_root(reader, fingerprint) for fingerprint in _fingerprints(reader))


def is_root_known(reader: StateReader, fingerprint: bytes) -> bool:
    """Was this root ever admitted, whether it is believed now or not?"""
    return reader.get(IDENTITY, _ROOTS + key_part(fingerprint)) is not None


def root_certificates_of(reader: StateReader) -> tuple[bytes, ...]:
    """The DER of the active roots, in the same order. Raises RegistryDamaged."""
    found = []
    for fingerprint in _fingerprints(reader):
        der = _read(reader, _ROOT_CERTIFICATES + key_part(fingerprint), bytes)
        if der is None:
            raise RegistryDamaged(f"identity lacks the root {fingerprint.hex()} that it names")
        found.append(der)
    return tuple(found)


def revocations_of(reader: StateReader, *, known: int = 0) -> Iterator[Revocation]:
    """What was revoked, in order, but for the `known` first. Raises RegistryDamaged."""
    count = _read(reader, _REVOCATION_COUNT, int) or 0
    for number in range(known, count):
        found = _read(reader, _REVOCATIONS + key_part(number), Revocation)
        if found is None:
            raise RegistryDamaged(f"identity counts {count} revocations, but lacks {number}")
        yield found


def certificates_of(
    reader: StateReader, address: Address, *, now_ms: int
) -> tuple[RegisteredCertificate, ...]:
    """The certificates that give an account roles at a time: in their time, neither revoked nor
    of a retired root. Whether their organization is active is not judged here.

    Raises RegistryDamaged.
    """
    organization = _read(reader, _ORGANIZATION + key_part(address), str)
    if organization is None:
        return ()
    serials = _read(reader, _ALIVE + key_part(address), tuple[str, ...]) or ()
    found = [_certificate(reader, organization, serial) for serial in serials]
    return tuple(
        one
        for one in found
        if one.status == "registered"
        and one.not_before_ms <= now_ms < one.not_after_ms
        and _root(reader, one.root).status == "active"
    )


def touches_trust(writes: Sequence[StateWrite]) -> bool:
    """Did a block with these writes admit or retire a root, or revoke a certificate?"""
    return any(
        write.namespace == IDENTITY and write.key in (_ROOT_FINGERPRINTS, _REVOCATION_COUNT)
        for write in writes
    )


def _fingerprints(reader: StateReader) -> tuple[bytes, ...]:
    return _read(reader, _ROOT_FINGERPRINTS, tuple[bytes, ...]) or ()


def _root(reader: StateReader, fingerprint: bytes) -> RegisteredRoot:
    found = _read(reader, _ROOTS + key_part(fingerprint), RegisteredRoot)
    if found is None:
        raise RegistryDamaged(f"identity names the root {fingerprint.hex()}, but does not hold it")
    return found


def _certificate(reader: StateReader, organization: str, serial: str) -> RegisteredCertificate:
    key = _CERTIFICATES + key_part(organization) + key_part(serial)
    found = _read(reader, key, RegisteredCertificate)
    if found is None:
        raise RegistryDamaged(f"identity names certificate {serial}, but does not hold it")
    return found


def _read(reader: StateReader, key: bytes, kind: type[_S]) -> _S | None:
    raw = reader.get(IDENTITY, key)
    if raw is None:
        return None
    try:
        return decode(raw, kind, size_max=STORED_VALUE_SIZE_MAX)
    except DecodeError as error:
        raise RegistryDamaged(f"identity: {error}; verify the ledger of this node") from None
