"""A socket in a node's data folder for who runs the node, and for nobody else.

It has mode 0600 from its first moment, and the kernel says who is at the other end: the node's own
user or root. That is no more than a signal or a look into the data folder asks for.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import trio

from ledger.errors import DecodeError

LENGTH: Final = struct.Struct(">I")  # before every message
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: ucred of unix(7)

Connection: TypeAlias = socket.socket | trio.socket.SocketType


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end when the connection was made, as the kernel knows it."""

    pid: int
    uid: int


def peer_of(connection: Connection) -> Peer:
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(found)
    return Peer(pid, uid)


def may_command(uid: int) -> bool:
    """Is this who runs the node of this process?"""
    return uid in (0, os.geteuid())


def listen(folder: Path, name: str, *, waiting_max: int) -> trio.SocketListener:
    """Make the socket, in the place of one that a killed node left. Raises OSError.

    Only for who has the lock of the ledger: another node's socket would be taken away.
    """
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(opened.fileno(), 0o600)  # before it has a name: it is never open to others
        (folder / name).unlink(missing_ok=True)
        with reachable(folder, name) as path:
            opened.bind(path)
        opened.listen(waiting_max)
    except BaseException:
        opened.close()
        raise
    return trio.SocketListener(trio.socket.from_stdlib_socket(opened))


@contextmanager
def reachable(folder: Path, name: str) -> Iterator[str]:
    """A name of the socket in `folder` that is short enough for a socket, however deep it lies."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


async def send(stream: trio.SocketStream, data: bytes, *, within_s: float) -> None:
    """Raises TooSlowError and what the stream raises."""
    with trio.fail_after(within_s):
        await stream.send_all(LENGTH.pack(len(data)) + data)


async def receive(stream: trio.SocketStream, *, size_max: int, within_s: float) -> bytes | None:
    """One message; None when the other side leaves. Raises DecodeError, TooSlowError."""
    with trio.fail_after(within_s):
        head = await _exactly(stream, LENGTH.size)
        if head is None:
            return None
        (length,) = LENGTH.unpack(head)
        if length > size_max:
            raise DecodeError(f"a question of {length} bytes")
        return await _exactly(stream, length)


async def _exactly(stream: trio.SocketStream, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        part = await stream.receive_some(count - len(data))
        if not part:
            return None
        data += part
    return bytes(data)
