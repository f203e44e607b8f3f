"""A block's reads are asked of the parent at once, and gas never depends on what is cached."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.vm.apply import Machine
from contracts.vm.messages import BlockContext, Call
from contracts.vm.state import StateKey
from contracts.vm.testing import Chain, account
from ledger.values import encode_value

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
