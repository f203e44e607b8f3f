"""Old blocks leave the ledger only for an archive that was read back, whatever goes wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from trio.testing import MockClock

from ledger import segments
from ledger.errors import ArchiveInvalid, LedgerError
from ledger.segments import iterate_blocks, read_segments, segment_name
from ledger.store import Store
from node.archivist import DAY_MS, LOOK_S, MARKER, ArchivesAway, Archivist, base_wanted
from node.config import Keep
from tests.fake_keys import FakeKeys
from tests.ledger_world import World, fake_verify_batch
from tests.node_world import eventually, quick_clock
from tests.pruned_world import KEPT, LIMITS, grown

LENGTH = 5
HEAD = 40
BASE = 25  # the last round number that leaves what a ledger has to keep


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BLOCKS", LENGTH)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archivist") / "ledger"
    grown(path, HEAD, sizes={2: 5}).store.close()
    return path


class Bench:
    """A node's ledger and its folder for archives."""

    def __init__(self, root: Path, whole: Path) -> None:
        self.path = Path(shutil.copytree(whole, root / "ledger"))
        self.folder = root / "archives"
        self.folder.mkdir()
        self.store = Store.open(self.path)
        self.blocks = list(self.store.iterate_blocks(0, HEAD))

    def archivist(
        self, *, blocks: int = KEPT, number: int = 0, archives: Path | None = None
    ) -> Archivist:
        keep = Keep(blocks, 0, archives or self.folder)
        return Archivist(self.store, FakeKeys(number), keep)

    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.path)

    def is_whole(self) -> bool:
        """Every block is in the ledger or in the archives, as it was."""
        base = self.store.base
        self.store.scrub()
        assert list(self.store.iterate_blocks(base, HEAD)) == self.blocks[base:]
        found = read_segments(self.folder, self.store.chain_id, fake_verify_batch)
        return list(iterate_blocks(found, 0, base - 1)) == self.blocks[:base]


@pytest.fixture
def bench(tmp_path: Path, whole: Path) -> Bench:
    return Bench(tmp_path, whole)


def ignore(height: int) -> None:
    """Nobody watches."""


class Stopped(Exception):
    """The process dies here."""


# --- what must not happen ----------------------------------------------------------------------


def test_a_missing_folder_is_not_made_and_nothing_is_pruned(bench: Bench, tmp_path: Path) -> None:
    away = tmp_path / "not-mounted"
    with pytest.raises(ArchivesAway, match="mount the disk, or make the folder"):
        bench.archivist(archives=away).move(ignore)
    assert bench.store.base == 0 and not away.exists()


def test_an_empty_folder_in_the_place_of_the_archives_is_noticed(bench: Bench) -> None:
    bench.archivist(blocks=KEPT + LENGTH).move(ignore)
    base = bench.store.base
    assert base
    bench.folder.rename(bench.folder.with_name("unmounted"))
    bench.folder.mkdir()
    for _ in range(2):
        with pytest.raises(ArchivesAway, match=f"archived up to block {base - 1}: mount the right"):
            bench.archivist().move(ignore)
        bench.reopen()
    assert bench.store.base == base and not list(bench.folder.iterdir())


def test_the_folder_of_another_node_is_not_written_to(bench: Bench) -> None:
    def die(height: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        bench.archivist(number=1).move(die)
    assert [path.name for path in bench.folder.iterdir()] == [MARKER]
    with pytest.raises(ArchivesAway, match="a folder of its own"):
        bench.archivist().move(ignore)
    assert bench.store.base == 0


def test_a_folder_that_cannot_be_written_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.folder / MARKER).mkdir()
    with pytest.raises(OSError):
        bench.archivist().move(ignore)
    assert bench.store.base == 0


def test_a_full_disk_prunes_nothing_and_leaves_no_half_file(bench: Bench) -> None:
    def fail(height: int) -> None:
        if height == 7:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        bench.archivist().move(fail)
    assert bench.store.base == LENGTH, "the first segment was whole"
    assert [path.name for path in sorted(bench.folder.iterdir())] == [segment_name(0, 4), MARKER]
    bench.archivist().move(ignore)
    assert bench.store.base == BASE and bench.is_whole()


def test_an_archive_that_reads_back_otherwise_prunes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that lies."""

    def bend(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    monkeypatch.setattr(segments, "_forget_cached", bend)
    with pytest.raises(ArchiveInvalid, match=segment_name(0, 4)):
        bench.archivist().move(ignore)
    assert bench.store.base == 0


def test_damage_in_the_ledger_is_not_archived(bench: Bench) -> None:
    from ledger.disk import Disk

    bench.store.close()
    disk = Disk(bench.path)
    disk.write([(b"R" + (7).to_bytes(8, "big"), None)])
    disk.close()
    bench.store = Store.open(bench.path)
    with pytest.raises(LedgerError, match="block 7: its receipts"):
        bench.archivist().move(ignore)
    assert bench.store.base == LENGTH


def test_nothing_leaves_a_ledger_in_doubt(bench: Bench) -> None:
    keep = Keep(KEPT, 0, bench.folder)
    Archivist(bench.store, FakeKeys(), keep, may_prune=lambda: False).move(ignore)
    assert bench.store.base == 0
    left = 3

    def halt_soon() -> bool:
        nonlocal left
        left -= 1
        return left > 0

    Archivist(bench.store, FakeKeys(), keep, may_prune=halt_soon).move(ignore)
    assert 0 < bench.store.base < BASE and bench.is_whole()


# --- what happens ------------------------------------------------------------------------------


def test_old_blocks_are_archived_and_then_pruned(bench: Bench) -> None:
    archivist = bench.archivist()
    archivist.move(ignore)
    assert bench.store.base == BASE and archivist.archived_height == BASE - 1
    assert bench.is_whole()
    assert len(list(bench.folder.glob("*.archive"))) == BASE // LENGTH
    again = bench.archivist()
    again.move(ignore)
    assert again.archived_height == BASE - 1, "the ledger remembers"


@pytest.mark.parametrize("steps", range(1, 4 * HEAD, 7))
def test_wherever_the_process_dies_no_block_is_lost(bench: Bench, steps: int) -> None:
    left = steps

    def die(height: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Stopped

    try:
        bench.archivist().move(die)
    except Stopped:
        bench.reopen()
        assert bench.is_whole()
        bench.archivist().move(ignore)
    assert bench.store.base == BASE and bench.is_whole()


def test_the_archives_of_a_ledger_that_was_fetched_anew_are_taken_over(
    bench: Bench, whole: Path
) -> None:
    bench.archivist().move(ignore)
    before = {path: path.read_bytes() for path in bench.folder.iterdir()}
    bench.store.close()
    shutil.rmtree(bench.path)
    shutil.copytree(whole, bench.path)
    bench.store = Store.open(bench.path)
    bench.archivist().move(ignore)
    assert bench.store.base == BASE and bench.is_whole()
    assert {path: path.read_bytes() for path in bench.folder.iterdir()} == before


def test_discarding_has_to_be_said_and_needs_no_folder(bench: Bench) -> None:
    Archivist(bench.store, FakeKeys(), Keep()).move(ignore)
    assert bench.store.base == 0
    Archivist(bench.store, FakeKeys(), Keep(KEPT, 0, None)).move(ignore)
    assert bench.store.base == BASE


def test_what_is_kept_is_the_larger_of_both_bounds_and_of_the_chains_own(bench: Bench) -> None:
    """Blocks of the test's chain are a second apart."""
    store = bench.store
    assert base_wanted(store, Keep()) == 0
    assert base_wanted(store, Keep(1)) == HEAD + 1 - KEPT, "the chain's own bound"
    assert base_wanted(store, Keep(30)) == HEAD + 1 - 30
    assert base_wanted(store, Keep(10**12)) == 0
    assert base_wanted(store, Keep(1, 1)) == 0, "all blocks are of one day"
    assert DAY_MS == 86_400_000


def test_days_are_the_chains_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from node import archivist

    monkeypatch.setattr(archivist, "DAY_MS", 1000)
    world = grown(tmp_path / "ledger", HEAD)
    head_ms = world.store.header(HEAD).time_ms
    for days in (KEPT, 20, 30, 39):
        base = base_wanted(world.store, Keep(0, days))
        assert world.store.header(base).time_ms >= head_ms - days * 1000
        assert world.store.header(base - 1).time_ms < head_ms - days * 1000
    assert base_wanted(world.store, Keep(0, 100)) == 0
    world.store.close()


async def test_the_task_tells_why_it_failed_and_tries_again(bench: Bench, clock: MockClock) -> None:
    away = bench.folder.with_name("away")
    archivist = bench.archivist(archives=away)
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(archivist.run)
            await eventually(lambda: bool(archivist.failure))
            assert str(away) in archivist.failure
            away.mkdir()
            await eventually(lambda: bench.store.base == BASE, within_s=1000)
            await eventually(lambda: not archivist.failure, within_s=1000)
            nursery.cancel_scope.cancel()
    told = [line for line in logs if line["event"] == "archiving_failed"]
    assert told and told[0]["log_level"] == "error" and told[0]["again_in_s"] > LOOK_S


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_in_whatever_order_blocks_come_and_the_node_dies_none_is_lost(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("orders")
    world = World(root / "ledger", limits=LIMITS)
    folder = root / "archives"
    folder.mkdir()
    known = [next(world.store.iterate_blocks(0, 0))]
    for _ in range(data.draw(st.integers(1, 6))):
        for _ in range(data.draw(st.integers(1, 15))):
            height = world.store.height + 1
            world.include([world.transaction(valid_until=height)], world.writes(2))
            world.certify(height)
            known.append(next(world.store.iterate_blocks(height, height)))
        left = data.draw(st.integers(1, 60))

        def die(height: int) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Stopped

        keep = Keep(data.draw(st.integers(1, 30)), 0, folder)
        try:
            Archivist(world.store, FakeKeys(), keep).move(die)
        except Stopped:
            world.reopen()
        base = world.store.base
        found = read_segments(folder, world.chain_id, fake_verify_batch)
        assert list(iterate_blocks(found, 0, base - 1)) == known[:base]
        assert list(world.store.iterate_blocks(base, world.store.height)) == known[base:]
    world.store.scrub()
    world.store.close()
