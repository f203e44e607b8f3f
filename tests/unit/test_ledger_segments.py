"""Folders of archives: whole and in order, or what is wrong is named with its file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import segments
from ledger.archive import NO_ARCHIVE, Part, export, write
from ledger.archive_reader import Archive
from ledger.commit import StoredBlock
from ledger.errors import ArchiveIncomplete, ArchiveInvalid, HeightPruned
from ledger.segments import (
    Segment,
    iterate_blocks,
    read_segments,
    segment_end,
    segment_name,
    write_segment,
)
from ledger.store import Store
from tests import archive_opinion
from tests.fake_keys import FakeKeys
from tests.ledger_world import World, fake_verify_batch
from tests.pruned_world import LIMITS, WINDOW, grown

HEAD, LENGTH = 30, 5
COUNT = 4
END = COUNT * LENGTH - 1


def ignore(height: int) -> None:
    """Nobody watches."""


def written(store: Store, folder: Path, count: int = COUNT) -> list[Segment]:
    """Segments of LENGTH blocks each, chained."""
    folder.mkdir(exist_ok=True)
    made: list[Segment] = []
    for number in range(count):
        previous = made[-1].digest if made else NO_ARCHIVE
        part = Part(number * LENGTH, number * LENGTH + LENGTH - 1, previous)
        made.append(write_segment(store, folder, part, FakeKeys(0), ignore))
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return grown(tmp_path_factory.mktemp("segments") / "ledger", HEAD, sizes={2: 5, 10: 6})


@pytest.fixture(scope="module")
def good(world: World) -> Path:
    folder = world.path.parent / "archives"
    written(world.store, folder)
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "copy"))


def read(world: World, folder: Path) -> list[StoredBlock]:
    found = read_segments(folder, world.chain_id, fake_verify_batch)
    return list(iterate_blocks(found, 0, END))


def file(folder: Path, number: int) -> Path:
    return folder / segment_name(number * LENGTH, number * LENGTH + LENGTH - 1)


# --- what is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("missing", range(COUNT))
def test_a_missing_segment_is_named_by_its_blocks(world: World, folder: Path, missing: int) -> None:
    file(folder, missing).unlink()
    with pytest.raises(ArchiveIncomplete) as caught:
        read(world, folder)
    assert caught.value.height == missing * LENGTH
    if 0 < missing < COUNT - 1:
        first, last = missing * LENGTH, missing * LENGTH + LENGTH - 1
        assert f"blocks {first} to {last} are missing" in str(caught.value)
        assert file(folder, missing - 1).name in str(caught.value)


def test_blocks_that_are_there_twice_are_named(world: World, folder: Path) -> None:
    part = Part(LENGTH, LENGTH + 1)
    path = folder / segment_name(part.first, part.last)
    write(
        world.store,
        path,
        part,
        world.store.iterate_blocks(part.first, part.last),
        lambda done, total: None,
        sealed_by=FakeKeys(0),
    )
    with pytest.raises(ArchiveInvalid, match="take one of them out") as caught:
        read(world, folder)
    assert file(folder, 1).name in str(caught.value) and path.name in str(caught.value)


def test_a_segment_of_another_chain_is_named(world: World, folder: Path, tmp_path: Path) -> None:
    other = World(tmp_path / "other", limits=LIMITS.__class__(valid_window=6))
    for height in range(1, LENGTH):
        other.commit()
        other.certify(height)
    (foreign,) = written(other.store, tmp_path / "theirs", 1)
    shutil.copy(foreign.path, file(folder, 0))
    with pytest.raises(ArchiveInvalid, match="of another chain") as caught:
        read(world, folder)
    assert str(caught.value).startswith(file(folder, 0).name)


def test_a_segment_of_another_folder_of_the_chain_is_named(
    world: World, folder: Path, tmp_path: Path
) -> None:
    """A whole and signed one, which just does not follow the one before it."""
    other = tmp_path / "other"
    other.mkdir()
    write_segment(world.store, other, Part(LENGTH, 2 * LENGTH - 1), FakeKeys(1), ignore)
    shutil.copy(file(other, 1), file(folder, 1))
    with pytest.raises(ArchiveInvalid, match="one of them is from another folder") as caught:
        read(world, folder)
    assert caught.value.height == LENGTH


def test_a_file_with_another_name_is_named(world: World, folder: Path) -> None:
    file(folder, 3).rename(folder / segment_name(0, 19))
    with pytest.raises(ArchiveInvalid, match="it holds blocks 15 to 19: give it the name"):
        read(world, folder)
    (folder / segment_name(0, 19)).rename(folder / "notes.archive")
    with pytest.raises(ArchiveInvalid, match=r"notes.archive is no name of a segment"):
        read(world, folder)


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_an_altered_segment_is_named(world: World, folder: Path, place: int) -> None:
    path = file(folder, 2)
    data = bytearray(path.read_bytes())
    data[len(data) * place // 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveInvalid) as caught:
        read(world, folder)
    assert str(caught.value).startswith(path.name)


def unsigned(world: World, path: Path) -> None:
    part = Part(0, LENGTH - 1)
    blocks = world.store.iterate_blocks(0, LENGTH - 1)
    write(world.store, path, part, blocks, lambda done, total: None)


def forged(world: World, path: Path) -> None:
    part = Part(0, LENGTH - 1)
    blocks = world.store.iterate_blocks(0, LENGTH - 1)
    forger = FakeKeys(0)
    honest = forger.sign
    forger.sign = lambda message: honest(message[:-1])  # type: ignore[method-assign]
    write(world.store, path, part, blocks, lambda done, total: None, sealed_by=forger)


@pytest.mark.parametrize(
    ("make", "says"), [(unsigned, "nobody signed"), (forged, "is not that of")]
)
def test_a_segment_that_no_node_signed_is_named(
    world: World, folder: Path, make: Callable[[World, Path], None], says: str
) -> None:
    path = file(folder, 0)
    path.unlink()
    make(world, path)
    with pytest.raises(ArchiveInvalid, match=says) as caught:
        read(world, folder)
    assert str(caught.value).startswith(path.name)


def test_a_segment_without_a_closing_certificate_is_named(world: World, tmp_path: Path) -> None:
    ledger = World(tmp_path / "ledger", limits=LIMITS)
    for _ in range(3):
        ledger.commit()
    path = tmp_path / segment_name(0, 3)
    blocks = ledger.store.iterate_blocks(0, 3)
    part = Part(0, 3)
    write(ledger.store, path, part, blocks, lambda done, total: None, sealed_by=FakeKeys(0))
    found = read_segments(tmp_path, world.chain_id, fake_verify_batch)
    with pytest.raises(ArchiveInvalid, match="block 3: no certificate closes"):
        list(iterate_blocks(found, 0, 3))
    with pytest.raises(AssertionError):
        write_segment(ledger.store, tmp_path, Part(0, 2), FakeKeys(0), ignore)
    ledger.store.close()


def test_a_file_that_is_there_and_holds_something_else_stays(world: World, tmp_path: Path) -> None:
    other = grown(tmp_path / "other", LENGTH)
    folder = tmp_path / "archives"
    written(other.store, folder, 1)
    before = file(folder, 0).read_bytes()
    with pytest.raises(ArchiveInvalid, match="is not what the ledger holds; move the file out"):
        write_segment(world.store, folder, Part(0, LENGTH - 1), FakeKeys(0), ignore)
    assert file(folder, 0).read_bytes() == before
    written(world.store, tmp_path / "good", 2)
    with pytest.raises(ArchiveInvalid, match="follows another archive"):
        part = Part(LENGTH, 2 * LENGTH - 1, bytes(31) + b"\1")
        write_segment(world.store, tmp_path / "good", part, FakeKeys(0), ignore)


def test_a_write_that_fails_leaves_nothing(world: World, tmp_path: Path) -> None:
    def fail(height: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_segment(world.store, tmp_path, Part(0, LENGTH - 1), FakeKeys(0), fail)
    assert list(tmp_path.iterdir()) == []


# --- what is right ----------------------------------------------------------------------------


def test_segments_hold_what_the_ledger_does(world: World, folder: Path) -> None:
    assert read(world, folder) == list(world.store.iterate_blocks(0, END))
    found = read_segments(folder, world.chain_id, fake_verify_batch)
    assert [(one.first, one.last) for one in found] == [(0, 4), (5, 9), (10, 14), (15, 19)]
    assert {one.signer for one in found} == {FakeKeys(0).public_key}
    assert all(one.size == one.path.stat().st_size for one in found)
    for first in range(END + 1):
        for last in (first, END):
            blocks = list(iterate_blocks(found, first, last))
            assert [one.block.header.height for one in blocks] == list(range(first, last + 1))


def test_unfinished_files_and_others_do_not_count(world: World, folder: Path) -> None:
    (folder / (segment_name(20, 24) + ".part")).write_bytes(b"half")
    (folder / "shuxin-archives").write_text("mine")
    assert len(read(world, folder)) == END + 1


def test_each_tells_of_the_committees_that_its_blocks_decided(world: World, good: Path) -> None:
    bases = []
    for number in range(COUNT):
        with Archive.open(file(good, number)) as archive:
            bases.append([epoch.base for epoch in archive.epochs(world.genesis).all])
    first, second = 2 + WINDOW, 10 + WINDOW
    assert bases == [[0, first], [0, first], [0, first, second], [0, first, second]]


def test_the_same_again_is_kept(world: World, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    written(world.store, folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_reader_written_from_the_page_alone_agrees(world: World, good: Path) -> None:
    heights: list[int] = []
    previous = NO_ARCHIVE
    for number in range(COUNT):
        path = file(good, number)
        found = archive_opinion.sealed(path)
        assert found.previous == previous
        (is_good,) = fake_verify_batch([found.item])
        assert is_good
        previous = found.digest
        heights += [height for height, _ in archive_opinion.entries(path)]
    assert heights == list(range(END + 1))


def test_archives_and_a_pruned_ledger_make_one_archive_of_all(
    world: World, good: Path, tmp_path: Path
) -> None:
    store = Store.open(Path(shutil.copytree(world.path, tmp_path / "ledger")))
    export(store, tmp_path / "whole", lambda done, total: None)
    store.prune(12)
    with pytest.raises(HeightPruned):
        export(store, tmp_path / "joined", lambda done, total: None)
    found = read_segments(good, world.chain_id, fake_verify_batch)
    earlier = iterate_blocks(found, 0, store.base - 1)
    export(store, tmp_path / "joined", lambda done, total: None, earlier=earlier)
    assert (tmp_path / "joined").read_bytes() == (tmp_path / "whole").read_bytes()
    store.close()


@pytest.mark.parametrize("first", [0, 1, 999, 1000, 1001, 123_456])
def test_segments_end_with_round_numbers(first: int) -> None:
    end = segment_end(first)
    assert end >= first and (end + 1) % segments.SEGMENT_BLOCKS == 0
    assert end - first < segments.SEGMENT_BLOCKS


def test_a_single_segment_is_no_whole_archive(world: World, good: Path) -> None:
    with (
        Archive.open(file(good, 1)) as archive,
        pytest.raises(ArchiveIncomplete, match="begins at 5; name the folder"),
    ):
        list(archive.iterate_blocks(0, 9))
