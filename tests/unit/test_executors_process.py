"""Subprocesses of executors are bounded in time and words, and leave nothing."""

from __future__ import annotations

import socket
import stat
import threading
from pathlib import Path

import psutil
import pytest

from executors.errors import EngineFailed, TaskRefused
from executors.ports import hold_port
from executors.process import Child, Clock, private_folder, wipe_folders

FOREVER = 1e12


class Hurried(Clock):
    """Each look at the clock is a second later."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        self._now += 1.0
        return self._now


def frames(
    order: str,
    folder: Path,
    *,
    size_max: int = 1 << 20,
    deadline: float = FOREVER,
    cancel: threading.Event | None = None,
    clock: Clock | None = None,
) -> list[bytes]:
    with Child("tests.executor_child", order.encode(), folder) as child:
        pid = child.pid
        try:
            return list(
                child.frames(
                    size_max=size_max,
                    deadline=lambda: deadline,
                    cancel=cancel or threading.Event(),
                    clock=clock or Clock(),
                )
            )
        finally:
            child.kill()
            assert not psutil.pid_exists(pid)


def test_frames_come_whole_and_in_order(tmp_path: Path) -> None:
    assert frames("speak", tmp_path) == [b"one", b"", b"x" * 100_000]


def test_a_child_that_says_nothing_more_is_killed_when_time_is_up(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="out of time"):
        frames("stay", tmp_path, deadline=10.0, clock=Hurried())


def test_a_cancelled_child_is_killed(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(EngineFailed, match="cancelled"):
        frames("stay", tmp_path, cancel=cancel)


def test_a_frame_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="too long"):
        frames("boast", tmp_path)


def test_what_a_child_started_dies_with_it(tmp_path: Path) -> None:
    with Child("tests.executor_child", b"family", tmp_path) as child:
        first = next(
            child.frames(
                size_max=100, deadline=lambda: FOREVER, cancel=threading.Event(), clock=Clock()
            )
        )
        grandchild = psutil.Process(int(first))
        assert grandchild.is_running()
    psutil.wait_procs([grandchild], timeout=10)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_how_a_child_ended_is_said_in_words(tmp_path: Path) -> None:
    with Child("tests.executor_child", b"die", tmp_path) as child:
        assert child.ended_with() == "signal SIGSEGV"
    with Child("tests.executor_child", b"", tmp_path) as child:
        assert child.ended_with() == "exit code 0"


def test_a_torn_frame_is_no_frame(tmp_path: Path) -> None:
    assert frames("torn", tmp_path) == []


def test_a_child_sees_only_the_environment_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHUXIN_PASSPHRASE", "secret")
    with private_folder(tmp_path, "task") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        names, place = frames("tell", folder)
        assert place.decode() == str(folder)
        assert (folder / "left-behind").exists()
    assert "SHUXIN_PASSPHRASE" not in names.decode()
    assert list(tmp_path.iterdir()) == []


def test_directories_of_a_killed_executor_are_wiped(tmp_path: Path) -> None:
    assert wipe_folders(tmp_path / "none") == 0
    (tmp_path / "run" / "t1.abcd").mkdir(parents=True)
    (tmp_path / "run" / "t1.abcd" / "file").write_text("x", encoding="ascii")
    assert wipe_folders(tmp_path / "run") == 1
    assert list((tmp_path / "run").iterdir()) == []


def test_two_executors_cannot_hold_one_port() -> None:
    first = hold_port("127.0.0.1", low=24_000, high=24_999)
    try:
        with pytest.raises(TaskRefused, match="widen"):
            hold_port("127.0.0.1", low=first.port, high=first.port)
    finally:
        first.close()


def test_an_engine_can_listen_on_the_port_held_for_it() -> None:
    held = hold_port("127.0.0.1", low=24_000, high=24_999)
    with socket.socket() as engine:
        engine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        engine.bind(("127.0.0.1", held.port))
        engine.listen()
        with socket.create_connection(("127.0.0.1", held.port), timeout=5):
            pass
    held.close()
