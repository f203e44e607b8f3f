"""Networks of real processes live through what their manifests do to them.

`make test` plays short ones; `make e2e` all of them at full length.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import manifest
from tests.e2e.manifest import Manifest
from tests.e2e.namespaces import NotAllowed
from tests.e2e.runner import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SHORT = ("all_sorts", "liar")
LONG = tuple(sorted({path.stem for path in manifest.FOLDER.glob("*.toml")} - {*SHORT}))
# What is known to come too late, and why; everything else about these runs has to be good.
LATE = {
    "succession": "the view change past the dead successor doubles the time-out that the lying "
    "one gets: 1.8 s + 0.5 s + 4 s"
}
LATENESS = ({"resume"}, {"silence"}, {"resume", "silence"})
LONG_TIMEOUT_S = 480  # two minutes of load, and ten nodes that start, settle and are compared


def _play(asked: Manifest, folder: Path, late: str | None = None) -> None:
    try:
        report = run(asked, folder / "net")
    except NotAllowed as refused:
        print(refused)
        pytest.skip(str(refused))
    print(report.text())
    if late is not None:
        assert {finding.check for finding in report.findings} in LATENESS, (
            f"\n{report.text()}\nlogs in {folder}; if nothing was found it is in time now: LATE"
        )
        pytest.xfail(late)
    assert not report.findings, f"\n{report.text()}\nlogs in {folder}"


@pytest.mark.parametrize("name", SHORT)
def test_a_short_manifest_ends_without_a_finding(name: str, tmp_path: Path) -> None:
    _play(manifest.load(name), tmp_path)


def test_three_primaries_killed_in_a_row_cost_neither_safety_nor_an_answer(tmp_path: Path) -> None:
    _play(manifest.shortened(manifest.load("primary_killed"), times=3), tmp_path)


def test_an_observer_gets_a_vote_and_a_new_node_another_one_under_load(tmp_path: Path) -> None:
    _play(manifest.shortened(manifest.load("committee"), times=2), tmp_path)


@pytest.mark.long
@pytest.mark.timeout(LONG_TIMEOUT_S)
@pytest.mark.parametrize("name", LONG)
def test_a_long_manifest_ends_without_a_finding(name: str, tmp_path: Path) -> None:
    _play(manifest.load(name), tmp_path, LATE.get(name))
