"""What this node does for the network: order, while it is in the committee; follow, while not.

Epoch by epoch. A member steps a replica of its own for each; an observer asks members for what
they ordered. Between two epochs everything that the last one decided is durable, and its votes
are forgotten: nobody counts them any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
import trio

from consensus.pbft.messages import TRANSACTIONS_MAX
from consensus.pbft.replica import Replica
from consensus.pbft.types import TICK_MS, Accuse, CatchUp, Executed, Recovered, ReplicaConfig
from crypto.provider import CryptoProvider
from ledger.model import Proposal
from ledger.store import Store
from node.committee import Committee, Office
from node.execution import ExecutionQueue
from node.halt import HaltSwitch
from node.heartbeat import Heartbeat
from node.journal import Journal
from node.links import Links
from node.mempool import Mempool
from node.repair import disowned
from node.replica import REOFFER_TICKS, Driver
from node.rulebook import Rulebook
from node.sync import Sync
from node.tally import Tally
from node.timekeeper import Timekeeper
from node.transactions import Transactions
from node.votes import Votes

# Between two questions of an observer that has all that the member asked last had: a block is
# seen about this late.
FOLLOW_PAUSE_S = 0.3

_log = structlog.get_logger("node.seat")


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a node that stay while epochs come and go."""

    store: Store
    journal: Journal
    network: Links
    committee: Committee
    provider: CryptoProvider
    rulebook: Rulebook
    pool: Mempool
    transactions: Transactions
    queue: ExecutionQueue
    sync: Sync
    votes: Votes
    timekeeper: Timekeeper
    heartbeat: Heartbeat
    switch: HaltSwitch
    tally: Tally
    votes_lost: int  # in epochs with a base up to here no vote is cast; -1: none is lost


class Seat:
    """One task runs it; the driver of the moment is what the other parts talk to."""

    def __init__(
        self,
        parts: Parts,
        *,
        on_epoch: Callable[[], None],
        on_accuse: Callable[[Accuse], None],
    ) -> None:
        """Recovers the replica of the current epoch, if we are in it. Raises DecodeError."""
        self._parts = parts
        self._on_epoch = on_epoch
        self._on_accuse = on_accuse
        self.is_following = False
        self.driver: Driver | None = None
        self._nursery: trio.Nursery | None = None
        records = parts.journal.recovered.records
        office = parts.committee.enter(parts.store.current_epoch)
        if office.index is not None and not self._has_lost_votes(office):
            self.driver = self._make_driver(office, office.index, records)
        parts.queue.on_executed = self._executed
        parts.queue.is_in_flight = self._is_in_flight
        parts.transactions.find_proposal = self._proposal

    # --- life -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Order or follow, until cancelled or halted (a halted node only answers reads)."""
        parts = self._parts
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(parts.votes.run)
            while not parts.switch.is_halted:
                office = parts.committee.enter(parts.store.current_epoch)
                self._on_epoch()
                if office.index is None or self._has_lost_votes(office):
                    await self._follow(office)
                else:
                    await self._order(office, office.index)

    def _has_lost_votes(self, office: Office) -> bool:
        """Whether this node may have cast votes in the epoch that it does not know any more."""
        return office.base <= self._parts.votes_lost

    async def _order(self, office: Office, index: int) -> None:
        """Be a member for one epoch."""
        parts = self._parts
        driver = self.driver
        if driver is None or driver.office != office:
            driver = self.driver = self._make_driver(office, index, ())
        parts.votes.serve(office, driver.received)
        _log.info("member", base=office.base, index=index, members=office.validators.size)
        await driver.run()
        if parts.switch.is_halted:
            parts.votes.rest()
            return
        await parts.queue.drained()
        assert parts.store.current_epoch.base > office.base, "what ended the epoch is stored"
        # Only now: as long as the epoch could go on after a crash, its votes bind us.
        await trio.to_thread.run_sync(parts.journal.compact, [])
        _log.info("epoch_ended", base=office.base, height=parts.store.height)

    async def _follow(self, office: Office) -> None:
        """Be an observer until the next epoch."""
        parts = self._parts
        self.driver = None
        parts.votes.rest()
        self.is_following = True
        _log.info("observer", base=office.base, members=office.validators.size)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hand_on)
                parts.switch.on_halt(lambda reason, evidence: nursery.cancel_scope.cancel())
                while parts.store.current_epoch.base == office.base:
                    if not await parts.sync.advance():
                        await trio.sleep(FOLLOW_PAUSE_S)
                nursery.cancel_scope.cancel()
        finally:
            self.is_following = False

    async def _hand_on(self) -> None:
        """Show members again what our clients handed in and no block has yet."""
        parts = self._parts
        while True:
            await trio.sleep(REOFFER_TICKS * TICK_MS / 1000)
            parts.transactions.tick += REOFFER_TICKS
            parts.transactions.offer_again(parts.committee.others, self._is_in_flight)

    # --- the replica of an epoch ------------------------------------------------------------

    def _make_driver(self, office: Office, index: int, records: tuple[bytes, ...]) -> Driver:
        parts = self._parts
        driver = Driver(
            replica=self._recover(office, index, records),
            journal=parts.journal,
            network=parts.network,
            office=office,
            provider=parts.provider,
            limits_at=parts.rulebook.at,
            pool=parts.pool,
            transactions=parts.transactions,
            head=parts.store.height,
            switch=parts.switch,
            timekeeper=parts.timekeeper,
            heartbeat=parts.heartbeat,
        )
        driver.on_deliver = parts.queue.deliver
        driver.on_certify = parts.queue.certify
        driver.on_catch_up = self._start_catch_up
        driver.on_accuse = self._on_accuse
        driver.tally = parts.tally
        return driver

    def _recover(self, office: Office, index: int, records: tuple[bytes, ...]) -> Replica:
        parts = self._parts
        store = parts.store
        certified = store.certified_height
        return Replica.recover(
            ReplicaConfig(
                index=index,
                validators=office.validators,
                chain_id=office.domain,
                base=office.base,
                window=store.genesis.limits.watermark_window,
                transactions_max=TRANSACTIONS_MAX,  # of a message; limits of the height come on top
            ),
            Recovered(
                head=store.height,
                certified=store.execution_certificate(certified),
                statements=tuple(
                    store.statement(height) for height in range(certified + 1, store.height + 1)
                ),
                records=records,
                last=store.epochs.last_of(office.epoch),
                disowned=disowned(store),
            ),
        )

    # --- between the parts (main task) ------------------------------------------------------

    async def _executed(self, executed: Executed) -> None:
        if self.driver is not None:
            await self.driver.executed(executed)

    def _is_in_flight(self, transaction_id: bytes) -> bool:
        return self.driver is not None and self.driver.replica.is_in_flight(transaction_id)

    def _proposal(self, digest: bytes) -> Proposal | None:
        return self.driver.replica.proposal(digest) if self.driver is not None else None

    def _start_catch_up(self, goal: CatchUp) -> None:
        assert self._nursery is not None, "effects are performed inside run()"
        self._parts.tally.catch_ups += 1
        self._nursery.start_soon(self._catch_up, goal)

    async def _catch_up(self, goal: CatchUp) -> None:
        driver = self.driver
        synced = await self._parts.sync.catch_up(goal)
        if driver is not None:
            await driver.synced(synced)
