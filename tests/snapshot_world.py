"""Snapshots for tests: of the ledger's test chain, and a second opinion that knows only the page
docs/snapshots.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crypto import sm3
from ledger.model import ExecutionCertificate
from ledger.snapshot import CHUNK_SIZE, Manifest
from ledger.snapshot_file import SnapshotReader, SnapshotWriter
from ledger.snapshot_make import State, make_snapshot
from ledger.succession import CommitteeChange
from tests.ledger_world import World


def write_snapshot(
    folder: Path,
    state: State,
    certificate: ExecutionCertificate,
    changes: Sequence[CommitteeChange] = (),
    *,
    size: int = CHUNK_SIZE,
    runs: Sequence[bytes] = (),
) -> SnapshotReader:
    """The snapshot of `state` as a file in `folder`, open."""
    path = folder / f"{certificate.statement.height}.snapshot"
    writer = SnapshotWriter(path)
    try:
        manifest = make_snapshot(state, certificate, changes, writer, folder / "sorting", size=size)
        for run in runs:
            writer.run(run)
        writer.finish(manifest)
    except BaseException:
        writer.abandon()
        raise
    return SnapshotReader(path)


def snapshot_of(world: World, folder: Path, *, size: int = CHUNK_SIZE) -> SnapshotReader:
    """The snapshot of the world's newest block, which becomes certified."""
    store = world.store
    for height in range(store.certified_height + 1, store.height + 1):
        world.certify(height)
    certificate = store.execution_certificate(store.height)
    assert certificate is not None
    return write_snapshot(folder, store.head_snapshot().items(), certificate, size=size)


# --- a second opinion -----------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """A node of the naive tree: its hash and its leaves (path, size of the encoded entry)."""

    hash: bytes
    leaves: tuple[tuple[bytes, int], ...]
    sides: tuple[Node, Node] | None


def naive_tree(leaves: Sequence[tuple[bytes, bytes, int]], bit: int = 0) -> Node:
    """The state tree over (path, value hash, size), bit by bit, as the page defines it."""
    if len(leaves) == 1:
        path, value_hash, size = leaves[0]
        return Node(sm3.digest(b"\x10" + path + value_hash), ((path, size),), None)
    zero = [leaf for leaf in leaves if not leaf[0][bit // 8] >> (7 - bit % 8) & 1]
    one = [leaf for leaf in leaves if leaf[0][bit // 8] >> (7 - bit % 8) & 1]
    if not zero or not one:
        return naive_tree(leaves, bit + 1)
    left, right = naive_tree(zero, bit + 1), naive_tree(one, bit + 1)
    node = sm3.digest(b"\x11" + bytes([bit]) + left.hash + right.hash)
    return Node(node, left.leaves + right.leaves, (left, right))


def naive_cut(node: Node, size_max: int) -> list[Node]:
    """The chunks: the highest nodes that are small enough, or single keys."""
    if node.sides is None or sum(size for _, size in node.leaves) <= size_max:
        return [node]
    return [*naive_cut(node.sides[0], size_max), *naive_cut(node.sides[1], size_max)]


def naive_splits(cut: Sequence[Node]) -> list[int]:
    """The first bit at which the last path of a chunk and the first of the next differ."""
    found = []
    for one, other in pairwise(cut):
        last, first = one.leaves[-1][0], other.leaves[0][0]
        bits = [f"{int.from_bytes(path):0256b}" for path in (last, first)]
        found.append(next(i for i in range(256) if bits[0][i] != bits[1][i]))
    return found


def assert_is_cut_as(manifest: Manifest, cut: Sequence[Node]) -> None:
    assert list(manifest.nodes) == [node.hash for node in cut]
    assert list(manifest.splits) == naive_splits(cut)
