"""Transactions between nodes: forwarding, answering for bodies, and having them when needed.

Every node verifies every transaction itself; a peer's word only decides what is looked at.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import structlog
import trio

from consensus.pbft.types import Validate
from crypto.provider import CryptoProvider
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.model import Proposal, Transaction
from ledger.store import Store
from node import intake
from node.committee import Committee
from node.complaints import Complaints
from node.heartbeat import Heartbeat
from node.links import Links
from node.mempool import Admitted, IsInFlight, Mempool
from node.peer_messages import (
    IDS_MAX,
    OFFER_MAX,
    OFFER_SIZE,
    BodiesRequest,
    Offer,
    ProposalReply,
    ProposalRequest,
    decode_transactions_message,
    encode_transactions_message,
)
from node.refusals import ENCODING, SIGNATURE, Refusal
from node.rulebook import Rulebook
from node.timekeeper import Timekeeper
from p2p.limits import Channel
from p2p.network import Frame

FORWARD_SPACING_S = 0.1  # between two forwards: the first goes at once, a stream is gathered
FORWARD_QUEUE_MAX = 50_000  # transactions waiting to be forwarded; beyond, re-offers cover
FETCH_PATIENCE_S = 0.5  # before the next holder is asked
FRESH_PATIENCE_S = 3.0  # a primary whose transactions nobody can show is not waited for
REOFFER_MAX = 500  # transactions offered again in one go
REOFFER_SIZE_MAX = 2 << 20  # ... and their bytes: encoding them must not hold up the votes

# A member that verifies what it forwards never offers these; other refusals are matters of time.
_FORGED = frozenset({ENCODING, SIGNATURE})
DISTRUST_S = 10.0  # how long such a member's offers are not even looked at: judging costs more

_log = structlog.get_logger("node.transactions")


class Transactions:
    """Owns the pool's traffic with the peers. Main task only."""

    def __init__(
        self,
        *,
        pool: Mempool,
        store: Store,
        network: Links,
        committee: Committee,
        rulebook: Rulebook,
        provider: CryptoProvider,
        verify_threads: int,
        timekeeper: Timekeeper,
        heartbeat: Heartbeat,
    ) -> None:
        self._pool = pool
        self._store = store
        self._network = network
        self._committee = committee
        self._rulebook = rulebook
        self._provider = provider
        self._limiter = trio.CapacityLimiter(verify_threads)
        self._timekeeper = timekeeper
        self._heartbeat = heartbeat
        self._forward: deque[Admitted] = deque(maxlen=FORWARD_QUEUE_MAX)
        self._forward_wake = trio.Event()
        self._arrival = trio.Event()
        self._wanted: Counter[bytes] = Counter()
        self._complaints = Complaints("node.transactions")
        self._distrusted: dict[str, float] = {}  # peer id -> until when
        self.tick = 0  # set by the driver: ages are counted in its ticks
        self.on_arrival: Callable[[], None] = lambda: None
        self.find_proposal: Callable[[bytes], Proposal | None] = lambda digest: None
        self.on_proposal: Callable[[Proposal], None] = lambda proposal: None

    def adopt(self, transactions: Iterable[Transaction]) -> None:
        """Hold again what the journal kept: it was verified before it was written."""
        fits = self._rulebook.judge()
        for transaction in transactions:
            try:
                item, _ = intake.check_form(encode(transaction), rules=self._rulebook.now)
            except Refusal:
                continue  # written by a release that took it; peers show it again if need be
            if self._store.find_transaction(item.id) is not None:
                continue
            if fits(item):
                self._pool.add(item, tick=0, beyond_bounds=True)
            else:
                self._pool.set_aside(item, height=self._store.height)

    # --- in ---------------------------------------------------------------------------------

    def hold(self, items: Sequence[Admitted]) -> list[bool]:
        """Take verified transactions of our own clients and forward them."""
        results = []
        for item in items:
            known = item.id in self._pool
            held = self._pool.add(item, tick=self.tick)
            if held and not known:
                self._forward.append(item)
            results.append(held)
        if self._forward:
            self._forward_wake.set()
        self._arrived()
        return results

    async def receive(self) -> None:
        """Serve the peers' transactions channel for ever."""
        async for frame in self._network.incoming(Channel.TRANSACTIONS):
            try:
                message = decode_transactions_message(frame.body)
            except DecodeError as error:
                self._complaints.complain("undecodable", peer=frame.peer_id, reason=str(error))
                continue
            match message:
                case Offer():
                    await self._take_offer(frame.peer_id, message)
                case BodiesRequest():
                    self._send_bodies(frame, message)
                case ProposalRequest():
                    self._send_proposal(frame, message)
                case ProposalReply():
                    self.on_proposal(message.proposal)

    async def _take_offer(self, peer_id: str, offer: Offer) -> None:
        if trio.current_time() < self._distrusted.get(peer_id, 0.0):
            return
        height = self._store.height
        verdicts = await trio.to_thread.run_sync(
            self._admit, offer.transactions, height, limiter=self._limiter
        )
        fits = self._rulebook.judge()
        for verdict in verdicts:
            if isinstance(verdict, Admitted):
                if self._store.find_transaction(verdict.id) is not None:
                    continue  # a block included it while its signature was checked
                wanted = verdict.id in self._wanted
                if fits(verdict):
                    self._pool.add(verdict, tick=self.tick, beyond_bounds=wanted)
                elif wanted:
                    self._pool.set_aside(verdict, height=self._store.height)
            elif verdict.code in _FORGED:
                self._complaints.complain("offer_refused", peer=peer_id, reason=verdict.code)
                self._distrusted[peer_id] = trio.current_time() + DISTRUST_S
        self._arrived()

    def _admit(self, transactions: Sequence[bytes], height: int) -> list[Admitted | Refusal]:
        return intake.admit(
            transactions,
            rules=self._rulebook.now,
            height=height,
            is_known=lambda i: i in self._pool or self._store.find_transaction(i) is not None,
            is_wanted=lambda i: i in self._wanted,
            provider=self._provider,
        )

    def _arrived(self) -> None:
        self._arrival.set()
        self._arrival = trio.Event()
        self.on_arrival()

    # --- out --------------------------------------------------------------------------------

    async def forward(self) -> None:
        """Send what clients handed in to all other members, for ever."""
        while True:
            await self._forward_wake.wait()
            self._forward_wake = trio.Event()
            items = list(self._forward)
            self._forward.clear()
            for frame in _offers(items):
                for index in self._committee.others:
                    peer = self._committee.peer_id(index)
                    self._network.send(peer, Channel.TRANSACTIONS, frame)
            await trio.sleep(FORWARD_SPACING_S)

    def offer_again(self, to: Iterable[int], is_in_flight: IsInFlight) -> None:
        """Show the members `to` what has waited here longest: they may have missed it."""
        peers = [self._committee.peer_id(i) for i in to if i != self._committee.index]
        if not peers:
            return
        items = islice(self._pool.waiting(is_in_flight), REOFFER_MAX)
        for frame in _offers(_up_to(items, REOFFER_SIZE_MAX)):
            for peer in peers:
                self._network.send(peer, Channel.TRANSACTIONS, frame)

    def ask_proposal(self, height: int, digest: bytes, holders: Iterable[int]) -> None:
        message = encode_transactions_message(ProposalRequest(height, digest))
        for holder in holders:
            if holder != self._committee.index:
                self._network.send(self._committee.peer_id(holder), Channel.TRANSACTIONS, message)

    def _send_bodies(self, frame: Frame, request: BodiesRequest) -> None:
        ids = dict.fromkeys(request.ids)  # one id said twice must not be answered twice
        items = (item for i in ids if (item := self._pool.get(i)) is not None)
        for offer in _offers(items):
            if not self._network.send(frame.peer_id, Channel.TRANSACTIONS, offer):
                return  # its queue is full: it asks again

    def _send_proposal(self, frame: Frame, request: ProposalRequest) -> None:
        proposal = self.find_proposal(request.digest)
        if proposal is not None:
            message = encode_transactions_message(ProposalReply(proposal))
            self._network.send(frame.peer_id, Channel.TRANSACTIONS, message)

    # --- at hand ----------------------------------------------------------------------------

    async def validate(self, effect: Validate) -> bool:
        """Whether the proposal may be prepared: all bodies at hand, time and size in bounds, and
        due if it is empty.

        Returns when that is known; for a proposal that a quorum vouched for, when the bodies
        are here or its height was passed.
        """
        proposal = effect.proposal
        if effect.is_fresh and not await self._is_timely(proposal):
            return False
        if effect.is_fresh and not proposal.transaction_ids:
            return await self._heartbeat.is_welcome(proposal)
        for wanted in proposal.transaction_ids:
            self._wanted[wanted] += 1
        try:
            complete = await self._gather(effect)
        finally:
            for wanted in proposal.transaction_ids:
                self._wanted[wanted] -= 1
                if not self._wanted[wanted]:
                    del self._wanted[wanted]
        return complete and (not effect.is_fresh or self._fits(proposal))

    async def _gather(self, effect: Validate) -> bool:
        began = trio.current_time()
        holders = [h for h in effect.holders if h != self._committee.index]
        holders += [h for h in self._committee.others if h not in holders]
        turn = 0
        while missing := self._missing(effect.proposal):
            if self._store.height >= effect.proposal.height:
                return True
            if effect.is_fresh and not self._fits(effect.proposal):
                return False  # before all is fetched: a primary must not fill our memory
            if effect.is_fresh and trio.current_time() - began > FRESH_PATIENCE_S:
                _log.warning("proposal_unavailable", height=effect.proposal.height)
                return False
            request = encode_transactions_message(BodiesRequest(tuple(missing[:IDS_MAX])))
            if holders:
                peer = self._committee.peer_id(holders[turn % len(holders)])
                self._network.send(peer, Channel.TRANSACTIONS, request)
                turn += 1
            with trio.move_on_after(FETCH_PATIENCE_S):
                while self._pool.missing(missing):
                    await self._arrival.wait()
        return True

    def _missing(self, proposal: Proposal) -> list[bytes]:
        """Ids whose bodies we lack; those in a block already need none."""
        return [
            wanted
            for wanted in self._pool.missing(proposal.transaction_ids)
            if self._store.find_transaction(wanted) is None
        ]

    async def _is_timely(self, proposal: Proposal) -> bool:
        skew_ms = abs(await self._timekeeper.now_ms() - proposal.time_ms)
        if skew_ms > self._rulebook.at(proposal.height).time_skew_ms_max:
            _log.warning("proposal_time", height=proposal.height, skew_ms=skew_ms)
            return False
        return True

    def _fits(self, proposal: Proposal) -> bool:
        limits = self._rulebook.at(proposal.height)
        items = [i for t in proposal.transaction_ids if (i := self._pool.get(t)) is not None]
        return (
            len(proposal.transaction_ids) <= limits.block_transactions_max
            and sum(item.size for item in items) <= limits.block_size_max
            and sum(item.gas_limit for item in items) <= limits.block_gas_max
        )


def _offers(items: Iterable[Admitted]) -> Iterator[bytes]:
    """Offer frames of bounded size, made one at a time."""
    batch: list[bytes] = []
    size = 0
    for item in items:
        batch.append(encode(item.transaction))
        size += item.size
        if size >= OFFER_SIZE or len(batch) == OFFER_MAX:
            yield encode_transactions_message(Offer(tuple(batch)))
            batch, size = [], 0
    if batch:
        yield encode_transactions_message(Offer(tuple(batch)))


def _up_to(items: Iterable[Admitted], size_max: int) -> Iterator[Admitted]:
    """`items` until their bytes exceed `size_max`; the first one always."""
    size = 0
    for item in items:
        size += item.size
        yield item
        if size > size_max:
            return
