"""The agent's process: one Unix socket, one request per connection, one connection at a time.

All who may connect are processes of one user, so one that dawdles harms only itself and its own;
still none may hold the others up for longer than REQUEST_S.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from crypto.agent.vault import Vault
from crypto.agent.wire import (
    ANSWER_SIZE_MAX,
    REQUEST_SIZE,
    AgentFault,
    Head,
    Operation,
    Status,
    decode_head,
    encode_answer,
)

REQUEST_S: Final = 2.0  # for a whole request and its answer, on one machine
DRAINS_MAX: Final = 16  # of 4 KiB: more than the largest request
PURGE_S: Final = 1.0  # a secret outlives its time by no more than this
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class Agent:
    """Owns the socket. Raises AgentFault where another agent has it."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self._vault = vault
        self._path = path
        _make_way(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)  # 0600 from the first moment
        try:
            self._socket.bind(str(path))
        except OSError as error:
            self._socket.close()
            raise AgentFault(f"{path} cannot be bound: {error.strerror}") from None
        finally:
            os.umask(before)
        self._socket.listen(16)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Answer until `is_over`, which is asked at least once every PURGE_S."""
        while not is_over():
            ready, _, _ = select.select([self._socket], [], [], PURGE_S)
            if ready:
                connection, _ = self._socket.accept()
                with connection:
                    self.answer(connection)
            self._vault.purge()

    def answer(self, connection: socket.socket) -> None:
        """One request of one client; whatever it sends, the agent stays."""
        if peer_uid(connection) != os.getuid():
            return  # not a word to another user, root included: root needs no agent
        until_s = time.monotonic() + REQUEST_S
        with contextlib.suppress(OSError, AgentFault):
            try:
                head = decode_head(_read(connection, REQUEST_SIZE, until_s))
                name = _read(connection, head.name_size, until_s).decode()
            except (AgentFault, UnicodeDecodeError):
                connection.sendall(encode_answer(Status.REFUSED, 0))
            else:
                self._act(connection, head, name, until_s)
            _drain(connection, until_s)

    def close(self) -> None:
        """Wipe everything and take the socket away."""
        self._vault.drop_all()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _act(self, connection: socket.socket, head: Head, name: str, until_s: float) -> None:
        match head.operation:
            case Operation.HOLD:
                status = self._hold(connection, head, name, until_s)
                connection.sendall(encode_answer(status, 0))
            case Operation.GIVE:
                secret = self._vault.give(name)
                if secret is None:
                    connection.sendall(encode_answer(Status.UNKNOWN, 0))
                else:
                    connection.sendall(encode_answer(Status.DONE, len(secret)))
                    connection.sendall(secret)
            case Operation.DROP:
                is_known = True
                if name:
                    is_known = self._vault.drop(name)
                else:
                    self._vault.drop_all()
                connection.sendall(encode_answer(Status.DONE if is_known else Status.UNKNOWN, 0))
            case Operation.LIST:
                lines = "\n".join(f"{seconds} {held}" for held, seconds in self._vault.held())
                data = lines.encode()[:ANSWER_SIZE_MAX]
                connection.sendall(encode_answer(Status.DONE, len(data)) + data)

    def _hold(self, connection: socket.socket, head: Head, name: str, until_s: float) -> Status:
        number = self._vault.reserve(name)
        if number is None:
            return Status.FULL
        try:
            _read_into(connection, self._vault.slot(number)[: head.secret_size], until_s)
        except BaseException:
            self._vault.wipe(number)  # half a secret is held under no name, and would stay
            raise
        self._vault.hold(name, number, size=head.secret_size, seconds=head.seconds)
        return Status.DONE


def peer_uid(connection: socket.socket) -> int:
    """The user of the process at the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return int(uid)


def _make_way(path: Path) -> None:
    """A socket that nobody listens on is of an agent that was killed. Raises AgentFault."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise AgentFault(f"{path}: {error.strerror}") from None
    if not stat.S_ISSOCK(mode):
        raise AgentFault(f"{path} is there and is no socket: choose another name")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(REQUEST_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise AgentFault(f"{path}: {error.strerror}") from None
    raise AgentFault(f"an agent listens at {path} already: use it, or end it first")


def _drain(connection: socket.socket, until_s: float) -> None:
    """Read what was not wanted, so that closing does not take the answer away from the client."""
    connection.shutdown(socket.SHUT_WR)
    room = bytearray(4096)
    for _ in range(DRAINS_MAX):
        connection.settimeout(max(0.001, until_s - time.monotonic()))
        if not connection.recv_into(room):
            break
        room[:] = bytes(len(room))  # it may be a secret for which there was no slot


def _read(connection: socket.socket, size: int, until_s: float) -> bytes:
    data = bytearray(size)
    _read_into(connection, memoryview(data), until_s)
    return bytes(data)


def _read_into(connection: socket.socket, view: memoryview, until_s: float) -> None:
    while len(view):
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise AgentFault("the request took too long")
        connection.settimeout(left_s)
        count = connection.recv_into(view)
        if not count:
            raise AgentFault("the request ended early")
        view = view[count:]
