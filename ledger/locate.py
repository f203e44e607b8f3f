"""Where a damaged ledger is damaged: the lowest block with a record that cannot be read.

LevelDB names a file at best, and refuses to open at all when its log is damaged; an auditor
wants the block. So a copy is opened leniently and asked for everything, height by height. This
only finds the place; that there is damage was found before, by `store` or `scrub`.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import plyvel

from ledger.encoding import decode
from ledger.errors import DecodeError, LedgerDamaged
from ledger.mark import Mark
from ledger.model import (
    Block,
    BlockHeader,
    ExecutionStatement,
    ValidatorSet,
    transaction_id,
)
from ledger.schema import (
    BASE_KEY,
    BLOCK,
    CHANGES,
    COMMIT_CERTIFICATE,
    COMMITTEE,
    EXECUTION_CERTIFICATE,
    HEAD_KEY,
    HEADER,
    RECEIPTS,
    SEQUENCE_KEY,
    STATEMENT,
    STORED_SIZE_MAX,
    TRANSACTION,
    at_height,
)

GAP_MAX = 64  # heights without any record, after which the ledger is taken to have ended
_NAMES = {
    HEADER: "header",
    BLOCK: "block record",
    RECEIPTS: "receipts",
    STATEMENT: "statement",
    CHANGES: "list of changes",
    COMMIT_CERTIFICATE: "commit certificate",
    EXECUTION_CERTIFICATE: "execution certificate",
}


@dataclass(frozen=True, slots=True)
class Place:
    """The lowest block concerned, and what of it."""

    height: int
    what: str


def locate(path: Path) -> Place | None:
    """The place of damage in the ledger at `path`; None when not even a copy can be opened.

    The ledger itself is not touched. Costs a copy of it.
    """
    if not (path / "db").is_dir():
        return None
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "db"
        shutil.copytree(path / "db", copy)
        database = _open(copy)
        if database is None:
            return None
        try:
            return _search(database, _acknowledged(path / "mark"))
        finally:
            database.close()


def _open(copy: Path) -> plyvel.DB | None:
    try:
        return plyvel.DB(str(copy), create_if_missing=False)
    except plyvel.Error:
        pass  # its table of contents is damaged: LevelDB can rebuild that from the tables
    try:
        plyvel.repair_db(str(copy))
        return plyvel.DB(str(copy), create_if_missing=False)
    except plyvel.Error:
        return None


def _search(database: plyvel.DB, acknowledged: int) -> Place:
    base = _number(database, BASE_KEY)
    end = _end(database, base)
    uncertified: Place | None = None
    has_hole = False
    for height in range(base, end + 1):
        place = (
            _damaged_record(database, height)
            or _damaged_committee(database, height)
            or _damaged_index(database, height)
        )
        if place is not None:
            return place
        if _has(database, EXECUTION_CERTIFICATE, height):
            has_hole = uncertified is not None
        elif uncertified is None and height:
            uncertified = Place(height, "its execution certificate is missing")
    try:
        for _ in database.iterator(verify_checksums=True):  # a bounded one ends without an error
            pass
    except plyvel.Error:
        return Place(
            end, "the state after it, the tree over it or a committee to come cannot be read"
        )
    if uncertified is not None and has_hole:
        return uncertified
    if _written(database) < acknowledged:
        return uncertified or Place(end + 1, "it is lost: the end of the database's log is damaged")
    return Place(end, "all records up to it can be read; what finds them is damaged")


def _acknowledged(mark: Path) -> int:
    try:
        opened = Mark(mark)
    except LedgerDamaged:
        return 0
    opened.close()
    return opened.sequence


def _written(database: plyvel.DB) -> int:
    """The number of the last write that is left (see ledger.mark)."""
    stored = database.get(SEQUENCE_KEY)
    return int.from_bytes(stored, "big") if stored is not None else 0


def _number(database: plyvel.DB, key: bytes) -> int:
    """0 where it is missing or cannot be read."""
    try:
        stored = database.get(key, verify_checksums=True)
    except plyvel.Error:
        stored = None
    return int.from_bytes(stored, "big") if stored is not None and len(stored) == 8 else 0


def _end(database: plyvel.DB, base: int) -> int:
    """The newest height of which anything is left."""
    end = max(base, _number(database, HEAD_KEY))
    height = end
    while height <= end + GAP_MAX:
        height += 1
        if any(_reads(database, table, height) for table in _NAMES):
            end = height
    return end


def _reads(database: plyvel.DB, table: bytes, height: int) -> bool:
    """A key that does not exist cannot be read either, where its neighbors are damaged."""
    try:
        return database.get(at_height(table, height), verify_checksums=True) is not None
    except plyvel.Error:
        return False


def _has(database: plyvel.DB, table: bytes, height: int) -> bool:
    try:
        return database.get(at_height(table, height), verify_checksums=True) is not None
    except plyvel.Error:
        return True  # something is there, though it cannot be read


def _damaged_record(database: plyvel.DB, height: int) -> Place | None:
    for table, name in _NAMES.items():
        try:
            found = database.get(at_height(table, height), verify_checksums=True)
        except plyvel.Error:
            return Place(height, f"its {name} cannot be read")
        is_optional = table in (EXECUTION_CERTIFICATE, CHANGES) or (
            table == COMMIT_CERTIFICATE and not height
        )
        if found is None and not is_optional:
            return Place(height, f"its {name} is missing")
    return None


def _damaged_committee(database: plyvel.DB, height: int) -> Place | None:
    """The committee that takes over after `height`, if its block says that one does.

    Not asked for elsewhere: a key that does not exist fails, too, when its neighbors are damaged.
    """
    try:
        header = decode(
            database.get(at_height(HEADER, height)) or b"", BlockHeader, size_max=STORED_SIZE_MAX
        )
        statement = decode(
            database.get(at_height(STATEMENT, height)) or b"",
            ExecutionStatement,
            size_max=STORED_SIZE_MAX,
        )
        if header.validators_hash == statement.next_validators_hash:
            return None
    except (plyvel.Error, DecodeError):
        return Place(height, "its header or statement is damaged")
    try:
        stored = database.get(at_height(COMMITTEE, height), verify_checksums=True)
    except plyvel.Error:
        return Place(height, "the committee that follows it cannot be read")
    if stored is None:
        return Place(height, "the committee that follows it is missing")
    try:
        decode(stored, ValidatorSet, size_max=STORED_SIZE_MAX)
    except DecodeError:
        return Place(height, "the committee that follows it is damaged")
    return None


def _damaged_index(database: plyvel.DB, height: int) -> Place | None:
    try:
        stored = database.get(at_height(BLOCK, height))
        block = decode(stored or b"", Block, size_max=STORED_SIZE_MAX)
    except (plyvel.Error, DecodeError):
        return Place(height, "its block record is damaged")
    for transaction in block.transactions:
        name = transaction_id(transaction)
        try:
            found = database.get(TRANSACTION + name, verify_checksums=True)
        except plyvel.Error:
            return Place(height, f"the place of transaction {name.hex()} cannot be read")
        if found is None:
            return Place(height, f"the place of transaction {name.hex()} is missing")
    return None
