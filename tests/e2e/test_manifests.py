"""Networks of real processes live through what their manifests do to them.

`make test` plays short ones; `make e2e` all of them at full length.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.e2e import manifest
from tests.e2e.manifest import Manifest
from tests.e2e.namespaces import NotAllowed
from tests.e2e.runner import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SHORT = ("liar",)
LONG = tuple(sorted({path.stem for path in manifest.FOLDER.glob("*.toml")} - {*SHORT}))
LONG_TIMEOUT_S = 480  # two minutes of load, and ten nodes that start, settle and are compared


def _play(asked: Manifest, folder: Path) -> None:
    try:
        report = run(asked, folder / "net")
    except NotAllowed as refused:
        print(refused)
        pytest.skip(str(refused))
    print(report.text())
    assert not report.findings, f"\n{report.text()}\nlogs in {folder}"


@pytest.mark.parametrize("name", SHORT)
def test_a_short_manifest_ends_without_a_finding(name: str, tmp_path: Path) -> None:
    _play(manifest.load(name), tmp_path)


@pytest.mark.long
def test_three_primaries_killed_in_a_row_cost_neither_safety_nor_an_answer(tmp_path: Path) -> None:
    _play(manifest.shortened(manifest.load("primary_killed"), times=3), tmp_path)


@pytest.mark.long
def test_an_observer_gets_a_vote_and_a_new_node_another_one_under_load(tmp_path: Path) -> None:
    asked = manifest.shortened(manifest.load("committee"), times=2)
    quick = msgspec.structs.replace(asked.network, limits={"watermark_window": 16})
    _play(msgspec.structs.replace(asked, network=quick), tmp_path)


@pytest.mark.long
@pytest.mark.timeout(LONG_TIMEOUT_S)
@pytest.mark.parametrize("name", LONG)
def test_a_long_manifest_ends_without_a_finding(name: str, tmp_path: Path) -> None:
    _play(manifest.load(name), tmp_path)
