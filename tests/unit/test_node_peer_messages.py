"""What nodes say to each other decodes to what was said, or raises DecodeError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import DecodeError
from ledger.model import Proposal
from node.peer_messages import (
    IDS_MAX,
    BlocksReply,
    BlocksRequest,
    BodiesRequest,
    ClockReading,
    Offer,
    ProposalReply,
    ProposalRequest,
    decode_blocks_message,
    decode_transactions_message,
    encode_blocks_message,
    encode_transactions_message,
)


@pytest.mark.parametrize(
    "message",
    [
        Offer((b"one", b"two")),
        BodiesRequest((bytes(32),)),
        ProposalRequest(7, bytes(32)),
        ProposalReply(Proposal(7, (bytes(32),), 1, 5)),
    ],
)
def test_transactions_messages_round_trip(
    message: Offer | BodiesRequest | ProposalRequest | ProposalReply,
) -> None:
    assert decode_transactions_message(encode_transactions_message(message)) == message


@pytest.mark.parametrize(
    "message", [BlocksRequest(3), BlocksReply(3, 2, 9, ()), ClockReading(1), ClockReading(5 << 40)]
)
def test_blocks_messages_round_trip(message: BlocksRequest | BlocksReply | ClockReading) -> None:
    assert decode_blocks_message(encode_blocks_message(message)) == message


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_raise_one_error(data: bytes) -> None:
    for decode in (decode_transactions_message, decode_blocks_message):
        try:
            decode(data)
        except DecodeError:
            continue


def test_a_request_for_too_many_bodies_is_refused() -> None:
    data = encode_transactions_message(BodiesRequest((bytes(32),) * (IDS_MAX + 1)))
    with pytest.raises(DecodeError, match="exceed"):
        decode_transactions_message(data)


@pytest.mark.parametrize("time_ms", [0, -1, 1 << 53, 1 << 63])
def test_a_clock_reading_that_is_no_time_is_refused(time_ms: int) -> None:
    data = encode_blocks_message(ClockReading(time_ms))
    with pytest.raises(DecodeError, match="out of range"):
        decode_blocks_message(data)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(DecodeError, match="unknown kind"):
        decode_blocks_message(b"\x92\x09\xc4\x00")
