"""Pruning: what goes is what the form of a ledger says, in steps, under readers and crashes."""

from __future__ import annotations

import shutil
import threading
from itertools import pairwise
from pathlib import Path

import plyvel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import prune
from ledger.base import base_max
from ledger.errors import HeightPruned, LedgerClosed
from ledger.model import Transaction, transaction_id
from ledger.schema import HEIGHT_TABLES, at_height
from ledger.store import Store
from ledger.versions import VERSIONS_MIN
from tests.ledger_world import World, committee
from tests.pruned_world import KEPT, LIMITS, WINDOW, contents, cut, grown

HEAD = 40
FIRST, SECOND = 2 + WINDOW, 10 + WINDOW
BASE = HEAD + 1 - KEPT


class Stopped(Exception):
    """The process dies here."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prune") / "ledger"
    grown(path, HEAD, sizes={2: 5, 10: 6}).store.close()
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "PRUNE_ROWS", 20)  # three heights with two transactions each


def rows(path: Path) -> dict[bytes, bytes]:
    """All that a closed ledger holds, but for what counts its writes."""
    with plyvel.DB(str(path / "db"), bloom_filter_bits=10) as database:
        return {key: value for key, value in database if key != b"!sequence"}


# --- what must not be -----------------------------------------------------------------------


@pytest.mark.parametrize("base", [BASE + 1, HEAD, HEAD + 5])
def test_more_than_is_certain_is_never_pruned(copy: Path, base: int) -> None:
    store = Store.open(copy)
    with pytest.raises(AssertionError):
        store.prune(base)
    assert store.base == 0
    store.close()


def test_what_is_not_certified_does_not_count(copy: Path) -> None:
    world = World(copy, limits=LIMITS)
    for _ in range(5):
        world.commit()
    with pytest.raises(AssertionError):
        world.store.prune(BASE + 1)
    world.store.prune(BASE)
    world.store.close()


def test_a_closed_ledger_gives_nothing_back(copy: Path) -> None:
    store = Store.open(copy)
    store.prune(BASE)
    store.close()
    with pytest.raises(LedgerClosed):
        store.give_back()


# --- what is left ---------------------------------------------------------------------------


@pytest.mark.parametrize("base", [0, 1, 2, FIRST, FIRST + 1, SECOND, SECOND + 1, BASE])
def test_a_pruned_ledger_is_one_that_was_cut_by_hand(
    whole: Path, copy: Path, tmp_path: Path, base: int
) -> None:
    store = Store.open(copy)
    store.prune(base)
    assert store.base == base
    store.scrub()
    store.prune(max(0, base - 1))  # a lower goal changes nothing
    store.close()
    other = Path(shutil.copytree(whole, tmp_path / "other"))
    if base:
        cut(other, base)
    assert rows(copy) == rows(other)


def test_steps_are_bounded_and_each_leaves_a_whole_ledger(copy: Path, tmp_path: Path) -> None:
    store = Store.open(copy)
    full = contents(store)
    told: list[int] = []

    def look(base: int) -> None:
        told.append(base)
        seen = Path(shutil.copytree(copy, tmp_path / f"after-{base}"))  # as if it died now
        left = Store.open(seen)
        left.scrub()
        assert left.base <= base
        assert contents(left)[: HEAD + 1 - left.base] == full[left.base : HEAD + 1]
        left.prune(BASE)
        left.close()
        assert rows(seen).keys() == final

    other = Path(shutil.copytree(copy, tmp_path / "other"))
    cut(other, BASE)
    final = rows(other).keys()
    store.prune(BASE, look)
    assert told[-1] == BASE and max(after - before for before, after in pairwise(told)) <= 3
    store.close()


def test_a_stop_between_two_steps_is_gone_on_from(copy: Path) -> None:
    for steps in (1, 3):
        store = Store.open(copy)
        left = steps

        def stop(base: int) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Stopped

        with pytest.raises(Stopped):
            store.prune(BASE, stop)
        assert 0 < store.base < BASE
        store.scrub()
        store.close()
    store = Store.open(copy)
    store.prune(BASE)
    store.scrub()
    store.close()


def test_readers_find_a_block_or_that_it_is_pruned_never_damage(copy: Path) -> None:
    store = Store.open(copy)
    full = list(store.iterate_blocks(0, HEAD))
    is_over = threading.Event()
    strange: list[BaseException] = []
    refused = 0

    def read() -> None:
        nonlocal refused
        while not is_over.is_set():
            for height in range(HEAD + 1):
                try:
                    assert next(store.iterate_blocks(height, height)) == full[height]
                    assert store.block(height) == full[height].block
                except HeightPruned:
                    refused += 1
                except BaseException as error:
                    strange.append(error)
                    return

    thread = threading.Thread(target=read)
    thread.start()
    store.prune(BASE)
    store.give_back()
    is_over.set()
    thread.join()
    store.close()
    assert strange == []


def test_what_was_pruned_is_given_back_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "ledger", limits=LIMITS)
    for height in range(1, 101):
        world.include([world.transaction(valid_until=height) for _ in range(100)], ())
        world.certify(height)
    world.reopen()  # what was written is in files now
    store = world.store
    monkeypatch.setattr(prune, "FREED_SIZE_MIN", 1 << 10)

    def size() -> int:
        return sum(file.stat().st_size for file in (store._disk.database_path).glob("*.ldb"))

    before = size()
    pieces: list[int] = []
    store.prune(101 - KEPT)
    for height in range(101, 101 + VERSIONS_MIN):  # so that no snapshot shows what was pruned
        world.commit()
        world.certify(height)
    store.give_back(pieces.append)
    assert size() < 0.4 * before
    assert pieces
    pieces.clear()
    store.give_back(pieces.append)
    assert pieces == [], "what was given back costs nothing"
    store.scrub()
    world.reopen()
    world.commit()
    world.store.close()


# --- replay protection ----------------------------------------------------------------------


def test_replays_are_found_before_and_after_alike(copy: Path) -> None:
    """Whatever was ever included is judged alike, at every height that may come."""
    world = World(copy, limits=LIMITS)
    ever = [tx for height in range(1, HEAD + 1) for tx in world.store.block(height).transactions]
    assert len(ever) > 2 * KEPT

    def verdicts() -> list[Transaction]:
        return list(world.block(ever)[0].transactions)

    before = verdicts()
    world.store.prune(BASE)
    assert verdicts() == before == [], "none is included twice"
    fresh = world.transaction(valid_until=HEAD + 1)
    assert world.block([*ever, fresh])[0].transactions == (fresh,)
    world.store.close()


# --- anything in any order ------------------------------------------------------------------

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 12)),
        st.tuples(st.just("prune"), st.integers(0, 60)),
        st.tuples(st.just("die while pruning"), st.integers(1, 4)),
        st.tuples(st.just("reopen"), st.just(0)),
        st.tuples(st.just("give back"), st.just(0)),
    ),
    max_size=12,
)


class Model:
    """What a ledger without any database would say."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.base = 0
        self.blocks = [next(world.store.iterate_blocks(0, 0))]

    def commit(self, count: int) -> None:
        world = self.world
        for _ in range(count):
            height = world.store.height + 1
            valid_until = height + LIMITS.valid_window
            world.include(
                [world.transaction(valid_until=valid_until)],
                world.writes(3),
                decides=None if height % 9 else committee(4 + height // 9 % 2),
            )
            world.certify(height)
            self.blocks.append(next(world.store.iterate_blocks(height, height)))

    def check(self) -> None:
        store = self.world.store
        assert (store.base, store.height) == (self.base, len(self.blocks) - 1)
        for height, known in enumerate(self.blocks):
            ids = [transaction_id(found) for found in known.block.transactions]
            if height >= self.base:
                assert next(store.iterate_blocks(height, height)) == known
                assert [store.find_transaction(one) for one in ids] == [
                    (height, index) for index in range(len(ids))
                ]
                continue
            with pytest.raises(HeightPruned):
                store.block(height)
            assert all(store.find_transaction(one) is None for one in ids)
            if store.epochs.is_last(height):
                assert store.execution_certificate(height) == known.execution_certificate
        store.scrub()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_whatever_happens_in_whatever_order_the_ledger_says_what_a_list_says(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int]]
) -> None:
    world = World(tmp_path_factory.mktemp("model") / "ledger", limits=LIMITS)
    model = Model(world)
    for act, figure in [("commit", 18), *acts]:
        highest = base_max(world.store.certified_height, LIMITS)
        if act == "commit":
            model.commit(figure)
        elif act == "prune":
            world.store.prune(min(figure, highest))
            model.base = max(model.base, min(figure, highest))
        elif act == "die while pruning":
            left = figure

            def stop(base: int) -> None:
                nonlocal left
                model.base, left = base, left - 1
                if not left:
                    raise Stopped

            try:
                world.store.prune(highest, stop)
            except Stopped:
                world.reopen()
        elif act == "reopen":
            world.reopen()
        else:
            world.store.give_back()
    model.check()
    world.reopen()
    model.check()
    world.store.close()


@pytest.mark.parametrize("block_size", [0, 1, 1 << 20, prune.FREED_SIZE_MAX + 1])
def test_room_is_given_back_in_pieces_of_bounded_size(block_size: int) -> None:
    """All of it but what is not worth it, whatever a height takes."""
    heights = 300

    def size(low: bytes, high: bytes) -> int:
        return block_size * (int.from_bytes(high[1:], "big") - int.from_bytes(low[1:], "big"))

    pieces = list(prune.freed_ranges(heights, size))
    for low, high in pieces:
        assert low[:1] == high[:1]
        assert size(low, high) <= max(prune.FREED_SIZE_MAX, block_size)
    freed = sum(size(*piece) for piece in pieces)
    is_worth_it = heights * block_size > prune.FREED_SIZE_MIN
    assert freed == (heights * block_size * len(HEIGHT_TABLES) if is_worth_it else 0)


def test_a_step_takes_whole_heights_up_to_its_bound(copy: Path) -> None:
    store = Store.open(copy)
    step = prune.next_step(store._records, store.epochs, 0, HEAD)
    heights = {key[1:] for key in step.keys if key[:1] == b"B"}
    assert heights == {at_height(b"", height) for height in range(step.base)}
    assert len(step.keys) - 9 < prune.PRUNE_ROWS <= len(step.keys)
    store.close()
