"""Multiaddrs of the one kind in use here: a host and a TCP port."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from multiaddr import Multiaddr
from multiaddr.exceptions import Error as MultiaddrError

from p2p.errors import AddressInvalid

_HOST_PROTOCOLS = frozenset({"ip4", "ip6", "dns", "dns4", "dns6"})


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Where a node listens: an IP address or DNS name, and a port."""

    host: str
    port: int


def parse_address(text: str) -> TcpAddress:
    """The address of "/ip4/10.0.0.7/tcp/7001" (or ip6, dns, dns4, dns6); raises AddressInvalid."""
    try:
        parts = list(Multiaddr(text).items())
    except (MultiaddrError, ValueError) as error:
        raise AddressInvalid(f"{text!r} is not a multiaddr: {error}") from None
    if len(parts) == 2 and parts[0][0].name in _HOST_PROTOCOLS and parts[1][0].name == "tcp":
        return TcpAddress(host=str(parts[0][1]), port=int(str(parts[1][1])))
    raise AddressInvalid(f"{text!r}: write it as /ip4/10.0.0.7/tcp/7001 or /dns/name/tcp/7001")


def format_address(host: str, port: int) -> str:
    """The multiaddr of a numeric IP address and port."""
    version = ip_address(host).version
    return f"/ip{version}/{host}/tcp/{port}"
