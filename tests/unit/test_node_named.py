"""What a faulty primary names: judged before it is fetched, at hand if others may have prepared
it, and never held against the next primary."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from ledger.genesis import Limits
from ledger.model import Proposal, transaction_id
from tests.node_world import quick_clock
from tests.unit.test_node_transactions import Exchange, now_ms, validate


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path)


async def test_a_proposal_of_too_many_is_refused_before_any_is_fetched(
    exchange: Exchange, clock: MockClock
) -> None:
    count = Limits().block_transactions_max + 1
    proposal = Proposal(
        1, tuple(number.to_bytes(32, "big") for number in range(count)), 1, now_ms()
    )
    began = trio.current_time()
    assert not await exchange.unit.validate(validate(proposal))
    assert trio.current_time() == began
    assert exchange.heard(1) == []


async def test_fetching_ends_when_what_came_exceeds_the_block(
    exchange: Exchange, clock: MockClock
) -> None:
    """What does not fit must not fill the memory of who judges it, one frame after the other."""
    size = 400_000
    named = [exchange.transaction(size=size) for _ in range(30)]
    verdicts: list[bool] = []

    async def ask() -> None:
        verdicts.append(await exchange.unit.validate(validate(exchange.proposal(named))))

    with capture_logs():
        async with exchange.receiving(), trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            for transaction in named[:-2]:
                await trio.sleep(0.1)
                exchange.offers(1, transaction)
    assert verdicts == [False]
    assert exchange.pool.size < Limits().block_size_max + 6 * size


UNFIT: dict[str, dict[str, int]] = {
    "more gas than any block has": {"gas_limit": 10**12},
    "negative gas": {"gas_limit": -5},
    "no gas": {"gas_limit": 0},
    "valid for ever": {"valid_until": 1 << 60},
    "larger than the limits": {"size": Limits().transaction_size_max + 1},
}


@pytest.mark.parametrize("kind", UNFIT)
async def test_what_a_faulty_primary_names_is_not_held_against_the_next_one(
    exchange: Exchange, clock: MockClock, kind: str
) -> None:
    """It waits nowhere and holds nothing up: or one faulty primary would stop an idle chain for
    good, or have every later one make block after block that leaves the same transaction out."""
    unfit, good = exchange.transaction(**UNFIT[kind]), exchange.transaction()
    proposal = exchange.proposal([unfit])
    verdicts: list[bool] = []

    async def ask() -> None:
        verdicts.append(await exchange.unit.validate(validate(proposal)))

    async with exchange.receiving(), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(0.1)
        exchange.offers(1, unfit)
    assert verdicts == [kind != "more gas than any block has"]
    assert transaction_id(unfit) in exchange.pool, "others may have prepared it"
    limits, nowhere = exchange.rulebook.at(1), lambda wanted: False
    assert exchange.pool.oldest_age(99, nowhere) is None
    exchange.unit.hold([exchange.admitted(good)])
    chosen = exchange.pool.select(
        nowhere,
        count_max=limits.block_transactions_max,
        bytes_max=limits.block_size_max,
        gas_max=limits.block_gas_max,
    )
    assert chosen == [transaction_id(good)]
