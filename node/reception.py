"""Answers clients for the node's parts: the backend of the client interface.

Called from gRPC's threads. What may be read from there is read; what is changed is handed to the
main task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from crypto.provider import CryptoProvider
from ledger.genesis import Genesis
from ledger.history.database import History
from ledger.model import Query
from ledger.store import Store
from node.announce import Announcer
from node.api.backend import PeerState, Situation, Viewed
from node.committee import Committee
from node.config import NodeConfig
from node.edges import missing_layers, resident_bytes
from node.engines import EngineWatch
from node.execute import Engine
from node.intake import Rules
from node.keeping import Keeping
from node.links import Links
from node.mempool import Admitted, Mempool
from node.readiness import Readiness
from node.rulebook import Rulebook
from node.seat import Seat
from node.sync import Sync
from node.transactions import Transactions
from node.views import Views


@dataclass(slots=True, kw_only=True)
class Reception:
    """Owns nothing; the node does. `open` before the first call."""

    config: NodeConfig
    genesis: Genesis
    rulebook: Rulebook
    provider: CryptoProvider
    store: Store
    announcer: Announcer
    readiness: Readiness
    committee: Committee
    network: Links
    pool: Mempool
    transactions: Transactions
    seat: Seat
    sync: Sync
    views: Views
    engines: EngineWatch
    keeping: Keeping
    workers: tuple[Engine, Engine]  # that of the blocks, that of the views
    _token: trio.lowlevel.TrioToken | None = field(default=None, init=False)

    def open(self) -> None:
        """On the main task, which is the one that `hold` goes to."""
        self._token = trio.lowlevel.current_trio_token()

    @property
    def rules(self) -> Rules:
        return self.rulebook.now

    @property
    def threads(self) -> int:
        return self.config.api_threads

    @property
    def subscribers_max(self) -> int:
        return self.config.subscribers_max

    @property
    def history(self) -> History | None:
        return self.keeping.history

    def check_open(self) -> None:
        self.readiness.check_open()

    def check_readable(self) -> None:
        self.readiness.check_readable()

    def hold(self, items: Sequence[Admitted]) -> list[bool]:
        return trio.from_thread.run_sync(self._hold, items, trio_token=self._token)

    def _hold(self, items: Sequence[Admitted]) -> list[bool]:
        self.check_open()  # on the main task: nothing changes before the pool has them
        return self.transactions.hold(items)

    def is_held(self, transaction_id: bytes) -> bool:
        return transaction_id in self.pool

    def has_expired(self, transaction_id: bytes) -> bool:
        return self.pool.has_expired(transaction_id)

    def view(self, query: Query) -> Viewed:
        self.check_readable()
        return self.views.view(query)

    def situation(self) -> Situation:
        driver, office = self.seat.driver, self.committee.office
        replica = driver.replica if driver is not None else None
        connected = self.network.connected()
        members = office.validators.validators
        return Situation(
            name=self.config.name,
            index=office.index,
            epoch=office.base,
            members=len(members),
            view=replica.view if replica is not None else 0,
            primary=replica.proposer if replica is not None else 0,
            phase=self._phase(),
            mempool_transactions=len(self.pool),
            peers=tuple(
                PeerState(members[i].name, members[i].peer_id, members[i].peer_id in connected)
                for i in self.committee.others
            ),
            resident_bytes=resident_bytes(*self.workers),
            engine=self.engines.state,
            jail=tuple(self.workers[0].layers),
            is_jailed=not missing_layers(self.workers[0]),
            growth=self.keeping.growth.read(),
        )

    def _phase(self) -> str:
        if self.readiness.is_repairing:
            return "repairing"
        if self.readiness.is_halted:
            return "halted"
        if self.sync.is_active:
            return "catching_up"
        driver = self.seat.driver
        if driver is None:
            return "observing"
        return "ordering" if driver.replica.is_active else "view_change"
