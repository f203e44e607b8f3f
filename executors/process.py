"""A bounded subprocess in a private directory: bytes in, frames out, and nothing left.

The child gets no environment but what it needs, a directory of its own as home, working and
temporary directory, and no terminal. It ends when it is done, falls behind, says too much, is
cancelled, or its parent dies; then its process group is killed and its directory removed.
"""

from __future__ import annotations

import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from executors.errors import EngineFailed

POLL_S = 0.2  # how fast a cancellation is noticed
READ_SIZE = 64 << 10
OUT_OF_TIME = "out of time"
SOURCE_ROOT = Path(__file__).resolve().parent.parent


class Clock:
    """Monotonic seconds; tests replace it."""

    def now(self) -> float:
        return time.monotonic()


@contextmanager
def private_folder(root: Path, name: str) -> Iterator[Path]:
    """A fresh directory of mode 0700 that is gone afterwards, whatever happened in it."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = root / f"{name}.{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wipe_folders(root: Path) -> int:
    """Removes what a killed executor left behind; returns how many directories there were."""
    if not root.is_dir():
        return 0
    found = list(root.iterdir())
    for entry in found:
        shutil.rmtree(entry, ignore_errors=True)
    return len(found)


class Child:
    """A running `python -m module`, killed at the end of a `with` block."""

    def __init__(self, module: str, job: bytes, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The engine's chatter; what counts comes as frames, in sentences of ours.
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        assert self._process.stdin is not None, "a pipe was asked for"
        with suppress(BrokenPipeError):  # it died at once; reading will show that
            self._process.stdin.write(job)
            self._process.stdin.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def frames(
        self,
        *,
        size_max: int,
        deadline: Callable[[], float],
        cancel: threading.Event,
        clock: Clock,
    ) -> Iterator[bytes]:
        """Frames (4 bytes of length, body) until the child closes its output.

        `deadline` is asked again after every frame. Raises EngineFailed when it passes, on
        cancellation, and for a frame beyond `size_max`.
        """
        output = self._process.stdout
        assert output is not None, "a pipe was asked for"
        pending = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while True:
                if cancel.is_set():
                    raise EngineFailed("cancelled", stage="running")
                if clock.now() > deadline():
                    raise EngineFailed(OUT_OF_TIME, stage="running")
                if not selector.select(POLL_S):
                    continue
                piece = os.read(output.fileno(), READ_SIZE)
                if not piece:
                    return
                pending += piece
                while (frame := _take(pending, size_max)) is not None:
                    yield frame

    def ended_with(self) -> str:
        """How the process ended, in words; waits for it."""
        code = self._process.wait()
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"

    def kill(self) -> None:
        """Ends the process and all it started; safe to call at any time."""
        # Not after it was waited for: its number may be another process's by then.
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours leaks in; threads are few, because several tasks share the machine."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(SOURCE_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "JAX_PLATFORMS": "cpu",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
    }


def _take(pending: bytearray, size_max: int) -> bytes | None:
    """The first whole frame, taken off `pending`. Raises EngineFailed for one too long."""
    if len(pending) < 4:
        return None
    size = int.from_bytes(pending[:4], "big")
    if size > size_max:
        raise EngineFailed("the engine's answer is too long", stage="running")
    if len(pending) < 4 + size:
        return None
    frame = bytes(pending[4 : 4 + size])
    del pending[: 4 + size]
    return frame
