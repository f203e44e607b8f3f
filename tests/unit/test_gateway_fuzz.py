"""The gateway before drawn bytes: hung up on by a name, and an honest client is served."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import trio

from crypto.smtls import TlsRefused
from tests.fuzz_api import raw
from tests.gateway_world import (
    LIMITS,
    GatewayWorld,
    Running,
    Wiretap,
    echo,
    eventually,
    listening,
    running,
)
from tests.record_draws import damaged

TRIES = 60
SAID = b"an honest word"
# Neither an exception that nobody awaited nor a name that nobody knows may end a connection.
UNKNOWN = {"", "unknown", "error", "internal"}


@pytest.fixture
def world(tmp_path: Path) -> GatewayWorld:
    return GatewayWorld(tmp_path / "gateway")


async def _is_served(run: Running, world: GatewayWorld) -> bool:
    stream = await run.dial(world.trust())
    await stream.send_all(SAID)
    answer = await stream.receive_some()
    await stream.aclose()
    return bytes(answer) == SAID


def _refusals(run: Running) -> int:
    assert not UNKNOWN & set(run.tally.refused) and not UNKNOWN & set(run.tally.ended)
    return sum(run.tally.refused.values())


@pytest.mark.parametrize("seed", range(2))
async def test_flights_of_a_handshake_that_are_damaged_are_refused_by_name(
    world: GatewayWorld, seed: int
) -> None:
    """Cut, longer, flipped, mixed with noise: what OpenSSL is given is what an attacker chose."""
    random = Random(seed)
    limits = replace(LIMITS, handshake_s=0.3)
    async with listening(echo) as node, running(world.config(node, limits=limits)) as run:
        tap = Wiretap(run.place, alter=lambda data: damaged(random, data))
        through = 0
        async with listening(tap) as place:
            for _ in range(TRIES):
                with trio.move_on_after(1):
                    try:
                        stream = await run.dial(world.trust(), port=int(place.rpartition(":")[2]))
                    except (TlsRefused, trio.BrokenResourceError, trio.ClosedResourceError):
                        continue
                    through += 1  # damage that was none, or came behind what counts
                    await stream.aclose()
        assert through < TRIES / 4
        await eventually(lambda: not run.tally.open)
        assert _refusals(run) >= TRIES / 2
        assert await _is_served(run, world)


@pytest.mark.parametrize("seed", range(2))
async def test_drawn_bytes_are_hung_up_on_and_an_honest_client_is_served(
    world: GatewayWorld, seed: int
) -> None:
    random = Random(seed)
    limits = replace(LIMITS, handshake_s=0.3)
    async with listening(echo) as node, running(world.config(node, limits=limits)) as run:
        for _ in range(TRIES):
            await trio.to_thread.run_sync(raw.send, random, "127.0.0.1", run.port)
        await eventually(lambda: not run.tally.open)
        assert _refusals(run) == TRIES and not run.tally.accepted
        assert await _is_served(run, world)
