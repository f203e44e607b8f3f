"""A ledger that begins above the genesis: what it has, what it says of the rest, what is damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import plyvel
import pytest

from ledger.archive import export
from ledger.base import OPEN_CHECK_BLOCKS, base_max, kept_blocks
from ledger.blocks import is_in_window
from ledger.encoding import decode, encode
from ledger.errors import HeightPruned, LedgerDamaged
from ledger.genesis import Limits
from ledger.locate import locate
from ledger.model import ExecutionCertificate, transaction_id
from ledger.scrub import ScrubProgress
from ledger.store import Store
from tests.ledger_world import World
from tests.pruned_world import KEPT, LIMITS, WINDOW, contents, cut, grown

HEAD = 40
FIRST, SECOND = 2 + WINDOW, 10 + WINDOW  # the last heights of the first two committees
BASE = HEAD + 1 - KEPT


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "ledger"
    grown(path, HEAD, sizes={2: 5, 10: 6}).store.close()
    return path


@pytest.fixture(scope="module")
def cut_ledger(whole: Path) -> Path:
    path = Path(shutil.copytree(whole, whole.with_name("cut")))
    cut(path, BASE)
    return path


@pytest.fixture
def copy(cut_ledger: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cut_ledger, tmp_path / "copy"))


def put(path: Path, key: bytes, value: bytes | None) -> None:
    """Behind LevelDB's checksums."""
    with plyvel.DB(str(path / "db"), bloom_filter_bits=10) as database:
        if value is None:
            database.delete(key)
        else:
            database.put(key, value)


def scrub(path: Path) -> None:
    store = Store.open(path)
    try:
        store.scrub()
    finally:
        store.close()


# --- what is damage ----------------------------------------------------------------------------


def test_a_ledger_that_lacks_what_replay_protection_needs_is_refused(
    whole: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(whole, tmp_path / "cut"))
    cut(path, BASE + 1)
    with pytest.raises(LedgerDamaged, match=f"begins at block {BASE + 1}.*all from {BASE} on"):
        Store.open(path)


@pytest.mark.parametrize("base", [b"", b"\0", bytes(9)])
def test_a_malformed_base_is_damage(copy: Path, base: bytes) -> None:
    put(copy, b"!base", base)
    with pytest.raises(LedgerDamaged, match="!base is missing or malformed"):
        Store.open(copy)


@pytest.mark.parametrize("end", [FIRST, SECOND])
def test_a_missing_handover_is_damage(copy: Path, end: int) -> None:
    put(copy, b"E" + end.to_bytes(8, "big"), None)
    with pytest.raises(LedgerDamaged, match=f"block {end}.*ends its epoch is missing") as caught:
        Store.open(copy)
    assert caught.value.height == end


def test_a_handover_to_another_committee_is_damage(copy: Path) -> None:
    keys = [b"E" + end.to_bytes(8, "big") for end in (FIRST, SECOND)]
    with plyvel.DB(str(copy / "db"), bloom_filter_bits=10) as database:
        other = decode(database.get(keys[1]) or b"", ExecutionCertificate, size_max=1 << 20)
    put(copy, keys[0], encode(other))
    with pytest.raises(LedgerDamaged, match=f"block {FIRST}.*does not hand over"):
        Store.open(copy)


@pytest.mark.parametrize("table", [b"B", b"H", b"R", b"D", b"S", b"C", b"E"])
@pytest.mark.parametrize("height", [0, FIRST - 1, BASE - 1, HEAD + 1])
def test_what_is_left_of_another_height_is_found_by_a_scrub(
    copy: Path, table: bytes, height: int
) -> None:
    put(copy, table + height.to_bytes(8, "big"), b"x")
    with pytest.raises(LedgerDamaged, match=f"none of the blocks {BASE} to {HEAD}"):
        scrub(copy)


@pytest.mark.parametrize("key", [b"K" + bytes(32), b"T" + bytes(32)])
def test_an_index_entry_too_many_is_found_by_a_scrub(copy: Path, key: bytes) -> None:
    put(copy, key, encode((1, 0)) if key[:1] == b"T" else bytes(8))
    with pytest.raises(LedgerDamaged, match=f"index {key[:1].decode()} has"):
        scrub(copy)


@pytest.mark.parametrize("height", [BASE, BASE + 1, HEAD])
def test_damage_above_the_base_is_found_and_located(copy: Path, height: int) -> None:
    put(copy, b"R" + height.to_bytes(8, "big"), None)
    with pytest.raises(LedgerDamaged, match=f"block {height}: its receipts is missing"):
        scrub(copy)
    place = locate(copy)
    assert place is not None and place.height == height


# --- what is there -----------------------------------------------------------------------------


def test_from_the_base_on_everything_is_there(copy: Path, whole: Path) -> None:
    scrub(copy)
    pruned, full = Store.open(copy), Store.open(whole)
    assert (pruned.base, full.base) == (BASE, 0)
    assert (pruned.height, pruned.certified_height) == (HEAD, HEAD)
    assert contents(pruned) == contents(full)[BASE:]
    assert [one.base for one in pruned.epochs.all] == [one.base for one in full.epochs.all]
    place = locate(copy)
    assert place is not None and place.height == HEAD and "all records" in place.what
    pruned.close()
    full.close()


@pytest.mark.parametrize("height", [0, 1, FIRST - 1, BASE - 1])
def test_a_height_below_the_base_says_where_the_ledger_begins(copy: Path, height: int) -> None:
    store = Store.open(copy)
    for read in (
        store.header,
        store.block,
        store.receipts,
        store.statement,
        store.commit_certificate,
        store.execution_certificate,
    ):
        with pytest.raises(HeightPruned, match=f"begins at block {BASE}; ask a node") as caught:
            read(height)
        assert caught.value.base == BASE
    with pytest.raises(HeightPruned):
        list(store.iterate_blocks(height, HEAD))
    store.close()


def test_the_last_certificates_of_epochs_stay(copy: Path) -> None:
    store = Store.open(copy)
    for end in (FIRST, SECOND):
        certificate = store.execution_certificate(end)
        assert certificate is not None and certificate.statement.height == end
        with pytest.raises(HeightPruned):
            store.statement(end)
    store.close()


def test_indexes_know_what_is_there(copy: Path, whole: Path) -> None:
    pruned, full = Store.open(copy), Store.open(whole)
    for found in full.iterate_blocks(0, HEAD):
        height, is_kept = found.block.header.height, found.block.header.height >= BASE
        assert pruned.find_block(found.statement.block_hash) == (height if is_kept else None)
        for index, transaction in enumerate(found.block.transactions):
            place = pruned.find_transaction(transaction_id(transaction))
            assert place == ((height, index) if is_kept else None)
    pruned.close()
    full.close()


def test_the_chain_goes_on_and_a_scrub_tells_its_progress(copy: Path) -> None:
    world = World(copy, limits=LIMITS)
    world.commit()
    world.certify(HEAD + 1)
    world.reopen()
    told: list[ScrubProgress] = []
    world.store.scrub(told.append)
    last = [one for one in told if one.stage == "blocks"][-1]
    assert (last.done, last.total) == (KEPT + 1, KEPT + 1)
    world.store.close()


def test_an_archive_of_less_than_the_chain_is_not_written(copy: Path, tmp_path: Path) -> None:
    store = Store.open(copy)
    with pytest.raises(HeightPruned, match=f"block 0 .*begins at block {BASE}"):
        export(store, tmp_path / "archive", lambda done, total: None)
    assert not list(tmp_path.glob("archive*"))
    store.close()


# --- how much is kept --------------------------------------------------------------------------


@pytest.mark.parametrize("certified", [0, 10, 599, 600, 1000])
@pytest.mark.parametrize("window", [1, 16, 600])
def test_all_that_a_coming_block_may_repeat_is_kept(certified: int, window: int) -> None:
    """Whatever block holds a transaction that a coming one could hold again is kept."""
    limits = Limits(valid_window=window)
    base = base_max(certified, limits)
    for pruned in range(max(0, base - 3), base):
        for valid_until in range(pruned, pruned + window + 1):
            assert is_in_window(valid_until, pruned, limits), "so it may stand there"
            assert not is_in_window(valid_until, certified + 1, limits)
    assert certified - base + 1 >= min(certified + 1, OPEN_CHECK_BLOCKS)


def test_the_largest_of_the_reasons_counts() -> None:
    assert kept_blocks(Limits(valid_window=600, watermark_window=32)) == 600
    assert kept_blocks(Limits(valid_window=10, watermark_window=32)) == 64
    assert kept_blocks(Limits(valid_window=1, watermark_window=1)) == OPEN_CHECK_BLOCKS
