"""A snapshot as one file: what a node keeps to serve, and what an operator carries to another.

    16 bytes   magic
    pieces     the chunks, in order; then, in an exported one, runs of the blocks before the state's
    index      the manifest, and size and SM3 of every piece
    48 bytes   where the index begins, its size, its SM3

A piece is read at its place and its digest compared: a disk that flips bits must not make a liar of
its node. What the file says is proved by who uses it (ledger.snapshot).
"""

from __future__ import annotations

import os
import weakref
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from crypto import sm3
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, SnapshotInvalid
from ledger.model import DIGEST_SIZE, Digest, Record
from ledger.snapshot import (
    CHUNK_SIZE_MAX,
    CHUNKS_MAX,
    MANIFEST_SIZE_MAX,
    Manifest,
    decode_manifest,
    snapshot_digest,
)

MAGIC = b"shuxin snapshot1"
RUN_SIZE_MAX = 15 << 20  # bytes of a run of blocks: one of the largest block fits
RUNS_MAX = 1 << 16
# Bytes: the manifest, and 40 for every piece there may be.
INDEX_SIZE_MAX = MANIFEST_SIZE_MAX + 40 * (CHUNKS_MAX + RUNS_MAX)
_CLOSING_SIZE = 16 + DIGEST_SIZE


class Piece(Record):
    """Size in bytes and SM3 of a piece."""

    size: int
    digest: bytes


class Index(Record):
    """What is in the file."""

    manifest: bytes
    chunks: tuple[Piece, ...]
    runs: tuple[Piece, ...]


class SnapshotWriter:
    """Writes a file that has its name only when it is whole."""

    def __init__(self, path: Path) -> None:
        """Begin the file that will be `path`. Raises OSError."""
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._file: BinaryIO = self._part.open("wb")
        self._file.write(MAGIC)
        self._chunks: list[Piece] = []
        self._runs: list[Piece] = []

    def chunk(self, data: bytes) -> None:
        self._chunks.append(self._piece(data))

    def run(self, data: bytes) -> None:
        """Blocks; after the chunks."""
        self._runs.append(self._piece(data))

    def finish(self, manifest: Manifest) -> bytes:
        """Write the end, sync, and give the file its name; the encoded manifest."""
        data = encode(manifest)
        index = encode(Index(data, tuple(self._chunks), tuple(self._runs)))
        place = self._file.tell()
        self._file.write(index)
        self._file.write(place.to_bytes(8) + len(index).to_bytes(8) + sm3.digest(index))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.rename(self._path)
        return data

    def abandon(self) -> None:
        """Leave nothing."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _piece(self, data: bytes) -> Piece:
        self._file.write(data)
        return Piece(len(data), sm3.digest(data))


class SnapshotReader:
    """One open file. Any thread may read."""

    def __init__(self, path: Path) -> None:
        """Raises SnapshotInvalid for what is no whole snapshot, OSError."""
        self.path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # A file that was removed takes room until nobody reads it any more, and no longer.
        self._closing = weakref.finalize(self, os.close, self._file)
        try:
            index = self._index()
            self.manifest = decode_manifest(index.manifest)
        except DecodeError as error:
            self._closing()
            raise SnapshotInvalid(f"{path} is damaged: {error}; fetch another copy") from None
        except BaseException:
            self._closing()
            raise
        self.data = index.manifest
        self.digest: Digest = snapshot_digest(self.manifest)
        pieces = (*index.chunks, *index.runs)
        self._places = list(accumulate((piece.size for piece in pieces), initial=len(MAGIC)))
        self._pieces = pieces
        self.chunks = len(index.chunks)
        self.runs = len(index.runs)

    def chunk(self, index: int) -> bytes:
        """Raises SnapshotInvalid where it is damaged, OSError."""
        return self._read(index)

    def run(self, index: int) -> bytes:
        """Raises SnapshotInvalid where it is damaged, OSError."""
        return self._read(self.chunks + index)

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return self._places[-1] - len(MAGIC)

    def close(self) -> None:
        self._closing()

    def __enter__(self) -> SnapshotReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _index(self) -> Index:
        size = os.fstat(self._file).st_size
        closing = os.pread(self._file, _CLOSING_SIZE, max(0, size - _CLOSING_SIZE))
        place, length = int.from_bytes(closing[:8]), int.from_bytes(closing[8:16])
        if (
            os.pread(self._file, len(MAGIC), 0) != MAGIC
            or place + length + _CLOSING_SIZE != size
            or length > INDEX_SIZE_MAX
        ):
            raise SnapshotInvalid(f"{self.path} is no whole snapshot; fetch another copy")
        data = os.pread(self._file, length, place)
        if sm3.digest(data) != closing[16:]:
            raise SnapshotInvalid(f"{self.path}: its index is damaged; fetch another copy")
        index = decode(data, Index, size_max=INDEX_SIZE_MAX)
        limits = [*((p, CHUNK_SIZE_MAX) for p in index.chunks)]
        limits += ((p, RUN_SIZE_MAX) for p in index.runs)
        total = sum(piece.size for piece, _ in limits)
        if any(not 0 < piece.size <= most for piece, most in limits) or len(MAGIC) + total != place:
            raise DecodeError("its pieces do not fill it")
        return index

    def _read(self, number: int) -> bytes:
        piece = self._pieces[number]
        data = os.pread(self._file, piece.size, self._places[number])
        if sm3.digest(data) != piece.digest:
            raise SnapshotInvalid(f"{self.path}: piece {number} is damaged; fetch another copy")
        return data
