"""The tables that `make bench-business` prints."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.references import References


@dataclass(slots=True)
class Measured:
    """One workload over all rounds; rates per second, times in seconds."""

    name: str
    item: str
    transactions: int  # of a case
    items: int  # of a case
    rates: list[float] = field(default_factory=list)  # committed transactions, by round
    cpu_s: float = 0.0  # of one node, over all rounds
    sent: int = 0  # transactions, over all rounds
    alone_s: list[float] = field(default_factory=list)  # a case, nothing beside it


def render(
    references: References, measured: Sequence[Measured], *, nodes: int, rounds: int, load: float
) -> str:
    """Markdown, as it goes into docs/benchmarks.md. The first workload is the reference."""
    kernel = platform.release().split("-")[0]
    bound = references.bound(nodes)
    lines = [
        f"Machine: {references.cores} cores, {platform.machine()}, Linux {kernel}, "
        f"Python {platform.python_version()}; {nodes} nodes, the load generator beside them; "
        f"{rounds} rounds. Load average when it began: {load:.1f}.",
        "",
        f"SM2 verify, raw libcrypto, one core: {references.verify_rate:,.0f} /s; bound "
        f"(cores x verify / nodes): {bound:,.0f} tx/s.",
        "",
        "| one | transactions | committed tx/s (rounds) | of the bound | / transfers (rounds) "
        "| done per second | alone s | CPU ms per tx and node |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(one, measured[0], bound) for one in measured]
    return "\n".join(lines) + "\n"


def _row(one: Measured, reference: Measured, bound: float) -> str:
    rate = statistics.median(one.rates)
    ratios = [mine / other for mine, other in zip(one.rates, reference.rates, strict=True)]
    done = rate * one.items / one.transactions
    return (
        f"| {one.name} | {one.transactions} | {rate:,.0f} ({_span(one.rates, ',.0f')}) "
        f"| {rate / bound:.0%} | {statistics.median(ratios):.2f} ({_span(ratios, '.2f')}) "
        f"| {done:,.0f} {one.item} | {statistics.median(one.alone_s):.2f} "
        f"| {one.cpu_s / one.sent * 1000:.2f} |"
    )


def _span(values: Sequence[float], spec: str) -> str:
    return f"{min(values):{spec}} to {max(values):{spec}}"
