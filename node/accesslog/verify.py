"""Verifies a log: every hash, every number, the links between files, the heads on the chain.

Whoever owns the disk can make another log with right hashes; what the chain has anchored is out of
reach. So a log is good up to its newest anchor, and consistent from there on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from node.accesslog.entry import REMOVED, Entry, Opening
from node.accesslog.folder import FileReader, LogDamaged, Read, files, is_torn, torn_digest
from node.accesslog.keeper import Closed


@dataclass(frozen=True, slots=True)
class Verified:
    """What a log was found to be. `fault`: the first thing that is wrong, in words; "": nothing."""

    account: str
    chain_id: bytes
    files: int
    entries: int
    first: int  # sequence of the oldest entry
    last: int  # and of the newest
    anchors: int  # closed files whose heads are those on the chain
    anchored: int  # sequence of the last entry that they vouch for
    torn: int  # files whose end a crash cut off
    removed: int  # files up to this number were removed by the node, on record
    fault: str


@dataclass(slots=True)
class _Course:
    """Where the reading of a folder stands."""

    before: Read | None = None
    files: int = 0
    entries: int = 0
    first: int = 0
    anchors: int = 0
    anchored: int = 0
    torn: int = 0
    removed: int = 0
    oldest: int = 0


class Verifier:
    """Reads a folder once; `verified` tells the outcome when the entries were taken."""

    def __init__(self, folder: Path, anchors: Mapping[int, Closed]) -> None:
        """`anchors` has what the chain says of files, by number; may be empty."""
        self._folder = folder
        self._anchors = anchors
        self._course = _Course()
        self._fault = ""

    def entries(self, *, account: str = "", chain_id: bytes = b"") -> Iterator[Entry]:
        """All entries that can be believed, oldest first; ends at the first fault. Raises OSError.

        `account` and `chain_id`: whose log it has to be, if that is known.
        """
        try:
            for path in files(self._folder):
                reader = FileReader(path)
                self._take_opening(path.name, reader.opening, account, chain_id)
                for entry in reader.entries():
                    self._take(entry)
                    yield entry
                self._course.before = reader.read
                self._course.files += 1
            self._take_end()
        except LogDamaged as damage:
            self._fault = str(damage)

    @property
    def verified(self) -> Verified:
        course = self._course
        opening = None if course.before is None else course.before.opening
        return Verified(
            account="" if opening is None else opening.account,
            chain_id=b"" if opening is None else opening.chain_id,
            files=course.files,
            entries=course.entries,
            first=course.first,
            last=0 if course.first == 0 else course.first + course.entries - 1,
            anchors=course.anchors,
            anchored=course.anchored,
            torn=course.torn,
            removed=course.removed,
            fault=self._fault,
        )

    def _take(self, entry: Entry) -> None:
        course = self._course
        course.first = course.first or entry.sequence
        course.entries += 1
        if not entry.method and entry.outcome == REMOVED:
            course.removed = max(course.removed, entry.count)

    def _take_opening(self, name: str, opening: Opening, account: str, chain_id: bytes) -> None:
        course, before = self._course, self._course.before
        _require(not account or opening.account == account, f"{name}: another node wrote it")
        _require(not chain_id or opening.chain_id == chain_id, f"{name}: it is of another chain")
        if before is None:
            course.oldest = opening.number
            self._take_oldest(name, opening)
            return
        last = before.opening
        _require(
            opening.number == last.number + 1,
            f"file {last.number + 1} is missing, with entry {before.sequence} and what follows",
        )
        _require(
            opening.chain_id == last.chain_id and opening.account == last.account,
            f"{name}: it is of another log",
        )
        self._take_tail(last.number, before, opening.torn)
        _require(
            opening.head == before.head and opening.sequence == before.sequence,
            f"{name}: it does not follow file {last.number}: entries from {before.sequence} on "
            "are missing or were altered",
        )
        self._compare(before)

    def _take_oldest(self, name: str, opening: Opening) -> None:
        """What is before the oldest file is known by the chain alone."""
        known = self._anchors.get(opening.number - 1)
        if known is not None:
            _require(
                opening.head == known.head and opening.sequence == known.last + 1,
                f"{name}: it does not follow the head that is on the chain for file {known.number}",
            )

    def _take_tail(self, number: int, read: Read, torn: bytes) -> None:
        """Only what the next file says was torn may stand behind the entries of a file."""
        is_said = torn_digest(read.tail) == torn
        _require(
            is_said and is_torn(read),
            f"file {number}: entry {read.sequence} was altered, cut off or is missing",
        )
        self._course.torn += bool(read.tail)

    def _take_end(self) -> None:
        """The newest file is being written: only a torn end is no fault there."""
        course, before = self._course, self._course.before
        newest = max(self._anchors, default=0)
        number = 0 if before is None else before.opening.number
        _require(number > newest or not newest, f"file {newest + 1} and later ones are missing")
        if before is not None:
            tail_is_torn = is_torn(before)
            _require(tail_is_torn, f"file {number}: entry {before.sequence} was altered")
            course.torn += bool(before.tail)
        _require(
            course.oldest <= 1 or course.removed >= course.oldest - 1,
            f"files before {course.oldest} are missing, and the log does not say that the node "
            "removed them",
        )

    def _compare(self, read: Read) -> None:
        """A closed file with what the chain says of it."""
        known = self._anchors.get(read.opening.number)
        if known is None:
            return
        _require(
            known.head == read.head and known.last == read.sequence - 1,
            f"file {known.number}: its entries {known.first} to {known.last} are not those whose "
            "head is on the chain: it was rewritten",
        )
        self._course.anchors += 1
        self._course.anchored = known.last


def verify(
    folder: Path,
    anchors: Mapping[int, Closed],
    *,
    account: str = "",
    chain_id: bytes = b"",
    take: Callable[[Entry], None] = lambda entry: None,
) -> Verified:
    """Read a whole folder, handing each good entry to `take`. Raises OSError."""
    verifier = Verifier(folder, anchors)
    for entry in verifier.entries(account=account, chain_id=chain_id):
        take(entry)
    return verifier.verified


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise LogDamaged(fault)
