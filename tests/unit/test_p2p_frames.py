"""Framing: what is refused, what comes out, how much is held."""

from __future__ import annotations

import struct

import pytest

from p2p.counters import ChannelCounters
from p2p.errors import FrameInvalid
from p2p.frames import (
    ACKNOWLEDGE_MAX,
    HEARTBEAT,
    Acknowledged,
    Event,
    FrameDecoder,
    Sign,
    encode_acknowledged,
    encode_header,
    encode_sign,
)
from p2p.limits import ChannelLimits, Flow
from p2p.queues import Outgoing

LIMIT = 1000


def votes() -> FrameDecoder:
    return FrameDecoder(frame_size_max=LIMIT, has_control=True)


def bulk() -> FrameDecoder:
    return FrameDecoder(frame_size_max=LIMIT, has_control=False)


def framed(body: bytes) -> bytes:
    return encode_header(len(body)) + body


def test_an_oversize_frame_is_refused_before_its_body_arrives() -> None:
    with pytest.raises(FrameInvalid, match=r"1001 bytes .* limit is 1000"):
        bulk().feed(struct.pack(">I", LIMIT + 1))


def test_a_largest_frame_is_accepted() -> None:
    assert bulk().feed(framed(b"x" * LIMIT)) == [b"x" * LIMIT]


def test_a_decoder_that_refused_once_refuses_for_ever() -> None:
    decoder = bulk()
    with pytest.raises(FrameInvalid):
        decoder.feed(b"\x7f\xff\xff\xff")
    with pytest.raises(FrameInvalid, match="out of step"):
        decoder.feed(framed(b"good"))


@pytest.mark.parametrize("word", [HEARTBEAT, encode_acknowledged(Acknowledged(1, 5))])
def test_control_words_are_refused_on_bulk_channels(word: bytes) -> None:
    with pytest.raises(FrameInvalid, match="control word"):
        bulk().feed(word)


def test_an_acknowledgement_of_nothing_is_refused() -> None:
    with pytest.raises(FrameInvalid, match="of nothing"):
        votes().feed(b"\x80\x00\x00\x00")


def test_heartbeats_and_acknowledgements_stand_between_frames() -> None:
    words = [Acknowledged(2, 1), Acknowledged(6, ACKNOWLEDGE_MAX)]
    wire = HEARTBEAT + framed(b"a") + encode_acknowledged(words[0]) + HEARTBEAT
    wire += encode_acknowledged(words[1]) + framed(b"b")
    assert votes().feed(wire) == [b"a", words[0], words[1], b"b"]


def test_frames_are_put_together_from_single_bytes() -> None:
    decoder = bulk()
    wire = framed(b"first") + framed(b"second")
    events = [event for byte in wire for event in decoder.feed(bytes([byte]))]
    assert events == [b"first", b"second"]
    assert decoder.pending_size == 0


def test_a_decoder_holds_no_more_than_an_unfinished_frame() -> None:
    decoder = bulk()
    decoder.feed(framed(b"x" * LIMIT) + framed(b"y" * LIMIT)[:-1])
    assert decoder.pending_size == LIMIT + 3


def test_what_the_queue_writes_the_decoder_reads() -> None:
    limits = ChannelLimits(
        frame_size_max=LIMIT,
        queue_size_max=10 * LIMIT,
        queue_frames_max=100,
        incoming_frames_max=1,
        flow=Flow.WHOLE,
    )
    outgoing = Outgoing(limits, ChannelCounters())
    bodies = [b"a", b"b" * LIMIT, b"c" * 700, b"d" * 2, b"e" * 13]
    for body in bodies:
        assert outgoing.put(body)
    decoder = bulk()
    events: list[Event] = []
    while not outgoing.is_empty:
        piece = outgoing.take(64)
        assert 0 < len(piece) <= 64
        events.extend(decoder.feed(piece))
    assert events == bodies


def test_signs_stand_between_frames_and_end_any_channel() -> None:
    end, successor = encode_sign(Sign.END), encode_sign(Sign.SUCCESSOR)
    assert votes().feed(framed(b"a") + successor + framed(b"b") + end) == [
        b"a",
        Sign.SUCCESSOR,
        b"b",
        Sign.END,
    ]
    assert bulk().feed(framed(b"a") + end) == [b"a", Sign.END]
    with pytest.raises(FrameInvalid, match="has none"):
        bulk().feed(successor)
    with pytest.raises(FrameInvalid, match="nobody knows"):
        votes().feed(b"\xf0\x00\x00\x03")


def test_nothing_comes_after_the_end_of_a_channel() -> None:
    for more in (framed(b"a"), HEARTBEAT, encode_sign(Sign.END)):
        decoder = votes()
        decoder.feed(encode_sign(Sign.END))
        with pytest.raises(FrameInvalid, match="said to end"):
            decoder.feed(more)
