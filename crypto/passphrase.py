"""Where daemons take the passphrase of their key files from; never from a command line."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from crypto.agent import ask
from crypto.agent.wire import AgentFault
from crypto.errors import KeyFileInvalid
from crypto.keys import PASSPHRASE_BYTES_MAX

PASSPHRASE_VARIABLE: Final = "SHUXIN_PASSPHRASE"  # a name, not a secret


def find_passphrase(
    path: Path | None,
    *,
    keys: Sequence[Path] = (),
    setting: str = "passphrase_file",
    variable: str = PASSPHRASE_VARIABLE,
) -> bytes:
    """The first line of `path`; without one, of the environment; else what the agent holds.

    The agent is asked for the key files that the passphrase opens, in order. Raises KeyFileInvalid
    when the file is missing, empty or readable by others, or nothing is found anywhere.
    """
    if path is not None:
        return passphrase_of_file(path)
    if value := os.environ.get(variable):
        return os.fsencode(value)  # the very bytes; the error of `encode` would carry them
    agent = ask.agent_path()
    reason = "no agent is named"
    if agent is not None:
        try:
            for key in keys:
                if (found := ask.give(agent, key)) is not None:
                    return found
            reason = f"the agent at {agent} holds none for it"
        except AgentFault as fault:
            reason = str(fault)
    advice = f"set {setting} in the configuration or {variable}"
    if keys:
        advice += f", or run: shuxin key unlock {keys[0]}; {reason}"
    raise KeyFileInvalid(f"no passphrase: {advice}")


def passphrase_of_file(path: Path) -> bytes:
    """The first line of a file that only its owner can read. Raises KeyFileInvalid."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyFileInvalid(f"{path} is readable by others: chmod 600 {path}")
            data = file.read(PASSPHRASE_BYTES_MAX + 1)
    except OSError as error:
        raise KeyFileInvalid(f"{path}: {error.strerror}") from None
    if len(data) > PASSPHRASE_BYTES_MAX:
        raise KeyFileInvalid(f"{path} is too long to hold a passphrase")
    line = data.splitlines()[0] if data else b""
    if not line:
        raise KeyFileInvalid(f"{path} is empty; its first line is the passphrase")
    return line
