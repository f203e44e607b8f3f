"""A new node joins by snapshot while the network commits, whatever three of four peers serve.

The same with 100,000 transactions: `python -m tests.e2e.state_sync`; figures in docs/benchmarks.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.state_sync import Plan, play

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]

SMALL = Plan(
    transactions=3_000,
    round=40,
    every=30,
    behind_max=45,
    valid_window=60,
    note=300,
    chunk_size=32 << 10,
    slow_s=0.5,
    load=10,
)


@pytest.mark.long
def test_a_new_node_joins_past_liars_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    figures = play(tmp_path / "net", SMALL)
    print(figures)
    assert figures.base > 0 and figures.committed_meanwhile > 0
    assert figures.chunks > 20 and 0 < figures.chunks_at_kill < figures.chunks
    assert "not those of the certified state" in figures.refused["node1"]
    assert "45 blocks behind" in figures.refused["node2"]
    assert "did not sign this" in figures.refused["node3"]
    assert "node0" not in figures.refused
