"""A folder of archives that follow each other: what a node keeps of the heights it has pruned.

Every segment is an archive (ledger.archive) of a run of heights, named after them, sealed by the
node that wrote it, and chained to the one before by its digest. The last block of each carries an
execution certificate. So what is missing, there twice, of another chain, or altered can be named;
what is true only a replay shows (node.audit).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crypto.provider import CryptoProvider
from ledger.archive import Part, write
from ledger.archive_reader import Archive
from ledger.certificates import VerifyBatch
from ledger.commit import StoredBlock
from ledger.errors import ArchiveIncomplete, ArchiveInvalid
from ledger.store import Store

# Segments of one node begin with its multiples, so that the folders of two nodes can be compared
# by name. Some hundred transactions in each block make one of 300 MB, an idle network's fill one
# in most of a day.
SEGMENT_BLOCKS = 1_000
SEGMENTS_MAX = 1_000_000  # a billion blocks: thirty years of one every second
_NAME = re.compile(r"blocks-([0-9]{12})-([0-9]{12})\.archive")


@dataclass(frozen=True, slots=True)
class Segment:
    """One file, as far as its two ends and its seal tell."""

    path: Path
    first: int
    last: int
    previous: bytes
    digest: bytes
    signer: bytes
    transactions: int
    size: int


def segment_name(first: int, last: int) -> str:
    return f"blocks-{first:012d}-{last:012d}.archive"


def segment_end(first: int) -> int:
    """The last height of the segment that begins with `first`."""
    return first // SEGMENT_BLOCKS * SEGMENT_BLOCKS + SEGMENT_BLOCKS - 1


def is_folder(folder: Path) -> bool:
    """Whether there are segments in it, good ones or not."""
    return any(_NAME.fullmatch(path.name) for path in folder.glob("*.archive"))


def read_segment(path: Path, chain_id: bytes, verify_batch: VerifyBatch) -> Segment:
    """What a file's two ends say, its seal verified. Raises ArchiveInvalid, OSError."""
    with _named(path), Archive.open(path) as archive:
        if archive.chain_id != chain_id:
            raise ArchiveInvalid(
                f"it is of another chain, {archive.chain_id.hex()}: take it out of this folder"
            )
        signer = archive.verify_seal(verify_batch)
        if path.name != segment_name(archive.first, archive.height):
            raise ArchiveInvalid(
                f"it holds blocks {archive.first} to {archive.height}: give it the name "
                f"{segment_name(archive.first, archive.height)}, or take it out of this folder"
            )
        return Segment(
            path,
            archive.first,
            archive.height,
            archive.previous,
            archive.digest,
            signer,
            archive.transactions,
            path.stat().st_size,
        )


def read_segments(folder: Path, chain_id: bytes, verify_batch: VerifyBatch) -> tuple[Segment, ...]:
    """All segments in a folder, in order and without gaps; unfinished files do not count.

    Raises ArchiveInvalid, which names the file, ArchiveIncomplete for what is missing, OSError.
    """
    found = []
    for path in sorted(folder.glob("*.archive")):
        if _NAME.fullmatch(path.name) is None:
            raise ArchiveInvalid(f"{path.name} is no name of a segment: take it out of {folder}")
        found.append(read_segment(path, chain_id, verify_batch))
        if len(found) > SEGMENTS_MAX:
            raise ArchiveInvalid(f"{folder} holds more than {SEGMENTS_MAX} segments")
    for check in (_check_heights, _check_digest):  # a file too many explains a wrong digest
        for before, segment in pairwise(found):
            check(segment, before)
    return tuple(found)


def _check_heights(segment: Segment, before: Segment) -> None:
    wanted, name = before.last + 1, segment.path.name
    if segment.first > wanted:
        raise ArchiveIncomplete(
            f"blocks {wanted} to {segment.first - 1} are missing: no file stands between "
            f"{before.path.name} and {name}",
            height=wanted,
        )
    if segment.first < wanted:
        raise ArchiveInvalid(
            f"{name} holds blocks that {before.path.name} holds, too: take one of them out",
            height=segment.first,
        )


def _check_digest(segment: Segment, before: Segment) -> None:
    if segment.previous != before.digest:
        raise ArchiveInvalid(
            f"{segment.path.name} follows an archive with the digest {segment.previous.hex()}, "
            f"and {before.path.name} has {before.digest.hex()}: one of them is from another folder",
            height=segment.first,
        )


def iterate_blocks(
    segments: Sequence[Segment], from_height: int, to_height: int
) -> Iterator[StoredBlock]:
    """All that is archived about the heights of a closed range, in order.

    Every file is the one that was read before, and its last block carries a certificate. Raises
    ArchiveInvalid, which names the file, ArchiveIncomplete, OSError.
    """
    wanted = from_height
    for segment in segments:
        if wanted > to_height:
            return
        if not segment.first <= wanted <= segment.last:
            continue
        last = min(segment.last, to_height)
        with _opened(segment) as archive:
            transactions = 0
            for stored in archive.iterate_blocks(wanted, last):
                transactions += len(stored.block.transactions)
                yield stored
            if last == segment.last and stored.execution_certificate is None:
                raise ArchiveInvalid(
                    f"block {last}: no certificate closes the segment", height=last
                )
            if (wanted, last) == (segment.first, segment.last):
                archive.verify_counts(transactions)
        wanted = last + 1
    if wanted <= to_height:
        raise ArchiveIncomplete(f"block {wanted}: no archive has it", height=wanted)


def write_segment(
    store: Store,
    folder: Path,
    part: Part,
    provider: CryptoProvider,
    advance: Callable[[int], None],
) -> Segment:
    """Write the certified heights of `part` to `folder`, read them back, and compare all.

    What is there under that name is kept if it holds the same: a node that died before it noted
    that it had written it left it, or one that has fetched its ledger anew (other members of a
    quorum may have signed then). `advance(height)` is told of every block, twice, and may wait or
    raise. Raises ArchiveInvalid for what differs, LedgerError, OSError.
    """
    assert part.last <= store.certified_height, "a certificate closes it"
    path = folder / segment_name(part.first, part.last)
    if not path.exists():
        blocks = store.iterate_blocks(part.first, part.last)
        write(store, path, part, blocks, lambda done, total: advance(done), sealed_by=provider)
        _forget_cached(path)
    segment = read_segment(path, store.chain_id, provider.verify_batch)
    if segment.previous != part.previous:
        raise ArchiveInvalid(
            f"{path.name} is there and follows another archive; move it out of {folder}"
        )
    ours = store.iterate_blocks(part.first, part.last)
    for stored, own in zip(iterate_blocks([segment], part.first, part.last), ours, strict=True):
        height = own.block.header.height
        if _content(stored) != _content(own):
            raise ArchiveInvalid(
                f"{path.name}, block {height}: it is not what the ledger holds; move the file out "
                f"of {folder} and look at the disk",
                height=height,
            )
        advance(height)
    return segment


def _content(stored: StoredBlock) -> tuple[object, ...]:
    """What two honest nodes have alike of a height: all but who signed its certificates."""
    has_certificates = (
        stored.commit_certificate is not None,
        stored.execution_certificate is not None,
    )
    return stored.block, stored.receipts, stored.statement, *has_certificates


@contextmanager
def _opened(segment: Segment) -> Iterator[Archive]:
    with _named(segment.path), Archive.open(segment.path) as archive:
        if archive.digest != segment.digest:
            raise ArchiveInvalid("it was replaced while it was read")
        yield archive


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of an archive name its file, too."""
    try:
        yield
    except ArchiveInvalid as error:
        text = str(error).removeprefix(f"block {error.height}: ")
        where = path.name if error.height is None else f"{path.name}, block {error.height}"
        raise type(error)(f"{where}: {text}", height=error.height) from None


def _forget_cached(path: Path) -> None:
    """So that what is read back comes from the disk, as far as the kernel lets go of it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
