"""One node: what it is made of, and the one nursery in which it lives.

Reads as the architecture: the network brings votes, transactions and blocks; the driver steps
the replica; what is ordered is executed on one serial queue; clients ask over gRPC threads.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import structlog
import trio

from consensus.pbft.types import Accuse, HaltKind
from crypto.provider import CryptoProvider
from ledger.findings import JOURNAL as JOURNAL_AREA
from ledger.findings import Findings
from ledger.genesis import Genesis, chain_id, load_genesis
from ledger.store import Store
from node import edges
from node.accesslog.anchors import Anchoring, open_access_log
from node.accusations import Accusations
from node.acts import Acts
from node.admin.door import AdminDoor
from node.admin.orders import Orders, stop_process
from node.announce import Announcer
from node.api.server import ApiServer
from node.api.tls import ServerTls
from node.bootstrap import LEDGER, check_genesis, open_or_create
from node.clock import CommitteeClock
from node.committee import Committee
from node.config import AUTO, NodeConfig
from node.credentials import Credentials, Trusted
from node.edges import (
    monotonic_ms,
    open_engine,
    open_links,
    open_porter,
    warn_of_plain_hashes,
)
from node.engines import EngineWatch
from node.execute import ChainRules, Engine, Executor
from node.execution import ExecutionQueue
from node.halt import HaltSwitch
from node.heartbeat import Heartbeat
from node.hosts import is_loopback
from node.identity import TrustWatch
from node.journal import Journal
from node.keeping import Keeping
from node.keys import node_passphrase, open_consensus_key, open_presence, read_roots
from node.ledgers import JOURNAL, joining, lost_votes
from node.life import LifeWatch
from node.links import OpenLinks, Presence
from node.mempool import Mempool
from node.metrics import Sources, make_render
from node.metrics_page import MetricsPage
from node.peers import peer_table, warn_of_gaps
from node.readiness import Readiness
from node.reception import Reception
from node.repair import Repair, Workshop
from node.retire import drain
from node.rulebook import Rulebook
from node.seat import Parts, Seat
from node.statesync.begin import SNAPSHOT
from node.sync import Sync
from node.tally import Tally
from node.timekeeper import Timekeeper
from node.transactions import Transactions
from node.views import Views
from node.votes import Votes
from p2p.network import Network
from p2p.tls.transport import utc_now

if TYPE_CHECKING:
    from trio_typing import TaskStatus

OUTRUN_EVERY_S = 60.0  # between two lines of a node that nobody can help

_log = structlog.get_logger("node")


class Node:
    """Owns the parts, and lets `reception` answer clients for them."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        links: OpenLinks | None = None,
        engine: Callable[[NodeConfig], Engine] | None = None,
        wall_ms: Callable[[], int] | None = None,
    ) -> None:
        """Open everything that can be refused: keys, genesis, ledger, journal, jail.

        `links`, `engine` and `wall_ms` make other edges than libp2p, the jailed worker and the
        machine's clock.
        """
        self._config = config
        self._make_links = links or open_links
        self._make_engine = engine or open_engine
        self._wall_ms = wall_ms or edges.wall_ms
        self._open = ExitStack()
        self._switch = HaltSwitch()
        self._tally = Tally()
        self._outrun_due_s = 0.0  # when it is said again
        self.is_followed = False  # by a node on another ledger: a rebuilt one, or a snapshot's
        try:
            self._build(config)
        except BaseException:
            self._open.close()
            raise

    def _build(self, config: NodeConfig) -> None:
        passphrase = node_passphrase(config)
        self.provider: CryptoProvider = open_consensus_key(config, passphrase)
        self.genesis: Genesis = load_genesis(config.genesis)
        check_genesis(self.genesis)
        chain = chain_id(self.genesis)
        self._engine = self._open_engine()
        self.store: Store = open_or_create(config.data_dir, self.genesis, self._engine)
        self._open.callback(self.store.close)
        self.store.keep_versions(config.provable_heights)
        self.rulebook = Rulebook(chain, self.genesis.limits, self.store)
        self._committee = Committee(
            self.store.current_epoch, public_key=self.provider.public_key, name=config.name
        )
        self.access_log = open_access_log(
            config.data_dir,
            self.store,
            self.provider.public_key,
            keep=config.access_keep,
            wall_ms=edges.wall_ms,  # called by many threads
        )
        self._open.callback(self.access_log.close)
        self._porter = open_porter(config, self.access_log)
        self.announcer = Announcer(self.store.certified_height)
        self._engines = EngineWatch(self.store)
        self._life = LifeWatch(self.store)
        self._accusations = Accusations(config.data_dir / "accusations")
        peers = peer_table(self.store, config.peers)
        warn_of_gaps(peers, config.peers, config.name)
        self._trust = TrustWatch(self.store, read_roots(config))
        presence = open_presence(config, passphrase, self._trust.policy)
        self._network = self._make_links(config, peers, presence)
        self._credentials = self._open_credentials(presence)
        self._pool = Mempool(
            transactions_max=config.mempool_transactions_max,
            bytes_max=config.mempool_bytes_max,
        )
        self._build_ordering(config)
        self._build_repair(config)
        self.keeping = Keeping(
            config,
            self.store,
            self.provider,
            self._network,
            self._switch,
            self.announcer,
            on_damage=self._damaged,
            check_readable=self._readiness.check_readable,
        )
        self._open.callback(self.keeping.close)
        self._build_reception(config)

    def _build_ordering(self, config: NodeConfig) -> None:
        chain = self.rulebook.chain_id
        self._journal = journal = Journal(config.data_dir / JOURNAL)
        self._open.callback(journal.close)
        self._build_clock()
        self._transactions = Transactions(
            pool=self._pool,
            store=self.store,
            network=self._network,
            committee=self._committee,
            rulebook=self.rulebook,
            provider=self.provider,
            verify_threads=config.verify_threads,
            timekeeper=self._timekeeper,
            heartbeat=self.heartbeat,
        )
        self._transactions.adopt(journal.recovered.transactions)
        rules = ChainRules(chain, self.genesis.limits)
        self._executor = Executor(self.store, self._engine, rules)
        self._queue = ExecutionQueue(
            executor=self._executor,
            store=self.store,
            pool=self._pool,
            announcer=self.announcer,
            provider=self.provider,
            rules=rules,
            switch=self._switch,
        )
        self._sync = Sync(
            store=self.store,
            network=self._network,
            committee=self._committee,
            queue=self._queue,
        )
        votes = Votes(
            network=self._network,
            store=self.store,
            committee=self._committee,
            provider=self.provider,
        )
        self._seat = Seat(
            Parts(
                store=self.store,
                journal=journal,
                network=self._network,
                committee=self._committee,
                provider=self.provider,
                rulebook=self.rulebook,
                pool=self._pool,
                transactions=self._transactions,
                queue=self._queue,
                sync=self._sync,
                votes=votes,
                timekeeper=self._timekeeper,
                heartbeat=self.heartbeat,
                switch=self._switch,
                tally=self._tally,
                votes_lost=lost_votes(config.data_dir / JOURNAL),
            ),
            on_epoch=self._enter_epoch,
            on_accuse=self._accuse,
        )
        journal.release()
        self._wire()

    def _build_clock(self) -> None:
        validators = self._committee.validators
        self.clock = CommitteeClock(
            others=[self._committee.peer_id(index) for index in self._committee.others],
            quorum=validators.quorum,
            fault_bound=validators.fault_bound,
            wall_ms=self._wall_ms,
            monotonic_ms=monotonic_ms,
        )
        self._timekeeper = Timekeeper(clock=self.clock, network=self._network)
        self.heartbeat = Heartbeat(store=self.store, limits_at=self.rulebook.at, clock=self.clock)

    def _wire(self) -> None:
        self._acts = Acts(
            provider=self.provider,
            rulebook=self.rulebook,
            store=self.store,
            transactions=self._transactions,
            is_ready=lambda: not self._sync.is_active,
        )
        self._anchoring = Anchoring(
            self.access_log, self.store, self.provider.public_key, self._acts.anchor_access
        )
        self._queue.on_block = self._after_block
        self._queue.judge = self.rulebook.judge
        self._sync.on_reading = self._timekeeper.take
        self._sync.on_outrun = self._fall_behind
        self.heartbeat.wants_empty_blocks = self._awaits_height
        self._queue.tally = self._tally
        self._pool.on_included = lambda item, s: self._tally.delays.observe(item.sender, s)
        self._switch.on_halt(self._accusations.keep_halt)
        self._switch.on_halt(lambda reason, evidence: self.announcer.close())

    def _build_repair(self, config: NodeConfig) -> None:
        workshop = Workshop(
            config.data_dir / LEDGER,
            self.genesis,
            ChainRules(self.rulebook.chain_id, self.genesis.limits),
            self.provider,
            lambda: self._make_engine(config),
        )
        self._repair = Repair(
            self.store, workshop, self._switch, mends_damage=config.repair == AUTO
        )
        self._repair.resume()
        self._readiness = Readiness(self._switch, self._repair)

    def _build_reception(self, config: NodeConfig) -> None:
        view_engine = self._open_engine()
        self.reception = Reception(
            config=config,
            genesis=self.genesis,
            rulebook=self.rulebook,
            provider=self.provider,
            store=self.store,
            announcer=self.announcer,
            readiness=self._readiness,
            committee=self._committee,
            network=self._network,
            pool=self._pool,
            transactions=self._transactions,
            seat=self._seat,
            sync=self._sync,
            views=Views(self.store, view_engine),
            engines=self._engines,
            keeping=self.keeping,
            workers=(self._engine, view_engine),
        )

        orders = Orders(config, self.reception, self._switch, self._credentials, self.clock)
        self._admin = AdminDoor(config.data_dir, self.access_log, orders.carry_out, stop_process)

    def _open_api(self) -> ApiServer:
        """Raises TlsFilesInvalid."""
        listen, files = self._config.api_listen, self._config.api_tls
        if files is None and not is_loopback(listen):
            _log.warning(
                "api_plain", listen=listen, advice="calls can be read and altered: use TLS"
            )
        credentials = None if files is None else ServerTls(files).credentials()
        return ApiServer(
            self.reception,
            listen=listen,
            porter=self._porter,
            credentials=credentials,
            policy=self._config.access,
        )

    def _open_credentials(self, presence: Presence) -> Credentials | None:
        """What keeps the node's certificate; None where links show none."""
        place, identity = self._config.certificate, presence.identity
        if place is None or identity is None:
            return None
        peer_id = identity.certificate.subject.peer_id
        return Credentials(
            place,
            identity,
            judge=lambda found: self._trust.policy.judge(found, utc_now(), dialed=peer_id),
            on_renewed=self._network.renew,
            trusted=lambda: Trusted(self._trust.policy.roots, self._network.certificates()),
            now=utc_now,
        )

    def _open_engine(self) -> Engine:
        engine = self._make_engine(self._config)
        self._open.callback(engine.close)
        return engine

    # --- life -------------------------------------------------------------------------------

    async def run(self, *, task_status: TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled or repaired; the started value is the API's port."""
        self.reception.open()
        self.access_log.start()
        api = self._open_api()
        page = self._metrics_page()
        self._switch.on_halt(lambda reason, evidence: api.show_halted())
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await nursery.start(self._network.run)
                nursery.start_soon(self._queue.run)
                nursery.start_soon(self._sync.serve)
                nursery.start_soon(self._timekeeper.run)
                nursery.start_soon(self._transactions.receive)
                nursery.start_soon(self._transactions.forward)
                nursery.start_soon(self._seat.run)
                nursery.start_soon(self._accusations.run)
                if self._credentials is not None:
                    nursery.start_soon(self._credentials.run)
                await self.keeping.start(nursery)
                await nursery.start(self._admin.run)
                page.start()
                nursery.start_soon(self._repair_and_end)
                api.start()
                if self._switch.is_halted:
                    api.show_halted()
                warn_of_plain_hashes()
                _log.info("serving", name=self._config.name, api=api.port, height=self.store.height)
                task_status.started(api.port)
        finally:
            self._readiness.is_stopping = True
            self.announcer.close()
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(api.stop)
                await trio.to_thread.run_sync(page.stop)

    def renew(self) -> None:
        """Take up the certificate that lies in its file, if it is another one."""
        if self._credentials is not None:
            self._credentials.ask()

    async def retire(self) -> None:
        """Take no more transactions, and make those that are held final; then cancel `run`."""
        self._readiness.is_stopping = True
        if not self._switch.is_halted:
            await drain(self._pool, self.store)

    def close(self) -> None:
        """Release ledger, journal and workers; after `run` has ended."""
        self._open.close()

    async def _repair_and_end(self) -> None:
        if await self._repair.run():
            self._be_followed()

    def _be_followed(self) -> None:
        """End, for the node that goes on with another ledger."""
        self.is_followed = True
        self._nursery.cancel_scope.cancel()

    def _fall_behind(self, height: int, base: int) -> None:
        """No peer keeps the next block: only a snapshot can bring this node forward."""
        if self._config.sync_mode == SNAPSHOT:
            _log.critical("outrun", height=height, peers_begin=base, advice="joins by a snapshot")
            joining(self._config.data_dir / LEDGER).mkdir(exist_ok=True)
            self._be_followed()
        elif trio.current_time() >= self._outrun_due_s:
            self._outrun_due_s = trio.current_time() + OUTRUN_EVERY_S
            advice = 'set [sync] mode = "snapshot" and restart, or restore a backup'
            _log.critical("outrun", height=height, peers_begin=base, advice=advice)

    def _damaged(self, findings: Findings) -> None:
        """What is stored is damaged. With a sound state this node goes on until it is mended."""
        if any(found.area == JOURNAL_AREA for found in findings.all):
            self._journal.renew()  # what is in it is in memory, too
        if not findings.of_ledger(self._config.data_dir / LEDGER):
            return
        if findings.is_state_sound and self._config.repair == AUTO:
            self._repair.mend()
        else:
            reason = f"the ledger is damaged: {findings.all[0].text}"
            self._switch.halt(reason, kind=HaltKind.DAMAGED)

    def _after_block(self) -> None:
        self._engines.follow()
        self.rulebook.follow()
        self._life.follow()
        self.keeping.keeper.follow()
        if self._executor.take_governed():
            self._update_peers()
        self._acts.confirm_where_awaited()
        self._anchoring.follow()

    def _enter_epoch(self) -> None:
        """Another committee orders: its clocks count, and who left it may be a stranger now."""
        committee = self._committee
        self.clock.follow(
            [committee.peer_id(index) for index in committee.others],
            quorum=committee.validators.quorum,
            fault_bound=committee.validators.fault_bound,
        )
        self._update_peers()

    def _awaits_height(self) -> bool:
        """Is a committee decided, or are limits, for which heights have to pass?"""
        return self.store.epochs.newest.base > self.store.height or self.rulebook.awaits_term()

    def _update_peers(self) -> None:
        """Who is registered, in a committee, certified or revoked may have changed."""
        if self._trust.follow():
            self._network.set_policy(self._trust.policy)
        self._network.update_allow_list(peer_table(self.store, self._config.peers))

    def _accuse(self, accusation: Accuse) -> None:
        """Keep the proof on disk, and show it to the chain."""
        self._tally.accusations += 1
        self._accusations.accuse(accusation)
        offender = self._committee.validators.validators[accusation.first.sender]
        if self._committee.office.domain == self.rulebook.chain_id:
            # The contract knows the chain id only: after a recovery the files have to do.
            self._acts.accuse(accusation, offender.public_key)

    def _metrics_page(self) -> MetricsPage:
        counters = self._network.counters if isinstance(self._network, Network) else None
        sources = Sources(
            self.reception,
            self._pool,
            self._tally,
            self._switch,
            counters,
            self._life,
            self.keeping.follower,
            self.keeping.patrol,
            self._credentials,
            self.access_log,
            self._porter.admission,
        )
        return MetricsPage(make_render(sources), listen=self._config.metrics_listen)
