"""Length framing as pure functions of bytes: no I/O, no clock.

A frame is a 4-byte big-endian length (1 .. frame_size_max) and that many bytes. Control words may
stand where a length is expected. On the votes channel 0 is a heartbeat, and a word with the top bit
set acknowledges bytes of another channel (see Credit in link.py):
    1 | channel index: 3 bits | bytes taken: 28 bits
Index 7 is no channel, and its words are Signs: one of the votes channel, one that ends any channel.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from p2p.errors import FrameInvalid

HEADER_SIZE = 4
HEARTBEAT = bytes(HEADER_SIZE)
ACKNOWLEDGE_MAX = (1 << 28) - 1

_WORD = struct.Struct(">I")
_CONTROL_BIT = 1 << 31
_NO_CHANNEL = 7


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The peer's node has taken `size` more bytes of the channel with this index."""

    channel_index: int
    size: int


class Sign(Enum):
    """What one side asks or says of the link itself."""

    SUCCESSOR = 1  # to the one who dials: make another link beside this one
    END = 2  # nothing more comes on this channel


Event: TypeAlias = "bytes | Acknowledged | Sign"


def encode_sign(sign: Sign) -> bytes:
    """The control word of a sign."""
    return _WORD.pack(_CONTROL_BIT | _NO_CHANNEL << 28 | sign.value)


def encode_header(size: int) -> bytes:
    """The header of a frame with a body of `size` bytes."""
    assert 0 < size < _CONTROL_BIT
    return _WORD.pack(size)


def encode_acknowledged(acknowledged: Acknowledged) -> bytes:
    """The control word of an acknowledgement."""
    assert 0 <= acknowledged.channel_index < _NO_CHANNEL
    assert 0 < acknowledged.size <= ACKNOWLEDGE_MAX
    return _WORD.pack(_CONTROL_BIT | acknowledged.channel_index << 28 | acknowledged.size)


class FrameDecoder:
    """Bytes of one stream in, frames out. Holds at most one unfinished frame."""

    def __init__(self, *, frame_size_max: int, has_control: bool) -> None:
        self._frame_size_max = frame_size_max
        self._has_control = has_control
        self._buffer = bytearray()
        self._is_broken = False
        self._has_ended = False

    def feed(self, data: bytes) -> list[Event]:
        """What `data` completes, in order. Raises FrameInvalid, now and ever after.

        The announced length is judged before a byte of the body is kept, and nothing is
        allocated for it in advance.
        """
        if self._is_broken:
            raise FrameInvalid("the stream is out of step since an earlier bad frame")
        self._buffer += data
        events: list[Event] = []
        start = 0
        with memoryview(self._buffer) as view:
            try:
                while len(view) - start >= HEADER_SIZE:
                    if self._has_ended:
                        raise FrameInvalid("bytes after the channel was said to end")
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

    def _control(self, word: int) -> list[Event]:
        index, size = word >> 28 & 0b111, word & ACKNOWLEDGE_MAX
        if word and index == _NO_CHANNEL and size == Sign.END.value:
            self._has_ended = True
            return [Sign.END]
        if not self._has_control:
            raise FrameInvalid("a control word on a channel that has none")
        if word == 0:
            return []
        if index == _NO_CHANNEL:
            if size != Sign.SUCCESSOR.value:
                raise FrameInvalid("a control word that nobody knows")
            return [Sign.SUCCESSOR]
        if size == 0:
            raise FrameInvalid("an acknowledgement of nothing")
        return [Acknowledged(channel_index=index, size=size)]

    def _check_size(self, size: int) -> None:
        if size > self._frame_size_max:
            raise FrameInvalid(
                f"a frame of {size} bytes was announced, the limit is {self._frame_size_max}"
            )
