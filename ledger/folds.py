"""Roots over parts of the state tree: what `crypto.native` computes, as it is defined.

The first four functions are ledger.hashes.TreeHashes in Python: the second opinion in tests, and
what a node computes with where the compiled ones are missing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

from crypto import sm3
from crypto.errors import BatchInvalid
from ledger.model import DIGEST_SIZE, EMPTY_DIGEST
from ledger.proof import PATH_BITS, inner_hash

LEAVES = b"L"  # the first byte of a page of leaves
HEAD_SIZE = 1 + DIGEST_SIZE  # of a page: its kind and its root
LEAF_SIZE = 3 * DIGEST_SIZE  # of a leaf as pages store it: path, value hash, leaf hash
_PAIR_SIZE = 2 * DIGEST_SIZE
_LEAVES_MAX = 64  # of one page in a batch
_LEVELS_MAX = 30  # of a stem: its indexes fit 32 bits


def digests(messages: Sequence[bytes]) -> list[bytes]:
    return [sm3.digest(message) for message in messages]


def join_pairs(depth: int, pairs: bytes) -> bytes:
    _demand(0 <= depth < PATH_BITS and len(pairs) % _PAIR_SIZE == 0)
    return b"".join(
        inner_hash(depth, pairs[at : at + DIGEST_SIZE], pairs[at + DIGEST_SIZE : at + _PAIR_SIZE])
        for at in range(0, len(pairs), _PAIR_SIZE)
    )


def change_pages(pages: Sequence[bytes], changes: Sequence[bytes], leaves_max: int) -> list[bytes]:
    _demand(len(pages) == len(changes) and 0 < leaves_max <= _LEAVES_MAX)
    return [_change_page(page, put, leaves_max) for page, put in zip(pages, changes, strict=True)]


def fold_stem(
    nodes: bytearray, levels: int, indexes: Iterable[int], roots: bytes
) -> tuple[array[int], bytes]:
    row = list(indexes)
    _demand(
        0 <= levels <= _LEVELS_MAX
        and len(nodes) == DIGEST_SIZE << levels + 1
        and len(roots) == DIGEST_SIZE * len(row)
        and all(1 << levels <= index < 2 << levels for index in row)
        and all(index < following for index, following in pairwise(row))
    )
    touched, before = array("I", row), [_node(nodes, index) for index in row]
    for at, index in enumerate(row):
        _put(nodes, index, roots[at * DIGEST_SIZE : (at + 1) * DIGEST_SIZE])
    for depth in range(levels - 1, -1, -1):
        row = list(dict.fromkeys([index >> 1 for index in row]))
        touched.extend(row)
        before += [_node(nodes, index) for index in row]
        for index in row:
            sides = _node(nodes, 2 * index), _node(nodes, 2 * index + 1)
            _put(nodes, index, inner_hash(depth, *sides))
    return touched, b"".join(before)


def fold_leaves(leaves: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The root over (path, leaf hash) pairs by ascending path, in memory of order log(leaves)."""
    hashes: list[bytes] = []
    splits: list[int] = []  # splits[i] parts hashes[i] from hashes[i + 1]; ascending
    previous = 0
    for path, node in leaves:
        number = int.from_bytes(path)
        if hashes:
            depth = PATH_BITS - (previous ^ number).bit_length()  # split_depth
            while splits and splits[-1] > depth:
                _join_last(hashes, splits.pop())
            splits.append(depth)
        hashes.append(node)
        previous = number
    while splits:
        _join_last(hashes, splits.pop())
    return hashes[0] if hashes else EMPTY_DIGEST


def fold_nodes(nodes: Sequence[bytes], splits: Sequence[int]) -> bytes:
    """The root over neighboring nodes, of which i and i + 1 part at bit `splits[i]`."""
    hashes: list[bytes] = []
    open_splits: list[int] = []  # as in fold_leaves
    for index, node in enumerate(nodes):
        if index:
            depth = splits[index - 1]
            while open_splits and open_splits[-1] > depth:
                _join_last(hashes, open_splits.pop())
            open_splits.append(depth)
        hashes.append(node)
    while open_splits:
        _join_last(hashes, open_splits.pop())
    return hashes[0] if hashes else EMPTY_DIGEST


def _change_page(page: bytes, changes: bytes, leaves_max: int) -> bytes:
    leaves: dict[bytes, bytes] = {}
    if page:
        leaves = _leaves_of(page[HEAD_SIZE:])
        _demand(page[:1] == LEAVES and len(leaves) > 0)
    for path, leaf in _leaves_of(changes).items():
        if leaf[2 * DIGEST_SIZE :] == EMPTY_DIGEST:
            leaves.pop(path, None)
        else:
            leaves[path] = leaf
    if not leaves:
        return b""
    ordered, root = sorted(leaves.items()), bytes(EMPTY_DIGEST)
    if len(leaves) <= leaves_max:
        root = fold_leaves((path, leaf[2 * DIGEST_SIZE :]) for path, leaf in ordered)
    return b"".join((LEAVES, root, *(leaf for _, leaf in ordered)))


def _leaves_of(data: bytes) -> dict[bytes, bytes]:
    """Leaves by path, in which order they must be."""
    _demand(len(data) % LEAF_SIZE == 0)
    leaves = [data[at : at + LEAF_SIZE] for at in range(0, len(data), LEAF_SIZE)]
    paths = [leaf[:DIGEST_SIZE] for leaf in leaves]
    _demand(all(path < following for path, following in pairwise(paths)))
    return dict(zip(paths, leaves, strict=True))


def _join_last(hashes: list[bytes], depth: int) -> None:
    right = hashes.pop()
    hashes[-1] = inner_hash(depth, hashes[-1], right)


def _node(nodes: bytearray, index: int) -> bytes:
    return bytes(nodes[index << 5 : (index + 1) << 5])


def _put(nodes: bytearray, index: int, node: bytes) -> None:
    nodes[index << 5 : (index + 1) << 5] = node


def _demand(fits: bool) -> None:
    if not fits:
        raise BatchInvalid("sizes, order or range of a batch do not fit")
