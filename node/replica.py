"""The driver of the consensus core: input -> step -> perform effects.

One task owns the replica. What leaves is signed here, what comes in was verified on a thread
before it got here, and nothing leaves before the journal has what it depends on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import structlog
import trio

from consensus.pbft.messages import ViewChange
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
    Retire,
    Send,
    Synced,
    Tick,
    Validate,
)
from crypto.provider import CryptoProvider
from ledger.model import ExecutionCertificate, Proposal, Transaction
from node.committee import Office
from node.fairness import Fairness
from node.halt import HaltSwitch
from node.heartbeat import Heartbeat
from node.journal import Journal, JournalFailed
from node.links import Links
from node.mempool import Mempool
from node.rulebook import LimitsAt
from node.tally import Tally
from node.timekeeper import Timekeeper
from node.transactions import Transactions
from node.votes import sign_frame
from p2p.limits import Channel

INPUTS_MAX = 4096  # waiting inputs; the vote readers wait when it is full
GROUP_MAX = 256  # inputs stepped before their effects are performed: one fsync for all
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

_log = structlog.get_logger("node.replica")


class Driver:
    """Steps the replica of one epoch and performs what it asks for."""

    def __init__(
        self,
        *,
        replica: Replica,
        journal: Journal,
        network: Links,
        office: Office,
        provider: CryptoProvider,
        limits_at: LimitsAt,
        pool: Mempool,
        transactions: Transactions,
        head: int,
        switch: HaltSwitch,
        timekeeper: Timekeeper,
        heartbeat: Heartbeat,
    ) -> None:
        self.replica = replica
        self._journal = journal
        self._network = network
        self.office = office
        self._provider = provider
        self._limits_at = limits_at
        self._pool = pool
        self._transactions = transactions
        self._switch = switch
        self._timekeeper = timekeeper
        self._heartbeat = heartbeat
        self._delivered = head
        self._others = tuple(i for i in range(office.validators.size) if i != office.index)
        self._todo: deque[Input | None] = deque()  # to be stepped next, before what waits
        self._last_proposal_s = 0.0
        self._interval_s = BATCH_INTERVAL_S
        self._tick = transactions.tick  # ages in the pool go on from epoch to epoch
        self._fairness = Fairness(pool, limits_at)
        self._told = (replica.view, replica.target_view)  # what the log knows
        self._inputs_in, self._inputs = trio.open_memory_channel[Input | None](INPUTS_MAX)
        self._nursery: trio.Nursery | None = None
        self.on_deliver: Callable[[Deliver], None] = lambda effect: None
        self.on_certify: Callable[[ExecutionCertificate], None] = lambda certificate: None
        self.on_catch_up: Callable[[CatchUp], None] = lambda effect: None
        self.on_accuse: Callable[[Accuse], None] = lambda effect: None
        self.tally = Tally()
        transactions.on_arrival = self._wake
        transactions.on_proposal = self._proposal_fetched
        heartbeat.longest_wait = self._longest_wait

    # --- inputs from other tasks ------------------------------------------------------------

    async def executed(self, statement: Executed) -> None:
        self._heartbeat.head_moved()
        await self._put(statement)

    async def synced(self, done: Synced) -> None:
        self._delivered = max(self._delivered, done.height)
        self._heartbeat.head_moved()
        await self._put(done)

    async def received(self, received: Received) -> None:
        """A message whose every signature was verified."""
        await self._put(received)

    async def _put(self, item: Input) -> None:
        if self.is_over:  # nobody takes it then
            return
        try:
            await self._inputs_in.send(item)
        except trio.BrokenResourceError:
            return  # it was over while this waited

    @property
    def is_over(self) -> bool:
        """Nothing is stepped any more: the epoch ended, or the node halted."""
        return self._switch.is_halted or self.replica.is_retired

    def _wake(self) -> None:
        """Look whether a batch can be proposed; a full queue will look anyway."""
        try:
            self._inputs_in.send_nowait(None)
        except (trio.WouldBlock, trio.BrokenResourceError):
            return

    def _proposal_fetched(self, proposal: Proposal) -> None:
        try:
            self._inputs_in.send_nowait(ProposalFetched(proposal))
        except (trio.WouldBlock, trio.BrokenResourceError):
            return  # it is asked for again, if anybody still needs it

    # --- tasks ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled, until the epoch is over, or until the node halts."""
        if self.is_over:
            return
        async with trio.open_nursery() as nursery, self._inputs:
            self._nursery = nursery
            nursery.start_soon(self._ticks)
            self._switch.on_halt(lambda reason, evidence: nursery.cancel_scope.cancel())
            async for item in self._inputs:
                self._todo.append(item)
                while self._todo and not self.is_over:
                    await self._perform(self._absorb())
                if self.is_over:
                    nursery.cancel_scope.cancel()

    async def _ticks(self) -> None:
        while True:
            self._tick += 1
            self._transactions.tick = self._tick
            age = self._longest_wait()
            if age is not None:
                self._offer_again(age)
            withheld = self._fairness.is_withheld(self._tick, self.replica.is_in_flight)
            pending = age is not None or self._heartbeat.is_overdue()
            await self._inputs_in.send(Tick(pending=pending, withheld=withheld))
            await trio.sleep(TICK_MS / 1000)

    def _longest_wait(self) -> int | None:
        return self._pool.oldest_age(self._tick, self.replica.is_in_flight)

    def _offer_again(self, age: int) -> None:
        """What was handed in may have been lost on the way: links break and queues fill."""
        if age >= REOFFER_ALL_TICKS and self._tick % REOFFER_ALL_TICKS == 0:
            self._transactions.offer_again(self._others, self.replica.is_in_flight)
        elif age >= REOFFER_TICKS and self._tick % REOFFER_TICKS == 0:
            self._transactions.offer_again((self.replica.proposer,), self.replica.is_in_flight)

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
            self._tell()
        return effects

    def _tell(self) -> None:
        """What an operator asks first about a silence: who was given up, and when it ended."""
        view, target = self._told
        now = self._told = (self.replica.view, self.replica.target_view)
        if now[1] > max(now[0], target):
            _log.info("view_change", **{"from": now[0], "to": now[1]})
        if now[0] > view:
            _log.info("view_entered", view=now[0], proposer=self.replica.proposer)

    def _signed(self, effect: Effect) -> bytes:
        if not isinstance(effect, Broadcast | Send):
            return b""
        message, office = effect.message, self.office
        frame, signature = sign_frame(message, office, self._provider)
        if isinstance(effect, Broadcast) and office.index is not None:
            self._todo.append(Received(office.index, message, signature))
        return frame

    def _next_batch(self) -> BatchReady | None:
        """What to propose now, if it is our turn and there is reason to."""
        if not self.replica.can_propose or not self._timekeeper.is_ready:
            return None
        limits = self._limits_at(self.replica.next_height)
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
        if not ids and not self._heartbeat.is_due(self.replica.next_height):
            return None
        if self.replica.next_height - self._delivered > PIPELINE_MAX:
            return None
        if not is_full and not is_due:
            return None
        self._last_proposal_s = now
        self.tally.proposals_made += 1
        load = min(1.0, len(ids) / LOADED_BATCH)
        self._interval_s = BATCH_INTERVAL_S + load * (BATCH_INTERVAL_LOADED_S - BATCH_INTERVAL_S)
        return BatchReady(tuple(sorted(ids)), self._heartbeat.proposal_time_ms())

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
                if isinstance(effect.message, ViewChange):
                    self.tally.left_for(effect.message.epoch, effect.message.view)
                for index in self._others:
                    self._network.send(self.office.peer_id(index), Channel.VOTES, frame)
            case Send():
                self._network.send(self.office.peer_id(effect.to), Channel.VOTES, frame)
            case Deliver():
                self._delivered = effect.proposal.height
                self._fairness.delivered(effect.proposal, self._tick)
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
            case Retire():
                return  # `run` ends

    async def _validate(self, effect: Validate) -> None:
        ok = await self._transactions.validate(effect)
        self.tally.proposals_refused += not ok
        await self._put(ProposalValidated(effect.proposal.height, effect.digest, ok))
