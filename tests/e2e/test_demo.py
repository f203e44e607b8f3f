"""`make demo` as its user sees it: a story, a record, an audit, and nothing left running."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.harness import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(420)]

DEMO_S = 300  # issue 2: under five minutes once set up
RELATIVE_MAX = 1e-6
STAGES = ("汇聚 Aggregation", "授权 Authorization", "开发 Development", "交付 Delivery")
STAGE_KEYS = ["aggregation", "authorization", "development", "delivery", "oversight"]
REFUSALS = [
    *("grant.unknown", "grant.role", "grant.algorithm", "task.participant"),
    "deidentification.missing",
    *("agreement.side", "agreement.not_in_force", "billing.role", "grant.revoked"),
]
COMMAND = [sys.executable, "-m", "cli.main", "scenario", "run", "insurance", "--demo", "--folder"]


def left_in(folder: Path) -> list[str]:
    """Command lines of processes that name the folder: nodes, executors, their supervisor."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(folder) in line:
            found.append(line)
    return found


def test_the_demonstration_tells_records_audits_and_ends(tmp_path: Path) -> None:
    folder, record = tmp_path / "network", tmp_path / "record.json"
    began = time.monotonic()
    run = subprocess.run(
        [*COMMAND, str(folder), "--record", str(record), "--answers", str(tmp_path / "answers")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=DEMO_S + 60,
        check=False,
    )
    assert run.returncode == 0, run.stderr + run.stdout[-4000:]
    assert time.monotonic() - began < DEMO_S
    assert left_in(tmp_path) == []
    assert [run.stdout.index(stage) for stage in STAGES] == sorted(
        run.stdout.index(stage) for stage in STAGES
    )
    told = json.loads(record.read_text(encoding="utf-8"))
    check_steps(told["steps"])
    assert list(told["figures"]["stage_ms"]) == STAGE_KEYS
    assert told["measures"]["largest_relative_difference"] <= RELATIVE_MAX
    assert "ABY3" in told["findings"]["protection"]
    assert sorted(told["audit"]) == ["node0", "node1", "node2", "node3"]
    for verdict in told["audit"].values():
        assert verdict["verdict"].startswith("intact")
        assert verdict["state_root"] == told["figures"]["state_root"]
        assert verdict["height"] == verdict["certified_height"] >= told["figures"]["last_height"]
    check_that_no_supplier_holds_anothers_rows(folder)
    check_answers(told, run.stdout)


def check_answers(told: dict[str, Any], story: str) -> None:
    """The audit's answers about the product: every step of the story, and no link missing."""
    answered = told["answers"]
    assert answered["links_missing"] == answered["contradictions"] == []
    assert "no link is missing" in story
    assert answered["page"] in "".join(story.split()), "a long path is told in several lines"
    page = Path(answered["page"])
    tree = json.loads((page.parent / "custody.tree.json").read_text(encoding="utf-8"))
    proofs = {edge["transaction"] for edge in tree["edges"]}
    before = ("catalog", "demand", "grant", "task", "evidence", "product")
    named = (*before, "deidentification", "delivery", "agreement", "billing", "payment")
    done = {
        step["transaction"]
        for step in told["steps"]
        if "transaction" in step and not step["refused"] and step["call"].startswith(named)
    }
    assert done == proofs, "every act of the business is part of this product's custody"
    assert "保管链" in page.read_text(encoding="utf-8")


def check_steps(steps: list[dict[str, object]]) -> None:
    assert [step["number"] for step in steps] == list(range(1, len(steps) + 1))
    stages = list(dict.fromkeys(step["stage"] for step in steps))
    assert stages == STAGE_KEYS
    refused = [step["refused"] for step in steps if step["kind"] == "refusal"]
    assert [found["code"] for found in refused if isinstance(found, dict)] == REFUSALS
    by_executors = [(step["call"], step["party"]) for step in steps if step["kind"] == "executor"]
    suppliers = ["supplier-a", "supplier-b", "supplier-c"]
    assert sorted(by_executors) == sorted(
        (call, party) for call in ("task.accept", "task.report") for party in suppliers
    )
    roles = {step["role"] for step in steps}
    assert roles == {"manager", "operator", "supplier", "consumer", "tech_provider"}
    transactions = [step["transaction"] for step in steps if "transaction" in step]
    assert len(set(transactions)) == len(transactions)


def check_that_no_supplier_holds_anothers_rows(folder: Path) -> None:
    held = [
        (path.parts[-4], path.read_text(encoding="utf-8").count("\n") - 1)
        for path in sorted(folder.glob("executors/*/datasets/*/data.csv"))
    ]
    assert [party for party, _rows in held] == ["supplier-a", "supplier-b", "supplier-c"]
    assert sum(rows for _party, rows in held) == 20_190


def test_a_demonstration_that_is_ended_early_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    with subprocess.Popen(
        [*COMMAND, str(folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "commits to its rows" in line:
                break
        assert left_in(folder) != []
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=120)[1]
    assert run.returncode == 1
    assert "scenario.stopped" in said
    # The command itself names the folder as well, and is gone by now.
    assert left_in(folder) == []
