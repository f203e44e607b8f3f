"""A node's configuration: generated with comments, read strictly, refused with line numbers.

Nothing here influences what the network decides: consensus settings live on chain
(`ledger.genesis.Limits`), so that no node's local file can hold up the others.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ledger.versions import PROVABLE_HEIGHTS_MAX, VERSIONS_MIN

MEMPOOL_TRANSACTIONS_DEFAULT = 20_000
MEMPOOL_BYTES_DEFAULT = 32 << 20
HISTORY_BLOCKS_MAX = 10**12  # beyond, it is a mistake
KEEP_BLOCKS_MAX = 10**12  # more than a chain comes to: who writes more has mistyped
KEEP_DAYS_MAX = 36_500
SCRUB_HOURS_DEFAULT = 24  # a day of damage at most is found together
AUTO, HALT = "auto", "halt"
_HOST_PORT = r"[^\s:]+:\d+|\[[0-9a-f:]+\]:\d+"
SYNC_MODES = ("blocks", "snapshot")
# Blocks between two snapshots. Every node of a network should have the same: they make them of the
# same blocks then, and one that joins fetches from all. A quarter of an hour of a busy chain, whose
# blocks a node that joins executes in some minutes.
SNAPSHOTS_EVERY_DEFAULT = 2_000
BEHIND_MAX_DEFAULT = 20_000  # ten of them
LOG_LEVELS = ("debug", "info", "warning", "error")


class ConfigInvalid(Exception):
    """The configuration cannot be used; says file, line and what to write instead."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line


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
class NodeConfig:
    """Paths are absolute; `peers` maps validator names to multiaddresses."""

    name: str
    data_dir: Path
    genesis: Path
    consensus_key: Path
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


TEMPLATE = """\
# Configuration of a Shuxin node (数信节点配置). Generated; edit and restart the node.
# Paths are relative to this file. Consensus settings are not here: they live on chain.

[node]
# The name under which the committee lists this node (genesis.json, validators).
name = "{name}"
# Where the ledger and the consensus journal lie. Put it on a disk of its own if you can.
data_dir = "data"
# The genesis all nodes share; its SM3 is the chain id.
genesis = "{genesis}"

[keys]
# SM2 key that signs votes (encrypted PKCS#8) and the Ed25519 key of the network identity.
consensus_key = "keys/consensus.pem"
network_key = "keys/network.pem"
# File with the passphrase of both (mode 0600). Without it, SHUXIN_PASSPHRASE is read.
passphrase_file = "keys/passphrase"

[network]
# Where other nodes reach this one.
listen = "{listen}"

[network.peers]
# validator name = multiaddress; every other member of the committee.
{peers}

[api]
# gRPC for clients. Keep it on loopback, or behind a gateway, until TLS is configured.
listen = "{api}"
# Threads that answer calls; each event subscriber and each waiting call holds one.
threads = 24
subscribers_max = 64

[mempool]
# Transactions waiting for a block. Beyond these bounds clients are told to come back.
transactions_max = {transactions_max}
bytes_max = {bytes_max}
# Threads that verify signatures; more than the machine's cores do not help.
verify_threads = 1

[ledger]
# So many of the newest heights, up to {provable_max}, have a state that clients can have proved.
# Each costs up to 1 MB of memory after a full block, next to nothing after an empty one, and what
# it alone still needs stays on disk. They are counted anew from each start.
provable_heights = {provable_heights}
# How much of the chain stays in the ledger: blocks, days, or whichever of both is more. 0 sets no
# bound; with none all stays for ever. What tells repeated transactions always stays.
keep_blocks = 0
keep_days = 0
# Hours from one check of everything that is stored (巡检) to the next; 0: never.
scrub_hours = {scrub_hours}
# When it is damaged (修复): "auto" builds it anew from what can be proved of it and from peers, and
# keeps the damaged one aside; "halt" leaves all as it is, and the node stops or does not start.
repair = "auto"

[sync]
# How a node without a ledger begins. "blocks" (区块同步): from the genesis, executing every block
# again, believing nobody. "snapshot" (状态同步): from the state after a recent block, which a
# quorum certified, and the blocks after it; also when this node is so far behind that peers no
# longer keep the blocks it needs. See docs/snapshots.md.
mode = "{sync_mode}"
# A snapshot that is more blocks than this behind the chain is refused.
behind_max = {behind_max}

[snapshots]
# Make a snapshot of every block whose height is a multiple of this, for nodes that join, and keep
# the newest two; each takes as much disk as the state. 0 makes none. All nodes should have the
# same number.
every_blocks = {snapshots_every}

[contracts]
# Contract code runs in a jailed process. true starts the node where the jail is unavailable;
# contracts can then reach whatever the node's user can. Never in production.
allow_unjailed = false

[metrics]
# Figures for Prometheus (http://HOST:PORT/metrics), to anyone who can connect: keep it on loopback,
# or where only your monitoring reaches it. Without the line there are none.
# listen = "127.0.0.1:9464"

[history]
# Every value of a key, every transaction of an account, every event about a subject (历史记录), for
# clients that ask (shuxin history). In data/history, made from the ledger; to be deleted at will.
enabled = true
# The newest so many blocks; 0: all.
keep_blocks = 0

[archive]
# Where blocks go that leave the ledger: signed archives of 1,000 blocks each, in a folder of this
# node alone that you have made, on another disk if you like (docs/operations.md, Growth).
# directory = "archive"
# Or nowhere: they are lost with this node, and only other nodes or auditors have them.
# discard = true

[log]
# debug | info | warning | error
level = "info"
"""


def render_config(
    *, name: str, genesis: str, listen: str, api: str, peers: Mapping[str, str]
) -> str:
    """The commented TOML for one node."""
    return TEMPLATE.format(
        name=name,
        genesis=genesis,
        listen=listen,
        api=api,
        peers="\n".join(f'{peer} = "{address}"' for peer, address in sorted(peers.items())),
        transactions_max=MEMPOOL_TRANSACTIONS_DEFAULT,
        bytes_max=MEMPOOL_BYTES_DEFAULT,
        provable_heights=VERSIONS_MIN,
        provable_max=PROVABLE_HEIGHTS_MAX,
        scrub_hours=SCRUB_HOURS_DEFAULT,
        sync_mode=SYNC_MODES[0],
        behind_max=BEHIND_MAX_DEFAULT,
        snapshots_every=SNAPSHOTS_EVERY_DEFAULT,
    )


def load_config(path: Path) -> NodeConfig:
    """Read and validate a node's configuration. Raises ConfigInvalid."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigInvalid(path, 0, f"cannot be read: {error}") from None
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise ConfigInvalid(path, int(found.group(1)) if found else 0, str(error)) from None
    reader = _Reader(path.resolve(), text, tables)
    config = NodeConfig(
        name=reader.text("node", "name", r"[a-z0-9][a-z0-9_.-]{0,63}"),
        data_dir=reader.path("node", "data_dir"),
        genesis=reader.path("node", "genesis"),
        consensus_key=reader.path("keys", "consensus_key"),
        network_key=reader.path("keys", "network_key"),
        passphrase_file=reader.optional_path("keys", "passphrase_file"),
        listen=reader.text("network", "listen", r"/(ip4|ip6|dns4)/[^/]+/tcp/\d+"),
        peers=reader.peers(),
        api_listen=reader.text("api", "listen", _HOST_PORT),
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
        keep=reader.keep(),
        repair=reader.choice("ledger", "repair", (AUTO, HALT), default=AUTO),
        scrub_hours=reader.number("ledger", "scrub_hours", 0, 8760, default=SCRUB_HOURS_DEFAULT),
    )
    reader.refuse_unknown()
    return config


class _Reader:
    """Takes typed entries out of parsed TOML and knows on which line each stands."""

    def __init__(self, path: Path, text: str, tables: Mapping[str, object]) -> None:
        self._path = path
        self._tables = tables
        self._lines = _key_lines(text)
        self._taken: set[tuple[str, ...]] = set()

    def text(self, table: str, key: str, pattern: str) -> str:
        value = self._take(table, key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self._wrong(table, key, f"must be text of the form {pattern}")
        return value

    def optional_text(self, table: str, key: str, pattern: str) -> str | None:
        if key not in self._table(table):
            return None
        return self.text(table, key, pattern)

    def choice(
        self, table: str, key: str, allowed: tuple[str, ...], *, default: str | None = None
    ) -> str:
        if default is not None and key not in self._table(table):
            return default
        value = self._take(table, key)
        if not isinstance(value, str) or value not in allowed:
            raise self._wrong(table, key, f"must be one of {', '.join(allowed)}")
        return value

    def number(
        self, table: str, key: str, low: int, high: int, *, default: int | None = None
    ) -> int:
        if default is not None and key not in self._table(table):
            return default
        value = self._take(table, key)
        if type(value) is not int or not low <= value <= high:
            raise self._wrong(table, key, f"must be a whole number from {low} to {high}")
        return value

    def flag(self, table: str, key: str) -> bool:
        value = self._take(table, key)
        if not isinstance(value, bool):
            raise self._wrong(table, key, "must be true or false")
        return value

    def optional_flag(self, table: str, key: str, *, default: bool) -> bool:
        return self.flag(table, key) if key in self._table(table) else default

    def path(self, table: str, key: str) -> Path:
        return self._path.parent / self.text(table, key, r"[^\x00]+")

    def optional_path(self, table: str, key: str) -> Path | None:
        if key not in self._table(table):
            return None
        return self.path(table, key)

    def keep(self) -> Keep:
        """Whoever lets blocks leave the ledger has to say where they go."""
        blocks = self.number("ledger", "keep_blocks", 0, KEEP_BLOCKS_MAX, default=0)
        days = self.number("ledger", "keep_days", 0, KEEP_DAYS_MAX, default=0)
        archives = self.optional_path("archive", "directory")
        is_discarding = "discard" in self._table("archive") and self.flag("archive", "discard")
        keep = Keep(blocks, days, archives)
        if archives is not None and is_discarding:
            raise self._wrong("archive", "discard", "contradicts directory; remove one of them")
        if not keep.is_all and archives is None and not is_discarding:
            key = "keep_blocks" if blocks else "keep_days"
            advice = "needs a folder for what leaves: set [archive] directory, or discard = true"
            raise self._wrong("ledger", key, advice)
        if keep.is_all and (archives is not None or is_discarding):
            key = "directory" if archives is not None else "discard"
            advice = "is of no use while all is kept: set [ledger] keep_blocks or keep_days, too"
            raise self._wrong("archive", key, advice)
        return keep

    def peers(self) -> dict[str, str]:
        network = self._table("network")
        peers = network.get("peers", {})
        if not isinstance(peers, dict):
            raise self._wrong("network", "peers", "must be a table of name = multiaddress")
        self._taken.add(("network", "peers"))
        for name, address in peers.items():
            if not isinstance(address, str) or not address.startswith("/"):
                raise self._wrong("network.peers", name, "must be a multiaddress: /ip4/…/tcp/…")
        return dict(peers)

    def refuse_unknown(self) -> None:
        for table, entries in self._tables.items():
            if not isinstance(entries, dict):
                raise self._wrong("", table, "unknown entry; remove it")
            for key in entries:
                if (table, key) not in self._taken:
                    raise self._wrong(table, key, "unknown entry; remove it or check its spelling")

    def _table(self, table: str) -> Mapping[str, object]:
        entries = self._tables.get(table, {})
        return entries if isinstance(entries, dict) else {}

    def _take(self, table: str, key: str) -> object:
        self._taken.add((table, key))
        entries = self._table(table)
        if key not in entries:
            line = self._lines.get((table, ""), 0)
            raise ConfigInvalid(self._path, line, f"[{table}] lacks {key}; add it")
        return entries[key]

    def _wrong(self, table: str, key: str, message: str) -> ConfigInvalid:
        line = self._lines.get((table, key), self._lines.get((table, ""), 0))
        return ConfigInvalid(self._path, line, f"{key} {message}")


def _key_lines(text: str) -> dict[tuple[str, str], int]:
    """(table, key) -> line number; (table, "") is the line of the table's header."""
    lines: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            table = header.group(1)
            lines.setdefault((table, ""), number)
        elif entry := re.match(r"\s*\"?([A-Za-z0-9_.-]+)\"?\s*=", line):
            lines.setdefault((table, entry.group(1)), number)
    return lines
