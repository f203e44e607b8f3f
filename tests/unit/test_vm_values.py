"""Values at the borders of a contract: what is let in, what it costs, and the form it has outside.

Through contracts most of this is seen elsewhere; here each type meets what it must refuse.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.vm import limits, prices
from contracts.vm.codes import Code, OutOfGas, Stop
from contracts.vm.meter import Meter
from contracts.vm.types import (
    BOOL,
    BYTES,
    INT,
    NONE,
    STR,
    DictOf,
    ListOf,
    OptionalOf,
    RecordOf,
    Scalar,
    TupleOf,
    Type,
    make_record,
)
from contracts.vm.values import (
    Arguments,
    Inner,
    StoredCodec,
    charge_slow,
    encode_outside,
    from_outside,
    from_stored,
    to_outside,
    walk,
)
from ledger.values import Value, decode_value, encode_value

ITEM = make_record("Item", (("name", STR), ("count", INT)), ())
PLENTY = 10**12
LARGE = limits.DICT_KEY_INT_BOUND


def meter(gas: int = PLENTY) -> Meter:
    fresh = Meter()
    fresh.left = gas
    return fresh


def stopped(convert: object, value: object) -> Code:
    """The code that ends a transaction which brings `value`."""
    assert callable(convert)
    with pytest.raises(Stop) as stop:
        convert(value)
    return stop.value.code


# --- what comes in -----------------------------------------------------------------------------

MISFITS: list[tuple[Type, object]] = [
    (INT, True),
    (INT, "1"),
    (BOOL, 1),
    (STR, b"x"),
    (BYTES, "x"),
    (NONE, False),
    (ListOf(INT), {}),
    (ListOf(INT), "ab"),
    (ListOf(INT), ["a"]),
    (TupleOf((INT, STR)), [1]),
    (TupleOf((INT, STR)), {"a": 1}),
    (TupleOf((INT, STR)), ["a", 1]),
    (DictOf(STR, INT), []),
    (DictOf(STR, INT), {"a": "b"}),
    (DictOf(BOOL, INT), {"a": 1}),
    (OptionalOf(INT), "a"),
    (ITEM, {"name": "a"}),
    (ITEM, {"name": "a", "count": 1, "more": 2}),
    (ITEM, ["a", 1]),
    (ITEM, {"name": "a", "count": "b"}),
]
TOO_LARGE: list[tuple[Type, object]] = [
    (STR, "x" * (limits.TEXT_SIZE_MAX + 1)),
    (STR, "\u00e9" * (limits.TEXT_SIZE_MAX // 4 + 1)),
    (BYTES, bytes(limits.TEXT_SIZE_MAX + 1)),
    (ListOf(INT), [0] * (limits.LIST_LENGTH_MAX + 1)),
    (DictOf(INT, INT), dict.fromkeys(range(limits.LIST_LENGTH_MAX + 1), 0)),
    (DictOf(INT, INT), {LARGE: 0}),
    (DictOf(INT, INT), {-LARGE: 0}),
]


@pytest.mark.parametrize(("kind", "value"), MISFITS)
def test_a_value_of_another_type_is_no_argument(kind: Type, value: object) -> None:
    assert stopped(from_outside(kind), value) is Code.bad_arguments


@pytest.mark.parametrize(("kind", "value"), TOO_LARGE)
def test_a_value_beyond_its_bound_is_no_argument(kind: Type, value: object) -> None:
    assert stopped(from_outside(kind), value) is Code.value_limit


def test_at_their_bounds_values_come_in() -> None:
    texts = ["x" * limits.TEXT_SIZE_MAX, "\u00e9" * (limits.TEXT_SIZE_MAX // 4)]
    assert from_outside(ListOf(STR))(texts) == texts
    assert from_outside(DictOf(INT, INT))({LARGE - 1: 0, 1 - LARGE: 1}) == {
        LARGE - 1: 0,
        1 - LARGE: 1,
    }
    assert len(from_outside(ListOf(INT))([0] * limits.LIST_LENGTH_MAX)) == limits.LIST_LENGTH_MAX


def test_a_record_is_a_dict_outside_and_a_list_in_the_store() -> None:
    assert from_outside(ITEM)({"count": 1, "name": "a"}) == ("a", 1)
    assert from_stored(ITEM)(["a", 1]) == ("a", 1)
    assert stopped(from_stored(ITEM), {"count": 1, "name": "a"}) is Code.bad_arguments
    assert from_stored(OptionalOf(ITEM))(None) is None


# --- arguments ---------------------------------------------------------------------------------


def arguments(*kinds: Type, gas: int = PLENTY) -> Arguments:
    return Arguments(tuple((f"a{i}", kind) for i, kind in enumerate(kinds)), meter(gas))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\xc0", b"\x80", b"\x91", b"\x92\x01\x01", b"\x91\xcc\x01", b"\xc1"],
    ids=["nothing", "int", "nil", "dict", "cut off", "too many", "not canonical", "no msgpack"],
)
@pytest.mark.parametrize("kind", [INT, DictOf(STR, INT)], ids=["direct", "slow"])
def test_arguments_are_one_canonical_list(kind: Type, data: bytes) -> None:
    assert stopped(arguments(kind).decode, data) is Code.bad_arguments


def test_arguments_beyond_their_size_are_not_looked_at() -> None:
    data = bytes(limits.ARGUMENTS_SIZE_MAX + 1)
    assert stopped(arguments(INT, gas=0).decode, data) is Code.value_limit


def test_an_int_beyond_64_bits_takes_the_slow_way_and_pays_for_it() -> None:
    slow, direct = meter(), meter()
    kinds = (("n", INT),)
    assert Arguments(kinds, slow).decode(encode_value([2**200])) == [2**200]
    assert Arguments(kinds, direct).decode(encode_value([2**60])) == [2**60]
    assert direct.left == PLENTY and slow.left < PLENTY - prices.GAS_SLOW_NODE


def test_arguments_of_another_contract_are_counted() -> None:
    assert stopped(arguments(INT, INT).check, (1,)) is Code.bad_arguments
    assert arguments(INT, ListOf(INT)).check((1, (2, 3))) == [1, [2, 3]]


# --- what decoding the slow way costs ----------------------------------------------------------


def test_bytes_that_are_no_value_cost_their_length() -> None:
    counted = meter(1000)
    charge_slow(b"\xc1" * 7, counted)
    assert counted.left == 993
    with pytest.raises(OutOfGas):
        charge_slow(bytes([0x91]) * 2000, meter(1999))


def test_nesting_beyond_what_is_decoded_costs_no_more() -> None:
    """The walk stops where the decoder refuses, so its recursion is bounded."""
    spent = []
    for levels in (5, 20, 40):
        counted = meter()
        charge_slow(b"\x91" * levels + b"\x01", counted)
        spent.append(PLENTY - counted.left)
    assert spent[0] < spent[1] == spent[2]


# --- stored values -----------------------------------------------------------------------------


def test_a_stored_text_is_bounded_before_it_is_encoded() -> None:
    codec = StoredCodec(STR, meter())
    assert stopped(codec.encode, "x" * (limits.STORED_VALUE_SIZE_MAX + 1)) is Code.value_limit
    assert stopped(StoredCodec(ListOf(INT), meter()).encode, [2**255] * 3000) is Code.value_limit


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        (INT, "a"),
        (OptionalOf(STR), 1),
        (TupleOf((INT, BOOL)), [1, 2]),
        (ITEM, ["a"]),
        (DictOf(STR, INT), {"a": "b"}),
        (ListOf(ListOf(INT)), [1]),
    ],
)
def test_bytes_of_another_type_are_bad_storage(kind: Type, other: Value) -> None:
    assert stopped(StoredCodec(kind, meter()).decode, encode_value(other)) is Code.bad_storage
    assert stopped(StoredCodec(kind, meter()).decode, b"\xc1") is Code.bad_storage


def of_type(kind: Type) -> st.SearchStrategy[Any]:
    """Inner values of a type."""
    match kind:
        case OptionalOf(inner):
            return st.none() | of_type(inner)
        case ListOf(item):
            return st.lists(of_type(item), max_size=3)
        case DictOf(key, item):
            return st.dictionaries(of_type(key), of_type(item), max_size=3)
        case TupleOf(items):
            return st.tuples(*map(of_type, items))
        case RecordOf():
            return st.tuples(*(of_type(item) for _, item in kind.fields))
        case Scalar():
            return {
                INT: st.integers(-(2**255), 2**255) | st.integers(-5, 5),
                BOOL: st.booleans(),
                STR: st.text("a\u00e9", max_size=5),
                BYTES: st.binary(max_size=5),
                NONE: st.none(),
            }[kind]


NESTED = make_record(
    "Nested",
    (
        ("one", ITEM),
        ("many", ListOf(ITEM)),
        ("perhaps", OptionalOf(ITEM)),
        ("named", DictOf(STR, ITEM)),
        ("pair", TupleOf((ITEM, BOOL))),
    ),
    (),
)
KINDS = [INT, ITEM, NESTED, ListOf(OptionalOf(STR)), DictOf(STR, ListOf(INT)), TupleOf((BYTES,))]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_what_is_stored_comes_back(kind: Type, data: st.DataObject) -> None:
    value = data.draw(of_type(kind))
    codec = StoredCodec(kind, meter())
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_what_goes_out_comes_in_again(kind: Type, data: st.DataObject) -> None:
    """Also through the encoded form, which is canonical however it was made."""
    value = data.draw(of_type(kind))
    convert = to_outside(kind)
    outside = value if convert is None else convert(value)
    assert from_outside(kind)(outside) == value
    encoded = encode_outside(kind, meter(), limits.RETURN_SIZE_MAX)(value)
    assert encoded == encode_value(decode_value(encoded))
    assert from_outside(kind)(decode_value(encoded)) == value


# --- what goes out -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "inner", "outside"),
    [
        (ITEM, ("a", 1), {"name": "a", "count": 1}),
        (ListOf(ITEM), [("a", 1)], [{"name": "a", "count": 1}]),
        (OptionalOf(ITEM), None, None),
        (OptionalOf(ITEM), ("a", 1), {"name": "a", "count": 1}),
        (DictOf(INT, ITEM), {7: ("a", 1)}, {7: {"name": "a", "count": 1}}),
        (TupleOf((INT, ITEM)), (7, ("a", 1)), [7, {"name": "a", "count": 1}]),
    ],
)
def test_records_go_out_as_dicts_wherever_they_are(
    kind: Type, inner: Inner, outside: object
) -> None:
    convert = to_outside(kind)
    assert convert is not None and convert(inner) == outside


@pytest.mark.parametrize(
    "kind", [INT, ListOf(INT), OptionalOf(STR), DictOf(STR, ListOf(INT)), TupleOf((INT, STR))]
)
def test_what_holds_no_record_goes_out_as_it_is(kind: Type) -> None:
    assert to_outside(kind) is None


def test_what_goes_out_is_measured_before_it_is_built() -> None:
    encode = encode_outside(ListOf(STR), meter(), 100)
    assert encode(["x" * 90]) == msgspec.msgpack.encode(["x" * 90])
    assert stopped(encode, ["x" * 100]) is Code.value_limit


def test_a_small_graph_of_shared_lists_costs_what_it_unfolds_to() -> None:
    shared: Inner = ["x"]
    for _ in range(30):
        shared = [shared, shared]
    with pytest.raises(OutOfGas):
        walk(shared, meter(10_000), limits.RETURN_SIZE_MAX)
