"""One proof for many keys of the state tree: what their single proofs share is shown once.

A batch proof is the part of the tree that the keys' ways cross, from the root downwards, the zero
side of every node before its one side. `shape` lists the nodes on the ways in that order:

    1, depth    an inner node; a side that no way takes is the next of `siblings`
    0           a leaf: that of a key that is present, or else the next of `neighbors`

What is proved per key is what its single proof would prove (ledger.proof), and 100 keys take about
a third of the hashes of 100 single proofs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crypto import sm3
from ledger.errors import ProofInvalid
from ledger.model import DIGEST_SIZE, EMPTY_DIGEST, Record
from ledger.proof import (
    NeighborLeaf,
    StateKey,
    StateProof,
    bit_at,
    inner_hash,
    leaf_hash,
    state_path,
)

BATCH_KEYS_MAX = 256  # of one proof: with values of 1 KB it still fits into one message

_LEAF, _INNER = 0, 1


class BatchProof(Record):
    """That each of the keys asked for, in their order, holds its value or (None) is absent."""

    values: tuple[bytes | None, ...]
    shape: bytes
    neighbors: tuple[NeighborLeaf, ...]
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Way:
    """A key's way down the tree, as its single proof shows it."""

    path: bytes
    proof: StateProof


def join_proofs(keys: Sequence[StateKey], proofs: Sequence[StateProof]) -> BatchProof:
    """The batch proof of keys, none of them twice, from their proofs under one root."""
    assert 0 < len(keys) <= BATCH_KEYS_MAX and len(set(keys)) == len(keys)
    ways = [_Way(state_path(*key), proof) for key, proof in zip(keys, proofs, strict=True)]
    shape, neighbors, siblings = bytearray(), list[NeighborLeaf](), list[bytes]()
    if any(way.proof.value is not None or way.proof.neighbor is not None for way in ways):
        _join(sorted(ways, key=lambda way: way.path), 0, shape, neighbors, siblings)
    return BatchProof(
        tuple(proof.value for proof in proofs), bytes(shape), tuple(neighbors), tuple(siblings)
    )


def _join(
    ways: Sequence[_Way],
    step: int,
    shape: bytearray,
    neighbors: list[NeighborLeaf],
    siblings: list[bytes],
) -> None:
    """Show the node that all `ways` reach after `step` inner nodes, and what is below it."""
    first = ways[0].proof
    if step == len(first.depths):
        shape.append(_LEAF)
        found = [way.proof.neighbor for way in ways]
        if None not in found and found[0] is not None:  # none of the ways is the leaf's own
            neighbors.append(found[0])
        return
    depth = first.depths[step]
    shape += bytes([_INNER, depth])
    for side in (0, 1):
        taken = [way for way in ways if bit_at(way.path, depth) == side]
        if taken:
            _join(taken, step + 1, shape, neighbors, siblings)
        else:
            siblings.append(first.siblings[step])


def verify_batch_proof(proof: BatchProof, root: bytes, keys: Sequence[StateKey]) -> None:
    """Whether `proof` shows of each of `keys`, in this order, what its `values` say.

    Raises ProofInvalid, and DecodeError for an unfit namespace.
    """
    if not 0 < len(keys) <= BATCH_KEYS_MAX:
        raise ProofInvalid(f"a batch proof is about 1 to {BATCH_KEYS_MAX} keys; ask for fewer")
    if len(proof.values) != len(keys):
        raise ProofInvalid(f"the proof is about {len(proof.values)} keys, {len(keys)} were asked")
    asked = {state_path(*key): value for key, value in zip(keys, proof.values, strict=True)}
    if len(asked) != len(keys):
        raise ProofInvalid("a key is asked for twice; ask for each key once")
    reading = _Reading(asked, iter(proof.shape), iter(proof.neighbors), iter(proof.siblings))
    if proof.shape:
        node = reading.node(sorted(asked), b"")
    elif any(value is not None for value in proof.values):
        raise ProofInvalid("the empty state holds no value")
    else:
        node = EMPTY_DIGEST
    if not reading.is_finished():
        raise ProofInvalid("the proof has parts that belong to no key")
    if node != root:
        raise ProofInvalid("the proof does not lead to the state root: other keys, values or state")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A proof that is read once from front to back."""

    asked: dict[bytes, bytes | None]
    shape: Iterator[int]
    neighbors: Iterator[NeighborLeaf]
    siblings: Iterator[bytes]

    def node(self, paths: Sequence[bytes], above: bytes) -> bytes:
        """The hash of the node that `paths` reach, below inner nodes of the depths `above`."""
        kind = next(self.shape, None)
        if kind == _LEAF:
            return self._leaf(paths, above)
        depth = next(self.shape, None)
        if kind != _INNER or depth is None:
            raise ProofInvalid("the shape of the proof is cut short or holds an unknown node")
        if above and depth <= above[-1]:
            raise ProofInvalid("the depths of a proof must ascend from the root downwards")
        sides = [[path for path in paths if bit_at(path, depth) == side] for side in (0, 1)]
        below = above + bytes([depth])
        left, right = (self.node(side, below) if side else self._sibling() for side in sides)
        return inner_hash(depth, left, right)

    def _leaf(self, paths: Sequence[bytes], above: bytes) -> bytes:
        present = [path for path in paths if self.asked[path] is not None]
        if len(present) > 1:
            raise ProofInvalid("two keys with a value end in one leaf: one of them is not there")
        if present:
            value = self.asked[present[0]]
            assert value is not None
            return leaf_hash(present[0], sm3.digest(value))
        neighbor = next(self.neighbors, None)
        if neighbor is None:
            raise ProofInvalid("a proof of absence needs the leaf found in place of the key")
        if len(neighbor.path) != DIGEST_SIZE or len(neighbor.value_hash) != DIGEST_SIZE:
            raise ProofInvalid("a neighbor has a path and a value hash of 32 bytes each")
        if neighbor.path in paths:
            raise ProofInvalid("the neighbor is one of the keys itself: that key is present")
        if any(bit_at(neighbor.path, depth) != bit_at(paths[0], depth) for depth in above):
            raise ProofInvalid("the neighbor does not stand on the way of the key")
        return leaf_hash(neighbor.path, neighbor.value_hash)

    def _sibling(self) -> bytes:
        sibling = next(self.siblings, None)
        if sibling is None or len(sibling) != DIGEST_SIZE or sibling == EMPTY_DIGEST:
            raise ProofInvalid("a sibling is missing or not the hash of a part of the tree")
        return sibling

    def is_finished(self) -> bool:
        rest = next(self.shape, None), next(self.neighbors, None), next(self.siblings, None)
        return rest == (None, None, None)
