"""Whatever bytes arrive: a message with these canonical bytes, or one typed error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consensus.pbft.messages import ViewChange, decode_message, encode_message
from ledger.errors import DecodeError
from tests.sim.desk import Desk, proposal_of, statement_of


@given(st.binary(max_size=200))
def test_arbitrary_bytes_decode_canonically_or_not_at_all(data: bytes) -> None:
    try:
        message = decode_message(data)
    except DecodeError:
        return
    assert encode_message(message) == data


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_decodes_canonically_or_not_at_all(position: int, value: int) -> None:
    desk = Desk()
    change = ViewChange(2, desk.certificate(statement_of(3)), (desk.prepared(proposal_of(4)),), ())
    data = bytearray(encode_message(change))
    data[position % len(data)] = value
    try:
        message = decode_message(bytes(data))
    except DecodeError:
        return
    assert encode_message(message) == data
