"""Whole nodes, and a primary that names what no block takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from trio.testing import MockClock

from client.build import build_transaction
from consensus.pbft.messages import PrePrepare
from ledger.encoding import encode
from ledger.genesis import chain_id
from ledger.model import Proposal, Transaction, transaction_id
from node.intake import Rules, check_form
from node.votes import sign_frame
from p2p.limits import Channel
from tests.node_world import Nodes, eventually, quick_clock, running

OTHERS = (1, 2, 3)


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def committee(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


def unfit(committee: Nodes, *, gas_limit: int | None, valid_until: int) -> Transaction:
    return build_transaction(
        committee.account,
        chain_id=chain_id(committee.genesis),
        valid_until=valid_until,
        contract="notes",
        method="write",
        args=["unfit", "x"],
        gas_limit=gas_limit,
    )


def name(committee: Nodes, transaction: Transaction) -> None:
    """Node 0, the primary, proposes it next, and has it at hand for those who ask."""
    reception = committee.node(0).reception
    rules = Rules(chain_id(committee.genesis), committee.genesis.limits)
    item = check_form(encode(transaction), rules=rules)[0]
    reception.pool.set_aside(item, height=reception.store.height)
    proposal = Proposal(reception.store.height + 1, (item.id,), 0, committee.now_ms())
    office = replace(reception.committee.office, index=0)
    frame, _ = sign_frame(PrePrepare(view=0, proposal=proposal), office, reception.provider)
    for index in OTHERS:
        reception.network.send(committee.peer_id(index), Channel.VOTES, frame)


@pytest.mark.parametrize(
    ("gas_limit", "valid_until"), [(10**12, 50), (None, 1 << 60)], ids=["gas", "validity"]
)
async def test_what_one_faulty_primary_names_stops_nobody_and_does_not_come_back(
    committee: Nodes, clock: MockClock, gas_limit: int | None, valid_until: int
) -> None:
    """The chain is idle: nothing that waits in front of it makes a block that would clear it."""
    async with running(committee, 0, *OTHERS):
        first = await committee.hand_in(1, committee.transaction("first"))
        await committee.certified(first, 0, *OTHERS)
        bad = unfit(committee, gas_limit=gas_limit, valid_until=valid_until)
        name(committee, bad)
        wanted = bytes(transaction_id(bad))
        pools = [committee.node(index).reception.pool for index in OTHERS]
        await eventually(lambda: all(wanted in pool for pool in pools))
        await committee.stop(0)
        more = await committee.hand_in(1, committee.transaction("second"))
        await committee.certified(more, *OTHERS)
        store = committee.node(1).store
        named = [h for h in range(1, store.height + 1) if wanted in store.block(h).dropped]
        assert len(named) <= 1, "no other primary names it again"
        assert store.find_transaction(wanted) is None
