"""Every fault point and many random kills, with the counts: `make crash`."""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from tests.crash.check import Report, assert_complete, record, record_lives
from tests.crash.kills import kill_nodes, kill_writers
from tests.crash.moves import CASES
from tests.crash.node_case import NodeCase

LIVES_STEP = 5  # operations between two kills of a first life, and two crashes of the next
MEMORY = Path("/dev/shm")  # where there is one: a disk would only make this slower


def _lives(folder: Path, step: int) -> bool:
    """Kill a life before every `step`-th operation, and crash the next; whether one was broken."""
    total, began = Report("lives"), time.monotonic()
    stop = 0
    while recording := record_lives(NodeCase("lives"), folder / "lives", stop=stop):
        assert_complete(recording)
        total.add(recording.enumerate(step=LIVES_STEP))
        shutil.rmtree(folder / "lives")
        stop += step
    print(f"{total.text()} ({time.monotonic() - began:.0f} s)", flush=True)
    return bool(total.broken)


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder for thousands of small disks, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of ledger writers")
    parser.add_argument("--node-kills", type=int, default=30, help="of nodes of a network")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--case", choices=sorted(CASES), action="append", help="default: all")
    parser.add_argument("--dense", action="store_true", help="cut writes at every sector")
    parser.add_argument("--step", type=int, default=1, help="every so many-th fault point")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    failed = False
    with workplace() as folder:
        for name in arguments.case or CASES:
            began = time.monotonic()
            recording = record(CASES[name](), folder / name)
            assert_complete(recording)
            report = recording.enumerate(is_dense=arguments.dense, step=arguments.step)
            print(f"{report.text()} ({time.monotonic() - began:.0f} s)", flush=True)
            failed |= bool(report.broken)
        if not arguments.case:
            failed |= _lives(folder, max(arguments.step, LIVES_STEP))
        if arguments.kills:
            killed = kill_writers(folder / "kills", arguments.kills, seed=arguments.seed)
            print(killed.text(), flush=True)
        if arguments.node_kills:
            report_of_nodes = kill_nodes(folder / "net", arguments.node_kills, seed=arguments.seed)
            print(f"nodes: {arguments.node_kills} random kills\n{report_of_nodes.text()}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
