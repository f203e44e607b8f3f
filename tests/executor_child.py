"""A subprocess for tests of `executors.process`: does what its standard input says."""

from __future__ import annotations

import os
import signal
import sys


def frame(body: bytes) -> None:
    os.write(1, len(body).to_bytes(4, "big") + body)


def main() -> None:
    order = sys.stdin.buffer.read().decode()
    if order == "speak":
        frame(b"one")
        frame(b"")
        frame(b"x" * 100_000)
    elif order == "stay":
        frame(b"ready")
        signal.pause()
    elif order == "family":
        child = os.fork()
        if child:
            frame(str(child).encode())
        signal.pause()
    elif order == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif order == "boast":
        os.write(1, b"\xff\xff\xff\xff")
        signal.pause()
    elif order == "tell":
        frame("\n".join(sorted(os.environ)).encode())
        frame(os.getcwd().encode())
        with open("left-behind", "w", encoding="ascii") as handle:
            handle.write("x")
    elif order == "torn":
        os.write(1, b"\x00\x00\x00\x09abc")


main()
