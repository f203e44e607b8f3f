"""A block's reads are asked of the parent at once, and gas never depends on what is cached."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from contracts.vm import prefetch
from contracts.vm.apply import Machine
from contracts.vm.limits import STORED_KEY_SIZE_MAX
from contracts.vm.messages import BlockContext, Call
from contracts.vm.prefetch import ARGUMENTS_SIZE_MAX
from contracts.vm.state import StateKey
from contracts.vm.testing import Chain, account
from ledger.values import Value, encode_value

TOKEN = """
from contracts.dialect import Map, Var, call, ctx, require, view_contract
fee = Var(int)
balances = Map(str, int)
allowed = Map((str, str), bool)
def pay(who: str, amount: int) -> None:
    balances[who] = balances.get(who, 0) + amount
@call
def transfer(to: str, amount: int) -> None:
    require(view_contract("roles", "may", ctx.sender, "pay", returns=bool), "no")
    require(allowed.get((ctx.sender, to), True), "not allowed")
    pay(to, amount + fee.get(0))
    pay(ctx.sender, -amount)
"""
ROLES = """
from contracts.dialect import Map, view
roles = Map((str, str), bool)
@view
def may(who: str, act: str) -> bool:
    return roles.get((who, act), True)
"""

PURSE = """
from contracts.dialect import Map, call, ctx
held = Map(str, int)
pairs = Map((str, int), int)
@call
def pay(to: str, n: int) -> None:
    held["all"] = held.get("all", 0) + held.get(to, 0)
    pairs[ctx.sender, n] = 1
@call
def nothing() -> None:
    pass
"""


def test_one_question_brings_all_that_a_block_of_transfers_reads() -> None:
    chain = Chain()
    chain.deploy("roles", ROLES)
    chain.deploy("token", TOKEN)
    questions: list[list[StateKey]] = []

    def fetch(keys: Sequence[StateKey]) -> list[bytes | None]:
        questions.append(list(keys))
        return [chain.state.get(pair) for pair in keys]

    machine = Machine(fetch, chain.scan)
    calls = [
        Call(
            bytes(32),
            account(f"from {n}"),
            "token",
            "transfer",
            encode_value([account(f"to {n}"), 1]),
            100_000,
        )
        for n in range(50)
    ]
    receipts, _ = machine.apply_block(BlockContext(b"", 1, 1), calls)
    assert all(receipt.status == 0 for receipt in receipts)
    asked = [pair for question in questions for pair in question if pair[0] != "code"]
    assert len(asked) == len(set(asked)) == 50 * 4 + 1
    assert sum(any(pair[0] != "code" for pair in question) for question in questions) == 1


def test_gas_is_equal_with_a_cold_and_a_warm_cache() -> None:
    chain = Chain()
    chain.deploy("roles", ROLES)
    chain.deploy("token", TOKEN)
    chain.must(account("a"), "token", "transfer", account("b"), 5)
    used = set()
    for _ in range(3):
        state = dict(chain.state)
        used.add(chain.call(account("a"), "token", "transfer", account("b"), 5).gas_used)
        chain.state = state
        chain.machine.reset()
        used.add(chain.call(account("a"), "token", "transfer", account("b"), 5).gas_used)
        chain.state = state
        chain.machine.reset()
    assert len(used) == 1


def guessed(chain: Chain, *calls: Call) -> list[StateKey]:
    """The keys that a block of these calls is expected to read."""
    chain.machine.reset()
    return chain.machine._planner.keys(calls)


def pay(arguments: bytes, contract: str = "purse", method: str = "pay") -> Call:
    return Call(bytes(32), account("a"), contract, method, arguments, 100_000)


@pytest.fixture
def purse() -> Chain:
    chain = Chain()
    receipt = chain.deploy("purse", PURSE)
    assert receipt.status == 0, receipt.detail
    return chain


def key(*parts: Value) -> StateKey:
    return "purse", encode_value(list(parts))


def test_what_is_known_of_a_call_is_guessed_and_nothing_else(purse: Chain) -> None:
    assert set(guessed(purse, pay(encode_value(["x", 5])))) == {
        key("held", "x"),
        key("pairs", account("a"), 5),
        key("held", "all"),
    }
    assert guessed(purse, pay(encode_value([]), method="nothing")) == []
    assert guessed(purse, pay(encode_value([]), contract="nobody")) == []
    assert guessed(purse, pay(encode_value([]), contract="../x")) == []


@pytest.mark.parametrize(
    "arguments",
    [b"", b"\xc1", b"\x05", b"\x80", encode_value("x"), bytes(ARGUMENTS_SIZE_MAX + 1)],
    ids=["nothing", "no msgpack", "int", "dict", "text", "large"],
)
def test_of_arguments_that_are_no_list_nothing_is_guessed(purse: Chain, arguments: bytes) -> None:
    assert guessed(purse, pay(arguments)) == []


def test_an_argument_that_is_no_key_leaves_out_its_keys_only(purse: Chain) -> None:
    wanted = {key("held", "all")}
    assert set(guessed(purse, pay(encode_value([["x"], None])))) == wanted
    assert set(guessed(purse, pay(encode_value([])))) == wanted
    long = encode_value(["k" * STORED_KEY_SIZE_MAX, 5])
    assert set(guessed(purse, pay(long))) == wanted | {key("pairs", account("a"), 5)}


def test_so_many_keys_are_asked_for_and_no_more(
    purse: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "KEYS_PER_BLOCK_MAX", 5)
    calls = [pay(encode_value([f"x{n}", n])) for n in range(10)]
    asked = guessed(purse, *calls)
    assert len(asked) == 7, "the call that passes the bound is the last"
    assert key("held", "x2") in asked and key("held", "x3") not in asked
