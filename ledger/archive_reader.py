"""Reading archives that anybody may have written (see ledger.archive for what they are).

Everything is bounded before it is believed: sizes before memory is taken, the digest before a
byte is inflated, the length of what comes out while it comes out. Whatever the bytes are, they are
read as what they say or raise ArchiveInvalid.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Self, TypeVar

from crypto import sm3
from crypto.provider import SignedItem
from ledger.archive import (
    CHUNKS_MAX,
    CLOSING,
    DEFLATE_GAIN_MAX,
    FRAME_HEADER,
    FRAME_SIZE_MAX,
    TAG_ARCHIVE,
    TAG_CLOSING,
    TAG_STEM,
    ArchiveChunk,
    ArchiveCommittee,
    ArchiveEntry,
    ArchiveHead,
    ArchiveIndex,
    ArchiveSeal,
    Closing,
    FrameKind,
    IndexEntry,
    frame_digest,
    index_digest,
    seal_message,
)
from ledger.certificates import VerifyBatch
from ledger.commit import StoredBlock
from ledger.committee import Epoch, Epochs
from ledger.encoding import decode
from ledger.errors import ArchiveIncomplete, ArchiveInvalid, ArchiveTruncated, DecodeError
from ledger.genesis import Genesis
from ledger.model import DIGEST_SIZE
from ledger.recovery import Recovery, decode_recovery, domain_after

R = TypeVar("R")
_KINDS = frozenset(FrameKind)
_TABLES_SIZE_MAX = 64 << 20  # bytes of recovery plans and committees, which are kept in memory


@dataclass(frozen=True, slots=True)
class _Frame:
    kind: FrameKind
    content: bytes
    digest: bytes
    end: int  # offset of the byte after it


class Archive:
    """An open archive whose two ends hold together; the blocks are read when they are asked for."""

    def __init__(self, file: BinaryIO, closing: Closing, index: list[IndexEntry]) -> None:
        """Use `Archive.open`."""
        self._file = file
        self._index = index
        self._closing = closing
        self._ends = [entry.offset for entry in index[1:]] + [closing.index_offset]
        head = self._need(0, ArchiveHead)
        self.chain_id = head.chain_id
        self.first = head.first
        self.height = head.height
        self.previous = head.previous
        if not 0 <= head.first <= head.height or len(head.previous) != DIGEST_SIZE:
            raise ArchiveInvalid("the archive's head is out of bounds; export it again")
        if head.height != closing.height:
            raise ArchiveInvalid(
                f"the archive begins as one of {head.height} blocks and ends as one of "
                f"{closing.height}; export it again"
            )
        kinds = [entry.kind for entry in index]
        self._first_chunk = kinds.index(FrameKind.BLOCKS)
        self._chunks_end = self._first_chunk + kinds.count(FrameKind.BLOCKS)
        self._tables_size = 0
        self.recoveries = self._recoveries()
        self._committees = self._committee_table()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Check both ends and the index, and read what is not blocks.

        Raises ArchiveTruncated when the file does not end like an archive, ArchiveInvalid for
        everything else that is none, OSError.
        """
        file = path.open("rb")
        try:
            size = os.fstat(file.fileno()).st_size
            _check_tag(file.read(len(TAG_ARCHIVE)))
            closing = _closing(file, size)
            if closing is None:
                raise _truncated(file, size)
            return cls(file, closing, _index(file, closing, size - CLOSING.size))
        except BaseException:
            file.close()
            raise

    @property
    def digest(self) -> bytes:
        """Names the archive: covers every byte of it."""
        return self._closing.digest

    @property
    def transactions(self) -> int:
        """As the closing record has it; a whole read checks it."""
        return self._closing.transactions

    def epochs(self, genesis: Genesis) -> Epochs:
        """The committees as the archive has them, after that of `genesis`.

        They are claims: which committees there are, a replay finds out.
        """
        epochs = Epochs([Epoch(0, genesis.validators, self.chain_id)])
        for committee in self._committees:
            epochs = epochs.with_next(Epoch(committee.base, committee.validators, self.chain_id))
        for recovery in self.recoveries:
            epochs = epochs.with_recovery(recovery.plan.height, domain_after(recovery.plan))
        return epochs

    def iterate_blocks(self, from_height: int, to_height: int) -> Iterator[StoredBlock]:
        """All that is archived about the heights of a closed range, in order.

        Heights are those of the file: whether a block says so too is for its reader to check.
        Raises ArchiveIncomplete for a height that is not there, ArchiveInvalid for damage.
        """
        assert to_height <= self.height
        if from_height < self.first:
            raise ArchiveIncomplete(
                f"block {from_height}: it is not in the archive, which begins at {self.first}; "
                "name the folder with all archives of the chain",
                height=from_height,
            )
        wanted = from_height
        for place in self._chunks_from(from_height):
            if self._index[place].first > wanted:
                break
            for height, data in self._entries(place):
                if height == wanted and wanted <= to_height:
                    yield _stored(height, data)
                    wanted += 1
            if wanted > to_height:
                return
        raise ArchiveIncomplete(f"block {wanted}: it is not in the archive", height=wanted)

    def verify_counts(self, transactions: int) -> None:
        """Whether a whole read found what the closing record says. Raises ArchiveInvalid."""
        if transactions != self._closing.transactions:
            raise ArchiveInvalid(
                f"the archive has {transactions} transactions, its closing record says "
                f"{self._closing.transactions}; export it again"
            )

    def verify_seal(self, verify_batch: VerifyBatch) -> bytes:
        """The public key of who sealed the archive. Raises ArchiveInvalid, also without a seal."""
        if self._chunks_end == len(self._index):
            raise ArchiveInvalid("nobody signed the archive: no node wrote it in this form")
        seal = self._need(self._chunks_end, ArchiveSeal)
        sealed = self._index[: self._chunks_end]
        message = seal_message(entry.digest for entry in sealed)
        (is_good,) = verify_batch([SignedItem(seal.signer, message, seal.signature)])
        if not is_good:
            raise ArchiveInvalid(
                f"the signature under the archive is not that of {seal.signer.hex()}: it was "
                "altered after it was written"
            )
        return seal.signer

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside -----------------------------------------------------------------------------

    def _places(self, kind: FrameKind) -> list[int]:
        """Of the frames of a kind that is kept in memory."""
        return [place for place in range(self._first_chunk) if self._index[place].kind == kind]

    def _kept(self, place: int) -> bytes:
        """The content of a frame that is kept in memory."""
        content = self._content(place)
        self._tables_size += len(content)
        if self._tables_size > _TABLES_SIZE_MAX:
            raise ArchiveInvalid(
                f"the archive's tables are larger than {_TABLES_SIZE_MAX} bytes: no chain has such"
            )
        return content

    def _recoveries(self) -> tuple[Recovery, ...]:
        found = []
        for place in self._places(FrameKind.PLAN):
            try:
                found.append(decode_recovery(self._kept(place)))
            except DecodeError as error:
                raise ArchiveInvalid(f"the archive's recovery plan: {error}") from None
        heights = [recovery.plan.height for recovery in found]
        if heights != sorted(heights):
            raise ArchiveInvalid("the archive's recovery plans do not follow each other")
        return tuple(found)

    def _committee_table(self) -> tuple[ArchiveCommittee, ...]:
        found: list[ArchiveCommittee] = []
        for place in self._places(FrameKind.COMMITTEE):
            committee = self._decoded(place, self._kept(place), ArchiveCommittee)
            newest = found[-1].base if found else 0
            if committee.base <= newest or not committee.validators.validators:
                raise ArchiveInvalid("the archive's committees do not follow each other")
            found.append(committee)
        return tuple(found)

    def _chunks_from(self, height: int) -> range:
        """Places of the chunks from the one on that may hold `height`."""
        low, high = self._first_chunk, self._chunks_end
        while low < high:  # the first chunk that begins above it
            middle = (low + high) // 2
            if self._index[middle].first <= height:
                low = middle + 1
            else:
                high = middle
        return range(max(low - 1, self._first_chunk), self._chunks_end)

    def _entries(self, place: int) -> Iterator[tuple[int, bytes]]:
        chunk = self._need(place, ArchiveChunk)
        first = self._index[place].first
        if chunk.first != first or not chunk.entries:
            raise ArchiveInvalid(
                f"block {first}: the index leads to another chunk; export the archive again",
                height=first,
            )
        yield from enumerate(chunk.entries, first)
        is_last = place + 1 == self._chunks_end
        beyond = self.height + 1 if is_last else self._index[place + 1].first
        if first + len(chunk.entries) > beyond:
            raise ArchiveInvalid(
                f"block {beyond}: the archive holds it twice, or more blocks than it says",
                height=beyond,
            )

    def _need(self, place: int, kind: type[R]) -> R:
        return self._decoded(place, self._content(place), kind)

    def _decoded(self, place: int, content: bytes, kind: type[R]) -> R:
        try:
            return decode(content, kind, size_max=FRAME_SIZE_MAX)
        except DecodeError as error:
            raise ArchiveInvalid(
                f"{self._name(place)} is malformed: {error}", height=self._height_of(place)
            ) from None

    def _content(self, place: int) -> bytes:
        entry = self._index[place]
        try:
            frame = _frame(self._file, entry.offset, self._ends[place])
        except ArchiveInvalid as error:
            raise ArchiveInvalid(
                f"{self._name(place)}: {error}", height=self._height_of(place)
            ) from None
        found = frame.kind, frame.digest, frame.end
        if found != (entry.kind, entry.digest, self._ends[place]):
            raise ArchiveInvalid(
                f"{self._name(place)} is not the one in the index; export the archive again",
                height=self._height_of(place),
            )
        return frame.content

    def _height_of(self, place: int) -> int | None:
        entry = self._index[place]
        return entry.first if entry.kind == FrameKind.BLOCKS else None

    def _name(self, place: int) -> str:
        height = self._height_of(place)
        name = FrameKind(self._index[place].kind).name.lower()
        return f"the archive's {name}" if height is None else f"the chunk from block {height} on"


def _stored(height: int, data: bytes) -> StoredBlock:
    try:
        entry = decode(data, ArchiveEntry, size_max=FRAME_SIZE_MAX)
    except DecodeError as error:
        raise ArchiveInvalid(
            f"block {height}: its record is malformed: {error}", height=height
        ) from None
    return StoredBlock(
        entry.block,
        entry.receipts,
        entry.statement,
        entry.commit_certificate,
        entry.execution_certificate,
    )


def _check_tag(found: bytes) -> None:
    if found == TAG_ARCHIVE:
        return
    if found.startswith(TAG_STEM):
        raise ArchiveInvalid("an archive of another version: read it with a newer release")
    raise ArchiveInvalid("not an archive: it does not begin like one")


def _closing(file: BinaryIO, size: int) -> Closing | None:
    """The closing record; None where there is none."""
    if size < len(TAG_ARCHIVE) + CLOSING.size:
        return None
    file.seek(size - CLOSING.size)
    data = file.read(CLOSING.size)
    if len(data) != CLOSING.size or sm3.digest(data[:-DIGEST_SIZE]) != data[-DIGEST_SIZE:]:
        return None
    tag, offset, height, transactions, digest, _ = CLOSING.unpack(data)
    if tag != TAG_CLOSING:
        return None
    return Closing(offset, height, transactions, digest)


def _index(file: BinaryIO, closing: Closing, end: int) -> list[IndexEntry]:
    """All frames but the index itself, in their order and without gaps up to it."""
    if not len(TAG_ARCHIVE) <= closing.index_offset <= end:
        raise ArchiveInvalid("the closing record points outside of the archive")
    entries: list[IndexEntry] = []
    digests: list[bytes] = []
    offset = closing.index_offset
    while offset < end:
        frame = _frame(file, offset, end)
        if frame.kind is not FrameKind.INDEX:
            raise ArchiveInvalid("the archive's index holds what does not belong there")
        try:
            part = decode(frame.content, ArchiveIndex, size_max=FRAME_SIZE_MAX)
        except DecodeError as error:
            raise ArchiveInvalid(f"the archive's index is malformed: {error}") from None
        entries += part.entries
        digests.append(frame.digest)
        offset = frame.end
        if len(entries) > CHUNKS_MAX:
            raise ArchiveInvalid(f"the archive has more than {CHUNKS_MAX} frames")
    if index_digest(digests) != closing.digest:
        raise ArchiveInvalid("the index is not the one that the closing record names")
    _check_order(entries, closing.index_offset)
    return entries


def _check_order(entries: list[IndexEntry], end: int) -> None:
    """One head, tables, chunks with rising heights, perhaps a seal; without gaps between them."""
    kinds = [entry.kind for entry in entries]
    known = _KINDS - {FrameKind.INDEX}
    is_ordered = (
        set(kinds) <= known
        and kinds == sorted(kinds)
        and kinds.count(FrameKind.HEAD) == 1
        and kinds.count(FrameKind.SEAL) <= 1
        and entries[0].offset == len(TAG_ARCHIVE)
        and FrameKind.BLOCKS in kinds
    )
    offsets = [entry.offset for entry in entries] + [end]
    firsts = [entry.first for entry in entries if entry.kind == FrameKind.BLOCKS]
    is_ordered = (
        is_ordered
        and all(one < other for one, other in pairwise(offsets))
        and all(one < other for one, other in pairwise(firsts))
        and all(entry.first >= 0 for entry in entries)
    )
    if not is_ordered:
        raise ArchiveInvalid("the archive's index is out of order; export the archive again")


def _frame(file: BinaryIO, offset: int, end: int) -> _Frame:
    """The frame at `offset`, which must end at or before `end`. Raises ArchiveInvalid."""
    if end - offset < FRAME_HEADER.size:
        raise ArchiveInvalid("a frame is cut short")
    file.seek(offset)
    header = file.read(FRAME_HEADER.size)
    if len(header) != FRAME_HEADER.size:
        raise ArchiveInvalid("a frame is cut short")
    kind, size, size_inflated, digest = FRAME_HEADER.unpack(header)
    if kind not in _KINDS:
        raise ArchiveInvalid(f"there is no frame of kind {kind}")
    begin = offset + FRAME_HEADER.size
    if size > FRAME_SIZE_MAX or size_inflated > FRAME_SIZE_MAX or begin + size > end:
        raise ArchiveInvalid("a frame is larger than it can be")
    if size_inflated > size * DEFLATE_GAIN_MAX:
        raise ArchiveInvalid("a frame promises more than its bytes can hold")
    stored = file.read(size)
    if len(stored) != size or frame_digest(kind, size_inflated, stored) != digest:
        raise ArchiveInvalid("a frame is not what its digest says: the file is damaged")
    return _Frame(FrameKind(kind), _inflated(stored, size_inflated), digest, begin + size)


def _inflated(stored: bytes, size: int) -> bytes:
    """Exactly `size` bytes and nothing left over; never more memory than that."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(stored, size + 1)
    except zlib.error as error:
        raise ArchiveInvalid(f"a frame cannot be inflated: {error}") from None
    if len(content) != size or not inflater.eof or inflater.unused_data:
        raise ArchiveInvalid("a frame inflates to another size than it says")
    return content


def _truncated(file: BinaryIO, size: int) -> ArchiveTruncated:
    """How far the file can be read, told by its frames one after the other."""
    offset, height = len(TAG_ARCHIVE), 0
    while True:
        try:
            frame = _frame(file, offset, size)
            if frame.kind is FrameKind.INDEX:
                break
            if frame.kind is FrameKind.BLOCKS:
                chunk = decode(frame.content, ArchiveChunk, size_max=FRAME_SIZE_MAX)
                height = chunk.first + len(chunk.entries)
        except (ArchiveInvalid, DecodeError):
            break
        offset = frame.end
    return ArchiveTruncated(
        f"the archive does not end with its closing record: it was cut short or is damaged from "
        f"byte {offset} of {size} on; blocks from {height} on are missing; copy or export it again",
        height=height,
    )
