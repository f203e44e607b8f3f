"""Ports kept free between the moment they are promised and the moment the engine listens.

A port is announced on chain when a task is accepted, and used when all have accepted. Until then
a bound socket that does not listen holds it. Address reuse is switched on after the binding: so
two executors on one machine cannot both get a port, but the engine, which binds with reuse, can.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

from executors.errors import TaskRefused


@dataclass(slots=True)
class HeldPort:
    """A port of this machine that is ours until `close`."""

    host: str
    port: int
    _socket: socket.socket

    def close(self) -> None:
        self._socket.close()


def hold_port(host: str, *, low: int, high: int) -> HeldPort:
    """Some free port from `low` to `high`. Raises TaskRefused when there is none."""
    count = high - low + 1
    start = secrets.randbelow(count)  # executors on one machine rarely try the same first
    for step in range(count):
        port = low + (start + step) % count
        held = _bound(host, port)
        if held is not None:
            return HeldPort(host, port, held)
    raise TaskRefused(f"no free port from {low} to {high}: widen [network] ports")


def _bound(host: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    candidate = socket.socket(family, socket.SOCK_STREAM)
    try:
        candidate.bind((host, port))
    except OSError:
        candidate.close()
        return None
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return candidate
