"""Pages: parts of the state tree as they are stored, one LevelDB value each.

A page holds all leaves below one prefix of the path. While they are few it lists them; beyond
PAGE_LEAVES_MAX it becomes a branch to pages that are BRANCH_BITS deeper. What is stored where
never shows in a hash: the root depends on the leaves alone (ledger.proof).

    leaves   b"L" | root | (path | value hash | leaf hash)...      in order of path
    branch   b"B" | root | roots of the 2**BRANCH_BITS pages below, zero for none
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple, TypeAlias

from crypto.errors import BatchInvalid
from ledger.errors import LedgerDamaged
from ledger.folds import HEAD_SIZE, LEAF_SIZE, LEAVES, fold_leaves
from ledger.hashes import TreeHashes
from ledger.model import DIGEST_SIZE, EMPTY_DIGEST
from ledger.proof import PATH_BITS, bit_at, inner_hash, leaf_hash, split_depth

Path: TypeAlias = bytes
LoadPage: TypeAlias = Callable[[bytes], bytes | None]
Leaf: TypeAlias = tuple[Path, bytes, bytes]  # path, value hash, leaf hash

PAGE_LEAVES_MAX = 16  # a page stays below 1.6 KB: a write copies little, a read hashes little
BRANCH_BITS = 3  # eight pages of about two leaves follow a full one
BRANCH_SLOTS = 1 << BRANCH_BITS

_BRANCH = b"B"
_NO_ROOT: bytes = EMPTY_DIGEST
_BYTES = tuple(bytes([value]) for value in range(256))
_SLOTS_SIZE = BRANCH_SLOTS * DIGEST_SIZE
BRANCH_SIZE = HEAD_SIZE + _SLOTS_SIZE  # bytes
_LEAVES_SIZE_MAX = HEAD_SIZE + PAGE_LEAVES_MAX * LEAF_SIZE
_MALFORMED = "a page of the state tree is malformed; restore this ledger"


def page_id(depth: int, path: Path) -> bytes:
    """The name of the page that holds all leaves sharing the first `depth` bits of `path`."""
    size, spare = (depth + 7) >> 3, -depth & 7
    return _BYTES[depth] + path[: size - 1] + _BYTES[path[size - 1] >> spare << spare]


def page_root(page: bytes) -> bytes:
    """The root of the subtree that a page holds, as it is written in the page's head."""
    if len(page) < HEAD_SIZE or page[:1] not in (LEAVES, _BRANCH):
        raise LedgerDamaged(_MALFORMED)
    return page[1:HEAD_SIZE]


class _BranchPage(NamedTuple):
    name: bytes
    slots: bytearray
    home: bytearray  # where its root goes ...
    at: int  # ... and at which byte


class PageChanges:
    """The new pages of one block. First all old ones are read, then all are changed and hashed
    at once: many nodes together are what makes it fast (ADR 24).
    """

    def __init__(self, load: LoadPage) -> None:
        self._load = load
        # Of the pages of leaves the name, and where the new root goes; tuples, being so many.
        self._leaves: list[tuple[bytes, bytearray, int]] = []
        self._old: list[bytes] = []  # of each of them, b"" for none
        self._put: list[bytes] = []
        self._branches: dict[int, list[_BranchPage]] = {}  # by depth

    def change(
        self,
        depth: int,
        leaves: Sequence[bytes],
        home: bytearray,
        at: int,
        branch: bytes | None = None,
    ) -> None:
        """Put leaves (one or more, by ascending path, all below one prefix of `depth` bits).

        A leaf is as stored; `no_leaf` removes. At byte `at` of `home` is the root that this page is
        known to have; `finish` puts the new one there. `branch` is the page, where it is known to
        be one. Raises LedgerDamaged for a page with another root.
        """
        name, page, known = page_id(depth, leaves[0]), b"", home[at : at + DIGEST_SIZE]
        if known != _NO_ROOT:
            page = branch or self._load(name) or b""
            if page[1:HEAD_SIZE] != known:
                raise LedgerDamaged("a page of the state tree is missing or has another root")
            if page[:1] == _BRANCH:
                _demand_branch(page)
                self._change_below(depth, name, bytearray(page[HEAD_SIZE:]), leaves, home, at)
                return
        self._leaves.append((name, home, at))
        self._old.append(page)
        self._put.append(leaves[0] if len(leaves) == 1 else b"".join(leaves))

    def finish(self, hashes: TreeHashes) -> dict[bytes, bytes | None]:
        """The new pages by page id, None for one that is gone. Raises LedgerDamaged."""
        out: dict[bytes, bytes | None] = {}
        while self._leaves:  # again for those that are split
            try:
                pages = hashes.change_pages(self._old, self._put, PAGE_LEAVES_MAX)
            except BatchInvalid:
                raise LedgerDamaged(_MALFORMED) from None
            changed, self._leaves, self._old, self._put = self._leaves, [], [], []
            for (name, home, at), page in zip(changed, pages, strict=True):
                if len(page) > _LEAVES_SIZE_MAX:  # it becomes a branch to new pages
                    leaves = [
                        page[i : i + LEAF_SIZE] for i in range(HEAD_SIZE, len(page), LEAF_SIZE)
                    ]
                    self._change_below(name[0], name, bytearray(_SLOTS_SIZE), leaves, home, at)
                else:
                    out[name] = page or None
                    home[at : at + DIGEST_SIZE] = page[1:HEAD_SIZE] or EMPTY_DIGEST
        for depth in sorted(self._branches, reverse=True):  # what is below comes first
            self._finish_branches(depth, hashes, out)
        return out

    def branches(self, depth: int) -> list[bytes]:
        """The names of the branch pages at `depth` that are among the new pages."""
        return [page.name for page in self._branches.get(depth, ())]

    def _finish_branches(
        self, depth: int, hashes: TreeHashes, out: dict[bytes, bytes | None]
    ) -> None:
        pages = self._branches[depth]
        row = b"".join([page.slots for page in pages])
        for level in range(depth + BRANCH_BITS - 1, depth - 1, -1):
            row = hashes.join_pairs(level, row)
        for number, (name, slots, home, at) in enumerate(pages):
            root = row[number * DIGEST_SIZE : (number + 1) * DIGEST_SIZE]
            out[name] = None if root == EMPTY_DIGEST else b"".join((_BRANCH, root, slots))
            home[at : at + DIGEST_SIZE] = root

    def _change_below(
        self,
        depth: int,
        name: bytes,
        slots: bytearray,
        leaves: Sequence[bytes],
        home: bytearray,
        at: int,
    ) -> None:
        """Put leaves into the pages below a branch."""
        self._branches.setdefault(depth, []).append(_BranchPage(name, slots, home, at))
        if len(leaves) == 1:  # so it is for most
            self.change(depth + BRANCH_BITS, leaves, slots, slot_of(depth, leaves[0]) * DIGEST_SIZE)
            return
        for slot, part in groupby(leaves, lambda leaf: slot_of(depth, leaf)):
            self.change(depth + BRANCH_BITS, list(part), slots, slot * DIGEST_SIZE)


def no_leaf(path: Path) -> bytes:
    """Stands for the leaf of a path that is to be removed."""
    return path + bytes(LEAF_SIZE - len(path))


def page_leaves(page: bytes) -> list[Leaf]:
    """The leaves of a leaves page, by ascending path."""
    _demand_leaves(page)
    leaves = [
        (page[at : at + 32], page[at + 32 : at + 64], page[at + 64 : at + 96])
        for at in range(HEAD_SIZE, len(page), LEAF_SIZE)
    ]
    if any(leaf[0] >= following[0] for leaf, following in pairwise(leaves)):
        raise LedgerDamaged(_MALFORMED)
    return leaves


def is_branch(page: bytes) -> bool:
    """Raises LedgerDamaged for a branch of a wrong size."""
    if page[:1] != _BRANCH:
        return False
    _demand_branch(page)
    return True


def branch_slots(page: bytes) -> list[bytes]:
    """The roots of the pages below a branch page."""
    _demand_branch(page)
    return [page[at : at + DIGEST_SIZE] for at in range(HEAD_SIZE, BRANCH_SIZE, DIGEST_SIZE)]


def find_leaf(depth: int, path: Path, load: LoadPage) -> Leaf | None:
    """The leaf of `path` below the page at `depth`, None if there is none."""
    page = load(page_id(depth, path))
    while page is not None and is_branch(page):
        depth += BRANCH_BITS
        page = load(page_id(depth, path))
    found = [leaf for leaf in page_leaves(page) if leaf[0] == path] if page is not None else []
    return found[0] if found else None


def walk_page(name: bytes, page: bytes, load: LoadPage) -> Iterator[Leaf]:
    """All leaves below a page by ascending path, every hash on the way recomputed and compared.

    Raises LedgerDamaged where a page contradicts itself or the ones below it.
    """
    depth = name[0]
    if is_branch(page):
        slots = branch_slots(page)
        if fold_slots(depth + BRANCH_BITS, slots) != page_root(page):
            raise LedgerDamaged(f"page {name.hex()} of the state tree has a wrong root")
        for slot, root in enumerate(slots):
            if root != EMPTY_DIGEST:
                yield from _walk_slot(name, slot, root, load)
        return
    leaves = page_leaves(page)
    if fold_leaves((leaf[0], leaf[2]) for leaf in leaves) != page_root(page):
        raise LedgerDamaged(f"page {name.hex()} of the state tree has a wrong root")
    for leaf in leaves:
        if page_id(depth, leaf[0]) != name or leaf_hash(leaf[0], leaf[1]) != leaf[2]:
            raise LedgerDamaged(f"page {name.hex()} of the state tree has a wrong leaf")
        yield leaf


def _walk_slot(name: bytes, slot: int, root: bytes, load: LoadPage) -> Iterator[Leaf]:
    depth = name[0]
    prefix = int.from_bytes(name[1:].ljust(DIGEST_SIZE, b"\0"))
    path = (prefix | slot << (PATH_BITS - depth - BRANCH_BITS)).to_bytes(DIGEST_SIZE)
    below = page_id(depth + BRANCH_BITS, path)
    page = load(below)
    if page is None or page_root(page) != root:
        raise LedgerDamaged(f"page {below.hex()} of the state tree is missing or has a wrong root")
    yield from walk_page(below, page, load)


def fold_slots(end: int, slots: Sequence[bytes]) -> bytes:
    """The root over 1, 2, 4 ... neighboring slots, the roots of subtrees from bit `end` on."""
    row, level = list(slots), end
    while len(row) > 1:
        level -= 1
        row = [inner_hash(level, row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def slot_of(depth: int, path: Path) -> int:
    """The slot that `path`, or a leaf with it, takes in a branch page at `depth`."""
    at = depth >> 3  # the bits are in this byte, or in it and the next
    pair = int.from_bytes(path[at : at + 2].ljust(2, b"\0"))
    return pair >> (16 - BRANCH_BITS - (depth & 7)) & BRANCH_SLOTS - 1


def step_into_leaves(
    leaves: Sequence[Leaf], path: Path, depths: bytearray, siblings: list[bytes]
) -> Leaf:
    """Follow `path` through the (one or more) leaves of a page, noting the sides not taken."""
    while len(leaves) > 1:
        depth = split_depth(leaves[0][0], leaves[-1][0])
        middle = next(i for i, leaf in enumerate(leaves) if bit_at(leaf[0], depth))
        zero_side, one_side = leaves[:middle], leaves[middle:]
        taken, other = (one_side, zero_side) if bit_at(path, depth) else (zero_side, one_side)
        depths.append(depth)
        siblings.append(fold_leaves((leaf[0], leaf[2]) for leaf in other))
        leaves = taken
    return leaves[0]


def _demand_leaves(page: bytes) -> None:
    if page[:1] != LEAVES or (len(page) - HEAD_SIZE) % LEAF_SIZE:
        raise LedgerDamaged(_MALFORMED)


def _demand_branch(page: bytes) -> None:
    if page[:1] != _BRANCH or len(page) != BRANCH_SIZE:
        raise LedgerDamaged(_MALFORMED)
