"""A running node examines what it keeps: asked or on schedule, at its pace, and across restarts."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from ledger.disk import Disk
from ledger.findings import HISTORY, STATE, Findings
from ledger.schema import RECEIPTS, at_height, state_key
from node import patrol as patrols
from node.patrol import FILE, Patrol
from tests.chain_world import Chain
from tests.ledger_world import NAMESPACE, World, fake_verify_batch
from tests.node_world import eventually

HEADS = 12


class Bench:
    """A store, its patrol, and what the patrol called damage."""

    def __init__(self, root: Path, *, hours: int = 0) -> None:
        self.root = root
        self.world = World(root / "ledger")
        if not self.world.store.height:
            chain = Chain(self.world)
            for height in range(1, HEADS + 1):
                chain.grow()
                self.world.certify(height)
        self.damage: list[Findings] = []
        self.patrol = Patrol(
            self.world.store,
            root,
            fake_verify_batch,
            hours=hours,
            name="v1",
            on_damage=self.damage.append,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.patrol.run)
            yield
            nursery.cancel_scope.cancel()

    async def ended(self) -> None:
        await eventually(lambda: not self.patrol.state.is_running)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_one_that_is_asked_for_checks_everything(bench: Bench) -> None:
    async with bench.running():
        await trio.testing.wait_all_tasks_blocked()
        assert bench.patrol.ask().is_running
        await bench.ended()
    assert bench.patrol.state.ended_ms > 0
    assert (bench.patrol.state.findings, bench.damage) == ((), [])
    kept = json.loads((bench.root / FILE).read_text())
    assert (kept["next"], kept["is_damaged"]) == (0, False)


@pytest.mark.parametrize(
    ("key", "area", "is_sound"),
    [(at_height(RECEIPTS, 4), HISTORY, True), (state_key(NAMESPACE, b"k000001"), STATE, False)],
)
async def test_damage_is_told_and_whether_the_state_is_sound(
    bench: Bench, key: bytes, area: str, is_sound: bool
) -> None:
    disk: Disk = bench.world.store._disk
    disk.write([(key, b"altered")])
    async with bench.running():
        await trio.testing.wait_all_tasks_blocked()
        bench.patrol.ask()
        await bench.ended()
    (found,) = bench.damage
    assert area in {one.area for one in found.all}
    assert found.is_state_sound == is_sound
    assert found.of_ledger(bench.root / "ledger")
    assert json.loads((bench.root / FILE).read_text())["is_damaged"]


async def test_it_goes_on_where_a_restart_cut_it_off(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patrols, "BATCH_BLOCKS", 2)
    (bench.root / FILE).write_text(json.dumps({"next": 7, "ended_ms": 0, "is_damaged": False}))
    bench.world.store.close()
    later = Bench(bench.root, hours=24)
    disk: Disk = later.world.store._disk
    disk.write([(at_height(RECEIPTS, 2), b"altered")])  # below: not looked at again this time
    async with later.running():
        await trio.testing.wait_all_tasks_blocked()
        await eventually(lambda: later.patrol.state.ended_ms > 0)
    assert all(one.height != 2 or one.area != HISTORY for f in later.damage for one in f.all)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"next": -1}', '{"next": 1e9, "ended_ms": 0}'])
async def test_a_mark_that_says_nothing_is_begun_anew(bench: Bench, text: str) -> None:
    (bench.root / FILE).write_text(text)
    bench.world.store.close()
    assert Bench(bench.root).patrol._next == 0


async def test_a_node_that_ends_does_not_wait_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patrols, "SHARE_ASKED", 1e-6)
    monkeypatch.setattr(patrols, "WORK_S", 0.0)
    began = time.monotonic()
    async with bench.running():
        await trio.testing.wait_all_tasks_blocked()
        bench.patrol.ask()
        await trio.sleep(0.1)
        assert bench.patrol.state.is_running
    assert time.monotonic() - began < 5


def test_nodes_of_other_names_begin_at_other_hours(tmp_path: Path) -> None:
    first = Bench(tmp_path / "a", hours=24).patrol
    assert 0 <= first._due_s() < 24 * 3600
