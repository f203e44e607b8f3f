"""The few bytes of LevelDB's files that LevelDB itself reads without checking them.

LevelDB verifies a CRC-32C over every data block. It ignores damage in the filters of its tables
(and then reads without them), never looks at the padding of a table's footer, nor at the unused
end of a log block. None of it can change what the ledger says, but a disk that flips bits there
will flip others next, so a scrub names the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ledger.errors import LedgerDamaged

_FOOTER_SIZE = 48
_MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
_TRAILER_SIZE = 5  # compression type, masked CRC-32C
_UNCOMPRESSED = 0  # we never write other blocks; tools that touched the database may
_LOG_BLOCK_SIZE = 32 << 10
_LOG_HEADER_SIZE = 7  # CRC-32C, length, type


def check_tables(database: Path, *, filter_bytes_max: int | None = None) -> None:
    """Check footers and filters of all table files. Raises LedgerDamaged naming the file.

    The newest tables come first; filters are left out once `filter_bytes_max` are checked.
    """
    left = filter_bytes_max
    for path in sorted([*database.glob("*.ldb"), *database.glob("*.sst")], reverse=True):
        try:
            with path.open("rb") as file:
                checked = _check_table(file, left)
        except FileNotFoundError:
            continue  # compacted away meanwhile
        if checked is None:
            raise LedgerDamaged(
                f"{path}: a filter or the footer is damaged; the disk may be failing: move this "
                "ledger to another one and restore it from a backup"
            )
        left = None if left is None else max(0, left - checked)


def check_logs(database: Path) -> None:
    """Check the unused ends of log blocks, before LevelDB replays the logs and removes them."""
    for path in sorted([*database.glob("*.log"), *database.glob("MANIFEST-*")]):
        data = path.read_bytes()
        for start in range(0, len(data), _LOG_BLOCK_SIZE):
            if any(_unused_end(data[start : start + _LOG_BLOCK_SIZE])):
                raise LedgerDamaged(
                    f"{path}: the log is damaged near byte {start}; restore this ledger from a "
                    "backup or let the node rejoin with an empty data directory"
                )


def _unused_end(block: bytes) -> bytes:
    """What follows the last record of a full log block where no header fits any more."""
    position = 0
    while position + _LOG_HEADER_SIZE <= len(block):
        position += _LOG_HEADER_SIZE + int.from_bytes(block[position + 4 : position + 6], "little")
    return block[position:] if len(block) == _LOG_BLOCK_SIZE else b""


def _check_table(file: BinaryIO, filter_bytes_max: int | None) -> int | None:
    """The number of filter bytes checked; None for a damaged table.

    A table without the magic number at its end is left to LevelDB, which opens none such: it is
    being written, or was when the node was killed.
    """
    size = file.seek(0, os.SEEK_END)
    footer = _read(file, size - _FOOTER_SIZE, _FOOTER_SIZE)
    if footer[-8:] != _MAGIC:
        return 0
    numbers = [*_varints(footer[:-8])][:4]
    if len(numbers) < 4 or any(footer[numbers[3][1] : -8]):
        return None
    names = _checked_block(file, numbers[0][0], numbers[1][0])
    if names is None:
        return None
    checked = 0
    for offset, length in _handles(names):
        if filter_bytes_max is not None and checked + length > filter_bytes_max:
            continue
        if _checked_block(file, offset, length) is None:
            return None
        checked += length
    return checked


def _checked_block(file: BinaryIO, offset: int, size: int) -> bytes | None:
    """The contents of a block whose checksum holds, else None; nothing of a compressed one."""
    data = _read(file, offset, size + _TRAILER_SIZE)
    if len(data) < size + _TRAILER_SIZE:
        return None
    crc = _crc32c(data[: size + 1])
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    if masked != int.from_bytes(data[size + 1 :], "little"):
        return None
    return data[:size] if data[size] == _UNCOMPRESSED else b""


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    """Less than `size` bytes where the file has no more, or could never hold so many."""
    if offset < 0 or offset + size > file.seek(0, os.SEEK_END):
        return b""
    file.seek(offset)
    return file.read(size)


def _handles(block: bytes) -> Iterator[tuple[int, int]]:
    """The block handles that an index block maps its names to."""
    restarts = int.from_bytes(block[-4:], "little")
    entries = block[: len(block) - 4 - 4 * restarts]
    position = 0
    while position < len(entries):
        numbers = _varints(entries[position:])
        next(numbers)
        name_size, (value_size, header_size) = next(numbers)[0], next(numbers)
        start = position + header_size + name_size
        handle = _varints(entries[start : start + value_size])
        yield next(handle)[0], next(handle)[0]
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


def _crc_table() -> tuple[int, ...]:
    table = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (0x82F63B78 if entry & 1 else 0)
        table.append(entry)
    return tuple(table)


_CRC_TABLE = _crc_table()
