"""Answers peers that join: from files of snapshots and from stored blocks, at a bounded pace.

A peer cannot make a node work for it without end: each has an allowance of bytes, every question
costs some of it, and whoever asks faster is told to wait, which costs nothing.
"""

from __future__ import annotations

import structlog
import trio

from ledger.base import base_max
from ledger.encoding import encode
from ledger.errors import DecodeError, HeightUnknown, LedgerError
from ledger.joining import PastBlock
from ledger.store import Store
from node.complaints import Complaints
from node.links import Links
from node.statesync.keeper import Keeper
from node.statesync.messages import (
    RUN_BLOCKS_MAX,
    RUN_SIZE,
    Ask,
    Offer,
    Offers,
    PastRun,
    Status,
    Told,
    What,
    decode_message,
    encode_message,
)
from p2p.limits import Channel

PACE = 64 << 20  # bytes a second to all peers together: a fast network's; votes have their own way
PEER_PACE = 24 << 20  # bytes a second to one peer,
PEER_BURST = 48 << 20  # ... after it was silent for long
ASK_COST = 32 << 10  # bytes of allowance that any question costs: 768 a second

_log = structlog.get_logger("node.snapshots")


class Allowance:
    """What one peer may still have. Refills with time."""

    def __init__(self, now_s: float) -> None:
        self._left = float(PEER_BURST)
        self._since_s = now_s

    def has_room(self, now_s: float) -> bool:
        self._left = min(PEER_BURST, self._left + (now_s - self._since_s) * PEER_PACE)
        self._since_s = now_s
        return self._left > 0

    def take(self, size: int) -> None:
        """May go below zero once: nobody knows the size of an answer before it is read."""
        self._left -= max(size, ASK_COST)


class SnapshotDesk:
    """Main task only, but for reading files and the store."""

    def __init__(self, store: Store, network: Links, keeper: Keeper) -> None:
        self._store = store
        self._network = network
        self._keeper = keeper
        self._complaints = Complaints("node.snapshots")
        self._allowances: dict[str, Allowance] = {}  # as many as there are registered nodes

    async def run(self) -> None:
        """Answer for ever."""
        async for frame in self._network.incoming(Channel.SNAPSHOTS):
            try:
                ask = decode_message(frame.body)
            except DecodeError as error:
                self._complaints.complain("undecodable", peer=frame.peer_id, reason=str(error))
                continue
            if isinstance(ask, Ask):
                await self._serve(frame.peer_id, ask)
            # An answer that came after its asker had become a node is of no use any more.

    async def _serve(self, peer_id: str, ask: Ask) -> None:
        now_s = trio.current_time()
        allowance = self._allowances.setdefault(peer_id, Allowance(now_s))
        if allowance.has_room(now_s):
            told = await trio.to_thread.run_sync(self._answer, ask)
            allowance.take(len(told.data))
        else:
            told = Told(ask.number, Status.BUSY, b"")
        self._network.send(peer_id, Channel.SNAPSHOTS, encode_message(told))
        await trio.sleep(len(told.data) / PACE)

    # --- on a thread ------------------------------------------------------------------------

    def _answer(self, ask: Ask) -> Told:
        try:
            data = self._data(ask)
        except (LedgerError, OSError) as error:  # our damage: the peer finds it elsewhere
            _log.error("snapshot_unreadable", reason=str(error))
            data = None
        if data is None:
            return Told(ask.number, Status.GONE, b"")
        return Told(ask.number, Status.HERE, data)

    def _data(self, ask: Ask) -> bytes | None:
        if ask.what == What.OFFERS:
            return encode(self._offers())
        if ask.what == What.PAST:
            return past_run(self._store, ask.place)
        reader = self._keeper.find(ask.digest)
        if reader is None:
            return None
        if ask.what == What.MANIFEST:
            return reader.data
        return reader.chunk(ask.place) if ask.place < reader.chunks else None

    def _offers(self) -> Offers:
        """Without those whose blocks before them were pruned: they are of no use to anybody."""
        base, limits = self._store.base, self._store.genesis.limits
        offers = tuple(
            Offer(reader.manifest.height, reader.digest)
            for reader in self._keeper.kept
            if base_max(reader.manifest.height, limits) >= base
        )
        return Offers(base, self._store.certified_height, offers)


def past_run(store: Store, first: int) -> bytes | None:
    """Certified blocks from height `first` on, up to a size; None where there are none."""
    blocks: list[PastBlock] = []
    size = 0
    try:
        for height in range(first, min(store.certified_height, first + RUN_BLOCKS_MAX - 1) + 1):
            commit = store.commit_certificate(height)
            execution = store.execution_certificate(height)
            if commit is None or execution is None:
                break  # the genesis block
            past = PastBlock(store.block(height), store.receipts(height), commit, execution)
            size += len(encode(past))
            if blocks and size > RUN_SIZE:
                break
            blocks.append(past)
    except HeightUnknown:
        return None  # not any more
    return encode(PastRun(tuple(blocks))) if blocks else None
