"""Every scenario but insurance, which `test_demo.py` plays, as its user sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scenarios.index import SCENARIOS
from tests.e2e.harness import REPOSITORY
from tests.e2e.test_demo import RELATIVE_MAX, STAGE_KEYS, left_in

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(600)]

RUN_S = 540  # a loaded machine takes three minutes
NAMES = [known.name for known in SCENARIOS if known.name != "insurance"]
SAID = {
    "rental": ("private set intersection", "生成数据"),
    "trial": ("private set intersection", "of this demonstration"),
    "drug": ("trusted execution environment", "of this demonstration"),
    "marketing": ("private set intersection", "of this demonstration"),
    "credit": ("private set intersection", "GENERATED"),
}


def run_live(name: str, folder: Path) -> dict[str, Any]:
    """The record of a run on a network of its own, which stays in `folder`/network."""
    record = folder / "record.json"
    command = ["-m", "cli.main", "scenario", "run", name, "--demo", "--record", str(record)]
    run = subprocess.run(
        [
            *(sys.executable, *command),
            *("--folder", str(folder / "network"), "--answers", str(folder / "answers")),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr + run.stdout[-4000:]
    told = json.loads(record.read_text(encoding="utf-8"))
    assert isinstance(told, dict)
    return told


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_runs_from_an_empty_folder_to_an_audited_product(
    name: str, tmp_path: Path
) -> None:
    told = run_live(name, tmp_path)
    assert left_in(tmp_path) == []
    assert told["scenario"] == name
    assert list(told["figures"]["stage_ms"]) == STAGE_KEYS
    assert told["measures"]["largest_relative_difference"] <= RELATIVE_MAX
    assert "ABY3" in told["findings"]["protection"]
    for verdict in told["audit"].values():
        assert verdict["verdict"].startswith("intact")
        assert verdict["state_root"] == told["figures"]["state_root"]
    assert told["answers"]["links_missing"] == told["answers"]["contradictions"] == []
    limit, data = SAID[name]
    assert limit in told["findings"]["limits"]
    assert data in told["findings"]["data"]
    if name == "drug":
        check_double_blind(tmp_path / "network", told["run"])


def check_double_blind(network: Path, run_id: str) -> None:
    """The model is in the developer's home and nowhere else, nodes and executors included."""
    home = network / "parties" / "consumer"
    model = json.loads((home / "documents" / f"model-{run_id}.json").read_text(encoding="utf-8"))
    secrets = [value.encode() for value in (*model["terms"].values(), model["salt"])]
    searched = [path for path in network.rglob("*") if path.is_file() and home not in path.parents]
    assert len(searched) > 100
    for path in searched:
        content = path.read_bytes()
        assert not [value for value in secrets if value in content], path
    rows = {
        line
        for path in network.glob("executors/*/datasets/*/data.csv")
        for line in path.read_bytes().splitlines()[1:]
    }
    assert rows
    for path in home.rglob("*"):
        if path.is_file():
            assert not rows & set(path.read_bytes().splitlines()), path
