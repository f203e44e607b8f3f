"""Inbound connections: a socket, and who may stand at the door how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

import structlog
import trio

from p2p.address import TcpAddress, format_address
from p2p.errors import ConnectFailed, ListenFailed, Refusal
from p2p.limits import NetworkLimits
from p2p.places import place_of

log = structlog.get_logger("p2p")

REFUSALS_LOGGED_PER_MINUTE = 60  # a flood of strangers must not fill the disk
ADDRESSES_MAX = 4096  # whose attempts are counted: 400 KiB; the one seen longest ago is forgotten

IpRange: TypeAlias = IPv4Network | IPv6Network


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


@dataclass(slots=True)
class _Attempts:
    """What an address has left of its attempts, as of a time."""

    left: float
    at: float


class Door:
    """Connections whose other side has not yet proven who it is.

    They are counted by address, of IPv6 by network: whoever has one address of it has them all.
    When there are too many, of one address or in all, the oldest gives way to the newest: a
    handshake takes milliseconds, so it is the slow-loris that has waited longest.
    """

    def __init__(self, limits: NetworkLimits, allowed_ranges: Sequence[IpRange] = ()) -> None:
        self._limits = limits
        self._allowed_ranges = tuple(allowed_ranges)
        self._waiting: dict[trio.CancelScope, str] = {}  # in order of arrival
        self._attempts: dict[str, _Attempts] = {}  # the ones seen last at the end

    def check(self, host: str, *, now: float) -> None:
        """Before a byte is read: may this address try? Raises ConnectFailed. Counts the attempt."""
        if self._allowed_ranges and not self._is_inside(host):
            raise ConnectFailed(Refusal.ADDRESS, f"{host} is outside the ranges of [network] allow")
        place = place_of(host)
        seen = self._attempts.pop(place, None) or _Attempts(self._limits.attempts_burst, now)
        gained = (now - seen.at) * self._limits.attempts_per_s
        left = min(seen.left + gained, self._limits.attempts_burst)
        may_try = left >= 1
        self._attempts[place] = _Attempts(left - may_try, now)
        if len(self._attempts) > ADDRESSES_MAX:
            del self._attempts[next(iter(self._attempts))]
        if not may_try:
            raise ConnectFailed(Refusal.RATE, f"{host} tries more often than any neighbour would")

    def _is_inside(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False  # gone before it could be asked
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # how a socket for both kinds names an IPv4 address
        return any(address in allowed for allowed in self._allowed_ranges)

    @contextmanager
    def admit(self, host: str) -> Iterator[trio.CancelScope]:
        """Counts a connection of `host` while the block runs; cancels it if it must give way."""
        place = place_of(host)
        of_place = [scope for scope, other in self._waiting.items() if other == place]
        if len(of_place) >= self._limits.pending_per_address_max:
            self._dismiss(of_place[0])
        elif len(self._waiting) >= self._limits.pending_max:
            self._dismiss(next(iter(self._waiting)))
        scope = trio.CancelScope()
        self._waiting[scope] = place
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
