"""Three parties in three processes over loopback with mutual TLS: the real engine."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from crypto import sm2
from executors.data.registry import Registry
from executors.engine import Report
from executors.errors import EngineFailed
from executors.mpc.inputs import input_vectors
from executors.mpc.launch import EngineLimits
from executors.mpc.plain import PlainRows, differences, plain_results
from executors.mpc.program import STATISTICS, Measure, Quantile, StatisticsProgram
from executors.mpc.results import Result
from executors.mpc.reveal import ReportedShare, reveal
from executors.mpc.tls import new_identity
from tests.executor_parties import LIMITS, Run, add_datasets, now_ms, order_for, prepare

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

PRIVATE = sm2.generate()
PLANS = ("25", "free", "高额")
HASTY = EngineLimits(run_s=60, connect_s=20, silence_s=6, memory_bytes=LIMITS.memory_bytes)
ALONE = EngineLimits(run_s=60, connect_s=6, silence_s=6, memory_bytes=LIMITS.memory_bytes)

PROGRAM = StatisticsProgram(
    version=1,
    measures=(
        Measure("claims", 2, 32, STATISTICS, (Quantile(1, 4), Quantile(9, 10))),
        Measure("age", 0, 8, ("mean", "variance"), ()),
    ),
    group_by="plan",
    groups=tuple(sorted((*PLANS, "none"))),
    counts=True,
    rows=(64, 64, 64),
    group_size_min=5,
)


def tables(rows: int = 40) -> list[str]:
    draw = np.random.default_rng(20)
    texts = []
    for _party in range(3):
        lines = ["plan,age,claims"]
        for _ in range(rows):
            cents = int(draw.integers(-(2**31) + 1, 2**31))
            plan = PLANS[int(draw.integers(3))]
            sign, cents = ("-" if cents < 0 else ""), abs(cents)
            lines.append(f"{plan},{draw.integers(18, 99)},{sign}{cents // 100}.{cents % 100:02}")
        texts.append("\n".join(lines) + "\n")
    return texts


def in_the_clear(program: StatisticsProgram, homes: list[Path]) -> tuple[Result, ...]:
    rows = []
    for rank, home in enumerate(homes):
        codes, *values = input_vectors(program, rank, Registry(home).load("rows", program.columns))
        rows.append(PlainRows(np.array(codes), tuple(np.array(column) for column in values)))
    return plain_results(program, rows)


def reports_of(run: Run) -> list[Report]:
    reports = run.all()
    for report in reports:
        assert isinstance(report, Report), report
    return [report for report in reports if isinstance(report, Report)]


def reasons_of(run: Run) -> list[str]:
    failures = run.all()
    assert all(isinstance(failure, EngineFailed) for failure in failures), failures
    return [str(failure) for failure in failures]


def revealed(run: Run, reports: list[Report]) -> tuple[Result, ...]:
    shares = [
        ReportedShare(report.output_share, report.program_hash, report.output_commitment)
        for report in reports
    ]
    return reveal(run.order.task_id, run.order.program, shares, PRIVATE)


def assert_nothing_is_left(homes: list[Path]) -> None:
    for home in homes:
        assert list(home.glob("run/*")) == []
    children = psutil.Process().children(recursive=True)
    assert [child for child in children if "executors.mpc.party" in child.cmdline()] == []


def test_the_joint_result_equals_the_plain_one(tmp_path: Path) -> None:
    homes = add_datasets(tmp_path, tables())
    run = prepare(order_for("joint", PROGRAM, sm2.public_key(PRIVATE)), homes)
    reports = reports_of(run)
    assert len({report.program_hash for report in reports}) == 1
    assert len({report.transcript_root for report in reports}) == 1
    assert len({report.output_commitment for report in reports}) == 3
    gaps = differences(revealed(run, reports), in_the_clear(PROGRAM, homes))
    assert len(gaps) == 4 * (1 + 4 + 2 + 2)
    assert {gap.group for gap in gaps if not gap.joint} == {"none"}
    for gap in gaps:
        if gap.statistic in ("mean", "variance"):
            assert gap.relative < 1e-10, gap
        else:
            assert gap.joint == gap.plain, gap
    assert_nothing_is_left(homes)


def test_two_tasks_run_at_one_time(tmp_path: Path) -> None:
    homes = add_datasets(tmp_path, tables())
    small = [
        StatisticsProgram(1, (Measure("age", 0, 8, asked, ()),), "", (), True, (40, 40, 40), 3)
        for asked in (("sum", "mean"), ("sum",))  # the second has no fixed-point result at all
    ]
    orders = [
        order_for(f"twin{i}", program, sm2.public_key(PRIVATE)) for i, program in enumerate(small)
    ]
    runs = [prepare(order, homes) for order in orders]
    results: dict[str, tuple[Result, ...]] = {}

    def one(run: Run) -> None:
        results[run.order.task_id] = revealed(run, reports_of(run))

    threads = [threading.Thread(target=one, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for order, program in zip(orders, small, strict=True):
        gaps = differences(results[order.task_id], in_the_clear(program, homes))
        assert all(gap.relative < 1e-10 for gap in gaps)
    assert_nothing_is_left(homes)


def test_a_party_whose_certificate_is_not_pinned_is_refused(tmp_path: Path) -> None:
    homes = add_datasets(tmp_path, tables())
    run = prepare(order_for("stranger", PROGRAM, sm2.public_key(PRIVATE)), homes, ALONE)
    # The chain names another certificate for the third party than the one it connects with.
    other = new_identity("supplier-c", now_ms=now_ms(), deadline_ms=run.order.deadline_ms)
    third = replace(run.order.participants[2], certificate=other.certificate)
    named = replace(run.order, participants=(*run.order.participants[:2], third))
    stranger = run.prepared.pop()
    honest = Run(named, run.prepared, run.cancels)
    failures: list[str] = []

    def intrude() -> None:
        with pytest.raises(EngineFailed) as failure:
            stranger.run(run.order, cancel=threading.Event(), progress=lambda stage: None)
        failures.append(str(failure.value))

    thread = threading.Thread(target=intrude)
    thread.start()
    started = time.monotonic()
    failures += reasons_of(honest)
    thread.join()
    assert time.monotonic() - started < ALONE.connect_s + 20
    assert all("could not connect to all other parties" in failure for failure in failures)
    assert len(failures) == 3
    assert_nothing_is_left(homes)


def test_a_killed_party_ends_the_others_soon(tmp_path: Path) -> None:
    homes = add_datasets(tmp_path, tables())
    run = prepare(order_for("killed", PROGRAM, sm2.public_key(PRIVATE)), homes, HASTY)
    killed_at: list[float] = []

    def progress(rank: int, stage: str) -> None:
        if rank == 2 and stage == "computing":
            killed_at.append(time.monotonic())
            kill_party(homes[2])

    failures = run.all(progress)
    assert killed_at
    assert time.monotonic() - killed_at[0] < 4 * HASTY.silence_s
    assert all(isinstance(failure, EngineFailed) for failure in failures), failures
    assert "signal SIGKILL" in str(failures[2])
    for failure in failures[:2]:
        assert "fell silent" in str(failure) or "may have died" in str(failure), failure
    assert_nothing_is_left(homes)


def kill_party(home: Path) -> None:
    """Kills the engine's process of the executor in `home`."""
    for child in psutil.Process().children():
        if str(home) in child.cwd():
            child.kill()


def test_a_party_that_never_comes_ends_the_others_soon(tmp_path: Path) -> None:
    homes = add_datasets(tmp_path, tables())
    run = prepare(order_for("absent", PROGRAM, sm2.public_key(PRIVATE)), homes, ALONE)
    run.prepared.pop().close()
    started = time.monotonic()
    reasons = reasons_of(run)
    assert time.monotonic() - started < ALONE.connect_s + 20
    assert all("could not connect to all other parties" in reason for reason in reasons)
    assert_nothing_is_left(homes)


def test_parties_that_mean_different_tasks_share_nothing(tmp_path: Path) -> None:
    homes = add_datasets(tmp_path, tables())
    run = prepare(order_for("mixed", PROGRAM, sm2.public_key(PRIVATE)), homes, HASTY)
    second = replace(run.order, receiver_key=sm2.public_key(sm2.generate()))
    failures: list[str] = []

    def other() -> None:
        with pytest.raises(EngineFailed) as failure:
            deviant.run(second, cancel=threading.Event(), progress=lambda stage: None)
        failures.append(str(failure.value))

    deviant = run.prepared.pop()
    thread = threading.Thread(target=other)
    thread.start()
    failures += reasons_of(run)
    thread.join()
    assert any("runs another task under this id" in failure for failure in failures), failures
    assert all("agreeing on the program" in failure for failure in failures), failures
    assert_nothing_is_left(homes)
