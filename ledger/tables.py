"""The bytes of LevelDB's files that LevelDB itself reads without checking them, or not again.

LevelDB verifies a CRC-32C over every data block. It ignores damage in the filters of its tables
(and then reads without them), never looks at the padding of a table's footer, nor at the unused
end of a log block; a table's index it keeps in memory, CURRENT, the manifest and the log it reads
at opening only, and a log whose last record does not fit it takes for one that was cut off. None
of it can change what a running ledger says, but a disk that flips bits there will flip others
next, and some of it would keep the ledger from being opened again.

    *.ldb        blocks: LevelDB, and here where it found one bad; index, filters, footer: here
    *.log, MANIFEST-*  records: LevelDB at opening, and here; unused ends, cut-off ends: here
    CURRENT      here
    LOG, LOG.old, LOCK, *.dbtmp   LevelDB's diary, lock and leftovers: nothing reads them
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ledger.errors import REMEDY, LedgerDamaged
from ledger.findings import FILE, Finding

_FOOTER_SIZE = 48
_MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
_TRAILER_SIZE = 5  # compression type, masked CRC-32C
_UNCOMPRESSED = 0  # we never write other blocks; tools that touched the database may
_LOG_BLOCK_SIZE = 32 << 10
_LOG_HEADER_SIZE = 7  # CRC-32C, length, type


def _go_on() -> None:
    """For callers that never wait."""


def check_tables(database: Path, *, filter_bytes_max: int) -> None:
    """Check footers and filters of table files. Raises LedgerDamaged naming the file.

    The newest tables come first; filters are left out once `filter_bytes_max` are checked.
    """
    left = filter_bytes_max
    for path in _tables(database):
        try:
            faults, checked = _table_faults(path, left, every_block=False)
        except OSError as error:
            raise LedgerDamaged(f"{path}: cannot be read: {error.strerror}; {REMEDY}") from None
        for fault in faults:
            raise LedgerDamaged(f"{path}: {fault.text}")
        left = max(0, left - checked)


def check_logs(database: Path) -> None:
    """Check how log blocks and logs end, before LevelDB replays the logs and removes them."""
    for path in _logs(database):
        for offset in _log_faults(path.read_bytes(), every_record=False):
            raise LedgerDamaged(f"{path}: the log is damaged near byte {offset}; {REMEDY}")


def database_faults(
    database: Path, *, every_block: bool, step: Callable[[], None]
) -> Iterator[Finding]:
    """What is wrong in the files of a database, which may be open and growing.

    `step()` is called after some ten thousand bytes, and may wait. `every_block`: also verify the
    checksums that LevelDB verifies when it reads; slow, for saying where the damage is it found.
    """
    checks: list[tuple[Path, Callable[[Path], Iterable[Finding]]]] = [
        (database / "CURRENT", _current_faults)
    ]
    checks += [(path, lambda path: _faults_of_log(path, step)) for path in _logs(database)]
    checks += [
        (path, lambda path: _table_faults(path, None, every_block=every_block, step=step)[0])
        for path in _tables(database)
    ]
    for path, check in checks:
        try:
            yield from check(path)
        except FileNotFoundError:
            if path.name == "CURRENT":
                yield _fault(path, 0, "it is missing")
            # Else: its contents are in another table meanwhile, and LevelDB misses what it needs.
        except OSError as error:
            yield _fault(path, 0, f"it cannot be read: {error.strerror}")


def _current_faults(path: Path) -> Iterator[Finding]:
    names = [b"%s\n" % manifest.name.encode() for manifest in path.parent.glob("MANIFEST-*")]
    if path.read_bytes() not in names:
        yield _fault(path, 0, "it names no manifest")


def _faults_of_log(path: Path, step: Callable[[], None]) -> Iterator[Finding]:
    for offset in _log_faults(path.read_bytes(), every_record=True, step=step):
        yield _fault(path, offset, "the log is damaged")


def _fault(path: Path, offset: int, what: str) -> Finding:
    return Finding(FILE, f"{what}; {REMEDY}", file=str(path), offset=offset)


def _tables(database: Path) -> list[Path]:
    return sorted([*database.glob("*.ldb"), *database.glob("*.sst")], reverse=True)


def _logs(database: Path) -> list[Path]:
    return sorted([*database.glob("*.log"), *database.glob("MANIFEST-*")])


# --- logs -----------------------------------------------------------------------------------


def _log_faults(
    data: bytes, *, every_record: bool, step: Callable[[], None] = _go_on
) -> Iterator[int]:
    """Where the records of a log are not what was written.

    A log may be cut off: by a crash, or because it is being written. Then its last record lacks
    bytes; one that lacks none but claims a greater length was altered.
    """
    for start in range(0, len(data), _LOG_BLOCK_SIZE):
        block = data[start : start + _LOG_BLOCK_SIZE]
        position = 0
        step()
        while position + _LOG_HEADER_SIZE <= len(block):
            length = int.from_bytes(block[position + 4 : position + 6], "little")
            body = block[position + 6 : position + _LOG_HEADER_SIZE + length]  # with the type
            expected = block[position : position + 4]
            if len(body) < 1 + length:
                is_last = (
                    start + len(block) == len(data)
                    and position + _LOG_HEADER_SIZE + length <= _LOG_BLOCK_SIZE
                )
                if not is_last or _begins_whole(body, expected):
                    yield start + position
                break
            if every_record and _masked(_crc32c(body)) != expected:
                yield start + position
                break  # LevelDB gives the rest of the block up as well
            position += _LOG_HEADER_SIZE + length
        else:
            if len(block) == _LOG_BLOCK_SIZE and any(block[position:]):
                yield start + position


def _begins_whole(body: bytes, expected: bytes) -> bool:
    """Whether some beginning of `body` is a record with this checksum: then nothing was cut off."""
    crc = 0xFFFFFFFF
    for byte in body:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
        if _masked(crc ^ 0xFFFFFFFF) == expected:
            return True
    return False


# --- tables ---------------------------------------------------------------------------------


def _table_faults(
    path: Path,
    filter_bytes_max: int | None,
    *,
    every_block: bool,
    step: Callable[[], None] = _go_on,
) -> tuple[list[Finding], int]:
    """What is wrong in a table, and the number of filter bytes checked. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        # What was read lately the kernel shows from memory, whatever became of it on the disk.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return _Table(path, file, size, step).faults(filter_bytes_max, every_block=every_block)


class _Table:
    """One open table file of `size` bytes."""

    def __init__(self, path: Path, file: BinaryIO, size: int, step: Callable[[], None]) -> None:
        self._path = path
        self._step = step
        self._file = file
        self._size = size

    def faults(
        self, filter_bytes_max: int | None, *, every_block: bool
    ) -> tuple[list[Finding], int]:
        """See `_table_faults`.

        A table without the magic number at its end is left to LevelDB, which opens none such: it
        is being written, or was when the node was killed.
        """
        footer = self._read(self._size - _FOOTER_SIZE, _FOOTER_SIZE)
        if footer[-8:] != _MAGIC:
            fault = _fault(self._path, self._size - 8, "the end of the table is damaged")
            return [fault] if every_block else [], 0
        numbers = [*_varints(footer[:-8])][:4]
        if len(numbers) < 4 or any(footer[numbers[3][1] : -8]):
            return [_fault(self._path, self._size - _FOOTER_SIZE, "the footer is damaged")], 0
        (names_at, _), (names_size, _), (index_at, _), (index_size, _) = numbers
        found: list[Finding] = []
        index = None
        if filter_bytes_max is None:  # at opening LevelDB looks at it itself
            index = self._block(index_at, index_size, "the index of the table", found)
        names = self._block(names_at, names_size, "the list of filters", found)
        checked = 0
        for _, offset, length in _handles(names or b""):
            if filter_bytes_max is None or checked + length <= filter_bytes_max:
                self._block(offset, length, "a filter", found)
                checked += length
        if every_block:
            for key, offset, length in _handles(index or b""):
                self._block(offset, length, f"the block of keys up to {_named(key)}", found)
        return found, checked

    def _block(self, offset: int, size: int, what: str, found: list[Finding]) -> bytes | None:
        """The contents of a block whose checksum holds; nothing of a compressed one."""
        self._step()
        data = self._read(offset, size + _TRAILER_SIZE)
        whole = len(data) == size + _TRAILER_SIZE
        if not whole or _masked(_crc32c(data[: size + 1])) != data[size + 1 :]:
            found.append(_fault(self._path, offset, f"{what} is damaged"))
            return None
        return data[:size] if data[size] == _UNCOMPRESSED else None

    def _read(self, offset: int, size: int) -> bytes:
        """Less than `size` bytes where the file has no more, or could never hold so many."""
        if offset < 0 or offset + size > self._size:
            return b""
        self._file.seek(offset)
        return self._file.read(size)


def _named(key: bytes) -> str:
    """A key of a table's index in words: table and height where it has one, or its hex digits."""
    stored = key[:-8]  # without LevelDB's number of the write
    table = stored[:1].decode("ascii", "replace")
    height = int.from_bytes(stored[1:9].ljust(8, b"\0"), "big")
    is_height = stored[:1] in b"BHRSCEVW" and len(stored) <= 9
    return f"{table} {height}" if is_height else f"{table} {stored[1:17].hex()}"


def _handles(block: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(key, offset, size) of the blocks that an index block names."""
    restarts = int.from_bytes(block[-4:], "little")
    entries = block[: len(block) - 4 - 4 * restarts] if block else b""
    position = 0
    while position < len(entries):
        numbers = _varints(entries[position:])
        next(numbers)  # an index block shares no beginnings between its keys
        key_size, (value_size, header_size) = next(numbers)[0], next(numbers)
        start = position + header_size + key_size
        handle = _varints(entries[start : start + value_size])
        yield entries[position + header_size : start], next(handle)[0], next(handle)[0]
        position = start + value_size


def _varints(data: bytes) -> Iterator[tuple[int, int]]:
    """The varints at the start of `data`, each with the position after it."""
    value, shift = 0, 0
    for position, byte in enumerate(data):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value, position + 1
            value, shift = 0, 0


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _masked(crc: int) -> bytes:
    """As LevelDB writes it."""
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def _crc_table() -> tuple[int, ...]:
    table = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (0x82F63B78 if entry & 1 else 0)
        table.append(entry)
    return tuple(table)


_CRC_TABLE = _crc_table()
