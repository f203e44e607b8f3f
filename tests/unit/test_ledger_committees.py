"""The table of committees is checked with the blocks: damage to it is found and named."""

from __future__ import annotations

import shutil
from pathlib import Path

import plyvel
import pytest

from ledger.base import OPEN_CHECK_BLOCKS
from ledger.encoding import encode
from ledger.errors import LedgerDamaged
from ledger.genesis import Limits
from ledger.locate import Place, locate
from ledger.model import ValidatorSet
from ledger.schema import COMMITTEE, at_height
from ledger.store import Store
from tests.ledger_world import World, committee

WINDOW = 4
FIRST, SECOND = 2 + WINDOW, 12 + WINDOW  # the last heights of the first two committees
HEAD = SECOND + OPEN_CHECK_BLOCKS + 2
COMING = HEAD - 1 + WINDOW  # a third change is decided, but has not begun
SIZES = {2: 5, 12: 6, HEAD - 1: 7}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("committees") / "ledger"
    world = World(path, limits=Limits(watermark_window=WINDOW))
    for height in range(1, HEAD + 1):
        size = SIZES.get(height)
        world.commit(transactions=1, decides=committee(size) if size else None)
        world.certify(height)
    assert [epoch.base for epoch in world.store.epochs.all] == [0, FIRST, SECOND, COMING]
    world.store.close()
    return path


@pytest.fixture
def copy(ledger: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ledger, tmp_path / "copy"))


def scrub(path: Path) -> None:
    store = Store.open(path)
    try:
        store.scrub()
    finally:
        store.close()


def put(path: Path, key: bytes, value: bytes | None) -> None:
    """Behind LevelDB's checksums."""
    with plyvel.DB(str(path / "db"), bloom_filter_bits=10) as database:
        if value is None:
            database.delete(key)
        else:
            database.put(key, value)


def damage(path: Path) -> LedgerDamaged:
    with pytest.raises(LedgerDamaged, match="committee") as caught:
        scrub(path)
    return caught.value


def test_the_undamaged_ledger_passes_and_tells_its_committees(copy: Path) -> None:
    scrub(copy)
    store = Store.open(copy)
    sizes = [epoch.validators.size for epoch in store.epochs.all]
    assert sizes == [4, 5, 6, 7]
    assert store.current_epoch.base == SECOND
    store.close()


@pytest.mark.parametrize("base", [FIRST, SECOND])
@pytest.mark.parametrize("value", [None, encode(committee(8))], ids=["missing", "another"])
def test_a_committee_that_is_not_what_the_blocks_name_is_found(
    copy: Path, base: int, value: bytes | None
) -> None:
    put(copy, at_height(COMMITTEE, base), value)
    found = damage(copy)
    # What is missing or wrong in the newest blocks is found at once when the ledger is opened.
    assert found.height in (base, HEAD - OPEN_CHECK_BLOCKS + 1)
    assert "table of committees" in str(found)


@pytest.mark.parametrize("base", [1, FIRST - 1, FIRST + 1, HEAD])
def test_a_committee_that_no_block_names_is_found(copy: Path, base: int) -> None:
    put(copy, at_height(COMMITTEE, base), encode(committee(8)))
    assert damage(copy).height is not None


@pytest.mark.parametrize("base", [COMING + 1, HEAD + WINDOW + 1, 2**40])
def test_a_committee_that_no_block_can_have_decided_is_found(copy: Path, base: int) -> None:
    put(copy, at_height(COMMITTEE, base), encode(committee(8)))
    found = damage(copy)
    assert found.height == HEAD
    assert f"{base}" in str(found) and "can have decided" in str(found)


@pytest.mark.parametrize("base", [FIRST, SECOND, COMING])
@pytest.mark.parametrize("value", [b"", b"\x90", encode(committee(5)) + b"\0"])
def test_a_committee_that_cannot_be_read_is_named_when_the_ledger_is_opened(
    copy: Path, base: int, value: bytes
) -> None:
    put(copy, at_height(COMMITTEE, base), value)
    with pytest.raises(LedgerDamaged, match=f"block {base}: its next committee") as caught:
        Store.open(copy)
    assert caught.value.height == base


@pytest.mark.parametrize("key", [COMMITTEE + b"\0", at_height(COMMITTEE, 0), b"V" + bytes(20)])
def test_an_entry_that_fits_nowhere_is_named(copy: Path, key: bytes) -> None:
    put(copy, key, encode(committee(8)))
    with pytest.raises(LedgerDamaged, match=f"table of committees has an entry {key.hex()}"):
        Store.open(copy)


# --- where it is, when LevelDB does not say ---------------------------------------------------


@pytest.mark.parametrize(("value", "word"), [(b"\xc1", "damaged"), (None, "missing")])
def test_a_damaged_committee_is_located(copy: Path, value: bytes | None, word: str) -> None:
    put(copy, at_height(COMMITTEE, SECOND), value)
    place = locate(copy)
    assert place == Place(SECOND, f"the committee that follows it is {word}")


def test_a_flipped_bit_of_a_committee_on_disk_is_found_and_located(copy: Path) -> None:
    with plyvel.DB(str(copy / "db"), compression=None) as database:
        database.compact_range()  # from the log into tables, whose blocks have checksums
    row = encode(ValidatorSet(committee(5).validators))
    (table,) = (path for path in (copy / "db").glob("*.ldb") if row in path.read_bytes())
    content = bytearray(table.read_bytes())
    content[content.index(row) + 9] ^= 1
    table.write_bytes(bytes(content))
    with pytest.raises(LedgerDamaged):
        scrub(copy)
    place = locate(copy)
    assert place is not None
    # All committees stand in one block of the table, behind the last transactions. Where in the
    # table that block begins depends on the ids of these, so that it may hold none or many.
    assert "cannot be read" in place.what or "what finds them is damaged" in place.what
    if "committee" in place.what:
        assert place.height == FIRST
