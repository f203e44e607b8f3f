"""The state tree's hashes, its proofs, and their verification: pure, no storage.

The tree is a binary compact sparse Merkle tree over the 256-bit paths SM3(namespace, key):

    root(no leaves)             = 32 zero bytes
    root(one leaf)              = leaf_hash(path, SM3(value))
    root(leaves, from bit d on) = root(the side that has leaves), if bit d does not part them
                                = inner_hash(d, root(zero side), root(one side)), if it does

A node with one side only is that side, which keeps paths at about log2(keys) hashes. The bit
that parts its sides is hashed into every inner node: without it a prover could relabel the bits
of a path and "prove" that a present key is absent. To look a key up is to follow its bits at
the inner nodes down to one leaf; that leaf is the key's or the key is absent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from crypto import sm3
from ledger.errors import DecodeError, ProofInvalid
from ledger.merkle import tagged_hasher
from ledger.model import DIGEST_SIZE, EMPTY_DIGEST, Record

StateKey: TypeAlias = tuple[str, bytes]  # namespace and key

PATH_BITS = 256
NAMESPACE_SIZE_MAX = 255  # bytes: its length is hashed, and stored, in front of it as one

_LEAF, _PATH = b"\x10", b"\x12"  # first bytes unlike those of the list tree
_INNER = tuple(tagged_hasher(b"\x11" + bytes([depth])) for depth in range(PATH_BITS))
_PREFIXES_MAX = 1024  # namespaces whose prefixes are kept: contracts of one chain, 0.3 MB


class NeighborLeaf(Record):
    """The leaf that stands where an absent key would be."""

    path: bytes
    value_hash: bytes


class StateProof(Record):
    """That a key holds `value`, or (None) that it is absent.

    `depths` are the bits at which the inner nodes on the way part their sides, from the root
    downwards, one byte each; `siblings` are the sides not taken. `neighbor` is the leaf found
    in place of an absent key, None for a present key and in the empty state.
    """

    value: bytes | None
    neighbor: NeighborLeaf | None
    depths: bytes
    siblings: tuple[bytes, ...]


@lru_cache(_PREFIXES_MAX)
def namespace_prefix(namespace: str) -> bytes:
    """A namespace with its length in front, so that no key can run into it.

    Raises DecodeError for one that is too long or not Unicode.
    """
    try:
        name = namespace.encode()
    except UnicodeEncodeError:
        raise DecodeError("namespace: not valid Unicode") from None
    if len(name) > NAMESPACE_SIZE_MAX:
        raise DecodeError(f"namespace: {len(name)} bytes exceed the limit of {NAMESPACE_SIZE_MAX}")
    return bytes([len(name)]) + name


def path_message(namespace: str, key: bytes) -> bytes:
    """What is hashed to a path. Raises DecodeError for an unfit namespace."""
    return _PATH + namespace_prefix(namespace) + key


def state_path(namespace: str, key: bytes) -> bytes:
    """Where (namespace, key) stands in the tree. Raises DecodeError for an unfit namespace."""
    return sm3.digest(path_message(namespace, key))


def leaf_message(path: bytes, value_hash: bytes) -> bytes:
    """What is hashed to a leaf."""
    return _LEAF + path + value_hash


def leaf_hash(path: bytes, value_hash: bytes) -> bytes:
    return sm3.digest(leaf_message(path, value_hash))


def inner_hash(depth: int, left: bytes, right: bytes) -> bytes:
    """The node whose sides part at bit `depth`; an empty side makes it the other side."""
    if right == EMPTY_DIGEST:
        return left
    if left == EMPTY_DIGEST:
        return right
    hasher = _INNER[depth].copy()
    hasher.update(left + right)
    return hasher.digest()


def bit_at(path: bytes, depth: int) -> int:
    """Bit `depth` of a path, the most significant first."""
    return path[depth >> 3] >> (7 - (depth & 7)) & 1


def split_depth(one: bytes, other: bytes) -> int:
    """The first bit at which two paths differ; 256 if they are equal."""
    return PATH_BITS - (int.from_bytes(one) ^ int.from_bytes(other)).bit_length()


def verify_state_proof(proof: StateProof, root: bytes, namespace: str, key: bytes) -> bytes | None:
    """The value of (namespace, key) under `root`, None if it is absent.

    Raises ProofInvalid, and DecodeError for an unfit namespace.
    """
    path = state_path(namespace, key)
    node = _proven_leaf(proof, path)
    if len(proof.depths) != len(proof.siblings):
        raise ProofInvalid("a proof needs one depth for every sibling")
    if any(above >= below for above, below in zip(proof.depths, proof.depths[1:], strict=False)):
        raise ProofInvalid("the depths of a proof must ascend from the root downwards")
    for depth, sibling in zip(reversed(proof.depths), reversed(proof.siblings), strict=True):
        if len(sibling) != DIGEST_SIZE or sibling == EMPTY_DIGEST:
            raise ProofInvalid("a sibling is not the hash of a part of the tree")
        on_the_right = bit_at(path, depth)
        node = (
            inner_hash(depth, sibling, node) if on_the_right else inner_hash(depth, node, sibling)
        )
    if node != root:
        raise ProofInvalid("the proof does not lead to the state root: another key, value or state")
    return proof.value


def _proven_leaf(proof: StateProof, path: bytes) -> bytes:
    """The hash at the lower end of the proof; refuses ends that prove nothing about `path`."""
    if proof.value is not None:
        if proof.neighbor is not None:
            raise ProofInvalid("a proof shows a value or a neighbor, not both")
        return leaf_hash(path, sm3.digest(proof.value))
    if proof.neighbor is None:
        if proof.siblings:
            raise ProofInvalid("a proof of absence needs the leaf found in place of the key")
        return EMPTY_DIGEST
    other = proof.neighbor
    if len(other.path) != DIGEST_SIZE or len(other.value_hash) != DIGEST_SIZE:
        raise ProofInvalid("a neighbor has a path and a value hash of 32 bytes each")
    if other.path == path:
        raise ProofInvalid("the neighbor is the key itself: the key is present")
    if any(bit_at(other.path, depth) != bit_at(path, depth) for depth in proof.depths):
        raise ProofInvalid("the neighbor does not stand on the way of the key")
    return leaf_hash(other.path, other.value_hash)
