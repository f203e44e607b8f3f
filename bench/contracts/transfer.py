"""Units that accounts move among each other: the transfer workload of the benchmarks.

A transfer is what fabric, FISCO and others measure: two balances read, two written, one event.
The faucet gives each account its units once, so that a load generator can fund itself.
"""

from __future__ import annotations

from contracts.dialect import Map, Var, call, ctx, emit, init, require, view

UNITS_MAX = 10**18  # sums of all balances stay far inside the integers of the dialect
FAUCET_UNITS = 10**6  # more than a run of the load generator moves

supply = Var(int)
balances = Map(str, int)


@init
def setup(holders: list[tuple[str, int]]) -> None:
    """Mints the first units: (account, amount) of each holder."""
    for account, amount in holders:
        mint(account, amount)


@call
def faucet() -> None:
    """Mints units for the sender, once."""
    require(ctx.sender not in balances, "transfer.funded: this account has had its units")
    mint(ctx.sender, FAUCET_UNITS)


@call
def transfer(to: str, amount: int) -> None:
    """Moves units of the sender."""
    have = balances.get(ctx.sender, 0)
    require(0 < amount <= have, "transfer.insufficient: move 1 up to what you have")
    balances[ctx.sender] = have - amount
    balances[to] = balances.get(to, 0) + amount
    emit("Transfer", source=ctx.sender, target=to, amount=amount)


@view
def balance(account: str) -> int:
    """The units of an account."""
    return balances.get(account, 0)


@view
def total() -> int:
    """All units there are: transfers never change it."""
    return supply.get(0)


def mint(account: str, amount: int) -> None:
    total_units = supply.get(0) + amount
    require(amount > 0 and total_units <= UNITS_MAX, "transfer.supply: mint 1 unit up to 10**18")
    supply.set(total_units)
    balances[account] = balances.get(account, 0) + amount
    emit("Mint", account=account, amount=amount)
