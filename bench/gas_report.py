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
        summary(figures, memory, factor_max),
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
    ]
    return "\n".join(lines) + "\n", is_met


def summary(figures: Sequence[Figure], memory: Memory, factor_max: float) -> str:
    """Both bounds in words, with the date."""
    median = statistics.median(figure.ns_per_gas for figure in figures)
    factor = figures[0].ns_per_gas / median
    share = memory.share_of_limit
    return (
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())} with `make bench-gas` "
        f"({platform.machine()}, Python {platform.python_version()}): {len(figures)} operations, "
        f"median {median:.2f} ns per unit of gas; the dearest ({figures[0].label}) takes "
        f"{factor:.2f} times the median ({_verdict(factor <= factor_max)}: at most {factor_max}).\n"
        f"Alive at most {memory.live[0].bytes_per_gas:.1f} bytes per unit within a transaction "
        f"({memory.live[0].label}), kept at most {memory.kept[0].bytes_per_gas:.2f} until the "
        f"block ends ({memory.kept[0].label}): at the gas bounds of a transaction and of a block "
        f"{memory.block_bytes / 1e6:,.0f} MB, {share:.0%} of the worker's "
        f"{jail.MEMORY_MAX >> 20} MiB ({_verdict(share <= SHARE_MAX)}: at most {SHARE_MAX:.0%})."
    )


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def _names(covers: str) -> str:
    return " ".join(f"`{name}`" for name in covers.split())


def _memory(items: Sequence[Kept]) -> list[str]:
    return [f"| {item.label} | {item.bytes_per_gas:.2f} |" for item in items]
