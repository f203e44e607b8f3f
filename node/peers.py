"""Whom this node may be linked with: the registry on chain, and where they listen."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from contracts.registry import nodes_of
from ledger.committee import Epochs
from ledger.store import Store
from p2p.address import parse_address
from p2p.errors import AddressInvalid
from p2p.identity import parse_peer_id
from p2p.network import PeerAddress

_log = structlog.get_logger("node.peers")


def peer_table(store: Store, configured: Mapping[str, str]) -> dict[str, PeerAddress]:
    """Name -> peer, of every node that may be linked with this one (also our own entry).

    Observers and validators of the registry, and who orders now or will: one that was expelled
    votes until the next epoch begins. An address in our configuration counts before the one on
    chain: an operator may know a better way to a peer. On a chain without a registry, the members.
    """
    addresses: dict[str, str] = {}
    table: dict[str, PeerAddress] = {}
    for node in nodes_of(store):
        addresses[node.name] = node.address
        table[node.name] = PeerAddress(node.peer_id, "")
    for name, peer_id in _members(store.epochs, store.current_epoch.base):
        table.setdefault(name, PeerAddress(peer_id, ""))
    return {
        name: PeerAddress(peer.peer_id, _address(name, configured, addresses))
        for name, peer in table.items()
        if _is_peer_id(name, peer.peer_id)
    }


def warn_of_gaps(
    table: Mapping[str, PeerAddress], configured: Mapping[str, str], own_name: str
) -> None:
    """Say once, at the start, what an operator may have forgotten."""
    for name in sorted(configured.keys() - table.keys()):
        _log.warning("peer_unknown", name=name, advice="no node of this name is registered")
    for name, peer in sorted(table.items()):
        if not peer.multiaddr and name != own_name:
            _log.warning("peer_missing", name=name, advice="add its address to [network.peers]")
    if own_name not in table:
        _log.warning(
            "not_registered",
            name=own_name,
            advice="no peer lets this node in before `shuxin proposal admit-observer` is approved",
        )


def _members(epochs: Epochs, base: int) -> list[tuple[str, str]]:
    return [
        (validator.name, validator.peer_id)
        for epoch in epochs.all
        if epoch.base >= base
        for validator in epoch.validators.validators
    ]


def _is_peer_id(name: str, peer_id: str) -> bool:
    """The contract looks at its letters only: what is none must not stop every node at once."""
    try:
        parse_peer_id(peer_id)
    except AddressInvalid as error:
        _log.error("peer_id_unfit", name=name, reason=str(error))
        return False
    return True


def _address(name: str, configured: Mapping[str, str], on_chain: Mapping[str, str]) -> str:
    """The first of the two that can be dialed; empty if none can."""
    for address in (configured.get(name, ""), on_chain.get(name, "")):
        try:
            if address:
                parse_address(address)
                return address
        except AddressInvalid as error:
            _log.warning("peer_address", name=name, reason=str(error))
    return ""
