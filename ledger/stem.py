"""The stem: the upper levels of the state tree, one array in memory, of constant size.

Node j has the children 2j and 2j + 1; node 1 is the root; the lowest row has one node for each
page below (ledger.pages). Changes are made in place and remember what they replaced.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from ledger.hashes import TreeHashes
from ledger.model import DIGEST_SIZE

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

    def __init__(self, hashes: TreeHashes) -> None:
        self._hashes = hashes
        self._nodes = bytearray(2 * FIRST_PAGE_NODE * DIGEST_SIZE)

    def get(self, index: int) -> bytes:
        return bytes(self._nodes[index << 5 : (index + 1) << 5])

    def put(self, index: int, node: bytes) -> None:
        self._nodes[index << 5 : (index + 1) << 5] = node

    def change(self, indexes: Sequence[int], roots: bytes) -> StemChange:
        """Put new nodes (ascending indexes) into the lowest row and fold all rows above."""
        return StemChange(*self._hashes.fold_stem(self._nodes, STEM_LEVELS, indexes, roots))
