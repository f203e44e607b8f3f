"""Twins (arXiv 2004.10617): all schedules of a network in which one replica exists twice.

`python -m tests.sim.twins` runs them all; what is wrong with one is printed with its schedule.

Four replicas, f = 1. Replica 0 exists twice: members 0 and 1 share its key and index, both run the
honest code, each with a log and a ledger of its own; members 2, 3 and 4 are replicas 1 to 3. The
twins order the same transactions at different times, so two proposals compete whenever both lead.

A schedule is a list of views; each names its primary (any of the four replicas: the function that
names a view's leader is replaced) and two rounds. The first round of a view carries what prepares
(view changes, NEW-VIEW, pre-prepares, prepares, requests for blocks), the second what commits
(commits, statements, certificates). Each round has a partition of the five members into cells;
members of different cells hear nothing of each other. Messages flow until nothing moves, then the
clocks of all run out at once, and the next view begins. An odd number of rounds leaves out the
first round of the first view, which is then whole. After the last view the network is whole again,
leaders take turns, the twins stay: safety must hold all the time, and everything must be ordered
and certified in the end.

Count. With at most c cells there are P(5, c) partitions of the members, the sum of the Stirling
numbers S(5, 1) to S(5, c): P(5, 2) = 16, P(5, 5) = 52. Schedules that differ only by the names of
the three honest replicas or of the two twins are equal; those 3! * 2! = 12 permutations act on all
rounds alike, so that v views of r rounds have, by Burnside's lemma,

    N = 1/12 * sum over the permutations g of l(g)^v * p(g)^r

schedules, l(g) primaries and p(g) partitions being left in place by g. (Equal up to ties: the code
prefers low indexes when it may choose among signatures.) `schedules` makes the one of each class
that is lowest in order: it extends a schedule only by what is lowest in its orbit under the
permutations that leave all before it in place.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations, product
from multiprocessing import get_context

from consensus.pbft import new_view, schedule, verify, view_change
from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Decision,
    Message,
)
from tests.sim.lockstep import Lockstep, Member
from tests.sim.mistakes import Patch

INDEXES = (0, 0, 1, 2, 3)  # of the members
REPLICAS = 4
COMMITTING = (Commit, Checkpoint, Decision, Certified)
VIEWS = 2
CELLS_MAX = 2  # more never let more than these happen: of the rest no cell has a quorum
CHUNK = 64  # schedules handed to a process at once

Partition = tuple[int, ...]  # the cell of each member; cells are numbered as they appear
Permutation = tuple[int, ...]  # of the members; twins go to twins


@dataclass(frozen=True, slots=True)
class Twins:
    """One schedule: a primary for every view, a partition for every round."""

    primaries: tuple[int, ...]  # replica indexes
    partitions: tuple[Partition, ...]  # of all rounds but the first, if that is whole

    def partition(self, view: int, *, is_committing: bool) -> Partition:
        is_first_whole = len(self.partitions) % 2
        number = 2 * view + is_committing - is_first_whole
        return self.partitions[number] if number >= 0 else (0,) * len(INDEXES)


@dataclass(frozen=True, slots=True)
class Ran:
    heights: int
    view: int
    steps: int
    accusations: int
    ticks: int  # until all was well again


def run(twins: Twins) -> Ran:
    """Raises Violation."""
    views = len(twins.primaries)
    view = 0

    def is_cut(sender: Member, receiver: Member, kind: type[Message]) -> bool:
        if view == views:
            return False
        cells = twins.partition(view, is_committing=kind in COMMITTING)
        return cells[sender.place] != cells[receiver.place]

    with led_by(twins.primaries):
        network = Lockstep(INDEXES, liars=frozenset({0}), cut=is_cut)
        while view < views:
            network.submit()
            network.flow()
            network.expire()
            view += 1
        ticks = network.settle()
    return Ran(
        heights=network.head,
        view=network.view,
        steps=network.steps,
        accusations=network.checkers.accusations,
        ticks=ticks,
    )


@contextmanager
def led_by(primaries: Sequence[int]) -> Iterator[None]:
    """The first views are led by these, the later ones in turn."""

    def leader(view: int, size: int) -> int:
        return primaries[view] if view < len(primaries) else view % size

    patch = Patch()
    for module in (schedule, verify, new_view, view_change):
        patch.set(module, "leader", leader)
    try:
        yield
    finally:
        patch.undo()


# --- enumeration ----------------------------------------------------------------------------


def schedules(views: int, rounds: int, cells_max: int) -> Iterator[Twins]:
    """All that differ, in order. `rounds` is 2 * views, or one less."""
    assert 2 * views - 1 <= rounds <= 2 * views
    cells = partitions(cells_max)
    columns: list[list[Permutation | Partition]] = []
    for view in range(views):
        columns.append([(primary,) for primary in range(REPLICAS)])
        columns += [list(cells)] * (1 if view == 0 and rounds % 2 else 2)
    chosen: list[tuple[int, ...]] = []

    def extend(depth: int, stabilizer: list[Permutation]) -> Iterator[Twins]:
        if depth == len(columns):
            yield Twins(
                primaries=tuple(one[0] for one in chosen if len(one) == 1),
                partitions=tuple(one for one in chosen if len(one) > 1),
            )
            return
        for element in columns[depth]:
            images = [moved(element, one) for one in stabilizer]
            if min(images) < element:
                continue
            chosen.append(element)
            pairs = zip(stabilizer, images, strict=True)
            yield from extend(depth + 1, [one for one, image in pairs if image == element])
            chosen.pop()

    yield from extend(0, renamings())


def partitions(cells_max: int) -> list[Partition]:
    """All partitions of the members into at most so many cells, ascending."""
    return sorted({numbered(cells) for cells in product(range(cells_max), repeat=len(INDEXES))})


def renamings() -> list[Permutation]:
    """Permutations of the twins among themselves and of the honest among themselves."""
    return [first + rest for first in permutations((0, 1)) for rest in permutations((2, 3, 4))]


def moved(element: tuple[int, ...], renaming: Permutation) -> tuple[int, ...]:
    """A primary or a partition after members were renamed."""
    if len(element) == 1:
        return (INDEXES[renaming[INDEXES.index(element[0])]],)
    cells = [0] * len(element)
    for place, cell in enumerate(element):
        cells[renaming[place]] = cell
    return numbered(cells)


def numbered(cells: Sequence[int]) -> Partition:
    """The same partition with its cells numbered as they appear."""
    names: dict[int, int] = {}
    return tuple(names.setdefault(cell, len(names)) for cell in cells)


def count(views: int, rounds: int, cells_max: int) -> int:
    """How many `schedules` makes, by Burnside's lemma."""
    cells = partitions(cells_max)
    total = 0
    for one in renamings():
        fixed_primaries = sum(moved((index,), one) == (index,) for index in range(REPLICAS))
        fixed_partitions = sum(moved(partition, one) == partition for partition in cells)
        total += fixed_primaries**views * fixed_partitions**rounds
    return total // len(renamings())


# --- command --------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.twins")
    parser.add_argument("--rounds", type=int, default=2 * VIEWS, help="two for every view")
    parser.add_argument("--cells", type=int, default=CELLS_MAX, help="of a partition, at most")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    arguments = parser.parse_args()
    rounds, cells = arguments.rounds, arguments.cells
    views = (rounds + 1) // 2
    expected = count(views, rounds, cells)
    print(
        f"{expected} schedules: {views} views, {rounds} rounds, at most {cells} cells", flush=True
    )
    start = time.monotonic()
    ran: list[Ran] = []
    for result in _results(schedules(views, rounds, cells), jobs=arguments.jobs):
        if isinstance(result, str):
            print(result)
            return 1
        ran.append(result)
        if sys.stderr.isatty() and len(ran) % CHUNK == 0:
            print(f"\r{len(ran)}/{expected}", end="", file=sys.stderr)
    assert len(ran) == expected
    print(_summary(ran, time.monotonic() - start))
    return 0


def _results(every: Iterator[Twins], *, jobs: int) -> Iterator[Ran | str]:
    if jobs <= 1:
        yield from map(result_of, every)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(result_of, every, chunksize=CHUNK)
        finally:
            pool.shutdown(cancel_futures=True)


def result_of(twins: Twins) -> Ran | str:
    """What the schedule did, or what is wrong with it."""
    try:
        return run(twins)
    except Exception:  # also our own mistakes are reported with the schedule that shows them
        return f"{traceback.format_exc()}FAILED: {twins}"


def _summary(ran: list[Ran], seconds: float) -> str:
    return (
        f"{len(ran)} schedules in {seconds:.0f} s, all checks passed\n"
        f"  heights      {sum(one.heights for one in ran)}\n"
        f"  steps        {sum(one.steps for one in ran)}\n"
        f"  accused      in {sum(one.accusations > 0 for one in ran)} schedules\n"
        f"  view         {max(one.view for one in ran)} at most\n"
        f"  recovery     {max(one.ticks for one in ran)} ticks at worst"
    )


if __name__ == "__main__":
    sys.exit(main())
