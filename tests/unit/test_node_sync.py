"""Block sync believes nobody: lying peers cost time, never a wrong block, never a halt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from consensus.pbft.types import CatchUp, Synced
from ledger.encoding import encode
from ledger.merkle import transactions_root
from ledger.model import (
    ExecutionCertificate,
    Signature,
    StateWrite,
    Transaction,
    execution_message,
    transaction_id,
)
from ledger.store import Store
from node.announce import Announcer
from node.committee import Committee
from node.execute import ChainRules, Executor
from node.execution import ExecutionQueue
from node.halt import HaltSwitch
from node.mempool import Mempool
from node.peer_messages import (
    BlocksReply,
    BlocksRequest,
    decode_blocks_message,
    encode_blocks_message,
)
from node.sync import Sync
from p2p.limits import Channel
from p2p.network import Frame
from tests.chain_world import Chain, ReplayEngine
from tests.fake_keys import FakeKeys
from tests.ledger_world import World, sign_all
from tests.node_world import Air, End, quick_clock

HEADS = 6  # blocks of the chain that the others have
Twist = Callable[[BlocksReply], bytes]


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@dataclass
class Peer:
    """Another member: answers requests for blocks, after a twist of the test's."""

    end: End
    chain: Chain
    uncertified: frozenset[int] = frozenset()
    per_reply: int = 3
    twist: Twist | None = encode_blocks_message  # None: never answers
    asked: list[int] = field(default_factory=list)

    async def serve(self) -> None:
        async for frame in self.end.incoming(Channel.BLOCKS):
            request = decode_blocks_message(frame.body)
            assert isinstance(request, BlocksRequest)
            self.asked.append(request.height)
            last = min(HEADS, request.height + self.per_reply - 1)
            bundles = tuple(
                self.chain.bundle(h, is_certified=h not in self.uncertified)
                for h in range(request.height, last + 1)
            )
            if self.twist is not None:
                reply = self.twist(BlocksReply(request.height, 0, HEADS, bundles))
                self.end.send(frame.peer_id, Channel.BLOCKS, reply)


class Scene:
    """A late node 0 among peers 1 to 3 that have the whole chain."""

    def __init__(self, root: Path) -> None:
        self.chain = Chain(World(root / "chain"))
        for _ in range(HEADS):
            self.chain.grow()
        late = World(root / "late")
        self.store: Store = late.store
        self.engine = ReplayEngine(self.chain)
        self.switch = HaltSwitch()
        validators = late.validators
        own = validators.validators[0]
        self.committee = Committee(
            late.store.current_epoch, public_key=own.public_key, name=own.name
        )
        rules = ChainRules(late.chain_id, late.genesis.limits)
        air = Air()
        names = [validator.peer_id for validator in validators.validators]
        ends = [End(air, name, [other for other in names if other != name]) for name in names]
        air.ends = dict(zip(names, ends, strict=True))
        self.peers = [Peer(end, self.chain) for end in ends[1:]]
        self.end = ends[0]
        self.queue = ExecutionQueue(
            executor=Executor(self.store, self.engine, rules),
            store=self.store,
            pool=Mempool(transactions_max=100, bytes_max=1 << 20),
            announcer=Announcer(0),
            provider=FakeKeys(),
            rules=rules,
            switch=self.switch,
        )
        self.sync = Sync(
            store=self.store, network=ends[0], committee=self.committee, queue=self.queue
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.queue.run)
            nursery.start_soon(self.sync.serve)
            for peer in self.peers:
                nursery.start_soon(peer.serve)
            yield
            nursery.cancel_scope.cancel()

    async def catch_up(self, height: int = HEADS) -> Synced:
        goal = CatchUp(height, self.chain.world.execution_certificate(height), (1, 2, 3))
        async with self.running():
            return await self.sync.catch_up(goal)

    def holds_the_chain(self, height: int = HEADS) -> bool:
        theirs = self.chain.world.store
        return self.store.height == height and all(
            self.store.statement(h) == theirs.statement(h) for h in range(height + 1)
        )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_a_late_node_installs_blocks_and_certificates(scene: Scene, clock: MockClock) -> None:
    synced = await scene.catch_up()
    assert scene.holds_the_chain()
    assert scene.store.certified_height == HEADS
    assert synced.height == HEADS
    assert synced.statements == ()
    assert synced.certificate is not None and synced.certificate.statement.height == HEADS


async def test_a_certificate_that_exists_nowhere_holds_no_block_up(
    scene: Scene, clock: MockClock
) -> None:
    for peer in scene.peers:
        peer.uncertified = frozenset({2, 3})
    synced = await scene.catch_up()
    assert scene.holds_the_chain()
    assert scene.store.certified_height == 1
    assert [s.height for s in synced.statements] == [2, 3, 4, 5, 6], "told, to be signed again"


async def test_the_goals_certificate_proves_a_run_that_no_peer_can(
    scene: Scene, clock: MockClock
) -> None:
    for peer in scene.peers:
        peer.uncertified = frozenset(range(1, HEADS + 1))
        peer.per_reply = 2
    await scene.catch_up()
    assert scene.holds_the_chain()


async def test_a_certificate_that_one_peer_has_is_found(scene: Scene, clock: MockClock) -> None:
    for peer in scene.peers[:2]:
        peer.uncertified = frozenset({2})
    await scene.catch_up()
    assert scene.store.certified_height == HEADS


def reorder(reply: BlocksReply) -> bytes:
    return encode_blocks_message(msgspec.structs.replace(reply, bundles=reply.bundles[::-1]))


def drop_one(reply: BlocksReply) -> bytes:
    """Says of an included transaction that the rules left it out; still what was ordered."""
    bundles = []
    for bundle in reply.bundles:
        block = bundle.block
        kept, gone = block.transactions[1:], transaction_id(block.transactions[0])
        header = msgspec.structs.replace(block.header, transactions_root=transactions_root(kept))
        twisted = msgspec.structs.replace(
            block, header=header, transactions=kept, dropped=(bytes(gone),)
        )
        bundles.append(msgspec.structs.replace(bundle, block=twisted))
    return encode_blocks_message(msgspec.structs.replace(reply, bundles=tuple(bundles)))


def forge_senders(reply: BlocksReply) -> bytes:
    """Other signatures under the same transactions: their ids stay."""
    bundles = []
    for bundle in reply.bundles:
        forged = tuple(Transaction(t.body, bytes(64)) for t in bundle.block.transactions)
        block = msgspec.structs.replace(bundle.block, transactions=forged)
        bundles.append(msgspec.structs.replace(bundle, block=block))
    return encode_blocks_message(msgspec.structs.replace(reply, bundles=tuple(bundles)))


def forge_certificates(reply: BlocksReply) -> bytes:
    bundles = []
    for bundle in reply.bundles:
        certificate = bundle.execution_certificate
        assert certificate is not None
        signatures = tuple(Signature(s.validator, bytes(64)) for s in certificate.signatures)
        forged = ExecutionCertificate(certificate.statement, signatures)
        bundles.append(msgspec.structs.replace(bundle, execution_certificate=forged))
    return encode_blocks_message(msgspec.structs.replace(reply, bundles=tuple(bundles)))


def forge_order(reply: BlocksReply) -> bytes:
    bundles = []
    for bundle in reply.bundles:
        certificate = msgspec.structs.replace(bundle.commit_certificate, signatures=())
        bundles.append(msgspec.structs.replace(bundle, commit_certificate=certificate))
    return encode_blocks_message(msgspec.structs.replace(reply, bundles=tuple(bundles)))


def swap_certificates(reply: BlocksReply) -> bytes:
    """Every certificate is valid, but stands with the wrong block."""
    found = [bundle.execution_certificate for bundle in reply.bundles]
    bundles = tuple(
        msgspec.structs.replace(bundle, execution_certificate=certificate)
        for bundle, certificate in zip(reply.bundles, found[::-1], strict=True)
    )
    return encode_blocks_message(msgspec.structs.replace(reply, bundles=bundles))


def show_another_certificate(reply: BlocksReply) -> bytes:
    """The last one proves the run; the first one is valid, but of another height: no divergence."""
    if len(reply.bundles) < 2:
        return say_nothing_new(reply)
    first, *rest = reply.bundles
    other = msgspec.structs.replace(
        first, execution_certificate=reply.bundles[-1].execution_certificate
    )
    return encode_blocks_message(msgspec.structs.replace(reply, bundles=(other, *rest)))


def say_nothing_new(reply: BlocksReply) -> bytes:
    return encode_blocks_message(msgspec.structs.replace(reply, bundles=()))


LIES: dict[str, Twist | None] = {
    "blocks out of order": reorder,
    "a transaction left out": drop_one,
    "forged senders": forge_senders,
    "forged certificates": forge_certificates,
    "no quorum ordered it": forge_order,
    "certificates of other heights": swap_certificates,
    "one certificate of another height": show_another_certificate,
    "no blocks": say_nothing_new,
    "garbage": lambda reply: b"garbage",
    "silence": None,
}


@pytest.mark.parametrize("lie", sorted(LIES))
async def test_one_liar_only_costs_time(scene: Scene, clock: MockClock, lie: str) -> None:
    scene.peers[0].twist = LIES[lie]
    with capture_logs():
        await scene.catch_up()
    assert scene.holds_the_chain()
    assert not scene.switch.is_halted


@pytest.mark.parametrize("lie", sorted(LIES))
async def test_liars_alone_bring_no_block_and_no_halt(
    scene: Scene, clock: MockClock, lie: str
) -> None:
    for peer in scene.peers:
        peer.twist = LIES[lie]
        peer.per_reply = 2
    with capture_logs():
        synced = await scene.catch_up()
    assert synced.height == scene.store.height == 0
    assert not scene.switch.is_halted
    assert not scene.sync.is_active, "consensus may ask again"


async def test_an_endless_run_without_proof_is_given_up(scene: Scene, clock: MockClock) -> None:
    for peer in scene.peers:
        peer.uncertified = frozenset(range(1, HEADS + 1))
        peer.per_reply = 1
    goal = CatchUp(99, scene.chain.world.execution_certificate(HEADS), (1,))
    async with scene.running():
        synced = await scene.sync.catch_up(goal)
    assert synced.height == 0
    assert max(len(peer.asked) for peer in scene.peers) < 40


async def test_an_outcome_that_a_quorum_contradicts_is_not_stored(
    scene: Scene, clock: MockClock
) -> None:
    scene.engine.extra = (StateWrite("notes", b"wrong", b"value"),)
    with capture_logs():
        synced = await scene.catch_up()
    assert "differs from a quorum's in state_root" in scene.switch.reason
    assert synced.height == scene.store.height == 0


async def test_a_certificate_against_a_stored_block_halts(scene: Scene, clock: MockClock) -> None:
    for peer in scene.peers:
        peer.uncertified = frozenset(range(1, HEADS))
    height = 3
    statement = msgspec.structs.replace(
        scene.chain.world.store.statement(height), receipts_root=bytes(32)
    )
    world = scene.chain.world
    forged = ExecutionCertificate(
        statement, sign_all(execution_message(statement), world.validators, (0, 1, 2))
    )
    await scene.catch_up()
    with capture_logs():
        async with scene.running():
            await scene.queue.confirm([forged])
            await scene.queue.drained()
    assert "receipts_root" in scene.switch.reason


async def test_a_halted_queue_takes_nothing_and_keeps_nobody_waiting(
    scene: Scene, clock: MockClock
) -> None:
    scene.switch.halt("for the test")
    with trio.fail_after(5):
        synced = await scene.catch_up()
    assert synced.height == 0
    assert all(peer.asked == [] for peer in scene.peers)


async def test_blocks_are_served_from_the_height_that_was_asked_for(
    scene: Scene, clock: MockClock
) -> None:
    await scene.catch_up()
    answers: list[BlocksReply] = []
    peer = scene.peers[0].end
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.sync.serve)
        with capture_logs() as logs:
            for height in (5, 99, -3):
                peer.send("peer0", Channel.BLOCKS, encode_blocks_message(BlocksRequest(height)))
                frame = await peer.incoming(Channel.BLOCKS).receive()
                reply = decode_blocks_message(frame.body)
                assert isinstance(reply, BlocksReply)
                answers.append(reply)
            scene.end.put(Channel.BLOCKS, Frame("peer2", b"garbage"))
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
    heights = [[b.block.header.height for b in reply.bundles] for reply in answers]
    assert heights[:2] == [[5, 6], []]
    assert [reply.height for reply in answers] == [5, 99, -3]
    assert [line["event"] for line in logs] == ["undecodable"]
    assert encode(answers[0].bundles[0].block) == encode(scene.store.block(5))
