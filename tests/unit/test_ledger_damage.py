"""Damage is found: every flipped byte, every missing or misplaced record, with its height."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import plyvel
import pytest

from ledger.base import OPEN_CHECK_BLOCKS
from ledger.encoding import encode
from ledger.errors import LedgerDamaged
from ledger.model import transaction_id
from ledger.schema import (
    BLOCK,
    CERTIFIED_KEY,
    COMMIT_CERTIFICATE,
    EXECUTION_CERTIFICATE,
    HASH,
    HEAD_KEY,
    HEADER,
    PAGE,
    RECEIPTS,
    STATEMENT,
    TRANSACTION,
    at_height,
    number,
    state_key,
)
from ledger.store import Store
from tests.ledger_world import NAMESPACE, World

BLOCKS = OPEN_CHECK_BLOCKS + 14
IGNORED = {"LOG", "LOG.old", "LOCK"}  # LevelDB's diary and lock: no part of the ledger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger with tables and a log, none of whose blocks after 25 is certified."""
    path = tmp_path_factory.mktemp("damage") / "ledger"
    world = World(path)
    for height in range(1, BLOCKS + 1):
        world.commit(writes=world.writes(30))
        if height <= 25:
            world.certify(height)
        if height == BLOCKS // 2:
            world.reopen()  # flushes the log into a table
    world.store.close()
    return path


@pytest.fixture
def copy(ledger: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ledger, tmp_path / "copy"))


def _examine(path: Path) -> None:
    store = Store.open(path)
    try:
        store.scrub()
    finally:
        store.close()


def _flip(path: Path, position: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1 << bit]))


def test_the_undamaged_ledger_passes(copy: Path) -> None:
    _examine(copy)


def test_a_flipped_bit_anywhere_is_found(ledger: Path, tmp_path: Path) -> None:
    drawn = random.Random(20)
    files = [f for f in ledger.rglob("*") if f.is_file() and f.name not in IGNORED]
    assert {f.suffix for f in files} >= {".ldb", ".log"}
    for file in files:
        size = file.stat().st_size
        positions = {0, size // 2, size - 1} | {drawn.randrange(size) for _ in range(12)}
        positions |= set(range(max(0, size - 60), size, 3))  # footers, tails of logs
        for position in sorted(positions):
            path = Path(shutil.copytree(ledger, tmp_path / "copy"))
            _flip(path / file.relative_to(ledger), position, drawn.randrange(8))
            with pytest.raises(LedgerDamaged):
                _examine(path)
                pytest.fail(f"{file.name}: a flip at {position} of {size} was not found")
            shutil.rmtree(path)


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-*", "*.ldb", "../mark"])
def test_a_missing_file_is_found(copy: Path, name: str) -> None:
    next((copy / "db").glob(name) if "/" not in name else iter([copy / "mark"])).unlink()
    with pytest.raises(LedgerDamaged):
        _examine(copy)


def test_a_log_cut_short_after_an_acknowledged_write_is_found(copy: Path) -> None:
    log = next(f for f in (copy / "db").glob("*.log") if f.stat().st_size)
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - 5)
    with pytest.raises(LedgerDamaged, match="was acknowledged"):
        Store.open(copy)


def _edit(path: Path, key: bytes, change: Callable[[bytes], bytes | None]) -> None:
    """Change one stored value; LevelDB's checksums will be right."""
    with plyvel.DB(str(path / "db"), compression=None, bloom_filter_bits=10) as database:
        value = database.get(key)
        assert value is not None
        changed = change(value)
        if changed is None:
            database.delete(key)
        else:
            database.put(key, changed)


def _bend(value: bytes) -> bytes:
    middle = len(value) // 2
    return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]


@pytest.mark.parametrize("table", [BLOCK, HEADER, RECEIPTS, STATEMENT, COMMIT_CERTIFICATE])
@pytest.mark.parametrize("height", [3, BLOCKS])
@pytest.mark.parametrize("change", [_bend, lambda value: None, lambda value: value + b"\0"])
def test_an_altered_record_names_its_block(
    copy: Path, table: bytes, height: int, change: Callable[[bytes], bytes | None]
) -> None:
    if table == COMMIT_CERTIFICATE and change is _bend:
        pytest.skip("no hash covers a signature: test_node_mend.py")
    _edit(copy, at_height(table, height), change)
    with pytest.raises(LedgerDamaged, match=f"block {height}") as caught:
        _examine(copy)
    assert caught.value.height == height


def test_an_old_block_in_place_of_a_new_one_is_found(copy: Path) -> None:
    with plyvel.DB(str(copy / "db")) as database:
        old = {table: database.get(at_height(table, 3)) for table in (BLOCK, HEADER, RECEIPTS)}
    for table, value in old.items():
        _edit(copy, at_height(table, 5), lambda _, value=value: value)  # type: ignore[misc]
    with pytest.raises(LedgerDamaged) as caught:
        _examine(copy)
    assert caught.value.height == 5


def test_a_lost_execution_certificate_is_found(copy: Path) -> None:
    _edit(copy, at_height(EXECUTION_CERTIFICATE, 20), lambda value: None)
    with pytest.raises(LedgerDamaged, match="block 20: its execution certificate is missing"):
        _examine(copy)


def test_broken_indexes_are_found(ledger: Path, copy: Path) -> None:
    store = Store.open(ledger)
    wanted = TRANSACTION + transaction_id(store.block(4).transactions[1])
    block_key = HASH + store.statement(4).block_hash
    store.close()
    _edit(copy, wanted, lambda value: encode((4, 2)))
    with pytest.raises(LedgerDamaged, match="block 4"):
        _examine(copy)
    _edit(copy, wanted, lambda value: encode((4, 1)))
    _edit(copy, block_key, lambda value: number(5))
    with pytest.raises(LedgerDamaged, match="block 4"):
        _examine(copy)
    _edit(copy, block_key, lambda value: number(4))
    _edit(copy, HEAD_KEY, lambda value: value)
    with plyvel.DB(str(copy / "db")) as database:
        database.put(TRANSACTION + b"f" * 32, encode((4, 0)))
    with pytest.raises(LedgerDamaged, match="index T has 91 entries for 90"):
        _examine(copy)


@pytest.mark.parametrize("change", [_bend, lambda value: None])
def test_an_altered_value_of_the_state_names_its_key(
    copy: Path, change: Callable[[bytes], bytes | None]
) -> None:
    key = state_key(NAMESPACE, b"k000002")
    with plyvel.DB(str(copy / "db")) as database:
        if database.get(key) is None:
            key = next(database.iterator(prefix=b"s", include_value=False))
    _edit(copy, key, change)
    with pytest.raises(LedgerDamaged, match=r"key \w+, is not what|a value of the state is mis"):
        _examine(copy)


def test_altered_pages_are_found_at_open_or_by_a_scrub(copy: Path) -> None:
    with plyvel.DB(str(copy / "db")) as database:
        name, page = next(database.iterator(prefix=PAGE))
    for position in (0, 5, 40, 70, 100):
        bent = page[:position] + bytes([page[position] ^ 4]) + page[position + 1 :]
        _edit(copy, name, lambda _, bent=bent: bent)  # type: ignore[misc]
        with pytest.raises(LedgerDamaged):
            _examine(copy)
    _edit(copy, name, lambda _: None)
    with pytest.raises(LedgerDamaged, match=f"block {BLOCKS}: the state tree has root"):
        Store.open(copy)


@pytest.mark.parametrize("key", [HEAD_KEY, CERTIFIED_KEY])
@pytest.mark.parametrize("value", [None, b"", number(2**40), number(3)])
def test_wrong_heights_are_found(copy: Path, key: bytes, value: bytes | None) -> None:
    _edit(copy, key, lambda _: value)
    with pytest.raises(LedgerDamaged):
        _examine(copy)


def test_an_unknown_key_is_found(copy: Path) -> None:
    with plyvel.DB(str(copy / "db")) as database:
        database.put(b"?", b"?")
    with pytest.raises(LedgerDamaged, match="unknown key 3f"):
        _examine(copy)
