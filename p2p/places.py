"""As what a stranger is counted, before anything is known of him but his address."""

from __future__ import annotations

import ipaddress

IPV6_NETWORK_BITS = 64  # what one host is given: whoever has one address of it has them all


def place_of(host: str) -> str:
    """The address of an IPv4 host, or the network of an IPv6 one; what is neither, as it is."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        network = int(address) >> (128 - IPV6_NETWORK_BITS)
        return f"{network:x}/{IPV6_NETWORK_BITS}"
    return str(address)
