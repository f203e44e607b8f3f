"""The ways to be linked that `make bench-net` compares, each as a dialer and as one who answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import trio

from bench.borrowed import noise
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from crypto.smtls import TlsIdentity
from crypto.x509.make import make_leaf, make_root
from crypto.x509.profile import Role, Subject
from crypto.x509.read import read_certificate
from p2p.frames import FrameDecoder, encode_header
from p2p.identity import generate_seed, peer_id_of
from p2p.network import Channel, Network, PeerAddress
from p2p.security import SecurityFactory
from p2p.tls.policy import TransportPolicy
from p2p.tls.transport import sm_tls

OURS, NOISE, PLAIN = "TLS 1.3, SM4-GCM-SM3", "Noise", "plain TCP"
WAYS = (OURS, NOISE, PLAIN)
RECEIPT = b"received"

_ANY = "/ip4/127.0.0.1/tcp/0"
_FRAME_MAX = 16 << 20


class Ends(Protocol):
    """Our end of a link."""

    async def send_vote(self, body: bytes) -> None: ...
    async def receive_vote(self) -> bytes: ...
    async def send_block(self, body: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Sides:
    """Keys and certificates of the dialer and of the one who answers, made for this run."""

    seeds: tuple[bytes, bytes]
    identities: tuple[TlsIdentity, TlsIdentity]
    policy: TransportPolicy

    def security(self, name: str, side: int) -> SecurityFactory:
        return sm_tls(self.identities[side], self.policy) if name == OURS else noise


def make_sides() -> Sides:
    now = datetime.now(UTC)
    authority = SoftwareProvider(sm2.generate())
    root = read_certificate(make_root(authority, "bench", "bench-ca", now))
    dialer, answerer = sorted((generate_seed(), generate_seed()), key=peer_id_of)
    identities = []
    for seed in (dialer, answerer):
        private = sm2.generate()
        subject = Subject("bench", "node", Role.NODE, peer_id_of(seed))
        leaf = make_leaf(authority, root, subject, sm2.public_key(private), now)
        identities.append(TlsIdentity(read_certificate(leaf), private))
    organizations = {peer_id_of(seed): "bench" for seed in (dialer, answerer)}
    return Sides(
        (dialer, answerer),
        (identities[0], identities[1]),
        TransportPolicy((root,), frozenset(), organizations),
    )


@asynccontextmanager
async def dialing(sides: Sides, name: str, address: str) -> AsyncIterator[Ends]:
    """Our end of a link to the one who answers at `address`, once it is there."""
    if name == PLAIN:
        host, port = address.split()
        async with (
            await trio.open_tcp_stream(host, int(port)) as votes,
            await trio.open_tcp_stream(host, int(port)) as blocks,
        ):
            yield PlainEnds(votes, blocks)
        return
    own, other = sides.seeds
    table = {"other": PeerAddress(peer_id_of(other), address)}
    network = Network(own, listen=_ANY, peers=table, security=sides.security(name, 0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.run)
        await network.wait_change(frozenset())
        yield LinkEnds(network, peer_id_of(other))
        nursery.cancel_scope.cancel()


async def answer(sides: Sides, name: str, tell: Callable[[str], None]) -> None:
    """Sends votes back and receipts for blocks, for ever; `tell` gets the address."""
    if name == PLAIN:
        await _answer_plainly(tell)
        return
    other, own = sides.seeds
    table = {"dialer": PeerAddress(peer_id_of(other), "")}
    network = Network(own, listen=_ANY, peers=table, security=sides.security(name, 1))

    async def votes() -> None:
        async for frame in network.incoming(Channel.VOTES):
            network.send(frame.peer_id, Channel.VOTES, frame.body)

    async def blocks() -> None:
        async for frame in network.incoming(Channel.BLOCKS):
            network.send(frame.peer_id, Channel.VOTES, RECEIPT)

    async with trio.open_nursery() as nursery:
        tell(await nursery.start(network.run))
        nursery.start_soon(votes)
        nursery.start_soon(blocks)


class LinkEnds:
    """Over the links of a node."""

    def __init__(self, network: Network, peer_id: str) -> None:
        self._network = network
        self._peer_id = peer_id

    async def send_vote(self, body: bytes) -> None:
        assert self._network.send(self._peer_id, Channel.VOTES, body)

    async def receive_vote(self) -> bytes:
        return (await self._network.incoming(Channel.VOTES).receive()).body

    async def send_block(self, body: bytes) -> None:
        assert self._network.send(self._peer_id, Channel.BLOCKS, body)


class PlainEnds:
    """Over two sockets."""

    def __init__(self, votes: trio.SocketStream, blocks: trio.SocketStream) -> None:
        self._votes = votes
        self._blocks = blocks
        self._received = _frames(votes)

    async def send_vote(self, body: bytes) -> None:
        await self._votes.send_all(encode_header(len(body)) + body)

    async def receive_vote(self) -> bytes:
        return await anext(self._received)

    async def send_block(self, body: bytes) -> None:
        await self._blocks.send_all(encode_header(len(body)) + body)


async def _answer_plainly(tell: Callable[[str], None]) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    host, port = listener.socket.getsockname()[:2]
    tell(f"{host} {port}")
    async with await listener.accept() as votes, await listener.accept() as blocks:
        writing = trio.Lock()

        async def say(body: bytes) -> None:
            async with writing:
                await votes.send_all(encode_header(len(body)) + body)

        async def give_receipts() -> None:
            async for _ in _frames(blocks):
                await say(RECEIPT)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(give_receipts)
            async for body in _frames(votes):
                await say(body)


async def _frames(stream: trio.SocketStream) -> AsyncIterator[bytes]:
    decoder = FrameDecoder(frame_size_max=_FRAME_MAX, has_control=False)
    async for data in stream:
        for event in decoder.feed(bytes(data)):
            assert isinstance(event, bytes)
            yield event
