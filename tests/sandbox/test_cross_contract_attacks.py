"""Attacks between contracts: re-entrancy, depth, borrowed identity, shared values, gas."""

from __future__ import annotations

import pytest

from contracts.vm.codes import ViewRefused
from contracts.vm.testing import Chain, account
from ledger.values import Value

ALICE = account("alice")
IMPORTS = """
from contracts.dialect import (
    Map, Var, call, call_contract, ctx, emit, record, require, view, view_contract
)
"""
BANK = f"""{IMPORTS}
balances = Map(str, int)
@call
def put(amount: int) -> None:
    balances[ctx.sender] = balances.get(ctx.sender, 0) + amount
@call
def take(receiver: str) -> None:
    have = balances.get(ctx.sender, 0)
    require(have > 0, "empty")
    call_contract(receiver, "received", have)
    balances[ctx.sender] = 0
@view
def balance(who: str) -> int:
    return balances.get(who, 0)
"""
THIEF = f"""{IMPORTS}
count = Var(int)
@call
def start() -> None:
    call_contract("bank", "put", 1)
    call_contract("bank", "take", ctx.contract)
@call
def received(amount: int) -> None:
    count.set(count.get(0) + 1)
    call_contract("bank", "take", "thief")
@call
def peek() -> None:
    call_contract("echo", "ask", "thief")
@view
def nothing() -> int:
    return 1
@call
def loop() -> None:
    call_contract("thief", "loop")
"""


def chain_with(**sources: str) -> Chain:
    chain = Chain()
    for name, source in sources.items():
        receipt = chain.deploy(name, source)
        assert receipt.status == 0, (name, receipt.detail)
    return chain


def test_reentering_a_running_contract_is_refused_and_reverts_all() -> None:
    chain = chain_with(bank=BANK, thief=THIEF)
    before = dict(chain.state)
    receipt = chain.call(ALICE, "thief", "start")
    assert receipt.error == "reentrancy"
    assert chain.state == before


def test_a_contract_does_not_call_itself_by_name() -> None:
    chain = chain_with(thief=THIEF)
    assert chain.call(ALICE, "thief", "loop").error == "reentrancy"


def test_a_view_of_a_running_contract_is_refused() -> None:
    echo = f"""{IMPORTS}
@call
def ask(who: str) -> int:
    return view_contract(who, "nothing", returns=int)
"""
    chain = chain_with(echo=echo, thief=THIEF)
    assert chain.call(ALICE, "thief", "peek").error == "reentrancy"


def test_a_chain_of_contracts_ends_at_the_depth_limit() -> None:
    sources = {
        f"c{i}": f"{IMPORTS}@call\ndef go() -> None:\n    call_contract('c{i + 1}', 'go')\n"
        for i in range(10)
    }
    chain = chain_with(**sources)
    assert chain.call(ALICE, "c0", "go").error == "depth_limit"
    assert chain.call(ALICE, "c2", "go").error == "depth_limit"
    assert chain.call(ALICE, "c3", "go").error == "unknown_contract"  # one level less


def test_a_called_contract_sees_the_contract_as_sender_not_the_person() -> None:
    who = f"""{IMPORTS}
@view
def sender() -> str:
    return ctx.sender
@view
def origin() -> str:
    return ctx.origin
@view
def facts() -> list[str]:
    return [ctx.contract, ctx.method]
"""
    proxy = f"""{IMPORTS}
@view
def ask(method: str) -> list[str]:
    a = view_contract("who", "sender", returns=str)
    b = view_contract("who", "origin", returns=str)
    c = view_contract("who", "facts", returns=list[str])
    return [a, b, ctx.sender, ctx.contract, ctx.method] + c
"""
    chain = chain_with(who=who, proxy=proxy)
    answer = chain.view(ALICE, "proxy", "ask", "")
    assert answer == ["contract:proxy", ALICE, ALICE, "proxy", "ask", "who", "facts"]


def test_a_failure_deep_inside_reverts_every_contract() -> None:
    inner = (
        f"{IMPORTS}x = Var(int)\n@call\ndef go() -> None:\n    x.set(1)\n    require(False, 'no')\n"
    )
    outer = (
        f"{IMPORTS}x = Var(int)\n@call\ndef go() -> None:\n    x.set(1)\n    emit('E', a=1)\n"
        "    call_contract('inner', 'go')\n"
    )
    chain = chain_with(inner=inner, outer=outer)
    before = dict(chain.state)
    receipt = chain.call(ALICE, "outer", "go")
    assert (receipt.error, receipt.detail, receipt.events) == ("refused", "no", ())
    assert chain.state == before


def test_gas_is_shared_across_contracts() -> None:
    inner = f"{IMPORTS}@call\ndef spin() -> None:\n    while True:\n        pass\n"
    outer = f"{IMPORTS}@call\ndef go() -> None:\n    call_contract('inner', 'spin')\n"
    chain = chain_with(inner=inner, outer=outer)
    receipt = chain.call(ALICE, "outer", "go", gas_limit=100_000)
    assert (receipt.error, receipt.gas_used) == ("out_of_gas", 100_000)


def test_contracts_share_no_list() -> None:
    inner = f"""{IMPORTS}
@call
def grow(items: list[int]) -> list[int]:
    items.append(9)
    return items
"""
    outer = f"""{IMPORTS}
@call
def go() -> list[list[int]]:
    mine = [1]
    theirs = call_contract("inner", "grow", mine, returns=list[int])
    theirs.append(8)
    again = call_contract("inner", "grow", mine, returns=list[int])
    return [mine, theirs, again]
"""
    chain = chain_with(inner=inner, outer=outer)
    assert chain.must(ALICE, "outer", "go") == [[1], [1, 9, 8], [1, 9]]


LIAR = f"""{IMPORTS}
@record
class Item:
    name: str
    count: int
@view
def text() -> str:
    return "1"
@view
def flag() -> bool:
    return True
@view
def item() -> Item:
    return Item(name="a", count=1)
@view
def mixed() -> tuple[int, str]:
    return (1, "a")
@view
def maybe() -> int | None:
    return None
"""


@pytest.mark.parametrize(
    ("method", "declared"),
    [
        ("text", "int"),
        ("flag", "int"),
        ("item", "Wrong"),
        ("item", "list[str]"),
        ("mixed", "list[int]"),
        ("mixed", "tuple[int, int]"),
        ("maybe", "int"),
    ],
)
def test_a_result_of_another_type_than_declared_fails(method: str, declared: str) -> None:
    outer = f"""{IMPORTS}
@record
class Wrong:
    name: str
    number: int
@call
def go() -> None:
    value = view_contract("liar", "{method}", returns={declared})
"""
    chain = chain_with(liar=LIAR, outer=outer)
    assert chain.call(ALICE, "outer", "go").error == "bad_arguments"


def test_records_of_equal_fields_cross_between_contracts() -> None:
    outer = f"""{IMPORTS}
@record
class Mine:
    count: int
    name: str
@view
def go() -> int:
    value = view_contract("liar", "item", returns=Mine)
    return value.count + len(value.name)
"""
    chain = chain_with(liar=LIAR, outer=outer)
    assert chain.view(ALICE, "outer", "go") == 2


def test_a_view_cannot_reach_a_call_of_another_contract() -> None:
    chain = chain_with(bank=BANK)
    with pytest.raises(ViewRefused) as refused:
        chain.view(ALICE, "bank", "put", 1)
    assert refused.value.code == "unknown_method"


def test_a_transaction_cannot_run_a_view_or_init_or_helper() -> None:
    chain = chain_with(bank=BANK)
    for method in ("balance", "setup", "__f_put", "get", ""):
        assert chain.call(ALICE, "bank", method, ALICE).error == "unknown_method"


@pytest.mark.parametrize(
    "name",
    ["nobody", "", "code", "genesis", "bank/1", "/names", "Bank", "b" * 70, "b\u00e4nk", "\0"],
)
def test_unknown_contracts_are_refused(name: str) -> None:
    chain = chain_with(bank=BANK)
    assert chain.call(ALICE, name, "put", 1).error == "unknown_contract"


def test_storage_of_two_contracts_stays_apart() -> None:
    chain = chain_with(bank=BANK, other=BANK)
    chain.must(ALICE, "bank", "put", 5)
    assert chain.view(ALICE, "other", "balance", ALICE) == 0
    assert chain.view(ALICE, "bank", "balance", ALICE) == 5


def test_gas_exhaustion_at_every_step_leaves_no_write() -> None:
    source = f"""{IMPORTS}
log = Map(int, str)
count = Var(int)
@record
class Item:
    name: str
items = Map(str, Item)
@call
def go(n: int) -> int:
    total = 0
    for i in range(n):
        log[i] = f"entry {{i}}"
        count.set(count.get(0) + 1)
        items[str(i)] = Item(name=log[i] + "!")
        emit("Step", i=i, item=items[str(i)])
        total += len(call_contract("echo", "twice", [log[i]], returns=list[str]))
    return total
"""
    echo = f"{IMPORTS}seen = Var(int)\n@call\ndef twice(a: list[str]) -> list[str]:\n" + (
        "    seen.set(seen.get(0) + 1)\n    return a + a\n"
    )
    chain = chain_with(echo=echo, main=source)
    before = dict(chain.state)
    full = chain.machine.transaction(chain.transaction(ALICE, "main", "go", [3], 10**7))
    chain.machine.reset()
    assert full.status == 0
    step = max(1, full.gas_used // 150)
    limits = [*range(0, full.gas_used, step), full.gas_used - 1]
    for limit in limits:
        receipt = chain.call(ALICE, "main", "go", 3, gas_limit=limit)
        assert (receipt.error, receipt.gas_used) == ("out_of_gas", limit)
        assert chain.state == before
    receipt = chain.call(ALICE, "main", "go", 3, gas_limit=full.gas_used)
    assert receipt.status == 0 and receipt.gas_used == full.gas_used


def test_failed_and_successful_transactions_of_a_block_do_not_mix() -> None:
    chain = chain_with(bank=BANK)
    calls: list[tuple[str, str, str, list[Value]]] = []
    for i in range(40):
        method: tuple[str, list[Value]] = ("put", [i]) if i % 2 else ("take", ["nobody"])
        calls.append((account(str(i % 5)), "bank", *method))
    receipts = chain.block(calls)
    assert {r.error for r in receipts} == {"", "refused", "unknown_contract"}
    total = sum(
        value
        for i in range(5)
        if isinstance(value := chain.view(ALICE, "bank", "balance", account(str(i))), int)
    )
    assert total == sum(i for i in range(40) if i % 2)
