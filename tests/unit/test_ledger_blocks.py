"""The rule of block making: what a proposal means, alike for all, whoever proposes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from ledger.blocks import genesis_block, make_block, order_key, proposal_of, verify_block
from ledger.encoding import encode
from ledger.errors import BlockInvalid
from ledger.genesis import Limits, chain_id
from ledger.merkle import transactions_root
from ledger.model import (
    Block,
    Proposal,
    Transaction,
    TransactionBody,
    block_hash,
    proposal_digest,
    transaction_id,
)
from tests.ledger_world import TIME_MS, make_genesis

GENESIS = make_genesis()
CHAIN = chain_id(GENESIS)
FIRST = genesis_block(GENESIS)
VALIDATORS = GENESIS.validators.digest


def _transaction(
    nonce: int, *, valid_until: int = 50, gas: int = 10, chain: bytes = CHAIN, args: int = 8
) -> Transaction:
    nonce_bytes = nonce.to_bytes(16, "big")
    body = TransactionBody(
        1, chain, b"s" * 64, nonce_bytes, valid_until, "c", "m", bytes(args), gas
    )
    return Transaction(encode(body), b"x" * 64)


def _make(
    transactions: Sequence[Transaction],
    *,
    limits: Limits = GENESIS.limits,
    included: Callable[[bytes], bool] = lambda wanted: False,
    time_ms: int = TIME_MS + 5,
) -> Block:
    bodies = {bytes(transaction_id(tx)): tx for tx in transactions}
    proposal = Proposal(1, tuple(sorted(bodies)), 2, time_ms)
    return make_block(proposal, bodies, FIRST.header, included, limits, VALIDATORS, CHAIN)


def _ids(transactions: Sequence[Transaction]) -> list[bytes]:
    return [transaction_id(transaction) for transaction in transactions]


def _verify(block: Block, *, included: Callable[[bytes], bool] = lambda wanted: False) -> None:
    verify_block(block, FIRST.header, included, GENESIS.limits, VALIDATORS, CHAIN)


@pytest.mark.parametrize(
    ("valid_until", "kept"), [(0, False), (1, True), (601, True), (602, False), (2**63, False)]
)
def test_a_transaction_is_included_inside_its_window_only(valid_until: int, kept: bool) -> None:
    transaction = _transaction(1, valid_until=valid_until)
    block = _make([transaction])
    assert bool(block.transactions) == kept
    assert block.dropped == (() if kept else (transaction_id(transaction),))


def test_what_the_chain_already_has_is_dropped_without_its_body() -> None:
    old, new = _transaction(1), _transaction(2)
    ids = sorted(_ids([old, new]))
    block = make_block(
        Proposal(1, tuple(ids), 0, TIME_MS),
        {transaction_id(new): new},
        FIRST.header,
        lambda wanted: wanted == transaction_id(old),
        GENESIS.limits,
        VALIDATORS,
        CHAIN,
    )
    assert block.transactions == (new,) and block.dropped == (transaction_id(old),)


@pytest.mark.parametrize(
    "bad",
    [
        _transaction(1, chain=b"o" * 32),
        _transaction(1, gas=GENESIS.limits.transaction_gas_max + 1),
        _transaction(1, gas=-1),
        _transaction(1, args=GENESIS.limits.transaction_size_max),
        Transaction(b"not a body", b"x" * 64),
        Transaction(b"", b""),
    ],
)
def test_what_no_block_may_hold_is_dropped_whoever_ordered_it(bad: Transaction) -> None:
    block = _make([bad, _transaction(2)])
    assert _ids(block.transactions) == _ids([_transaction(2)])
    assert block.dropped == (transaction_id(bad),)


def test_limits_are_filled_in_the_order_of_the_proposal() -> None:
    transactions = [_transaction(i, gas=10) for i in range(6)]
    by_id = sorted(transactions, key=transaction_id)
    for limits in (Limits(block_transactions_max=4), Limits(block_gas_max=49)):
        block = _make(transactions, limits=limits)
        assert sorted(_ids(block.transactions)) == _ids(by_id[:4])
        assert list(block.dropped) == _ids(by_id[4:])
    size = len(encode(transactions[0]))
    assert len(_make(transactions, limits=Limits(block_size_max=3 * size)).transactions) == 3


def test_the_order_depends_on_the_previous_block_and_not_on_the_proposer() -> None:
    transactions = [_transaction(i) for i in range(20)]
    block = _make(transactions)
    previous = block_hash(FIRST.header)
    keys = [order_key(previous, wanted) for wanted in _ids(block.transactions)]
    assert keys == sorted(keys) and _ids(block.transactions) != sorted(_ids(transactions))
    assert _make(list(reversed(transactions))) == block


@pytest.mark.parametrize(
    ("proposed", "made"), [(TIME_MS + 5, 5), (TIME_MS, 1), (TIME_MS - 900, 1), (0, 1)]
)
def test_block_time_rises_strictly(proposed: int, made: int) -> None:
    block = _make([], time_ms=proposed)
    assert block.header.time_ms == TIME_MS + made
    assert proposal_of(block).time_ms == proposed


def test_a_null_proposal_makes_an_empty_block() -> None:
    null = Proposal(1, (), 0, 0)
    block = make_block(null, {}, FIRST.header, lambda _: False, Limits(), VALIDATORS, CHAIN)
    assert block.transactions == () and proposal_of(block) == null
    _verify(block)


def test_a_heartbeat_makes_an_empty_block_that_is_not_the_null_proposals() -> None:
    for proposer in (0, 2):
        beat = Proposal(1, (), proposer, TIME_MS + 60_000)
        block = make_block(beat, {}, FIRST.header, lambda _: False, Limits(), VALIDATORS, CHAIN)
        assert block.transactions == () and proposal_of(block) == beat
        assert block.header.time_ms == beat.time_ms
        _verify(block)


def test_the_proposal_is_rebuilt_from_the_block() -> None:
    transactions = [_transaction(i, valid_until=i) for i in range(5)]
    proposal = Proposal(1, tuple(sorted(_ids(transactions))), 2, TIME_MS + 5)
    assert proposal_digest(proposal_of(_make(transactions))) == proposal_digest(proposal)


def test_the_genesis_block_binds_the_chain_and_its_validators() -> None:
    assert FIRST.header.chain_id == CHAIN and FIRST.header.height == 0
    assert FIRST.header.validators_hash == VALIDATORS and FIRST.transactions == ()


# --- blocks from elsewhere ----------------------------------------------------------------------


GOOD = _make([_transaction(i) for i in range(4)] + [_transaction(9, valid_until=0)])


def test_a_block_made_by_the_rule_is_accepted() -> None:
    _verify(GOOD)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("chain_id", b"o" * 32),
        ("height", 2),
        ("time_ms", TIME_MS + 6),
        ("previous_hash", bytes(32)),
        ("transactions_root", bytes(32)),
        ("validators_hash", bytes(32)),
    ],
)
def test_a_header_field_that_the_rule_did_not_make_is_named(field: str, value: object) -> None:
    header = msgspec.structs.replace(GOOD.header, **{field: value})
    with pytest.raises(BlockInvalid, match=field):
        _verify(msgspec.structs.replace(GOOD, header=header))


def _with(transactions: Sequence[Transaction], dropped: Sequence[bytes] = ()) -> Block:
    """GOOD with other contents and a fitting root."""
    header = msgspec.structs.replace(GOOD.header, transactions_root=transactions_root(transactions))
    return Block(header, tuple(transactions), tuple(dropped), GOOD.proposal_time_ms)


def test_contents_against_the_rule_are_refused() -> None:
    ordered = list(GOOD.transactions)
    dropped = GOOD.dropped[0]
    stale = _transaction(8, valid_until=0)
    for block, reason in [
        (_with(ordered[::-1]), "out of order"),
        (_with([ordered[0], *ordered]), "twice"),
        (_with(ordered, [_ids(ordered)[0]]), "twice"),
        (_with(ordered, [dropped, dropped]), "twice"),
        (_with(ordered, [b"\2" * 32, b"\1" * 32]), "do not ascend"),
        (_with([stale]), "should not include"),
    ]:
        with pytest.raises(BlockInvalid, match=reason):
            _verify(block)
    with pytest.raises(BlockInvalid, match="should not include"):
        _verify(GOOD, included=lambda wanted: wanted == _ids(ordered)[1])
