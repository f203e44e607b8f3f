"""Block sync: a node that lags takes blocks from peers and believes none of them.

Every block is proved by what a quorum signed about it or about a later one, re-made by the rules,
executed, and its outcome compared with the quorum's. Installing runs on the same serial queue as
ordinary delivery, so the two cannot race.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import structlog
import trio

from consensus.pbft.types import CatchUp, Synced
from ledger.encoding import encode
from ledger.errors import (
    BlockInvalid,
    CertificateInvalid,
    DecodeError,
    HeightPruned,
    LedgerError,
)
from ledger.store import Store
from node.bundles import stored_bundle
from node.committee import Committee
from node.complaints import Complaints
from node.execution import ExecutionQueue
from node.links import Links
from node.peer_messages import (
    BLOCKS_REPLY_MAX,
    BLOCKS_REPLY_SIZE,
    BlocksReply,
    BlocksRequest,
    Bundle,
    ClockReading,
    decode_blocks_message,
    encode_blocks_message,
)
from p2p.limits import Channel

REPLY_PATIENCE_S = 5.0  # before the next peer is asked; doubles every round, for slow lines
ROUNDS_MAX = 3  # times every peer is tried in vain before sync reports what it reached
UNREACHED_S = 0.2  # before the next one is asked when there is no link to a peer
# Replies put together until a certificate proves them: gaps between certificates are shorter than
# a window, so an honest peer needs one or two; this bounds memory against others (8 x 4 MB).
REPLIES_MAX = 8

_log = structlog.get_logger("node.sync")


@dataclass(slots=True, eq=False)
class _Question:
    peer_id: str
    height: int
    answered: trio.Event = field(default_factory=trio.Event)
    reply: BlocksReply | None = None


class Sync:
    """Asks for blocks and serves them. Main task only, but for reading the store."""

    def __init__(
        self, *, store: Store, network: Links, committee: Committee, queue: ExecutionQueue
    ) -> None:
        self._store = store
        self._network = network
        self._committee = committee
        self._queue = queue
        self._question: _Question | None = None
        self._complaints = Complaints("node.sync")
        self._turn = -1
        self.is_active = False
        # Since a member said that it keeps the next block no more: those who did (and from where on
        # they keep blocks), and all who were asked in vain.
        self._pruned: dict[str, int] = {}
        self._in_vain: set[str] = set()
        self.on_reading: Callable[[str, ClockReading], None] = lambda peer_id, reading: None
        self.on_outrun: Callable[[int, int], None] = lambda height, base: None

    # --- answering --------------------------------------------------------------------------

    async def serve(self) -> None:
        """Answer and take in the blocks channel for ever."""
        async for frame in self._network.incoming(Channel.BLOCKS):
            try:
                message = decode_blocks_message(frame.body)
            except DecodeError as error:
                self._complaints.complain("undecodable", peer=frame.peer_id, reason=str(error))
                continue
            if isinstance(message, BlocksRequest):
                reply = await trio.to_thread.run_sync(self._reply, message.height)
                self._network.send(frame.peer_id, Channel.BLOCKS, reply)
            elif isinstance(message, ClockReading):
                self.on_reading(frame.peer_id, message)
            else:
                self._take(frame.peer_id, message)

    def _take(self, peer_id: str, reply: BlocksReply) -> None:
        question = self._question
        if question and (question.peer_id, question.height) == (peer_id, reply.height):
            self._question = None
            question.reply = reply
            question.answered.set()

    def _reply(self, height: int) -> bytes:
        """Blocks from `height` on, up to a size; empty when there are none, or none any more."""
        bundles: list[Bundle] = []
        size = 0
        head = self._store.height
        try:
            for number in range(max(height, 1), min(head, height + BLOCKS_REPLY_MAX - 1) + 1):
                bundle = stored_bundle(self._store, number)
                size += len(encode(bundle))
                if bundles and size > BLOCKS_REPLY_SIZE:
                    break
                bundles.append(bundle)
        except HeightPruned:
            pass  # the reply tells where the ledger begins: the peer asks another
        except LedgerError as error:  # our damage: the peer finds the block elsewhere
            _log.error("ledger_unreadable", reason=str(error))
        return encode_blocks_message(BlocksReply(height, self._store.base, head, tuple(bundles)))

    # --- asking -----------------------------------------------------------------------------

    async def catch_up(self, goal: CatchUp) -> Synced:
        """Install blocks up to `goal.height`, then the certificates that are missing below.

        Returns with less when no peer helps any more, or when the node halts: consensus asks
        again. A certificate that no peer has holds nothing up: replicas will sign it anew.
        """
        self.is_active = True
        try:
            await self._queue.drained()
            peers = [h for h in goal.holders if h != self._committee.index]
            peers += [h for h in self._committee.others if h not in peers]
            failures = 0
            while self._lacks_blocks(goal) and failures < ROUNDS_MAX * len(peers):
                patience_s = REPLY_PATIENCE_S * 2 ** (failures // len(peers))
                peer_id = self._committee.peer_id(peers[failures % len(peers)])
                is_further = await self._fetch_blocks(peer_id, goal, patience_s)
                failures = 0 if is_further else failures + 1
            failures = 0
            while self._lacks_certificates(goal) and failures < len(peers):
                peer_id = self._committee.peer_id(peers[failures])
                is_further = await self._fetch_certificates(peer_id)
                failures = 0 if is_further else failures + 1
            return self._synced(goal)
        finally:
            self._question = None
            self.is_active = False

    async def advance(self) -> bool:
        """One question to one member, the next one each time; whether it brought us forward.

        For an observer, which nobody tells what is new: it asks again and again.
        """
        members = self._committee.others
        self._turn = (self._turn + 1) % len(members)
        peer_id = self._committee.peer_id(members[self._turn])
        try:
            await self._queue.drained()
            if await self._fetch_blocks(peer_id, None, REPLY_PATIENCE_S):
                return True
            has_gaps = self._store.certified_height < self._store.height
            return has_gaps and await self._fetch_certificates(peer_id)
        finally:
            self._question = None

    def _synced(self, goal: CatchUp) -> Synced:
        height, certified = self._store.height, self._store.certified_height
        _log.info("synced", height=height, certified=certified, goal=goal.height)
        epochs = self._store.epochs
        return Synced(
            height,
            self._store.execution_certificate(certified),
            tuple(self._store.statement(h) for h in range(certified + 1, height + 1)),
            epochs.last_of(self._committee.office.epoch),
        )

    def _lacks_blocks(self, goal: CatchUp) -> bool:
        return self._store.height < goal.height and not self._queue.is_halted

    def _lacks_certificates(self, goal: CatchUp) -> bool:
        reached = min(self._store.height, goal.height)
        return self._store.certified_height < reached and not self._queue.is_halted

    async def _fetch_blocks(self, peer_id: str, goal: CatchUp | None, patience_s: float) -> bool:
        """One run of blocks from one peer; whether it brought us forward."""
        if await self._fetch_run(peer_id, goal, patience_s):
            self._pruned.clear()
            return True
        self._in_vain.add(peer_id)
        self._judge_outrun()
        return False

    async def _fetch_run(self, peer_id: str, goal: CatchUp | None, patience_s: float) -> bool:
        before = self._store.height
        bundles: list[Bundle] = []
        for _ in range(REPLIES_MAX):
            reply = await self._ask(peer_id, before + 1 + len(bundles), patience_s)
            if reply is None or not reply.bundles:
                if reply is not None and reply.base > reply.height:
                    self._note_pruned(peer_id, reply)
                return False
            bundles += (_with_goal(bundle, goal) for bundle in reply.bundles)
            if any(bundle.execution_certificate is not None for bundle in bundles):
                break
        try:
            await self._queue.install(bundles)
        except (BlockInvalid, CertificateInvalid) as error:
            self._complaints.complain("sync_refused", peer=peer_id, reason=str(error))
        return self._store.height > before

    def _note_pruned(self, peer_id: str, reply: BlocksReply) -> None:
        reason = (
            f"block {reply.height} is wanted, the peer keeps those from {reply.base} on; others "
            "are asked, and if none keeps it, join by a snapshot or restore a backup of this node"
        )
        self._complaints.complain("blocks_pruned", peer=peer_id, reason=reason)
        if not self._pruned:
            self._in_vain.clear()
        self._pruned[peer_id] = reply.base

    def _judge_outrun(self) -> None:
        """When all were asked in vain and all but f keep the next block no more, nobody will help.

        f members may say what they like, or nothing.
        """
        committee = self._committee
        members = {committee.peer_id(index) for index in committee.others}
        bases = [base for peer_id, base in self._pruned.items() if peer_id in members]
        is_agreed = len(bases) >= max(1, len(members) - committee.validators.fault_bound)
        if is_agreed and members <= self._in_vain:
            self._pruned.clear()
            self.on_outrun(self._store.height, min(bases))

    async def _fetch_certificates(self, peer_id: str) -> bool:
        """The certificates above the gapless ones from one peer; whether there are fewer gaps."""
        before = self._store.certified_height
        reply = await self._ask(peer_id, before + 1, REPLY_PATIENCE_S)
        if reply is None:
            return False
        found = [b.execution_certificate for b in reply.bundles]
        try:
            await self._queue.confirm([c for c in found if c is not None])
        except CertificateInvalid as error:
            self._complaints.complain("sync_refused", peer=peer_id, reason=str(error))
        return self._store.certified_height > before

    async def _ask(self, peer_id: str, height: int, patience_s: float) -> BlocksReply | None:
        self._question = question = _Question(peer_id, height)
        request = encode_blocks_message(BlocksRequest(height))
        if not self._network.send(peer_id, Channel.BLOCKS, request):
            await trio.sleep(UNREACHED_S)
            return None
        with trio.move_on_after(patience_s):
            await question.answered.wait()
        return question.reply


def _with_goal(bundle: Bundle, goal: CatchUp | None) -> Bundle:
    """Consensus holds the certificate of the goal; the peer may not."""
    if goal is None:
        return bundle
    if bundle.block.header.height == goal.height and bundle.execution_certificate is None:
        return msgspec.structs.replace(bundle, execution_certificate=goal.certificate)
    return bundle
