"""Who computes the hashes of the state tree: the compiled functions, or Python's own.

Both give the same. The compiled ones must show it once, on a batch of every kind, before a root
depends on them: a compiler or a processor that errs here would part this replica from the others.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Protocol

from crypto import sm3
from crypto.errors import BatchInvalid
from ledger import folds


class TreeHashes(Protocol):
    """Hashes in batches. A batch that does not fit raises BatchInvalid."""

    def digests(self, messages: Sequence[bytes], /) -> list[bytes]:
        """SM3 of each message."""
        ...

    def join_pairs(self, depth: int, pairs: bytes, /) -> bytes:
        """The nodes above neighboring pairs of nodes, 64 bytes each, which part at bit `depth`."""
        ...

    def change_pages(
        self, pages: Sequence[bytes], changes: Sequence[bytes], leaves_max: int, /
    ) -> list[bytes]:
        """Merge changes into pages of leaves (ledger.pages), b"" being a page without leaves.

        The changes of a page are leaves of 96 bytes by ascending path; one whose leaf hash is zero
        takes the leaf of its path away. A new page with more leaves than `leaves_max` (at most
        64) has a zero root: it is to be split.
        """
        ...

    def fold_stem(
        self, nodes: bytearray, levels: int, indexes: Iterable[int], roots: bytes, /
    ) -> tuple[array[int], bytes]:
        """Put `roots` at ascending `indexes` of the lowest row of `nodes` and fold the rows above.

        Node j has the children 2j and 2j + 1; the lowest row begins at 2**levels. Returns the
        indexes of all nodes that were written, and what stood there before, 32 bytes each.
        """
        ...


def agree(one: TreeHashes, other: TreeHashes) -> bool:
    """Whether both give the same for one batch of each kind, with empty sides and every length."""
    messages = [bytes(range(length)) for length in range(0, 200, 3)]
    drawn = one.digests(messages)
    pairs = bytes(64) + drawn[0] + bytes(64) + b"".join(drawn[1:])
    pairs = pairs[: len(pairs) // 64 * 64]
    leaves = [path + sm3.digest(path) * 2 for path in sorted(drawn)]
    parts = [b"".join(leaves[at : at + at % 17 + 1]) for at in range(len(leaves))]
    gone = [leaves[at][:64] + bytes(32) for at in range(len(leaves))]
    pages = one.change_pages([b""] * len(parts), parts, 16)
    stems = bytearray(32 << 6), bytearray(32 << 6)
    indexes, roots = [32, 33, 40, 47, 63], b"".join(drawn[:5])
    return (
        drawn == other.digests(messages) == [sm3.digest(message) for message in messages]
        and one.join_pairs(200, pairs) == other.join_pairs(200, pairs)
        and pages == other.change_pages([b""] * len(parts), parts, 16)
        and one.change_pages(pages, gone, 16) == other.change_pages(pages, gone, 16)
        and one.change_pages(pages, leaves[::-1], 16) == other.change_pages(pages, leaves[::-1], 16)
        and one.fold_stem(stems[0], 5, indexes, roots)
        == other.fold_stem(stems[1], 5, indexes, roots)
        and stems[0] == stems[1]
    )


def choose() -> tuple[TreeHashes, str | None]:
    """Who is to compute, and why it is not the compiled functions (None: it is)."""
    plain: TreeHashes = folds
    try:
        from crypto import native

        compiled: TreeHashes = native
        if agree(compiled, plain):
            return compiled, None
    except (ImportError, AttributeError, TypeError) as error:  # not built, or from other sources
        return plain, f"the compiled hashes cannot be loaded ({error}); run make setup"
    except BatchInvalid:
        pass
    return plain, "the compiled hashes give other results here; report this machine"


# What every tree of this process uses.
TREE_HASHES, WHY_PLAIN = choose()
