"""Whole nodes of which one lets old blocks go: it works on, the others lack nothing, and what it
archived and kept is the chain that they have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from cli.node import status_fields
from client.errors import Refused
from ledger import segments
from ledger.genesis import Limits
from ledger.store import Store
from node.archivist import Archivist
from node.audit import replay
from node.config import Keep, NodeConfig
from node.growth import FRESH_S, TABLES, GrowthWatch, size_of
from tests.fake_keys import FakeKeys
from tests.node_world import Nodes, eventually, quick_clock, running
from tests.pruned_world import KEPT, grown
from tests.unit.test_node_metrics import free_port, scrape

LENGTH = 5
HEADS = 32
BASE = 15  # the last round number that leaves 16 blocks of 32
WINDOW = 8
LIMITS = Limits(watermark_window=2, valid_window=WINDOW, heartbeat_ms=1 << 40)


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BLOCKS", LENGTH)


class PruningNodes(Nodes):
    """Node 0 keeps as little as it may."""

    def __init__(self, root: Path) -> None:
        self.port = free_port()
        self.archives = root / "archives"
        self.archives.mkdir()
        super().__init__(root, limits=LIMITS)

    def config(self, index: int) -> NodeConfig:
        config = super().config(index)
        if index:
            return config
        return replace(
            config, keep=Keep(1, 0, self.archives), metrics_listen=f"127.0.0.1:{self.port}"
        )

    async def grow(self, height: int, *indexes: int) -> list[bytes]:
        """One block after the other."""
        made: list[bytes] = []
        while self.node(indexes[0]).store.height < height:
            head = self.node(indexes[0]).store.height
            key = f"k{head} {len(made)}"
            made += await self.hand_in(indexes[0], self.transaction(key, valid_until=head + WINDOW))
            await self.certified(made[-1:], *indexes)
        return made


@pytest.mark.slow
async def test_one_node_prunes_while_all_work_and_a_late_one_lacks_nothing(
    tmp_path: Path, clock: MockClock
) -> None:
    nodes = PruningNodes(tmp_path)
    with capture_logs() as logs:
        async with running(nodes, 0, 1, 2) as nursery:
            made = await nodes.grow(HEADS, 0, 1, 2)
            store = nodes.node(0).store
            await eventually(lambda: store.base >= BASE, within_s=1000)
            await eventually(
                lambda: nodes.node(0).reception.situation().growth.archived_below == store.base,
                within_s=1000,
            )
            await nodes.start(nursery, 3)
            late = nodes.node(3).store
            await eventually(lambda: late.certified_height >= HEADS, within_s=1000)
            await nodes.grow(HEADS + 4, 0, 1, 2, 3)
            await _asks_of_clients(nodes, made[0])
            status = await nodes.status(0)
            await nodes.stop(0, 1, 2, 3)
    assert late.base == 0
    assert status.growth.base >= BASE and status.growth.failure == ""
    assert status_fields(status)["base"] == status.growth.base
    assert [line for line in logs if line["event"] == "pruned"]
    assert not [line for line in logs if line["event"] in ("ledger_unreadable", "api_failure")]
    verdicts = [
        replay(
            nodes.data_dir(index),
            nodes.genesis,
            advance=lambda done, total: None,
            archives=nodes.archives if index == 0 else None,
        )
        for index in (0, 3)
    ]
    for verdict in verdicts:
        assert verdict.divergence is None, verdict.sentence()
    pruned, full = verdicts
    assert pruned.height == full.height == HEADS + 4
    assert (pruned.state_root, pruned.transactions) == (full.state_root, full.transactions)


async def _asks_of_clients(nodes: PruningNodes, oldest: bytes) -> None:
    with nodes.client(0) as client, nodes.client(1) as other:
        for ask in (lambda: client.block(1), lambda: client.transaction(oldest)):
            with pytest.raises(Refused) as refused:
                await trio.to_thread.run_sync(ask)
            assert refused.value.code == "block.pruned"
        assert (await trio.to_thread.run_sync(other.transaction, oldest)).height == 1
        assert (await trio.to_thread.run_sync(client.block, HEADS)).block.header.height == HEADS


async def test_the_figures_are_shown(tmp_path: Path, clock: MockClock) -> None:
    nodes = PruningNodes(tmp_path)
    async with running(nodes, 0, 1, 2):
        await nodes.grow(3, 0, 1, 2)
        page = nodes.node(0).reception.situation().growth
        shown = await trio.to_thread.run_sync(scrape, nodes.port)
    plain = {name: value for (name, labels), value in shown.items() if not labels}
    assert plain["shuxin_base"] == plain["shuxin_archived_below"] == 0
    assert plain["shuxin_archiving_failing"] == plain["shuxin_archives_bytes"] == 0
    assert plain["shuxin_ledger_bytes"] > 0 and plain["shuxin_free_bytes"] > 0
    assert plain["shuxin_journal_bytes"] >= 0 and plain["shuxin_archives_free_bytes"] > 0
    tables = {key[1][0][1] for key in shown if key[0] == "shuxin_ledger_table_bytes"}
    assert tables == set(TABLES) == set(page.tables)


# --- measuring ----------------------------------------------------------------------------------


def folders(root: Path) -> dict[str, Path]:
    return {"ledger": root / "ledger", "journal": root / "journal"}


def test_sizes_are_those_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    world = grown(tmp_path / "ledger", 60)
    world.reopen()
    store: Store = world.store
    archivist = Archivist(store, FakeKeys(), Keep(KEPT, 0, folder))
    watch = GrowthWatch(store, archivist, **folders(tmp_path))
    before = watch.read()
    assert before.ledger == size_of(tmp_path / "ledger") > 0
    assert (before.base, before.archived_below, before.archives) == (0, 0, 0)
    assert before.free > 0 and before.archives_free is not None
    assert watch.read() is before, "who asks often costs nothing"
    archivist.move(lambda height: None)
    monkeypatch.setattr("node.growth.FRESH_S", -1.0)
    after = watch.read()
    assert after.base == after.archived_below == 45
    assert after.archives == sum(path.stat().st_size for path in folder.iterdir())
    assert FRESH_S > 0
    store.close()


def test_a_disk_that_is_away_counts_nothing(tmp_path: Path) -> None:
    world = grown(tmp_path / "ledger", 2)
    keep = Keep(KEPT, 0, tmp_path / "away")
    away = Archivist(world.store, FakeKeys(), keep)
    watch = GrowthWatch(world.store, away, **folders(tmp_path))
    assert (watch.read().archives, watch.read().archives_free) == (0, 0)
    none = Archivist(world.store, FakeKeys(), Keep())
    assert GrowthWatch(world.store, none, **folders(tmp_path)).read().archives_free is None
    world.store.close()
