"""Keeps the processes of a local network running: starts them, restarts what dies, ends all.

It is for one machine (development, demonstration, tests). In production each node is a
service of its own and the init system does this (docs/operations.md).
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

RESTART_DELAY_S = 1.0
RESTART_DELAY_MAX_S = 30.0
HEALTHY_S = 20.0  # a process that ran this long starts anew with the short delay
STOP_GRACE_S = 10.0  # then SIGKILL: a ledger survives it, an operator's patience may not
LOG_SIZE_MAX = 64 << 20  # bytes of one process's log before it is rotated at a restart


class AlreadyRunning(Exception):
    """Another supervisor holds the network."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its name, its command, and where its output goes."""

    name: str
    command: tuple[str, ...]
    log: Path


def start_detached(root: Path, programs: Sequence[Program]) -> None:
    """Start a supervisor for `programs` in a session of its own. Raises AlreadyRunning."""
    run = root / "run"
    run.mkdir(exist_ok=True)
    if supervisor_pid(root) is not None:
        raise AlreadyRunning(f"the network in {root} runs already; `shuxin net down {root}` first")
    plan = [{"name": p.name, "command": list(p.command), "log": str(p.log)} for p in programs]
    (run / "plan.json").write_text(json.dumps(plan))
    with open(run / "supervisor.log", "ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "cli.supervisor", str(root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 10
    while supervisor_pid(root) is None:
        if time.monotonic() > deadline:
            raise AlreadyRunning(f"the supervisor did not start; see {run / 'supervisor.log'}")
        time.sleep(0.05)


def stop(root: Path, *, timeout_s: float = 30.0) -> bool:
    """End the supervisor and everything it started; False when nothing ran."""
    pid = supervisor_pid(root)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while supervisor_pid(root) is not None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} did not end within {timeout_s:.0f} s")
        time.sleep(0.05)
    return True


def supervisor_pid(root: Path) -> int | None:
    """The supervisor's process id while it lives: the lock tells, a stale file cannot."""
    path = root / "run" / "supervisor.lock"
    try:
        with open(path, "rb+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read(32)
                return int(text) if text.isdigit() else None
            return None
    except FileNotFoundError:
        return None


def process_pids(root: Path) -> dict[str, int]:
    """Names and process ids of what the supervisor keeps running now."""
    try:
        pids = json.loads((root / "run" / "pids.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return {str(name): int(pid) for name, pid in pids.items()}


class _Keeper:
    def __init__(self, root: Path) -> None:
        self._pids_path = root / "run" / "pids.json"
        self._pids: dict[str, int] = {}
        self._processes: dict[str, trio.Process] = {}

    async def keep(self, program: Program) -> None:
        delay = RESTART_DELAY_S
        while True:
            started = trio.current_time()
            code = await self._run(program)
            if trio.current_time() - started > HEALTHY_S:
                delay = RESTART_DELAY_S
            print(f"{program.name} ended with {code}; restart in {delay:.0f} s", flush=True)
            await trio.sleep(delay)
            delay = min(delay * 2, RESTART_DELAY_MAX_S)

    async def _run(self, program: Program) -> int:
        if program.log.exists() and program.log.stat().st_size > LOG_SIZE_MAX:
            program.log.rename(program.log.with_suffix(".log.1"))
        with open(program.log, "ab") as log:
            process = await trio.lowlevel.open_process(
                list(program.command), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._processes[program.name] = process
        self._publish(program.name, process.pid)
        try:
            return await process.wait()
        finally:
            if process.returncode is not None:
                self._publish(program.name, None)

    def _publish(self, name: str, pid: int | None) -> None:
        if pid is None:
            self._pids.pop(name, None)
        else:
            self._pids[name] = pid
        partial = self._pids_path.with_suffix(".new")
        partial.write_text(json.dumps(self._pids))
        partial.rename(self._pids_path)

    async def end_all(self) -> None:
        """SIGTERM to all, SIGKILL to those that stay."""
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()
        with trio.move_on_after(STOP_GRACE_S):
            for process in self._processes.values():
                await process.wait()
        for process in self._processes.values():
            if process.returncode is None:
                process.kill()
                await process.wait()
        self._pids_path.unlink(missing_ok=True)


async def _supervise(root: Path) -> None:
    plan = json.loads((root / "run" / "plan.json").read_text())
    keeper = _Keeper(root)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            for entry in plan:
                program = Program(entry["name"], tuple(entry["command"]), Path(entry["log"]))
                nursery.start_soon(keeper.keep, program)
            async for _ in signals:
                nursery.cancel_scope.cancel()
                break
        await keeper.end_all()


def main() -> None:
    root = Path(sys.argv[1])
    path = root / "run" / "supervisor.lock"
    with open(path, "ab+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()
        trio.run(_supervise, root)


if __name__ == "__main__":
    main()
