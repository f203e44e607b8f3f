"""The state tree: the authenticated state of the chain at the newest block.

The upper levels live in one array in memory (ledger.stem), and what branches right below them in
another (ledger.branches); below, pages of a few leaves live in LevelDB (ledger.pages) and are read
when they are needed. So a block of 1,000 writes costs 1,000 small page reads and puts, memory is
bounded whatever the number of keys, and opening reads the page below each prefix once.

All hashes of a block are computed in a few batches (ledger.hashes).

Changes are staged by `apply`, handed to the store's atomic write by `staged_pages`, and become
the tree's own by `accept`; readers see the old tree until then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from crypto import sm3
from crypto.errors import BatchInvalid
from ledger.branches import Branches
from ledger.errors import LedgerDamaged
from ledger.hashes import TREE_HASHES, TreeHashes
from ledger.model import DIGEST_SIZE, EMPTY_DIGEST, Digest, StateWrite
from ledger.pages import (
    BRANCH_BITS,
    Leaf,
    LoadPage,
    PageChanges,
    branch_slots,
    fold_slots,
    is_branch,
    no_leaf,
    page_id,
    page_leaves,
    page_root,
    step_into_leaves,
)
from ledger.proof import (
    NeighborLeaf,
    StateProof,
    leaf_message,
    path_message,
    state_path,
    verify_state_proof,
)
from ledger.stem import FIRST_PAGE_NODE, STEM_LEVELS, Stem, StemChange

__all__ = ["StateProof", "StateReader", "StateTree", "verify_state_proof"]

_SPARE_BITS = 24 - STEM_LEVELS  # of the three bytes that name a page below the stem
_MISNAMED = "the name of a page is malformed; restore this ledger"
_PAGE_ID_SIZE = 4  # bytes of the id of a page right below the stem: depth and prefix


class StateReader(Protocol):
    """Read access to the state at one height."""

    def get(self, namespace: str, key: bytes) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class _Staged:
    """Changes that already stand in the stem, but not in what readers see."""

    root: Digest
    pages: dict[bytes, bytes | None]
    change: StemChange
    branches: Sequence[bytes]  # those of `pages` that are branches right below the stem


class StateTree:
    """One writer stages and accepts; any thread may read `root` and `prove`."""

    def __init__(self, load: LoadPage, hashes: TreeHashes = TREE_HASHES) -> None:
        """`load` reads a stored page by its id."""
        self._load = load
        self._hashes = hashes
        self._stem = Stem(hashes)
        self._branches = Branches()
        self._staged: _Staged | None = None
        self._lock = threading.Lock()

    @property
    def root(self) -> Digest:
        """The root of the accepted tree."""
        with self._lock:
            return Digest(self._node(1, ()))

    @property
    def staged_root(self) -> Digest | None:
        """The root with the staged changes, None if nothing is staged."""
        staged = self._staged
        return staged.root if staged else None

    def restore(self, pages: Iterable[tuple[bytes, bytes]]) -> Digest:
        """Fold the stem from (page id, page) of all stored pages right below it; the root.

        Once, for a tree that was just made: what stood in it before would stay.
        """
        indexes: list[int] = []
        hashes: list[bytes] = []
        for name, page in pages:
            if len(name) != _PAGE_ID_SIZE or name[0] != STEM_LEVELS:
                raise LedgerDamaged(_MISNAMED)
            indexes.append(_node_of_path(name[1:]))
            hashes.append(page_root(page))
            if is_branch(page):
                self._branches.put(indexes[-1], page)
        try:
            with self._lock:
                self._stem.change(indexes, b"".join(hashes))
        except BatchInvalid:  # two names for one place
            raise LedgerDamaged(_MISNAMED) from None
        return self.root

    def apply(self, writes: Sequence[StateWrite]) -> Digest:
        """Stage `writes` on top of the accepted tree (an earlier stage is dropped); the root.

        Of two writes to one key the later counts.
        """
        self.discard()
        groups: dict[int, list[bytes]] = {}  # leaves by the node right above their page
        for leaf in _leaves_of(writes, self._hashes):
            node = _node_of_path(leaf)
            if node in groups:
                groups[node].append(leaf)
            else:
                groups[node] = [leaf]
        roots = bytearray().join(map(self._stem.get, groups))
        changes = PageChanges(self._load)
        for at, (node, leaves) in enumerate(groups.items()):
            branch = self._branches.find(node)
            changes.change(STEM_LEVELS, leaves, roots, at * DIGEST_SIZE, branch)
        pages = changes.finish(self._hashes)
        with self._lock:
            replaced = self._stem.change(list(groups), bytes(roots))
            root = Digest(self._stem.get(1))
            self._staged = _Staged(root, pages, replaced, changes.branches(STEM_LEVELS))
        return root

    def staged_pages(self) -> Iterator[tuple[bytes, bytes | None]]:
        """(page id, new page or None for removed), to be stored atomically before `accept`."""
        assert self._staged is not None, "nothing is staged"
        return iter(self._staged.pages.items())

    def accept(self) -> StemChange:
        """Make the staged changes the tree's own: they are stored now. What they replaced."""
        assert self._staged is not None, "nothing is staged"
        with self._lock:
            change = self._staged.change
            for name in self._staged.branches:
                self._branches.put(_node_of_path(name[1:]), self._staged.pages[name])
            self._staged = None
        return change

    def discard(self) -> None:
        """Forget what is staged."""
        if self._staged is None:
            return
        with self._lock:
            self._staged.change.undo(self._stem)
            self._staged = None

    def prove(
        self,
        namespace: str,
        key: bytes,
        value: bytes | None,
        load: LoadPage,
        later: Sequence[StemChange] = (),
    ) -> StateProof:
        """The proof that (namespace, key) holds `value`.

        `later` are the changes of the accepted blocks after the one to prove at, in order, and
        `load` reads pages as of that block.
        """
        path = state_path(namespace, key)
        depths, siblings = bytearray(), list[bytes]()
        with self._lock:
            leaf = self._descend(path, load, later, depths, siblings)
        if leaf is not None and leaf[0] == path:
            if value is None or sm3.digest(value) != leaf[1]:
                raise LedgerDamaged("a stored value contradicts the state tree; run a scrub")
            return StateProof(value, None, bytes(depths), tuple(siblings))
        if value is not None:
            raise LedgerDamaged("a stored value is missing in the state tree; run a scrub")
        neighbor = None if leaf is None else NeighborLeaf(leaf[0], leaf[1])
        return StateProof(None, neighbor, bytes(depths), tuple(siblings))

    def _descend(
        self,
        path: bytes,
        load: LoadPage,
        later: Sequence[StemChange],
        depths: bytearray,
        siblings: list[bytes],
    ) -> Leaf | None:
        """Follow `path` from the root to a leaf: where one side is empty, along the other."""
        if self._node(1, later) == EMPTY_DIGEST:
            return None
        reached = bytearray(path)  # `path`, bent to where the tree has leaves
        node = 1
        for depth in range(STEM_LEVELS):
            wanted = _bit(reached, depth)
            is_there = self._node(2 * node + wanted, later) != EMPTY_DIGEST
            other = self._node(2 * node + 1 - wanted, later)
            node = 2 * node + _choose(depth, reached, is_there, other, depths, siblings)
        depth = STEM_LEVELS
        is_newest = all(change.before(node) is None for change in later)
        page = (self._branches.find(node) if is_newest else None) or _loaded(
            load, page_id(depth, bytes(reached))
        )
        while is_branch(page):
            _step_into_branch(depth, branch_slots(page), reached, depths, siblings)
            depth += BRANCH_BITS
            page = _loaded(load, page_id(depth, bytes(reached)))
        return step_into_leaves(page_leaves(page), path, depths, siblings)

    def _node(self, index: int, later: Sequence[StemChange]) -> bytes:
        """A stem node of the accepted tree, as it was before the changes of `later`."""
        for change in later:
            node = change.before(index)
            if node is not None:
                return node
        if self._staged is not None:
            node = self._staged.change.before(index)
            if node is not None:
                return node
        return self._stem.get(index)


def _leaves_of(writes: Sequence[StateWrite], hashes: TreeHashes) -> list[bytes]:
    """The new leaf of each key that is written, as pages store it, by ascending path."""
    paths = hashes.digests([path_message(write.namespace, write.key) for write in writes])
    values = {path: write.value for path, write in zip(paths, writes, strict=True)}
    put = {path: value for path, value in values.items() if value is not None}
    value_hashes = hashes.digests(list(put.values()))
    leaf_hashes = hashes.digests(list(map(leaf_message, put, value_hashes)))
    leaves = list(map(b"".join, zip(put, value_hashes, leaf_hashes, strict=True)))
    if len(put) < len(values):
        leaves += [no_leaf(path) for path, value in values.items() if value is None]
    return sorted(leaves)


def _node_of_path(path: bytes) -> int:
    """The stem node right above the page that `path` belongs to."""
    return FIRST_PAGE_NODE | int.from_bytes(path[:3]) >> _SPARE_BITS


def _loaded(load: LoadPage, name: bytes) -> bytes:
    page = load(name)
    if page is None:
        raise LedgerDamaged("a page of the state tree is missing; restore this ledger")
    return page


def _choose(
    depth: int,
    reached: bytearray,
    is_there: bool,
    other: bytes,
    depths: bytearray,
    siblings: list[bytes],
) -> int:
    """The side to follow at `depth`: the wanted one if it is there, or else `reached` bends."""
    if not is_there:
        reached[depth >> 3] ^= 1 << (7 - (depth & 7))
    elif other != EMPTY_DIGEST:
        depths.append(depth)
        siblings.append(other)
    return _bit(reached, depth)


def _bit(path: bytearray, depth: int) -> int:
    return path[depth >> 3] >> (7 - (depth & 7)) & 1


def _step_into_branch(
    depth: int,
    slots: Sequence[bytes],
    reached: bytearray,
    depths: bytearray,
    siblings: list[bytes],
) -> None:
    """Follow the path through the levels of a branch page; only sides not taken are folded."""
    end = depth + BRANCH_BITS
    for level in range(depth, end):
        half = len(slots) >> 1
        sides = slots[:half], slots[half:]
        wanted = _bit(reached, level)
        is_there = any(slot != EMPTY_DIGEST for slot in sides[wanted])
        other = fold_slots(end, sides[1 - wanted]) if is_there else EMPTY_DIGEST
        slots = sides[_choose(level, reached, is_there, other, depths, siblings)]
