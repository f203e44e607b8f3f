"""The driver of the consensus core: input -> step -> perform effects.

One task owns the replica. What leaves is signed here, what comes in was verified on a thread
before it got here, and nothing leaves before the journal has what it depends on.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence

import trio

from consensus.pbft import messages, verify
from consensus.pbft.replica import Replica
from consensus.pbft.types import (
    TICK_MS,
    Accuse,
    BatchReady,
    Broadcast,
    CatchUp,
    Certify,
    Deliver,
    Effect,
    Executed,
    FetchProposal,
    Halt,
    Input,
    Persist,
    ProposalFetched,
    ProposalValidated,
    Received,
    Send,
    Synced,
    Tick,
    Validate,
)
from crypto import sm3
from crypto.provider import CryptoProvider, SignedItem
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.genesis import Limits
from ledger.model import ExecutionCertificate, Proposal, Transaction
from node.committee import Committee
from node.complaints import Complaints
from node.halt import HaltSwitch
from node.journal import Journal, JournalFailed
from node.links import Links
from node.mempool import Mempool
from node.transactions import Transactions
from p2p.limits import Channel
from p2p.network import Frame

INPUTS_MAX = 4096  # waiting inputs; the vote readers wait when it is full
GROUP_MAX = 256  # inputs stepped before their effects are performed: one fsync for all
VOTES_BATCH_MAX = 64  # frames verified in one call
VERIFIED_MAX = 4096  # remembered signatures: NEW-VIEW repeats the view changes already seen
# Between two proposals that are not full. A block costs every member about twelve signatures
# whatever it holds, so intervals grow with the load, from quick answers to full batches.
BATCH_INTERVAL_S = 0.1
BATCH_INTERVAL_LOADED_S = 0.5
LOADED_BATCH = 200  # transactions of a batch from which on the load counts as full
PIPELINE_MAX = 4  # own proposals not yet delivered; beyond, batches grow instead
REOFFER_TICKS = 10  # a transaction that waits this long is shown to the primary again
# ... and after this long to all: one that few know is easily withheld, and who waits alone can
# only leave the view alone.
REOFFER_ALL_TICKS = 50
WITHHELD_TICKS = 50  # overtaken by transactions that came this much later: the primary withholds


class Driver:
    """Steps the replica and performs what it asks for."""

    def __init__(
        self,
        *,
        replica: Replica,
        journal: Journal,
        network: Links,
        committee: Committee,
        provider: CryptoProvider,
        chain_id: bytes,
        limits: Limits,
        pool: Mempool,
        transactions: Transactions,
        head: int,
        switch: HaltSwitch,
    ) -> None:
        self.replica = replica
        self._journal = journal
        self._network = network
        self._committee = committee
        self._provider = provider
        self._chain_id = chain_id
        self._limits = limits
        self._pool = pool
        self._transactions = transactions
        self._switch = switch
        self._delivered = head
        self._todo: deque[Input | None] = deque()  # to be stepped next, before what waits
        self._last_proposal_s = 0.0
        self._interval_s = BATCH_INTERVAL_S
        self._tick = 0
        self._inputs_in, self._inputs = trio.open_memory_channel[Input | None](INPUTS_MAX)
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self._complaints = Complaints("node.replica")
        self._nursery: trio.Nursery | None = None
        self.on_deliver: Callable[[Deliver], None] = lambda effect: None
        self.on_certify: Callable[[ExecutionCertificate], None] = lambda certificate: None
        self.on_catch_up: Callable[[CatchUp], None] = lambda effect: None
        self.on_accuse: Callable[[Accuse], None] = lambda effect: None
        transactions.on_arrival = self._wake
        transactions.find_proposal = replica.proposal
        transactions.on_proposal = self._proposal_fetched

    # --- inputs from other tasks ------------------------------------------------------------

    async def executed(self, statement: Executed) -> None:
        await self._put(statement)

    async def synced(self, done: Synced) -> None:
        self._delivered = max(self._delivered, done.height)
        await self._put(done)

    async def _put(self, item: Input) -> None:
        if not self._switch.is_halted:  # nobody takes it then
            await self._inputs_in.send(item)

    def _wake(self) -> None:
        """Look whether a batch can be proposed; a full queue will look anyway."""
        try:
            self._inputs_in.send_nowait(None)
        except trio.WouldBlock:
            return

    def _proposal_fetched(self, proposal: Proposal) -> None:
        try:
            self._inputs_in.send_nowait(ProposalFetched(proposal))
        except trio.WouldBlock:
            return  # it is asked for again

    # --- tasks ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled, or until the replica halts (then this node only answers reads)."""
        if self._switch.is_halted:
            return
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._ticks)
            nursery.start_soon(self._receive_votes)
            self._switch.on_halt(lambda reason, evidence: nursery.cancel_scope.cancel())
            async for item in self._inputs:
                self._todo.append(item)
                while self._todo and not self._switch.is_halted:
                    await self._perform(self._absorb())

    async def _ticks(self) -> None:
        while True:
            self._tick += 1
            self._transactions.tick = self._tick
            age = self._pool.oldest_age(self._tick, self.replica.is_in_flight)
            if age is not None:
                self._offer_again(age)
            withheld = self._pool.is_overtaken(WITHHELD_TICKS, self.replica.is_in_flight)
            await self._inputs_in.send(Tick(pending=age is not None, withheld=withheld))
            await trio.sleep(TICK_MS / 1000)

    def _offer_again(self, age: int) -> None:
        """What was handed in may have been lost on the way: links break and queues fill."""
        if age >= REOFFER_ALL_TICKS and self._tick % REOFFER_ALL_TICKS == 0:
            self._transactions.offer_again(self._committee.others, self.replica.is_in_flight)
        elif age >= REOFFER_TICKS and self._tick % REOFFER_TICKS == 0:
            self._transactions.offer_again((self.replica.proposer,), self.replica.is_in_flight)

    async def _receive_votes(self) -> None:
        incoming = self._network.incoming(Channel.VOTES)
        async for frame in incoming:
            frames = [frame]
            while len(frames) < VOTES_BATCH_MAX:
                try:
                    frames.append(incoming.receive_nowait())
                except trio.WouldBlock:
                    break
            for received in await trio.to_thread.run_sync(self._verify, frames):
                await self._inputs_in.send(received)

    # --- votes in (on a thread) -------------------------------------------------------------

    def _verify(self, frames: Sequence[Frame]) -> list[Received]:
        """The inputs whose every signature holds, in order; one line for each that is not."""
        parsed: list[tuple[Frame, Received, list[bytes]]] = []
        fresh: dict[bytes, SignedItem] = {}
        for frame in frames:
            try:
                received, claims = self._parse(frame)
            except (DecodeError, verify.ClaimInvalid) as error:
                self._complaints.complain("vote_refused", peer=frame.peer_id, reason=str(error))
                continue
            keys = [_key(item) for item in claims]
            parsed.append((frame, received, keys))
            for key, item in zip(keys, claims, strict=True):
                if key not in self._verified:
                    fresh[key] = item
        verdicts = self._provider.verify_batch(list(fresh.values()))
        good = {key for key, verdict in zip(fresh, verdicts, strict=True) if verdict}
        result = []
        for frame, received, keys in parsed:
            if all(key in good or key in self._verified for key in keys):
                result.append(received)
            else:
                self._complaints.complain(
                    "vote_refused", peer=frame.peer_id, reason="a signature does not hold"
                )
        self._remember(good)
        return result

    def _parse(self, frame: Frame) -> tuple[Received, list[SignedItem]]:
        signed = decode(
            frame.body, messages.SignedMessage, size_max=messages.MESSAGE_SIZE_MAX + 256
        )
        if self._committee.index_of(frame.peer_id) != signed.sender:
            raise DecodeError("a message in another member's name")
        message = messages.decode_message(signed.message)
        validators, chain_id = self._committee.validators, self._chain_id
        claims = verify.claims(message, signed.sender, validators, chain_id)
        outer = verify.outer_claim(message, signed.sender, signed.signature, validators, chain_id)
        return Received(signed.sender, message, signed.signature), [outer, *claims]

    def _remember(self, good: set[bytes]) -> None:
        for key in good:
            self._verified[key] = None
        while len(self._verified) > VERIFIED_MAX:
            self._verified.popitem(last=False)

    # --- step -------------------------------------------------------------------------------

    def _absorb(self) -> list[tuple[Effect, bytes]]:
        """Step what is to do and what waits; every effect, with its signed frame if it leaves."""
        todo = self._todo
        effects: list[tuple[Effect, bytes]] = []
        for _ in range(GROUP_MAX):
            if not todo:
                try:
                    todo.append(self._inputs.receive_nowait())
                except trio.WouldBlock:
                    batch = self._next_batch()
                    if batch is None:
                        break
                    todo.append(batch)
            item = todo.popleft()
            if item is None:
                continue
            for effect in self.replica.step(item):
                effects.append((effect, self._signed(effect)))
        return effects

    def _signed(self, effect: Effect) -> bytes:
        if not isinstance(effect, Broadcast | Send):
            return b""
        message = effect.message
        signature = self._provider.sign(messages.signing_bytes(self._chain_id, message))
        if isinstance(effect, Broadcast):
            self._todo.append(Received(self._committee.index, message, signature))
        return encode(
            messages.SignedMessage(
                self._committee.index, messages.encode_message(message), signature
            )
        )

    def _next_batch(self) -> BatchReady | None:
        """What to propose now, if it is our turn and there is reason to."""
        if not self.replica.can_propose:
            return None
        limits = self._limits
        now = trio.current_time()
        is_due = now - self._last_proposal_s >= self._interval_s
        if not is_due and len(self._pool) < limits.block_transactions_max:
            return None
        ids = self._pool.select(
            self.replica.is_in_flight,
            count_max=limits.block_transactions_max,
            bytes_max=limits.block_size_max,
            gas_max=limits.block_gas_max,
        )
        is_full = len(ids) >= limits.block_transactions_max
        if not ids or self.replica.next_height - self._delivered > PIPELINE_MAX:
            return None
        if not is_full and not is_due:
            return None
        self._last_proposal_s = now
        load = min(1.0, len(ids) / LOADED_BATCH)
        self._interval_s = BATCH_INTERVAL_S + load * (BATCH_INTERVAL_LOADED_S - BATCH_INTERVAL_S)
        return BatchReady(tuple(sorted(ids)), time.time_ns() // 1_000_000)

    # --- perform ----------------------------------------------------------------------------

    async def _perform(self, effects: Sequence[tuple[Effect, bytes]]) -> None:
        records = self._entries(effect for effect, _ in effects if isinstance(effect, Persist))
        try:
            if records:
                await trio.to_thread.run_sync(self._journal.append, records)
            if self._switch.is_halted:
                return  # meanwhile: then nothing leaves any more
            for effect, frame in effects:
                self._act(effect, frame)
            if self._journal.wants_compaction:
                live = self._entries(self.replica.compacted())
                await trio.to_thread.run_sync(self._journal.compact, live)
        except JournalFailed as failed:
            # What could not be kept must not be said: the votes of this group do not leave.
            self._switch.halt(str(failed))

    def _entries(self, effects: Iterable[Persist]) -> list[tuple[list[Transaction], bytes]]:
        """Records with the bodies they need, which are at hand; included ones need no keeping."""
        return [
            (
                list(self._pool.bodies(e.proposal.transaction_ids).values()) if e.proposal else [],
                e.record,
            )
            for e in effects
        ]

    def _act(self, effect: Effect, frame: bytes) -> None:
        match effect:
            case Persist():
                return  # written before anything else
            case Broadcast():
                self._network.broadcast(Channel.VOTES, frame)
            case Send():
                self._network.send(self._committee.peer_id(effect.to), Channel.VOTES, frame)
            case Deliver():
                self._delivered = effect.proposal.height
                self.on_deliver(effect)
            case Certify():
                self.on_certify(effect.certificate)
            case CatchUp():
                self.on_catch_up(effect)
            case Validate():
                assert self._nursery is not None, "effects are performed inside run()"
                self._nursery.start_soon(self._validate, effect)
            case FetchProposal():
                self._transactions.ask_proposal(effect.height, effect.digest, effect.holders)
            case Accuse():
                self.on_accuse(effect)
            case Halt():
                self._switch.halt(effect.reason, effect.evidence, kind=effect.kind)

    async def _validate(self, effect: Validate) -> None:
        ok = await self._transactions.validate(effect)
        await self._put(ProposalValidated(effect.proposal.height, effect.digest, ok))


def _key(item: SignedItem) -> bytes:
    """Names a claim in little memory: a view change alone would be 100 KB. (Fixed sizes first.)"""
    sizes = len(item.public_key).to_bytes(4, "big") + len(item.signature).to_bytes(4, "big")
    return sm3.digest(sizes + item.public_key + item.signature + item.message)
