"""Bounded queues: what waits for a writer, and what waits for the node."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import trio

from p2p.counters import ChannelCounters
from p2p.frames import HEADER_SIZE, encode_header
from p2p.limits import PATIENCE_S, ChannelLimits, Flow


@dataclass(frozen=True, slots=True)
class Frame:
    """What one peer sent in one piece; `peer_id` is authenticated, `body` is anything."""

    peer_id: str
    body: bytes


class Outgoing:
    """Frames of one channel that wait for the writer of one link. No I/O."""

    def __init__(self, limits: ChannelLimits, counters: ChannelCounters) -> None:
        self._limits = limits
        self._counters = counters
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._rest = memoryview(b"")  # of the frame that is partly written: never given up

    def put(self, body: bytes) -> bool:
        """Queues a frame; what does not fit is counted as dropped (see Flow)."""
        if self._limits.flow is Flow.WHOLE and not self._fits(body):
            self._counters.dropped += 1
            return False
        while not self._fits(body):
            self._size -= len(self._frames.popleft())
            self._counters.dropped += 1
        self._frames.append(body)
        self._size += len(body)
        return True

    def take(self, size_max: int) -> bytes:
        """Up to `size_max` bytes to write next: several small frames or a piece of a large one.

        A frame that has no room beside others waits, so that a writer comes to the end of a frame
        again and again however much there is to write (see `is_between_frames`).
        """
        parts: list[bytes | memoryview] = []
        room = size_max
        while room > 0 and (self._rest or self._has_next_within(room, is_first=not parts)):
            if not self._rest:
                self._rest = self._next_body()
                parts.append(encode_header(len(self._rest)))
                room -= HEADER_SIZE
            part = self._rest[:room]
            self._rest = self._rest[len(part) :]
            room -= len(part)
            parts.append(part)
        taken = b"".join(parts)
        self._counters.bytes_sent += len(taken)
        return taken

    @property
    def is_empty(self) -> bool:
        return not self._frames and not self._rest

    @property
    def is_between_frames(self) -> bool:
        """Is what was taken whole frames? A control word may stand nowhere else."""
        return not self._rest

    def discard(self) -> None:
        """The link is gone: everything that waited is dropped and counted."""
        self._counters.dropped += len(self._frames) + bool(self._rest)
        self._frames.clear()
        self._size = 0
        self._rest = memoryview(b"")

    def _fits(self, body: bytes) -> bool:
        return (
            self._size + len(body) <= self._limits.queue_size_max
            and len(self._frames) < self._limits.queue_frames_max
        )

    def _has_next_within(self, room: int, *, is_first: bool) -> bool:
        if not self._frames:
            return False
        return room > HEADER_SIZE if is_first else HEADER_SIZE + len(self._frames[0]) <= room

    def _next_body(self) -> memoryview:
        body = self._frames.popleft()
        self._size -= len(body)
        self._counters.frames_sent += 1
        return memoryview(body)


class Inbox:
    """Frames of one channel, from all peers, that wait for the node.

    On a WHOLE channel a reader waits for room, and thereby slows its peer down. Votes must keep
    flowing: once a reader has waited for PATIENCE_S in vain, frames are counted as unread and
    lost until the node takes frames again. (Letting the stream stand instead would make the
    peer's multiplexer kill the link after 5 s, and every other channel with it.)

    Votes are small, but a frame of them may be large: what would exceed their bytes is lost at
    once, and small ones still find room.
    """

    def __init__(self, limits: ChannelLimits, counters: ChannelCounters) -> None:
        self._flow = limits.flow
        self._counters = counters
        self._is_stalled = False
        self._size_max = limits.incoming_size_max
        self._sizes: deque[int] = deque()  # of the frames put last; those that wait are its end
        self._send: trio.MemorySendChannel[Frame]
        self.frames: trio.MemoryReceiveChannel[Frame]
        self._send, self.frames = trio.open_memory_channel[Frame](limits.incoming_frames_max)

    async def put(self, frame: Frame) -> None:
        if not self._has_room(len(frame.body)):
            self._counters.unread += 1
            return
        try:
            self._send.send_nowait(frame)
        except trio.WouldBlock:
            await self._put_later(frame)
        else:
            self._is_stalled = False
            self._sizes.append(len(frame.body))

    def _has_room(self, size: int) -> bool:
        waiting = self._send.statistics().current_buffer_used
        while len(self._sizes) > waiting:  # frames are taken in the order in which they came
            self._sizes.popleft()
        return self._size_max is None or sum(self._sizes) + size <= self._size_max

    def close(self) -> None:
        """No more frames: whoever iterates over `frames` ends after the last one."""
        self._send.close()

    async def _put_later(self, frame: Frame) -> None:
        if self._flow is Flow.WHOLE:
            await self._send.send(frame)
            return
        if not self._is_stalled:
            with trio.move_on_after(PATIENCE_S):
                await self._send.send(frame)
                self._sizes.append(len(frame.body))
                return
            self._is_stalled = True
        self._counters.unread += 1
