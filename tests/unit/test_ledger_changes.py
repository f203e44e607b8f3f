"""What each block changed is stored with it, whole, and a scrub sees when it is not."""

from __future__ import annotations

from pathlib import Path

import plyvel
import pytest

from ledger.encoding import encode
from ledger.errors import HeightUnknown, LedgerDamaged
from ledger.model import StateWrite
from ledger.schema import CHANGES, Changes, at_height, seal
from tests.ledger_world import GENESIS_WRITES, NAMESPACE, World

FIRST = (StateWrite(NAMESPACE, b"a", b"1"), StateWrite(NAMESPACE, b"b", b"2"))
SECOND = (StateWrite(NAMESPACE, b"a", None), StateWrite("other", b"a", b"\xff" * 300))


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "ledger")
    world.commit(writes=FIRST)
    world.commit(writes=SECOND)
    return world


def _alter(world: World, height: int, row: bytes | None) -> None:
    """Put another list of changes where that of a block stood, or none."""
    world.store.close()
    with plyvel.DB(str(world.path / "db")) as database:
        if row is None:
            database.delete(at_height(CHANGES, height))
        else:
            key = at_height(CHANGES, height)
            database.put(key, seal(key, row))
    world.reopen()


def test_the_changes_of_every_block_are_there_from_the_genesis_on(world: World) -> None:
    world.commit(transactions=0, writes=())
    assert [world.store.changes(height) for height in range(4)] == [
        GENESIS_WRITES,
        FIRST,
        SECOND,
        (),
    ]
    with pytest.raises(HeightUnknown):
        world.store.changes(4)
    world.store.scrub()


def test_a_list_that_is_not_what_the_state_holds_is_damage(world: World) -> None:
    wrong = Changes((StateWrite(NAMESPACE, b"a", b"1"), SECOND[1]))
    _alter(world, 2, encode(wrong))
    with pytest.raises(LedgerDamaged, match=r"block 2: .*list of changes"):
        world.store.scrub()


def test_undecodable_changes_are_damage_that_names_the_block(world: World) -> None:
    _alter(world, 1, b"\x91")
    with pytest.raises(LedgerDamaged, match=r"block 1: its list of changes is damaged"):
        world.store.changes(1)
    with pytest.raises(LedgerDamaged, match=r"block 1: its list of changes is damaged"):
        world.store.scrub()


def test_a_missing_list_is_damage_once_there_was_one(world: World) -> None:
    _alter(world, 1, None)
    with pytest.raises(LedgerDamaged, match=r"block 1: its list of changes is missing"):
        world.store.scrub()


def test_blocks_of_an_older_release_have_no_list(world: World) -> None:
    for height in (0, 1):
        _alter(world, height, None)
    assert world.store.changes(1) is None and world.store.changes(2) == SECOND
    world.store.scrub()
