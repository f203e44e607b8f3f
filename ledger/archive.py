"""Archives: a chain, or a run of its heights, in one portable file (5.3a, 8.1.4).

For auditors who have no node, and for what nodes no longer keep. An archive holds what a ledger
holds but for the state and the indexes, which follow from the blocks. One that begins above the
genesis names the archive before it by its digest; a node signs those it writes (ledger.segments).
 It is written and read as a stream: memory for one chunk and 56 bytes for every chunk of
the file. docs/archive.md describes it byte by byte. It proves nothing by itself: digests show
damage and truncation, what is true only a replay shows (node.audit).

A file is a tag, frames, and a closing record of fixed size. Every frame carries the SM3 digest of
its bytes, the index frames list the digests of all others, the closing record that of the index:
whoever reads the two ends knows that all between them is there, and no byte is left uncovered.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from crypto import sm3
from crypto.files import sync_directory
from crypto.provider import CryptoProvider
from ledger.commit import StoredBlock
from ledger.committee import deciding_height
from ledger.encoding import encode
from ledger.errors import ArchiveInvalid
from ledger.model import (
    DIGEST_SIZE,
    Block,
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Receipt,
    Record,
    ValidatorSet,
)
from ledger.store import Store

TAG_ARCHIVE: Final = b"shuxin/archive/2\0"  # a file's first bytes: format and version
TAG_STEM: Final = b"shuxin/archive/"
TAG_FRAME: Final = b"shuxin/archive-frame/1\0"
TAG_CLOSING: Final = b"shuxin/closing/1\0"
TAG_SEAL: Final = b"shuxin/archive-seal/1\0"
NO_ARCHIVE: Final = bytes(DIGEST_SIZE)  # what one names that has none before it

UNFINISHED: Final = ".part"  # at the end of the name of a file that is being written
CHUNK_SIZE: Final = 1 << 20  # bytes before compression from which on a chunk is written out
# Bytes of a frame, before and after compression. One height must fit, with all that its
# transactions return and tell; it is the bound of stored records, too (ledger.schema).
FRAME_SIZE_MAX: Final = 256 << 20
CHUNKS_MAX: Final = 1 << 22  # 4 TiB of full chunks; a reader remembers 56 bytes of each
INDEX_ENTRIES_MAX: Final = 1 << 12  # in one index frame
# zlib gains a factor of 1032 at the most: what promises more is no archive but a bomb.
DEFLATE_GAIN_MAX: Final = 1100
DEFLATE_LEVEL: Final = 1  # hashes and signatures do not shrink: the rest does so at once

FRAME_HEADER: Final = struct.Struct(">BII32s")  # kind, bytes stored, bytes inflated, digest
CLOSING: Final = struct.Struct(">17sQQQ32s32s")  # tag, the fields of Closing, their SM3

Advance = Callable[[int, int | None], None]


class FrameKind(IntEnum):
    """What a frame holds; in a file they stand in this order."""

    HEAD = 1  # ArchiveHead; one
    PLAN = 2  # ledger.recovery.Recovery; one for each plan that the chain follows
    COMMITTEE = 3  # ArchiveCommittee; one for each but that of the genesis
    BLOCKS = 4  # ArchiveChunk
    SEAL = 5  # ArchiveSeal; at most one
    INDEX = 6  # ArchiveIndex


class ArchiveHead(Record):
    """Which chain, and which of its heights (0 is the genesis block): a closed range."""

    chain_id: bytes
    first: int
    height: int
    previous: bytes  # the digest of the archive of the heights below `first`


class ArchiveCommittee(Record):
    """`validators` order the heights above `base`: what the ledger had decided when it was read."""

    base: int
    validators: ValidatorSet


class ArchiveEntry(Record):
    """All that the ledger holds about one height."""

    block: Block
    receipts: tuple[Receipt, ...]
    statement: ExecutionStatement
    commit_certificate: CommitCertificate | None  # None for the genesis block
    execution_certificate: ExecutionCertificate | None  # None where no quorum was seen


class ArchiveChunk(Record):
    """Heights that follow each other; every entry holds the bytes of an ArchiveEntry."""

    first: int
    entries: tuple[bytes, ...]


class IndexEntry(Record):
    """Where a frame begins in the file, and its digest. `first` is 0 but for chunks."""

    kind: int
    first: int  # lowest height of a chunk
    offset: int
    digest: bytes


class ArchiveSeal(Record):
    """Who wrote the archive: SM2 over TAG_SEAL and the digest of all frames before this one."""

    signer: bytes
    signature: bytes


class ArchiveIndex(Record):
    """All frames before the first index frame, in order, over as many index frames as it takes."""

    entries: tuple[IndexEntry, ...]


@dataclass(frozen=True, slots=True)
class Closing:
    """The last bytes of the file. `digest` covers all index frames and so every frame.

    It is the archive's name: two archives with one digest are the same file.
    """

    index_offset: int
    height: int
    transactions: int
    digest: bytes

    def encoded(self) -> bytes:
        fields = self.index_offset, self.height, self.transactions, self.digest
        body = CLOSING.pack(TAG_CLOSING, *fields, bytes(32))[:-32]
        return body + sm3.digest(body)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    chain_id: bytes
    first: int
    height: int
    certified_height: int
    transactions: int
    chunks: int
    size: int  # bytes of the file
    size_inflated: int  # bytes of its frames before compression
    digest: bytes


def frame_digest(kind: int, size_inflated: int, stored: bytes) -> bytes:
    """What a frame's header and the index say of it: covers the bytes as they are stored."""
    head = struct.pack(">BII", kind, len(stored), size_inflated)
    return sm3.digest(TAG_FRAME + head + stored)


def index_digest(digests: Iterable[bytes]) -> bytes:
    """What the closing record says of the index frames, whose digests are given in order."""
    return sm3.digest(TAG_CLOSING + b"".join(digests))


def seal_message(digests: Iterable[bytes]) -> bytes:
    """What a seal signs; `digests` are those of the frames before it, in order."""
    return TAG_SEAL + sm3.digest(TAG_SEAL + b"".join(digests))


def entry_of(stored: StoredBlock) -> ArchiveEntry:
    return ArchiveEntry(
        stored.block,
        stored.receipts,
        stored.statement,
        stored.commit_certificate,
        stored.execution_certificate,
    )


# --- writing ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A closed range of heights that becomes an archive, and the digest of the one before it."""

    first: int
    last: int
    previous: bytes = NO_ARCHIVE


def export(
    store: Store, path: Path, advance: Advance, *, earlier: Iterable[StoredBlock] = ()
) -> Exported:
    """Write the whole chain to a new file at `path`; `advance(done, total)` counts heights.

    `earlier` are the blocks below the base of the ledger, where it begins above the genesis.
    Raises HeightPruned without them, and what `write` does.
    """
    begin = store.base if earlier else 0
    blocks = chain(earlier, store.iterate_blocks(begin, store.height))
    return write(store, path, Part(0, store.height), blocks, advance)


def write(
    store: Store,
    path: Path,
    part: Part,
    blocks: Iterable[StoredBlock],
    advance: Advance,
    *,
    sealed_by: CryptoProvider | None = None,
) -> Exported:
    """Write `blocks`, which are the heights of `part`, to a new file at `path`.

    The file has its name only once it is whole and durable. Raises ArchiveInvalid when `path`
    exists or one height is too large for a frame, LedgerDamaged, OSError.
    """
    if path.exists():
        raise ArchiveInvalid(f"{path} exists and is not overwritten; choose another name")
    building = path.with_name(path.name + UNFINISHED)
    try:
        with building.open("wb") as file:
            writer = ArchiveWriter(file)
            writer.begin(store.chain_id, part)
            _add_tables(writer, store, part.last)
            for stored in blocks:
                writer.add_block(entry_of(stored))
                advance(stored.block.header.height, part.last)
            if sealed_by is not None:
                writer.seal(sealed_by)
            closing = writer.close()
            os.fsync(file.fileno())
            size = file.tell()
        building.rename(path)
    except BaseException:
        building.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return Exported(
        chain_id=store.chain_id,
        first=part.first,
        height=part.last,
        certified_height=min(store.certified_height, part.last),
        transactions=closing.transactions,
        chunks=writer.chunks,
        size=size,
        size_inflated=writer.size_inflated,
        digest=closing.digest,
    )


def _add_tables(writer: ArchiveWriter, store: Store, last: int) -> None:
    """The recovery plans and committees that the blocks up to `last` tell of."""
    for recovery in store.recoveries:
        if last == store.height or recovery.plan.height <= last:
            writer.add(FrameKind.PLAN, encode(recovery))
    window = store.genesis.limits.watermark_window
    for epoch in store.epochs.decided[1:]:
        if deciding_height(epoch.base, window) <= last:
            committee = ArchiveCommittee(epoch.base, epoch.validators)
            writer.add(FrameKind.COMMITTEE, encode(committee))


class ArchiveWriter:
    """Frames in the order of FrameKind, then `close`. Raises ArchiveInvalid for what is too large.

    It believes its caller: what it writes of a false chain is an archive of a false chain.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._index: list[IndexEntry] = []
        self._pending: list[bytes] = []
        self._pending_first = 0
        self._pending_size = 0
        self._height = 0
        self._transactions = 0
        self.chunks = 0
        self.size_inflated = 0
        file.write(TAG_ARCHIVE)

    def begin(self, chain_id: bytes, part: Part) -> None:
        """The head: which chain, and the heights that there will be."""
        self._height = part.last
        head = ArchiveHead(chain_id, part.first, part.last, part.previous)
        self.add(FrameKind.HEAD, encode(head))

    def add(self, kind: FrameKind, content: bytes, *, first: int = 0) -> None:
        """One frame of the index."""
        offset = self._file.tell()
        self._index.append(IndexEntry(kind, first, offset, self._frame(kind, content)))

    def add_block(self, entry: ArchiveEntry) -> None:
        """The next height; it is in the file with the chunk that it falls into."""
        data = encode(entry)
        if not self._pending:
            self._pending_first = entry.block.header.height
        self._pending.append(data)
        self._pending_size += len(data)
        self._transactions += len(entry.block.transactions)
        if self._pending_size >= CHUNK_SIZE:
            self._flush()

    def seal(self, provider: CryptoProvider) -> None:
        """After the last height: the signature of who writes this."""
        if self._pending:
            self._flush()
        message = seal_message(entry.digest for entry in self._index)
        seal = ArchiveSeal(provider.public_key, provider.sign(message))
        self.add(FrameKind.SEAL, encode(seal))

    def close(self) -> Closing:
        """Write the last chunk, the index and the closing record."""
        if self._pending:
            self._flush()
        offset = self._file.tell()
        digests: list[bytes] = []
        for at in range(0, len(self._index), INDEX_ENTRIES_MAX):
            part = ArchiveIndex(tuple(self._index[at : at + INDEX_ENTRIES_MAX]))
            digests.append(self._frame(FrameKind.INDEX, encode(part)))
        closing = Closing(offset, self._height, self._transactions, index_digest(digests))
        self._file.write(closing.encoded())
        self._file.flush()
        return closing

    def _flush(self) -> None:
        chunk = ArchiveChunk(self._pending_first, tuple(self._pending))
        self.add(FrameKind.BLOCKS, encode(chunk), first=self._pending_first)
        self.chunks += 1
        self._pending, self._pending_size = [], 0

    def _frame(self, kind: FrameKind, content: bytes) -> bytes:
        if len(content) > FRAME_SIZE_MAX:
            raise ArchiveInvalid(
                f"{len(content)} bytes do not fit a frame of an archive ({FRAME_SIZE_MAX}); "
                "keep this chain as a copy of its ledger"
            )
        stored = zlib.compress(content, DEFLATE_LEVEL)
        digest = frame_digest(kind, len(content), stored)
        self._file.write(FRAME_HEADER.pack(kind, len(stored), len(content), digest))
        self._file.write(stored)
        self.size_inflated += len(content)
        return digest
