"""The transfer workload moves units and makes none."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.vm.codes import Code
from contracts.vm.testing import Chain, account
from ledger.values import Value

SOURCE = Path(__file__).parents[2] / "bench" / "contracts" / "transfer.py"


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.deploy("transfer", SOURCE.read_text(encoding="ascii"), [[[account("a"), 100]]])
    return chain


def balance(chain: Chain, who: str) -> object:
    return chain.view(account("a"), "transfer", "balance", account(who))


def test_a_transfer_moves_units(chain: Chain) -> None:
    chain.must(account("a"), "transfer", "transfer", account("b"), 30)
    assert (balance(chain, "a"), balance(chain, "b")) == (70, 30)
    assert chain.view(account("a"), "transfer", "total") == 100


def test_a_transfer_to_oneself_changes_nothing(chain: Chain) -> None:
    chain.must(account("a"), "transfer", "transfer", account("a"), 30)
    assert balance(chain, "a") == 100


@pytest.mark.parametrize("amount", [0, -1, 101])
def test_nobody_moves_what_is_not_there(chain: Chain, amount: int) -> None:
    receipt = chain.call(account("a"), "transfer", "transfer", account("b"), amount)
    assert receipt.status == Code.refused
    assert receipt.detail.startswith("transfer.insufficient: ")
    assert (balance(chain, "a"), balance(chain, "b")) == (100, 0)


def test_the_faucet_gives_once(chain: Chain) -> None:
    chain.must(account("b"), "transfer", "faucet")
    receipt = chain.call(account("b"), "transfer", "faucet")
    assert receipt.detail.startswith("transfer.funded: ")
    assert balance(chain, "b") == 10**6
    assert chain.view(account("a"), "transfer", "total") == 10**6 + 100


@pytest.mark.parametrize("amount", [0, -1, 10**18 + 1])
def test_a_mint_out_of_bounds_is_not_deployed(amount: int) -> None:
    chain = Chain()
    holders: list[Value] = [[account("a"), amount]]
    receipt = chain.deploy("transfer", SOURCE.read_text(encoding="ascii"), [holders])
    assert receipt.detail.startswith("transfer.supply: ")
    receipt = chain.call(account("a"), "transfer", "faucet")
    assert receipt.status == Code.unknown_contract
