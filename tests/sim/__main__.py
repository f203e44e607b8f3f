"""`python -m tests.sim --runs N --seed S`: draws N scenarios, stops at the first violation.

Scenarios are spread over processes; what one does depends on its seed alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.sim.scenario import SIZES, Outcome, run

CHUNK_MAX = 8  # seeds handed to a process at once: few, so that none is left with the long ones


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="scenarios to draw")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first scenario")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    arguments = parser.parse_args()
    start = time.monotonic()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    outcomes: list[Outcome] = []
    for seed, result in zip(seeds, results_of(seeds, jobs=arguments.jobs), strict=False):
        if isinstance(result, str):
            print(f"{result}\nFAILED; reproduce with: python -m tests.sim --runs 1 --seed {seed}")
            return 1
        outcomes.append(result)
        if sys.stderr.isatty():
            print(f"\r{len(outcomes)}/{len(seeds)}", end="", file=sys.stderr)
    print(_summary(outcomes, time.monotonic() - start))
    return 0


def results_of(seeds: Sequence[int], *, jobs: int) -> Iterator[Outcome | str]:
    """What each seed did, in order; the report of the first violation ends it."""
    if jobs <= 1 or len(seeds) == 1:
        yield from _until_failure(map(result_of, seeds))
        return
    chunk = max(1, min(CHUNK_MAX, len(seeds) // (4 * jobs)))
    # Fresh processes: no thread or patched function of ours goes with them.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from _until_failure(pool.map(result_of, seeds, chunksize=chunk))
        finally:
            pool.shutdown(cancel_futures=True)


def result_of(seed: int) -> Outcome | str:
    """The outcome, or why it is none."""
    try:
        return run(seed)
    except Exception:  # also our own mistakes are reported with the seed that shows them
        return traceback.format_exc()


def _until_failure(results: Iterator[Outcome | str]) -> Iterator[Outcome | str]:
    for result in results:
        yield result
        if isinstance(result, str):
            return


def _summary(outcomes: list[Outcome], seconds: float) -> str:
    worst = max(outcome.recovery_ms for outcome in outcomes)
    sizes = ", ".join(f"{sum(o.size == size for o in outcomes)} x {size}" for size in SIZES)
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
