"""The mark beside the database: the number of the last write that was acknowledged.

LevelDB takes a damaged end of its log for a write that never finished and drops it in silence.
The mark is written after every acknowledged (synced) write; a database that holds less than
its mark says was damaged, not interrupted.
"""

from __future__ import annotations

import os
from pathlib import Path

from crypto import sm3
from ledger.errors import REMEDY, LedgerDamaged

_MAGIC = b"shuxin mark 1\0\0\0"
_BODY_SIZE = len(_MAGIC) + 8
MARK_SIZE = _BODY_SIZE + 32  # one sector: replaced as a whole or not at all


class Mark:
    """The file's one open handle; single writer."""

    def __init__(self, path: Path) -> None:
        """Open the mark at `path`. Raises LedgerDamaged when it is not one."""
        try:
            self._file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            raise LedgerDamaged(f"{path} is missing; {REMEDY}") from None
        data = os.pread(self._file, MARK_SIZE + 1, 0)
        if not is_mark(data):
            os.close(self._file)
            raise LedgerDamaged(f"{path} is damaged; {REMEDY}")
        self.sequence = int.from_bytes(data[len(_MAGIC) : _BODY_SIZE], "big")

    @staticmethod
    def create(path: Path, sequence: int) -> None:
        """Write a new mark that survives a power failure."""
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(file, _encode(sequence))
            os.fsync(file)
        finally:
            os.close(file)

    def set(self, sequence: int) -> None:
        """Note an acknowledged write. Not synced: after a power failure an old mark is true."""
        os.pwrite(self._file, _encode(sequence), 0)
        self.sequence = sequence

    def close(self) -> None:
        os.close(self._file)


def read_mark(path: Path) -> int | None:
    """The number in the mark at `path`; None where it cannot be told."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return int.from_bytes(data[len(_MAGIC) : _BODY_SIZE], "big") if is_mark(data) else None


def is_mark(data: bytes) -> bool:
    """Whether a file of these bytes is a whole mark."""
    return data == _encode(int.from_bytes(data[len(_MAGIC) : _BODY_SIZE], "big"))


def _encode(sequence: int) -> bytes:
    body = _MAGIC + sequence.to_bytes(8, "big")
    return body + sm3.digest(body)
