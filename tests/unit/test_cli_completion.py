"""Completion in shells: from the commands themselves, quickly, and without asking anybody."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.candidates import keys_in, words_in, words_of
from cli.main import NOUNS, main

ROOT = Path(__file__).resolve().parents[2]
SHELLS = ("bash", "zsh", "fish")
HEAVY = ("grpc", "trio", "jax", "msgspec", "cryptography")


def completed(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """What bash is told at the end of a line."""
    words = line.split(" ")
    monkeypatch.setenv("_SHUXIN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert main([]) == 0
    return capsys.readouterr().out.split()


def test_nouns_verbs_and_options_are_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed("shuxin ", monkeypatch, capsys) == list(NOUNS)
    assert completed("shuxin ev", monkeypatch, capsys) == ["event", "evaluation", "evidence"]
    verbs = completed("shuxin evidence ", monkeypatch, capsys)
    assert {"record", "record-folder", "show", "list", "prove"} <= set(verbs)
    assert completed("shuxin evidence record --dig", monkeypatch, capsys) == ["--digest"]
    assert completed("shuxin evidence record --lang ", monkeypatch, capsys) == ["en", "zh"]


def test_kinds_of_evidence_are_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = completed("shuxin evidence record e --kind aggregation.", monkeypatch, capsys)
    assert told == ["aggregation.collected", "aggregation.quality"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("delivery prepare d --risk ", ["low", "medium", "high"]),
        ("incident open x --stage de", ["development", "delivery"]),
        ("party register x --role co", ["consumer"]),
        ("evaluation publish x --outcome ", ["passed", "conditional", "failed"]),
        ("grant list --status susp", ["suspended"]),
        ("incident open x --title ", []),
    ],
)
def test_the_words_that_a_line_of_help_begins_with_are_completed(
    line: str,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert completed(f"shuxin {line}", monkeypatch, capsys) == words


def test_only_a_list_of_words_at_the_beginning_is_one() -> None:
    assert words_of("warning or critical.") == ["warning", "critical"]
    assert words_of("mpc, psi, fl or tee; a built-in one has its own.") == [
        "mpc",
        "psi",
        "fl",
        "tee",
    ]
    for line in ("", "Title for people.", "Of csv, parquet, json; commas between.", "low."):
        assert words_of(line) == []


def test_keys_of_the_home_are_completed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHUXIN_HOME", str(tmp_path))
    assert completed("shuxin party list --key ", monkeypatch, capsys) == []
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("alice.pem", "adam.pem", "bob.pem", "passphrase"):
        (keys / name).touch()
    assert completed("shuxin party list --key a", monkeypatch, capsys) == ["adam", "alice"]


def test_a_file_name_that_a_shell_would_evaluate_is_not_told(tmp_path: Path) -> None:
    for name in ("ok.pem", "$(id).pem", "a;b.pem", "a b.pem", "`id`.pem", "a:b.pem", "\n.pem"):
        (tmp_path / name).touch()
    assert keys_in(tmp_path, "") == ["ok"]


def test_the_line_is_found_in_the_environment_of_each_shell() -> None:
    assert words_in({"COMP_WORDS": "shuxin\nevidence\nre"}) == ["evidence", "re"]
    assert words_in({"_TYPER_COMPLETE_ARGS": "shuxin evidence re"}) == ["evidence", "re"]
    assert words_in({}) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script_that_asks_this_program(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_SHUXIN_COMPLETE=complete_{shell}" in script and "shuxin" in script


@pytest.mark.parametrize("shell", [name for name in SHELLS if shutil.which(name)])
def test_the_script_is_one_of_its_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_tab_loads_nothing_heavy() -> None:
    script = (
        "import sys; from cli.main import main; code = main([]);"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules];"
        "sys.exit(code or bool(loaded) and f'loaded: {loaded}')"
    )
    line = {"COMP_WORDS": "shuxin\nwork\nl", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={
            **os.environ,
            **line,
            "_SHUXIN_COMPLETE": "complete_bash",
            "PYTHONPATH": f"{ROOT}:{ROOT}/proto/gen",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["list"]), done.stderr
