"""What a node stands on: links, engine, clocks, memory; tests bring others of the first two."""

from __future__ import annotations

import time
from collections.abc import Mapping

import psutil
import structlog
import trio

from contracts.vm import jail
from contracts.vm.host import Worker
from ledger import hashes
from node.api.porter import Porter, Record
from node.api.quotas import Admission, Quotas, default_at_once
from node.config import NodeConfig
from node.execute import Engine
from node.links import Presence
from p2p.network import Network, PeerAddress
from p2p.tls.transport import sm_tls

_log = structlog.get_logger("node")


def open_links(config: NodeConfig, peers: Mapping[str, PeerAddress], presence: Presence) -> Network:
    """Links to other nodes, over libp2p and TLS with SM2, SM3 and SM4.

    Raises CertificateRefused: the certificate is not for the network key.
    """
    assert presence.identity is not None, "load_config asks for its files"
    return Network(
        presence.seed,
        listen=config.listen,
        peers=peers,
        security=sm_tls(presence.identity, presence.policy),
        allowed_ranges=config.allowed_ranges,
    )


def open_engine(config: NodeConfig) -> Engine:
    """A jailed contract worker. Raises JailUnavailable unless the configuration allows it."""
    worker = Worker(allow_unjailed=config.allow_unjailed)
    missing = missing_layers(worker)
    if missing:
        _log.warning(
            "unjailed",
            missing=missing,
            jail=worker.layers,
            advice="allow_unjailed is set: contracts run without these bounds; never in production",
        )
    else:
        _log.info("engine", jail=worker.layers, is_jailed=True)
    return worker


def warn_of_plain_hashes() -> None:
    """Whoever runs a node without the compiled hashes should know why it is slow."""
    if hashes.WHY_PLAIN is not None:
        _log.warning("hashes_plain", reason=hashes.WHY_PLAIN)


def missing_layers(engine: Engine) -> list[str]:
    """What its jail lacks of the layers that production needs."""
    return [layer for layer in jail.REQUIRED if layer not in engine.layers]


def wall_ms() -> int:
    """The machine's clock, Unix milliseconds."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """The event loop's clock, which nobody sets. Main task only."""
    return int(trio.current_time() * 1000)


def resident_bytes(*engines: Engine) -> int:
    """Resident memory of the node and its engines."""
    total: int = psutil.Process().memory_info().rss
    for engine in engines:
        pid = engine.process_id
        try:
            total += psutil.Process(pid).memory_info().rss if pid is not None else 0
        except psutil.NoSuchProcess:
            continue
    return total


def open_porter(config: NodeConfig, record: Record) -> Porter:
    """Quotas by this node's configuration, before its log of access."""
    at_once = default_at_once(threads=config.api_threads, subscribers_max=config.subscribers_max)
    return Porter(Admission(Quotas(config.rates, at_once), time.monotonic), record)
