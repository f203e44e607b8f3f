"""Makes a snapshot out of the state after one block, while blocks go on.

LevelDB holds the state by name, the tree by hash, so a chunk's keys lie all over the database. They
are copied once, in order of name, into a file for each first byte of the path; each file is sorted
in memory and cut. Reads come from a snapshot of LevelDB, so nothing waits for it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ledger.errors import LedgerDamaged
from ledger.model import DIGEST_SIZE, ExecutionCertificate
from ledger.snapshot import SNAPSHOT_VERSION, Cutter, Leaf, Manifest, leaf_of
from ledger.snapshot_file import SnapshotWriter
from ledger.succession import CommitteeChange

PACE_EVERY = 100  # keys between two calls of `pace`: a millisecond of work
_HEAD_SIZE = 2 * DIGEST_SIZE + 4

State = Iterable[tuple[str, bytes, bytes]]  # namespace, key and value, in any order


def make_snapshot(
    state: State,
    certificate: ExecutionCertificate,
    changes: Sequence[CommitteeChange],
    writer: SnapshotWriter,
    scratch: Path,
    *,
    pace: Callable[[], None] = lambda: None,
    size: int,
) -> Manifest:
    """Write the chunks of `state`, whose root `certificate` names; the manifest for the file's end.

    `scratch` is a new folder, gone afterwards; it takes as much room as the state. `size`: bytes of
    a chunk, CHUNK_SIZE but in tests. `pace` is called every few keys: it may sleep, or raise to
    give up. Raises LedgerDamaged when the values are not what the root says, OSError.
    """
    cutter = Cutter(size)
    scratch.mkdir()
    try:
        with _Buckets(scratch) as buckets:
            for count, (namespace, key, value) in enumerate(state):
                buckets.put(leaf_of(namespace, key, value))
                if count % PACE_EVERY == 0:
                    pace()
            for count, leaf in enumerate(buckets.drain()):
                for chunk in cutter.add(leaf):
                    writer.chunk(chunk)
                if count % PACE_EVERY == 0:
                    pace()
        for chunk in cutter.finish():
            writer.chunk(chunk)
    finally:
        shutil.rmtree(scratch)
    if cutter.root != certificate.statement.state_root:
        raise LedgerDamaged(
            "the stored values contradict the state root; stop the node and run a scrub",
            height=certificate.statement.height,
        )
    nodes, splits = tuple(cutter.nodes), bytes(cutter.splits)
    return Manifest(SNAPSHOT_VERSION, certificate, tuple(changes), nodes, splits)


class _Buckets:
    """Leaves by the first byte of their path, in files: a state is larger than memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[int, BinaryIO] = {}

    def put(self, leaf: Leaf) -> None:
        first = leaf.path[0]
        file = self._files.get(first)
        if file is None:
            file = self._files[first] = (self._folder / f"{first:02x}").open("w+b")
        file.write(leaf.path + leaf.node + len(leaf.encoded).to_bytes(4) + leaf.encoded)

    def drain(self) -> Iterator[Leaf]:
        """All by ascending path; 1/256 of them in memory."""
        for _, file in sorted(self._files.items()):
            file.seek(0)
            yield from sorted(_leaves(file.read()), key=lambda leaf: leaf.path)
            file.truncate(0)

    def __enter__(self) -> _Buckets:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()


def _leaves(data: bytes) -> Iterator[Leaf]:
    place = 0
    while place < len(data):
        rest = place + _HEAD_SIZE
        node = place + DIGEST_SIZE
        end = rest + int.from_bytes(data[rest - 4 : rest])
        yield Leaf(data[place:node], data[node : node + DIGEST_SIZE], data[rest:end])
        place = end
