"""Networks in one process over loopback sockets, and peers that do as they please."""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from libp2p.peer.id import ID
from libp2p.stream_muxer.yamux.yamux import Yamux
from structlog.typing import EventDict

from crypto.smtls import TlsIdentity
from crypto.x509.profile import Role, Subject
from p2p.address import parse_address
from p2p.connect import ChannelStream, Connector
from p2p.identity import key_pair_of, peer_id_of
from p2p.listen import IpRange
from p2p.network import Channel, Network, NetworkLimits, PeerAddress
from p2p.security import SecurityFactory
from p2p.tls.policy import TransportPolicy
from p2p.tls.transport import sm_tls
from tests.smtls_world import clock, identity
from tests.x509_world import Org, organization

if TYPE_CHECKING:
    from trio_typing import TaskStatus

ANY_PORT = "/ip4/127.0.0.1/tcp/0"
TEST_S = 60.0  # they take seconds; on a crowded machine a few times that
QUICK = NetworkLimits(heartbeat_s=0.2, retry_first_s=0.05, retry_max_s=0.2)
SEEDS = sorted((bytes([number]) * 32 for number in range(1, 8)), key=peer_id_of)


@functools.cache
def org() -> Org:
    """The organization of all nodes here."""
    return organization("org1", now=clock())


@functools.cache
def tls_identity(seed: bytes, serial: int = 0) -> TlsIdentity:
    """A certificate of `org` for this network key; another one for each `serial`."""
    del serial
    return identity(org(), subject(seed))


def subject(seed: bytes) -> Subject:
    return Subject("org1", "n1", Role.NODE, peer_id_of(seed))


@functools.cache
def policy() -> TransportPolicy:
    """Every seed is a node of `org`."""
    return TransportPolicy((org().root,), frozenset(), {peer_id_of(s): "org1" for s in SEEDS})


def tls_of(seed: bytes) -> SecurityFactory:
    return sm_tls(tls_identity(seed), policy())


def node(
    number: int,
    *,
    listen: str = ANY_PORT,
    limits: NetworkLimits = QUICK,
    security: SecurityFactory | None = None,
    allowed_ranges: Sequence[IpRange] = (),
) -> Network:
    """A network that nobody may talk to yet. Lower numbers have lower peer ids, so they dial."""
    return Network(
        SEEDS[number],
        listen=listen,
        peers={},
        limits=limits,
        security=security or tls_of(SEEDS[number]),
        allowed_ranges=allowed_ranges,
    )


def table(*networks: Network) -> dict[str, PeerAddress]:
    return {
        f"node{index}": PeerAddress(network.peer_id, network.listen_address)
        for index, network in enumerate(networks)
    }


def introduce(*networks: Network) -> None:
    for network in networks:
        network.update_allow_list(table(*networks))


async def linked(network: Network, *peers: Network) -> None:
    """Returns when `network` is linked with exactly `peers`."""
    wanted = {peer.peer_id for peer in peers}
    known = network.connected()
    while known != wanted:
        known = await network.wait_change(known)


async def all_linked(*networks: Network) -> None:
    for network in networks:
        await linked(network, *(other for other in networks if other is not network))


@asynccontextmanager
async def running(*networks: Network) -> AsyncIterator[None]:
    """Runs the networks while the block runs; then nothing of them may be left."""
    before = leftovers()
    with trio.fail_after(TEST_S):
        async with trio.open_nursery() as nursery:
            for network in networks:
                await nursery.start(start_of(network))
            yield
            nursery.cancel_scope.cancel()
    assert all(network.connected() == frozenset() for network in networks)
    assert leftovers() == before


def start_of(network: Network) -> Callable[..., Awaitable[None]]:
    async def start(*, task_status: TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        await network.run(task_status=task_status)

    return start


def leftovers() -> tuple[int, int]:
    """Living tasks and open sockets of this process."""
    sockets = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            sockets += os.readlink(entry).startswith("socket:")
        except FileNotFoundError:
            continue  # the directory's own descriptor
    return trio.lowlevel.current_statistics().tasks_living, sockets


async def receive(network: Network, channel: Channel) -> tuple[str, bytes]:
    frame = await network.incoming(channel).receive()
    return frame.peer_id, frame.body


async def until(condition: Callable[[], bool]) -> None:
    """For counters, which nobody announces; the test's own deadline bounds it."""
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.01)


def warnings_of(logs: Sequence[EventDict]) -> list[EventDict]:
    return [entry for entry in logs if entry["log_level"] in ("warning", "error", "critical")]


@dataclass(frozen=True, slots=True)
class Hostile:
    """Somebody with an allowed identity who speaks the protocol, but writes what he likes."""

    streams: dict[Channel, ChannelStream]
    muxed: Yamux

    async def until_closed(self) -> None:
        try:
            while True:
                await self.streams[Channel.VOTES].read(1024)
        except Exception:  # however the library says so
            return


def connector_of(seed: bytes, *, security: SecurityFactory | None = None) -> Connector:
    """Dials as the node with this seed, and speaks with everybody."""
    chosen = security or tls_of(seed)
    return Connector(chosen(key_pair_of(seed), lambda _: True), timeout_s=3.0)


@asynccontextmanager
async def hostile(victim: Network, seed: bytes) -> AsyncIterator[Hostile]:
    connection = await connector_of(seed).dial(
        parse_address(victim.listen_address), ID.from_base58(victim.peer_id)
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.muxed.start)
        await connection.muxed.event_started.wait()
        yield Hostile(
            streams={channel: await connection.open_stream(channel.value) for channel in Channel},
            muxed=connection.muxed,
        )
        nursery.cancel_scope.cancel()
    await connection.close()


@asynccontextmanager
async def running_inside(network: Network) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(start_of(network))
        yield
        nursery.cancel_scope.cancel()
