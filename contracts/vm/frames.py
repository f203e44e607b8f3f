"""Frames over pipes: four bytes of length, then one message. Both ends use this file."""

from __future__ import annotations

import os
import select
import time

FRAME_SIZE_MAX = 128 << 20  # 500 million gas put out at most 55 MB; the rest is reserve
_CHUNK = 1 << 20


class PipeBroken(Exception):
    """The other end closed, stalled beyond the deadline, or sent no frame."""


class TooSlow(PipeBroken):
    """The other end stalled beyond the deadline."""


def send(descriptor: int, payload: bytes, *, deadline: float | None = None) -> None:
    """Write one frame. With a `deadline` (monotonic) the descriptor must be non-blocking."""
    data = memoryview(len(payload).to_bytes(4, "big") + payload)
    while data:
        if deadline is not None:
            _wait(descriptor, select.POLLOUT, deadline)
        try:
            written = os.write(descriptor, data[:_CHUNK])
        except BlockingIOError:
            continue
        except OSError as error:
            raise PipeBroken(f"write: {error.strerror}") from None
        data = data[written:]


def receive(descriptor: int, *, deadline: float | None = None) -> bytes:
    """Read one frame. Raises PipeBroken."""
    size = int.from_bytes(_read_exactly(descriptor, 4, deadline), "big")
    if size > FRAME_SIZE_MAX:
        raise PipeBroken(f"a frame of {size} bytes")
    return _read_exactly(descriptor, size, deadline)


def _read_exactly(descriptor: int, size: int, deadline: float | None) -> bytes:
    parts: list[bytes] = []
    while size:
        if deadline is not None:
            _wait(descriptor, select.POLLIN, deadline)
        try:
            part = os.read(descriptor, min(size, _CHUNK))
        except BlockingIOError:
            continue
        except OSError as error:
            raise PipeBroken(f"read: {error.strerror}") from None
        if not part:
            raise PipeBroken("the other end closed")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise TooSlow("no answer in time")
