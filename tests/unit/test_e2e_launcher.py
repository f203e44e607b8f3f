"""The wrong clock of the end-to-end runs is really wrong, and right again when it has to be."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.launcher import install_clock

NOW_NS = 1_700_000_000_000_000_000


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clock that shows NOW_NS unless the file says otherwise; both functions are put back."""
    monkeypatch.setattr(time, "time", time.time)
    monkeypatch.setattr(time, "time_ns", lambda: NOW_NS)
    path = tmp_path / "clock"
    install_clock(path)
    return path


def test_without_a_file_the_clock_is_right(control: Path) -> None:
    assert time.time_ns() == NOW_NS
    assert time.time() == NOW_NS / 1e9


@pytest.mark.parametrize("offset_ms", [60_000, -60_000])
def test_the_clock_jumps_and_jumps_back(control: Path, offset_ms: int) -> None:
    control.write_text(f"offset {offset_ms}")
    assert time.time_ns() - NOW_NS == offset_ms * 1_000_000
    assert time.time() == pytest.approx(NOW_NS / 1e9 + offset_ms / 1000)
    control.unlink()
    assert time.time_ns() == NOW_NS


def test_a_stopped_clock_shows_what_it_was_told(control: Path) -> None:
    control.write_text("stopped 1234567")
    assert time.time_ns() == 1_234_567_000_000
