"""The branch pages right below the stem, in memory: what a large state spares a read for.

A state of millions of keys has a branch below most prefixes of the stem, and every write and proof
goes through one. They stand in one array by prefix; the kernel gives memory only to the parts that
hold a branch, none for a small state and 76 MB at most.
"""

from __future__ import annotations

import mmap

from ledger.pages import BRANCH_SIZE
from ledger.stem import FIRST_PAGE_NODE


class Branches:
    """Of the accepted tree, by the node of the stem right above; the tree locks."""

    def __init__(self) -> None:
        self._is_there = bytearray(FIRST_PAGE_NODE)
        # A bytearray would touch all of it.
        self._pages = mmap.mmap(
            -1, FIRST_PAGE_NODE * BRANCH_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        )

    def find(self, node: int) -> bytes | None:
        """The branch below `node`, None where leaves or nothing stand there."""
        place = node - FIRST_PAGE_NODE
        if not self._is_there[place]:
            return None
        return self._pages[place * BRANCH_SIZE : (place + 1) * BRANCH_SIZE]

    def put(self, node: int, branch: bytes | None) -> None:
        """What stands below `node` now: None for no branch."""
        place = node - FIRST_PAGE_NODE
        self._is_there[place] = branch is not None
        if branch is not None:
            self._pages[place * BRANCH_SIZE : (place + 1) * BRANCH_SIZE] = branch
