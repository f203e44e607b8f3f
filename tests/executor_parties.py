"""Three executor homes with data sets, and their engines: real subprocesses over loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from executors.data.registry import Registry
from executors.engine import Participant, Report, TaskOrder
from executors.errors import ExecutorError
from executors.mpc.launch import EngineLimits, Network, PreparedStatistics, StatisticsEngine
from executors.mpc.program import ALGORITHM, StatisticsProgram, encode_program
from executors.process import Clock

PARTIES = ("supplier-a", "supplier-b", "supplier-c")
NETWORK = Network("127.0.0.1", "127.0.0.1", 24_000, 24_999)
LIMITS = EngineLimits(run_s=100, connect_s=40, silence_s=30, memory_bytes=6 << 30)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def add_datasets(root: Path, tables: Sequence[str]) -> list[Path]:
    """A home below `root` for each CSV text, with the data set `rows`."""
    homes = []
    for party, text in zip(PARTIES, tables, strict=True):
        home = root / party
        home.mkdir(parents=True)
        source = home / "source.csv"
        source.write_text(text, encoding="utf-8")
        Registry(home).add("rows", source, types={}, now_ms=now_ms())
        homes.append(home)
    return homes


def order_for(task_id: str, program: StatisticsProgram, receiver_key: bytes) -> TaskOrder:
    return TaskOrder(
        task_id=task_id,
        grant_id="grant",
        operator="operator",
        algorithm=ALGORITHM,
        program=encode_program(program),
        participants=tuple(Participant(party, "rows") for party in PARTIES),
        receiver_key=receiver_key,
        deadline_ms=now_ms() + 600_000,
        status="created",
        reporters=frozenset(),
        ready_ms=0,
    )


@dataclass(slots=True)
class Run:
    """Three prepared parties of one task."""

    order: TaskOrder
    prepared: list[PreparedStatistics]
    cancels: list[threading.Event]

    def all(self, progress: Callable[[int, str], None] | None = None) -> list[Report | Exception]:
        """Runs all three to their end; an entry is a report or the error."""

        def one(rank: int) -> Report | Exception:
            def told(stage: str) -> None:
                if progress is not None:
                    progress(rank, stage)

            try:
                return self.prepared[rank].run(self.order, cancel=self.cancels[rank], progress=told)
            except ExecutorError as error:
                return error

        with ThreadPoolExecutor(len(self.prepared)) as pool:
            return list(pool.map(one, range(len(self.prepared))))


def prepare(order: TaskOrder, homes: Sequence[Path], limits: EngineLimits = LIMITS) -> Run:
    """All three accept; the order then names their endpoints and certificates."""
    prepared = [
        StatisticsEngine(
            home, network=NETWORK, limits=limits, clock=Clock(), now_ms=now_ms
        ).prepare(order, rank)
        for rank, home in enumerate(homes)
    ]
    accepted = tuple(
        replace(
            participant,
            endpoint=ready.offer.endpoint,
            certificate=ready.offer.certificate,
            data_commitment=ready.offer.data_commitment,
        )
        for participant, ready in zip(order.participants, prepared, strict=True)
    )
    running = replace(order, participants=accepted, status="running")
    return Run(running, prepared, [threading.Event() for _ in prepared])
