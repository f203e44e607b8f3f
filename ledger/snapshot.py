"""A certified snapshot (状态快照): the state after one block, in chunks that prove themselves.

The state tree is cut along its own nodes. A chunk is all keys below one node, and the manifest
lists the nodes from left to right with the bits at which neighbors part. Folding them gives the
state root, which a quorum signed; folding the keys of a chunk gives its node. So a manifest is
checked against the certificate alone and a chunk against the manifest alone: the first wrong byte
is found where it comes in. No position is claimed anywhere: a leaf's hash covers its whole path and
an inner node's its bit, so one root has one set of keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from crypto import sm3
from ledger.certificates import VerifyBatch
from ledger.committee import Epochs
from ledger.encoding import decode, encode
from ledger.errors import BundleInvalid, DecodeError, SnapshotInvalid
from ledger.folds import fold_leaves, fold_nodes
from ledger.genesis import Genesis, chain_id
from ledger.model import (
    DIGEST_SIZE,
    EMPTY_DIGEST,
    Digest,
    ExecutionCertificate,
    Record,
)
from ledger.proof import leaf_hash, split_depth, state_path
from ledger.succession import CommitteeChange, check_certificate, follow_changes

SNAPSHOT_VERSION = 1
TAG_SNAPSHOT = b"shuxin/snapshot/1\0"
# Bytes of an encoded chunk: a node with more is cut into its two sides. Half a second of a slow
# line; 64 GB of state make about 180,000 chunks.
CHUNK_SIZE = 512 << 10
# A single key may be larger than that: a contract's source with what was compiled of it.
CHUNK_SIZE_MAX = 8 << 20
CHUNKS_MAX = 1 << 18  # 8 MB of hashes; beyond it the state outgrew this form
# Bytes: the nodes and the bits of the largest, and 3 MB of committees and certificates. Below a
# frame of the network (p2p.limits).
MANIFEST_SIZE_MAX = 12 << 20


class Entry(Record):
    """A key of the state and its value."""

    namespace: str
    key: bytes
    value: bytes


class Chunk(Record):
    """All keys below one node of the state tree, by ascending path."""

    entries: tuple[Entry, ...]


class Manifest(Record):
    """What a snapshot is of, and of what it consists.

    `nodes` are 32 bytes each; `splits` holds between two of them the bit at which they part.
    """

    version: int
    certificate: ExecutionCertificate  # of the block: names height, state root and time
    changes: tuple[CommitteeChange, ...]  # from the committee of the genesis to that of the block
    nodes: tuple[bytes, ...]
    splits: bytes

    @property
    def height(self) -> int:
        return self.certificate.statement.height

    @property
    def state_root(self) -> bytes:
        return self.certificate.statement.state_root


def snapshot_digest(manifest: Manifest) -> Digest:
    """The name of a snapshot, alike on all nodes: signatures differ from one to the next."""
    statement = manifest.certificate.statement
    named = (manifest.version, statement, manifest.nodes, manifest.splits)
    return Digest(sm3.digest(TAG_SNAPSHOT + encode(named)))


def decode_manifest(data: bytes) -> Manifest:
    """Raises DecodeError for bytes that are no manifest of this release's form."""
    manifest = decode(data, Manifest, size_max=MANIFEST_SIZE_MAX)
    if manifest.version != SNAPSHOT_VERSION:
        raise DecodeError(f"a snapshot of version {manifest.version}: use its release")
    if not 0 < len(manifest.nodes) <= CHUNKS_MAX:
        raise DecodeError(f"a snapshot of {len(manifest.nodes)} chunks")
    if len(manifest.splits) != len(manifest.nodes) - 1:
        raise DecodeError("a snapshot needs one bit between two chunks")
    if any(len(node) != DIGEST_SIZE or node == EMPTY_DIGEST for node in manifest.nodes):
        raise DecodeError("a node of a snapshot is no hash of a part of the state")
    return manifest


def check_manifest(manifest: Manifest, genesis: Genesis, verify_batch: VerifyBatch) -> Epochs:
    """The committees up to the snapshot's block, once all that the manifest says is proved.

    Trusts the genesis and, committee by committee, a quorum. That the block is a recent one, it
    cannot tell. Raises SnapshotInvalid.
    """
    chain = chain_id(genesis)
    height = manifest.height
    try:
        epochs = follow_changes(genesis.validators, manifest.changes, chain, verify_batch)
        if epochs.newest.base > height:
            raise SnapshotInvalid(f"a change of the committee is of a block above {height}")
        check_certificate(manifest.certificate, epochs.at(height).validators, chain, verify_batch)
    except BundleInvalid as error:
        raise SnapshotInvalid(f"the snapshot of block {height} is not certified: {error}") from None
    following = epochs.at(height + 1).validators.digest
    if manifest.certificate.statement.next_validators_hash != following:
        raise SnapshotInvalid(
            f"the snapshot of block {height} lacks a change of the committee: its certificate "
            "names another one for the next block"
        )
    if fold_nodes(manifest.nodes, manifest.splits) != manifest.state_root:
        raise SnapshotInvalid(
            f"the chunks of the snapshot of block {height} do not make up the certified state"
        )
    return epochs


def check_chunk(manifest: Manifest, index: int, data: bytes) -> tuple[Entry, ...]:
    """The keys of chunk `index`, once its bytes are proved. Raises SnapshotInvalid."""
    where = f"chunk {index} of the snapshot of block {manifest.height}"
    try:
        chunk = decode(data, Chunk, size_max=CHUNK_SIZE_MAX)
        leaves = [
            (path := state_path(e.namespace, e.key), leaf_hash(path, sm3.digest(e.value)))
            for e in chunk.entries
        ]
    except DecodeError as error:
        raise SnapshotInvalid(f"{where}: {error}") from None
    if any(one[0] >= other[0] for one, other in pairwise(leaves)):
        raise SnapshotInvalid(f"{where}: its keys do not ascend")
    if fold_leaves(leaves) != manifest.nodes[index]:
        raise SnapshotInvalid(f"{where}: its keys are not those of the certified state")
    return chunk.entries


# --- cutting --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaf:
    """A key on its way into a chunk; `encoded` is its Entry."""

    path: bytes
    node: bytes
    encoded: bytes


def leaf_of(namespace: str, key: bytes, value: bytes) -> Leaf:
    path = state_path(namespace, key)
    return Leaf(path, leaf_hash(path, sm3.digest(value)), encode(Entry(namespace, key, value)))


@dataclass(slots=True)
class _Part:
    """A node of the tree whose keys may still fit into one chunk; closed (None): they do not."""

    leaves: list[Leaf] | None
    size: int


@dataclass(slots=True)
class Cutter:
    """Cuts leaves, which come by ascending path, into chunks. One state is cut in one way.

    A node of the tree becomes a chunk if its keys take no more than `size` bytes and those of the
    node above do. In memory are the chunks that may still grow: one for each level at most.
    """

    size: int = CHUNK_SIZE
    nodes: list[bytes] = field(default_factory=list)
    splits: bytearray = field(default_factory=bytearray)
    _parts: list[_Part] = field(default_factory=list)
    _depths: list[int] = field(default_factory=list)  # _depths[i] parts _parts[i] and [i + 1]
    _last: bytes = b""  # path of the leaf that came last
    _cut: bytes = b""  # path of the last leaf of the last chunk

    def add(self, leaf: Leaf) -> Iterator[bytes]:
        """Take one more leaf in; the chunks that are done by it, encoded."""
        if self._parts:
            depth = split_depth(self._last, leaf.path)
            while self._depths and self._depths[-1] > depth:
                yield from self._join()
            self._depths.append(depth)
        self._parts.append(_Part([leaf], len(leaf.encoded)))
        self._last = leaf.path

    def finish(self) -> Iterator[bytes]:
        """The chunks that are left."""
        while self._depths:
            yield from self._join()
        yield from self._close()

    @property
    def root(self) -> bytes:
        """Over all chunks."""
        return fold_nodes(self.nodes, self.splits)

    def _join(self) -> Iterator[bytes]:
        """Put the node above the last two parts in their place."""
        self._depths.pop()
        left, right = self._parts[-2:]
        size = left.size + right.size
        if left.leaves is not None and right.leaves is not None and size <= self.size:
            left.leaves += right.leaves
            left.size = size
            self._parts.pop()
            return
        # Whatever is open further left ends up below a node that is too large as well.
        yield from self._close()
        self._parts[-2:] = [_Part(None, size)]

    def _close(self) -> Iterator[bytes]:
        for part in self._parts:
            if part.leaves is not None:
                yield self._chunk(part.leaves)
                part.leaves = None

    def _chunk(self, leaves: list[Leaf]) -> bytes:
        if self.nodes:
            self.splits.append(split_depth(self._cut, leaves[0].path))
        self._cut = leaves[-1].path
        self.nodes.append(fold_leaves((leaf.path, leaf.node) for leaf in leaves))
        return _encoded_chunk([leaf.encoded for leaf in leaves])


def _encoded_chunk(entries: Sequence[bytes]) -> bytes:
    """Canonical bytes of the Chunk of encoded entries, without decoding them."""
    count = len(entries)
    if count < 16:
        head = bytes([0x90 | count])
    elif count < 1 << 16:
        head = b"\xdc" + count.to_bytes(2)
    else:
        head = b"\xdd" + count.to_bytes(4)
    return b"".join((b"\x91", head, *entries))
