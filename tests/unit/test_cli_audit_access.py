"""`shuxin audit access` without a chain: what it finds, what it says of faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from crypto import sm3
from node.accesslog.folder import path_of
from tests.log_world import World, request


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A node's data folder with a log of 30 calls."""
    world = World(tmp_path / "data" / "access")
    for hour in range(3):
        world.ask(*range(hour * 10, hour * 10 + 10))
        world.hour()
    world.log.close()
    return tmp_path / "data"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = main(["audit", "access", "--json", "--offline", *arguments])
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return code, answer


def test_a_whole_log_is_told_with_its_newest_entries(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = told(capsys, str(data), "--limit", "4")
    assert (code, answer["fault"], answer["found"]) == (0, "", 30)
    entries = answer["entries"]
    assert isinstance(entries, list)
    assert [entry["sequence"] for entry in entries] == [27, 28, 29, 30]
    assert entries[0]["account"] == request().account
    assert "not asked" in str(answer["verdict"])


def test_a_request_is_found_by_its_digest(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, answer = told(capsys, str(data / "access"), "--request", sm3.digest(b"17").hex())
    assert answer["found"] == 1


def test_a_fault_is_exit_code_1_and_a_sentence(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = path_of(data / "access", 2)
    altered = bytearray(path.read_bytes())
    altered[len(altered) // 2] ^= 1
    path.write_bytes(altered)
    code, answer = told(capsys, str(data))
    assert code == 1
    assert str(answer["verdict"]).startswith("FAULT: file 2: entry")


def test_who_names_a_folder_without_a_log_is_told_what_to_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "access", str(tmp_path), "--offline"]) == 1
    assert "data folder" in capsys.readouterr().err


def test_people_read_it_as_lines(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "access", str(data), "--offline", "--limit", "2"]) == 0
    shown = capsys.readouterr().out
    assert "hold together" in shown
    assert "/shuxin.v1.Node/View" in shown
