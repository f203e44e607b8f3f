"""A node whose ledger begins above the genesis: what it says to peers, clients and operators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import grpc
import msgspec
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from client.trial import is_elsewhere
from ledger.errors import DecodeError, HeightPruned
from ledger.model import block_hash, transaction_id
from ledger.store import Store
from node import refusals
from node.api.backend import Backend
from node.api.service import NodeService
from node.audit import replay
from node.backup import errors
from node.backup.visitor import Visitor
from node.execute import ChainRules
from node.peer_messages import (
    BlocksReply,
    BlocksRequest,
    decode_blocks_message,
    encode_blocks_message,
)
from node.repair import Incurable, RepairOrder, Workshop, rebuild
from node.sync import Sync
from p2p.limits import Channel
from shuxin.v1 import node_pb2 as pb
from tests.backup_world import open_door
from tests.chain_world import Chain, ReplayEngine
from tests.fake_keys import FakeKeys
from tests.ledger_world import World
from tests.node_world import quick_clock
from tests.pruned_world import KEPT, LIMITS, cut, grown
from tests.unit.test_node_sync import HEADS, Scene

HEAD = 24
BASE = HEAD + 1 - KEPT


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def pruned(tmp_path: Path) -> World:
    """Of a whole node's data folder."""
    path = tmp_path / "data" / "ledger"
    path.parent.mkdir()
    grown(path, HEAD).store.close()
    cut(path, BASE)
    return World(path, limits=LIMITS)


# --- peers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("base", "head"), [(-1, 3), (4, 3), (0, -1), (0, 1 << 63)])
def test_a_reply_of_an_impossible_ledger_is_malformed(base: int, head: int) -> None:
    data = encode_blocks_message(BlocksReply(1, base, head, ()))
    with pytest.raises(DecodeError):
        decode_blocks_message(data)


async def test_who_asks_below_the_base_is_told_where_the_ledger_begins(
    tmp_path: Path, pruned: World, clock: MockClock
) -> None:
    scene = Scene(tmp_path)
    asker, name = scene.peers[0].end, scene.committee.peer_id(0)
    served = Sync(
        store=pruned.store, network=scene.end, committee=scene.committee, queue=scene.queue
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(served.serve)
        replies = {}
        for height in (1, BASE - 1, BASE, HEAD, HEAD + 1):
            request = encode_blocks_message(BlocksRequest(height))
            asker.send(name, Channel.BLOCKS, request)
            frame = await anext(asker.incoming(Channel.BLOCKS))
            reply = decode_blocks_message(frame.body)
            assert isinstance(reply, BlocksReply)
            assert (reply.height, reply.base, reply.head) == (height, BASE, HEAD)
            replies[height] = [bundle.block.header.height for bundle in reply.bundles]
        nursery.cancel_scope.cancel()
    assert replies == {
        1: [],
        BASE - 1: [],
        BASE: list(range(BASE, HEAD + 1)),
        HEAD: [HEAD],
        HEAD + 1: [],
    }


def keeping_from(base: int) -> Callable[[BlocksReply], bytes]:
    def twist(reply: BlocksReply) -> bytes:
        bundles = reply.bundles if reply.height >= base else ()
        return encode_blocks_message(msgspec.structs.replace(reply, base=base, bundles=bundles))

    return twist


async def test_a_late_node_goes_on_with_the_peer_that_keeps_all(
    tmp_path: Path, clock: MockClock
) -> None:
    scene = Scene(tmp_path)
    for peer in scene.peers[:2]:
        peer.twist = keeping_from(HEADS)
    outrun: list[int] = []
    scene.sync.on_outrun = lambda height, base: outrun.append(base)
    with capture_logs() as logs:
        await scene.catch_up()
    assert scene.holds_the_chain() and not outrun
    told = [line for line in logs if line["event"] == "blocks_pruned"]
    assert told and f"keeps those from {HEADS} on" in told[0]["reason"]


async def test_when_nobody_keeps_the_blocks_the_log_says_so_and_the_node_stays(
    tmp_path: Path, clock: MockClock
) -> None:
    scene = Scene(tmp_path)
    for peer in scene.peers:
        peer.twist = keeping_from(3)
    outrun: list[int] = []
    scene.sync.on_outrun = lambda height, base: outrun.append(base)
    with capture_logs() as logs:
        synced = await scene.catch_up()
    assert synced.height == 0 and not scene.switch.is_halted
    assert outrun and set(outrun) == {3}
    told = [line for line in logs if line["event"] == "blocks_pruned"]
    assert {line["peer"] for line in told} == {
        scene.committee.peer_id(index) for index in (1, 2, 3)
    }
    assert "block 1 is wanted" in told[0]["reason"] and "restore a backup" in told[0]["reason"]


# --- operators ---------------------------------------------------------------------------------


def test_a_backup_that_needs_pruned_blocks_is_refused(pruned: World) -> None:
    folder = pruned.path.parent
    with open_door(folder, pruned.store), Visitor(folder) as visitor:
        with pytest.raises(errors.NodeRefused, match=f"keeps blocks from {BASE} on"):
            visitor.blocks(1, HEAD)
        assert visitor.standing().last == HEAD
        assert visitor.blocks(BASE, HEAD)


def test_a_ledger_without_its_beginning_is_past_repair(pruned: World, tmp_path: Path) -> None:
    engine = ReplayEngine(Chain(pruned))
    rules = ChainRules(pruned.chain_id, LIMITS)
    workshop = Workshop(pruned.path, pruned.genesis, rules, FakeKeys(), lambda: engine)
    order = RepairOrder(pruned.store.statement(HEAD), pruned.execution_certificate(HEAD), None)
    with pytest.raises(Incurable, match=f"begins at block {BASE}.*restore a backup"):
        rebuild(pruned.store, workshop, lambda height: None, promised=HEAD, order=order)


def test_an_audit_of_the_data_folder_says_what_is_missing(pruned: World) -> None:
    pruned.store.close()
    with pytest.raises(HeightPruned, match=f"begins at block {BASE}.*read the archives"):
        replay(pruned.path.parent, pruned.genesis, advance=lambda done, total: None)


# --- clients -----------------------------------------------------------------------------------


class Client:
    """Calls a service over one store, without a network."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.service = NodeService(cast(Backend, self))
        self.code = ""
        self.status: grpc.StatusCode | None = None

    subscribers_max = threads = 8

    def check_readable(self) -> None:
        """It may be read."""

    def set_trailing_metadata(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self.code = metadata[0][1]

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.status = code
        raise PermissionError(details)

    def block(self, request: pb.GetBlockRequest) -> pb.BlockReply:
        return self.service.GetBlock(request, cast(grpc.ServicerContext, self))

    def transaction(self, wanted: bytes) -> pb.TransactionReply:
        request = pb.GetTransactionRequest(transaction_id=wanted)
        return self.service.GetTransaction(request, cast(grpc.ServicerContext, self))


def test_clients_get_a_code_of_its_own_for_pruned_blocks(pruned: World) -> None:
    client = Client(pruned.store)
    lost = bytes(32)
    kept = pruned.store.block(BASE)
    for ask in (
        lambda: client.block(pb.GetBlockRequest(height=BASE - 1)),
        lambda: client.block(pb.GetBlockRequest(hash=lost)),
        lambda: client.transaction(lost),
    ):
        client.code = ""
        with pytest.raises(PermissionError, match=f"ledger begins at block {BASE}"):
            ask()
        assert client.code == refusals.PRUNED == "block.pruned"
        assert client.status is grpc.StatusCode.OUT_OF_RANGE
    assert is_elsewhere(refusals.PRUNED), "another node may keep more"
    assert client.block(pb.GetBlockRequest(height=BASE)).hash == block_hash(kept.header)
    assert client.transaction(transaction_id(kept.transactions[0])).height == BASE
