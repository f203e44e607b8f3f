"""Runs a workload under the shim, and reads what it did."""

from __future__ import annotations

import os
import posixpath
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
REPOSITORY = Path(__file__).resolve().parents[2]
ACKS = "acks"  # below the root: what is written there is said, not stored
WORKLOAD_S = 300.0
_HEAD = struct.Struct("<BiIQII")


class Kind(IntEnum):
    """As in shim.c."""

    OPEN = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    CLOSE = 5
    RENAME = 6
    LINK = 7
    UNLINK = 8
    RMDIR = 9
    MKDIR = 10


@dataclass(frozen=True, slots=True)
class Op:
    """One operation; paths are relative to the root. `first` is the data of a WRITE."""

    kind: Kind
    fd: int
    flags: int
    offset: int  # of a WRITE; the size of a TRUNCATE
    first: bytes
    second: bytes = b""
    is_new_life: bool = False  # the process before it was killed: its descriptors are closed

    def __str__(self) -> str:
        what = f"{len(self.first)} bytes" if self.kind is Kind.WRITE else self.first.decode()
        return f"{self.kind.name} {self.fd} @{self.offset} {what} {self.second.decode()}".strip()


def compiled(folder: Path) -> Path:
    """The shim, as a library in `folder`."""
    library = folder / "shim.so"
    if not library.exists():
        command = ["gcc", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-pthread"]
        subprocess.run([*command, str(SOURCE), "-o", str(library)], check=True, timeout=60)
    return library


@dataclass(frozen=True, slots=True)
class Stage:
    """Where workloads run: `root` is theirs, the trace and the shim lie beside it."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def trace(self) -> Path:
        return self.folder / "trace"

    def run(self, module: str, *arguments: str, stop: int | None = None) -> bool:
        """Run `python -m module root arguments`; False when it was stopped before operation `stop`.

        Several runs on one stage are the lives of one machine: their traces follow each other.
        """
        self.root.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "LD_PRELOAD": str(compiled(self.folder)),
            "SHIM_ROOT": str(self.root),
            "SHIM_TRACE": str(self.trace),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if stop is not None:
            environment["SHIM_STOP"] = str(stop)
        command = [sys.executable, "-m", module, str(self.root), *arguments]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, timeout=WORKLOAD_S, check=False
        )
        if stop is not None and done.returncode == -signal.SIGKILL:
            with self.trace.open("ab") as trace:
                trace.write(_HEAD.pack(0, 0, 0, 0, 0, 0))
            return False
        assert done.returncode == 0, f"the workload failed: {command}"
        return True

    def operations(self) -> list[Op]:
        return list(_parse(self.trace.read_bytes(), str(self.root)))


def _parse(data: bytes, root: str) -> Iterator[Op]:
    place, is_new_life = 0, False
    while place < len(data):
        kind, fd, flags, offset, first_size, second_size = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        first = data[place : place + first_size]
        place += first_size
        second = data[place : place + second_size]
        place += second_size
        if kind == 0:
            is_new_life = True
            continue
        if kind not in (Kind.WRITE, Kind.SYNC, Kind.CLOSE):
            first, second = _relative(first, root), _relative(second, root)
        yield Op(Kind(kind), fd, flags, offset, first, second, is_new_life)
        is_new_life = False


def _relative(path: bytes, root: str) -> bytes:
    return posixpath.relpath(path.decode(), root).encode() if path else b""


def say(root: Path, words: Sequence[str]) -> None:
    """Acknowledge in the trace, from inside a workload."""
    handle = os.open(root / ACKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, (" ".join(words) + "\n").encode())
    os.close(handle)


def words_of(operations: Sequence[Op]) -> list[list[str]]:
    """All that is said in a trace."""
    said: list[list[str]] = []
    descriptor = -1
    for op in operations:
        if op.kind is Kind.OPEN and op.first.decode() == ACKS:
            descriptor = op.fd
        elif op.kind is Kind.WRITE and op.fd == descriptor:
            said.append(op.first.decode().split())
        elif op.kind is Kind.CLOSE and op.fd == descriptor:
            descriptor = -1
    return said
