"""Intake: every kind of bad transaction has its own code; arbitrary bytes have one way out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import sm3
from ledger.encoding import decode, encode
from ledger.genesis import Limits
from ledger.model import TAG_TRANSACTION, Transaction, TransactionBody, transaction_id
from ledger.values import encode_value
from node import refusals
from node.intake import TRANSACTION_SIZE_MAX, Rules, admit, check_form
from node.mempool import Admitted
from node.refusals import Refusal
from tests.fake_keys import FakeKeys, fake_public
from tests.ledger_world import fake_sign

HEIGHT = 50
RULES = Rules(sm3.digest(b"chain"), Limits())
SENDER = fake_public(3)
GOOD = TransactionBody(
    version=1,
    chain_id=RULES.chain_id,
    sender=SENDER,
    nonce=bytes(16),
    valid_until=HEIGHT + 10,
    contract="notes",
    method="write",
    args=encode_value(["key", "text"]),
    gas_limit=1000,
)


def signed(body: bytes) -> bytes:
    return encode(Transaction(body, fake_sign(SENDER, TAG_TRANSACTION + body)))


def good(**changes: object) -> bytes:
    return signed(encode(msgspec.structs.replace(GOOD, **changes)))


def verdict(
    encoded: bytes,
    *,
    is_known: Callable[[bytes], bool] = lambda wanted: False,
    is_wanted: Callable[[bytes], bool] = lambda wanted: False,
    rules: Rules = RULES,
) -> Admitted | Refusal:
    (found,) = admit(
        [encoded],
        rules=rules,
        height=HEIGHT,
        is_known=is_known,
        is_wanted=is_wanted,
        provider=FakeKeys(),
    )
    return found


BAD: dict[str, tuple[bytes, str]] = {
    "no bytes": (b"", refusals.ENCODING),
    "no transaction": (encode((1, 2, 3)), refusals.ENCODING),
    "a body that is none": (signed(b"body"), refusals.ENCODING),
    "trailing bytes": (good() + b"\x00", refusals.ENCODING),
    "trailing bytes in the body": (signed(encode(GOOD) + b"\x00"), refusals.ENCODING),
    "an over-wide integer": (
        signed(encode(GOOD)[:1] + b"\xcf" + (1).to_bytes(8, "big") + encode(GOOD)[2:]),
        refusals.ENCODING,
    ),
    "a short nonce": (good(nonce=bytes(8)), refusals.ENCODING),
    "a chain id of another size": (good(chain_id=bytes(5)), refusals.ENCODING),
    "another version": (good(version=2), refusals.VERSION),
    "another chain": (good(chain_id=bytes(32)), refusals.CHAIN),
    "a short key": (good(sender=bytes(33)), refusals.KEY),
    "a short signature": (encode(Transaction(encode(GOOD), bytes(63))), refusals.SIGNATURE),
    "a wrong signature": (encode(Transaction(encode(GOOD), bytes(64))), refusals.SIGNATURE),
    "somebody else's key": (good(sender=fake_public(4)), refusals.SIGNATURE),
    "expired": (good(valid_until=HEIGHT), refusals.EXPIRED),
    "a negative height": (good(valid_until=-1), refusals.EXPIRED),
    "valid too long": (good(valid_until=HEIGHT + 601), refusals.TOO_EARLY),
    "no gas": (good(gas_limit=0), refusals.GAS_LIMIT),
    "negative gas": (good(gas_limit=-5), refusals.GAS_LIMIT),
    "too much gas": (good(gas_limit=50_000_001), refusals.GAS_LIMIT),
    "no contract": (good(contract=""), refusals.ARGUMENTS),
    "a long method": (good(method="m" * 65), refusals.ARGUMENTS),
    "arguments that are no values": (good(args=b"\xc1"), refusals.ARGUMENTS),
    "arguments that are no list": (good(args=encode_value("x")), refusals.ARGUMENTS),
    "too large": (good(args=encode_value(["x" * 60_000] * 3)), refusals.OVERSIZED),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_each_kind_of_bad_transaction_has_its_code_and_advice(kind: str) -> None:
    encoded, code = BAD[kind]
    found = verdict(encoded)
    assert isinstance(found, Refusal)
    assert found.code == code
    assert len(found.detail) > 10


def test_a_good_one_is_admitted_with_what_the_pool_needs() -> None:
    encoded = good()
    found = verdict(encoded)
    assert isinstance(found, Admitted)
    assert encode(found.transaction) == encoded
    assert found.id == transaction_id(found.transaction)
    assert (found.valid_until, found.gas_limit) == (HEIGHT + 10, 1000)
    assert found.size == len(encoded)


def test_one_in_a_block_is_replayed() -> None:
    found = verdict(good(), is_known=lambda wanted: True)
    assert isinstance(found, Refusal)
    assert found.code == refusals.REPLAYED


def test_what_a_proposal_needs_is_not_judged_by_its_height() -> None:
    late = good(valid_until=1)
    assert isinstance(verdict(late), Refusal)
    assert isinstance(verdict(late, is_wanted=lambda wanted: True), Admitted)


def test_the_largest_that_a_block_takes_is_the_largest_that_is_admitted() -> None:
    """One byte between the two would wait in the pool for ever and look withheld."""
    limit = RULES.limits.transaction_size_max
    room = limit - len(good(args=encode_value([bytes(30_000)] * 4)))
    fits = good(args=encode_value([*[bytes(30_000)] * 3, bytes(30_000 + room)]))
    assert len(fits) == limit
    assert isinstance(verdict(fits), Admitted)
    over = verdict(good(args=encode_value([*[bytes(30_000)] * 3, bytes(30_000 + room + 1)])))
    assert isinstance(over, Refusal)
    assert over.code == refusals.OVERSIZED


def test_what_a_proposal_names_may_be_as_large_as_any_limits_allow() -> None:
    """Those who hold it from larger limits may have prepared it: the others must get at it."""
    rules = Rules(RULES.chain_id, Limits(transaction_size_max=1_000))
    part = bytes(TRANSACTION_SIZE_MAX // 10)
    rest = TRANSACTION_SIZE_MAX - len(good(args=encode_value([part] * 9))) - 3  # of its own header
    largest = good(args=encode_value([*[part] * 9, bytes(rest)]))
    over = good(args=encode_value([*[part] * 9, bytes(rest + 1)]))
    assert len(largest) == TRANSACTION_SIZE_MAX == len(over) - 1
    for data, is_wanted, is_taken in (
        (good(), False, True),
        (largest, False, False),
        (largest, True, True),
        (over, True, False),
    ):
        wanted = {bytes(transaction_id(decode(data, Transaction, size_max=1 << 20)))}
        named: set[bytes] = wanted if is_wanted else set()
        found = verdict(data, is_wanted=named.__contains__, rules=rules)
        assert isinstance(found, Admitted) is is_taken, (len(data), is_wanted)
        assert is_taken or (isinstance(found, Refusal) and found.code == refusals.OVERSIZED)


@pytest.mark.parametrize("room", [0, TRANSACTION_SIZE_MAX])
def test_who_sends_too_much_is_told_what_this_chain_takes(room: int) -> None:
    over = verdict(good(args=encode_value([bytes(60_000)] * 3)) + bytes(room))
    assert isinstance(over, Refusal)
    assert f"the chain takes {RULES.limits.transaction_size_max}: " in over.detail


def test_verdicts_stand_in_the_order_of_what_was_handed_in() -> None:
    batch = [good(nonce=bytes([i]) * 16) if i % 3 else b"bad" for i in range(10)]
    found = admit(
        batch, rules=RULES, height=HEIGHT, is_known=lambda wanted: False, provider=FakeKeys()
    )
    assert [isinstance(one, Admitted) for one in found] == [bool(i % 3) for i in range(10)]


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(Refusal):
        check_form(data, rules=RULES)


@given(st.data())
def test_damaged_transactions_are_refused_or_still_well_formed(data: st.DataObject) -> None:
    damaged = bytearray(good())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    found = verdict(bytes(damaged))
    assert isinstance(found, Refusal) or found.transaction.body == encode(GOOD)


@given(
    st.tuples(
        st.integers(-1, 2),
        st.binary(max_size=40),
        st.binary(max_size=70),
        st.binary(max_size=20),
        st.integers(-(2**63), 2**64 - 1),
        st.text(max_size=70),
        st.text(max_size=70),
        st.binary(max_size=50),
        st.integers(-(2**63), 2**64 - 1),
    )
)
def test_any_fields_give_a_verdict(fields: tuple[object, ...]) -> None:
    found = verdict(signed(encode(fields)))
    assert isinstance(found, Refusal)
