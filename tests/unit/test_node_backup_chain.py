"""Backups of chains that changed their committee, or went back by a recovery plan: whole nodes,
real signatures, real contracts."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from crypto import sm2
from crypto.providers.software import SoftwareProvider, verify_batch
from ledger.genesis import Limits
from ledger.store import Store
from node.audit import replay
from node.backup import errors
from node.backup.restore import Restored, Target, restore
from node.backup.take import Taken, take
from node.bootstrap import LEDGER
from node.epochs import check_coming
from node.keys import open_consensus_key
from tests.backup_world import ignore, open_door
from tests.node_world import PASSPHRASE, OpenEngine, quick_clock, running
from tests.unit.test_node_committee import WINDOW, Consortium
from tests.unit.test_node_recover import KEPT, agreed, blocks, follow

ALL = (0, 1, 2, 3)
PRIVATE = sm2.generate()


class Vault:
    """Backups of node 0 of a network that stands still."""

    def __init__(self, network: Consortium, name: str = "backup") -> None:
        self.network = network
        self.folder = network.root / name

    def take(self) -> Taken:
        data = self.network.data_dir(0)
        keys = open_consensus_key(self.network.config(0), PASSPHRASE)
        store = Store.open(data / LEDGER)
        try:
            with open_door(data, store, keys=keys):
                return take(
                    data,
                    self.folder,
                    sm2.public_key(PRIVATE),
                    verify_batch=verify_batch,
                    advance=ignore,
                )
        finally:
            store.close()

    def restore(self, data_dir: Path) -> Restored:
        target = Target(data_dir, self.network.genesis, SoftwareProvider(PRIVATE), OpenEngine)
        return restore(self.folder, PRIVATE, target, advance=ignore)

    def check_alike(self, data_dir: Path) -> None:
        """The restored ledger passes a scrub and an audit, and is the one that was backed up."""
        ours = Store.open(self.network.data_dir(0) / LEDGER)
        again = Store.open(data_dir / LEDGER)
        again.scrub()
        check_coming(again)
        assert again.recoveries == ours.recoveries
        assert again.epochs.all == ours.epochs.all
        for height in range(again.height + 1):
            assert again.statement(height) == ours.statement(height)
        ours.close()
        again.close()
        verdict = replay(data_dir, self.network.genesis, advance=lambda done, total: None)
        assert verdict.divergence is None


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


async def test_a_chain_that_went_back_is_restored_with_its_plan(
    tmp_path: Path, clock: MockClock
) -> None:
    limits = Limits(watermark_window=WINDOW, heartbeat_ms=1 << 40)
    network = Consortium(tmp_path, size=4, members=4, limits=limits)
    before, after = Vault(network, "before"), Vault(network, "after")
    async with running(network, *ALL) as nursery:
        await blocks(network, KEPT + 2, *ALL)
        await network.stop(*ALL)
        assert before.take().last == KEPT + 2
        await follow(network, agreed(network), *ALL)
        with pytest.raises(errors.BackupHistoryDiffers, match="recovery plan"):
            before.take()
        await network.start(nursery, *ALL)
        await blocks(network, 3, *ALL)
        await network.stop(*ALL)
    with pytest.raises(errors.BackupHistoryDiffers, match="recovery plan"):
        before.take()
    assert after.take().last == KEPT + 3
    bare = tmp_path / "bare"
    assert after.restore(bare).height == KEPT + 3
    after.check_alike(bare)


@pytest.mark.long
@pytest.mark.slow
async def test_a_chain_whose_committee_changed_is_restored_and_lived_on(tmp_path: Path) -> None:
    network = Consortium(tmp_path, size=5, members=4)
    vault = Vault(network)
    async with running(network, 0, 1, 2, 3, 4) as nursery:
        await network.pass_heights(2, *ALL)
        await network.admit(4)
        await network.decide("add_validator", "node4")
        base = await network.next_base()
        await network.pass_heights(base + 2, *ALL, 4)
        await network.stop(0)
        taken = vault.take()
        assert taken.last > base
        network.data_dir(0).rename(tmp_path / "lost")
        done = await trio.to_thread.run_sync(vault.restore, network.data_dir(0))
        assert (done.height, done.state_root) == (taken.last, taken.state_root)
        await network.start(nursery, 0)
        await network.pass_heights(done.height + 2, 1, 2, 3, 4, 0)
        stores = [network.node(index).store for index in range(5)]
        assert len({store.statement(done.height + 2).state_root for store in stores}) == 1


@pytest.mark.slow
async def test_a_chain_whose_limits_changed_is_restored_and_lived_on(tmp_path: Path) -> None:
    network, fewer = Consortium(tmp_path, size=4, members=4), 10
    vault = Vault(network)
    async with running(network, *ALL) as nursery:
        first = await network.change_parameters(("block_transactions_max", fewer))
        await network.pass_heights(first, *ALL)
        await network.hand_in_notes("before", 3 * fewer, *ALL)
        await network.stop(0)
        taken = vault.take()
        assert taken.last > first
        network.data_dir(0).rename(tmp_path / "lost")
        done = await trio.to_thread.run_sync(vault.restore, network.data_dir(0))
        assert (done.height, done.state_root) == (taken.last, taken.state_root)
        await network.start(nursery, 0)
        node = network.node(0)
        assert node.rulebook.at(node.store.height + 1).block_transactions_max == fewer
        await network.stop(3)  # now nothing is ordered without the vote of the one that came back
        await network.hand_in_notes("after", 3 * fewer, 0, 1, 2)
        sizes = [len(node.store.block(h).transactions) for h in range(first, node.store.height + 1)]
        assert max(sizes) == fewer
        stores = [network.node(index).store for index in (0, 1, 2)]
        height = min(store.height for store in stores)
        assert len({store.statement(height) for store in stores}) == 1
