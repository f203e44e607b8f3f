"""Every fault point and many random kills, with the counts: `make crash`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.check import assert_complete, record
from tests.crash.kills import kill_nodes, kill_writers
from tests.crash.moves import CASES

MEMORY = Path("/dev/shm")  # where there is one: a disk would only make this slower


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of ledger writers")
    parser.add_argument("--node-kills", type=int, default=30, help="of nodes of a network")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--case", choices=sorted(CASES), action="append", help="default: all")
    parser.add_argument("--dense", action="store_true", help="cut writes at every sector")
    parser.add_argument("--quick", action="store_true", help="every tenth fault point")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    failed = False
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        for name in arguments.case or CASES:
            began = time.monotonic()
            recording = record(CASES[name](), Path(folder) / name)
            assert_complete(recording)
            report = recording.enumerate(
                is_dense=arguments.dense, step=10 if arguments.quick else 1
            )
            print(f"{report.text()} ({time.monotonic() - began:.0f} s)", flush=True)
            failed |= bool(report.broken)
        if arguments.kills:
            killed = kill_writers(Path(folder) / "kills", arguments.kills, seed=arguments.seed)
            print(killed.text(), flush=True)
        if arguments.node_kills:
            report_of_nodes = kill_nodes(
                Path(folder) / "net", arguments.node_kills, seed=arguments.seed
            )
            print(f"nodes: {arguments.node_kills} random kills\n{report_of_nodes.text()}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
