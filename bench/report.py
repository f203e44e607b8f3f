"""The table that `make bench` prints."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.references import References


@dataclass(frozen=True, slots=True)
class Result:
    """One workload. Rates in transactions per second, times in seconds."""

    workload: str
    committed_rate: float
    share_of_bound: float
    open_loop_rate: float
    p50_s: float
    p99_s: float
    refused: int
    cpu_per_node: float  # cores, while saturated
    cpu_ms_per_transaction: float  # per node


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes of the largest node (with its workers) after so many transactions.

    `anonymous` is held by the processes; `resident` adds code and mapped database tables.
    """

    transactions: int
    anonymous: float
    resident: float


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def render(
    references: References,
    results: Sequence[Result],
    memory: Sequence[Memory],
    nodes: int,
    facts: Mapping[str, str],
) -> str:
    """Markdown, as it goes into docs/benchmarks.md."""
    bound = references.bound(nodes)
    kernel = platform.release().split("-")[0]
    lines = [
        f"Machine: {references.cores} cores, {platform.machine()}, Linux {kernel}, "
        f"Python {platform.python_version()}; {nodes} nodes, the load generator beside them.",
        "",
        "| reference, same run | rate |",
        "|---|---|",
        f"| SM2 verify, raw libcrypto, one core | {references.verify_rate:,.0f} /s |",
        f"| SM2 sign, raw libcrypto, one core | {references.sign_rate:,.0f} /s |",
        f"| LevelDB, synced batches of 1,000 transactions x 2 keys | "
        f"{references.leveldb_rate:,.0f} tx/s |",
        f"| bound: cores x verify / nodes | {bound:,.0f} tx/s |",
        "",
        "| workload | committed tx/s | share of bound | open loop tx/s | p50 s | p99 s | refused "
        "| cores per node | CPU ms per tx and node |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.workload} | {r.committed_rate:,.0f} | {r.share_of_bound:.0%} | "
        f"{r.open_loop_rate:,.0f} | {r.p50_s:.2f} | {r.p99_s:.2f} | {r.refused} | "
        f"{r.cpu_per_node:.2f} | {r.cpu_ms_per_transaction:.2f} |"
        for r in results
    ]
    if memory:
        lines += ["", "| transactions | largest node, MB held | MB resident |", "|---|---|---|"]
        lines += [f"| {m.transactions:,} | {m.anonymous:.0f} | {m.resident:.0f} |" for m in memory]
    lines += [""] + [f"{name}: {value}" for name, value in facts.items()]
    return "\n".join(lines) + "\n"
