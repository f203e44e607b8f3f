"""Bit flips in the store of a stopped node: each is found, and mended from peers that run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.flips import Flip, FlipBench
from tests.e2e.harness import shuxin

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

BLOCKS = 60


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlipBench]:
    bench = FlipBench(tmp_path_factory.mktemp("flips"))
    try:
        bench.prepare(BLOCKS)
        yield bench
    finally:
        bench.close()


@pytest.mark.long
def test_a_flip_in_every_kind_of_file_is_found_and_mended(bench: FlipBench) -> None:
    flips = bench.one_of_each_kind(seed=3)
    kinds = {Path(flip.file).suffix or Path(flip.file).name[:8] for flip in flips}
    assert kinds == {".ldb", ".log", "CURRENT", "MANIFEST", "mark"}
    for flip in flips:
        assert bench.run(flip).found_by, flip


def test_the_command_finds_and_mends_and_a_node_mends_itself(bench: FlipBench) -> None:
    shutil.rmtree(bench.data)
    shutil.copytree(bench.pristine, bench.data)
    table = next((bench.data / "ledger" / "db").glob("*.ldb"))
    Flip(str(table.relative_to(bench.data)), table.stat().st_size // 3, 2).do(bench.data)
    found = shuxin("node", "verify", str(bench.data), "--json")
    assert found.returncode == 1, found.stderr
    told = json.loads(found.stdout)
    assert told["verdict"] == "damaged"
    places = [one["offset"] for one in told["findings"] if one["file"] == str(table)]
    assert any(0 <= offset <= table.stat().st_size // 3 for offset in places), told
    mended = shuxin(
        "node", "verify", str(bench.data), "--repair", "--config", str(bench.config), "--json"
    )
    assert mended.returncode == 0, mended.stderr
    assert Path(json.loads(mended.stdout)["set_aside"]).is_dir()
    # And once more, found by the node itself: at its start.
    current = bench.data / "ledger" / "db" / "CURRENT"
    Flip(str(current.relative_to(bench.data)), 3, 0).do(bench.data)
    with bench.running():
        bench.network.wait(bench.network.agree, timeout_s=60, what="the node mended itself")
        running = shuxin("node", "verify", str(bench.data), "--json")
        assert running.returncode == 0, running.stdout + running.stderr
        assert json.loads(running.stdout)["verdict"] == "intact"
    log = bench.log.read_text()
    assert "damaged" in log and "mended" in log
