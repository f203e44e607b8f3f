"""Framing under hostile bytes and arbitrary cuts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.counters import ChannelCounters
from p2p.errors import FrameInvalid
from p2p.frames import (
    ACKNOWLEDGE_MAX,
    HEARTBEAT,
    Acknowledged,
    FrameDecoder,
    encode_acknowledged,
    encode_header,
)
from p2p.limits import ChannelLimits, Flow
from p2p.queues import Outgoing

LIMIT = 300

bodies = st.binary(min_size=1, max_size=LIMIT)
acknowledgements = st.builds(
    Acknowledged,
    channel_index=st.integers(0, 6),
    size=st.integers(1, ACKNOWLEDGE_MAX),
)


def wire_of(event: bytes | Acknowledged | None) -> bytes:
    if event is None:
        return HEARTBEAT
    if isinstance(event, Acknowledged):
        return encode_acknowledged(event)
    return encode_header(len(event)) + event


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@settings(max_examples=200)
@given(
    events=st.lists(st.one_of(bodies, acknowledgements, st.none()), max_size=20),
    sizes=st.lists(st.integers(0, 400), max_size=40),
)
def test_frames_survive_any_cut(
    events: list[bytes | Acknowledged | None], sizes: list[int]
) -> None:
    decoder = FrameDecoder(frame_size_max=LIMIT, has_control=True)
    wire = b"".join(wire_of(event) for event in events)
    decoded = [event for piece in cut(wire, sizes) for event in decoder.feed(piece)]
    assert decoded == [event for event in events if event is not None]
    assert decoder.pending_size == 0


@settings(max_examples=300)
@given(
    data=st.binary(max_size=2000),
    sizes=st.lists(st.integers(0, 100), max_size=20),
    has_control=st.booleans(),
)
def test_hostile_bytes_give_frames_or_frame_invalid(
    data: bytes, sizes: list[int], has_control: bool
) -> None:
    decoder = FrameDecoder(frame_size_max=LIMIT, has_control=has_control)
    try:
        for piece in cut(data, sizes):
            for event in decoder.feed(piece):
                assert not isinstance(event, bytes) or 0 < len(event) <= LIMIT
            assert decoder.pending_size < LIMIT + 4
    except FrameInvalid:
        pass


@settings(max_examples=200)
@given(
    flow=st.sampled_from(Flow),
    steps=st.lists(st.one_of(bodies, st.integers(5, 1000)), max_size=60),
)
def test_a_queue_keeps_its_bounds_its_order_and_its_count(
    flow: Flow, steps: list[bytes | int]
) -> None:
    limits = ChannelLimits(
        frame_size_max=LIMIT,
        queue_size_max=2 * LIMIT,
        queue_frames_max=8,
        incoming_frames_max=1,
        flow=flow,
    )
    counters = ChannelCounters()
    outgoing = Outgoing(limits, counters)
    decoder = FrameDecoder(frame_size_max=LIMIT, has_control=False)
    put: list[bytes] = []
    received: list[bytes] = []
    for step in [*steps, 100_000]:
        if isinstance(step, bytes):
            body = bytes([len(put) % 256]) + step[1:]  # so that neighbours can be told apart
            put.append(body)
            assert outgoing.put(body) or flow is Flow.WHOLE
        else:
            piece = outgoing.take(step)
            assert len(piece) <= step
            received += [e for e in decoder.feed(piece) if isinstance(e, bytes)]
    assert outgoing.is_empty and decoder.pending_size == 0
    assert len(received) + counters.dropped == len(put)
    assert counters.frames_sent == len(received)
    remaining = iter(put)
    assert all(body in remaining for body in received), "received out of order"
