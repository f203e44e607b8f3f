"""The command line's side of the administrator's socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final, TypeVar

from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import Record
from node import local
from node.admin.form import (
    LOG_LEVEL,
    RELOAD,
    REPLY_SIZE_MAX,
    SOCKET,
    STATUS,
    STOP,
    Inside,
    Order,
    Reply,
    Taken,
)

REPLY_S: Final = 30.0  # a node under load is slow, not away

R = TypeVar("R", bound=Record)


class AdminAway(Exception):
    """No node answers at this folder; says what to look at."""


class AdminRefused(Exception):
    """The node does not do it, or is no node that may be told anything; says why."""


def status(data_dir: Path) -> Inside:
    """Raises AdminAway, AdminRefused, as all that follow."""
    return _decoded(_told(data_dir, Order(STATUS))[0], Inside)


def set_log_level(data_dir: Path, level: str) -> str:
    """Until the node is started anew; the level that it had."""
    return _told(data_dir, Order(LOG_LEVEL, level))[0].decode("ascii", "replace")


def reload(data_dir: Path) -> Taken:
    """Have the node look at its certificate's file now."""
    return _decoded(_told(data_dir, Order(RELOAD))[0], Taken)


def stop(data_dir: Path) -> int:
    """Have it make final what it holds and end; its process, which still lives then."""
    return _told(data_dir, Order(STOP))[1]


def _told(data_dir: Path, order: Order) -> tuple[bytes, int]:
    """What the node replies, and the process that it is."""
    data = encode(order)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(REPLY_S)
        try:
            with local.reachable(data_dir, SOCKET) as path:
                line.connect(path)
            peer = local.peer_of(line)
            if not (local.may_command(peer.uid) or os.geteuid() == 0):
                raise AdminRefused(f"{data_dir / SOCKET} is of another user's process")
            line.sendall(local.LENGTH.pack(len(data)) + data)
            (length,) = local.LENGTH.unpack(_exactly(line, local.LENGTH.size))
            if length > REPLY_SIZE_MAX:
                raise AdminRefused(f"a reply of {length} bytes is of no node of this release")
            reply = _decoded(_exactly(line, length), Reply)
        except OSError as error:
            raise AdminAway(
                f"no node answers in {data_dir} ({error.strerror or 'too slow'}): name the data "
                "folder of a node that runs on this machine, as the user who runs it"
            ) from None
    if reply.refused:
        raise AdminRefused(f"the node answers: {reply.refused}")
    return reply.data, peer.pid


def _exactly(line: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = line.recv(count - len(data))
        if not part:
            raise AdminAway("the node hung up: it ends, or it takes no orders of this user")
        data += part
    return bytes(data)


def _decoded(data: bytes, kind: type[R]) -> R:
    try:
        return decode(data, kind, size_max=REPLY_SIZE_MAX)
    except DecodeError as error:
        raise AdminRefused(
            f"the node's reply is not understood ({error}): use the command line of its release"
        ) from None
