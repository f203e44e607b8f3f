"""The access log: what was altered, cut or lost is named, and what a crash cuts is no fault."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crypto import sm3
from ledger.encoding import encode
from node.accesslog.entry import (
    ANSWERED,
    REFUSED,
    REMOVED,
    RESUMED,
    Entry,
    Request,
    entry_head,
    frame,
)
from node.accesslog.folder import FileReader, files, path_of
from node.accesslog.keeper import DAY_MS, LogFailed
from node.accesslog.repeats import KINDS_MAX
from node.accesslog.search import Wanted
from node.accesslog.verify import verify
from tests.log_world import KEEP, START_MS, World, flip, request, three_hours_in


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "access")


@pytest.fixture
def three_hours(tmp_path: Path) -> World:
    return three_hours_in(tmp_path / "access")


def rewrite(path: Path, change: Callable[[Entry], Entry | None]) -> None:
    """Make a file anew with right hashes, as who owns the disk can."""
    reader = FileReader(path)
    entries = list(reader.entries())
    opening = path.read_bytes()[: len(frame(encode(reader.opening), bytes(32)))]
    head, data, sequence = opening[-32:], bytearray(opening), reader.opening.sequence
    for entry in entries:
        changed = change(entry)
        if changed is None:
            continue
        fields = [getattr(changed, name) for name in Entry.__struct_fields__]
        body = encode(Entry(sequence, *fields[1:]))
        head = entry_head(head, body)
        data += frame(body, head)
        sequence += 1
    path.write_bytes(data)


def test_a_whole_log_is_verified_up_to_what_the_chain_says(three_hours: World) -> None:
    found = three_hours.verified()
    assert found.fault == ""
    assert (found.files, found.entries, found.first, found.last) == (3, 30, 1, 30)
    assert (found.anchors, found.anchored) == (2, 20)


def test_an_entry_says_who_asked_what_when_and_what_became_of_it(world: World) -> None:
    world.now_ms += 1234
    world.log.append(request(5), REFUSED, "access.level")
    (entry,) = world.entries()
    assert (entry.sequence, entry.time_ms) == (1, START_MS + 1234)
    assert (entry.method, entry.digest) == ("/shuxin.v1.Node/View", sm3.digest(b"5"))
    assert (entry.account, entry.levels, entry.peer) == (
        "cd" * 20,
        ("member", "public"),
        "10.0.0.7",
    )
    assert (entry.outcome, entry.code, entry.count) == (REFUSED, "access.level", 1)


def test_a_flipped_bit_anywhere_is_found_and_the_entry_named(three_hours: World) -> None:
    path = path_of(three_hours.folder, 2)
    whole = path.read_bytes()
    for place in range(0, len(whole), 37):
        flip(path, place)
        found = three_hours.verified()
        assert found.fault, f"byte {place}"
        path.write_bytes(whole)
    flip(path, len(whole) - 40)
    assert "file 2: entry 20 was altered" in three_hours.verified().fault


def test_a_missing_entry_is_named(three_hours: World) -> None:
    path = path_of(three_hours.folder, 3)
    frames = len(path.read_bytes())
    rewrite(path, lambda entry: entry)
    assert len(path.read_bytes()) == frames  # the rewriting is faithful
    data = path.read_bytes()
    size = len(data) // 11  # an opening is shorter than an entry: somewhere in the middle
    path.write_bytes(data[: 5 * size] + data[6 * size :])
    assert "file 3: entry 2" in three_hours.verified().fault


def test_a_closed_file_with_entries_cut_off_is_found(three_hours: World) -> None:
    path = path_of(three_hours.folder, 2)
    entry_size = len(path.read_bytes()) // 11
    path.write_bytes(path.read_bytes()[: -2 * entry_size])
    assert "file 2: entry 19 was altered, cut off or is missing" in three_hours.verified().fault


def test_a_log_made_anew_with_right_hashes_contradicts_the_chain(three_hours: World) -> None:
    rewrite(
        path_of(three_hours.folder, 1),
        lambda entry: None if entry.sequence == 4 else entry,
    )
    fault = three_hours.verified().fault
    assert "does not follow file 1" in fault
    shutil.rmtree(three_hours.folder)
    forged = World(three_hours.folder)
    for hour in range(3):
        forged.ask(*range(hour * 10, hour * 10 + 9))
        if hour < 2:
            forged.hour()
    assert forged.verified().fault == ""  # consistent in itself
    three_hours.log = forged.log
    assert "rewritten" in three_hours.verified().fault
    assert "entries 1 to 10" in three_hours.verified().fault


def test_missing_files_are_named_wherever_they_stood(three_hours: World) -> None:
    kept = three_hours.folder.with_name("kept")
    shutil.copytree(three_hours.folder, kept)
    for number, fault in (
        (1, "files before 2 are missing"),
        (2, "file 2 is missing"),
        (3, "file 3 and later"),
    ):
        path_of(three_hours.folder, number).unlink()
        assert fault in three_hours.verified().fault
        shutil.copy(path_of(kept, number), three_hours.folder)


def test_an_emptied_folder_is_no_clean_log(three_hours: World) -> None:
    for path in files(three_hours.folder):
        path.unlink()
    assert "missing" in three_hours.verified().fault


def test_a_log_of_another_node_or_chain_is_refused(three_hours: World) -> None:
    other = verify(three_hours.folder, {}, account="00" * 20)
    assert "another node" in other.fault
    assert "another chain" in verify(three_hours.folder, {}, chain_id=bytes(32)).fault


def test_a_renamed_file_is_found(three_hours: World) -> None:
    path_of(three_hours.folder, 3).rename(path_of(three_hours.folder, 4))
    assert "renamed" in three_hours.verified().fault


def test_a_node_goes_on_with_its_log(world: World) -> None:
    world.ask(1, 2)
    world.reopen()
    world.ask(3)
    found = world.verified()
    assert (found.fault, found.files, found.entries) == ("", 1, 3)


@pytest.mark.parametrize("cut", [1, 20, 100, 150])
def test_what_a_crash_cut_off_is_told_and_no_fault(world: World, cut: int) -> None:
    world.ask(1, 2, 3)
    world.log.close()
    (path,) = files(world.folder)
    os.truncate(path, path.stat().st_size - cut)
    assert world.verified().torn == 1
    world.log = world.open()
    world.ask(4)
    found = world.verified()
    assert (found.fault, found.files, found.entries, found.torn) == ("", 2, 3, 1)


def test_room_that_a_file_system_left_empty_is_no_fault(world: World) -> None:
    world.ask(1, 2)
    world.log.close()
    (path,) = files(world.folder)
    path.write_bytes(path.read_bytes() + bytes(700))
    world.log = world.open()
    world.ask(3)
    assert (world.verified().fault, world.verified().entries) == ("", 3)


def test_a_torn_end_that_is_tidied_away_is_a_fault(world: World) -> None:
    world.ask(1, 2, 3)
    world.log.close()
    path = files(world.folder)[0]
    os.truncate(path, path.stat().st_size - 10)
    world.log = world.open()
    rewrite(path, lambda entry: entry)  # without the torn bytes
    assert "file 1: entry 3" in world.verified().fault


def test_damage_does_not_stop_a_node_and_does_not_go_away(world: World) -> None:
    world.ask(*range(5))
    world.log.close()
    path = files(world.folder)[0]
    flip(path, path.stat().st_size // 2)
    world.log = world.open()
    world.ask(6)
    found = world.verified()
    assert "file 1: entry" in found.fault
    assert found.files <= 1


@pytest.mark.parametrize("is_alone", [True, False])
def test_a_log_whose_newest_opening_is_damaged_is_anchored_again(
    three_hours: World, *, is_alone: bool
) -> None:
    three_hours.log.close()
    flip(path_of(three_hours.folder, 3), 20)
    if is_alone:
        path_of(three_hours.folder, 1).unlink()
        path_of(three_hours.folder, 2).unlink()
    three_hours.log = three_hours.open()
    three_hours.ask(50)
    three_hours.hour()
    assert three_hours.anchors[4].first > three_hours.anchors[2].last, "the chain refuses others"
    assert three_hours.verified().fault


def test_an_altered_length_does_not_pass_for_a_crash(world: World) -> None:
    world.ask(*range(5))
    world.log.close()
    path = files(world.folder)[0]
    entry_size = (path.stat().st_size * 2) // 11
    for place in range(entry_size, path.stat().st_size):
        data = path.read_bytes()
        damaged = data[:place] + b"\xff" + data[place + 1 :]
        if damaged == data:
            continue
        path.write_bytes(damaged)
        assert world.verified().fault, f"byte {place}"
        path.write_bytes(data)


def test_a_file_is_closed_each_hour_unless_it_has_no_entries(world: World) -> None:
    world.hour()
    assert world.anchors == {}
    world.ask(1)
    world.log.tick()
    world.hour()
    assert [(one.first, one.last) for one in world.anchors.values()] == [(1, 1)]
    assert len(files(world.folder)) == 2


def test_what_was_closed_before_a_restart_still_waits_for_its_anchor(world: World) -> None:
    for hour in range(3):
        world.ask(hour)
        world.hour(is_anchored=False)
    before = world.log.closed_after(0)
    world.reopen()
    assert world.log.closed_after(0) == before
    assert world.log.waiting == 3
    world.anchor()
    assert world.log.waiting == 0
    assert world.verified().anchors == 3


def test_a_lost_log_goes_on_where_the_chain_says(three_hours: World) -> None:
    three_hours.log.close()
    shutil.rmtree(three_hours.folder)
    three_hours.log = three_hours.open()
    three_hours.ask(99)
    (entry,) = three_hours.entries()
    assert entry.sequence == 21
    found = three_hours.verified()
    assert "files before 3 are missing" in found.fault


def test_old_files_leave_when_the_chain_knows_them_and_the_log_says_so(tmp_path: Path) -> None:
    world = World(tmp_path / "access", replace(KEEP, days=1))
    for hour in range(30):
        world.ask(hour)
        world.hour(is_anchored=False)
    assert len(files(world.folder)) == 31  # nothing that the chain does not know
    world.anchor()
    world.ask(30)
    world.hour()
    assert len(files(world.folder)) < 31
    found = world.verified()
    assert found.fault == ""
    assert found.removed > 0
    assert [e.outcome for e in world.entries()].count(REMOVED) == 1


def test_the_oldest_leave_when_there_is_no_room_for_all(tmp_path: Path) -> None:
    world = World(tmp_path / "access", replace(KEEP, bytes_max=20_000))
    for _ in range(20):
        world.ask(*range(20))
        world.hour()
    sizes = sum(path.stat().st_size for path in files(world.folder))
    assert sizes < 20_000 + 6_000
    assert world.verified().fault == ""


def test_files_that_others_removed_are_not_taken_for_old_ones(tmp_path: Path) -> None:
    world = World(tmp_path / "access", replace(KEEP, days=1))
    for hour in range(3):
        world.ask(hour)
        world.hour()
    world.now_ms += 2 * DAY_MS
    world.ask(7)
    world.hour()
    removed = world.verified().removed
    path_of(world.folder, removed + 1).unlink()
    assert f"files before {removed + 2}" in world.verified().fault


def test_a_disk_without_room_stops_answers_and_is_told_afterwards(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ask(1)
    room = itertools.count()

    def no_room(file: int, data: bytes, place: int) -> int:
        next(room)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", no_room)
        with pytest.raises(LogFailed):
            world.ask(2)
        with pytest.raises(LogFailed):
            world.log.check()
        world.log.tick()
        assert world.log.is_failed
    assert next(room) == 2
    world.log.tick()
    world.log.check()
    world.ask(3)
    entries = world.entries()
    assert [entry.outcome for entry in entries] == [ANSWERED, RESUMED, ANSWERED]
    assert entries[1].count == 1, "the entry that was lost, and no attempt to go on"
    assert world.verified().fault == ""


def test_half_a_write_is_taken_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ask(1)
    write = os.pwrite
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", lambda file, data, at: write(file, data[:20], at))
        with pytest.raises(LogFailed):
            world.ask(2)
    world.log.tick()
    world.ask(3)
    assert (world.verified().fault, world.verified().torn) == ("", 0)


def test_a_flood_of_refusals_is_two_entries(world: World) -> None:
    for _ in range(5000):
        world.log.append_repeated(request(), "node.quota")
    world.now_ms += 10_000
    world.log.tick()
    entries = world.entries()
    assert [(e.outcome, e.code, e.count) for e in entries] == [
        (REFUSED, "node.quota", 1),
        (REFUSED, "node.quota", 4999),
    ]
    assert entries[1].account == request().account


def test_a_flood_under_many_names_takes_bounded_room(world: World) -> None:
    for number in range(3 * KINDS_MAX):
        one = Request(f"/made/Up{number}", b"", "", b"", (), f"10.0.{number >> 8}.{number & 255}")
        world.log.append_repeated(one, "node.quota")
    world.log.close()
    entries = world.entries()
    assert len(entries) <= KINDS_MAX + 2
    assert sum(entry.count for entry in entries) == 3 * KINDS_MAX


def test_what_a_stranger_can_choose_is_cut(world: World) -> None:
    world.log.append(request(method="/" + "x" * 8000), REFUSED, "access.method")
    (entry,) = world.entries()
    assert len(entry.method) == 128


def test_only_the_owner_may_read_it(three_hours: World) -> None:
    assert three_hours.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in files(three_hours.folder))


def test_entries_are_found_by_what_is_known_of_them(world: World) -> None:
    world.ask(1, 2)
    world.now_ms += 5000
    world.log.append(request(3, method="/shuxin.v1.Node/GetBlock"), REFUSED, "access.level")
    entries = world.entries()

    def found(wanted: Wanted) -> list[int]:
        return [entry.sequence for entry in entries if wanted.takes(entry)]

    assert found(Wanted()) == [1, 2, 3]
    assert found(Wanted(account="cd" * 20, outcome=REFUSED)) == [3]
    assert found(Wanted(method="View")) == [1, 2]
    assert found(Wanted(digest=sm3.digest(b"2"))) == [2]
    assert found(Wanted(code="access.level")) == [3]
    assert found(Wanted(from_ms=START_MS + 1)) == [3]
    assert found(Wanted(to_ms=START_MS)) == [1, 2]
    assert found(Wanted(peer="10.0.0.8")) == []
