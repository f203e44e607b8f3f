"""The stem: the upper levels of the state tree, one array in memory, of constant size.

Node j has the children 2j and 2j + 1; node 1 is the root; the lowest row has one node for each
page below (ledger.pages). Changes are made in place and remember what they replaced.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from ledger.model import DIGEST_SIZE, EMPTY_DIGEST
from ledger.proof import inner_hasher

STEM_LEVELS = 18  # 2**18 pages of about four leaves at 10**6 keys; the array takes 16 MB
FIRST_PAGE_NODE = 1 << STEM_LEVELS  # the lowest row begins here


class StemChange:
    """The nodes that one block replaced: with it the stem can be read as of before the block."""

    __slots__ = ("_hashes", "_indexes", "_nodes")

    def __init__(self, indexes: array[int], hashes: bytes) -> None:
        self._indexes = indexes
        self._hashes = hashes  # before the block, 32 bytes per index
        self._nodes: dict[int, int] | None = None

    def before(self, index: int) -> bytes | None:
        """The node at `index` before the block, None if the block did not touch it."""
        if self._nodes is None:  # most blocks go by without a proof: sort only then
            self._nodes = {node: at for at, node in enumerate(self._indexes)}
        at = self._nodes.get(index)
        return None if at is None else self._hashes[at << 5 : (at + 1) << 5]

    def undo(self, stem: Stem) -> None:
        """Put everything back."""
        for at, index in enumerate(self._indexes):
            stem.put(index, self._hashes[at << 5 : (at + 1) << 5])


class Stem:
    """Not thread safe: the tree locks."""

    def __init__(self) -> None:
        self._nodes = bytearray(2 * FIRST_PAGE_NODE * DIGEST_SIZE)
        self._is_filled = bytearray(2 * FIRST_PAGE_NODE)  # 1 for every node that is not empty

    def get(self, index: int) -> bytes:
        return bytes(self._nodes[index << 5 : (index + 1) << 5])

    def put(self, index: int, node: bytes) -> None:
        self._nodes[index << 5 : (index + 1) << 5] = node
        self._is_filled[index] = node != EMPTY_DIGEST

    def change(self, indexes: Sequence[int], hashes: Sequence[bytes]) -> StemChange:
        """Put new nodes (ascending indexes) into the lowest row and fold all rows above."""
        nodes = self._nodes
        touched = array("I", indexes)
        before = [nodes[index << 5 : (index + 1) << 5] for index in indexes]
        for index, node in zip(indexes, hashes, strict=True):
            self.put(index, node)
        row = list(indexes)
        for depth in range(STEM_LEVELS - 1, -1, -1):
            row = list(dict.fromkeys([index >> 1 for index in row]))
            touched.extend(row)
            before.extend([nodes[index << 5 : (index + 1) << 5] for index in row])
            self._fold_row(depth, row)
        return StemChange(touched, b"".join(before))

    def _fold_row(self, depth: int, row: list[int]) -> None:
        """Hash the nodes of a row again: inner_hash spelled out, this is the hottest loop."""
        nodes, filled, start = self._nodes, self._is_filled, inner_hasher(depth).copy
        row_below = 2 << depth
        if filled.find(0, row_below, 2 * row_below) < 0:  # with a million keys nearly all rows
            for index in row:
                at = index << 6
                hasher = start()
                hasher.update(nodes[at : at + 64])
                at >>= 1
                nodes[at : at + 32] = hasher.digest()
            filled[row_below >> 1 : row_below] = b"\1" * (row_below >> 1)
            return
        for index in row:
            at, left = index << 5, index << 6
            if not filled[2 * index]:
                nodes[at : at + 32] = nodes[left + 32 : left + 64]
                filled[index] = filled[2 * index + 1]
            elif not filled[2 * index + 1]:
                nodes[at : at + 32] = nodes[left : left + 32]
                filled[index] = 1
            else:
                hasher = start()
                hasher.update(nodes[left : left + 64])
                nodes[at : at + 32] = hasher.digest()
                filled[index] = 1
