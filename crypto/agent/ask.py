"""Asking the agent. Whoever is about to tell it a secret checks whose process it is first."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from crypto.agent.serve import peer_uid
from crypto.agent.wire import (
    ANSWER_SIZE,
    NAME_SIZE_MAX,
    SECRET_SIZE_MAX,
    AgentFault,
    Head,
    Operation,
    Status,
    decode_answer,
    encode_head,
)

AGENT_VARIABLE: Final = "SHUXIN_AGENT"  # the path of its socket
SOCKET_NAME: Final = "shuxin-agent.sock"  # in XDG_RUNTIME_DIR
TIMEOUT_S: Final = 5.0  # it answers at once, or after one client that dawdles


def agent_path() -> Path | None:
    """Where the agent of this user is, or would be: SHUXIN_AGENT, or in XDG_RUNTIME_DIR."""
    if named := os.environ.get(AGENT_VARIABLE):
        return Path(named)
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return Path(folder) / SOCKET_NAME if folder else None


def name_of(key: Path) -> str:
    """Under which name the passphrase of a key file is held: its real path."""
    return str(key.resolve())


def hold(agent: Path, key: Path, passphrase: bytes, *, seconds: int) -> None:
    """Have the agent hold a passphrase. Raises AgentFault."""
    if not 0 < len(passphrase) <= SECRET_SIZE_MAX:
        raise AgentFault(f"a passphrase has 1 to {SECRET_SIZE_MAX} bytes")
    status, _ = _ask(agent, Operation.HOLD, name_of(key), passphrase, seconds)
    if status is Status.FULL:
        raise AgentFault("the agent holds as many as it can: drop some, `shuxin key lock`")
    if status is not Status.DONE:
        raise AgentFault("the agent refused: is it of another release?")


def give(agent: Path, key: Path) -> bytes | None:
    """The passphrase of a key file, or None if it holds none. Raises AgentFault."""
    status, secret = _ask(agent, Operation.GIVE, name_of(key))
    return secret if status is Status.DONE else None


def drop(agent: Path, key: Path | None) -> bool:
    """Have it wipe one, or all; was there one? Raises AgentFault."""
    status, _ = _ask(agent, Operation.DROP, "" if key is None else name_of(key))
    return status is Status.DONE


def held(agent: Path) -> list[tuple[str, int]]:
    """Key files whose passphrases it holds, and for how many seconds more. Raises AgentFault."""
    _, data = _ask(agent, Operation.LIST, "")
    found = []
    for line in data.decode(errors="replace").splitlines():
        seconds, _, name = line.partition(" ")
        if not seconds.isdecimal() or not name:
            raise AgentFault("the agent answered in another form: is it of another release?")
        found.append((name, int(seconds)))
    return found


def _ask(
    agent: Path, operation: Operation, name: str, secret: bytes = b"", seconds: int = 0
) -> tuple[Status, bytes]:
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise AgentFault("the path of the key file is no UTF-8: give it another name") from None
    if len(encoded) > NAME_SIZE_MAX:
        raise AgentFault("the path of the key file is too long")
    head = encode_head(Head(operation, len(encoded), len(secret), seconds))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(agent))
            if peer_uid(connection) != os.getuid():
                raise AgentFault(f"{agent} is of another user's process: it is told nothing")
            connection.sendall(head + encoded + secret)
            connection.shutdown(socket.SHUT_WR)
            status, size = decode_answer(_read(connection, ANSWER_SIZE))
            answer = _read(connection, size)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise AgentFault(f"no agent at {agent} ({what}): start one, `shuxin key agent`") from None
    if len(answer) != size:
        raise AgentFault("the agent's answer ended early")
    return status, answer


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data
