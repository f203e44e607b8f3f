"""`python -m tests.mutation [--module NAME] [--sample N --seed S]`: which mutants do tests kill?

The tests are collected and run once, to learn which of them reach which line. Then every mutant
runs in a fork: the changed code takes the place of the old in the functions themselves, so that
everybody who imported them has it, and the tests that reach its line run until one fails: those
first that failed for other mutants of the same function, then those that reach the fewest lines.
A mutant that takes too long counts as killed. Survivors have to stand, with the reason why they
may live, in survivors.txt; the run fails for one that is not there and for one that is there
without need.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FunctionType, ModuleType

import coverage
import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.operators import Mutant, mutants

MODULES = (
    *("verify", "compile", "source", "declare", "types", "body", "emit", "methods", "calls"),
    *("statements", "expressions", "operators", "comprehensions", "storage_ops", "keys"),
    *("widths", "pace", "style", "features", "rules"),
)
TESTS = (
    "tests/unit/test_vm_findings_golden.py",
    "tests/unit/test_vm_emitted_golden.py",
    "tests/unit/test_vm_types.py",
    "tests/unit/test_vm_source.py",
    "tests/unit/test_vm_widths.py",
    "tests/unit/test_vm_refusals.py",
    "tests/unit/test_vm_language.py",
    "tests/unit/test_vm_verify.py",
    "tests/unit/test_vm_features.py",
    "tests/unit/test_vm_pace.py",
    "tests/unit/test_vm_style.py",
    "tests/unit/test_gas_golden.py",
    "tests/unit/test_system_sources.py",
    "tests/unit/test_vm_prefetch.py",
    "tests/unit/test_vm_finding_ends.py",
    "tests/unit/test_vm_keys.py",
    "tests/unit/test_vm_sorted_map.py",
    "tests/unit/test_vm_many_items.py",
    "tests/sandbox/test_syntax_attacks.py",
    "tests/sandbox/test_value_attacks.py",
    "tests/sandbox/test_cross_contract_attacks.py",
)
CPU_SECONDS_MAX = 20  # for the tests of one mutant; all of them together take less
SECONDS_MAX = 300  # the same by the clock, for one that waits for itself
KILLED, BROKEN = 1, 3  # how a fork ends; 0 when no test failed
SURVIVORS = Path(__file__).with_name("survivors.txt")
ROOT = Path(__file__).resolve().parents[2]


class Tool:
    """A pytest plugin whose test loop is the mutation run."""

    def __init__(self, modules: list[str], sample: int, seed: int, jobs: int) -> None:
        self.modules = modules
        self.sample = sample
        self.seed = seed
        self.jobs = jobs
        self.survived: list[str] = []
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in modules}
        self._reaching: dict[str, dict[int, list[int]]] = {}
        self._breadth: Counter[int] = Counter()  # lines that a test reaches: few is to the point
        self._killers: dict[str, Counter[int]] = {}  # by function: tests that failed, how often
        self._running: dict[int, tuple[Mutant, int, float]] = {}  # with where it tells, its end

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._learn(session.items)
        chosen = [
            mutant
            for name in self.modules
            for mutant in mutants(name, _path(name).read_text(encoding="ascii"))
        ]
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

    def _learn(self, items: list[pytest.Item]) -> None:
        """Which tests, by their place in `items`, reach which line of which module."""
        paths = [str(_path(name)) for name in self.modules]
        measure = coverage.Coverage(data_file=None, include=paths, config_file=False)
        measure.start()
        for number, item in enumerate(items):
            measure.switch_context(str(number))
            if not _passes(item):
                raise SystemExit(f"{item.nodeid} fails without any mutant")
        measure.stop()
        data = measure.get_data()
        for name in self.modules:
            lines = data.contexts_by_lineno(str(_path(name)))
            self._reaching[name] = {
                line: [int(context) for context in contexts if context]
                for line, contexts in lines.items()
            }
            for tests in self._reaching[name].values():
                self._breadth.update(tests)

    def _start(self, mutant: Mutant, items: list[pytest.Item]) -> None:
        reaching = self._reaching[mutant.module]
        lines = range(mutant.line, mutant.end + 1)
        tests = {test for line in lines for test in reaching.get(line, ())}
        killers = self._killers.setdefault(f"{mutant.module} {mutant.function}", Counter())
        order = sorted(tests, key=lambda test: (-killers[test], self._breadth[test], test))
        ear, mouth = os.pipe()
        child = os.fork()
        if child:
            os.close(mouth)
            self._running[child] = (mutant, ear, time.monotonic() + SECONDS_MAX)
            return
        code = BROKEN
        with contextlib.suppress(BaseException):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
            _install(mutant)
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
                        # Without its super() a method closes over nothing: no place for it.
                        print(f"left out: {mutant.name}", flush=True)
                    else:
                        self._count(mutant, survived=status == 0)
                    return
            time.sleep(0.002)

    def _count(self, mutant: Mutant, *, survived: bool) -> None:
        self.counts[mutant.module]["survived" if survived else "killed"] += 1
        if survived:
            self.survived.append(mutant.name)
            print(f"survived: {mutant.name} (line {mutant.line})", flush=True)


def _path(name: str) -> Path:
    return ROOT / "contracts/vm" / f"{name}.py"


def _passes(item: pytest.Item) -> bool:
    return all(report.passed for report in runtestprotocol(item, log=False, nextitem=None))


def _install(mutant: Mutant) -> None:
    """Give the functions of the loaded module the code of the changed one."""
    module = importlib.import_module(f"contracts.vm.{mutant.module}")
    code = mutant.code(str(_path(mutant.module)))
    _function(module, mutant.function.split(".")).__code__ = code


def _function(module: ModuleType, path: list[str]) -> FunctionType:
    found: object = module
    for part in path:
        found = vars(found)[part]
    if isinstance(found, (classmethod, staticmethod, property)):
        found = found.fget if isinstance(found, property) else found.__func__
    found = getattr(found, "__wrapped__", found)
    assert isinstance(found, FunctionType)
    return found


def _excused() -> dict[str, str]:
    """Survivors that may live, with the reason: `NAME` lines, each followed by `    why`."""
    excused: dict[str, str] = {}
    if SURVIVORS.exists():
        name = ""
        for line in SURVIVORS.read_text(encoding="utf-8").splitlines():
            if line.startswith("    "):
                excused[name] = line.strip()
            elif line and not line.startswith("#"):
                name = line
    return excused


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--module", choices=MODULES, action="append", help="default: all")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    modules = arguments.module or list(MODULES)
    tool = Tool(modules, arguments.sample, arguments.seed, arguments.jobs)
    files = [test for test in TESTS if (ROOT / test).exists()]
    # How a test fails is of no interest: no words are made of it.
    options = [
        "-q",
        "--assert=plain",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-o",
        "timeout=0",
        "--no-header",
        *files,
    ]
    status = pytest.main(options, plugins=[tool])
    total: Counter[str] = Counter()
    for name, counts in tool.counts.items():
        total.update(counts)
        print(f"{name:16} killed {counts['killed']:5}  survived {counts['survived']:4}")
    print(f"{'all':16} killed {total['killed']:5}  survived {total['survived']:4}")
    excused = _excused()
    new = [name for name in tool.survived if name not in excused]
    for name in new:
        print(f"not in {SURVIVORS.name}: {name}")
    here = [name for name in excused if name.split()[0] in modules]
    gone = [] if arguments.sample else [name for name in here if name not in tool.survived]
    for name in gone:
        print(f"killed by now, or gone: {name}")
    return 1 if new or gone or status not in (0, 5) else 0


if __name__ == "__main__":
    sys.exit(main())
