"""Gas and coverage by line: nothing changes by watching, and all of it adds up."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.kit.chain import KitChain, LineMachine, address
from contracts.kit.gas import Gas
from contracts.kit.marks import Branch
from contracts.kit.usage import Ledger, Usage, percent
from contracts.vm.codes import ViewRefused
from contracts.vm.limits import VIEW_GAS_MAX
from contracts.vm.messages import Query
from contracts.vm.testing import GAS_LIMIT, CallFailed, Chain, account
from ledger.model import Receipt
from ledger.values import Value, encode_value
from tests import business
from tests.business import Business
from tests.fuzz_vm.compare import arguments_from, drawn

HEAD = (
    "from contracts.dialect import (\n    Map, call, call_contract, ctx, fail, require, view\n)\n"
)
FIRST = HEAD.count("\n") + 1  # line of what follows it


def watched(source: str, *, name: str = "c") -> tuple[KitChain, Usage]:
    ledger = Ledger()
    chain = KitChain(ledger)
    chain.deploy(name, source)
    (usage,) = ledger.named(name)
    return chain, usage


def spent(usages: Ledger) -> int:
    return sum(usage.lines_gas for usage in usages)


def beside(chain: Chain) -> int:
    assert isinstance(chain.machine, LineMachine)
    return chain.machine.beside


# --- it adds up --------------------------------------------------------------------------------


class Accountant(KitChain):
    """Compares every call with the same one without marks, and its gas with the sum of lines."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        super().__init__(self.ledger)
        self.checked = 0

    def block(
        self, calls: Sequence[tuple[str, str, str, Sequence[Value]]], *, gas_limit: int = GAS_LIMIT
    ) -> list[Receipt]:
        plain = KitChain(height=self.height, time_ms=self.time_ms)
        plain.state.update(self.state)
        plain._count = self._count
        before = spent(self.ledger)
        receipts = super().block(calls, gas_limit=gas_limit)
        assert receipts == plain.block(calls, gas_limit=gas_limit)
        assert spent(self.ledger) - before + beside(self) == receipts[0].gas_used
        assert plain.state == self.state
        self.checked += 1
        return receipts

    def deploy(
        self, name: str, source: str | Path, args: Sequence[Value] = (), *, by: str = ""
    ) -> Receipt:
        before = spent(self.ledger)
        receipt = super().deploy(name, source, args, by=by)
        assert by or spent(self.ledger) - before + beside(self) == receipt.gas_used
        return receipt

    def view(self, sender: str, contract: str, method: str, *args: Value) -> Value:
        before = spent(self.ledger)
        query = Query(address(sender), contract, method, encode_value([*args]), VIEW_GAS_MAX)
        viewed = self.machine.view(self.block_context(), query)
        assert spent(self.ledger) - before + beside(self) == viewed.gas_used
        return super().view(sender, contract, method, *args)


@pytest.mark.slow
def test_the_business_adds_up_and_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All system contracts, calling each other, with what they refuse on the way."""
    monkeypatch.setattr(business, "Chain", Accountant)
    monkeypatch.setattr(business, "deployed", business.deployed.__wrapped__)
    acting = Business()
    accountant = acting.chain
    assert isinstance(accountant, Accountant)
    acting.offered()
    assert acting.act("stranger", "task", "start", "t1").status != 0
    usages = {usage.contract: usage for usage in accountant.ledger}
    assert accountant.checked > 10
    assert usages["parties"].hits and usages["task"].taken and usages["catalog"].gas
    assert all(min(usage.gas.values(), default=0) >= 0 for usage in usages.values())


@pytest.mark.parametrize("number", range(8))
def test_drawn_programs_add_up_with_enough_gas_and_with_too_little(number: int) -> None:
    chain = Accountant()
    chain.deploy("program", drawn(number))
    rng = random.Random(number)
    for _ in range(3):
        arguments = arguments_from(rng)
        used = chain.call("alice", "program", "main", *arguments, gas_limit=300_000).gas_used
        for limit in (used - 1, rng.randrange(used), 1):
            chain.call("alice", "program", "main", *arguments, gas_limit=limit)
    (usage,) = chain.ledger
    assert usage.hits.keys() <= usage.map.lines
    assert usage.taken.keys() <= usage.map.branches


amounts = st.dictionaries(st.integers(1, 9), st.integers(-99, 99), max_size=4).map(Gas)


@given(amounts, amounts)
def test_amounts_count_like_ints_and_know_their_lines(first: Gas, second: Gas) -> None:
    for gas, number in (
        (first + second, int(first) + int(second)),
        (first - second, int(first) - int(second)),
    ):
        assert int(gas) == sum(gas.lines.values()) == number
    assert ((first - second) + second).lines == first.lines
    assert 0 + first is first and first + 0 is first
    assert (first == 0) is (not first.lines)


def test_gas_of_no_line_is_a_bug_of_the_compiler() -> None:
    with pytest.raises(TypeError, match="5 units of no line"):
        Gas({3: 4}) + 5


# --- it goes to the right lines ----------------------------------------------------------------


def test_each_way_of_an_if_pays_for_itself() -> None:
    """Both cost the same, so that the compiler charges them once, before the test."""
    chain, usage = watched(
        f"""{HEAD}
@view
def f(n: int) -> int:
    if n > 0:
        return 1 + n
    return 1 - n
""".replace("    return 1 - n", "    else:\n        return 1 - n")
    )
    chain.view("alice", "c", "f", -5)
    start = FIRST + 3
    assert (+usage.gas).keys() == {start, start + 3}
    assert usage.missed_lines == [start + 1]
    assert usage.missed_branches == [Branch(start, "true")]
    chain.view("alice", "c", "f", 5)
    assert usage.gas[start + 1] == usage.gas[start + 3]
    assert (usage.missed_lines, usage.missed_branches) == ([], [])


@pytest.mark.parametrize("turns", [0, 1, 7, 8, 5_000])
def test_paced_loops_pay_line_by_line_for_their_turns(turns: int) -> None:
    chain, usage = watched(
        f"""{HEAD}
@view
def f(n: int) -> int:
    total = 0
    for i in range(n):
        total += i
    return total
"""
    )
    chain.view("alice", "c", "f", turns)
    start = FIRST + 3
    assert usage.hits[start + 2] == turns
    assert usage.gas[start + 2] == 8 * turns
    assert usage.taken[Branch(start + 1, "exit")] == 1
    assert usage.taken[Branch(start + 1, "body")] == turns


def test_a_statement_over_several_lines_pays_where_its_parts_stand() -> None:
    chain, usage = watched(
        f"""{HEAD}
counts = Map(str, int)
@view
def f(n: int) -> list[int]:
    return [
        counts.get("a", 0)
        for i in range(n)
        if i % 2 == 0
    ]
"""
    )
    chain.view("alice", "c", "f", 4)
    start = FIRST + 4
    assert usage.map.lines == {start}
    assert usage.gas[start + 1] > 8_000 > usage.gas[start + 3] > 0


def test_functions_and_other_contracts_pay_in_their_own_lines() -> None:
    """Down through a helper into the other contract, and back into the middle of a line."""
    ledger = Ledger()
    chain = KitChain(ledger)
    chain.deploy(
        "low",
        f"""{HEAD}
kept = Map(str, int)
@call
def put(n: int) -> int:
    kept["x"] = n
    return n
""",
    )
    chain.deploy(
        "high",
        f"""{HEAD}
def down(n: int) -> int:
    return call_contract("low", "put", n, returns=int) + 1
@call
def go(n: int) -> int:
    return down(n) * down(n + 1)
""",
    )
    receipt = chain.call("alice", "high", "go", 3)
    low, high = ledger
    assert low.hits == {FIRST + 4: 2, FIRST + 5: 2}
    assert high.hits == {FIRST + 2: 2, FIRST + 5: 1}
    assert low.gas[FIRST + 4] > high.lines_gas > low.gas[FIRST + 5]
    assert low.lines_gas + high.lines_gas + high.beside == receipt.gas_used
    assert (low.calls, high.calls) == (0, 1)


def test_a_deployed_contract_that_nothing_calls_is_not_covered() -> None:
    _, usage = watched(f"{HEAD}\n@view\ndef f() -> int:\n    return 1\n")
    assert percent([usage]) == 0
    assert percent([]) == 100


def test_an_endless_loop_has_no_way_out_and_a_pass_is_no_statement() -> None:
    _, usage = watched(
        f"""{HEAD}
@view
def f(n: int) -> int:
    while True:
        if n > 3:
            pass
        else:
            return n
        n -= 1
"""
    )
    start = FIRST + 3
    assert usage.map.lines == {start, start + 1, start + 4, start + 5}
    assert usage.map.branches == {
        Branch(start, "body"),
        Branch(start + 1, "true"),
        Branch(start + 1, "false"),
    }


# --- others that trace -------------------------------------------------------------------------


def test_the_trace_function_of_before_goes_on_and_comes_back() -> None:
    """It sees the machine's functions and none of the contract's, also when one fails."""
    chain, _ = watched(f"{HEAD}\n@view\ndef f() -> int:\n    return 1 // 0\n")
    seen: set[str] = set()

    def debugger(frame: FrameType, event: str, argument: Any) -> Any:
        seen.add(f"{event} {frame.f_code.co_name}")
        return debugger

    before = sys.gettrace()
    sys.settrace(debugger)
    try:
        with pytest.raises(ViewRefused):
            chain.view("alice", "c", "f")
        after = sys.gettrace()
    finally:
        sys.settrace(before)
    assert after is debugger
    assert {"call _run", "line _run", "exception _run", "return set_context"} <= seen
    assert not any("__f_" in name for name in seen)


# --- the fixture's chain -----------------------------------------------------------------------


def test_what_fails_says_why() -> None:
    chain = KitChain()
    with pytest.raises(CallFailed, match=r"deployment of c: check_failed: 1:0 L003"):
        chain.deploy("c", "import os\n")
    chain.deploy("c", f"{HEAD}\n@call\ndef f() -> int:\n    return 1 // 0\n")
    assert chain.refusal("alice", "c", "f") == "division by zero"
    chain.deploy("d", f"{HEAD}\n@call\ndef f() -> int:\n    return 1\n")
    with pytest.raises(CallFailed, match=r"d\.f succeeded; it was to be refused"):
        chain.refusal("alice", "d", "f")


def test_senders_are_names_addresses_or_contracts() -> None:
    chain = KitChain()
    chain.deploy("c", f"{HEAD}\n@view\ndef who() -> str:\n    return ctx.sender\n")
    for sender in (account("alice"), "contract:other"):
        assert chain.view(sender, "c", "who") == sender
    assert chain.view("alice", "c", "who") == account("alice")


def test_an_upgrade_needs_who_the_chain_says(tmp_path: Path) -> None:
    chain = KitChain()
    chain.parties(bureau="manager", opco=["operator"], lab="tech_provider")
    old, new = (f"{HEAD}\n@view\ndef f() -> int:\n    return {number}\n" for number in (1, 2))
    (tmp_path / "c.py").write_text(old)
    chain.deploy("c", tmp_path / "c.py", by="lab")
    with pytest.raises(CallFailed, match="the upgrade of c waits for"):
        chain.upgrade("c", new, "lab")
    chain.must("lab", "contract", "withdraw", "c", 2, "a slip")
    chain.upgrade("c", new, "lab", "bureau", "opco")
    assert chain.view("anybody", "c", "f") == 2
