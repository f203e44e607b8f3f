"""The history on disk: LevelDB, one batch per block, with how far it has got in the same batch.

Nothing here is synced: after a power failure the newest blocks may be missing, in their order,
and are added again. What is damaged, or of another chain or form, is removed and begun anew. One
thread writes; any thread reads.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import plyvel

from ledger.disk import error_text, read, read_range
from ledger.encoding import decode, encode
from ledger.errors import (
    DecodeError,
    HistoryDamaged,
    LedgerClosed,
    LedgerDamaged,
    LedgerError,
    LedgerInUse,
)
from ledger.history.pages import (
    BYTES_MAX,
    HEIGHT_MAX,
    ROWS_MAX,
    SCANNED_MAX,
    AccountEntry,
    KeyChange,
    Page,
    Span,
    SubjectEntry,
    decode_cursor,
    encode_cursor,
)
from ledger.history.rows import Source, rows_of
from ledger.history.schema import (
    BLOCKS,
    EVENTS,
    HEIGHT_SIZE,
    KEYS,
    PLACE_SIZE,
    ROW_SIZE_MAX,
    STANDING_KEY,
    TABLES,
    AccountRow,
    BlockRow,
    EventRow,
    KeyRow,
    Standing,
    SubjectRow,
    account_prefix,
    height_bytes,
    height_of,
    key_prefix,
    place_bytes,
    subject_prefix,
)
from ledger.model import block_hash

FORM = 1
_DATABASE, _DAMAGED = "db", "damaged"
_WRITE_BUFFER_SIZE = 4 << 20  # bytes: some ten full blocks between two flushes
_CACHE_SIZE = 4 << 20  # bytes: people ask for it, not the chain
_FILES_OPEN_MAX = 200  # tables of 2 MB; beyond, LevelDB opens one anew for a read
_STANDING_SIZE_MAX = 4 << 10  # bytes
# Rows looked at per block while old ones are removed, some 20 ms: more than a full block adds, so
# that a sweep over one and a half times what is kept is over before half of that is there again.
SWEPT_MIN, _SWEPT_PER_ROW = 20_000, 4
_BEYOND = bytes([TABLES[-1] + 1])

T = TypeVar("T")
R = TypeVar("R")
Pair = tuple[bytes, bytes | None]


class History:
    """Open it with `open_history`."""

    def __init__(self, path: Path, database: plyvel.DB, standing: Standing) -> None:
        self.path = path
        self._database = database
        self._standing = standing
        self._added = 0  # rows of the newest block
        self._grown = threading.Condition()

    @property
    def height(self) -> int:
        """Of the newest block that is in it; one below its first while there is none."""
        return self._standing.height

    @property
    def block_hash(self) -> bytes:
        """Of that block; empty while there is none."""
        return self._standing.block_hash

    @property
    def first(self) -> int:
        """From here on it knows all transactions and events."""
        return self._standing.floor

    def wait_for(self, height: int, timeout_s: float) -> None:
        """Until it holds that block, or time is over."""
        with self._grown:
            self._grown.wait_for(lambda: self.height >= height, timeout_s)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        total = 0
        for file in self.path.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # compacted away meanwhile
                total += file.stat().st_size
        return total

    # --- reading ----------------------------------------------------------------------------

    def of_key(self, namespace: str, key: bytes, span: Span) -> Page[KeyChange]:
        """What blocks left under a key. Raises DecodeError for a cursor or namespace that is none,
        HistoryDamaged."""
        try:
            prefix = key_prefix(namespace, key)
        except UnicodeEncodeError:
            raise DecodeError("namespace: not valid Unicode") from None

        def entry(look: _Look, height: int, index: int, value: bytes) -> KeyChange:
            found = _decoded(value, KeyRow)
            return KeyChange(height, look.time_ms(height), found.value, found.transaction_id)

        return self._page(prefix, HEIGHT_SIZE, span, entry)

    def of_account(self, address: bytes, span: Span) -> Page[AccountEntry]:
        """The transactions of a sender (20 bytes). Raises DecodeError, HistoryDamaged."""
        if len(address) != 20:
            raise DecodeError(f"an address takes 20 bytes, got {len(address)}")

        def entry(look: _Look, height: int, index: int, value: bytes) -> AccountEntry:
            found = _decoded(value, AccountRow)
            return AccountEntry(
                height,
                index,
                look.time_ms(height),
                found.transaction_id,
                found.contract,
                found.method,
                found.status,
                found.error,
            )

        return self._page(account_prefix(address), PLACE_SIZE, span, entry)

    def of_subject(
        self, subject: bytes, span: Span, *, contract: str = "", field: str = ""
    ) -> Page[SubjectEntry]:
        """The events about an encoded subject; of one contract, by one field, if not empty.

        Raises DecodeError, HistoryDamaged.
        """

        def entry(look: _Look, height: int, index: int, value: bytes) -> SubjectEntry | None:
            row = _decoded(value, SubjectRow)
            if contract not in ("", row.contract) or (field and field not in row.fields):
                return None
            found = look.event(height, index)
            return SubjectEntry(
                height,
                index,
                look.time_ms(height),
                found.transaction_id,
                found.event,
                row.fields,
            )

        return self._page(subject_prefix(subject), PLACE_SIZE, span, entry)

    def _page(
        self,
        prefix: bytes,
        place_size: int,
        span: Span,
        entry: Callable[[_Look, int, int, bytes], R | None],
    ) -> Page[R]:
        with self._guarded():
            look = _Look(self._database)
            first = look.values_first if prefix[:1] == KEYS else look.standing.floor
            low, high = _bounds(prefix, place_size, first, look.standing.height, span)
            rows: list[R] = []
            cursor = span.after
            rows_max = max(1, min(span.rows_max, ROWS_MAX))
            pairs = read_range(look.snapshot, low, high, is_reverse=span.is_newest_first)
            is_complete = True
            for scanned, (stored, value) in enumerate(pairs):
                look.size += len(value)
                is_full = len(rows) == rows_max or (rows and look.size > BYTES_MAX)
                if is_full or scanned == SCANNED_MAX:
                    is_complete = False
                    break
                height, index = _place(stored[len(prefix) :])
                found = entry(look, height, index, value)
                cursor = encode_cursor(height, index)
                if found is not None:
                    rows.append(found)
        return Page(tuple(rows), cursor, is_complete, first, look.standing.height)

    # --- writing ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Note where it stands, before there are rows."""
        self._write((), self._standing)

    def add(self, source: Source) -> None:
        """Put in all rows of the next block. Raises LedgerError, HistoryDamaged."""
        header = source.block.header
        assert header.height == self.height + 1, "blocks are added in order"
        standing = msgspec.structs.replace(
            self._standing, height=header.height, block_hash=block_hash(header)
        )
        if source.changes is None:
            standing = msgspec.structs.replace(standing, values_from=header.height + 1)
        rows = list(rows_of(source))
        self._write(rows, standing)
        self._added = len(rows)
        with self._grown:
            self._grown.notify_all()

    def keep(self, blocks: int, *, swept_min: int = SWEPT_MIN) -> None:
        """Show the newest so many blocks only, and remove a bit of what is older.

        To be called after each block. Rows that are not shown any more stay on disk until a sweep
        takes them, which begins when half as many blocks are due. `swept_min` rows are looked at,
        or some for each that the newest block added. Raises LedgerError, HistoryDamaged.
        """
        standing = self._standing
        floor = max(standing.floor, standing.height - blocks + 1)
        standing = msgspec.structs.replace(standing, floor=floor)
        if not standing.sweep_at and floor - standing.swept > blocks // 2:
            standing = msgspec.structs.replace(standing, sweep_floor=floor, sweep_at=TABLES[:1])
        if standing.sweep_at:
            self._sweep(standing, max(swept_min, _SWEPT_PER_ROW * self._added))
        elif floor != self._standing.floor:
            self._write((), standing)

    def _sweep(self, standing: Standing, left: int) -> None:
        """Go on with the sweep that is under way, over so many rows."""
        removed: list[Pair] = []
        place = b""
        with self._guarded():
            for stored, _ in read_range(
                self._database, standing.sweep_at, _BEYOND, is_reverse=False
            ):
                if not left:
                    place = stored
                    break
                left -= 1
                if height_of(stored) < standing.sweep_floor:
                    removed.append((stored, None))
        if not place:
            standing = msgspec.structs.replace(standing, swept=standing.sweep_floor)
        self._write(removed, msgspec.structs.replace(standing, sweep_at=place))

    def _write(self, pairs: Iterable[Pair], standing: Standing) -> None:
        with self._guarded(), self._database.write_batch() as batch:
            for key, value in pairs:
                if value is None:
                    batch.delete(key)
                else:
                    batch.put(key, value)
            batch.put(STANDING_KEY, encode(standing))
        self._standing = standing

    def close(self) -> None:
        """Doing it twice does no harm."""
        self._database.close()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Gives errors their names, and has what is damaged made again at the next start."""
        try:
            yield
        except (LedgerDamaged, plyvel.CorruptionError) as error:
            with contextlib.suppress(OSError):
                (self.path / _DAMAGED).touch()
            raise HistoryDamaged(
                f"{self.path}: the history is damaged; restart the node, which makes it again "
                "from the ledger"
            ) from error
        except plyvel.Error as error:
            raise LedgerError(
                f"{self.path}: the history cannot be written: {error_text(error)}; make room or "
                "repair the disk"
            ) from None
        except RuntimeError as error:
            raise LedgerClosed(f"the history is closed: {error}") from None


def open_history(
    path: Path, chain_id: bytes, first: int, is_block: Callable[[int, bytes], bool]
) -> tuple[History, str]:
    """The history at `path`, and why it was begun anew ("" when it goes on).

    `first` is the lowest block that the ledger has; `is_block(height, hash)` says whether it has
    that block. Raises LedgerInUse, OSError.
    """
    reason = "there was none"
    if path.exists():
        history, reason = _open(path, chain_id, first, is_block)
        if history is not None:
            return history, ""
        shutil.rmtree(path)
    path.mkdir(parents=True)
    database = _open_database(path / _DATABASE)
    standing = Standing(FORM, chain_id, first, first, first, first - 1, b"", first, first, b"")
    history = History(path, database, standing)
    history.begin()
    return history, reason


def _open(
    path: Path, chain_id: bytes, first: int, is_block: Callable[[int, bytes], bool]
) -> tuple[History | None, str]:
    """What stands at `path`, if it can be gone on with, or why not."""
    if (path / _DAMAGED).exists():
        return None, "it was damaged"
    try:
        database = _open_database(path / _DATABASE)
    except HistoryDamaged as error:
        return None, str(error)
    reason = "it says nothing of where it stands"
    try:
        data = read(database, STANDING_KEY)
        if data is not None:
            standing = decode(data, Standing, size_max=_STANDING_SIZE_MAX)
            reason = _unfit(standing, chain_id, first, is_block)
            if not reason:
                return History(path, database, standing), ""
    except (LedgerDamaged, DecodeError) as error:
        reason = str(error)
    database.close()
    return None, reason


def _unfit(
    standing: Standing, chain_id: bytes, first: int, is_block: Callable[[int, bytes], bool]
) -> str:
    """Why a history does not belong to this ledger; empty: it does."""
    if standing.form != FORM:
        return f"it has the form {standing.form}, this release has {FORM}"
    if standing.chain_id != chain_id:
        return "it is of another chain"
    if standing.height + 1 < first:
        return f"it ends with block {standing.height}, the ledger begins with {first}"
    if standing.block_hash and not is_block(standing.height, standing.block_hash):
        return f"the ledger does not have its block {standing.height}"
    return ""


def _open_database(path: Path) -> plyvel.DB:
    try:
        return plyvel.DB(
            str(path),
            create_if_missing=True,
            paranoid_checks=True,
            write_buffer_size=_WRITE_BUFFER_SIZE,
            lru_cache_size=_CACHE_SIZE,
            max_open_files=_FILES_OPEN_MAX,
            compression="snappy",  # names of contracts and fields repeat in every row
        )
    except plyvel.Error as error:
        if isinstance(error, plyvel.IOError) and "lock" in error_text(error).lower():
            raise LedgerInUse(
                f"{path}: another process has this history open; stop that node first"
            ) from None
        raise HistoryDamaged(f"it cannot be opened: {error_text(error)}") from None


class _Look:
    """The database as it is at one moment, and the bytes that were read of it for a page.

    A sweep may remove rows meanwhile; where the history stands is part of what is looked at.
    """

    def __init__(self, database: plyvel.DB) -> None:
        self.snapshot = database.snapshot()
        self.standing = _decoded(self._need(STANDING_KEY), Standing)
        self.size = 0

    @property
    def values_first(self) -> int:
        return max(self.standing.floor, self.standing.values_from)

    def time_ms(self, height: int) -> int:
        return _decoded(self._need(BLOCKS + height_bytes(height)), BlockRow).time_ms

    def event(self, height: int, index: int) -> EventRow:
        data = self._need(EVENTS + place_bytes(height, index))
        self.size += len(data)
        return _decoded(data, EventRow)

    def _need(self, key: bytes) -> bytes:
        data = read(self.snapshot, key)
        if data is None:
            raise LedgerDamaged(f"row {key.hex()} is missing")
        return data


def _bounds(
    prefix: bytes, place_size: int, first: int, height: int, span: Span
) -> tuple[bytes, bytes]:
    """First key of the rows that are left of a span, and the key beyond. Raises DecodeError."""
    low = prefix + height_bytes(max(first, min(span.from_height, HEIGHT_MAX)))
    high = prefix + height_bytes(min(height, span.to_height) + 1)
    if not span.after:
        return low, high
    after = prefix + place_bytes(*decode_cursor(span.after))[:place_size]
    if span.is_newest_first:
        return low, min(high, after)
    return max(low, after + b"\0"), high


def _place(place: bytes) -> tuple[int, int]:
    """(height, index) from the end of a row's key; rows of keys have no index."""
    index = place[HEIGHT_SIZE:]
    return int.from_bytes(place[:HEIGHT_SIZE], "big"), int.from_bytes(index, "big")


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        return decode(data, kind, size_max=ROW_SIZE_MAX)
    except DecodeError as error:
        raise LedgerDamaged(str(error)) from None
