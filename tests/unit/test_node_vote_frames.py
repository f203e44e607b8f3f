"""The largest messages of consensus fit their channel and its queues."""

from __future__ import annotations

from consensus.pbft import messages
from ledger.encoding import encode
from ledger.model import Signature
from p2p.limits import Channel, default_channels

VOTES = default_channels()[Channel.VOTES]
QUORUM = 43  # of 64


def largest_new_view() -> messages.NewView:
    """Of a committee of 64, each of a quorum with a full window of certificates."""
    signed = tuple(Signature(member, b"s" * 64) for member in range(QUORUM))
    prepared = tuple(
        messages.PreparedCertificate(2**40 - 1, 2**40 + height + 1, b"d" * 32, signed)
        for height in range(messages.WINDOW_MAX)
    )
    change = messages.ViewChange(2**40, None, prepared, tuple(range(21)), 2**40)
    return messages.NewView(
        2**40,
        tuple(messages.SignedViewChange(member, change, b"s" * 64) for member in range(QUORUM)),
    )


def test_the_new_view_of_the_largest_committee_fits_a_frame() -> None:
    relayed = messages.RelayedNewView(63, largest_new_view(), b"s" * 64)
    data = messages.encode_message(relayed)
    assert len(data) > 4 << 20, "a smaller limit would do"
    assert messages.decode_message(data) == relayed
    frame = encode(messages.SignedMessage(63, data, b"s" * 64, 2**40))
    assert len(frame) <= VOTES.frame_size_max


def test_whatever_consensus_takes_fits_a_frame_and_a_frame_fits_the_queues() -> None:
    message = bytes(messages.MESSAGE_SIZE_MAX)
    frame = encode(messages.SignedMessage(63, message, b"s" * 64, messages.NUMBER_MAX - 1))
    assert len(frame) <= VOTES.frame_size_max <= VOTES.queue_size_max
    assert VOTES.incoming_size_max is not None
    assert VOTES.frame_size_max <= VOTES.incoming_size_max
