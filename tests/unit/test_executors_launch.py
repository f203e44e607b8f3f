"""What an executor says of an engine that it gave up: who kept it waiting, if anybody did."""

from __future__ import annotations

import pytest

from executors.mpc import job as stages
from executors.mpc.launch import EngineLimits, Watch
from executors.process import OUT_OF_TIME, Clock

LIMITS = EngineLimits(run_s=600, connect_s=30, silence_s=10, memory_bytes=1 << 30)


class Stopped(Clock):
    """A clock that does not go."""

    def now(self) -> float:
        return 1000.0


@pytest.mark.parametrize(
    ("stage", "waits_s", "reason"),
    [
        (stages.CONNECT, 30, stages.NOT_CONNECTED),
        (stages.AGREE, 30, stages.SILENT),
        (stages.SHARE, 30, stages.SILENT),
        (stages.COMPUTE, 630, OUT_OF_TIME),
    ],
)
def test_a_stage_that_only_waits_names_who_did_not_come(
    stage: str, waits_s: float, reason: str
) -> None:
    watch = Watch(LIMITS, Stopped(), left_ms=3_600_000)
    watch.enter(stage)
    assert watch.deadline() == 1000 + waits_s
    assert watch.reason(OUT_OF_TIME) == reason
    assert watch.reason("cancelled") == "cancelled"


def test_the_deadline_of_a_task_is_nobody_else_s_silence() -> None:
    watch = Watch(LIMITS, Stopped(), left_ms=5_000)
    watch.enter(stages.SHARE)
    assert watch.deadline() == 1005
    assert watch.reason(OUT_OF_TIME) == OUT_OF_TIME
