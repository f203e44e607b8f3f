"""The tables that `make bench-gas` prints."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Sequence
from typing import Protocol

from bench.gas_memory import Kept, Memory
from contracts.vm import jail

SHARE_MAX = 0.9  # of the worker's memory, at the gas bounds of a block


class Figure(Protocol):
    """One operation (bench/gas.py)."""

    @property
    def label(self) -> str: ...

    @property
    def covers(self) -> str: ...

    @property
    def gas(self) -> float: ...

    @property
    def ns(self) -> float: ...

    @property
    def ns_per_gas(self) -> float: ...


def render(figures: Sequence[Figure], memory: Memory, factor_max: float) -> tuple[str, bool]:
    """Markdown, and whether both bounds hold. `figures` come with the dearest first."""
    median = statistics.median(figure.ns_per_gas for figure in figures)
    factor = figures[0].ns_per_gas / median
    is_met = factor <= factor_max and memory.share_of_limit <= SHARE_MAX
    lines = [
        f"Machine: {platform.machine()}, Python {platform.python_version()}; "
        f"{len(figures)} operations, median {median:.2f} ns per unit of gas; the dearest "
        f"({figures[0].label}) takes {factor:.2f} times the median, at most {factor_max} "
        f"are allowed: {'met' if factor <= factor_max else 'MISSED'}.",
        "",
        "| operation | covers | gas | ns | ns per gas | / median |",
        "|---|---|---|---|---|---|",
        *(
            f"| {f.label} | {_names(f.covers)} | {f.gas:,.0f} | {f.ns:,.0f} | "
            f"{f.ns_per_gas:.2f} | {f.ns_per_gas / median:.2f} |"
            for f in figures
        ),
        "",
        "| alive until the transaction ends | bytes per gas |",
        "|---|---|",
        *_memory(memory.live),
        "",
        "| kept until the block ends | bytes per gas |",
        "|---|---|",
        *_memory(memory.kept),
        "",
        "At the gas bounds of a transaction and of a block at most "
        f"{memory.block_bytes / 1e6:,.0f} MB live at once: "
        f"{memory.share_of_limit:.0%} of the worker's {jail.MEMORY_MAX >> 20} MiB "
        f"(at most {SHARE_MAX:.0%}: {'met' if memory.share_of_limit <= SHARE_MAX else 'MISSED'}).",
        "",
        f"Measured: {time.strftime('%Y-%m-%d', time.gmtime())}",
    ]
    return "\n".join(lines) + "\n", is_met


def _names(covers: str) -> str:
    return " ".join(f"`{name}`" for name in covers.split())


def _memory(items: Sequence[Kept]) -> list[str]:
    return [f"| {item.label} | {item.bytes_per_gas:.2f} |" for item in items]
