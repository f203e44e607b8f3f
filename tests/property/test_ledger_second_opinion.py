"""Canonical bytes beside a second encoder: msgpack, which knows nothing of our structs."""

from __future__ import annotations

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import decode, encode
from ledger.model import Proposal, Transaction, TransactionBody
from ledger.values import Value, decode_value, encode_value

NUMBERS = st.integers(0, 2**63 - 1)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(), st.binary()
)
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5), max_leaves=20)

BODIES = st.builds(
    TransactionBody,
    version=NUMBERS,
    chain_id=st.binary(max_size=40),
    sender=st.binary(max_size=70),
    nonce=st.binary(max_size=20),
    valid_until=NUMBERS,
    contract=st.text(max_size=40),
    method=st.text(max_size=40),
    args=st.binary(max_size=300),
    gas_limit=NUMBERS,
)


def packed(value: object) -> bytes:
    data = msgpack.packb(value, use_bin_type=True)
    assert isinstance(data, bytes)
    return data


@given(BODIES)
def test_a_struct_is_the_array_of_its_fields(body: TransactionBody) -> None:
    fields = tuple(getattr(body, name) for name in TransactionBody.__struct_fields__)
    assert encode(body) == packed(fields)
    assert decode(packed(fields), TransactionBody, size_max=1 << 20) == body


@given(st.binary(max_size=500), st.binary(max_size=64))
def test_a_transaction_of_another_encoder_is_read(body: bytes, signature: bytes) -> None:
    expected = Transaction(body, signature)
    assert decode(packed([body, signature]), Transaction, size_max=1 << 20) == expected


@given(st.integers(0, 2**53), st.lists(st.binary(min_size=32, max_size=32), max_size=40))
def test_nested_arrays_are_arrays(height: int, ids: list[bytes]) -> None:
    proposal = Proposal(height, tuple(ids), 1, 2)
    assert encode(proposal) == packed([height, ids, 1, 2])


@given(PLAIN)
def test_plain_values_are_plain_msgpack(value: Value) -> None:
    try:
        data = encode_value(value)
    except ValueError:
        return  # nested deeper than the chain takes
    assert data == packed(value)
    assert decode_value(packed(value)) == value
