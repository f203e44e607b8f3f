"""Peers of a joining node in memory: honest ones serve a real ledger, others lie as told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from crypto.smtls import TlsIdentity
from crypto.x509.read import Certificate
from ledger.encoding import decode, encode
from ledger.model import TAG_TRANSACTION, Transaction, TransactionBody
from ledger.snapshot_file import SnapshotReader
from ledger.store import Store
from node.statesync.keeper import changes_up_to
from node.statesync.messages import (
    Ask,
    Offer,
    Offers,
    Status,
    Told,
    What,
    decode_message,
    encode_message,
)
from node.statesync.serve import past_run
from p2p.limits import Channel
from p2p.network import Frame, PeerAddress
from p2p.tls.policy import TransportPolicy
from tests.ledger_world import World, committee, fake_sign
from tests.pruned_world import LIMITS
from tests.snapshot_world import write_snapshot

if TYPE_CHECKING:
    from trio_typing import TaskStatus

CHUNK = 300  # bytes

Answer = Callable[[Ask], Told | None]  # None: silence


def signed(transaction: Transaction) -> Transaction:
    body = decode(transaction.body, TransactionBody, size_max=1 << 20)
    return Transaction(transaction.body, fake_sign(body.sender, TAG_TRANSACTION + transaction.body))


def grown(path: Path, heights: int, *, sizes: Mapping[int, int] | None = None) -> World:
    """A certified ledger whose transactions are signed; see pruned_world.grown."""
    world = World(path, limits=LIMITS)
    grow(world, heights, sizes=sizes)
    return world


def grow(world: World, heights: int, *, sizes: Mapping[int, int] | None = None) -> None:
    for height in range(world.store.height + 1, world.store.height + heights + 1):
        valid_until = height + world.random.randrange(LIMITS.valid_window + 1)
        size = (sizes or {}).get(height)
        world.include(
            [signed(world.transaction(valid_until=valid_until)) for _ in range(2)],
            world.writes(4),
            decides=committee(size) if size else None,
        )
        world.certify(height)


@dataclass
class Served:
    """A store and one snapshot of it, as an honest node serves them."""

    store: Store
    snapshot: SnapshotReader
    asked: list[What] = field(default_factory=list)

    @property
    def offer(self) -> Offer:
        return Offer(self.snapshot.manifest.height, self.snapshot.digest)

    def offers(self) -> Offers:
        return Offers(self.store.base, self.store.certified_height, (self.offer,))

    def __call__(self, ask: Ask) -> Told:
        self.asked.append(What(ask.what))
        match What(ask.what):
            case What.OFFERS:
                return Told(ask.number, Status.HERE, encode(self.offers()))
            case What.PAST:
                data = past_run(self.store, ask.place)
            case What.MANIFEST:
                data = self.snapshot.data if ask.digest == self.snapshot.digest else None
            case What.CHUNK:
                is_here = ask.digest == self.snapshot.digest
                data = self.snapshot.chunk(ask.place) if is_here else None
        if data is None:
            return Told(ask.number, Status.GONE, b"")
        return Told(ask.number, Status.HERE, data)


def serve_newest(world: World, folder: Path) -> Served:
    """The world's store with a snapshot of its newest block."""
    store = world.store
    certificate = store.execution_certificate(store.height)
    assert certificate is not None
    changes = changes_up_to(store, store.height)
    folder.mkdir(exist_ok=True)
    reader = write_snapshot(folder, store.iterate_state(), certificate, changes, size=CHUNK)
    return Served(store, reader)


class Peers:
    """Links of the joining node: every name in `answers` is a peer that is connected."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.allowed: Mapping[str, PeerAddress] = {}
        self._frames_in, self._frames = trio.open_memory_channel[Frame](1000)

    async def run(self, *, task_status: TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started("memory")
        await trio.sleep_forever()

    def send(self, peer_id: str, channel: Channel, body: bytes) -> bool:
        assert channel is Channel.SNAPSHOTS
        ask = decode_message(body)
        assert isinstance(ask, Ask)
        answer = self.answers.get(peer_id)
        told = answer(ask) if answer is not None else None
        if told is not None:
            self.put(peer_id, encode_message(told))
        return answer is not None

    def put(self, peer_id: str, body: bytes) -> None:
        self._frames_in.send_nowait(Frame(peer_id, body))

    def certificates(self) -> dict[str, Certificate]:
        return {}

    def set_policy(self, policy: TransportPolicy) -> None:
        """Nobody shows a certificate here."""

    def renew(self, identity: TlsIdentity) -> None:
        """Nobody shows a certificate here."""

    def broadcast(self, channel: Channel, body: bytes) -> int:
        return sum([self.send(peer_id, channel, body) for peer_id in sorted(self.answers)])

    def incoming(self, channel: Channel) -> trio.MemoryReceiveChannel[Frame]:
        return self._frames

    def connected(self) -> frozenset[str]:
        return frozenset(self.answers)

    def update_allow_list(self, peers: Mapping[str, PeerAddress]) -> None:
        self.allowed = peers
