"""Pages: parts of the state tree as they are stored, one LevelDB value each.

A page holds all leaves below one prefix of the path. While they are few it lists them; beyond
PAGE_LEAVES_MAX it becomes a branch to pages that are BRANCH_BITS deeper. What is stored where
never shows in a hash: the root depends on the leaves alone (ledger.proof).

    leaves   b"L" | root | (path | value hash | leaf hash)...      in order of path
    branch   b"B" | root | roots of the 2**BRANCH_BITS pages below, zero for none
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from ledger.errors import LedgerDamaged
from ledger.model import DIGEST_SIZE, EMPTY_DIGEST
from ledger.proof import PATH_BITS, bit_at, inner_hash, inner_hasher, leaf_hash, split_depth

Path: TypeAlias = bytes
Change: TypeAlias = tuple[Path, bytes | None]  # path and the new value's hash; None removes
LoadPage: TypeAlias = Callable[[bytes], bytes | None]
Leaf: TypeAlias = tuple[Path, bytes, bytes]  # path, value hash, leaf hash

PAGE_LEAVES_MAX = 16  # a page stays below 1.6 KB: a write copies little, a read hashes little
BRANCH_BITS = 3  # eight pages of about two leaves follow a full one
BRANCH_SLOTS = 1 << BRANCH_BITS

_LEAVES, _BRANCH = b"L", b"B"
_HEAD_SIZE = 1 + DIGEST_SIZE
_LEAF_SIZE = 3 * DIGEST_SIZE
_BRANCH_SIZE = _HEAD_SIZE + BRANCH_SLOTS * DIGEST_SIZE


def page_id(depth: int, path: Path) -> bytes:
    """The name of the page that holds all leaves sharing the first `depth` bits of `path`."""
    size, spare = (depth + 7) >> 3, -depth & 7
    return bytes([depth]) + path[: size - 1] + bytes([path[size - 1] >> spare << spare])


def page_root(page: bytes) -> bytes:
    """The root of the subtree that a page holds, as it is written in the page's head."""
    if len(page) < _HEAD_SIZE or page[:1] not in (_LEAVES, _BRANCH):
        raise LedgerDamaged("a page of the state tree is malformed; restore this ledger")
    return page[1:_HEAD_SIZE]


def change_page(
    depth: int, changes: Sequence[Change], load: LoadPage, out: dict[bytes, bytes | None]
) -> bytes:
    """Apply changes (one or more, by ascending path, all below one prefix of `depth` bits).

    New pages land in `out` by page id, None for one that is gone. Returns the new root.
    """
    name = page_id(depth, changes[0][0])
    page = load(name)
    if page is not None and page[:1] == _BRANCH:
        slots = branch_slots(page)
        _change_slots(depth, slots, changes, load, out)
        return _put_branch(name, depth, slots, out)
    rows = _rows_by_path(page) if page is not None else {}
    known = len(rows)
    for path, value_hash in changes:
        if value_hash is not None:
            rows[path] = path + value_hash + leaf_hash(path, value_hash)
        elif rows.pop(path, None) is not None:
            known -= 1
    ordered = list(rows.values())
    if len(ordered) > known:  # a new path stands at the end; changed ones keep their place
        ordered.sort()
    return _put_leaves(name, depth, ordered, out)


def page_leaves(page: bytes) -> list[Leaf]:
    """The leaves of a leaves page, by ascending path."""
    _demand_leaves(page)
    return [
        (page[at : at + 32], page[at + 32 : at + 64], page[at + 64 : at + 96])
        for at in range(_HEAD_SIZE, len(page), _LEAF_SIZE)
    ]


def is_branch(page: bytes) -> bool:
    return page[:1] == _BRANCH


def branch_slots(page: bytes) -> list[bytes]:
    """The roots of the pages below a branch page."""
    if page[:1] != _BRANCH or len(page) != _BRANCH_SIZE:
        raise LedgerDamaged("a page of the state tree is malformed; restore this ledger")
    return [page[at : at + DIGEST_SIZE] for at in range(_HEAD_SIZE, _BRANCH_SIZE, DIGEST_SIZE)]


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


def fold_leaves(leaves: Iterable[tuple[Path, bytes]]) -> bytes:
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


def _join_last(hashes: list[bytes], depth: int) -> None:
    """Put inner_hash of the last two, neither of them empty, in their place."""
    right = hashes.pop()
    hasher = inner_hasher(depth).copy()
    hasher.update(hashes[-1] + right)
    hashes[-1] = hasher.digest()


def fold_slots(end: int, slots: Sequence[bytes]) -> bytes:
    """The root over 1, 2, 4 ... neighboring slots, the roots of subtrees from bit `end` on."""
    row, level = list(slots), end
    while len(row) > 1:
        level -= 1
        row = [inner_hash(level, row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def slot_of(depth: int, path: Path) -> int:
    """The slot that `path` takes in a branch page at `depth`."""
    return int.from_bytes(path) >> (PATH_BITS - depth - BRANCH_BITS) & (BRANCH_SLOTS - 1)


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


def _change_slots(
    depth: int,
    slots: list[bytes],
    changes: Sequence[Change],
    load: LoadPage,
    out: dict[bytes, bytes | None],
) -> None:
    start = 0
    while start < len(changes):
        slot, end = slot_of(depth, changes[start][0]), start + 1
        while end < len(changes) and slot_of(depth, changes[end][0]) == slot:
            end += 1
        slots[slot] = change_page(depth + BRANCH_BITS, changes[start:end], load, out)
        start = end


def _put_branch(
    name: bytes, depth: int, slots: list[bytes], out: dict[bytes, bytes | None]
) -> bytes:
    root = fold_slots(depth + BRANCH_BITS, slots)
    out[name] = None if root == EMPTY_DIGEST else b"".join((_BRANCH, root, *slots))
    return root


def _put_leaves(
    name: bytes, depth: int, rows: list[bytes], out: dict[bytes, bytes | None]
) -> bytes:
    if not rows:
        out[name] = None
        return EMPTY_DIGEST
    if len(rows) > PAGE_LEAVES_MAX:
        slots: list[bytes] = [EMPTY_DIGEST] * BRANCH_SLOTS
        for slot in range(BRANCH_SLOTS):
            below = [row for row in rows if slot_of(depth, row[:32]) == slot]
            if below:
                deeper = depth + BRANCH_BITS
                slots[slot] = _put_leaves(page_id(deeper, below[0]), deeper, below, out)
        return _put_branch(name, depth, slots, out)
    root = fold_leaves([(row[:32], row[64:]) for row in rows])
    out[name] = b"".join((_LEAVES, root, *rows))
    return root


def _rows_by_path(page: bytes) -> dict[Path, bytes]:
    """The leaves of a leaves page as they are stored, in their order."""
    _demand_leaves(page)
    return {
        page[at : at + 32]: page[at : at + _LEAF_SIZE]
        for at in range(_HEAD_SIZE, len(page), _LEAF_SIZE)
    }


def _demand_leaves(page: bytes) -> None:
    if page[:1] != _LEAVES or (len(page) - _HEAD_SIZE) % _LEAF_SIZE:
        raise LedgerDamaged("a page of the state tree is malformed; restore this ledger")
