"""The curve of GB/T 32918.5, and which keys and points are valid on it.

OpenSSL 3.0 signs for ever with d = n - 1 and signs with d = 0 when given them raw; other
libraries accept points off the curve. So every key passes here before it reaches a library,
and all providers refuse the same keys.
"""

from __future__ import annotations

from crypto.errors import KeyInvalid

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0

SCALAR_BYTES = 32
POINT_BYTES = 64

# d = n - 1 would make 1 + d zero modulo n, which signing has to invert (GB/T 32918.2, 6.1).
PRIVATE_MAX = N - 2


def is_on_curve(point: bytes) -> bool:
    """Whether X||Y are reduced coordinates of a point of the curve (never the one at infinity)."""
    if len(point) != POINT_BYTES:
        return False
    x = int.from_bytes(point[:SCALAR_BYTES], "big")
    y = int.from_bytes(point[SCALAR_BYTES:], "big")
    return x < P and y < P and (y * y - (x * x + A) * x - B) % P == 0


def check_public(public: bytes) -> None:
    """Raises KeyInvalid unless `public` is X||Y, 64 bytes, on the curve.

    The cofactor is 1, so a point on the curve that is not at infinity has order n.
    """
    if len(public) != POINT_BYTES:
        raise KeyInvalid(f"a public key has {POINT_BYTES} bytes X||Y, not {len(public)}")
    if not is_on_curve(public):
        raise KeyInvalid("the public key is no point of the SM2 curve")


def check_private(private: bytes) -> None:
    """Raises KeyInvalid unless `private` is a number 1 <= d <= n - 2 in 32 bytes, big-endian."""
    if len(private) != SCALAR_BYTES:
        raise KeyInvalid(f"a private key has {SCALAR_BYTES} bytes, not {len(private)}")
    if not 1 <= int.from_bytes(private, "big") <= PRIVATE_MAX:
        raise KeyInvalid("the private key is out of the range 1 .. n-2")
