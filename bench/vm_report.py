"""The tables that `make bench-vm` prints."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

TITLES = {
    "transfer": "transfer: a permission, 3 reads, 2 writes, 1 event",
    "empty": "a call that does nothing",
    "loop": "loop: 1,000 turns of int arithmetic with a branch",
    "sum_loop": "sum_loop: 1,000 ints in, summed with a check of every sum",
    "while_loop": "while_loop: 1,000 turns, three operators each",
    "texts": "texts: 100 words: lower, concatenate, count in a dict, join",
}
CALLS = {
    "reads": "storage read, not prefetched: a question to the parent when jailed",
    "writes": "storage write",
    "emits": "emit, one int field",
    "digests": "sm3 of 52 bytes",
    "calls": "call_contract, one int in and out",
    "views": "view_contract, one int in and out",
}


@dataclass(frozen=True, slots=True)
class Row:
    """µs per transaction, and the medians over rounds of what the machine took times plain."""

    name: str
    per: int
    plain: float
    inside: float
    jailed: float
    inside_ratio: float
    jailed_ratio: float


@dataclass(frozen=True, slots=True)
class Loop:
    """By round, µs of one call: plain, guarded without gas, guarded and metered."""

    name: str
    times: Sequence[tuple[float, ...]]

    def median(self, place: int) -> float:
        return statistics.median(row[place] for row in self.times)

    def ratio(self, place: int, base: int) -> float:
        return statistics.median(row[place] / row[base] for row in self.times)


def row(
    name: str,
    per: int,
    plain: Sequence[float],
    inside: Sequence[float],
    jailed: Sequence[float],
) -> Row:
    return Row(
        name,
        per,
        statistics.median(plain),
        statistics.median(inside),
        statistics.median(jailed),
        statistics.median(a / b for a, b in zip(inside, plain, strict=True)),
        statistics.median(a / b for a, b in zip(jailed, plain, strict=True)),
    )


def render(
    rows: Sequence[Row],
    loops: Sequence[Loop],
    bare: float,
    opening: float,
    layers: Sequence[str],
    jailed_max: float,
    loop_max: float,
) -> tuple[str, bool]:
    """Markdown, as it goes into docs/benchmarks.md, and whether every bound is met."""
    kernel = platform.release().split("-")[0]
    cores = len(os.sched_getaffinity(0))
    transfer = next(row for row in rows if row.name == "transfer")
    loop = next(loop for loop in loops if loop.name == "loop")
    bounds = [
        ("jailed transfer / plain Python", transfer.jailed_ratio, jailed_max),
        ("loop, metered / without gas", loop.ratio(2, 1), loop_max),
        ("loop, metered / plain Python", loop.ratio(2, 0), loop_max),
    ]
    lines = [
        f"Machine: {cores} cores, {platform.machine()}, Linux {kernel}, "
        f"Python {platform.python_version()}; jail: {', '.join(layers) or 'none'}.",
        "",
        *_blocks(rows, bare, opening),
        "",
        *_host_calls(rows),
        "",
        *_loops(loops),
        "",
        "| bound | measured | at most | |",
        "|---|---|---|---|",
        *(
            f"| {name} | {ratio:.2f} | {most} | {'met' if ratio <= most else 'MISSED'} |"
            for name, ratio, most in bounds
        ),
        "",
        f"Measured: {time.strftime('%Y-%m-%d', time.gmtime())}",
    ]
    return "\n".join(lines) + "\n", all(ratio <= most for _, ratio, most in bounds)


def _blocks(rows: Sequence[Row], bare: float, opening: float) -> list[str]:
    lines = [
        "| transaction | plain µs | in process µs | / plain | jailed µs | / plain |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {TITLES[r.name]} | {r.plain:.1f} | {r.inside:.1f} | {r.inside_ratio:.2f} | "
        f"{r.jailed:.1f} | {r.jailed_ratio:.2f} |"
        for r in rows
        if r.per == 1
    ]
    transfer = next(r for r in rows if r.name == "transfer")
    inside, jailed, plain = (
        took - opening for took in (transfer.inside, transfer.jailed, transfer.plain)
    )
    return [
        *lines,
        f"| the transfer without opening the transaction ({opening:.1f} µs in all three) "
        f"| {plain:.1f} | {inside:.1f} | {inside / plain:.2f} | {jailed:.1f} "
        f"| {jailed / plain:.2f} |",
        f"| the transfer among Python objects, nothing opened, nothing encoded | {bare:.2f} "
        "| | | | |",
    ]


def _host_calls(rows: Sequence[Row]) -> list[str]:
    """Per host call, less the same loop without it."""
    base = next(row for row in rows if row.name == "empty" and row.per > 1)
    lines = ["| host call | plain µs | in process µs | jailed µs |", "|---|---|---|---|"]
    for r in rows:
        if r.name in CALLS:
            plain, inside, jailed = (
                (ours - empty) / r.per
                for ours, empty in (
                    (r.plain, base.plain),
                    (r.inside, base.inside),
                    (r.jailed, base.jailed),
                )
            )
            lines.append(f"| {CALLS[r.name]} | {plain:.2f} | {inside:.2f} | {jailed:.2f} |")
    return lines


def _loops(loops: Sequence[Loop]) -> list[str]:
    lines = [
        "| function alone | plain µs | guarded, no gas µs | metered µs | metered / no gas "
        "| metered / plain |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {loop.name} | {loop.median(0):.1f} | {loop.median(1):.1f} | "
        f"{loop.median(2):.1f} | {loop.ratio(2, 1):.2f} | {loop.ratio(2, 0):.2f} |"
        for loop in loops
    ]
    return lines
