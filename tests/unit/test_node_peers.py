"""Whom the registry lets in: nothing that stands there may stop a node."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.registry import RegisteredNode
from node import peers
from node.peers import peer_table
from p2p.identity import generate_seed, peer_id_of
from p2p.network import Network
from tests.e2e.p2p_world import tls_of
from tests.ledger_world import World

GOOD = peer_id_of(generate_seed())


def node(name: str, peer_id: str, address: str = "") -> RegisteredNode:
    return RegisteredNode(name, "party", bytes(64), peer_id, address, "observer")


def test_a_peer_id_that_is_none_is_left_out_and_the_rest_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "ledger")
    found = (node("good", GOOD, "/ip4/10.0.0.1/tcp/7"), node("bad", "1"), node("worse", "zzzz"))
    monkeypatch.setattr(peers, "nodes_of", lambda reader: found)
    table = peer_table(world.store, {})
    assert set(table) == {"good"}, "the test world's members have made-up peer ids"
    seed = generate_seed()
    network = Network(seed, listen="/ip4/127.0.0.1/tcp/0", peers={}, security=tls_of(seed))
    network.update_allow_list(table)


def test_an_own_address_goes_before_the_one_on_chain_and_an_unfit_one_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "ledger")
    monkeypatch.setattr(peers, "nodes_of", lambda reader: (node("a", GOOD, "/dns/evil"),))
    assert peer_table(world.store, {})["a"].multiaddr == ""
    own = "/ip4/10.0.0.2/tcp/8"
    assert peer_table(world.store, {"a": own})["a"].multiaddr == own
