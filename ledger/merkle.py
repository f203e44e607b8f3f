"""The list tree: one root for the transactions or the receipts of a block, and paths to it.

The shape is that of RFC 6962: a tree over n leaves splits at the largest power of two below n,
so an odd node rises unchanged. Leaves and inner nodes are hashed under different first bytes,
so that no inner node can be shown as a leaf (second preimage).
"""

from __future__ import annotations

from collections.abc import Sequence

from crypto import sm3
from ledger.errors import ProofInvalid
from ledger.model import (
    DIGEST_SIZE,
    Digest,
    Receipt,
    Record,
    Transaction,
    receipt_digest,
    transaction_id,
)


def tagged_hasher(tag: bytes) -> sm3.Hasher:
    """A hash that has absorbed `tag`, to be copied: cheaper than absorbing it every time."""
    hasher = sm3.hasher()
    hasher.update(tag)
    return hasher


_LEAF = tagged_hasher(b"\x00")
_INNER = tagged_hasher(b"\x01")
EMPTY_ROOT = Digest(sm3.digest(b""))  # of a list without leaves (RFC 6962, 2.1)


class ListPath(Record):
    """The way from leaf `index` of a list of `size` leaves up to its root."""

    index: int
    size: int
    siblings: tuple[bytes, ...]  # 32 bytes each, from the leaf upwards


def root_of(leaves: Sequence[bytes]) -> Digest:
    """The root over 32-byte leaf digests, in order."""
    if not leaves:
        return EMPTY_ROOT
    row = [_leaf_hash(leaf) for leaf in leaves]
    while len(row) > 1:
        row = _next_row(row)
    return Digest(row[0])


def path(leaves: Sequence[bytes], index: int) -> ListPath:
    """The proof that `leaves[index]` is in the list."""
    assert 0 <= index < len(leaves), "a path starts at a leaf of the list"
    row = [_leaf_hash(leaf) for leaf in leaves]
    siblings: list[bytes] = []
    position = index
    while len(row) > 1:
        if position ^ 1 < len(row):
            siblings.append(row[position ^ 1])
        row = _next_row(row)
        position >>= 1
    return ListPath(index, len(leaves), tuple(siblings))


class PathStep(Record):
    """One level of a path: the sibling, and on which side of our node it stands."""

    is_left: bool
    sibling: bytes


def verify_path(leaf: bytes, path: ListPath, root: bytes) -> None:
    """Check that `leaf` stands at `path.index` under `root`. Raises ProofInvalid."""
    verify_steps(leaf, steps_of(path), root)


def steps_of(path: ListPath) -> tuple[PathStep, ...]:
    """What of a path is hashed. Raises ProofInvalid for one of impossible shape.

    Index and size only say on which sides the siblings stand, and lists of several sizes say the
    same; so the steps, not the index, are what a root binds.
    """
    if not 0 <= path.index < path.size:
        raise ProofInvalid(f"index {path.index} is outside a list of {path.size}")
    steps: list[PathStep] = []
    position, width = path.index, path.size
    while width > 1:
        if position ^ 1 < width:
            used = len(steps)
            if used == len(path.siblings):
                raise ProofInvalid(f"the path has only {used} siblings for a list of {path.size}")
            steps.append(PathStep(bool(position & 1), path.siblings[used]))
        position >>= 1
        width = (width + 1) >> 1
    used = len(steps)
    if used != len(path.siblings):
        raise ProofInvalid(f"the path has {len(path.siblings)} siblings where {used} are needed")
    return tuple(steps)


def verify_steps(leaf: bytes, steps: Sequence[PathStep], root: bytes) -> None:
    """Check that the steps lead from `leaf` up to `root`. Raises ProofInvalid."""
    node = _leaf_hash(leaf)
    for step in steps:
        sibling = step.sibling
        if len(sibling) != DIGEST_SIZE:
            raise ProofInvalid("a sibling is not a digest of 32 bytes")
        node = _inner_hash(sibling, node) if step.is_left else _inner_hash(node, sibling)
    if node != root:
        raise ProofInvalid("the path does not lead to the root: another record, place or list")


def transaction_leaf(transaction: Transaction) -> Digest:
    """The transaction id: SM3 of the signed part, without the signature.

    A sender can sign one body twice and show each node another valid signature. Were the
    signature part of the root, honest replicas would then make different blocks and stop.
    """
    return transaction_id(transaction)


def transactions_leaves(transactions: Sequence[Transaction]) -> list[Digest]:
    return [transaction_leaf(transaction) for transaction in transactions]


def receipts_leaves(receipts: Sequence[Receipt]) -> list[Digest]:
    return [receipt_digest(receipt) for receipt in receipts]


def transactions_root(transactions: Sequence[Transaction]) -> Digest:
    return root_of(transactions_leaves(transactions))


def receipts_root(receipts: Sequence[Receipt]) -> Digest:
    return root_of(receipts_leaves(receipts))


def _next_row(row: list[bytes]) -> list[bytes]:
    above = [_inner_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
    if len(row) & 1:
        above.append(row[-1])
    return above


def _leaf_hash(leaf: bytes) -> bytes:
    hasher = _LEAF.copy()
    hasher.update(leaf)
    return hasher.digest()


def _inner_hash(left: bytes, right: bytes) -> bytes:
    hasher = _INNER.copy()
    hasher.update(left + right)
    return hasher.digest()
