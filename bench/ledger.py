"""`make bench-ledger`: the ledger beside the raw LevelDB batch of the same bytes, by size of state.

Each size has a process of its own. They take turns, so that a busy neighbour slows all of them;
the ratios are medians of the ratios of single rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.ledger_report import Size, render
from bench.ledger_size import CLOCKS, WALL, WRITES, Memory, Opening, Sample

SIZES = (10_000, 100_000, 1_000_000)
FULL = 10_000_000  # minutes to load
OPENINGS = 5  # at most

T = TypeVar("T")


class Child:
    """The process of one size (bench.ledger_size); a context manager that ends it."""

    def __init__(self, folder: Path, keys: int, clock: str) -> None:
        self.keys = keys
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.ledger_size", str(folder), str(keys), clock],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, order: str, kind: type[T]) -> T:
        """Raises RuntimeError when the process has failed; it said why."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            self._process.stdin.write(f"{order}\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process of {self.keys:,} keys failed; see its message above")
        return msgspec.json.decode(answer, type=kind)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()  # closes its standard input: it ends


def measure(folder: Path, sizes: Sequence[int], rounds: int, clock: str = WALL) -> list[Size]:
    """Load all sizes, one after the other, and let them take turns.

    Ledgers that an earlier run has left in `folder` are used as they are.
    """
    with contextlib.ExitStack() as stack:
        children: list[Child] = []
        found: list[Size] = []
        for keys in sizes:
            place = folder / str(keys)
            place.mkdir(exist_ok=True)
            _say(f"loading {keys:,} keys …")
            began = time.perf_counter()
            child = stack.enter_context(Child(place, keys, clock))
            opened = child.ask("memory", Memory)
            found.append(Size(keys, time.perf_counter() - began, opened))
            children.append(child)
        for number in range(rounds):
            _say(f"round {number + 1} of {rounds} …")
            for size, child in zip(found, children, strict=True):
                size.samples.append(child.ask("round", Sample))
        for size, child in zip(found, children, strict=True):
            size.worked = child.ask("memory", Memory)
        for _ in range(min(rounds, OPENINGS)):
            for size, child in zip(found, children, strict=True):
                size.openings.append(child.ask("open", Opening))
    return found


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(word) for word in text.split(",")})
    if not sizes or sizes[0] < WRITES:
        raise argparse.ArgumentTypeError(f"sizes of {WRITES:,} keys or more, with commas between")
    return sizes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description=__doc__)
    parser.add_argument("--keys", type=_sizes, default=list(SIZES), help="sizes: 10000,1000000")
    parser.add_argument("--full", action="store_true", help=f"also {FULL:,} keys")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--folder", type=Path, help="on the disk to measure (default: temporary)")
    parser.add_argument(
        "--keep", action="store_true", help="leave the ledgers in --folder, and use those there"
    )
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default=WALL,
        help="cpu: processor time alone, for a machine that others use; no waiting for the disk",
    )
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    sizes = sorted({*options.keys, FULL} if options.full else options.keys)
    if options.keep and options.folder is None:
        parser.error("--keep needs --folder")
    with contextlib.ExitStack() as stack:
        folder = options.folder
        if not options.keep:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        text, is_met = render(measure(folder, sizes, options.rounds, options.clock), options.clock)
    print(text)
    if options.output:
        options.output.write_text(text)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
