"""Loops that pay ahead and locals that need no check: same results, same gas, no way around."""

from __future__ import annotations

import ast

import pytest

from contracts.vm import prices
from contracts.vm.testing import Chain, account
from contracts.vm.widths import INT_BITS, local_widths
from ledger.values import decode_value, encode_value

HEAD = "from contracts.dialect import call, require\n"
ALICE = account("alice")


def chain_of(body: str, head: str = "def main(n: int) -> int:", before: str = "") -> Chain:
    chain = Chain()
    receipt = chain.deploy("loops", f"{HEAD}{before}@call\n{head}\n{body}")
    assert receipt.status == 0, receipt.detail
    return chain


def gas(chain: Chain, turns: int) -> int:
    receipt = chain.call(ALICE, "loops", "main", turns)
    assert receipt.status == 0, receipt.detail
    return receipt.gas_used


SUM = "    t = 0\n    for i in range(n):\n        t += i\n    return t\n"
BRANCH = (
    "    t = 0\n    for i in range(n):\n        if i % 2 == 0:\n            t += i * i\n"
    "        else:\n            t -= 1\n    return t\n"
)


@pytest.mark.parametrize("turns", [0, 1, 2, 171, 172, 173, 174, 345, 346, 347, 1000, 5000])
def test_every_turn_costs_the_same(turns: int) -> None:
    chain = chain_of(SUM)
    one = gas(chain, 1) - gas(chain, 0)
    # Beside the turns only the sizes of the number in and of the sum out differ.
    argument = len(encode_value([turns])) - len(encode_value([0]))
    result = len(encode_value(turns * (turns - 1) // 2)) - len(encode_value(0))
    sizes = argument * prices.GAS_ARGUMENT_BYTE + result * prices.GAS_RESULT_BYTE
    assert gas(chain, turns) == gas(chain, 0) + turns * one + sizes


def test_a_loop_that_can_be_left_costs_as_much_as_one_that_pays_ahead() -> None:
    """`break` forbids paying ahead; in every turn both loops do the same but for the test."""
    leaves = chain_of(SUM.replace("t += i\n", "t += i\n        if i < 0:\n            break\n"))
    stays = chain_of(SUM.replace("t += i\n", "t += i\n        if i < 0:\n            t += 0\n"))
    for turns in (0, 1, 50, 400):
        assert gas(leaves, turns) == gas(stays, turns)


@pytest.mark.parametrize("hashes", [1, 5, 8])
def test_turns_too_dear_to_pay_ahead_for_many_are_counted_one_by_one(hashes: int) -> None:
    hashed = "        d = sm3(d)\n" * hashes
    loop = f"    d = b''\n    for i in range(n):\n{hashed}    return len(d)\n"
    before = "from contracts.dialect import sm3\n"
    chain = chain_of(loop, before=before)
    one = gas(chain, 2) - gas(chain, 1)
    assert one > hashes * prices.GAS_SM3
    assert gas(chain, 30) == gas(chain, 1) + 29 * one
    refused = chain_of(
        loop.replace("d = sm3", "require(i < 3, 'no')\n        d = sm3", 1), before=before
    )
    failed = refused.call(ALICE, "loops", "main", 30)
    assert failed.error == "refused"
    assert (failed.gas_used < gas(refused, 3) + one) is (hashes > 1), "no turn is paid ahead"


def test_a_loop_without_enough_gas_runs_out_whatever_its_length() -> None:
    chain = chain_of(SUM)
    for turns in (10**6, 2**63, 2**64, 2**255):
        receipt = chain.call(ALICE, "loops", "main", turns, gas_limit=100_000)
        assert (receipt.error, receipt.gas_used) == ("out_of_gas", 100_000)


def test_exactly_enough_gas_is_enough() -> None:
    chain = chain_of(BRANCH)
    for turns in (1, 60, 700):
        needed = gas(chain, turns)
        receipts = [
            chain.call(ALICE, "loops", "main", turns, gas_limit=limit)
            for limit in (needed, needed - 1)
        ]
        assert [receipt.error for receipt in receipts] == ["", "out_of_gas"]


def test_a_failing_loop_has_paid_a_bounded_part_ahead() -> None:
    chain = chain_of(SUM.replace("t += i", "require(i < 3, 'no')"))
    receipt = chain.call(ALICE, "loops", "main", 10**6)
    assert (receipt.error, receipt.gas_used < 2_000 + 500 + 8_000) == ("refused", True)


@pytest.mark.parametrize("turns", [0, 1, 7, 500])
def test_branches_and_steps_mean_what_they_mean_in_python(turns: int) -> None:
    chain = chain_of(BRANCH.replace("range(n)", "range(n, 0 - n, 0 - 3)"))
    expected = 0
    for i in range(turns, -turns, -3):
        expected += i * i if i % 2 == 0 else -1
    receipt = chain.call(ALICE, "loops", "main", turns)
    assert decode_value(receipt.return_value) == expected


def test_continue_goes_on_within_its_part() -> None:
    chain = chain_of(SUM.replace("t += i", "if i % 3 > 0:\n            continue\n        t += i"))
    receipt = chain.call(ALICE, "loops", "main", 1000)
    assert decode_value(receipt.return_value) == sum(range(0, 1000, 3))


# --- widths ------------------------------------------------------------------------------------


def widths(body: str, **constants: int) -> dict[str, int]:
    tree = ast.parse(f"def f(n, m):\n{body}")
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    return local_widths(function, constants)


@pytest.mark.parametrize(
    "body",
    [
        "  t = n",
        "  t = 1\n  while n > 0:\n    t = t * 2",
        "  t = 1\n  while n > 0:\n    t += t",
        "  a = 0\n  t = 1\n  while n > 0:\n    a, t = t, a + t",
        "  a = 0\n  t = 1\n  while n > 0:\n    a += t\n    t += a",
        "  t = 0\n  for x in xs:\n    t += x",
        "  t = 0\n  t += n",
        "  t = 2 ** 255",
        "  t = 1 << 200",
        "  t = -n",
        "  t = n // 3",
        "  t = 7 % n",
        "  for t in xs:\n    pass",
        "  for i, t in enumerate(xs):\n    pass",
        "  (t, u) = pair",
        "  t = f()",
        "  t = 1\n  for i in range(n):\n    t = i * i * i * i * i",
        "  t = 3\n  u = [t for t in xs]",
    ],
)
def test_what_may_reach_the_bound_is_not_called_small(body: str) -> None:
    assert "t" not in widths(body)


@pytest.mark.parametrize(
    ("body", "width"),
    [
        ("  t = 7", 3),
        ("  t = 7\n  t = n % 100", 7),
        ("  for t in range(n):\n    pass", 64),
        ("  t = 0\n  for i in range(n):\n    t += i", 64 + 64 + 1),
        ("  t = 0\n  for i in range(n):\n    t = t - i % 3", 2 + 64 + 1),
        ("  t = LIMIT", 10),
        ("  t = len(xs) + 1", 21),
    ],
)
def test_what_stays_small(body: str, width: int) -> None:
    found = widths(body, LIMIT=1000)
    assert found["t"] == width < INT_BITS


def test_long_chains_of_names_are_given_up_and_taken_as_large() -> None:
    body = "".join(f"  v{i} = v{i + 1}\n" for i in range(50)) + "  v50 = 2\n"
    assert widths(body) == {}, "many passes would pay for nothing"


@pytest.mark.parametrize(
    "body",
    [
        "    t = 1\n    while True:\n        t = t * 2\n",
        "    t = 1\n    while True:\n        t += t\n",
        "    a = 0\n    t = 1\n    while True:\n        a, t = t, a + t\n",
        "    a = 0\n    t = 1\n    while True:\n        a += t\n        t += a\n",
        "    t = n\n    for i in range(1000):\n        t += n\n    return t\n",
        "    t = n\n    for i in range(1000):\n        t = t - n * 2\n    return t\n",
    ],
)
def test_growth_beyond_the_bound_is_stopped_at_the_bound(body: str) -> None:
    chain = chain_of(body)
    receipt = chain.call(ALICE, "loops", "main", 2**250)
    assert (receipt.error, receipt.detail) == ("arithmetic", "an integer beyond +-2**256")
