"""`shuxin contract new`: the project passes its own three commands, and nothing is overwritten."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cli.main import main
from contracts.starter.project import FILES, ProjectRefused, begin, module_of, render
from contracts.vm.check import check_source

ROOT = Path(__file__).resolve().parents[2]
LONGEST = "a" + "-b" * 31 + "c"  # 64 characters


@pytest.mark.parametrize(
    "name",
    [
        *("", "Notes", "9lives", "_notes", "no tes", "../notes", "notes.py", "a" * 65, "é", "a\n"),
        *("contract", "code", "genesis"),  # the machine's own
        *("json", "contracts", "client", "pytest", "class", "test_notes", "notes-test", "conftest"),
    ],
)
def test_a_bad_name_begins_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ProjectRefused):
        begin(name, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["notes.py", "test_notes.py", "pyproject.toml", "README.md"])
def test_a_file_that_exists_is_kept_and_nothing_is_written(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(ProjectRefused, match=there):
        begin("notes", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "notes.py").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProjectRefused):
        begin("notes", tmp_path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["n", "notes", "my-notes", LONGEST])
def test_the_source_has_neither_errors_nor_warnings(name: str) -> None:
    source = render(name)[f"{module_of(name)}.py"]
    assert check_source(source) == []


@pytest.mark.parametrize("name", ["my-notes", LONGEST])
def test_its_own_tools_are_content(name: str, tmp_path: Path) -> None:
    begin(name, tmp_path)
    assert main(["contract", "check", str(tmp_path / f"{module_of(name)}.py"), "--strict"]) == 0
    found = os.pathsep.join((str(ROOT), str(ROOT / "proto" / "gen")))
    places = {**os.environ, "PYTHONPATH": found, "MYPYPATH": found}
    tools = (
        ("pytest", "-q", "-p", "no:cacheprovider"),
        ("mypy", "--cache-dir", str(ROOT / ".mypy_cache"), "."),
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "."),
    )
    for tool, *words in tools:
        run = subprocess.run(
            [sys.executable, "-m", tool, *words],
            cwd=tmp_path,
            env=places,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert run.returncode == 0, (tool, run.stdout, run.stderr)


def test_the_command_says_what_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["contract", "new", "my-notes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["deploy"] == "shuxin contract deploy my-notes my-notes/my_notes.py"
    assert all(Path(path).is_file() for path in (told["source"], *told["others"]))
    assert main(["contract", "new", "my-notes", "--json"]) == 1
    assert json.loads(capsys.readouterr().err)["refused"]["code"] == "project_refused"
    assert main(["contract", "new", "my-notes", "--directory", "other"]) == 0
    assert (tmp_path / "other" / "my_notes.py").is_file()


def test_templates_are_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    data = project["tool"]["setuptools"]["package-data"]
    assert "*.txt" in data["contracts.starter.templates"] and "py.typed" in data["*"]
    folder = ROOT / "contracts" / "starter" / "templates"
    assert sorted(path.name for path in folder.glob("*.txt")) == sorted(FILES)
