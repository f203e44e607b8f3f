"""The mutation run: which mutants do tests kill?

The tests are collected and run once, to learn which of them reach which piece of code. Then every
mutant runs in a fork, where the changed code takes the place of the old, and the tests that reach
it run until one fails: those first that failed for other mutants of the same function, then those
that reach the fewest pieces. A mutant that takes too long counts as killed. Survivors have to
stand, with the reason why they may live, in a file; the run fails for one that is not there and
for one that is there without need.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.operators import Mutant

KILLED, BROKEN = 1, 3  # how a fork ends; 0 when no test failed
ROOT = Path(__file__).resolve().parents[2]


class Subject(Protocol):
    """What is changed."""

    cpu_seconds_max: int  # for the tests of one mutant; all of them together take less
    seconds_max: int  # the same by the clock, for one that waits for itself

    def learn(self, count: int, run: Callable[[int], None]) -> None:
        """Run the tests 0 to `count` - 1, and find out which of them reaches what."""

    def reaching(self, mutant: Mutant) -> set[int]:
        """The tests that reach what the mutant changes."""

    def breadth(self, test: int) -> int:
        """How many pieces of code the test reaches: few is to the point."""

    def mutants(self) -> Iterable[Mutant]: ...

    def install(self, mutant: Mutant) -> None:
        """Put the mutant in the place of what it changes. Raises where it is no code at all."""


class Tool:
    """A pytest plugin whose test loop is the mutation run."""

    def __init__(self, subject: Subject, sample: int, seed: int, jobs: int) -> None:
        self.subject = subject
        self.sample = sample
        self.seed = seed
        self.jobs = jobs
        self.survived: list[str] = []
        self.counts: dict[str, Counter[str]] = {}
        self._killers: dict[str, Counter[int]] = {}  # by function: tests that failed, how often
        self._running: dict[int, tuple[Mutant, int, float]] = {}  # with where it tells, its end

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        def run(number: int) -> None:
            if not _passes(session.items[number]):
                raise SystemExit(f"{session.items[number].nodeid} fails without any mutant")

        self.subject.learn(len(session.items), run)
        chosen = list(self.subject.mutants())
        gc.freeze()  # no fork looks at what it shares with the others, and so copies it
        if self.sample:
            chosen = random.Random(self.seed).sample(chosen, min(self.sample, len(chosen)))
        for mutant in chosen:
            while len(self._running) >= self.jobs:
                self._wait()
            self._start(mutant, session.items)
        while self._running:
            self._wait()
        return True

    def _start(self, mutant: Mutant, items: list[pytest.Item]) -> None:
        subject = self.subject
        killers = self._killers.setdefault(f"{mutant.module} {mutant.function}", Counter())
        order = sorted(
            subject.reaching(mutant),
            key=lambda test: (-killers[test], subject.breadth(test), test),
        )
        ear, mouth = os.pipe()
        child = os.fork()
        if child:
            os.close(mouth)
            self._running[child] = (mutant, ear, time.monotonic() + subject.seconds_max)
            return
        code = BROKEN
        with contextlib.suppress(BaseException):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (subject.cpu_seconds_max,) * 2)
            subject.install(mutant)
            code = KILLED
            killer = next((test for test in order if not _passes(items[test])), None)
            os.write(mouth, b"" if killer is None else str(killer).encode())
            code = 0 if killer is None else KILLED
        os._exit(code)

    def _wait(self) -> None:
        while True:
            for child, (mutant, ear, end) in list(self._running.items()):
                done, status = os.waitpid(child, os.WNOHANG)
                if not done and time.monotonic() > end:
                    os.kill(child, signal.SIGKILL)
                    done, status = os.waitpid(child, 0)
                if done:
                    del self._running[child]
                    with open(ear, "rb") as told:
                        killer = told.read()
                    if killer:
                        self._killers[f"{mutant.module} {mutant.function}"][int(killer)] += 1
                    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == BROKEN:
                        self._count(mutant, "left out")
                    else:
                        self._count(mutant, "survived" if status == 0 else "killed")
                    return
            time.sleep(0.002)

    def _count(self, mutant: Mutant, outcome: str) -> None:
        self.counts.setdefault(mutant.module, Counter())[outcome] += 1
        if outcome == "survived":
            self.survived.append(mutant.name)
        if outcome != "killed":
            print(f"{outcome}: {mutant.name} (line {mutant.line})", flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sample", type=int, default=0, help="so many mutants; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)


def run(
    subject: Subject,
    tests: Sequence[str],
    survivors: Path,
    *,
    modules: Sequence[str],
    options: argparse.Namespace,
) -> int:
    """The run and what it found, printed; the exit code. `modules` are the names of what runs."""
    tool = Tool(subject, options.sample, options.seed, options.jobs)
    # How a test fails is of no interest: no words are made of it.
    words = ["-q", "--assert=plain", "--tb=no", "-p", "no:cacheprovider", "-o", "timeout=0"]
    status = pytest.main([*words, "--no-header", *tests], plugins=[tool])
    total: Counter[str] = Counter()
    for name, counts in tool.counts.items():
        total.update(counts)
        print(_line(name, counts))
    print(_line("all", total))
    excused = _excused(survivors)
    new = [name for name in tool.survived if name not in excused]
    for name in new:
        print(f"not in {survivors.name}: {name}")
    here = [name for name in excused if name.split()[0] in modules]
    gone = [] if options.sample else [name for name in here if name not in tool.survived]
    for name in gone:
        print(f"killed by now, or gone: {name}")
    return 1 if new or gone or status not in (0, 5) else 0


def _line(name: str, counts: Counter[str]) -> str:
    killed, survived, left_out = counts["killed"], counts["survived"], counts["left out"]
    return f"{name:16} killed {killed:5}  survived {survived:4}  left out {left_out:4}"


def _passes(item: pytest.Item) -> bool:
    return all(report.passed for report in runtestprotocol(item, log=False, nextitem=None))


def _excused(survivors: Path) -> dict[str, str]:
    """Survivors that may live, with the reason: `NAME` lines, each followed by `    why`.

    A reason holds for all the names right above it.
    """
    excused: dict[str, str] = {}
    names: list[str] = []
    for line in survivors.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            excused.update(dict.fromkeys(names, line.strip()))
            names = []
        elif line and not line.startswith("#"):
            names.append(line)
    return excused
