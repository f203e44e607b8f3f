"""What the chain says of a caller, and which levels that makes at this node.

Read from the state after the newest block with every call, so that who was suspended, replaced or
revoked is out with the block that says so.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.identities import certificates_of
from contracts.parties import is_keeper, party_of
from contracts.registry import nodes_of
from contracts.vm.host import StateReader
from ledger.model import Address, address_of
from ledger.store import Store
from node import refusals
from node.api.levels import Level
from node.identity import certified
from node.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Standing:
    """Of an account on the chain. `party` is "" for a stranger; `roles` are of certificates."""

    party: str = ""
    is_active: bool = False  # the party, as far as the account speaks for it
    is_manager: bool = False
    roles: frozenset[str] = frozenset()


STRANGER = Standing()


def levels_of(standing: Standing, *, own_party: str) -> frozenset[Level]:
    """What a standing makes of a caller at a node of `own_party`."""
    levels = {Level.PUBLIC}
    if standing.is_active or standing.roles:
        levels.add(Level.MEMBER)
    if "auditor" in standing.roles or (standing.is_active and standing.is_manager):
        levels.add(Level.AUDITOR)
    if standing.is_active and standing.party == own_party != "":
        levels.add(Level.OPERATOR)
    return frozenset(levels)


@dataclass(frozen=True, slots=True)
class _Registry:
    """The registered nodes after a block."""

    height: int
    party_by_account: Mapping[Address, str]
    own_party: str


class Standings:
    """Thread safe; reads the store of one node."""

    def __init__(self, store: Store, public_key: bytes) -> None:
        """`public_key` is the consensus key of this node: its party is that of its operators."""
        self._store = store
        self._account = address_of(public_key)
        self._lock = threading.Lock()
        self._registry = _Registry(-1, {}, "")

    def levels(self, address: Address, certificate: bytes = b"") -> frozenset[Level]:
        """Of an account now; by one of its certificates alone, if a fingerprint is given.

        Raises Refusal for a certificate that is not good, RegistryDamaged, LedgerDamaged.
        """
        with self._store.head_snapshot() as state:
            registry = self._nodes(state, state.statement.height)
            standing = standing_of(
                state, address, certificate=certificate, now_ms=state.statement.time_ms
            )
            has_duty = address in registry.party_by_account or is_keeper(state, address)
        if standing == STRANGER and has_duty:
            # A node speaks for itself on the chain, also where its party is suspended. A keeper
            # speaks for nobody, but has to be heard to replace a lost account.
            return frozenset({Level.PUBLIC, Level.MEMBER})
        return levels_of(standing, own_party=registry.own_party)

    def _nodes(self, state: StateReader, height: int) -> _Registry:
        with self._lock:
            known = self._registry
        if known.height == height:
            return known
        parties = {address_of(node.public_key): node.party for node in nodes_of(state)}
        found = _Registry(height, parties, parties.get(self._account, ""))
        with self._lock:
            self._registry = found
        return found


def standing_of(
    state: StateReader, address: Address, *, certificate: bytes, now_ms: int
) -> Standing:
    """What the contracts say of an account, whose certificates are judged at the chain's time.

    Raises RegistryDamaged, and Refusal for a `certificate` that is not among the good ones.
    """
    held = certified(state, address, now_ms=now_ms)
    party = party_of(state, address)
    if not certificate:
        if party is None:
            return Standing(held.organization, roles=held.roles)
        return Standing(party.id, party.is_active, party.is_manager, held.roles)
    good = certificates_of(state, address, now_ms=now_ms) if held.roles else ()
    roles = frozenset(one.role for one in good if one.fingerprint == certificate)
    if not roles:
        raise Refusal(
            refusals.ACCESS_CERTIFICATE,
            "the header names a certificate that is not registered for its key, or is revoked, "
            "over, or of a retired root: see `shuxin certificate list`",
        )
    return Standing(held.organization, roles=roles)
