"""What the chain says of certificates: whom links believe (8.1.6a), and which roles accounts have.

The contract `identity` keeps roots and revocations, `governance` and the committees whose node has
which peer id. All of it is read from state after a block that changed it, so that a revocation
counts on every node with the block that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from contracts.identities import (
    IDENTITY,
    certificates_of,
    is_root_known,
    revocations_of,
    root_certificates_of,
)
from contracts.parties import is_active, party_of
from contracts.registry import nodes_of
from contracts.vm.host import StateReader
from crypto.errors import CertificateRefused
from crypto.x509.read import Certificate, read_certificate
from ledger.genesis import Genesis
from ledger.model import Address
from ledger.store import Store
from ledger.values import Value, decode_value
from p2p.tls.policy import TransportPolicy

_log = structlog.get_logger("node.identity")


@dataclass(frozen=True, slots=True)
class Certified:
    """What certificates make of an account: nothing of a stranger.

    It speaks in these roles and never for the organization as a party: that takes an account of
    the party (contracts.parties).
    """

    organization: str = ""
    roles: frozenset[str] = frozenset()  # crypto.x509.profile.Role


UNCERTIFIED = Certified()


def certified(reader: StateReader, address: Address, *, now_ms: int) -> Certified:
    """By the good certificates of an account, as `identity.standing` tells it on the chain.

    `now_ms` is the time of the newest block. Raises RegistryDamaged.
    """
    found = certificates_of(reader, address, now_ms=now_ms)
    if not found:
        return UNCERTIFIED
    organization = found[0].organization  # an address has one for ever
    party = party_of(reader, address)
    if not is_active(reader, organization) or (party is not None and party.id != organization):
        return UNCERTIFIED
    return Certified(organization, frozenset(one.role for one in found))


def genesis_policy(genesis: Genesis, also: Sequence[Certificate] = ()) -> TransportPolicy:
    """Whom to believe as long as nothing is known of the chain but its beginning.

    `also` are roots that the operator vouches for: they were admitted later.
    """
    roots = list(also)
    for contract in genesis.contracts:
        if contract.name == IDENTITY:
            roots += _read(_ders(decode_value(contract.args)))
    members = genesis.validators.validators
    return TransportPolicy(
        roots=tuple(roots), organizations={member.peer_id: member.party for member in members}
    )


class TrustWatch:
    """Whom this node's links believe, as of the newest block. Main task only."""

    def __init__(self, store: Store, also: Sequence[Certificate] = ()) -> None:
        """`also` are roots that the operator vouches for; of each one the chain has the say as soon
        as this node's ledger has come to the block that admitted it. Raises RegistryDamaged."""
        self._store = store
        self._also = tuple(also)
        self._revoked: set[tuple[str, int]] = set()
        self._revocations_known = 0
        self._policy = self._read()

    @property
    def policy(self) -> TransportPolicy:
        """As of the last `follow`."""
        return self._policy

    def follow(self) -> bool:
        """Read anew after a block that may have changed it; says whether it did.

        Raises RegistryDamaged.
        """
        before, self._policy = self._policy, self._read()
        return self._policy != before

    def _read(self) -> TransportPolicy:
        # Revocations are final and numbered: only new ones are read.
        for revocation in revocations_of(self._store, known=self._revocations_known):
            self._revoked.add((revocation.organization, int(revocation.serial, 16)))
            self._revocations_known += 1
        self._also = tuple(
            root for root in self._also if not is_root_known(self._store, root.fingerprint)
        )
        return TransportPolicy(
            roots=(*_read(root_certificates_of(self._store)), *self._also),
            revoked=frozenset(self._revoked),
            organizations=_organizations(self._store),
        )


def _ders(args: Value) -> Iterable[bytes]:
    """The roots among the arguments of the contract's init (contracts.bundle.init_args)."""
    for entries in args if isinstance(args, list) else ():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, list) and isinstance(entry[-1], bytes):
                yield entry[-1]


def _read(roots: Iterable[bytes]) -> list[Certificate]:
    """Those in the form of ours: the contract reads less than nodes do."""
    found = []
    for der in roots:
        try:
            root = read_certificate(der)
        except CertificateRefused as error:
            _log.error("root_unfit", reason=str(error), advice="propose to retire it")
            continue
        found.append(root)
    return found


def _organizations(store: Store) -> dict[str, str]:
    """Peer id -> organization, of nodes in the registry and of who orders now or will."""
    found = {node.peer_id: node.party for node in nodes_of(store)}
    for epoch in store.epochs.all:
        if epoch.base >= store.current_epoch.base:
            for member in epoch.validators.validators:
                found.setdefault(member.peer_id, member.party)
    return found
