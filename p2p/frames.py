"""Length framing as pure functions of bytes: no I/O, no clock.

A frame is a 4-byte big-endian length (1 .. frame_size_max) and that many bytes. On the votes
channel two control words may stand where a length is expected: 0 is a heartbeat, and a word
with the top bit set acknowledges bytes of another channel (see Credit in link.py):
    1 | channel index: 3 bits | bytes taken: 28 bits
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from p2p.errors import FrameInvalid

HEADER_SIZE = 4
HEARTBEAT = bytes(HEADER_SIZE)
ACKNOWLEDGE_MAX = (1 << 28) - 1

_WORD = struct.Struct(">I")
_CONTROL_BIT = 1 << 31


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The peer's node has taken `size` more bytes of the channel with this index."""

    channel_index: int
    size: int


def encode_header(size: int) -> bytes:
    """The header of a frame with a body of `size` bytes."""
    assert 0 < size < _CONTROL_BIT
    return _WORD.pack(size)


def encode_acknowledged(acknowledged: Acknowledged) -> bytes:
    """The control word of an acknowledgement."""
    assert 0 <= acknowledged.channel_index < 8
    assert 0 < acknowledged.size <= ACKNOWLEDGE_MAX
    return _WORD.pack(_CONTROL_BIT | acknowledged.channel_index << 28 | acknowledged.size)


class FrameDecoder:
    """Bytes of one stream in, frames out. Holds at most one unfinished frame."""

    def __init__(self, *, frame_size_max: int, has_control: bool) -> None:
        self._frame_size_max = frame_size_max
        self._has_control = has_control
        self._buffer = bytearray()
        self._is_broken = False

    def feed(self, data: bytes) -> list[bytes | Acknowledged]:
        """What `data` completes, in order. Raises FrameInvalid, now and ever after.

        The announced length is judged before a byte of the body is kept, and nothing is
        allocated for it in advance.
        """
        if self._is_broken:
            raise FrameInvalid("the stream is out of step since an earlier bad frame")
        self._buffer += data
        events: list[bytes | Acknowledged] = []
        start = 0
        with memoryview(self._buffer) as view:
            try:
                while len(view) - start >= HEADER_SIZE:
                    word: int = _WORD.unpack_from(view, start)[0]
                    end = start + HEADER_SIZE
                    if word == 0 or word & _CONTROL_BIT:
                        events.extend(self._control(word))
                    else:
                        self._check_size(word)
                        end += word
                        if end > len(view):
                            break
                        events.append(bytes(view[start + HEADER_SIZE : end]))
                    start = end
            except FrameInvalid:
                self._is_broken = True
                raise
        del self._buffer[:start]
        return events

    @property
    def pending_size(self) -> int:
        """Bytes of the unfinished frame that are held."""
        return len(self._buffer)

    def _control(self, word: int) -> list[Acknowledged]:
        if not self._has_control:
            raise FrameInvalid("a control word on a channel that has none")
        if word == 0:
            return []
        size = word & ACKNOWLEDGE_MAX
        if size == 0:
            raise FrameInvalid("an acknowledgement of nothing")
        return [Acknowledged(channel_index=word >> 28 & 0b111, size=size)]

    def _check_size(self, size: int) -> None:
        if size > self._frame_size_max:
            raise FrameInvalid(
                f"a frame of {size} bytes was announced, the limit is {self._frame_size_max}"
            )
