"""Branches right below the stem, which stand in memory: the tree goes by them as if it had none.

Few states have them: 17 leaves have to share the 18 bits that lead to a page. These keys do, and
were found by search.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerDamaged
from ledger.model import StateWrite
from ledger.pages import PAGE_LEAVES_MAX, is_branch
from ledger.proof import state_path, verify_state_proof
from ledger.state import StateTree
from ledger.stem import STEM_LEVELS, StemChange
from tests.ledger_world import World as LedgerWorld
from tests.property.naive_state_tree import NaiveStateTree

# Numbers whose decimal digits, as keys of the namespace "n", have a path with one 18 bit prefix.
_FIRST = (
    *(0, 118182, 280258, 292856, 378071, 484568, 611599, 902573, 925702, 1235984, 1348256, 1383315),
    *(1696861, 1884585, 2259333, 2265757, 2299399, 2304746, 2895038, 3006309, 3206130, 3259944),
)
_SECOND = (
    *(1, 59168, 574896, 741177, 859366, 963779, 1106200, 1460011, 1516011, 2304298, 2446402),
    *(3588600, 3782827, 3932959, 4055062, 4173579, 4330836, 5516448, 6073166, 6216122, 6508577),
)
_ALONE = (2, 3)  # each below a prefix of its own
FIRST, SECOND = [b"%d" % one for one in _FIRST], [b"%d" % one for one in _SECOND]
KEYS = [*FIRST, *SECOND, *(b"%d" % one for one in _ALONE)]
VERSIONS_KEPT = 4


def test_the_keys_crowd_two_prefixes() -> None:
    for crowd in (FIRST, SECOND):
        prefixes = {int.from_bytes(state_path("n", key)[:3]) >> 24 - STEM_LEVELS for key in crowd}
        assert len(prefixes) == 1 and len(crowd) > PAGE_LEAVES_MAX


@dataclass(frozen=True, slots=True)
class Version:
    pages: dict[bytes, bytes]
    values: dict[bytes, bytes]
    root: bytes
    change: StemChange | None  # from the version before; None for the first


class World:
    """A tree, the pages it stored, and its newest versions, as a ledger keeps them."""

    def __init__(self) -> None:
        self.stored: dict[bytes, bytes] = {}
        self.is_damaged = False
        self.read: set[bytes] = set()
        self.values: dict[bytes, bytes] = {}
        self.tree = StateTree(self.load)
        self.kept = [Version({}, {}, bytes(32), None)]

    def load(self, name: bytes) -> bytes | None:
        if self.is_damaged:
            raise LedgerDamaged("this disk reads no more")
        self.read.add(name)
        return self.stored.get(name)

    def stage(self, block: Block) -> bytes:
        return self.tree.apply([StateWrite("n", key, value) for key, value in block])

    def write(self, block: Block) -> None:
        root = self.stage(block)
        for name, page in self.tree.staged_pages():
            if page is None:
                self.stored.pop(name, None)
            else:
                self.stored[name] = page
        for key, value in block:
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value
        newest = Version({**self.stored}, {**self.values}, root, self.tree.accept())
        self.kept = [*self.kept, newest][-VERSIONS_KEPT:]

    def fail(self, block: Block) -> None:
        """Stage while the disk is damaged; without a page to read it may work nevertheless."""
        self.is_damaged = True
        try:
            self.stage(block)
        except LedgerDamaged:
            assert self.tree.staged_root is None
        self.is_damaged = False

    def reopen(self) -> None:
        self.tree = StateTree(self.load)
        below_stem = {name: page for name, page in self.stored.items() if name[0] == STEM_LEVELS}
        root = self.tree.restore(sorted(below_stem.items()))
        self.kept = [Version({**self.stored}, {**self.values}, root, None)]

    def check(self) -> None:
        """Root and proofs at every version are those of the definition."""
        naive = NaiveStateTree()
        for key, value in self.values.items():
            naive.put("n", key, value)
        assert self.tree.root == self.kept[-1].root == naive.root()
        for at, version in enumerate(self.kept):
            later = [one.change for one in self.kept[at + 1 :] if one.change is not None]
            for key in KEYS:
                held = version.values.get(key)
                proof = self.tree.prove("n", key, held, version.pages.get, later)
                assert verify_state_proof(proof, version.root, "n", key) == held


Block: TypeAlias = list[tuple[bytes, bytes | None]]
Act: TypeAlias = Literal["write", "discard", "leave staged", "fail", "reopen"]

_crowds: st.SearchStrategy[Block] = st.builds(
    lambda keys, value: [(key, value) for key in keys],
    st.sampled_from([FIRST, SECOND, KEYS]),
    st.none() | st.binary(max_size=2),
)
_few: st.SearchStrategy[Block] = st.lists(
    st.tuples(st.sampled_from(KEYS), st.none() | st.binary(max_size=2)), max_size=8
)
_acts: st.SearchStrategy[Act] = st.sampled_from(
    ["write", "write", "discard", "leave staged", "fail", "reopen"]
)
_PUT: Block = [(key, b"x") for key in FIRST]
_REMOVED: Block = [(key, None) for key in FIRST]


@settings(max_examples=25)
@given(steps=st.lists(st.tuples(_acts, _crowds | _few), min_size=2, max_size=8))
@example(steps=[("write", _PUT), ("write", _REMOVED), ("write", _PUT[:1]), ("write", _PUT)])
@example(steps=[("write", _PUT), ("discard", _REMOVED), ("write", _PUT[3:5]), ("reopen", [])])
@example(steps=[("write", _PUT), ("reopen", []), ("write", _PUT[3:5]), ("write", _PUT[4:6])])
@example(steps=[("discard", _PUT), ("write", _PUT[:1]), ("fail", _PUT), ("write", _PUT[:2])])
@example(steps=[("write", _PUT), ("leave staged", _REMOVED), ("fail", _PUT), ("write", _PUT[4:5])])
def test_no_act_leaves_a_stale_branch(steps: list[tuple[Act, Block]]) -> None:
    world = World()
    for act, block in steps:
        match act:
            case "write":
                world.write(block)
            case "discard":
                world.stage(block)
                world.check()
                world.tree.discard()
            case "leave staged":
                world.stage(block)
            case "fail":
                world.fail(block)
            case "reopen":
                world.reopen()
        world.check()


def test_a_branch_of_one_tree_is_not_that_of_another() -> None:
    one, other = World(), World()
    one.write([(key, b"x") for key in FIRST])
    other.write([(key, b"x") for key in SECOND])
    for world in (one, other):
        world.check()
        world.write([(FIRST[0], b"y"), (SECOND[0], b"y")])
        world.check()
    assert sum(name[0] == STEM_LEVELS and is_branch(page) for name, page in one.stored.items()) == 1


@pytest.mark.parametrize("is_reopened", [False, True])
def test_a_branch_is_not_read_again(is_reopened: bool) -> None:
    world = World()
    world.write([(key, b"x") for key in FIRST])
    if is_reopened:
        world.reopen()
    world.read.clear()
    world.write([(FIRST[0], b"y")])
    world.tree.prove("n", FIRST[1], b"x", world.load)
    assert world.read and all(name[0] > STEM_LEVELS for name in world.read)


def test_proofs_hold_while_another_thread_commits_below_a_branch(tmp_path: Path) -> None:
    world = LedgerWorld(tmp_path / "ledger")
    store, is_over, proved = world.store, threading.Event(), list[int]()
    faults: list[Exception] = []

    def read() -> None:
        try:
            while not is_over.is_set():
                for key in FIRST[:4]:
                    proof, statement = store.prove("n", key)
                    verify_state_proof(proof, statement.state_root, "n", key)
                    proved.append(statement.height)
        except Exception as fault:
            faults.append(fault)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for height in range(1, 25):  # the branch comes, changes, and goes again
            crowd = FIRST[:3] if height % 3 == 2 else FIRST
            value = b"%d" % height if height % 3 else None
            world.commit(writes=[StateWrite("n", key, value) for key in crowd])
    finally:
        is_over.set()
        for reader in readers:
            reader.join()
    assert not faults and len(set(proved)) > 1
