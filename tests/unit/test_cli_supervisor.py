"""The supervisor with tiny programs: restarts what dies, says why, ends all, believes no file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli import net, netfiles, supervisor
from cli.output import CommandRefused
from cli.supervisor import Program

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
DIES = "import sys; print('noise'); sys.exit('refused: key_file_invalid: chmod 600 the key')"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    supervisor.stop(tmp_path)


def program(root: Path, name: str, source: str) -> Program:
    return Program(name, (sys.executable, "-c", source), root / f"{name}.log")


def eventually(condition: Callable[[], bool], *, within_s: float = 20) -> None:
    """Real processes have no fake clock."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pid_of(root: Path, name: str) -> int:
    eventually(lambda: name in supervisor.process_pids(root))
    return supervisor.process_pids(root)[name]


def test_down_ends_all_that_was_started(root: Path) -> None:
    supervisor.start_detached(root, [program(root, n, SLEEPER) for n in ("a", "b")])
    pids = [pid_of(root, name) for name in ("a", "b")]
    keeper = supervisor.supervisor_pid(root)
    assert keeper is not None and all(is_alive(pid) for pid in (*pids, keeper))
    assert supervisor.stop(root)
    assert not any(is_alive(pid) for pid in pids)
    eventually(lambda: not is_alive(keeper))
    assert supervisor.process_pids(root) == {}
    assert not supervisor.stop(root), "nothing runs any more"


def test_a_killed_process_is_started_again(root: Path) -> None:
    supervisor.start_detached(root, [program(root, "a", SLEEPER)])
    first = pid_of(root, "a")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: supervisor.process_pids(root).get("a", first) != first)
    (end,) = supervisor.ends(root)
    assert (end.name, end.count, end.code) == ("a", 1, -signal.SIGKILL)


def test_why_a_process_ended_is_what_it_said_last(root: Path) -> None:
    (root / "a.log").write_text("refused: old: from an earlier life\n")
    supervisor.start_detached(root, [program(root, "a", DIES), program(root, "b", SLEEPER)])
    eventually(lambda: bool(supervisor.ends(root)))
    (end,) = supervisor.ends(root)
    assert (end.name, end.code) == ("a", 1)
    assert end.reason == "refused: key_file_invalid: chmod 600 the key"
    assert "exit code 1" in end.sentence()
    assert is_alive(pid_of(root, "b")), "the others do not suffer"


def test_a_command_that_does_not_exist_is_a_death_not_the_end_of_all(root: Path) -> None:
    missing = Program("a", ("/nonexistent/program",), root / "a.log")
    supervisor.start_detached(root, [missing, program(root, "b", SLEEPER)])
    eventually(lambda: bool(supervisor.ends(root)))
    assert "/nonexistent/program" in supervisor.ends(root)[0].reason
    assert is_alive(pid_of(root, "b"))


def test_a_network_is_not_started_twice(root: Path) -> None:
    supervisor.start_detached(root, [program(root, "a", SLEEPER)])
    with pytest.raises(supervisor.AlreadyRunning, match="net down"):
        supervisor.start_detached(root, [program(root, "a", SLEEPER)])


def test_of_two_starts_at_once_one_wins(root: Path) -> None:
    outcomes: list[str] = []

    def start() -> None:
        try:
            supervisor.start_detached(root, [program(root, "a", SLEEPER)])
            outcomes.append("started")
        except supervisor.AlreadyRunning:
            outcomes.append("refused")

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["refused", "refused", "started"]
    supervisor.stop(root)
    # The losers' processes may be slow: none of them may come to life now.
    eventually(lambda: not [p for p in psutil.process_iter() if _serves(p, root)])
    assert supervisor.process_pids(root) == {}


def _serves(process: psutil.Process, root: Path) -> bool:
    try:
        return process.cmdline()[1:] == ["-m", "cli.supervisor", str(root)]
    except psutil.Error:
        return False


def test_asking_all_the_time_keeps_no_supervisor_from_starting(root: Path) -> None:
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            supervisor.supervisor_pid(root)

    (root / "run").mkdir()
    (root / "run" / "supervisor.lock").touch()
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        supervisor.start_detached(root, [program(root, "a", SLEEPER)])
    finally:
        is_over.set()
        thread.join(10)


def test_stale_files_stand_for_nothing(root: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL)
    try:
        run = root / "run"
        run.mkdir()
        (run / "supervisor.lock").write_text(str(bystander.pid))
        (run / "pids.json").write_text(json.dumps({"a": bystander.pid}))
        plan = [{"name": "a", "command": ["/another/command"], "log": "a.log"}]
        (run / "plan.json").write_text(json.dumps(plan))
        assert supervisor.supervisor_pid(root) is None
        assert not supervisor.stop(root)
        assert bystander.poll() is None, "an id that was used again is no process of ours"
        for name in ("pids.json", "ends.json", "plan.json"):
            (run / name).write_text("{torn")
        assert supervisor.process_pids(root) == {}
        assert supervisor.ends(root) == []
        supervisor.start_detached(root, [program(root, "a", SLEEPER)])
    finally:
        bystander.kill()
        bystander.wait()


def test_what_outlived_a_killed_supervisor_is_found_and_ended(root: Path) -> None:
    programs = [program(root, "a", SLEEPER)]
    supervisor.start_detached(root, programs)
    orphan = pid_of(root, "a")
    keeper = supervisor.supervisor_pid(root)
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: supervisor.supervisor_pid(root) is None)
    assert is_alive(orphan)
    with pytest.raises(supervisor.AlreadyRunning, match="without its supervisor"):
        supervisor.start_detached(root, programs)
    assert supervisor.stop(root)
    assert not is_alive(orphan)


def test_who_ignores_the_request_to_end_is_killed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an orphan here, where the patience can be shortened; a supervisor does the same."""
    monkeypatch.setattr(supervisor, "STOP_GRACE_S", 0.3)
    supervisor.start_detached(root, [program(root, "a", STUBBORN)])
    orphan = pid_of(root, "a")
    eventually(lambda: (root / "a.log").read_text() == "up\n")
    keeper = supervisor.supervisor_pid(root)
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: supervisor.supervisor_pid(root) is None)
    assert supervisor.stop(root)
    assert not is_alive(orphan)


def test_last_words_prefer_a_refusal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert supervisor.last_words(log) == ""
    log.write_text("one\nrefused: a: b\n\ntwo\n")
    assert supervisor.last_words(log) == "refused: a: b"
    assert supervisor.last_words(log, start=log.stat().st_size - 4) == "two"
    log.write_bytes(b"\xff\xfe" * 100_000 + b"\nrefused: c: d")
    assert supervisor.last_words(log) == "refused: c: d"


# --- net up ---------------------------------------------------------------------------------


def test_net_up_says_which_process_died_and_why(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cli.main import main

    entries = tuple(
        netfiles.NodeEntry(f"node{i}", "p", "/ip4/127.0.0.1/tcp/1", f"127.0.0.1:{i + 1}")
        for i in range(2)
    )
    plan = netfiles.NetworkPlan("test", "00", entries, ())
    monkeypatch.setattr(netfiles, "load_plan", lambda folder: plan)
    monkeypatch.setattr(
        netfiles,
        "programs",
        lambda folder, made: [program(root, "node0", SLEEPER), program(root, "node1", DIES)],
    )
    began = time.monotonic()
    assert main(["net", "up", str(root), "--timeout", "60"]) == 1
    assert time.monotonic() - began < 30, "long before the time-out"
    said = capsys.readouterr().err
    assert "net.died: node1 ended (exit code 1): refused: key_file_invalid: chmod 600" in said
    assert "net down" in said


def test_net_up_notices_that_the_supervisor_is_gone(root: Path) -> None:
    watch = net.Watch(root, frozenset({"node0"}))
    with pytest.raises(CommandRefused, match="supervisor ended"):
        watch.look()
