"""A crash at a fault point of each workload: what was acknowledged is there, nothing torn is seen.

`make test` takes a part of the points, `make crash` all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.__main__ import workplace
from tests.crash.check import assert_complete, record, record_lives
from tests.crash.moves import CASES
from tests.crash.node_case import NodeCase
from tests.crash.planted import DEFECTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the shim is compiled with gcc"),
]

STEPS = {"node": 70, "repair": 70, "recover": 60, "backup": 12, "restore": 40}
FOUND_BY = 7  # every so many-th point is enough to find each planted defect


@pytest.fixture
def folder() -> Iterator[Path]:
    with workplace() as made:
        yield made


@pytest.mark.parametrize("name", CASES)
def test_no_crash_at_a_fault_point_breaks_a_promise(name: str, folder: Path) -> None:
    recording = record(CASES[name](), folder / name)
    assert_complete(recording)
    report = recording.enumerate(step=STEPS[name])
    print(report.text())
    assert not report.broken, report.text()
    assert report.points >= 2 and report.images >= 10


@pytest.mark.parametrize("stop", [75, 110])
def test_a_life_after_a_kill_keeps_what_it_found(stop: int, folder: Path) -> None:
    recording = record_lives(NodeCase("lives"), folder, stop=stop)
    assert recording is not None
    assert_complete(recording)
    report = recording.enumerate(step=12)
    assert report.points and not report.broken, report.text()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(defect: str, folder: Path) -> None:
    recording = record(NodeCase(), folder / defect, defect)
    report = recording.enumerate(step=FOUND_BY, broken_max=1)
    assert report.broken, f"nobody noticed: {DEFECTS[defect].__doc__}"
