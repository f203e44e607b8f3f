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

from tests.sim.draws import SCRIPTED_FROM, draw, run
from tests.sim.pool import results
from tests.sim.scenario import Outcome
from tests.sim.shrink import as_test, shrunk

CHUNK = 8  # seeds handed to a process at once: few, so that none is left with the long ones


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="scenarios to draw")
    parser.add_argument("--seed", type=int, default=SCRIPTED_FROM, help="seed of the first")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    arguments = parser.parse_args()
    start = time.monotonic()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    outcomes: list[Outcome] = []
    jobs = min(arguments.jobs, len(seeds))
    for seed, result in zip(seeds, results(run, seeds, jobs=jobs, chunk=CHUNK), strict=False):
        if isinstance(result, str):
            print(f"{result}\nFAILED; reproduce with: python -m tests.sim --runs 1 --seed {seed}")
            if seed >= SCRIPTED_FROM:
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
    counts = {size: sum(o.size == size for o in outcomes) for size in (4, 5, 6, 7, 10)}
    sizes = ", ".join(f"{count} x {size}" for size, count in counts.items())
    return (
        f"{len(outcomes)} scenarios in {seconds:.1f} s, all checks passed\n"
        f"  replicas     {sizes}\n"
        f"  Byzantine    {sum(outcome.liars > 0 for outcome in outcomes)} scenarios, "
        f"{sum(outcome.liars for outcome in outcomes)} replicas\n"
        f"  events       {sum(outcome.events for outcome in outcomes)}\n"
        f"  heights      {sum(outcome.heights for outcome in outcomes)}\n"
        f"  commits      {sum(outcome.deliveries for outcome in outcomes)}\n"
        f"  views        {sum(outcome.views for outcome in outcomes)}\n"
        f"  catch-ups    {sum(outcome.catch_ups for outcome in outcomes)}\n"
        f"  accusations  {sum(outcome.accusations for outcome in outcomes)}\n"
        f"  recovery     {worst} ms of virtual time at worst"
    )


if __name__ == "__main__":
    sys.exit(main())
