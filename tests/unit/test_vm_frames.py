"""Frames over pipes: whole, in pieces, too large, cut off and too late."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from contracts.vm import frames

Pipe = tuple[int, int]  # the end to read from, the end to write to


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Both ends open; a test may close either."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


def soon() -> float:
    return time.monotonic() + 30


# --- refused -----------------------------------------------------------------------------------


def test_a_closed_pipe_is_broken_for_who_reads_and_for_who_writes(pipe: Pipe) -> None:
    os.close(pipe[1])
    with pytest.raises(frames.PipeBroken, match="the other end closed"):
        frames.receive(pipe[0])
    with pytest.raises(frames.PipeBroken, match="write: Bad file descriptor"):
        frames.send(pipe[1], b"late")


def test_nobody_who_reads_breaks_the_pipe_for_who_writes(pipe: Pipe) -> None:
    os.close(pipe[0])
    with pytest.raises(frames.PipeBroken, match="write: Broken pipe"):
        frames.send(pipe[1], b"to nobody")
    with pytest.raises(frames.PipeBroken, match="read: Bad file descriptor"):
        frames.receive(pipe[0])


@pytest.mark.parametrize("sent", [b"\0", b"\0\0\0\4", b"\0\0\0\4abc"])
def test_a_frame_that_ends_early_is_none(pipe: Pipe, sent: bytes) -> None:
    os.write(pipe[1], sent)
    os.close(pipe[1])
    with pytest.raises(frames.PipeBroken, match="the other end closed"):
        frames.receive(pipe[0])


def test_a_frame_beyond_the_bound_is_refused_before_it_is_read(pipe: Pipe) -> None:
    size = frames.FRAME_SIZE_MAX + 1
    os.write(pipe[1], size.to_bytes(4, "big") + b"more")
    with pytest.raises(frames.PipeBroken, match=f"a frame of {size} bytes"):
        frames.receive(pipe[0])
    assert os.read(pipe[0], 10) == b"more"


def test_who_stalls_beyond_the_deadline_is_too_slow(pipe: Pipe) -> None:
    for end in pipe:
        os.set_blocking(end, False)
    with pytest.raises(frames.TooSlow, match="no answer in time"):
        frames.receive(pipe[0], deadline=time.monotonic() + 0.01)
    with pytest.raises(frames.TooSlow):
        frames.send(pipe[1], bytes(1 << 20), deadline=time.monotonic() + 0.01)


def test_a_deadline_in_the_past_is_missed_though_a_frame_is_there(pipe: Pipe) -> None:
    frames.send(pipe[1], b"there")
    with pytest.raises(frames.TooSlow):
        frames.receive(pipe[0], deadline=time.monotonic() - 1)


# --- as it should be ---------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(256)) * 16])
def test_what_is_sent_is_received_and_nothing_more(pipe: Pipe, payload: bytes) -> None:
    frames.send(pipe[1], payload)
    frames.send(pipe[1], b"the next")
    assert frames.receive(pipe[0]) == payload
    assert frames.receive(pipe[0], deadline=soon()) == b"the next"


@pytest.mark.parametrize("is_timed", [False, True])
def test_a_frame_larger_than_the_pipe_crosses_in_pieces(pipe: Pipe, is_timed: bool) -> None:
    payload = os.urandom(3 << 20)
    if is_timed:
        for end in pipe:
            os.set_blocking(end, False)
    deadline = soon() if is_timed else None
    sender = threading.Thread(
        target=frames.send, args=(pipe[1], payload), kwargs={"deadline": deadline}
    )
    sender.start()
    assert frames.receive(pipe[0], deadline=deadline) == payload
    sender.join()


def test_a_false_awakening_is_no_end(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """poll() may say that a descriptor is ready which then is not: the loop waits again."""
    for end in pipe:
        os.set_blocking(end, False)
    write, read, refusals = os.write, os.read, [1, 1]

    def false_write(descriptor: int, data: bytes) -> int:
        if len(refusals) == 2:
            refusals.pop()
            raise BlockingIOError
        return write(descriptor, data)

    def false_read(descriptor: int, size: int) -> bytes:
        if len(refusals) == 1:
            refusals.pop()
            raise BlockingIOError
        return read(descriptor, size)

    monkeypatch.setattr(os, "write", false_write)
    monkeypatch.setattr(os, "read", false_read)
    frames.send(pipe[1], b"patience", deadline=soon())
    assert frames.receive(pipe[0], deadline=soon()) == b"patience"
    assert not refusals
