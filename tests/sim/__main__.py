"""`python -m tests.sim --runs N --seed S`: draws N scenarios, stops at the first violation.

Scenarios are spread over processes; what one does depends on its seed alone. A violation is
reported with the line that reproduces it and, from seed SCRIPTED_FROM on, with a smaller scenario
that fails too, as a test.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter

from tests.sim import draws, moving
from tests.sim.draws import SCRIPTED_FROM, draw
from tests.sim.pool import results
from tests.sim.scenario import Outcome
from tests.sim.shrink import as_test, shrunk

CHUNK = 8  # seeds handed to a process at once: few, so that none is left with the long ones


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="scenarios to draw")
    parser.add_argument("--seed", type=int, default=SCRIPTED_FROM, help="seed of the first")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--moving", action="store_true", help="networks whose committee changes")
    arguments = parser.parse_args()
    run = moving.run if arguments.moving else draws.run
    start = time.monotonic()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    outcomes: list[Outcome] = []
    jobs = min(arguments.jobs, len(seeds))
    for seed, result in zip(seeds, results(run, seeds, jobs=jobs, chunk=CHUNK), strict=False):
        if isinstance(result, str):
            kind = " --moving" if arguments.moving else ""
            again = f"python -m tests.sim{kind} --runs 1 --seed {seed}"
            print(f"{result}\nFAILED; reproduce with: {again}")
            if seed >= SCRIPTED_FROM and not arguments.moving:
                print("Looking for a smaller scenario ...", flush=True)
                print(as_test(shrunk(draw(seed)), f"seed_{seed}"))
            return 1
        outcomes.append(result)
        if sys.stderr.isatty():
            print(f"\r{len(outcomes)}/{len(seeds)}", end="", file=sys.stderr)
    print(summary(outcomes, time.monotonic() - start))
    return 0


def summary(outcomes: list[Outcome], seconds: float) -> str:
    worst = max(outcome.recovery_ms for outcome in outcomes)
    counts = Counter(outcome.size for outcome in outcomes)
    sizes = ", ".join(f"{counts[size]} x {size}" for size in sorted(counts))
    return (
        f"{len(outcomes)} scenarios in {seconds:.1f} s, all checks passed\n"
        f"  replicas     {sizes}\n"
        f"  Byzantine    {sum(outcome.liars > 0 for outcome in outcomes)} scenarios, "
        f"{sum(outcome.liars for outcome in outcomes)} replicas\n"
        f"  events       {sum(outcome.events for outcome in outcomes)}\n"
        f"  heights      {sum(outcome.heights for outcome in outcomes)}\n"
        f"  commits      {sum(outcome.deliveries for outcome in outcomes)}\n"
        f"  views        {sum(outcome.views for outcome in outcomes)}\n"
        f"  epochs       {sum(outcome.epochs for outcome in outcomes)}\n"
        f"  catch-ups    {sum(outcome.catch_ups for outcome in outcomes)}\n"
        f"  accusations  {sum(outcome.accusations for outcome in outcomes)}\n"
        f"  recovery     {worst} ms of virtual time at worst"
    )


if __name__ == "__main__":
    sys.exit(main())
