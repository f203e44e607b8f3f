"""ByzzFuzz (doi 10.1145/3586053): few faults, tied to rounds, and lies that are almost true.

`python -m tests.sim.byzzfuzz --runs N --seed S [--scope any]`

A round is a kind of message in a view: its view changes, NEW-VIEW, pre-prepares, prepares, commits,
or what is said about executed blocks. At most CUTS_MAX rounds are partitioned, and in one to
LIES_MAX rounds one replica lies to some of the others: what it says has one field changed by a
little (`mutation.small`: a number one up or down, the digest, certificate, statement or proposal
of a neighbour, one item of its evidence missing), is said beside the truth, or is not said.
Otherwise it runs the honest code. Then all rounds are whole and true: safety must have held all
the time, and everything must be ordered and certified in the end. `--scope any` draws arbitrary
values for the field instead, for comparison: most of them no gate lets pass.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from random import Random
from typing import Literal

import msgspec

from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Decision,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    RelayedNewView,
    RelayedVote,
    Status,
    ViewChange,
    signing_bytes,
)
from tests.sim import keys
from tests.sim.lockstep import CHAIN_ID, Lockstep, Member
from tests.sim.mutation import Known, mutate, small, wild

PHASES: dict[type[Message], int] = {
    ViewChange: 0,
    NewView: 1,
    RelayedNewView: 1,
    PrePrepare: 2,
    Prepare: 3,
    RelayedVote: 3,
    Commit: 4,
    Decision: 4,
    Checkpoint: 5,
    Certified: 5,
    Status: 5,
}
PHASE_COUNT = 6
VIEWS_MAX = 4
CUTS_MAX = 3
LIES_MAX = 4
HEARD_MAX = 48  # messages that a liar remembers: about a view's worth
CHUNK = 16  # seeds handed to a process at once

Scope = Literal["small", "any"]


@dataclass(frozen=True, slots=True)
class CutRound:
    """These hear only each other in this round."""

    view: int
    phase: int
    group: frozenset[int]


@dataclass(frozen=True, slots=True)
class Lie:
    """What the liar says to some in this round."""

    view: int
    phase: int
    receivers: frozenset[int]
    manner: Literal["instead", "beside", "nothing"]
    seed: int


@dataclass(frozen=True, slots=True)
class Fuzz:
    size: int
    liar: int
    views: int
    cuts: tuple[CutRound, ...]
    lies: tuple[Lie, ...]
    scope: Scope


@dataclass(frozen=True, slots=True)
class Ran:
    heights: int
    views: int
    told: int  # lies
    refused: int  # frames that no gate let pass
    accusations: int
    ticks: int  # until all was well again


def draw(seed: int, scope: Scope = "small") -> Fuzz:
    """The faults of this seed, alike in both scopes."""
    random = Random(seed)
    size = 7 if seed % 4 == 3 else 4
    liar = random.randrange(size)
    others = [index for index in range(size) if index != liar]
    views = random.randint(2, VIEWS_MAX)

    def round_of() -> tuple[int, int]:
        return random.randrange(views), random.randrange(PHASE_COUNT)

    cuts = tuple(
        CutRound(*round_of(), group=frozenset(random.sample(range(size), random.randint(1, size))))
        for _ in range(random.randint(0, CUTS_MAX))
    )
    lies = tuple(
        Lie(
            *round_of(),
            receivers=frozenset(random.sample(others, random.randint(1, len(others)))),
            manner=random.choice(("instead", "instead", "beside", "nothing")),
            seed=random.getrandbits(32),
        )
        for _ in range(random.randint(1, LIES_MAX))
    )
    return Fuzz(size, liar, views, cuts, lies, scope)


def run(fuzz: Fuzz) -> Ran:
    """Raises Violation."""
    view = 0
    tongue = Tongue(fuzz)

    def is_cut(sender: Member, receiver: Member, kind: type[Message]) -> bool:
        at = (view, PHASES[kind])
        return any(
            (cut.view, cut.phase) == at
            and (sender.index in cut.group) != (receiver.index in cut.group)
            for cut in fuzz.cuts
        )

    def versions(member: Member, receiver: Member, message: Message) -> Sequence[Message]:
        return tongue.versions(view, receiver.index, message)

    network = Lockstep(
        range(fuzz.size),
        liars=frozenset({fuzz.liar}),
        cut=is_cut,
        voice=versions,
        ear=tongue.heard.append,
    )
    while view < fuzz.views:
        network.submit()
        network.flow()
        network.submit()
        network.flow()
        network.expire()
        view += 1
    ticks = network.settle()
    return Ran(
        heights=network.head,
        views=network.view,
        told=tongue.told,
        refused=network.refused,
        accusations=network.checkers.accusations,
        ticks=ticks,
    )


class Tongue:
    """Speaks for the liar."""

    def __init__(self, fuzz: Fuzz) -> None:
        self.heard: deque[Message] = deque(maxlen=HEARD_MAX)
        self.told = 0
        self._fuzz = fuzz
        self._random = {lie: Random(lie.seed) for lie in fuzz.lies}

    def versions(self, view: int, to: int, message: Message) -> list[Message]:
        """What `to` hears instead of `message`."""
        said = [message]
        for lie in self._fuzz.lies:
            if (lie.view, lie.phase) == (view, PHASES[type(message)]) and to in lie.receivers:
                self.told += 1
                false = self._changed(message, self._random[lie])
                said = {"nothing": [], "instead": [false], "beside": [message, false]}[lie.manner]
        return said

    def _changed(self, message: Message, random: Random) -> Message:
        if self._fuzz.scope == "any":
            return mutate(message, wild(random), random)
        known = Known()
        for heard in self.heard:
            known.learn(heard)
        changed = mutate(message, small(random, known), random)
        return self._signed_again(changed) if isinstance(changed, NewView) else changed

    def _signed_again(self, message: NewView) -> NewView:
        """Its own view change among the others: a lie with a good signature."""
        changes = tuple(
            msgspec.structs.replace(
                signed,
                signature=keys.sign(self._fuzz.liar, signing_bytes(CHAIN_ID, signed.view_change)),
            )
            if signed.sender == self._fuzz.liar
            else signed
            for signed in message.view_changes
        )
        return msgspec.structs.replace(message, view_changes=changes)


# --- command --------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.byzzfuzz")
    parser.add_argument("--runs", type=int, default=2_000, help="seeds to try")
    parser.add_argument("--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--scope", choices=("small", "any"), default="small")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    arguments = parser.parse_args()
    start = time.monotonic()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    ran: list[Ran] = []
    for seed, result in zip(
        seeds, _results(seeds, arguments.scope, jobs=arguments.jobs), strict=False
    ):
        if isinstance(result, str):
            print(
                f"{result}\nFAILED; reproduce with: python -m tests.sim.byzzfuzz "
                f"--runs 1 --seed {seed} --scope {arguments.scope}\n"
                f"{shrunk(draw(seed, arguments.scope))}"
            )
            return 1
        ran.append(result)
    print(_summary(ran, arguments.scope, time.monotonic() - start))
    return 0


def shrunk(fuzz: Fuzz) -> Fuzz:
    """The same failure with as few faults as it needs."""
    for one in (*fuzz.cuts, *fuzz.lies):
        fewer = replace(
            fuzz,
            cuts=tuple(cut for cut in fuzz.cuts if cut is not one),
            lies=tuple(lie for lie in fuzz.lies if lie is not one),
        )
        if isinstance(result_of(fewer), str):
            fuzz = fewer
    return fuzz


def result_of(fuzz: Fuzz) -> Ran | str:
    """What happened, or what went wrong."""
    try:
        return run(fuzz)
    except Exception:  # also our own mistakes are reported with the seed that shows them
        return traceback.format_exc()


def _of_seed(seed: int, scope: Scope) -> Ran | str:
    return result_of(draw(seed, scope))


def _results(seeds: Sequence[int], scope: Scope, *, jobs: int) -> Iterator[Ran | str]:
    if jobs <= 1 or len(seeds) == 1:
        yield from map(partial(_of_seed, scope=scope), seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(partial(_of_seed, scope=scope), seeds, chunksize=CHUNK)
        finally:
            pool.shutdown(cancel_futures=True)


def _summary(ran: list[Ran], scope: Scope, seconds: float) -> str:
    told, refused = sum(one.told for one in ran), sum(one.refused for one in ran)
    return (
        f"{len(ran)} seeds of {scope} scope in {seconds:.0f} s, all checks passed\n"
        f"  lies         {told} frames, {refused} refused at the gate\n"
        f"  accused      in {sum(one.accusations > 0 for one in ran)} seeds\n"
        f"  heights      {sum(one.heights for one in ran)}\n"
        f"  views        {sum(one.views for one in ran)}\n"
        f"  recovery     {max(one.ticks for one in ran)} ticks at worst"
    )


if __name__ == "__main__":
    sys.exit(main())
