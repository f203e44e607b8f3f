"""Block sync: a node that lags takes blocks from peers and believes none of them.

Every block is checked against the quorum that ordered it, re-made by the rules, executed, and
its outcome compared with the quorum that executed it. Installing runs on the same serial queue
as ordinary delivery, so the two cannot race.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
import trio

from consensus.pbft.types import CatchUp, Synced
from ledger.encoding import encode
from ledger.errors import DecodeError, LedgerError
from ledger.store import Store
from node.committee import Committee
from node.execution import ExecutionQueue
from node.peer_messages import (
    BLOCKS_REPLY_MAX,
    BLOCKS_REPLY_SIZE,
    BlocksReply,
    BlocksRequest,
    Bundle,
    decode_blocks_message,
    encode_blocks_message,
)
from p2p.limits import Channel
from p2p.network import Network

REPLY_PATIENCE_S = 5.0  # before the next peer is asked
ROUNDS_MAX = 3  # times every peer is tried before sync reports what it reached

_log = structlog.get_logger("node.sync")


@dataclass(slots=True)
class _Waiting:
    peer_id: str
    height: int
    answer: trio.MemorySendChannel[BlocksReply]


class Sync:
    """Asks for blocks and serves them. Main task only, but for reading the store."""

    def __init__(
        self, *, store: Store, network: Network, committee: Committee, queue: ExecutionQueue
    ) -> None:
        self._store = store
        self._network = network
        self._committee = committee
        self._queue = queue
        self._waiting: _Waiting | None = None
        self.is_active = False

    async def serve(self) -> None:
        """Answer and take in the blocks channel for ever."""
        async for frame in self._network.incoming(Channel.BLOCKS):
            try:
                message = decode_blocks_message(frame.body)
            except DecodeError as error:
                _log.warning("undecodable", peer=frame.peer_id, reason=str(error))
                continue
            if isinstance(message, BlocksRequest):
                reply = await trio.to_thread.run_sync(self._reply, message.height)
                self._network.send(frame.peer_id, Channel.BLOCKS, reply)
            else:
                self._take(frame.peer_id, message)

    def _take(self, peer_id: str, reply: BlocksReply) -> None:
        waiting = self._waiting
        if waiting and (waiting.peer_id, waiting.height) == (peer_id, reply.height):
            self._waiting = None
            waiting.answer.send_nowait(reply)

    def _reply(self, height: int) -> bytes:
        """Blocks from `height` on, up to a size; empty when there are none."""
        bundles: list[Bundle] = []
        size = 0
        head = self._store.height
        for number in range(max(height, 1), min(head, height + BLOCKS_REPLY_MAX - 1) + 1):
            certificate = self._store.commit_certificate(number)
            if certificate is None:
                break
            bundle = Bundle(
                self._store.block(number), certificate, self._store.execution_certificate(number)
            )
            size += len(encode(bundle))
            if bundles and size > BLOCKS_REPLY_SIZE:
                break
            bundles.append(bundle)
        return encode_blocks_message(BlocksReply(height, head, tuple(bundles)))

    async def catch_up(self, goal: CatchUp) -> Synced:
        """Install blocks until `goal.height` is certified here, or no peer helps any more."""
        self.is_active = True
        try:
            await self._queue.drained()
            peers = [h for h in goal.holders if h != self._committee.index]
            peers += [h for h in self._committee.others if h not in peers]
            failures = 0
            while self._behind(goal) and failures < ROUNDS_MAX * len(peers):
                peer = self._committee.peer_id(peers[failures % len(peers)])
                if not await self._fetch(peer):
                    failures += 1
            _log.info("synced", height=self._store.height, goal=goal.height, failures=failures)
            certified = self._store.certified_height
            return Synced(self._store.height, self._store.execution_certificate(certified))
        finally:
            self.is_active = False

    def _behind(self, goal: CatchUp) -> bool:
        return self._store.certified_height < goal.height

    async def _fetch(self, peer_id: str) -> bool:
        """One request to one peer; whether it brought us forward."""
        before = (self._store.height, self._store.certified_height)
        height = self._store.certified_height + 1
        reply = await self._ask(peer_id, height)
        if reply is None:
            return False
        try:
            for bundle in reply.bundles:
                await self._queue.install(bundle)
        except LedgerError as error:
            _log.warning("sync_refused", peer=peer_id, reason=str(error))
            return False
        return (self._store.height, self._store.certified_height) != before

    async def _ask(self, peer_id: str, height: int) -> BlocksReply | None:
        send, receive = trio.open_memory_channel[BlocksReply](1)
        self._waiting = _Waiting(peer_id, height, send)
        request = encode_blocks_message(BlocksRequest(height))
        if not self._network.send(peer_id, Channel.BLOCKS, request):
            await trio.sleep(0.2)
            return None
        with trio.move_on_after(REPLY_PATIENCE_S):
            return await receive.receive()
        return None
