"""Whole nodes whose chain changes its limits while they run; one sleeps through it.

In real time, as tests of the committee are.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from client.build import build_transaction
from client.errors import Refused
from ledger.genesis import Limits, chain_id
from ledger.model import Transaction
from node import refusals
from tests.node_world import eventually, running
from tests.unit.test_node_committee import WINDOW, Consortium

pytestmark = pytest.mark.slow

FEWER = 10
EVERY = 20  # heights from snapshot to snapshot
BEAT_MS = 1_000
DEARER = Limits().transaction_gas_max + 1


class Changing(Consortium):
    def limits(self, index: int) -> Limits:
        """Of the block that comes next at the node."""
        node = self.node(index)
        return node.rulebook.at(node.store.height + 1)

    async def grow(self, height: int, *indexes: int) -> None:
        """One block after the other until `height`."""
        store, window = self.node(indexes[0]).store, self.genesis.limits.valid_window
        while store.height < height:
            note = self.transaction(f"grow {store.height}", valid_until=store.height + window)
            await self.certified(await self.hand_in(indexes[0], note), *indexes)

    def dear(self) -> Transaction:
        return build_transaction(
            self.account,
            chain_id=chain_id(self.genesis),
            valid_until=self.node(0).store.height + 100,
            contract="notes",
            method="write",
            args=["dear", "x"],
            gas_limit=DEARER,
        )

    async def submit(self, index: int, transaction: Transaction) -> str:
        """The code of the refusal; "" if the node took it."""
        with self.client(index) as client:
            try:
                await trio.to_thread.run_sync(client.submit, transaction)
            except Refused as refused:
                return refused.code
        return ""


async def test_a_running_network_goes_by_the_limits_of_each_height(tmp_path: Path) -> None:
    network = Changing(tmp_path, size=4, members=4)
    async with running(network, 0, 1, 2, 3) as nursery:
        await network.pass_heights(2, 0, 1, 2, 3)
        assert await network.submit(0, network.dear()) == refusals.GAS_LIMIT
        await network.stop(3)
        changes = (
            ("block_transactions_max", FEWER),
            ("heartbeat_ms", BEAT_MS),
            ("transaction_gas_max", DEARER),
        )
        first = await network.change_parameters(*changes)

        # Nothing is submitted: the nodes let the heights pass that the change waits for.
        await eventually(lambda: network.limits(0).heartbeat_ms == BEAT_MS)
        store = network.node(0).store
        assert store.height >= first - 1
        beaten = store.height + 2
        await eventually(lambda: store.certified_height >= beaten)

        dear = network.dear()
        assert await network.submit(1, dear) == ""
        notes = [network.transaction(f"n{n}", valid_until=500) for n in range(3 * FEWER)]
        ids = await network.hand_in(0, *notes)
        await network.certified(ids, 0, 1, 2)
        blocks = [store.block(height) for height in range(first, store.height)]
        assert max(len(block.transactions) for block in blocks) == FEWER

        await network.start(nursery, 3)
        head = store.certified_height
        late = network.node(3).store
        await eventually(lambda: late.certified_height >= head)
        assert late.statement(head) == store.statement(head)
        assert network.limits(3) == network.limits(0)


async def test_a_node_that_joins_by_snapshot_goes_by_the_changed_limits(tmp_path: Path) -> None:
    limits = Limits(watermark_window=WINDOW, valid_window=16)
    network = Changing(tmp_path, size=4, members=4, limits=limits)
    network.snapshots_every, network.sync_modes[3] = EVERY, "snapshot"
    async with running(network, 0, 1, 2) as nursery:
        first = await network.change_parameters(("block_transactions_max", FEWER))
        assert first < EVERY, "the snapshot is of a chain that changed"
        await network.grow(EVERY + 3, 0, 1, 2)
        made = [network.data_dir(i) / "snapshots" / f"{EVERY}.snapshot" for i in (0, 1, 2)]
        await eventually(lambda: all(path.exists() for path in made))
        await network.start(nursery, 3)
        store = network.node(3).store
        assert store.base > 0, "it has neither the genesis' state nor the change's block"
        assert network.limits(3).block_transactions_max == FEWER

        await network.grow(store.height + 2, 0, 3)
        await network.stop(2)  # now nothing is ordered without the vote of the one that joined
        begun = network.node(0).store.height
        until = begun + limits.valid_window
        notes = [network.transaction(f"n{n}", valid_until=until) for n in range(3 * FEWER)]
        ids = await network.hand_in(3, *notes)
        await network.certified(ids, 0, 1, 3)
        blocks = [store.block(height) for height in range(begun + 1, store.height + 1)]
        assert max(len(block.transactions) for block in blocks) == FEWER
        head = network.node(0).store.certified_height
        await eventually(lambda: store.certified_height >= head)
        assert store.statement(head) == network.node(0).store.statement(head)
