"""A node's configuration, read strictly (node.config_file); node.config_template writes a new one.

Nothing here influences what the network decides: consensus settings live on chain
(`ledger.genesis.Limits`), so that no node's local file can hold up the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from crypto.providers.sdf import KEY_INDEX_MAX
from ledger.model import Address
from ledger.versions import PROVABLE_HEIGHTS_MAX, VERSIONS_MIN
from node.accesslog.keeper import KEEP_DEFAULT, LogKeep
from node.api.levels import Level
from node.api.policy import DENIED_MAX, AccessPolicy, PolicyInvalid, method_named, narrowed
from node.api.quotas import RATES_DEFAULT, Rates
from node.config_file import ConfigInvalid, TableReader
from node.hosts import is_loopback
from p2p.listen import IpRange

__all__ = ["ApiTls", "ConfigInvalid", "DeviceKey", "Keep", "NodeConfig", "load_config"]

MEMPOOL_TRANSACTIONS_DEFAULT = 20_000
MEMPOOL_BYTES_DEFAULT = 32 << 20
HISTORY_BLOCKS_MAX = 10**12  # beyond, it is a mistake
KEEP_BLOCKS_MAX = 10**12  # more than a chain comes to: who writes more has mistyped
KEEP_DAYS_MAX = 36_500
RATE_MAX = 1_000_000  # units a second: more than any node answers, so no limit
SCRUB_HOURS_DEFAULT = 24  # a day of damage at most is found together
AUTO, HALT = "auto", "halt"
RANGES_MAX = 256  # of addresses; each connection is compared with all
ROOTS_MAX = 64  # a chain has 256 at most; of these only what is younger than the genesis
_HOST_PORT = r"[^\s:]+:\d+|\[[0-9a-f:]+\]:\d+"
SYNC_MODES = ("blocks", "snapshot")
# Blocks between two snapshots. Every node of a network should have the same: they make them of the
# same blocks then, and one that joins fetches from all. A quarter of an hour of a busy chain, whose
# blocks a node that joins executes in some minutes.
SNAPSHOTS_EVERY_DEFAULT = 2_000
BEHIND_MAX_DEFAULT = 20_000  # ten of them
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Keep:
    """What a node keeps of its blocks in the ledger, and where the others go.

    0 blocks or days: no bound by that. `archives` is a folder, or None where old blocks are
    discarded, or none leave.
    """

    blocks: int = 0
    days: int = 0
    archives: Path | None = None

    @property
    def is_all(self) -> bool:
        return not self.blocks and not self.days


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A key that never leaves a cryptographic device (密码机) with the interface of GM/T 0018.

    Without `password_file` the environment has the password of the key.
    """

    library: Path
    index: int
    password_file: Path | None


@dataclass(frozen=True, slots=True)
class ApiTls:
    """PEM files of the client interface: what it shows, and whose clients it takes (None: all)."""

    certificate: Path
    key: Path
    client_ca: Path | None


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Paths are absolute; `peers` maps validator names to multiaddresses."""

    name: str
    data_dir: Path
    genesis: Path
    consensus_key: Path | DeviceKey
    network_key: Path
    passphrase_file: Path | None
    listen: str
    peers: Mapping[str, str]
    api_listen: str
    api_threads: int
    subscribers_max: int
    mempool_transactions_max: int
    mempool_bytes_max: int
    verify_threads: int
    allow_unjailed: bool
    log_level: str
    allowed_ranges: tuple[IpRange, ...] = ()  # where peers may connect from; empty: everywhere
    roots: tuple[Path, ...] = ()  # certificates; the operator's own word until the chain has its
    api_tls: ApiTls | None = None  # None: plain
    tls_key: Path | None = None  # this and the next: None where links are not TLS
    certificate: Path | None = None
    metrics_listen: str | None = None  # None: nothing is shown
    provable_heights: int = VERSIONS_MIN
    has_history: bool = True
    history_keep_blocks: int = 0  # 0: all
    keep: Keep = Keep()
    repair: str = AUTO
    scrub_hours: int = SCRUB_HOURS_DEFAULT  # 0: never
    sync_mode: str = SYNC_MODES[0]
    sync_behind_max: int = BEHIND_MAX_DEFAULT
    snapshots_every: int = SNAPSHOTS_EVERY_DEFAULT  # blocks; 0: none are made
    rates: Rates = RATES_DEFAULT
    access_keep: LogKeep = KEEP_DEFAULT
    access: AccessPolicy = field(default_factory=AccessPolicy)


def load_config(path: Path) -> NodeConfig:
    """Read and validate a node's configuration. Raises ConfigInvalid."""
    reader = TableReader.open(path)
    config = NodeConfig(
        name=reader.text("node", "name", r"[a-z0-9][a-z0-9_.-]{0,63}"),
        data_dir=reader.path("node", "data_dir"),
        genesis=reader.path("node", "genesis"),
        consensus_key=_consensus_key(reader),
        network_key=reader.path("keys", "network_key"),
        tls_key=reader.path("keys", "tls_key"),
        certificate=reader.path("keys", "certificate"),
        passphrase_file=reader.optional_path("keys", "passphrase_file"),
        listen=reader.text("network", "listen", r"/(ip4|ip6|dns4)/[^/]+/tcp/\d+"),
        peers=_peers(reader),
        allowed_ranges=_ranges(reader),
        roots=reader.paths("network", "roots", ROOTS_MAX, is_optional=True),
        api_listen=reader.text("api", "listen", _HOST_PORT),
        api_tls=_api_tls(reader),
        api_threads=reader.number("api", "threads", 4, 1024),
        subscribers_max=reader.number("api", "subscribers_max", 1, 1000),
        mempool_transactions_max=reader.number("mempool", "transactions_max", 100, 1_000_000),
        sync_mode=reader.choice("sync", "mode", SYNC_MODES, default=SYNC_MODES[0]),
        sync_behind_max=reader.number("sync", "behind_max", 1, 1 << 32, default=BEHIND_MAX_DEFAULT),
        snapshots_every=reader.number(
            "snapshots", "every_blocks", 0, 1 << 32, default=SNAPSHOTS_EVERY_DEFAULT
        ),
        mempool_bytes_max=reader.number("mempool", "bytes_max", 1 << 20, 1 << 32),
        verify_threads=reader.number("mempool", "verify_threads", 1, 256),
        allow_unjailed=reader.flag("contracts", "allow_unjailed"),
        log_level=reader.choice("log", "level", LOG_LEVELS),
        metrics_listen=reader.optional_text("metrics", "listen", _HOST_PORT),
        provable_heights=reader.number(
            "ledger",
            "provable_heights",
            VERSIONS_MIN,
            PROVABLE_HEIGHTS_MAX,
            default=VERSIONS_MIN,
        ),
        has_history=reader.optional_flag("history", "enabled", default=True),
        history_keep_blocks=reader.number(
            "history", "keep_blocks", 0, HISTORY_BLOCKS_MAX, default=0
        ),
        keep=_keep(reader),
        repair=reader.choice("ledger", "repair", (AUTO, HALT), default=AUTO),
        scrub_hours=reader.number("ledger", "scrub_hours", 0, 8760, default=SCRUB_HOURS_DEFAULT),
        access=_access(reader),
        rates=_rates(reader),
        access_keep=LogKeep(
            reader.number("access_log", "keep_days", 1, KEEP_DAYS_MAX, default=KEEP_DEFAULT.days),
            reader.number(
                "access_log", "bytes_max", 1 << 28, 1 << 50, default=KEEP_DEFAULT.bytes_max
            ),
        ),
    )
    reader.refuse_unknown()
    return config


def _consensus_key(reader: TableReader) -> Path | DeviceKey:
    """The key is in a file or in a device: two would leave open which of them votes."""
    library = reader.optional_path("keys", "device_library")
    if library is None:
        return reader.path("keys", "consensus_key")
    if "consensus_key" in reader.table("keys"):
        raise reader.wrong(
            "keys", "consensus_key", "contradicts device_library; remove one of them"
        )
    index = reader.number("keys", "device_key_index", 1, KEY_INDEX_MAX)
    return DeviceKey(library, index, reader.optional_path("keys", "device_password_file"))


def _api_tls(reader: TableReader) -> ApiTls | None:
    """How clients reach the node; beyond this machine not in plain by accident."""
    certificate = reader.optional_path("api", "tls_certificate")
    is_plain = reader.optional_flag("api", "plain", default=False)
    if certificate is not None:
        if is_plain:
            raise reader.wrong("api", "plain", "contradicts tls_certificate; remove one of them")
        key = reader.path("api", "tls_key")
        return ApiTls(certificate, key, reader.optional_path("api", "tls_client_ca"))
    for name in ("tls_key", "tls_client_ca"):
        if name in reader.table("api"):
            raise reader.wrong("api", name, "is of no use without tls_certificate; add that")
    if not is_plain and not is_loopback(reader.text("api", "listen", _HOST_PORT)):
        raise reader.wrong(
            "api",
            "listen",
            "would carry calls in plain beyond this machine: set tls_certificate and tls_key, or "
            "listen on loopback behind `shuxin gateway`; plain = true if the network is your own",
        )
    return None


def _access(reader: TableReader) -> AccessPolicy:
    """Who may less at this node than by its release and the chain."""
    denied = reader.texts("access", "deny", DENIED_MAX, default=())
    for address in denied:
        if not re.fullmatch(r"[0-9a-f]{40}", address):
            raise reader.wrong("access", "deny", f"holds {address!r}, which is no address")
    methods: dict[str, frozenset[Level]] = {}
    advice = "must be a table of method = list of levels"
    for name, levels in reader.subtable("access", "methods", advice).items():
        if not isinstance(levels, list) or any(not isinstance(one, str) for one in levels):
            raise reader.wrong("access.methods", name, "must be a list of levels")
        try:
            method = method_named(name)
            methods[method] = narrowed(method, levels)
        except PolicyInvalid as error:
            raise reader.wrong("access.methods", name, str(error)) from None
    return AccessPolicy(methods, frozenset(map(Address, denied)))


def _rates(reader: TableReader) -> Rates:
    default = RATES_DEFAULT
    return Rates(
        caller=reader.number("quotas", "caller", 1, RATE_MAX, default=default.caller),
        host=reader.number("quotas", "host", 1, RATE_MAX, default=default.host),
        anonymous=reader.number("quotas", "anonymous", 1, RATE_MAX, default=default.anonymous),
        total=reader.number("quotas", "total", 1, RATE_MAX, default=default.total),
    )


def _keep(reader: TableReader) -> Keep:
    """Whoever lets blocks leave the ledger has to say where they go."""
    blocks = reader.number("ledger", "keep_blocks", 0, KEEP_BLOCKS_MAX, default=0)
    days = reader.number("ledger", "keep_days", 0, KEEP_DAYS_MAX, default=0)
    archives = reader.optional_path("archive", "directory")
    is_discarding = "discard" in reader.table("archive") and reader.flag("archive", "discard")
    keep = Keep(blocks, days, archives)
    if archives is not None and is_discarding:
        raise reader.wrong("archive", "discard", "contradicts directory; remove one of them")
    if not keep.is_all and archives is None and not is_discarding:
        key = "keep_blocks" if blocks else "keep_days"
        advice = "needs a folder for what leaves: set [archive] directory, or discard = true"
        raise reader.wrong("ledger", key, advice)
    if keep.is_all and (archives is not None or is_discarding):
        key = "directory" if archives is not None else "discard"
        advice = "is of no use while all is kept: set [ledger] keep_blocks or keep_days, too"
        raise reader.wrong("archive", key, advice)
    return keep


def _ranges(reader: TableReader) -> tuple[IpRange, ...]:
    try:
        return tuple(map(ip_network, reader.texts("network", "allow", RANGES_MAX, default=())))
    except ValueError as error:
        raise reader.wrong("network", "allow", f"holds no range like 10.0.0.0/8: {error}") from None


def _peers(reader: TableReader) -> dict[str, str]:
    peers = reader.subtable("network", "peers", "must be a table of name = multiaddress")
    found: dict[str, str] = {}
    for name, address in peers.items():
        if not isinstance(address, str) or not address.startswith("/"):
            raise reader.wrong("network.peers", name, "must be a multiaddress: /ip4/…/tcp/…")
        found[name] = address
    return found
