"""Names outlive the power: each of these was once not synced, and a crash could take it back."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cli.recovery import _save
from consensus.pbft import wal
from crypto.files import make_directory, replace_file
from executors.cursor import Cursor, CursorFile
from executors.data.registry import Registry
from ledger import disk
from ledger.disk import Disk
from ledger.recovery import decode_recovery, next_recovery
from ledger.store import Store
from node import ledgers
from node.accusations import Accusations
from node.journal import Journal
from node.keys import write_private
from tests.ledger_world import GENESIS_WRITES, World, make_genesis


class Syncs:
    """What is synced, in order, and under which names it was known then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._noting(getattr(os, name)))

    def _noting(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def noted(descriptor: int) -> None:
            sync(descriptor)
            self.paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))

        return noted

    def has(self, *paths: Path) -> bool:
        """Whether all of them were synced, in this order, others between them or not."""
        rest = iter(self.paths)
        return all(str(path) in rest for path in paths)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    return Syncs(monkeypatch)


def test_a_new_ledger_and_all_that_names_it(tmp_path: Path, syncs: Syncs) -> None:
    path = tmp_path / "ledger"
    Store.create(path, make_genesis(), GENESIS_WRITES).close()
    building = path.with_name("ledger.new")
    assert syncs.has(building / "db", building, path / "db", path, tmp_path)


def test_a_ledger_whose_making_was_cut_off_is_synced_when_it_is_opened(
    tmp_path: Path, syncs: Syncs
) -> None:
    """Killed between the rename and its sync, then started again: the next blocks lie in it."""
    Store.create(tmp_path / "ledger", make_genesis(), GENESIS_WRITES).close()
    syncs.paths.clear()
    Store.open(tmp_path / "ledger").close()
    assert syncs.has(tmp_path / "ledger", tmp_path)


def test_a_log_that_leveldb_began_has_its_name_before_a_write_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncs: Syncs
) -> None:
    monkeypatch.setattr(disk, "_WRITE_BUFFER_SIZE", 64 << 10)
    with closing(Disk(tmp_path / "ledger", create=True)) as made:
        folder = made.database_path
        for number in range(30):
            before = set(folder.glob("*.log"))
            syncs.paths.clear()
            made.write([(b"%d" % number, bytes(20_000))])
            if set(folder.glob("*.log")) - before:
                assert syncs.has(folder)
                break
        else:
            pytest.fail("no log was rotated")


def test_a_folder_that_stays_as_it_is_is_not_synced_at_every_write(
    tmp_path: Path, syncs: Syncs
) -> None:
    with closing(Disk(tmp_path / "ledger", create=True)) as made:
        os.utime(made.database_path, (1, 1))  # long ago
        made.write([(b"key", b"value")])
        syncs.paths.clear()
        made.write([(b"key", b"another")])
        assert str(made.database_path) not in syncs.paths


def test_a_folder_that_changed_just_now_is_synced_again(tmp_path: Path, syncs: Syncs) -> None:
    """The clock of files ticks slowly: a second change may look like the first."""
    with closing(Disk(tmp_path / "ledger", create=True)) as made:
        for value in (b"one", b"two"):
            os.utime(made.database_path)
            syncs.paths.clear()
            made.write([(b"key", value)])
            assert str(made.database_path) in syncs.paths


def test_the_folder_of_the_journal(tmp_path: Path, syncs: Syncs) -> None:
    Journal(tmp_path / "data" / "journal").close()
    assert syncs.has(tmp_path)
    assert syncs.has(tmp_path / "data")
    assert syncs.has(tmp_path / "data" / "journal")


def test_votes_of_a_killed_life_are_durable_before_they_are_believed(
    tmp_path: Path, syncs: Syncs
) -> None:
    """It died between write and sync: the kernel has the vote, the disk may not."""
    Journal(tmp_path).close()
    segment = next(iter(tmp_path.glob("*.log")), tmp_path / "0000000001.log")
    with segment.open("ab") as file:
        file.write(wal.frame(wal.RECORD, b"a vote"))
    syncs.paths.clear()
    with closing(Journal(tmp_path)) as journal:
        assert journal.recovered.records == (b"a vote",)
        assert syncs.has(segment)


def test_what_a_recovery_sets_aside(tmp_path: Path, syncs: Syncs) -> None:
    for name in ("ledger", "ledger.recovered-1", "journal"):
        (tmp_path / name).mkdir()
    ledgers.settle(tmp_path / "ledger")
    aside = tmp_path / "recovered" / "1"
    assert syncs.has(tmp_path / "recovered", aside, tmp_path)
    assert sorted(path.name for path in aside.iterdir()) == ["journal", "ledger"]


def test_an_accusation_and_its_folder(tmp_path: Path, syncs: Syncs) -> None:
    Accusations(tmp_path / "accusations").keep_halt("reason", [b"certificate"])
    assert syncs.has(tmp_path, tmp_path / "accusations")


def test_a_key_of_the_network(tmp_path: Path, syncs: Syncs) -> None:
    write_private(tmp_path / "key", b"secret")
    assert syncs.has(tmp_path / "key", tmp_path)


def test_a_recovery_plan_with_its_signatures(tmp_path: Path, syncs: Syncs) -> None:
    world = World(tmp_path / "ledger")
    world.commit()
    plan = next_recovery((), world.execution_certificate(1), world.chain_id, "a fork", 1)
    world.store.close()
    _save(tmp_path / "plan", plan)
    assert syncs.has(tmp_path / "plan.new", tmp_path)
    assert decode_recovery((tmp_path / "plan").read_bytes()) == plan


def test_a_registered_data_set(tmp_path: Path, syncs: Syncs) -> None:
    """Its salt is needed for ever: the commitment is on the chain."""
    source = tmp_path / "rows.csv"
    source.write_text("age,sum\n1,2\n3,4\n")
    Registry(tmp_path / "home").add("set", source, types={}, now_ms=1)
    root = tmp_path / "home" / "datasets"
    assert syncs.has(tmp_path / "home", root)
    names = [path.rpartition("/")[2] for path in syncs.paths]
    assert names.index("data.csv") < names.index("record.bin")
    assert (root / "set" / "data.csv").read_bytes() == source.read_bytes()
    assert (root / "set" / "data.csv").stat().st_mode & 0o777 == 0o600


def test_a_cursor(tmp_path: Path, syncs: Syncs) -> None:
    CursorFile(tmp_path / "cursor").save(Cursor(3, 1))
    assert syncs.has(tmp_path / "cursor.new", tmp_path)
    assert CursorFile(tmp_path / "cursor").load() == Cursor(3, 1)


def test_folders_are_made_from_the_top_down_and_each_has_its_name(
    tmp_path: Path, syncs: Syncs
) -> None:
    make_directory(tmp_path / "a" / "b" / "c", mode=0o700)
    assert {str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")} == set(syncs.paths)
    assert (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o700


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
