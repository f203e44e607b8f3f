"""A node reads committee and nodes from state as the contract wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from contracts.registry import (
    DecidedCommittee,
    RegisteredNode,
    RegistryDamaged,
    committee_at,
    committee_of,
    confirmations_awaited,
    nodes_of,
    touches_committee,
    touches_confirmations,
    touches_nodes,
)
from contracts.vm.state import StateKey
from ledger.model import StateWrite, ValidatorSet
from tests.business import ORGANIZATIONS, digest, node_public, peer_of, validator
from tests.council import CONFIRM_MS, FOUNDERS, WINDOW, Council

GENESIS = ValidatorSet(tuple(validator(party) for party in ORGANIZATIONS))


class Reader:
    """A state, and how often it was asked."""

    def __init__(self, state: Mapping[StateKey, bytes]) -> None:
        self.state = dict(state)
        self.reads = 0

    def get(self, namespace: str, key: bytes) -> bytes | None:
        self.reads += 1
        return self.state.get((namespace, key))


def reader(council: Council) -> Reader:
    return Reader(council.chain.state)


def writes_of(before: Reader, after: Reader) -> Sequence[StateWrite]:
    keys = before.state.keys() | after.state.keys()
    return [
        StateWrite(namespace, key, after.state.get((namespace, key)))
        for namespace, key in sorted(keys)
        if before.state.get((namespace, key)) != after.state.get((namespace, key))
    ]


def test_the_committee_of_the_genesis_orders_from_the_first_height_on() -> None:
    state = reader(Council())
    assert committee_of(state) == DecidedCommittee(1, GENESIS)  # type: ignore[arg-type]
    assert committee_at(state, 1) == committee_at(state, 10**9) == GENESIS
    assert [node.name for node in nodes_of(state)] == list(FOUNDERS)
    assert {node.status for node in nodes_of(state)} == {"validator"}


def test_a_chain_without_governance_has_no_committee_and_no_nodes() -> None:
    empty = Reader({("governance2", b"\x91\xa9committee"): b"\x90"})
    assert committee_of(empty) is None
    assert committee_at(empty, 5) is None
    assert nodes_of(empty) == ()
    assert confirmations_awaited(empty, node_public("node-bureau")) == ()


def test_a_decided_committee_is_read_with_the_height_that_it_begins_at() -> None:
    council = Council()
    council.admitted("node-bank")
    council.decided("add_validator", "node-bank")
    decided = committee_of(reader(council))
    assert decided is not None
    assert decided.first_height == council.chain.height + WINDOW + 1
    after = ValidatorSet((*GENESIS.validators, validator("bank")))
    assert decided.validators == after
    state = reader(council)
    assert committee_at(state, decided.first_height - 1) == GENESIS
    assert committee_at(state, decided.first_height) == after


def test_nodes_are_read_as_registered_and_dismissed_ones_are_gone() -> None:
    council = Council()
    council.admitted("node-bank")
    council.do("bank", "governance", "set_address", "node-bank", "/ip4/10.0.0.1/tcp/7")
    bank = RegisteredNode(
        "node-bank",
        "bank",
        node_public("node-bank"),
        peer_of("node-bank"),
        "/ip4/10.0.0.1/tcp/7",
        "observer",
    )
    assert nodes_of(reader(council))[-1] == bank
    council.voted("dismiss_observer", "node-bank")
    assert [node.name for node in nodes_of(reader(council))] == list(FOUNDERS)


def test_a_confirmation_is_awaited_from_each_new_member_until_it_is_given_or_late() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("add_validator", "node-bank")
    bank = node_public("node-bank")
    assert confirmations_awaited(reader(council), bank) == ()
    for who in ("opco", "health"):
        council.do(who, "proposal", "approve", proposal_id)
    state = reader(council)
    for name in (*FOUNDERS, "node-bank"):
        assert confirmations_awaited(state, node_public(name)) == (proposal_id,)
    assert confirmations_awaited(state, node_public("node-stranger")) == ()
    now_ms = council.now_ms
    assert confirmations_awaited(state, bank, now_ms=now_ms) == (proposal_id,)
    assert confirmations_awaited(state, bank, now_ms=now_ms + CONFIRM_MS) == ()
    council.confirm("node-bank", proposal_id)
    assert confirmations_awaited(reader(council), bank) == ()
    for name in FOUNDERS[:3]:
        council.confirm(name, proposal_id)
    assert confirmations_awaited(reader(council), node_public(FOUNDERS[3])) == ()


def test_the_writes_of_a_block_say_what_has_to_be_read_anew() -> None:
    council = Council()
    before = reader(council)
    council.do("bank", "evidence", "record", "e", "aggregation.collected", "x", digest("x"), "")
    after = reader(council)
    assert touched(writes_of(before, after)) == (False, False, False)
    before, _ = after, council.admitted("node-bank")
    after = reader(council)
    assert touched(writes_of(before, after)) == (False, True, False)
    before, proposal_id = after, council.voted("add_validator", "node-bank")
    after = reader(council)
    assert touched(writes_of(before, after)) == (False, False, True)
    for name in FOUNDERS[:3]:
        council.confirm(name, proposal_id)
    before, _ = reader(council), council.confirm("node-bank", proposal_id)
    assert touched(writes_of(before, reader(council))) == (True, True, True)
    elsewhere = [StateWrite("other", write.key, b"") for write in writes_of(before, after)]
    assert touched(elsewhere) == touched(()) == (False, False, False)


def touched(writes: Sequence[StateWrite]) -> tuple[bool, bool, bool]:
    return touches_committee(writes), touches_nodes(writes), touches_confirmations(writes)


def test_little_is_read() -> None:
    council = Council()
    council.admitted("node-bank")
    council.voted("add_validator", "node-bank")
    state = reader(council)
    committee_of(state)
    assert state.reads == 2
    confirmations_awaited(state, node_public("node-bank"))
    assert state.reads == 4
    nodes_of(state)
    assert state.reads == 4 + 1 + 5


def test_a_damaged_variable_is_told_from_an_absent_one() -> None:
    state = reader(Council())
    for key in [key for key in state.state if key[0] == "governance"]:
        damaged = Reader(state.state)
        damaged.state[key] = b"\xc1"
        if key[1].startswith((b"\x91\xa9committee", b"\x91\xaecommittee_from")):
            with pytest.raises(RegistryDamaged, match="verify the ledger"):
                committee_of(damaged)
        if b"node_names" in key[1] or b"node_by_name" in key[1]:
            with pytest.raises(RegistryDamaged, match="verify the ledger"):
                nodes_of(damaged)
            del damaged.state[key]
            if b"node_by_name" in key[1]:
                with pytest.raises(RegistryDamaged, match="does not hold it"):
                    nodes_of(damaged)
