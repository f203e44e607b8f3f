"""What a node shows of itself to Prometheus. docs/operations.md says what to alert on.

Collected when somebody looks, on the metrics page's thread, from what the node keeps anyway; the
names are interface: never rename, only add.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ledger import hashes
from ledger.model import address_of
from node import VERSION
from node.accesslog.keeper import AccessLog
from node.api.backend import Backend, Situation
from node.api.quotas import Admission
from node.credentials import Credentials
from node.growth import Growth
from node.halt import HaltSwitch
from node.history import Follower
from node.life import LifeWatch
from node.mempool import Mempool
from node.patrol import Patrol
from node.tally import Histogram, Tally
from p2p.counters import Counters

PHASES = ("ordering", "view_change", "catching_up", "observing", "halted")
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the figures come from; all of it may be read from another thread."""

    backend: Backend
    pool: Mempool
    tally: Tally
    switch: HaltSwitch
    counters: Counters | None  # None: a network that counts nothing
    life: LifeWatch
    history: Follower | None  # None: this node keeps no history
    patrol: Patrol
    credentials: Credentials | None  # None: links that show no certificate
    access_log: AccessLog
    admission: Admission


def make_render(sources: Sources) -> Callable[[], bytes]:
    """What makes the page. A registry of its own: several nodes may run in one process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(sources))
    return lambda: generate_latest(registry)


class NodeCollector(Collector):
    """All metrics of one node."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def describe(self) -> Iterable[Metric]:
        """Nothing: a node need not run to be registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        sources = self._sources
        situation = sources.backend.situation()
        yield from _chain(sources.backend, situation)
        yield from _growth(situation.growth)
        yield from _phase(situation)
        yield from _engine(situation)
        yield from _life(sources.life)
        yield from _patrol(sources.patrol)
        yield from _work(sources.tally)
        yield from _pool(sources.pool)
        yield from _access(sources.access_log, sources.admission)
        yield from _delays(sources.tally)
        yield _gauge("halted", "1 when this node has halted for good.", sources.switch.is_halted)
        if sources.history is not None:
            yield from _history(sources.history)
        if sources.credentials is not None:
            yield _certificates(sources.credentials)
        if sources.counters is not None:
            yield from _links(sources.counters)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"shuxin_{name}", text, value=float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"shuxin_{name}", text, value=float(value))


def _access(log: AccessLog, admission: Admission) -> Iterator[Metric]:
    yield _counter("calls_over_quota", "Calls refused for their number.", admission.refused)
    yield _gauge("access_log_failed", "1 while the disk takes no entry.", log.is_failed)
    text = "Closed files whose heads are not on the chain yet."
    yield _gauge("access_log_waiting", text, log.waiting)


def _chain(backend: Backend, situation: Situation) -> Iterator[Metric]:
    store = backend.store
    info = {"name": situation.name, "version": VERSION, "chain": backend.rules.chain_id.hex()}
    yield InfoMetricFamily("shuxin_node", "Who this is.", value=info)
    yield _gauge("height", "Last block executed and stored.", store.height)
    yield _gauge(
        "certified_height", "Last block whose outcome a quorum signed.", store.certified_height
    )
    yield _gauge("epoch", "Height after which the committee of now began.", situation.epoch)
    yield _gauge("view", "View of the epoch in which this node votes.", situation.view)
    yield _gauge("primary", "Place in the committee of whose turn it is.", situation.primary)
    yield _gauge("member", "1 when this node has a vote.", situation.index is not None)
    connected = sum(peer.connected for peer in situation.peers)
    yield _gauge("peers", "Other members of the committee.", len(situation.peers))
    yield _gauge("peers_connected", "Of them, those that are connected.", connected)
    yield _gauge(
        "hashes_compiled",
        "1 when the hashes of the state tree are computed by compiled code.",
        hashes.WHY_PLAIN is None,
    )
    yield _gauge(
        "resident_bytes", "Memory of the node and its contract workers.", situation.resident_bytes
    )


def _growth(growth: Growth) -> Iterator[Metric]:
    yield _gauge("base", "Lowest block in the ledger.", growth.base)
    yield _gauge("ledger_bytes", "Files of the ledger.", growth.ledger)
    family = GaugeMetricFamily(
        "shuxin_ledger_table_bytes", "Of them, roughly, by table.", labels=["table"]
    )
    for table, size in growth.tables.items():
        family.add_metric([table], float(size))
    yield family
    yield _gauge("journal_bytes", "Files of the consensus journal.", growth.journal)
    yield _gauge("archives_bytes", "Files of the archives.", growth.archives)
    yield _gauge(
        "archived_below", "Blocks below it are in archives; 0: none.", growth.archived_below
    )
    yield _gauge("free_bytes", "Room on the disk of the ledger.", growth.free)
    if growth.archives_free is not None:
        yield _gauge(
            "archives_free_bytes", "Room on the disk of the archives.", growth.archives_free
        )
    yield _gauge(
        "archiving_failing", "1 while old blocks cannot leave the ledger.", bool(growth.failure)
    )


def _phase(situation: Situation) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "shuxin_phase", "1 for the phase that the node is in.", labels=["phase"]
    )
    for phase in PHASES:
        family.add_metric([phase], float(phase == situation.phase))
    yield family


def _engine(situation: Situation) -> Iterator[Metric]:
    engine = situation.engine
    info = {"vm_version": engine.vm_version, "next_vm_version": engine.next_vm_version}
    yield InfoMetricFamily("shuxin_engine", "What runs the contracts, and what will.", value=info)
    yield _gauge(
        "engine_next_height", "From which the next engine runs; 0: none.", engine.next_height
    )
    yield _gauge(
        "engine_missing_height",
        "From which this release cannot run the chain, and halts; 0: none that is decided on.",
        engine.missing_height,
    )
    yield _gauge("jailed", "1 when all required layers of the jail hold.", situation.is_jailed)


def _life(life: LifeWatch) -> Iterator[Metric]:
    yield _gauge("contracts_frozen", "Contracts whose calls are refused now.", len(life.frozen))
    family = CounterMetricFamily(
        "shuxin_contract_steps", "Steps in the life of contracts, by kind.", labels=["step"]
    )
    for step, count in life.steps.items():
        family.add_metric([step], float(count))
    yield family


def _history(follower: Follower) -> Iterator[Metric]:
    history = follower.history
    yield _gauge("history_height", "Last block that the history holds.", history.height)
    yield _gauge("history_first_height", "Block with which the history begins.", history.first)
    yield _gauge(
        "history_lag_blocks", "Certified blocks that it does not hold yet.", follower.lag_blocks
    )
    yield _gauge("history_bytes", "Its bytes on disk.", history.size)


def _patrol(patrol: Patrol) -> Iterator[Metric]:
    state = patrol.state
    share = state.done / state.total if state.total else 0
    yield _gauge("scrub_running", "1 while what is stored is being checked.", state.is_running)
    yield _gauge("scrub_progress", "Share of its present stage that is done.", share)
    yield _gauge(
        "scrub_end_seconds",
        "Unix time when the last whole one ended; 0: none.",
        state.ended_ms / 1000,
    )
    yield _gauge("scrub_findings", "What the last one found.", len(state.findings) + state.more)


def _work(tally: Tally) -> Iterator[Metric]:
    yield _counter("blocks", "Blocks executed and stored.", tally.blocks)
    yield _counter("transactions", "Transactions in them.", tally.transactions)
    yield _counter("proposals_made", "Batches proposed as primary.", tally.proposals_made)
    yield _counter(
        "proposals_refused",
        "Proposals of others that this node did not prepare.",
        tally.proposals_refused,
    )
    yield _counter("view_changes", "Views that this node left.", tally.view_changes)
    yield _counter("catch_ups", "Times that it fetched blocks it had missed.", tally.catch_ups)
    yield _counter(
        "accusations", "Contradictions of other validators that it proved.", tally.accusations
    )
    yield _histogram("execution_seconds", "Executing and storing one block.", tally.execution)
    yield _histogram("block_interval_seconds", "From one block stored to the next.", tally.interval)
    last_s = tally.last_block_s
    if last_s is not None:
        yield _gauge("last_block_age_seconds", "Since the last block.", tally.now() - last_s)


def _pool(pool: Mempool) -> Iterator[Metric]:
    yield _gauge("pool_transactions", "Transactions that wait for a block.", len(pool))
    yield _gauge("pool_bytes", "Their bytes.", pool.size)
    yield _gauge(
        "pool_oldest_seconds", "How long the one that came first has waited.", pool.oldest_s()
    )


def _delays(tally: Tally) -> Iterator[Metric]:
    """Fairness (8.1.3 d): a sender whose delays exceed the others' is held back by somebody."""
    overall, senders, others = tally.delays.read()
    text = "From a transaction's arrival in this node's pool to its block being stored here."
    yield _histogram("inclusion_delay_seconds", text, overall)
    family = HistogramMetricFamily(
        "shuxin_sender_inclusion_delay_seconds",
        f"The same by sender; those not seen lately are together under {OTHER}.",
        labels=["sender"],
    )
    for key, histogram in senders.items():
        family.add_metric([address_of(key)], _buckets(histogram), histogram.total)
    family.add_metric([OTHER], _buckets(others), others.total)
    yield family


def _certificates(credentials: Credentials) -> Metric:
    family = GaugeMetricFamily(
        "shuxin_certificate_days", "Days until a certificate ends.", labels=["kind", "name"]
    )
    for (kind, name), days in credentials.days_left.items():
        family.add_metric([kind, name], days)
    return family


def _links(counters: Counters) -> Iterator[Metric]:
    yield _counter("links", "Links that came to life.", counters.links)
    yield _counter("links_again", "Of them, those to a peer linked before.", counters.reconnects)
    yield _counter("links_lost", "Links that ended.", counters.lost)
    yield _counter("links_garbage", "Links closed for what the peer sent.", counters.garbage)
    for name, text, counts in (
        ("links_refused", "Connections without an allowed identity.", counters.refusals),
        ("dials_failed", "Attempts to reach a peer in vain.", counters.failures),
        ("links_cut", "Living links ended because the peer is not let in any more.", counters.cut),
        ("links_broken", "Links ended because their bytes were altered.", counters.broken),
    ):
        family = CounterMetricFamily(f"shuxin_{name}", text, labels=["reason"])
        for reason, count in tuple(counts.items()):  # the main task counts meanwhile
            family.add_metric([reason], count)
        yield family
    families = {
        name: CounterMetricFamily(f"shuxin_{name}", text, labels=["channel"])
        for name, text in (
            ("frames_sent", "Frames to peers."),
            ("bytes_sent", "Bytes to peers."),
            ("frames_received", "Frames from peers."),
            ("bytes_received", "Bytes from peers."),
            ("frames_dropped", "Frames to peers that were lost: no link, or no room."),
            ("frames_unread", "Frames from peers that the node took too late."),
        )
    }
    for channel, counted in counters.channels.items():
        label = [channel.name.lower()]
        families["frames_sent"].add_metric(label, counted.frames_sent)
        families["bytes_sent"].add_metric(label, counted.bytes_sent)
        families["frames_received"].add_metric(label, counted.frames_received)
        families["bytes_received"].add_metric(label, counted.bytes_received)
        families["frames_dropped"].add_metric(label, counted.dropped)
        families["frames_unread"].add_metric(label, counted.unread)
    yield from families.values()


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        f"shuxin_{name}", text, buckets=_buckets(histogram), sum_value=histogram.total
    )


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """(upper bound, how many at or below it), as Prometheus has it."""
    found: list[tuple[str, float]] = []
    so_far = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        so_far += count
        found.append(("+Inf" if bound == float("inf") else str(bound), so_far))
    return found
