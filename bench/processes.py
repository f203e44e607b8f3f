"""Processor time and memory of the nodes, workers included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over a node and its workers, in bytes.

    `anonymous` is what the processes hold; `resident` adds code and the database tables that
    LevelDB maps, which the kernel takes back when it needs the room.
    """

    cpu_s: float
    anonymous: int
    resident: int


def usage(pids: Mapping[str, int]) -> dict[str, Usage]:
    """By process name."""
    return {name: _usage(pid) for name, pid in pids.items()}


def _usage(pid: int) -> Usage:
    cpu = 0.0
    anonymous = resident = 0
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        try:
            times = process.cpu_times()
            held, all_of_it = _memory(process.pid)
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
        cpu += times.user + times.system
        anonymous += held
        resident += all_of_it
    return Usage(cpu, anonymous, resident)


def _memory(pid: int) -> tuple[int, int]:
    """RssAnon and VmRSS of a process."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    # A process that has ended and is not reaped yet holds nothing and has no such lines.
    return _bytes(fields.get("RssAnon", "0")), _bytes(fields.get("VmRSS", "0"))


def _bytes(text: str) -> int:
    return int(text.split()[0]) * 1024
