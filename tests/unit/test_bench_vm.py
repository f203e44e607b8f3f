"""`make bench-vm` compares like with like: plain Python and the machine agree on every workload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import vm, vm_report
from bench.vm_rig import Rig


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(Path(tmp_path_factory.mktemp("bench")))
    yield rig
    rig.close()


def test_every_workload_gives_the_same_in_plain_python_in_process_and_jailed(rig: Rig) -> None:
    for work in vm.workloads():
        vm.demand_equal(rig, work)


def test_a_difference_is_noticed(rig: Rig) -> None:
    work = vm.workloads()[0]
    rig.plain_state = dict.fromkeys(rig.plain_state, b"\xc2")  # nobody is a member there
    with pytest.raises(RuntimeError, match="different receipts"):
        vm.demand_equal(rig, work)


def test_a_bound_that_is_missed_is_said_and_fails() -> None:
    rows = [
        vm_report.row("transfer", 1, [5.0], [15.0], [31.0]),
        vm_report.row("empty", 100, [1.0], [1.0], [1.0]),
    ]
    loops = [vm_report.Loop("loop", [(30.0, 31.0, 40.0)])]
    text, is_met = vm_report.render(rows, loops, 0.2, 1.8, ["seccomp"], 6.0, 1.5)
    assert not is_met
    assert "| jailed transfer / plain Python | 6.20 | 6.0 | MISSED |" in text
    assert vm_report.render(rows, loops, 0.2, 1.8, ["seccomp"], 6.5, 1.5)[1]
