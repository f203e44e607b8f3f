"""An executor's home: one executor at a time, its engines."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from executors.config import ExecutorConfig
from executors.engine import Engine
from executors.errors import TaskRefused
from executors.mpc.launch import EngineLimits, Network, StatisticsEngine
from executors.process import Clock


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Two executors in one home would answer every task twice. Raises TaskRefused."""
    with (home / "executor.lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise TaskRefused(f"an executor runs in {home} already: stop it first") from None
        yield


def engines_for(config: ExecutorConfig) -> Mapping[str, Engine]:
    """The engines of the configured algorithms, by algorithm."""
    statistics = StatisticsEngine(
        config.home,
        network=Network(
            config.listen_host, config.advertise_host, config.port_low, config.port_high
        ),
        limits=EngineLimits(
            run_s=config.run_s,
            connect_s=config.connect_s,
            silence_s=config.silence_s,
            memory_bytes=config.memory_mib << 20,
        ),
        clock=Clock(),
        now_ms=now_ms,
    )
    return {
        engine.algorithm: engine
        for engine in (statistics,)
        if engine.algorithm in config.algorithms
    }


def now_ms() -> int:
    return time.time_ns() // 1_000_000
