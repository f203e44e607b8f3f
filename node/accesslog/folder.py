"""The files of a log, and how one is read: up to its end, or to the first byte that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crypto import sm3
from ledger.errors import DecodeError
from ledger.model import DIGEST_SIZE
from node.accesslog.entry import (
    BODY_SIZE_MAX,
    LENGTH_SIZE,
    LOG_VERSION,
    Entry,
    Opening,
    decode_entry,
    decode_opening,
    entry_head,
    opening_head,
)

ACCESS_LOG = "access"  # the folder, in a node's data folder
# Bytes: a power failure cuts off at most what was written since the last sync, a second of some
# thousand requests. More than this is no power failure.
TORN_SIZE_MAX = 1 << 20


class LogDamaged(Exception):
    """A file of the log is not what the node wrote; says which, and which entry."""


@dataclass(frozen=True, slots=True)
class Read:
    """Where a file ends. `size`: bytes up to there; `tail`: what stands beyond and is no entry."""

    opening: Opening
    head: bytes
    sequence: int  # of the next entry
    size: int
    tail: bytes


class FileReader:
    """One file from its opening on. `read` has the result once the entries were all taken."""

    def __init__(self, path: Path) -> None:
        """Raises LogDamaged where there is no opening, OSError."""
        self._path = path
        self._data = path.read_bytes()
        body, head, self._place = self._frame(0) or (b"", b"", 0)
        try:
            self.opening = decode_opening(body)
        except DecodeError as error:
            raise LogDamaged(f"{path.name}: its opening was altered: {error}") from None
        if head != opening_head(body) or self.opening.version != LOG_VERSION:
            raise LogDamaged(f"{path.name}: its opening was altered")
        if self.opening.number != number_of(path):
            raise LogDamaged(f"{path.name}: it was file {self.opening.number} and was renamed")
        self._head = head
        self._sequence = self.opening.sequence

    def entries(self) -> Iterator[Entry]:
        """Those whose chain of hashes holds, up to the end or to the first that does not."""
        while (found := self._frame(self._place)) is not None:
            body, head, end = found
            if entry_head(self._head, body) != head:
                return
            try:
                entry = decode_entry(body)
            except DecodeError:
                return
            if entry.sequence != self._sequence:
                return
            self._head, self._place = head, end
            self._sequence += 1
            yield entry

    @property
    def read(self) -> Read:
        tail = self._data[self._place :]
        return Read(self.opening, self._head, self._sequence, self._place, tail)

    def _frame(self, place: int) -> tuple[bytes, bytes, int] | None:
        """Body, head and the place behind, if a whole frame stands there."""
        return _frame_at(self._data, place)


def read_file(path: Path) -> Read:
    """Raises LogDamaged, OSError."""
    reader = FileReader(path)
    for _ in reader.entries():
        pass
    return reader.read


def read_opening(path: Path) -> Opening:
    """The opening alone. Raises LogDamaged, OSError."""
    with path.open("rb") as file:
        data = file.read(LENGTH_SIZE + BODY_SIZE_MAX + DIGEST_SIZE)
    found = _frame_at(data, 0)
    if found is None or opening_head(found[0]) != found[1]:
        raise LogDamaged(f"{path.name}: its opening was altered")
    try:
        return decode_opening(found[0])
    except DecodeError as error:
        raise LogDamaged(f"{path.name}: its opening was altered: {error}") from None


def is_torn(read: Read) -> bool:
    """Whether what is behind the last good entry was cut off by a crash, rather than altered.

    A head stands right before the frame that follows it. So entries behind an altered one show
    themselves, wherever they begin: a crash leaves none. And an entry that is whole but for its
    length was altered there.
    """
    tail = read.tail
    body, head = tail[LENGTH_SIZE:-DIGEST_SIZE], tail[-DIGEST_SIZE:]
    if len(tail) > TORN_SIZE_MAX or (body and entry_head(read.head, body) == head):
        return False
    for place in range(DIGEST_SIZE, len(tail)):
        found = _frame_at(tail, place)
        if (
            found is not None
            and entry_head(tail[place - DIGEST_SIZE : place], found[0]) == found[1]
        ):
            return False
    whole = _frame_at(tail, 0)
    return whole is None or not any(whole[0])  # a whole frame of zeros: room without its bytes


def torn_digest(tail: bytes) -> bytes:
    """What the opening of the next file says of a torn tail."""
    return sm3.digest(tail) if tail else b""


def files(folder: Path) -> list[Path]:
    """The files of a log in their order."""
    return sorted(folder.glob("[0-9]*.log"))


def number_of(path: Path) -> int:
    return int(path.stem)


def path_of(folder: Path, number: int) -> Path:
    return folder / f"{number:010d}.log"


def _frame_at(data: bytes, place: int) -> tuple[bytes, bytes, int] | None:
    start = place + LENGTH_SIZE
    size = int.from_bytes(data[place:start], "big")
    end = start + size + DIGEST_SIZE
    if not 0 < size <= BODY_SIZE_MAX or len(data) < end:
        return None
    return data[start : start + size], data[start + size : end], end
