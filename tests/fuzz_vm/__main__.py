"""`python -m tests.fuzz_vm --minutes N --seed S`: looks for programs that the machine gets wrong.

Of every ten rounds, seven draw a program of the contract language and run it in the machine and in
plain Python; two damage a real contract and one is noise, both for `check`. What a round does
depends on its number alone. A finding is written to run/fuzz-vm/ with the line that repeats it, and
the job goes on; it exits with 1 if there was any.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from contracts.vm.host import Worker
from tests.fuzz_vm.compare import Differs, compare
from tests.fuzz_vm.damage import check_damaged, check_soup
from tests.fuzz_vm.jailed import compare_jailed

FOLDER = Path("run/fuzz-vm")
FINDINGS_MAX = 50  # of one run: who finds more has enough to look at
JAILED_EVERY = 5  # tens of rounds: what crosses the pipes is the same most of the time


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_vm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="number of the first round")
    parser.add_argument("--rounds", type=int, default=0, help="stop after so many; 0: by time")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.minutes * 60
    counts: Counter[str] = Counter()
    number = arguments.seed
    with Worker() as worker:
        while counts["findings"] < FINDINGS_MAX:
            if arguments.rounds and number >= arguments.seed + arguments.rounds:
                break
            if not arguments.rounds and time.monotonic() > end:
                break
            try:
                counts.update(round_of(number, worker))
            except Differs as found:
                counts["findings"] += 1
                _report(number, found)
            number += 1
        counts["restarts of the worker"] = worker.restarts
    print(", ".join(f"{name} {counts[name]}" for name in sorted(counts)))
    return 1 if counts["findings"] or counts["restarts of the worker"] else 0


def round_of(number: int, worker: Worker) -> Counter[str]:
    """What one round did. Raises Differs."""
    match number % 10:
        case 3 if number // 10 % JAILED_EVERY == 0:
            compare_jailed(number, worker)
            return Counter({"programs": 1, "programs jailed": 1})
        case 0:
            return Counter({"texts": 1, "texts accepted": check_soup(number)})
        case 1 | 2:
            return Counter({"damaged": 1, "damaged accepted": check_damaged(number)})
        case _:
            outcome = compare(number)
            return Counter(
                {
                    "programs": 1,
                    "calls equal": outcome.equal,
                    "calls failed alike": outcome.failed_alike,
                    "calls bounded": outcome.bounded,
                }
            )


def _report(number: int, found: Differs) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    again = f"python -m tests.fuzz_vm --rounds 1 --seed {number}"
    path = FOLDER / f"{number}.txt"
    path.write_text(f"{found}\n# {again}\n\n{found.source}", encoding="utf-8")
    print(f"FOUND {number}: {str(found)[:300]}\n  {again}  ({path})", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
