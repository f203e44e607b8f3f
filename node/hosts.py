"""Which addresses are of this machine alone."""

from __future__ import annotations

import ipaddress


def is_loopback(listen: str) -> bool:
    """Does only this machine reach `listen` (host:port)? A name other than localhost: no."""
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
