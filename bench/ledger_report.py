"""The tables that `make bench-ledger` prints, and the bounds."""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.ledger_size import PROOFS, TRANSACTIONS, WALL, WRITES, Memory, Opening, Sample

COMMIT_MAX = 6.0  # times the raw batch of the same bytes
COMMIT_MAX_KEYS = 1_000_000  # at this size of state

_Cost = Callable[[Sample], float]
_COSTS: dict[str, _Cost] = {
    "commit": lambda s: s.commit,
    "proof of a value": lambda s: s.prove_present,
    "proof of absence": lambda s: s.prove_absent,
    "check of a value": lambda s: s.check_present,
    "check of absence": lambda s: s.check_absent,
}
_UNITS: dict[str, _Cost] = {
    "in raw batches": lambda s: s.raw,
    "in raw batches of the writes alone": lambda s: s.raw_state,
    "in seconds": lambda _: 1.0,
}


@dataclass(slots=True)
class Size:
    """What was measured at one size of state; the samples of all sizes took turns."""

    keys: int
    load_s: float
    opened: Memory  # right after the first opening
    samples: list[Sample] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    worked: Memory | None = None  # after all rounds

    def median(self, cost: _Cost) -> float:
        return statistics.median(map(cost, self.samples))

    @property
    def commit_ratio(self) -> float:
        return self.median(lambda s: s.commit / s.raw)


@dataclass(frozen=True, slots=True)
class Bound:
    name: str
    measured: float
    most: float

    @property
    def is_met(self) -> bool:
        return self.measured <= self.most


def bounds(sizes: Sequence[Size]) -> list[Bound]:
    """The commit beside the raw batch, and how every cost grows from the smallest size on.

    A cost is what it is beside the raw batch of the same round: it may grow like log(keys).
    """
    found = [
        Bound(f"commit / raw batch, {_keys(size.keys)} keys", size.commit_ratio, COMMIT_MAX)
        for size in sizes
        if size.keys == COMMIT_MAX_KEYS
    ]
    for size in sizes[1:]:
        steps = f"{_keys(sizes[0].keys)} to {_keys(size.keys)} keys"
        found += [
            Bound(f"{name} / raw batch, {steps}", growth, _logarithms(sizes[0], size))
            for name, growth in _growths(sizes[0], size, lambda s: s.raw).items()
        ]
    return found


def _growths(small: Size, large: Size, unit: _Cost) -> dict[str, float]:
    """How often every cost, measured in `unit`, is at one size what it is at another."""
    return {
        name: statistics.median(
            (cost(b) / unit(b)) / (cost(a) / unit(a))
            for a, b in zip(small.samples, large.samples, strict=True)
        )
        for name, cost in _COSTS.items()
    }


def _logarithms(small: Size, large: Size) -> float:
    return math.log(large.keys) / math.log(small.keys)


def render(sizes: Sequence[Size], clock: str = WALL) -> tuple[str, bool]:
    """Markdown, as it goes into docs/benchmarks.md, and whether every bound is met."""
    kernel = platform.release().split("-")[0]
    cores = len(os.sched_getaffinity(0))
    judged = bounds(sizes)
    lines = [
        f"Machine: {cores} cores, {platform.machine()}, Linux {kernel}, "
        f"Python {platform.python_version()}; {len(sizes[0].samples)} rounds, "
        f"{'wall clock' if clock == WALL else 'processor time alone'}.",
        "",
        *_commits(sizes),
        "",
        *_proofs(sizes),
        "",
        *_processes(sizes),
        "",
        "| bound | measured | at most | |",
        "|---|---|---|---|",
        *(
            f"| {b.name} | {b.measured:.2f} | {b.most:.2f} | {'met' if b.is_met else 'MISSED'} |"
            for b in judged
        ),
        "",
        *_steps(sizes),
        "",
        f"Measured: {time.strftime('%Y-%m-%d', time.gmtime())}",
    ]
    return "\n".join(lines) + "\n", all(bound.is_met for bound in judged)


def _commits(sizes: Sequence[Size]) -> list[str]:
    return [
        f"| keys | commit of {TRANSACTIONS:,} transactions, {WRITES:,} writes: ms | state root ms "
        "| store ms | raw batch ms (KB) | commit / raw | raw batch of the writes alone ms (KB) "
        "| commit / it |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {_keys(size.keys)} | {_ms(size, lambda s: s.commit)} | "
            f"{_ms(size, lambda s: s.stage)} | {_ms(size, lambda s: s.store)} | "
            f"{_ms(size, lambda s: s.raw)} ({size.median(lambda s: s.raw_bytes) / 1e3:,.0f}) | "
            f"{size.commit_ratio:.1f} | {_ms(size, lambda s: s.raw_state)} "
            f"({size.median(lambda s: s.raw_state_bytes) / 1e3:,.0f}) | "
            f"{size.median(lambda s: s.commit / s.raw_state):.1f} |"
            for size in sizes
        ),
    ]


def _proofs(sizes: Sequence[Size]) -> list[str]:
    def cell(size: Size, cost: _Cost) -> str:
        # One proof for each write of the block, beside the batch that stores the block.
        ratio = size.median(lambda s: cost(s) * WRITES / s.raw)
        return f"{size.median(cost) * 1e6:.0f} ({ratio:.0f})"

    proofs = [cost for name, cost in _COSTS.items() if name != "commit"]
    return [
        f"| keys | proof of a value: µs ({WRITES:,} of them / raw) | of absence | check of a value "
        "| of absence | bytes of hashes | read of a value alone: µs |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {_keys(size.keys)} | {' | '.join(cell(size, cost) for cost in proofs)} | "
            f"{size.median(lambda s: s.proof_bytes):,.0f} | "
            f"{size.median(lambda s: s.get) * 1e6:.0f} |"
            for size in sizes
        ),
        "",
        f"Proofs: {PROOFS} drawn keys of each kind in every round.",
    ]


def _processes(sizes: Sequence[Size]) -> list[str]:
    lines = [
        "| keys | cold open s (/ raw) | MB held, opened | after the rounds | MB resident, opened "
        "| after the rounds | load s |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        opening = statistics.median(one.took for one in size.openings)
        worked = size.worked or size.opened
        lines.append(
            f"| {_keys(size.keys)} | {opening:.2f} ({opening / size.median(lambda s: s.raw):,.0f}) "
            f"| {size.opened.held / 1e6:.0f} | {worked.held / 1e6:.0f} "
            f"| {size.opened.resident / 1e6:.0f} | {worked.resident / 1e6:.0f} "
            f"| {size.load_s:.0f} |"
        )
    return lines


def _steps(sizes: Sequence[Size]) -> list[str]:
    return [
        f"| growth, not judged | log(keys) | {' | '.join(_COSTS)} |",
        f"|---|---|{'---|' * len(_COSTS)}",
        *(
            f"| {_keys(small.keys)} to {_keys(large.keys)} keys, {name} "
            f"| {_logarithms(small, large):.2f} "
            f"| {' | '.join(f'{one:.2f}' for one in _growths(small, large, unit).values())} |"
            for small, large in pairwise(sizes)
            for name, unit in _UNITS.items()
        ),
    ]


def _ms(size: Size, cost: _Cost) -> str:
    return f"{size.median(cost) * 1e3:.1f}"


def _keys(keys: int) -> str:
    return f"{keys:,}"
