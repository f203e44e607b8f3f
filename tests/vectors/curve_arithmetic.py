"""The curve of SM2 in plain affine arithmetic: slow, obvious, and independent of any library.

From it come signatures no signer would make: choose R, s and t, and P = (R - sG) / t is a key
under which they verify.
"""

from __future__ import annotations

from typing import NewType

from crypto.curve import GX, GY, A, B, N, P

# None is the point at infinity.
Point = NewType("Point", tuple[int, int])
G = Point((GX, GY))


def add(first: Point | None, second: Point | None) -> Point | None:
    """first + second."""
    if first is None or second is None:
        return first or second
    (x1, y1), (x2, y2) = first, second
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if first == second:
        slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P)
    x3 = (slope * slope - x1 - x2) % P
    return Point((x3, (slope * (x1 - x3) - y1) % P))


def multiply(scalar: int, point: Point | None) -> Point | None:
    """scalar * point."""
    result = None
    for bit in bin(scalar % N)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def point(scalar: int) -> Point:
    """scalar * G, which must not be the point at infinity."""
    found = multiply(scalar, G)
    assert found is not None
    return found


def lift(x: int) -> Point | None:
    """A point with this x, if there is one."""
    square = (x * x * x + A * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    return Point((x, y)) if y * y % P == square else None


def lift_from(x: int) -> Point:
    """The point with the smallest x not below this one."""
    while (found := lift(x)) is None:
        x += 1
    return found


def encode(value: Point) -> bytes:
    """X||Y."""
    return value[0].to_bytes(32, "big") + value[1].to_bytes(32, "big")


def signature(r: int, s: int) -> bytes:
    """r||s."""
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def public_for(commitment: Point | None, *, s: int, t: int) -> bytes:
    """The key P with sG + tP = `commitment`."""
    minus_s = multiply(N - s, G)
    found = multiply(pow(t, -1, N), add(commitment, minus_s))
    assert found is not None
    return encode(found)


def is_good(public: bytes, digest: bytes, raw: bytes) -> bool:
    """GB/T 32918.2, 7.1, word by word, for a key known to be a point of the curve."""
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    if not 1 <= r < N or not 1 <= s < N or (t := (r + s) % N) == 0:
        return False
    key = Point((int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big")))
    commitment = add(multiply(s, G), multiply(t, key))
    return commitment is not None and (int.from_bytes(digest, "big") + commitment[0]) % N == r
