"""`python -m tests.sim --runs N --seed S`: draws N scenarios, stops at the first violation."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from tests.sim.scenario import Outcome, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="scenarios to draw")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first scenario")
    arguments = parser.parse_args()
    start = time.monotonic()
    outcomes: list[Outcome] = []
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        try:
            outcomes.append(run(seed))
        except AssertionError:
            traceback.print_exc()
            print(f"FAILED; reproduce with: python -m tests.sim --runs 1 --seed {seed}")
            return 1
        if sys.stderr.isatty():
            print(f"\r{len(outcomes)}/{arguments.runs}", end="", file=sys.stderr)
    print(_summary(outcomes, time.monotonic() - start))
    return 0


def _summary(outcomes: list[Outcome], seconds: float) -> str:
    worst = max(outcome.recovery_ms for outcome in outcomes)
    return (
        f"{len(outcomes)} scenarios in {seconds:.1f} s, all checks passed\n"
        f"  with liars   {sum(outcome.liars > 0 for outcome in outcomes)}\n"
        f"  events       {sum(outcome.events for outcome in outcomes)}\n"
        f"  heights      {sum(outcome.heights for outcome in outcomes)}\n"
        f"  deliveries   {sum(outcome.deliveries for outcome in outcomes)}\n"
        f"  views        {sum(outcome.views for outcome in outcomes)}\n"
        f"  catch-ups    {sum(outcome.catch_ups for outcome in outcomes)}\n"
        f"  accusations  {sum(outcome.accusations for outcome in outcomes)}\n"
        f"  recovery     {worst} ms of virtual time at worst"
    )


if __name__ == "__main__":
    sys.exit(main())
