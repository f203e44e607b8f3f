"""Keeps the processes of a local network running: starts them, restarts what dies, ends all.

It is for one machine (development, demonstration, tests). In production each node is a
service of its own and the init system does this (docs/operations.md).
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import trio

RESTART_DELAY_S = 1.0
RESTART_DELAY_MAX_S = 30.0
HEALTHY_S = 20.0  # a process that ran this long starts anew with the short delay
STOP_GRACE_S = 10.0  # then SIGKILL: a ledger survives it, an operator's patience may not
START_GRACE_S = 10.0  # for the supervisor itself to take its lock
LOG_TAIL_SIZE = 16 << 10  # bytes at the end of a log in which to look for why a process ended
REASON_SIZE_MAX = 500  # characters of a reason that are kept
LOG_SIZE_MAX = 64 << 20  # bytes of one process's log before it is rotated at a restart


class AlreadyRunning(Exception):
    """Another supervisor holds the network, or left processes behind."""


class StartFailed(Exception):
    """The supervisor ended before it held the network."""


class NotRunning(Exception):
    """No supervisor holds the network."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its name, its command, and where its output goes."""

    name: str
    command: tuple[str, ...]
    log: Path


@dataclass(frozen=True, slots=True)
class End:
    """How often a process ended by itself since the network was started, and how last."""

    name: str
    count: int
    code: int  # exit code; negative: the signal that killed it
    reason: str  # the last words in its log

    def sentence(self) -> str:
        how = f"exit code {self.code}" if self.code >= 0 else f"signal {-self.code}"
        return f"{self.name} ended ({how}): {self.reason or 'its log says nothing'}"


def start_detached(root: Path, programs: Sequence[Program]) -> None:
    """Start a supervisor for `programs` in a session of its own.

    Raises AlreadyRunning or StartFailed.
    """
    run = root / "run"
    run.mkdir(exist_ok=True)
    if supervisor_pid(root) is not None:
        raise AlreadyRunning(f"the network in {root} runs already; `shuxin net down {root}` first")
    if left := _leftovers(root):
        raise AlreadyRunning(
            f"process {left[0].pid} of the network in {root} runs without its supervisor; "
            f"`shuxin net down {root}` first"
        )
    plan = [_entry(program) for program in programs]
    with open(run / "supervisor.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.supervisor", str(root)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Reaped when it ends: a caller that lives longer than the network must see it gone.
    threading.Thread(target=process.wait, name="supervisor", daemon=True).start()
    assert process.stdin is not None
    # It gets its plan only when it holds the lock; without one it ends. So of two starts at once
    # the loser touches no file, and cannot come to life after the winner's end.
    with process.stdin as pipe:
        _await_lock(root, process)
        pipe.write(json.dumps(plan).encode())


def extend(root: Path, program: Program) -> None:
    """Have the running supervisor start and keep one more program. Raises NotRunning."""
    pid = supervisor_pid(root)
    if pid is None:
        raise NotRunning(f"the network in {root} does not run; `shuxin net up {root}` starts it")
    path = root / "run" / "plan.json"
    _write_whole(path, [*json.loads(path.read_text()), _entry(program)])
    _signal(pid, signal.SIGHUP)


def _entry(program: Program) -> dict[str, object]:
    return {"name": program.name, "command": list(program.command), "log": str(program.log)}


def _await_lock(root: Path, process: subprocess.Popen[bytes]) -> None:
    """Until `process` holds the network. Raises AlreadyRunning or StartFailed."""
    deadline = time.monotonic() + START_GRACE_S
    while True:
        is_over = process.poll() is not None or time.monotonic() > deadline
        holder = supervisor_pid(root)  # asked after that: the lock may be why it ended
        if holder == process.pid:
            return
        if holder is not None:
            raise AlreadyRunning(f"the network in {root} was started by somebody else meanwhile")
        if is_over:
            log = root / "run" / "supervisor.log"
            raise StartFailed(f"the supervisor did not start: {last_words(log)}; see {log}")
        time.sleep(0.02)


def stop(root: Path, *, timeout_s: float = 30.0) -> bool:
    """End the supervisor and everything it started, also what outlived an earlier supervisor.

    False when nothing ran. Raises TimeoutError.
    """
    pid = supervisor_pid(root)
    if pid is not None:
        _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        # Its lock is gone a moment before the process is.
        while supervisor_pid(root) == pid or _is_running(pid):
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {pid} did not end within {timeout_s:.0f} s")
            time.sleep(0.05)
    left = _leftovers(root)
    for process in left:
        _signal(process.pid, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(left, timeout=STOP_GRACE_S)
    for process in stubborn:
        _signal(process.pid, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=STOP_GRACE_S)
    (root / "run" / "pids.json").unlink(missing_ok=True)
    return pid is not None or bool(left)


def supervisor_pid(root: Path) -> int | None:
    """The supervisor's process id while it lives: the kernel tells, a stale file cannot.

    Asking takes no lock, so that it can never keep a supervisor that starts from taking its own.
    """
    try:
        with open(root / "run" / "supervisor.lock", "rb") as file:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except FileNotFoundError:
        return None
    kind, _, _, _, pid = _FLOCK.unpack(answer)
    return None if kind == fcntl.F_UNLCK else int(pid)


def process_pids(root: Path) -> dict[str, int]:
    """Names and process ids of what the supervisor keeps running now."""
    try:
        pids = json.loads((root / "run" / "pids.json").read_text())
        return {str(name): int(pid) for name, pid in pids.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def ends(root: Path) -> list[End]:
    """The processes that ended by themselves since the network was started."""
    try:
        found = json.loads((root / "run" / "ends.json").read_text())
        if found["supervisor"] != supervisor_pid(root):
            return []  # of an earlier life
        return [
            End(str(e["name"]), int(e["count"]), int(e["code"]), str(e["reason"]))
            for e in found["ends"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def last_words(log: Path, start: int = 0) -> str:
    """Why a process ended, by what it wrote after byte `start`: its last refusal, or last line."""
    try:
        with open(log, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - LOG_TAIL_SIZE) if size >= start else 0)
            lines = file.read(LOG_TAIL_SIZE).decode(errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    refusals = [line for line in said if line.startswith("refused: ")]
    return (refusals or said or [""])[-1][:REASON_SIZE_MAX]


# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("@hhqqi4x")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it was faster


def _is_running(pid: int) -> bool:
    """Ended processes that nobody reaped do not count."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _leftovers(root: Path) -> list[psutil.Process]:
    """Processes of the network that outlived their supervisor.

    A process counts only if it runs the command that the plan has under its name: ids are used
    again by strangers.
    """
    try:
        plan = json.loads((root / "run" / "plan.json").read_text())
        commands = {str(entry["name"]): list(entry["command"]) for entry in plan}
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if supervisor_pid(root) is not None:
        return []
    found = []
    for name, pid in process_pids(root).items():
        try:
            process = psutil.Process(pid)
            if process.cmdline() == commands.get(name):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _write_whole(path: Path, value: object) -> None:
    """JSON that readers see whole or not at all."""
    # A name of its own: two that start one network must not take each other's file away.
    partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
    partial.write_text(json.dumps(value, ensure_ascii=False))
    partial.rename(path)


class _Keeper:
    def __init__(self, root: Path) -> None:
        self._run_folder = root / "run"
        self._pids: dict[str, int] = {}
        self._ends: dict[str, End] = {}
        self._processes: dict[str, trio.Process] = {}
        self._kept: set[str] = set()
        self._publish()

    def keep_all(self, nursery: trio.Nursery) -> None:
        """Start what the plan lists and is not kept yet."""
        for entry in json.loads((self._run_folder / "plan.json").read_text()):
            program = Program(entry["name"], tuple(entry["command"]), Path(entry["log"]))
            if program.name not in self._kept:
                self._kept.add(program.name)
                nursery.start_soon(self.keep, program)

    async def keep(self, program: Program) -> None:
        delay = RESTART_DELAY_S
        while True:
            started = trio.current_time()
            try:
                code, reason = await self._run(program)
            except OSError as error:  # no such command, no such folder, no room
                code, reason = 127, str(error)
            if trio.current_time() - started > HEALTHY_S:
                delay = RESTART_DELAY_S
            count = self._ends[program.name].count + 1 if program.name in self._ends else 1
            end = self._ends[program.name] = End(program.name, count, code, reason)
            self._publish()
            print(f"{end.sentence()}; restart in {delay:.0f} s", flush=True)
            await trio.sleep(delay)
            delay = min(delay * 2, RESTART_DELAY_MAX_S)

    async def _run(self, program: Program) -> tuple[int, str]:
        """Exit code and last words of one life of a process."""
        if program.log.exists() and program.log.stat().st_size > LOG_SIZE_MAX:
            program.log.rename(program.log.with_suffix(".log.1"))
        with open(program.log, "ab") as log:
            start = log.tell()
            process = await trio.lowlevel.open_process(
                list(program.command), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._processes[program.name] = process
        self._pids[program.name] = process.pid
        self._publish()
        code = await process.wait()
        self._pids.pop(program.name, None)
        return code, last_words(program.log, start)

    def _publish(self) -> None:
        _write_whole(self._run_folder / "pids.json", self._pids)
        entries = [
            {"name": e.name, "count": e.count, "code": e.code, "reason": e.reason}
            for e in self._ends.values()
        ]
        found = {"supervisor": os.getpid(), "ends": entries}
        _write_whole(self._run_folder / "ends.json", found)

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
        (self._run_folder / "pids.json").unlink(missing_ok=True)


async def _supervise(root: Path) -> None:
    keeper = _Keeper(root)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        try:
            async with trio.open_nursery() as nursery:
                keeper.keep_all(nursery)
                async for number in signals:
                    if number == signal.SIGHUP:  # `extend` has changed the plan
                        keeper.keep_all(nursery)
                        continue
                    nursery.cancel_scope.cancel()
                    break
        finally:  # also when we fail: nothing that we started is left to itself
            with trio.CancelScope(shield=True):
                await keeper.end_all()


def main() -> int:
    root = Path(sys.argv[1])
    # Never closed: the lock lasts exactly as long as the process.
    lock = os.open(root / "run" / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # A lock of the process (not of the open file): the kernel names its holder.
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print(f"another supervisor holds {root}", flush=True)
        return 1
    plan = sys.stdin.buffer.read()
    if not plan:
        print(f"{root} was started by somebody else", flush=True)
        return 1
    _write_whole(root / "run" / "plan.json", json.loads(plan))
    trio.run(_supervise, root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
