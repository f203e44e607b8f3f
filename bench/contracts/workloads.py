"""What `make bench-vm` runs: a transfer, each host call by itself, loops and texts.

`pure` methods touch nothing but their arguments, so that plain Python can run this very source.
"""

from __future__ import annotations

from contracts.dialect import Map, call, call_contract, ctx, emit, require, sm3, view_contract

START_UNITS = 10**6

members = Map(str, bool)
balances = Map(str, int)
counters = Map(int, int)


@call
def join() -> None:
    members[ctx.sender] = True
    balances[ctx.sender] = START_UNITS


@call
def transfer(to: str, amount: int) -> None:
    """A permission, three reads, two writes, one event."""
    require(members.get(ctx.sender, False), "transfer.member: join first")
    have = balances.get(ctx.sender, 0)
    require(0 < amount <= have, "transfer.insufficient: move 1 up to what you have")
    balances[ctx.sender] = have - amount
    balances[to] = balances.get(to, 0) + amount
    emit("Transfer", source=ctx.sender, target=to, amount=amount)


# --- host calls: each method does one thing `count` times ---------------------------------------


@call
def empty(count: int) -> None:
    """What the others cost without their call."""
    for _place in range(count):
        pass


@call
def reads(first: int, count: int) -> None:
    for place in range(first, first + count):
        counters.get(place, 0)


@call
def writes(count: int) -> None:
    require(ctx.sender != "", "writes.sender: somebody calls")
    for place in range(count):
        counters[place] = place


@call
def emits(count: int) -> None:
    for place in range(count):
        emit("Seen", place=place)


@call
def digests(count: int) -> None:
    for _place in range(count):
        sm3(b"a message of no more than 55 bytes: one block of SM3")


@call
def calls(count: int) -> None:
    for place in range(count):
        call_contract("peer", "touch", place, returns=int)


@call
def views(count: int) -> None:
    for place in range(count):
        view_contract("peer", "look", place, returns=int)


# --- pure --------------------------------------------------------------------------------------


@call
def loop(count: int) -> int:
    """Integers, a branch, `count` turns: the loop workload."""
    total = 0
    for place in range(count):
        if place % 3 == 0:
            total += place * place
        else:
            total -= place // 2
    return total


@call
def sum_loop(items: list[int]) -> int:
    """Sums what is not known to be small: every sum is checked against the bound of an int."""
    total = 0
    for item in items:
        total += item
    return total


@call
def while_loop(count: int) -> int:
    """Digits of a number, again and again: a loop that nobody counts beforehand."""
    total = 0
    rest = count
    while rest > 0:
        total += rest % 10
        rest = rest - 1
    return total


@call
def texts(words: list[str]) -> str:
    """Counts words: strings, a list, a dict."""
    counts: dict[str, int] = {}
    kept: list[str] = []
    for word in words:
        name = word.lower() + "/" + str(len(word))
        counts[name] = counts.get(name, 0) + 1
        if word.startswith("a"):
            kept.append(name)
    return ",".join(kept) + str(len(counts))
