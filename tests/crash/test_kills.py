"""SIGKILL of real processes at random moments; `make crash` kills hundreds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.__main__ import workplace
from tests.crash.kills import drawn_manifest, kill_nodes, kill_writers

WRITERS, NODES = 24, 6  # `make crash` kills more; test_manifests.py kills nodes as well
SEED = 20_260


@pytest.mark.slow
def test_killed_writers_leave_all_they_acknowledged() -> None:
    with workplace() as folder:
        killed = kill_writers(folder, WRITERS, seed=SEED)
    print(killed.text())
    assert killed.kills == WRITERS
    assert min(killed.blocks, killed.votes) > WRITERS, "they did work before they died"


@pytest.mark.long
@pytest.mark.e2e
@pytest.mark.timeout(480)
def test_killed_nodes_leave_all_that_clients_were_told(tmp_path: Path) -> None:
    report = kill_nodes(tmp_path / "net", NODES, seed=SEED)
    print(report.text())


def test_a_drawn_manifest_is_the_same_again() -> None:
    first = drawn_manifest(5, seed=1)
    assert first == drawn_manifest(5, seed=1) != drawn_manifest(5, seed=2)
    assert len(first.events) == 5
