"""Reading a backup: what is in the folder may be anybody's, until it is shown to be the node's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crypto.provider import SignedItem
from ledger.certificates import VerifyBatch
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import SIGNATURE_SIZE
from node.backup.errors import (
    BackupAltered,
    BackupIncomplete,
    BackupMissing,
    BackupOfOtherChain,
)
from node.backup.form import (
    CHUNK_FILE_SIZE_MAX,
    MANIFEST,
    MANIFEST_SIZE_MAX,
    NO_SEGMENT,
    SEGMENTS_MAX,
    TAG_MANIFEST,
    Manifest,
    SignedManifest,
    chunk_name,
    decode_manifest,
    digest_of,
    open_chunk,
    open_key,
    read_file,
    segment_name,
)
from node.peer_messages import Bundle

_NAME = re.compile(r"segment-(\d{8})")
_OTHER_COPY = "restore from another copy of this backup"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment whose manifest was verified; `digest` is what the next one names."""

    path: Path
    manifest: Manifest
    digest: bytes


def read_segments(folder: Path, chain_id: bytes, verify_batch: VerifyBatch) -> list[Segment]:
    """The manifests of a backup of `chain_id`, in order; none for a folder without segments.

    Each is signed, follows the one before it, and is by the same node. Raises BackupError.
    """
    segments: list[Segment] = []
    for number in range(1, _count(folder) + 1):
        path = folder / segment_name(number)
        content = read_file(path / MANIFEST, MANIFEST_SIZE_MAX)
        manifest = _verified(path, content, verify_batch)
        if manifest.chain_id != chain_id:
            raise BackupOfOtherChain(
                f"{path} belongs to the chain {manifest.chain_id.hex()[:16]}…, not to "
                f"{chain_id.hex()[:16]}…: name the genesis of that chain, or another folder"
            )
        _check_place(path, manifest, number, segments[-1] if segments else None)
        segments.append(Segment(path, manifest, digest_of(content)))
    return segments


def _count(folder: Path) -> int:
    """How many segments there are; the numbers must leave no gap."""
    try:
        found = sorted(
            int(match[1]) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))
        )
    except OSError as error:
        raise BackupMissing(f"{folder} cannot be read: {error.strerror}; name a backup") from None
    if len(found) > SEGMENTS_MAX:
        raise BackupAltered(f"{folder} has more than {SEGMENTS_MAX} segments; {_OTHER_COPY}")
    for expected, number in enumerate(found, 1):
        if number != expected:
            raise BackupIncomplete(
                f"{folder / segment_name(expected)} is missing, though later ones are there; "
                f"{_OTHER_COPY}"
            )
    return len(found)


def _verified(path: Path, content: bytes, verify_batch: VerifyBatch) -> Manifest:
    try:
        signed = decode(content, SignedManifest, size_max=MANIFEST_SIZE_MAX)
        manifest = decode_manifest(signed.manifest)
    except DecodeError as error:
        raise BackupAltered(f"{path / MANIFEST}: {error}; {_OTHER_COPY}") from None
    claim = SignedItem(manifest.signer, TAG_MANIFEST + signed.manifest, signed.signature)
    if len(signed.signature) != SIGNATURE_SIZE or not all(verify_batch([claim])):
        raise BackupAltered(f"{path / MANIFEST} is not what the node signed; {_OTHER_COPY}")
    return manifest


def _check_place(path: Path, manifest: Manifest, number: int, before: Segment | None) -> None:
    previous = before.digest if before else NO_SEGMENT
    first = before.manifest.last + 1 if before else 1
    signer = before.manifest.signer if before else manifest.signer
    if (manifest.number, manifest.previous, manifest.first) != (number, previous, first):
        raise BackupAltered(
            f"{path} does not follow the segment before it: it was moved, or comes from another "
            f"backup; {_OTHER_COPY}"
        )
    if manifest.signer != signer:
        raise BackupAltered(f"{path} was signed by another node; {_OTHER_COPY}")


def check_chunks(segment: Segment) -> None:
    """Every file of a segment is there and is what the manifest lists. Raises BackupError."""
    for index in range(len(segment.manifest.chunks)):
        _content(segment, index)


def bundles(segment: Segment, private: bytes) -> Iterator[Bundle]:
    """The blocks of a segment, decrypted. Raises BackupError; proves nothing about them."""
    key = open_key(private, segment.manifest)
    for index in range(len(segment.manifest.chunks)):
        yield from open_chunk(key, segment.manifest, index, _content(segment, index)).bundles


def _content(segment: Segment, index: int) -> bytes:
    path, chunk = segment.path / chunk_name(index), segment.manifest.chunks[index]
    content = read_file(path, CHUNK_FILE_SIZE_MAX)
    if len(content) < chunk.size:
        raise BackupIncomplete(
            f"{path} has {len(content)} of {chunk.size} bytes: it was cut short; {_OTHER_COPY}"
        )
    if len(content) > chunk.size or digest_of(content) != chunk.digest:
        raise BackupAltered(f"{path} is not what the node wrote there; {_OTHER_COPY}")
    return content
