"""Bytes on a node's ports, for clients and for peers, that are nothing they await: a connection
that does not know where it is, or stops in the middle of what it began."""

from __future__ import annotations

import socket
from random import Random

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MULTISTREAM = b"\x13/multistream/1.0.0\n"
PATIENCE_S = 0.05  # with an answer that nobody waits for
STARTS = (
    b"",
    PREFACE,
    PREFACE + b"\0\0\0\x04\0\0\0\0\0",  # settings, as they should be
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS ClientHello
    MULTISTREAM,
    MULTISTREAM + b"\x15/shuxin/tls-sm/1.0.0\n",  # what peers speak; a handshake should follow
    MULTISTREAM + b"\x07/noise\n",
)


def send(random: Random, host: str, port: int) -> None:
    """One connection with a known start and a wild rest; closed, or cut, or left to the node."""
    data = random.choice(STARTS) + b"".join(
        random.choice((_frame, _record, _noise))(random) for _ in range(random.randrange(8))
    )
    with socket.create_connection((host, port), timeout=5) as stream:
        stream.settimeout(PATIENCE_S)
        try:
            stream.sendall(data)
            if random.randrange(2):
                stream.shutdown(socket.SHUT_WR)
            stream.recv(4096)
        except OSError:
            pass  # refused, or silence: both are answers


def _noise(random: Random) -> bytes:
    return random.randbytes(random.randrange(200))


def _record(random: Random) -> bytes:
    """A record of TLS of any type, sometimes of another length than it says."""
    body = random.randbytes(random.choice((0, 1, 4, 40, 500)))
    size = len(body) if random.randrange(4) else random.getrandbits(16)
    return bytes([random.choice((20, 21, 22, 23, 24, 99)), 3, 3]) + size.to_bytes(2) + body


def _frame(random: Random) -> bytes:
    """A frame of HTTP/2 of any type, sometimes of another length than it says."""
    body = random.randbytes(random.choice((0, 1, 4, 5, 6, 8, 40)))
    size = len(body) if random.randrange(4) else random.getrandbits(24)
    stream = random.choice((0, 1, 2, 3, (1 << 31) - 1))
    head = size.to_bytes(3) + bytes([random.randrange(12), random.getrandbits(8)])
    return head + stream.to_bytes(4) + body
