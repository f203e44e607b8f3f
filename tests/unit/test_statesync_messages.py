"""What comes in on the channel of snapshots decodes or is refused, and costs its sender."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import encode
from ledger.errors import DecodeError
from node.statesync.messages import (
    OFFERS_MAX,
    Ask,
    Offer,
    Offers,
    PastRun,
    Status,
    Told,
    What,
    decode_message,
    decode_offers,
    decode_run,
    encode_message,
)
from node.statesync.serve import ASK_COST, PEER_BURST, PEER_PACE, Allowance

NAME = bytes(32)


@given(
    number=st.integers(0, 1 << 40),
    what=st.sampled_from(What),
    place=st.integers(0, 1 << 40),
    data=st.binary(max_size=100),
)
def test_messages_come_back(number: int, what: What, place: int, data: bytes) -> None:
    digest = NAME if what in (What.MANIFEST, What.CHUNK) else b""
    for message in (Ask(number, what, digest, place), Told(number, Status.HERE, data)):
        assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Ask(-1, What.OFFERS, b"", 0),
        Ask(1, 9, b"", 0),
        Ask(1, What.CHUNK, b"", 0),
        Ask(1, What.CHUNK, NAME, -1),
        Ask(1, What.CHUNK, NAME, 1 << 63),
        Ask(1, What.OFFERS, NAME, 0),
        Told(1, 7, b""),
        Told(1, Status.GONE, b"x"),
        Told(1 << 63, Status.HERE, b"x"),
    ],
)
def test_what_has_no_meaning_is_refused(message: Ask | Told) -> None:
    with pytest.raises(DecodeError):
        decode_message(encode_message(message))


@given(st.binary(max_size=60))
def test_garbage_is_refused_with_one_error(data: bytes) -> None:
    for decoder in (decode_message, decode_offers, decode_run):
        try:
            decoder(data)
        except DecodeError:
            continue


@pytest.mark.parametrize(
    "offers",
    [
        Offers(-1, 5, ()),
        Offers(7, 5, ()),
        Offers(0, 5, (Offer(6, NAME),)),
        Offers(0, 5, (Offer(0, NAME),)),
        Offers(0, 5, (Offer(5, b"short"),)),
        Offers(0, 5, (Offer(5, NAME),) * (OFFERS_MAX + 1)),
        Offers(0, (1 << 63) + 1, ()),
    ],
)
def test_offers_that_cannot_be_are_refused(offers: Offers) -> None:
    with pytest.raises(DecodeError):
        decode_offers(encode(offers))


def test_an_empty_run_is_none() -> None:
    with pytest.raises(DecodeError):
        decode_run(encode(PastRun(())))


def test_who_asks_too_fast_waits_and_is_served_again() -> None:
    allowance = Allowance(0.0)
    asked = 0
    while allowance.has_room(0.0):
        allowance.take(10)
        asked += 1
    assert asked == PEER_BURST // ASK_COST
    assert not allowance.has_room(0.0)
    assert allowance.has_room(1.0)
    allowance.take(PEER_PACE * 3)
    assert not allowance.has_room(2.0) and allowance.has_room(4.0)
