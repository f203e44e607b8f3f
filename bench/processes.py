"""Processor time and memory of the nodes, workers included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over a node and its workers; memory is the unshared set, in bytes."""

    cpu_s: float
    memory: int
    resident: int


def usage(pids: Mapping[str, int]) -> dict[str, Usage]:
    """By process name."""
    return {name: _usage(pid) for name, pid in pids.items()}


def _usage(pid: int) -> Usage:
    cpu = 0.0
    memory = resident = 0
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        try:
            times = process.cpu_times()
            info = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        cpu += times.user + times.system
        memory += info.uss
        resident += info.rss
    return Usage(cpu, memory, resident)
