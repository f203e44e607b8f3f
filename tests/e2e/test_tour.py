"""docs/tour.md is what a new consortium does: every command of it runs here, in its order."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.quotas import lift
from cli import supervisor
from cli.main import main
from tests.e2e.harness import REPOSITORY
from tests.e2e.tour import Command, File, kept, named, read

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(420)]

PAGE = REPOSITORY / "docs" / "tour.md"
NETWORK = "city"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the tour begins: empty, and with no settings of the one who runs the tests."""
    for name in [name for name in os.environ if name.startswith("SHUXIN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    supervisor.stop(tmp_path / NETWORK)


def answer_of(command: Command, known: dict[str, str]) -> tuple[int, str]:
    """Exit code, and what a terminal shows."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        code = main([named(word, known) for word in command.words])
    return code, shown.getvalue()


def test_every_command_of_the_tour_does_what_the_page_says(folder: Path) -> None:
    known: dict[str, str] = {}
    for step in read(PAGE.read_text(encoding="utf-8")):
        if isinstance(step, File):
            path = folder / step.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # some hold secrets
            path.write_text(named(step.text, known), encoding="utf-8")
            continue
        where = f"{PAGE.name}:{step.line}: shuxin {' '.join(step.words)}"
        code, answer = answer_of(step, known)
        assert code == step.exit_code, f"{where}\n{answer}"
        known |= kept(step.promised, answer, known)
        if step.words[:2] == ("net", "new"):
            lift(folder / NETWORK)  # a test types faster than people, and from one host
