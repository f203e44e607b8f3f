"""Joining by a snapshot: choose one, fetch it from many, make a ledger of it, believe nobody.

The manifest is proved by the certificates of the chain of committees that begins in our genesis,
every chunk by the manifest, every block by its own certificates. What a quorum cannot say is how
new the snapshot is: for that f + 1 peers are asked how far the chain is, one of whom is honest.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
import trio

from crypto.provider import CryptoProvider
from ledger.base import base_max
from ledger.committee import Epochs
from ledger.errors import DecodeError, LedgerDamaged, SnapshotInvalid
from ledger.genesis import Genesis
from ledger.joining import Joining
from ledger.snapshot import check_chunk, check_manifest, decode_manifest, snapshot_digest
from node.statesync.crowd import Crowd
from node.statesync.messages import (
    Offer,
    Offers,
    Status,
    Told,
    What,
    decode_offers,
    decode_run,
)
from node.statesync.verify import check_past, coming_committee

OFFERS_PATIENCE_S = 5.0  # a list of two
PIECE_PATIENCE_S = 20.0  # a chunk, a manifest, or a run of blocks: 4 MB at 200 KB a second
BUSY_S = 0.5  # before a peer that asked for time is asked again
OFFERED_S = 30.0  # for which a snapshot is waited for where peers keep all blocks
AVOID_S = 60.0  # for which a snapshot that nobody gave is not chosen again
ALONE_S = 60.0  # for which nobody offers what is being fetched before it is given up
LOOK_S = 2.0  # between two looks for peers that could help
PROGRESS_S = 10.0  # between two lines of progress in the log

_log = structlog.get_logger("node.statesync")


class Withdrawn(Exception):
    """Nobody keeps the snapshot any more: begin with a newer one."""


@dataclass(frozen=True, slots=True)
class Joiner:
    """What joining needs."""

    path: Path  # where the ledger is made; it may be there already
    genesis: Genesis
    provider: CryptoProvider
    crowd: Crowd
    behind_max: int  # blocks that a snapshot may be behind the chain
    on_committees: Callable[[Epochs], None]  # told of the committees that are proved


async def join(joiner: Joiner) -> int | None:
    """Make a ledger at `joiner.path`, whole, durable and closed; the height of its state.

    None when blocks have to do: the chain is short, or nobody offers a snapshot and the blocks are
    there. Waits as long as it takes otherwise. Raises OSError, LedgerDamaged where the disk fails.
    """
    avoided: dict[Offer, float] = {}  # what could not be had -> until when it is not chosen
    while True:
        chooser = _Chooser(joiner, avoided)
        choice = await chooser.choose()
        if choice is None:
            return None
        try:
            return await _Download(joiner, choice, chooser.holders(choice)).run()
        except Withdrawn as reason:
            avoided[choice] = trio.current_time() + AVOID_S
            _log.warning("snapshot_given_up", height=choice.height, reason=str(reason))


# --- choosing -------------------------------------------------------------------------------


class _Chooser:
    """Finds out what the peers keep and which of it is new enough."""

    def __init__(self, joiner: Joiner, avoided: Mapping[Offer, float]) -> None:
        self._joiner = joiner
        self._avoided = avoided
        self._told: dict[str, Offers] = {}
        self._stale: set[tuple[str, int]] = set()  # peer and height that were refused

    async def choose(self) -> Offer | None:
        """The newest snapshot that most peers keep; None if blocks are as good."""
        needed = self._joiner.genesis.validators.fault_bound + 1
        began_s = told_s = trio.current_time()
        while True:
            await self._look()
            if len(self._told) >= needed:
                head = sorted((told.head for told in self._told.values()), reverse=True)[needed - 1]
                found = self._best(head)
                if found is not None:
                    return found
                if base_max(head, self._joiner.genesis.limits) == 0:
                    _log.info("chain_is_short", height=head, advice="blocks are taken from peers")
                    return None
                is_kept = any(told.base <= 1 for told in self._told.values())
                if is_kept and trio.current_time() - began_s >= OFFERED_S:
                    _log.warning("no_snapshots", height=head, advice="blocks are taken from peers")
                    return None
            if trio.current_time() - told_s >= PROGRESS_S:
                told_s = trio.current_time()
                _log.info("snapshot_awaited", peers=len(self._told), needed=needed)
            await trio.sleep(LOOK_S)

    def holders(self, choice: Offer) -> list[str]:
        """Who offered it."""
        return sorted(peer_id for peer_id, told in self._told.items() if choice in told.offers)

    async def _look(self) -> None:
        crowd = self._joiner.crowd
        self._told = {}
        async with trio.open_nursery() as nursery:
            for peer_id in crowd.usable:
                nursery.start_soon(self._ask, peer_id)

    async def _ask(self, peer_id: str) -> None:
        offers = await ask_offers(self._joiner.crowd, peer_id)
        if offers is not None:
            self._told[peer_id] = offers

    def _best(self, head: int) -> Offer | None:
        """The offer to take, of those that are not too old to be of use."""
        joiner, oldest = self._joiner, head - self._joiner.behind_max
        self._refuse_stale(head, oldest)
        counted = Counter(
            offer
            for told in self._told.values()
            for offer in set(told.offers)
            if offer.height >= oldest and self._is_eligible(offer)
        )
        begun = _begun(joiner)
        if begun is not None and begun in counted:
            return begun
        return max(counted, key=lambda o: (o.height, counted[o], o.digest), default=None)

    def _refuse_stale(self, head: int, oldest: int) -> None:
        """Say once whose newest one is stale. It is no lie: a newer one may follow."""
        for peer_id, told in self._told.items():
            newest = max((offer.height for offer in told.offers), default=oldest)
            if newest < oldest and (peer_id, newest) not in self._stale:
                self._stale.add((peer_id, newest))
                _log.warning(
                    "snapshot_stale",
                    peer=self._joiner.crowd.name(peer_id),
                    reason=f"its newest snapshot is of block {newest}, the chain is at {head}: "
                    f"more than {self._joiner.behind_max} blocks behind; others are asked",
                )

    def _is_eligible(self, offer: Offer) -> bool:
        is_long = base_max(offer.height, self._joiner.genesis.limits) > 0
        return is_long and self._avoided.get(offer, 0.0) <= trio.current_time()


async def ask_offers(crowd: Crowd, peer_id: str) -> Offers | None:
    """What a peer keeps; None if it does not say."""
    told = await crowd.ask(peer_id, What.OFFERS, patience_s=OFFERS_PATIENCE_S)
    if told is None or told.status != Status.HERE:
        return None
    try:
        return decode_offers(told.data)
    except DecodeError as error:
        crowd.strike(peer_id, f"its list of snapshots: {error}")
        return None


def _begun(joiner: Joiner) -> Offer | None:
    """The snapshot that an earlier life began to fetch."""
    if not joiner.path.exists():
        return None
    try:
        with Joining.resume(joiner.path, joiner.genesis) as joining:
            check_manifest(joining.manifest, joiner.genesis, joiner.provider.verify_batch)
            return Offer(joining.height, snapshot_digest(joining.manifest))
    except (LedgerDamaged, DecodeError, SnapshotInvalid) as error:
        _log.warning("download_dropped", reason=str(error))
        shutil.rmtree(joiner.path)
        return None


# --- fetching -------------------------------------------------------------------------------


class _Download:
    """One snapshot from all who keep it."""

    def __init__(self, joiner: Joiner, choice: Offer, holders: Sequence[str]) -> None:
        self._joiner = joiner
        self._choice = choice
        self._holders = holders  # who offered it
        self._queue: list[int] = []  # chunks that nobody was asked for
        self._missing = 0  # chunks that are not stored
        self._working: set[str] = set()
        self._lock = trio.Lock()  # one chunk is stored at a time
        self._is_whole = trio.Event()  # no chunk is missing
        self._has_advanced = False  # since the last look
        self._told_s = trio.current_time()
        self._joining: Joining
        self._epochs: Epochs

    async def run(self) -> int:
        """Fetch, check and store everything; the height. Raises Withdrawn."""
        joiner = self._joiner
        self._joining = await self._begin()
        try:
            verify = joiner.provider.verify_batch
            manifest = self._joining.manifest
            self._epochs = await trio.to_thread.run_sync(
                check_manifest, manifest, joiner.genesis, verify
            )
            joiner.on_committees(self._epochs)
            await self._fetch_chunks()
            await self._fetch_past()
            window = joiner.genesis.limits.watermark_window
            coming = coming_committee(self._joining, self._epochs, manifest.height, window)
            await trio.to_thread.run_sync(self._joining.finish, self._epochs, coming)
        finally:
            self._joining.close()
        return manifest.height

    # --- the manifest -----------------------------------------------------------------------

    async def _begin(self) -> Joining:
        joiner, choice = self._joiner, self._choice
        if _begun(joiner) == choice:
            joining = Joining.resume(joiner.path, joiner.genesis)
            left = len(joining.missing)
            _log.info("download_goes_on", height=joining.height, chunks_left=left)
            return joining
        data = await self._fetch_manifest()
        if joiner.path.exists():
            _log.info("download_begins_anew", height=choice.height)
            shutil.rmtree(joiner.path)
        return Joining.create(joiner.path, decode_manifest(data), joiner.genesis)

    async def _fetch_manifest(self) -> bytes:
        crowd, choice = self._joiner.crowd, self._choice
        for peer_id in self._holders:
            told = await self._ask_in_turn(peer_id, What.MANIFEST, digest=choice.digest)
            if told is None:
                continue
            if told.status != Status.HERE:
                crowd.rest(peer_id)  # or whatever it invents next would be chosen at once
                continue
            try:
                await trio.to_thread.run_sync(self._check_manifest, told.data)
            except SnapshotInvalid as error:
                crowd.strike(peer_id, str(error))
                continue
            return told.data
        raise Withdrawn("no peer shows a manifest of it that holds")

    def _check_manifest(self, data: bytes) -> None:
        choice, joiner = self._choice, self._joiner
        try:
            manifest = decode_manifest(data)
        except DecodeError as error:
            raise SnapshotInvalid(f"the manifest: {error}") from None
        if snapshot_digest(manifest) != choice.digest:
            raise SnapshotInvalid("the manifest is not that of the snapshot that was offered")
        if manifest.height != choice.height:
            raise SnapshotInvalid(
                f"a snapshot of block {manifest.height} was offered as one of {choice.height}"
            )
        check_manifest(manifest, joiner.genesis, joiner.provider.verify_batch)

    # --- chunks -----------------------------------------------------------------------------

    async def _fetch_chunks(self) -> None:
        """From all who keep the snapshot at once; who fails is replaced by the others."""
        self._queue = self._joining.missing[::-1]
        self._missing = len(self._queue)
        alone_since_s = trio.current_time()
        async with trio.open_nursery() as nursery:
            while self._missing and trio.current_time() - alone_since_s < ALONE_S:
                for peer_id in self._joiner.crowd.usable:
                    if peer_id not in self._working:
                        self._working.add(peer_id)
                        nursery.start_soon(self._work, peer_id)
                with trio.move_on_after(LOOK_S):
                    await self._is_whole.wait()
                self._tell("chunks", self._missing)
                if self._has_advanced:
                    alone_since_s = trio.current_time()
                    self._has_advanced = False
            nursery.cancel_scope.cancel()
        if self._missing:
            raise Withdrawn("no peer gives its chunks any more")

    async def _work(self, peer_id: str) -> None:
        """Fetch chunks from one peer as long as it is good for it."""
        try:
            offers = await ask_offers(self._joiner.crowd, peer_id)
            if offers is None or self._choice not in offers.offers:
                await trio.sleep(5 * LOOK_S)
                return
            while self._queue:
                index = self._queue.pop()
                is_stored = False
                try:
                    is_stored = await self._fetch_chunk(peer_id, index)
                finally:
                    if not is_stored:
                        self._queue.append(index)
                if not is_stored:
                    return
        finally:
            self._working.discard(peer_id)

    async def _fetch_chunk(self, peer_id: str, index: int) -> bool:
        """Whether the chunk was stored; if not, the peer is not asked for the next one."""
        told = await self._ask_in_turn(peer_id, What.CHUNK, digest=self._choice.digest, place=index)
        if told is None:
            return False
        if told.status != Status.HERE:
            await self._judge_withdrawal(peer_id)
            return False
        manifest = self._joining.manifest
        try:
            entries = await trio.to_thread.run_sync(check_chunk, manifest, index, told.data)
        except SnapshotInvalid as error:
            self._joiner.crowd.strike(peer_id, str(error))
            return False
        async with self._lock:
            await trio.to_thread.run_sync(self._joining.add_chunk, index, entries)
            self._missing -= 1
        self._joiner.crowd.praise(peer_id)
        self._has_advanced = True
        if not self._missing:
            self._is_whole.set()
        return True

    async def _judge_withdrawal(self, peer_id: str) -> None:
        """A peer may drop an old snapshot; it may not offer what it does not give."""
        offers = await ask_offers(self._joiner.crowd, peer_id)
        if offers is not None and self._choice in offers.offers:
            self._joiner.crowd.strike(peer_id, "it offers a snapshot and does not give its chunks")

    # --- the blocks before ------------------------------------------------------------------

    async def _fetch_past(self) -> None:
        """The blocks up to the snapshot's, in order; each run is proved on its own."""
        joining = self._joining
        turn, failures = 0, 0
        while joining.next_past <= joining.height:
            peers = self._joiner.crowd.usable
            if peers and await self._fetch_run(peers[turn % len(peers)]):
                failures = 0
            else:
                failures += 1
                if failures * BUSY_S > ALONE_S:
                    raise Withdrawn("no peer gives the blocks before it any more")
                await trio.sleep(BUSY_S)
            turn += 1
            self._tell("blocks", joining.height + 1 - joining.next_past)

    async def _fetch_run(self, peer_id: str) -> bool:
        joining = self._joining
        first = joining.next_past
        told = await self._ask_in_turn(peer_id, What.PAST, place=first)
        if told is None or told.status != Status.HERE:
            return False
        try:
            await trio.to_thread.run_sync(self._take_run, told.data)
        except SnapshotInvalid as error:
            self._joiner.crowd.strike(peer_id, str(error))
            return False
        self._joiner.crowd.praise(peer_id)
        return True

    def _take_run(self, data: bytes) -> None:
        take_run(self._joining, data, self._epochs, self._joiner.provider)

    # --- both -------------------------------------------------------------------------------

    async def _ask_in_turn(
        self, peer_id: str, what: What, *, digest: bytes = b"", place: int = 0
    ) -> Told | None:
        """As `Crowd.ask`, waiting where the peer asks for time."""
        with trio.move_on_after(2 * PIECE_PATIENCE_S):
            while True:
                told = await self._joiner.crowd.ask(
                    peer_id, what, digest=digest, place=place, patience_s=PIECE_PATIENCE_S
                )
                if told is None or told.status != Status.BUSY:
                    return told
                await trio.sleep(BUSY_S)
        return None

    def _tell(self, what: str, left: int) -> None:
        if trio.current_time() - self._told_s >= PROGRESS_S:
            self._told_s = trio.current_time()
            _log.info("download_progress", height=self._joining.height, what=what, left=left)


def take_run(joining: Joining, data: bytes, epochs: Epochs, provider: CryptoProvider) -> None:
    """Prove and store a run of blocks that goes on where `joining` is. Raises SnapshotInvalid."""
    try:
        run = decode_run(data)
    except DecodeError as error:
        raise SnapshotInvalid(f"before the snapshot: {error}") from None
    first = joining.next_past
    blocks = run.blocks[: joining.height + 1 - first]
    check_past(blocks, first, joining.previous_hash(), epochs, provider.verify_batch)
    newest = blocks[-1].execution_certificate.statement
    if newest.height == joining.height and newest != joining.manifest.certificate.statement:
        raise SnapshotInvalid(f"block {newest.height}: it is not the one of the snapshot")
    joining.add_past(blocks)
