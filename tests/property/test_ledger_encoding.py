"""One value, one byte string: round trips, and bytes that must be refused."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.merkle import ListPath
from ledger.model import (
    Block,
    CommitCertificate,
    ExecutionCertificate,
    Proposal,
    Receipt,
    Record,
    Transaction,
    TransactionBody,
)
from ledger.proof import StateProof
from ledger.values import DEPTH_MAX, INT_MAX, Value, decode_value, encode_value

KINDS: tuple[type[Record], ...] = (
    Block,
    CommitCertificate,
    ExecutionCertificate,
    ListPath,
    Proposal,
    Receipt,
    StateProof,
    Transaction,
    TransactionBody,
)

# --- records -----------------------------------------------------------------------------------


@given(st.sampled_from(KINDS).flatmap(st.from_type))
def test_every_record_survives_its_bytes(record: Record) -> None:
    try:
        data = encode(record)
    except (OverflowError, UnicodeEncodeError):
        return  # integers beyond 64 bits and lone surrogates have no bytes: nobody can send them
    assert decode(data, type(record), size_max=len(data)) == record


@given(st.sampled_from(KINDS), st.binary(max_size=80))
@example(Block, b"\xdd\xff\xff\xff\xff")
@example(Block, b"\x91" * 5000)
@example(Proposal, b"\x94\x01\xdd\xff\xff\xff\xff")
@example(Transaction, b"\x92\xc6\xff\xff\xff\xff")
def test_arbitrary_bytes_decode_or_raise_decode_error(kind: type[Record], data: bytes) -> None:
    try:
        assert encode(decode(data, kind, size_max=1 << 20)) == data
    except DecodeError as error:
        assert kind.__name__ in str(error)


@given(st.data())
def test_a_changed_byte_is_another_record_or_none(data: st.DataObject) -> None:
    original = encode(Proposal(7, (b"\1" * 32, b"\2" * 32), 3, 1_700_000_000_000))
    position = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DecodeError):
        assert encode(decode(bytes(changed), Proposal, size_max=999)) == changed


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x94\xcc\x07\x90\x00\x00", id="over-wide integer"),
        pytest.param(b"\x94\x07\xdc\x00\x00\x00\x00", id="over-wide array"),
        pytest.param(b"\xdc\x00\x04\x07\x90\x00\x00", id="over-wide record"),
        pytest.param(b"\x94\xcb\x40\x1c\x00\x00\x00\x00\x00\x00\x90\x00\x00", id="float"),
        pytest.param(b"\x94\x07\x90\x00", id="cut short"),
        pytest.param(b"\x94\x07\x90\x00\x00\x00", id="trailing byte"),
        pytest.param(b"\x95\x07\x90\x00\x00\x00", id="a field too many"),
        pytest.param(b"\x93\x07\x90\x00", id="a field too few"),
        pytest.param(b"\x84\x01\x07\x02\x90\x03\x00\x04\x00", id="map"),
        pytest.param(b"\x94\xc3\x90\x00\x00", id="true for an integer"),
        pytest.param(b"\x94\x07\x91\xa1a\x00\x00", id="text for bytes"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_bytes_that_are_not_canonical_are_refused(data: bytes) -> None:
    assert encode(decode(b"\x94\x07\x90\x00\x00", Proposal, size_max=99)) == b"\x94\x07\x90\x00\x00"
    with pytest.raises(DecodeError, match="Proposal"):
        decode(data, Proposal, size_max=99)


def test_bytes_over_the_limit_are_refused_before_they_are_read() -> None:
    with pytest.raises(DecodeError, match="5 bytes exceed the limit of 4"):
        decode(b"\x94\x07\x90\x00\x00", Proposal, size_max=4)


# --- contract values ----------------------------------------------------------------------------

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-INT_MAX, INT_MAX)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.binary(max_size=8)
)
_flat = st.booleans() | st.integers(-INT_MAX, INT_MAX) | st.binary(max_size=4)
_dict_keys = _flat | st.tuples(_flat, _flat)
_values: st.SearchStrategy[Value] = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_dict_keys, inner, max_size=4),
    max_leaves=12,
)


def _depth(value: Value) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(item) for item in value.values()), default=0)
    if isinstance(value, list | tuple):
        return 1 + max((_depth(item) for item in value), default=0)
    return 0


@given(_values)
@example([[[[[[[[2**70]]]]]]]])
@example({(): {(1, b"x"): -(2**200)}})
def test_every_value_survives_its_bytes(value: Value) -> None:
    if _depth(value) > DEPTH_MAX:
        with pytest.raises(ValueError, match="deeper"):
            encode_value(value)
        return
    data = encode_value(value)
    decoded = decode_value(data)
    assert decoded == value and encode_value(decoded) == data


@given(_values)
def test_the_order_of_insertion_does_not_show_in_the_bytes(value: Value) -> None:
    if isinstance(value, dict) and _depth(value) <= DEPTH_MAX:
        turned = dict(reversed(value.items()))
        assert encode_value(turned) == encode_value(value)


@given(st.binary(max_size=60))
@example(b"\x81\x01\x02")
@example(b"\xc7\x00\x01")
@example(b"\xd6\xff\x00\x00\x00\x00")
@example(b"\x91" * 3000)
@example(b"\xdf\xff\xff\xff\xff")
def test_arbitrary_bytes_are_a_value_or_a_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert encode_value(decode_value(data)) == data


_PARTS = "c7 d4 d5 d8 01 02 90 91 92 80 81 c0 c40161 a161 cb ff 00 05 c1 dd df cf d3"
_fragments = st.sampled_from([bytes.fromhex(part) for part in _PARTS.split()])


@settings(max_examples=300)
@given(st.lists(_fragments, max_size=24).map(b"".join))
def test_bytes_made_of_msgpack_parts_are_a_value_or_a_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert encode_value(decode_value(data)) == data


def _ext(code: int, data: bytes) -> bytes:
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(code, data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_ext(1, b"\0" + b"\1" * 8), id="big form of a small integer"),
        pytest.param(_ext(1, b"\0\0" + b"\xff" * 9), id="leading zero"),
        pytest.param(_ext(1, b"\2" + b"\xff" * 9), id="sign that is neither"),
        pytest.param(_ext(1, b"\0" + b"\xff" * 33), id="beyond 2**256"),
        pytest.param(_ext(1, b""), id="integer of no bytes"),
        pytest.param(_ext(2, b"\x92\x02\x01"[:2]), id="dict cut short"),
        pytest.param(_ext(2, b"\x91\x01"), id="key without a value"),
        pytest.param(_ext(2, b"\x94\x02\x00\x01\x00"), id="keys out of order"),
        pytest.param(_ext(2, b"\x94\x01\x00\x01\x00"), id="key twice"),
        pytest.param(_ext(2, b"\x94\x01\x00\xc3\x00"), id="1 and true as keys"),
        pytest.param(_ext(2, b"\x92\xc0\x00"), id="None as key"),
        pytest.param(_ext(2, b"\x92\x91\x90\x00"), id="nested tuple as key"),
        pytest.param(_ext(2, b"\x92\x80\x00"), id="map as key"),
        pytest.param(_ext(3, b"x"), id="unknown extension"),
        pytest.param(b"\xcb" + bytes(8), id="float"),
        pytest.param(b"\x80", id="map"),
        pytest.param(b"\xa2\xc3\x28", id="text that is not UTF-8"),
        pytest.param(b"\x91" * 9 + b"\x01", id="nested too deep"),
    ],
)
def test_other_forms_of_values_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_value(data)


@pytest.mark.parametrize(
    "value",
    [1.5, INT_MAX + 1, {None: 1}, {(1, (2,)): 3}, {1: 2.0}, "\ud800", ["\ud800"], object()],
)
def test_what_is_not_a_value_has_no_bytes(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        encode_value(value)  # type: ignore[arg-type]


def test_tuples_and_lists_share_one_form() -> None:
    assert encode_value((1, "a")) == encode_value([1, "a"]) and decode_value(
        encode_value((1, "a"))
    ) == [1, "a"]
