"""Ranges of the state: in order and down, at one moment, and never silently short."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.disk import Disk
from ledger.errors import LedgerClosed, LedgerDamaged
from ledger.model import StateWrite
from tests.ledger_world import World

KEYS = st.binary(max_size=3)
SPACE, OTHER = "shop", "shop2"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    return Disk(tmp_path_factory.mktemp("ranges") / "ledger", create=True)


@given(keys=st.sets(KEYS, max_size=12), low=KEYS, high=KEYS, is_reverse=st.booleans())
def test_a_range_is_what_sorting_gives(
    disk: Disk, keys: set[bytes], low: bytes, high: bytes, is_reverse: bool
) -> None:
    present = [key for key, _ in disk.range(b"", b"\xff" * 4, is_reverse=False)]
    disk.write([(key, None) for key in present], is_synced=False)
    disk.write([(b"\1" + key, key) for key in keys], is_synced=False)
    found = list(disk.range(b"\1" + low, b"\1" + high, is_reverse=is_reverse))
    wanted = sorted((key for key in keys if low <= key < high), reverse=is_reverse)
    assert found == [(b"\1" + key, key) for key in wanted]


def test_the_last_and_the_first_of_all_keys(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "ledger", create=True)
    disk.write([(b"\xff\xff", b"last")])
    assert list(disk.range(b"\xff", b"\xff\xff\xff", is_reverse=True)) == [(b"\xff\xff", b"last")]
    assert list(disk.range(b"", b"\0", is_reverse=True)) == []
    disk.close()
    with pytest.raises(LedgerClosed):
        list(disk.range(b"", b"\xff", is_reverse=False))


@pytest.mark.parametrize("is_reverse", [False, True])
def test_a_range_of_the_state_stays_in_its_namespace(tmp_path: Path, is_reverse: bool) -> None:
    world = World(tmp_path / "ledger")
    world.commit(writes=[StateWrite(SPACE, b"b", b"2"), StateWrite(SPACE, b"a", b"1")])
    world.commit(writes=[StateWrite(OTHER, b"a", b"0"), StateWrite(SPACE, b"c", b"3")])
    world.certify(1)
    world.certify(2)
    with world.store.snapshot() as snapshot:
        world.commit(writes=[StateWrite(SPACE, b"b", None)])
        found = list(world.store.scan(SPACE, b"", b"\xff", is_reverse=is_reverse))
        before = list(snapshot.scan(SPACE, b"a\0", b"c\0", is_reverse=is_reverse))
    assert sorted(found) == [(b"a", b"1"), (b"c", b"3")]
    assert sorted(before) == [(b"b", b"2"), (b"c", b"3")]
    assert found == sorted(found, reverse=is_reverse)
    assert before == sorted(before, reverse=is_reverse)


@pytest.mark.parametrize("is_reverse", [False, True])
def test_damage_inside_a_range_is_named(tmp_path: Path, is_reverse: bool) -> None:
    """Nodes that found fewer entries than others would disagree about the block."""
    path = tmp_path / "ledger"
    disk = Disk(path, create=True)
    value = Random(1).randbytes  # would be compressed away otherwise
    for start in range(0, 10_000, 1_000):
        disk.write(
            [(number.to_bytes(4, "big"), value(1_000)) for number in range(start, start + 1_000)]
        )
    disk.close()
    Disk(path).close()  # what the log held stands in tables now
    for table in (path / "db").glob("*.ldb"):
        content = bytearray(table.read_bytes())
        content[len(content) // 4] ^= 1
        table.write_bytes(content)
    disk = Disk(path)
    with pytest.raises(LedgerDamaged):
        list(disk.range(b"", b"\xff", is_reverse=is_reverse))
    disk.close()
