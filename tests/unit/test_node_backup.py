"""Backups of a running node: taken in steps, restored to the same state, worth nothing when
anything in them was changed (5.1 a, b)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto import sm2
from ledger.store import Store
from node.backup import door, errors, take
from node.backup.form import MANIFEST, Manifest, chunk_name, digest_of
from node.backup.read import check_chunks, read_segments
from node.backup.restore import BUILDING
from node.repair import DISOWNED_KEY, disowned
from tests.backup_world import Origin, open_door
from tests.fake_keys import FakeKeys
from tests.ledger_world import fake_verify_batch, make_genesis

BLOCKS = 6


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk for every block, a segment for every four."""
    monkeypatch.setattr(door, "CHUNK_SIZE", 1)
    monkeypatch.setattr(take, "SEGMENT_CHUNKS", 4)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """Six blocks in two segments (1-4, 5-6)."""
    made = Origin(tmp_path, blocks=BLOCKS)
    made.take()
    return made


def files(origin: Origin) -> list[Path]:
    return sorted(path for path in origin.folder.rglob("*") if path.is_file())


def refused(origin: Origin) -> errors.BackupError:
    """How a restore onto a bare machine is refused; nothing is left there to start from."""
    bare = origin.root / "bare"
    with pytest.raises(errors.BackupError) as caught:
        origin.restore(bare)
    assert not bare.exists() or list(bare.iterdir()) == []
    assert ";" in str(caught.value) or ":" in str(caught.value), "it says what to do"
    return caught.value


# --- what is altered is refused -------------------------------------------------------------


def test_a_file_cut_short_or_made_longer_is_refused(origin: Origin) -> None:
    for path in files(origin):
        whole = path.read_bytes()
        for size in (0, 1, 12, 28, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            assert isinstance(refused(origin), errors.BackupIncomplete | errors.BackupAltered)
        path.write_bytes(whole + b"\0")
        assert isinstance(refused(origin), errors.BackupAltered)
        path.write_bytes(whole)
    origin.restore(origin.root / "whole")


def test_a_missing_file_is_refused(origin: Origin) -> None:
    for path in files(origin):
        aside = path.rename(origin.root / "aside")
        assert isinstance(refused(origin), errors.BackupIncomplete)
        aside.rename(path)


def test_a_missing_segment_is_refused_and_missing_newest_ones_are_below_what_is_asked(
    origin: Origin,
) -> None:
    aside = origin.segment(1).rename(origin.root / "aside")
    assert isinstance(refused(origin), errors.BackupIncomplete)
    aside.rename(origin.segment(1))
    shutil.rmtree(origin.segment(2))  # what is left is whole in itself
    with pytest.raises(errors.BackupTooOld):
        origin.restore(origin.root / "bare", height_min=BLOCKS)
    assert origin.restore(origin.root / "bare", height_min=4).height == 4


def test_every_byte_of_a_manifest_counts(origin: Origin) -> None:
    path = origin.segment(2) / MANIFEST
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert isinstance(refused(origin), errors.BackupAltered)


def test_every_part_of_a_chunk_counts(origin: Origin) -> None:
    path = origin.segment(1) / chunk_name(2)
    whole = path.read_bytes()
    places = {0, 11, 12, 13, len(whole) - 17, len(whole) - 16, len(whole) - 1}
    for at in places | set(range(0, len(whole), 41)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])
        assert isinstance(refused(origin), errors.BackupAltered)


def test_segments_change_places_with_no_other(origin: Origin) -> None:
    origin.grow(4)
    origin.take()
    first, second = origin.segment(2), origin.segment(3)
    first.rename(origin.root / "aside")
    second.rename(first)
    (origin.root / "aside").rename(second)
    assert isinstance(refused(origin), errors.BackupAltered)


def test_a_segment_of_another_backup_of_the_same_node_is_refused(origin: Origin) -> None:
    old = origin.folder.rename(origin.root / "old")
    origin.take()
    shutil.rmtree(origin.segment(2))
    (old / origin.segment(2).name).rename(origin.segment(2))
    assert isinstance(refused(origin), errors.BackupAltered)


def swap_chunks(origin: Origin, manifest: Manifest) -> Manifest:
    one, two = (origin.segment(1) / chunk_name(index) for index in (1, 2))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    chunks = list(manifest.chunks)
    for index, content in ((1, second), (2, first)):
        chunks[index] = msgspec.structs.replace(
            chunks[index], size=len(content), digest=digest_of(content)
        )
    return msgspec.structs.replace(manifest, chunks=tuple(chunks))


def claim_other_root(origin: Origin, manifest: Manifest) -> Manifest:
    return msgspec.structs.replace(manifest, state_root=bytes(32))


def claim_other_key(origin: Origin, manifest: Manifest) -> Manifest:
    return msgspec.structs.replace(manifest, wrapped_key=bytes(len(manifest.wrapped_key)))


def claim_a_stranger(origin: Origin, manifest: Manifest) -> Manifest:
    return msgspec.structs.replace(manifest, signer=FakeKeys(9).public_key)


@pytest.mark.parametrize(
    ("change", "keys", "error"),
    [
        (swap_chunks, FakeKeys(0), errors.BackupAltered),
        (claim_other_key, FakeKeys(0), errors.BackupKeyWrong),
        (claim_other_root, FakeKeys(0), errors.BackupUnproved),
        (claim_a_stranger, FakeKeys(9), errors.BackupUnproved),
    ],
)
def test_even_who_can_sign_proves_nothing_that_the_chain_does_not(
    tmp_path: Path,
    change: Callable[[Origin, Manifest], Manifest],
    keys: FakeKeys,
    error: type[errors.BackupError],
) -> None:
    origin = Origin(tmp_path, blocks=4)
    origin.take()
    origin.resign(1, change(origin, origin.manifest(1)), keys)
    assert isinstance(refused(origin), error)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_whatever_a_file_holds_there_is_one_family_of_errors(
    origin: Origin, content: bytes
) -> None:
    for path in (origin.segment(1) / MANIFEST, origin.segment(2) / chunk_name(0)):
        whole = path.read_bytes()
        path.write_bytes(content)
        refused(origin)
        path.write_bytes(whole)


def test_links_and_folders_in_place_of_files_are_refused(origin: Origin) -> None:
    path = origin.segment(1) / chunk_name(0)
    aside = path.rename(origin.root / "aside")
    path.symlink_to(aside)
    refused(origin)
    path.unlink()
    path.mkdir()
    refused(origin)
    path.rmdir()
    os.mkfifo(path)
    refused(origin)


def test_another_key_another_genesis_and_a_full_folder_are_refused(origin: Origin) -> None:
    bare = origin.root / "bare"
    with pytest.raises(errors.BackupKeyWrong):
        origin.restore(bare, private=sm2.generate())
    other = msgspec.structs.replace(make_genesis(), time_ms=1)
    with pytest.raises(errors.BackupOfOtherChain):
        origin.restore(bare, genesis=other)
    bare.mkdir()
    (bare / "journal").mkdir()
    with pytest.raises(errors.RestoreTargetNotEmpty, match="journal"):
        origin.restore(bare)
    assert [path.name for path in bare.iterdir()] == ["journal"]
    with pytest.raises(errors.BackupMissing):
        origin.folder = origin.root / "nowhere"
        origin.restore(origin.root / "bare2")


# --- what is whole comes back ---------------------------------------------------------------


def test_a_backup_in_steps_comes_back_as_the_same_ledger(origin: Origin) -> None:
    origin.grow(3)
    taken = origin.take()
    assert (taken.segments, taken.first, taken.last) == (1, BLOCKS + 1, BLOCKS + 3)
    done = origin.restore(origin.root / "bare")
    assert (done.height, done.segments) == (BLOCKS + 3, 3)
    again = Store.open(origin.root / "bare" / "ledger")
    again.scrub()
    assert again.certified_height == again.height == done.height
    assert again.head_statement().state_root == done.state_root == taken.state_root
    for height in range(done.height + 1):
        assert again.statement(height) == origin.store.statement(height)
        assert again.receipts(height) == origin.store.receipts(height)
    again.close()


def test_with_nothing_new_nothing_is_written(origin: Origin) -> None:
    before = {path: path.stat().st_mtime_ns for path in files(origin)}
    taken = origin.take()
    assert (taken.segments, taken.size, taken.last) == (0, 0, BLOCKS)
    assert {path: path.stat().st_mtime_ns for path in files(origin)} == before


def test_only_what_a_quorum_certified_is_taken(tmp_path: Path) -> None:
    origin = Origin(tmp_path, blocks=2)
    origin.grow(2, certified=False)
    assert origin.take().last == 2
    origin.grow(1)  # its certificate proves the two below it as well
    origin.grow(1, certified=False)
    assert origin.take().last == 5
    assert origin.restore(tmp_path / "bare").height == 5


def test_what_a_node_disowned_stays_disowned(origin: Origin) -> None:
    origin.grow(1)
    origin.store.put_meta(DISOWNED_KEY, (5).to_bytes(8, "big"))
    origin.take()
    origin.restore(origin.root / "bare")
    again = Store.open(origin.root / "bare" / "ledger")
    assert disowned(again) == 5
    again.close()


def test_nothing_of_a_backup_is_readable_without_the_key(origin: Origin) -> None:
    transaction = origin.store.block(1).transactions[0]
    content = b"".join(path.read_bytes() for path in files(origin))
    assert transaction.body not in content
    assert all(path.stat().st_mode & 0o077 == 0 for path in files(origin))


# Heights without a certificate are fewer than a window, here as on a real chain.
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=6))
def test_however_it_came_about_a_backup_is_all_that_was_certified(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, int]]
) -> None:
    origin = Origin(tmp_path_factory.mktemp("any"), blocks=1)
    origin.take()
    certified = 1
    for is_certified, count in steps:
        origin.grow(count, certified=is_certified)
        certified = origin.store.height if is_certified and count else certified
        assert origin.take().last == certified
    segments = read_segments(origin.folder, origin.store.chain_id, fake_verify_batch)
    ends = [segment.manifest.last for segment in segments]
    assert [segment.manifest.first for segment in segments] == [1, *(end + 1 for end in ends[:-1])]
    done = origin.restore(origin.root / "bare")
    assert done.height == ends[-1] == certified
    assert done.state_root == origin.store.statement(certified).state_root
    origin.store.close()


# --- crashes --------------------------------------------------------------------------------


class Died(Exception):
    """The process ends here."""


@pytest.mark.parametrize("at", [7, 8, 9, 10, 11])
def test_a_backup_that_dies_leaves_what_was_whole_and_goes_on_next_time(
    origin: Origin, at: int
) -> None:
    origin.grow(5)

    def die(height: int, last: int) -> None:
        if height == at:
            raise Died

    with pytest.raises(Died):
        origin.take(advance=die)
    assert origin.restore(origin.root / "meanwhile").height == (BLOCKS if at < 11 else 10)
    assert origin.take().last == BLOCKS + 5
    assert not list(origin.folder.glob("*.new"))
    assert origin.restore(origin.root / "bare").height == BLOCKS + 5


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many calls that change the disk are still carried out before the process dies."""
    left = [1 << 30]

    def dying(name: str) -> None:
        call = getattr(os, name)

        def act(*args: object, **named: object) -> object:
            if left[0] == 0:
                raise Died
            left[0] -= 1
            return call(*args, **named)

        monkeypatch.setattr(os, name, act)

    for name in ("mkdir", "fsync", "rename"):
        dying(name)
    yield left
    left[0] = 1 << 30


def test_wherever_a_backup_dies_what_was_whole_stays_whole(
    tmp_path: Path, steps: list[int]
) -> None:
    """Power fails before each change of the disk in turn; every time the next run goes on."""
    origin = Origin(tmp_path, blocks=2)
    origin.take()
    has_died = True
    number = -1
    while has_died:
        number += 1
        origin.grow(5)
        before = origin.manifest(len(list(origin.folder.iterdir()))).last
        with open_door(origin.data_dir, origin.store):
            steps[0] = number
            try:
                origin.take_through()
                has_died = False
            except Died:
                pass
            finally:
                steps[0] = 1 << 30
        segments = read_segments(origin.folder, origin.store.chain_id, fake_verify_batch)
        for segment in segments:
            check_chunks(segment)
        assert before <= segments[-1].manifest.last <= origin.store.height
        assert origin.take().last == origin.store.height
    assert number > 10, "it died at each of its steps before"
    assert origin.restore(tmp_path / "bare").height == origin.store.height


def test_a_restore_that_dies_leaves_no_ledger_and_begins_anew(origin: Origin) -> None:
    bare = origin.root / "bare"

    def die(height: int, last: int) -> None:
        if height == 3:
            raise Died

    with pytest.raises(Died):
        origin.restore(bare, advance=die)
    assert list(bare.iterdir()) == []
    shutil.copytree(origin.data_dir / "ledger", bare / BUILDING)  # as a power failure leaves it
    assert origin.restore(bare).height == BLOCKS


# --- folders --------------------------------------------------------------------------------


def test_two_nodes_do_not_share_a_folder(origin: Origin) -> None:
    with (
        open_door(origin.data_dir, origin.store, keys=FakeKeys(1)),
        pytest.raises(errors.BackupOfOtherChain, match="another node"),
    ):
        origin.take_through()


def test_one_key_opens_all_of_a_folder(origin: Origin) -> None:
    origin.grow(1)
    origin.public = sm2.public_key(sm2.generate())
    with pytest.raises(errors.BackupKeyWrong, match="another folder"):
        origin.take()
    assert origin.restore(origin.root / "bare").height == BLOCKS


def test_a_node_whose_chain_went_back_begins_another_folder(tmp_path: Path) -> None:
    origin = Origin(tmp_path, blocks=2)
    origin.take()
    other = Origin(tmp_path / "other", blocks=1, seed=2)
    other.folder, other.public = origin.folder, origin.public
    with pytest.raises(errors.BackupHistoryDiffers):
        other.take()  # it ends below
    other.grow(2)
    with pytest.raises(errors.BackupHistoryDiffers):
        other.take()  # it ends above, with other blocks
    assert len(read_segments(origin.folder, origin.store.chain_id, fake_verify_batch)) == 1


def test_a_damaged_newest_segment_is_not_continued(origin: Origin) -> None:
    (origin.segment(2) / chunk_name(1)).unlink()
    origin.grow(1)
    with pytest.raises(errors.BackupIncomplete):
        origin.take()


def test_one_backup_at_a_time_writes_to_a_folder(origin: Origin) -> None:
    origin.grow(1)

    def meanwhile(height: int, last: int) -> None:
        with pytest.raises(errors.BackupBusy):
            origin.take_through()

    assert origin.take(advance=meanwhile).last == BLOCKS + 1
