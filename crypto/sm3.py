"""SM3 (GB/T 32905): the hash of everything in this project."""

from __future__ import annotations

import hashlib


def digest(data: bytes) -> bytes:
    """SM3 of `data`, 32 bytes."""
    return hashlib.new("sm3", data).digest()
