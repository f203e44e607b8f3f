"""Taking a backup of a running node: the blocks since the last segment, sealed and signed.

A segment is written beside the others under another name, synced, and then renamed: whatever
dies on the way, the segments that were there stay whole, and the next run goes on after them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crypto import curve
from crypto.files import make_directory, sync_directory
from ledger.certificates import VerifyBatch
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.model import ExecutionStatement
from node.backup.door import Standing
from node.backup.errors import (
    BackupHistoryDiffers,
    BackupKeyWrong,
    BackupOfOtherChain,
    NodeRefused,
)
from node.backup.form import (
    FORM,
    MANIFEST,
    NO_SEGMENT,
    SEGMENT_CHUNKS,
    SEGMENT_CHUNKS_MAX,
    UNFINISHED,
    Chunk,
    Manifest,
    Run,
    SignedManifest,
    alone,
    chunk_name,
    decode_run,
    digest_of,
    new_key,
    seal_chunk,
    segment_name,
)
from node.backup.read import Segment, check_chunks, read_segments
from node.backup.visitor import Visitor

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run added; `first` is above `last` when there was nothing new."""

    segments: int
    first: int
    last: int
    size: int  # bytes written
    state_root: bytes  # after `last`


def take(
    data_dir: Path,
    folder: Path,
    recipient: bytes,
    *,
    verify_batch: VerifyBatch,
    advance: Advance,
) -> Taken:
    """Add to the backup in `folder` what the node in `data_dir` has above it.

    `recipient` is the SM2 public key (64 bytes) to which the segments are sealed. Only what a
    quorum certified by now is taken; `advance(height, last)` is told of every chunk. Raises
    BackupError, KeyInvalid, and OSError of the disk.
    """
    curve.check_public(recipient)
    make_directory(folder, mode=0o700)
    with alone(folder), Visitor(data_dir) as node:
        standing = node.standing()
        segments = read_segments(folder, standing.chain_id, verify_batch)
        _remove_unfinished(folder)
        if segments:
            _check_continues(segments[-1], standing, recipient)
        begin = segments[-1].manifest.last + 1 if segments else 1
        newest = segments[-1] if segments else None
        count = size = 0
        while (newest.manifest.last if newest else 0) < standing.last:
            writer = _Writer(folder, standing, recipient, newest)
            newest = writer.write(node, advance)
            size += writer.size
            count += 1
        return Taken(
            segments=count,
            first=begin,
            last=newest.manifest.last if newest else 0,
            size=size,
            state_root=newest.manifest.state_root if newest else b"",
        )


def _remove_unfinished(folder: Path) -> None:
    for left in folder.glob(f"segment-*{UNFINISHED}"):
        shutil.rmtree(left)


def _check_continues(last: Segment, standing: Standing, recipient: bytes) -> None:
    manifest = last.manifest
    if manifest.signer != standing.signer:
        raise BackupOfOtherChain(
            f"{last.path.parent} is the backup of another node: give every node a folder of its own"
        )
    if manifest.recipient != recipient:
        raise BackupKeyWrong(
            f"{last.path.parent} is sealed to the key {manifest.recipient.hex()[:16]}…: one key "
            "must open all of it, so begin another folder for another key"
        )
    if manifest.last > standing.last:
        raise BackupHistoryDiffers(
            f"the backup reaches to block {manifest.last}, the node to {standing.last}: if it is "
            "catching up, wait; if its chain went back by a recovery plan, begin another folder"
        )
    check_chunks(last)


class _Writer:
    """One segment."""

    def __init__(
        self, folder: Path, standing: Standing, recipient: bytes, before: Segment | None
    ) -> None:
        self._standing = standing
        self._recipient = recipient
        self._before = before
        self._number = before.manifest.number + 1 if before else 1
        self._first = before.manifest.last + 1 if before else 1
        self._path = folder / segment_name(self._number)
        self._building = self._path.with_name(self._path.name + UNFINISHED)
        self._key, self._wrapped = new_key(recipient, standing.chain_id, self._number)
        self._chunks: list[Chunk] = []
        self.size = 0

    def write(self, node: Visitor, advance: Advance) -> Segment:
        self._building.mkdir(mode=0o700)
        statement = self._write_chunks(node, advance)
        manifest = self._manifest(statement)
        encoded = encode(manifest)
        content = encode(SignedManifest(encoded, node.sign(encoded)))
        self._write_file(MANIFEST, content)
        sync_directory(self._building)
        self._building.rename(self._path)
        sync_directory(self._path.parent)
        return Segment(self._path, manifest, digest_of(content))

    def _write_chunks(self, node: Visitor, advance: Advance) -> ExecutionStatement:
        """All chunks up to the end or, when they are many, to a certified block; its statement."""
        height, last = self._first, self._standing.last
        while True:
            data = node.blocks(height, last)
            run = self._checked(data, height)
            content = seal_chunk(
                self._key, (self._standing.chain_id, self._number), len(self._chunks), data
            )
            self._write_file(chunk_name(len(self._chunks)), content)
            end = run.last
            self._chunks.append(Chunk(height, end, len(content), digest_of(content)))
            advance(end, last)
            certificate = run.bundles[-1].execution_certificate
            is_full = len(self._chunks) >= SEGMENT_CHUNKS
            if certificate is not None and (end == last or is_full):
                return certificate.statement
            if end == last or len(self._chunks) >= SEGMENT_CHUNKS_MAX:
                raise NodeRefused(
                    f"the node has no certificate for the blocks up to {end}; run this again later"
                )
            height = end + 1

    def _checked(self, data: bytes, first: int) -> Run:
        try:
            run = decode_run(data, first)
        except DecodeError as error:
            raise NodeRefused(
                f"the node's blocks are not understood ({error}): use its release's command line"
            ) from None
        before = self._before
        follows = run.bundles[0].block.header.previous_hash
        if before and first == self._first and follows != before.manifest.block_hash:
            raise BackupHistoryDiffers(
                f"block {first} of the node does not follow block {first - 1} of the backup: its "
                "chain went back by a recovery plan; begin another folder, and keep this one"
            )
        return run

    def _manifest(self, statement: ExecutionStatement) -> Manifest:
        standing = self._standing
        return Manifest(
            form=FORM,
            chain_id=standing.chain_id,
            number=self._number,
            previous=self._before.digest if self._before else NO_SEGMENT,
            first=self._first,
            last=statement.height,
            block_hash=statement.block_hash,
            state_root=statement.state_root,
            time_ms=statement.time_ms,
            disowned=standing.disowned,
            plans=standing.plans,
            recipient=self._recipient,
            wrapped_key=self._wrapped,
            signer=standing.signer,
            chunks=tuple(self._chunks),
        )

    def _write_file(self, name: str, content: bytes) -> None:
        descriptor = os.open(self._building / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self.size += len(content)
