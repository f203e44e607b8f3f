"""Inbound connections: a socket, and who may stand at the door how long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import trio

from p2p.address import TcpAddress, format_address
from p2p.errors import ListenFailed
from p2p.limits import NetworkLimits

log = structlog.get_logger("p2p")

REFUSALS_LOGGED_PER_MINUTE = 60  # a flood of strangers must not fill the disk


async def open_listener(address: TcpAddress) -> trio.SocketListener:
    """A listening socket; raises ListenFailed. Nobody else can listen on the same port."""
    try:
        listeners = await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        raise ListenFailed(
            f"cannot listen on {address.host} port {address.port}: {error}; "
            "is a node already running there?"
        ) from error
    for surplus in listeners[1:]:  # a name with several addresses: one is enough
        await surplus.aclose()
    return listeners[0]


def listened_address(listener: trio.SocketListener) -> str:
    """The multiaddr of a listening socket, with its real port."""
    host, port = listener.socket.getsockname()[:2]
    return format_address(str(host), int(port))


class Door:
    """Connections whose other side has not yet proven who it is.

    When there are too many, of one address or in all, the oldest gives way to the newest: a
    handshake takes milliseconds, so it is the slow-loris that has waited longest.
    """

    def __init__(self, limits: NetworkLimits) -> None:
        self._limits = limits
        self._waiting: dict[trio.CancelScope, str] = {}  # in order of arrival

    @contextmanager
    def admit(self, host: str) -> Iterator[trio.CancelScope]:
        """Counts a connection of `host` while the block runs; cancels it if it must give way."""
        of_host = [scope for scope, other in self._waiting.items() if other == host]
        if len(of_host) >= self._limits.pending_per_address_max:
            self._dismiss(of_host[0])
        elif len(self._waiting) >= self._limits.pending_max:
            self._dismiss(next(iter(self._waiting)))
        scope = trio.CancelScope()
        self._waiting[scope] = host
        try:
            with scope:
                yield scope
        finally:
            self._waiting.pop(scope, None)

    def _dismiss(self, scope: trio.CancelScope) -> None:
        del self._waiting[scope]
        scope.cancel()


class RefusalLog:
    """One warning per refused connection, and a summary instead when there is a flood."""

    def __init__(self) -> None:
        self._minute = -1
        self._logged = 0
        self._suppressed = 0

    def refused(self, *, host: str, reason: str, now: float) -> None:
        minute = int(now // 60)
        if minute != self._minute:
            if self._suppressed:
                log.warning("more connections refused", count=self._suppressed)
            self._minute, self._logged, self._suppressed = minute, 0, 0
        if self._logged < REFUSALS_LOGGED_PER_MINUTE:
            self._logged += 1
            log.warning("connection refused", address=host, reason=reason)
        else:
            self._suppressed += 1
