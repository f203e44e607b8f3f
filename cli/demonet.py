"""A network for one demonstration: made, started, handed over, and ended whatever happens."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from cli import net, netfiles, supervisor
from cli.language import say
from cli.options import Invocation
from cli.output import CommandRefused, note

FOLDER_PREFIX = "shuxin-demo-"
NETWORK = "demo"
GONE_S = 5.0  # what ends with its parent may take a moment


class Stopped(CommandRefused):
    """Somebody asked the demonstration to end."""

    def __init__(self, name: str) -> None:
        super().__init__("scenario.stopped", f"ended by {name}; the network was stopped")


@contextmanager
def folder_for(wanted: Path | None) -> Iterator[Path]:
    """`wanted`, which stays, or a temporary folder, which stays only when something failed."""
    if wanted is not None:
        yield wanted.resolve()
        return
    parent = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    try:
        yield parent / NETWORK
    except BaseException:
        note(say("keys, ledgers and logs are kept in {folder}", folder=parent))
        raise
    shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def running(ask: Invocation, root: Path, *, nodes: int) -> Iterator[netfiles.NetworkPlan]:
    """A new network in `root` with an executor for each supplier, up while inside.

    Raises CommandRefused when it cannot be made, does not come up, or leaves a process behind.
    """
    plan = netfiles.create(root, nodes=nodes, port_base=0, executors=True)
    with _signals_raise():
        try:
            net.up(ask, root)
            yield plan
        finally:
            with _signals_held():
                left = _end(root)
    if left:
        raise CommandRefused("scenario.left_running", f"ended by force: {', '.join(left)}")


def _end(root: Path) -> list[str]:
    """Stop the network; kills, and names, what did not end by itself."""
    family = _family(root)
    try:
        supervisor.stop(root)
    except TimeoutError as slow:
        note(str(slow))
    deadline = time.monotonic() + GONE_S
    while (left := [p for p in family if p.is_running()]) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=0.2)
        left = [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        family = left
    for process in left:
        process.kill()
    return [f"process {process.pid}" for process in left]


def _family(root: Path) -> list[psutil.Process]:
    """The supervisor of the network in `root` and everything that descends from it."""
    pid = supervisor.supervisor_pid(root)
    if pid is None:
        return []
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP become an exception, so that what is open is closed."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _signals_held() -> Iterator[None]:
    """An impatient second signal must not leave a network behind."""
    numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
