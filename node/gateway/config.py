"""A gateway's configuration, read strictly, and the commented one that a new gateway gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crypto.x509.profile import Role
from node.config_file import TableReader
from node.hosts import is_loopback

_HOST_PORT = r"[^\s:]+:\d+|\[[0-9a-f:]+\]:\d+"
LOG_LEVELS = ("debug", "info", "warning", "error")
FILES_MAX = 64  # roots, or lists: a consortium has a handful of organizations

CONNECTIONS_MAX = 1_000
PER_ADDRESS_MAX = 32
# One anonymous ClientHello costs the machine 2 ms: five a second and address are a hundredth of it.
HANDSHAKES_PER_S = 5
HANDSHAKE_S = 3
IDLE_S = 600
STALL_S = 60

TEMPLATE = """\
# Configuration of a gateway (国密网关配置): TLS with national algorithms in front of a node.
# Edit it and restart the gateway. Paths are relative to this file. See docs/gateway.md.

[gateway]
# Where clients connect: sm://HOST:PORT.
listen = "{listen}"
# The node's client interface, on this machine: from here on calls are in plain.
node = "{node}"

[keys]
# A certificate of role node and its SM2 key (encrypted PKCS#8), as `shuxin ca issue` gives them.
# New files serve the next connection.
certificate = "{certificate}"
key = "{key}"
# File with the passphrase of the key (mode 0600). Without it, SHUXIN_PASSPHRASE is read.
passphrase_file = "{passphrase_file}"

[clients]
# true: only clients with a certificate get through; of these roots and roles, and not on the lists.
# A root without a list here cannot revoke, and a list that is too old refuses all of its root.
certificates = false
# roots = ["org1.crt"]
# lists = ["org1.crl"]
# roles = ["user", "executor", "publisher", "auditor", "node"]

[chain]
# Or the chain says who is revoked (shuxin certificate revoke): the node is asked every five seconds
# by this account, which must be a member's. Lists count, too, if there are any.
# key = "keys/operator.pem"
# passphrase_file = "keys/passphrase"

[limits]
# Connections at once, of all and of one address; handshakes a second of one address.
connections_max = {connections_max}
per_address_max = {per_address_max}
handshakes_per_s = {handshakes_per_s}
# Seconds: for a handshake; without a byte; for one side to take what it gets.
handshake_s = {handshake_s}
idle_s = {idle_s}
stall_s = {stall_s}

[metrics]
# Figures for Prometheus; keep it on loopback. Without the line there are none.
# listen = "127.0.0.1:9465"

[log]
# debug | info | warning | error
level = "info"
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what strangers can take."""

    connections_max: int = CONNECTIONS_MAX
    per_address_max: int = PER_ADDRESS_MAX
    handshakes_per_s: int = HANDSHAKES_PER_S
    handshake_s: float = HANDSHAKE_S
    idle_s: float = IDLE_S
    stall_s: float = STALL_S


@dataclass(frozen=True, slots=True)
class ClientRules:
    """Whose clients are taken; None in the configuration: everybody's, unnamed."""

    roots: tuple[Path, ...]
    lists: tuple[Path, ...]
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class ChainAccount:
    """Whose key signs questions to the node."""

    key: Path
    passphrase_file: Path | None


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Paths are absolute."""

    listen: str
    node: str
    certificate: Path
    key: Path
    passphrase_file: Path | None
    clients: ClientRules | None
    chain: ChainAccount | None  # who asks the chain; None: it is not asked
    limits: Limits
    metrics_listen: str | None
    log_level: str


def load_gateway_config(path: Path) -> GatewayConfig:
    """Raises ConfigInvalid."""
    reader = TableReader.open(path)
    config = GatewayConfig(
        listen=reader.text("gateway", "listen", _HOST_PORT),
        node=_node(reader),
        certificate=reader.path("keys", "certificate"),
        key=reader.path("keys", "key"),
        passphrase_file=reader.optional_path("keys", "passphrase_file"),
        clients=_clients(reader),
        chain=_chain(reader),
        limits=_limits(reader),
        metrics_listen=reader.optional_text("metrics", "listen", _HOST_PORT),
        log_level=reader.choice("log", "level", LOG_LEVELS),
    )
    reader.refuse_unknown()
    return config


def render_gateway_config(
    *, listen: str, node: str, certificate: str, key: str, passphrase_file: str
) -> str:
    """The commented TOML of a gateway that takes everybody."""
    return TEMPLATE.format(
        listen=listen,
        node=node,
        certificate=certificate,
        key=key,
        passphrase_file=passphrase_file,
        connections_max=CONNECTIONS_MAX,
        per_address_max=PER_ADDRESS_MAX,
        handshakes_per_s=HANDSHAKES_PER_S,
        handshake_s=HANDSHAKE_S,
        idle_s=IDLE_S,
        stall_s=STALL_S,
    )


def _node(reader: TableReader) -> str:
    node = reader.text("gateway", "node", _HOST_PORT)
    if not is_loopback(node):
        raise reader.wrong(
            "gateway",
            "node",
            "would carry calls in plain to another machine: run the gateway beside its node and "
            "name the node's address on loopback",
        )
    return node


def _clients(reader: TableReader) -> ClientRules | None:
    if not reader.flag("clients", "certificates"):
        for key in ("roots", "lists", "roles"):
            if key in reader.table("clients"):
                raise reader.wrong("clients", key, "is of no use while certificates = false")
        return None
    roots = reader.paths("clients", "roots", FILES_MAX)
    if not roots:
        raise reader.wrong("clients", "roots", "must name a root, or nobody gets through")
    roles = reader.texts("clients", "roles", len(Role), default=tuple(role.value for role in Role))
    unknown = [role for role in roles if role not in set(Role)]
    if unknown or not roles:
        raise reader.wrong("clients", "roles", f"must be of {', '.join(Role)}")
    lists = reader.paths("clients", "lists", FILES_MAX, is_optional=True)
    return ClientRules(roots, lists, frozenset(map(Role, roles)))


def _chain(reader: TableReader) -> ChainAccount | None:
    key = reader.optional_path("chain", "key")
    passphrase_file = reader.optional_path("chain", "passphrase_file")
    if key is None:
        if passphrase_file is not None:
            raise reader.wrong("chain", "passphrase_file", "is of no use without key; add that")
        return None
    if not reader.flag("clients", "certificates"):
        raise reader.wrong("chain", "key", "is of no use while [clients] certificates = false")
    return ChainAccount(key, passphrase_file)


def _limits(reader: TableReader) -> Limits:
    return Limits(
        connections_max=reader.number(
            "limits", "connections_max", 1, 100_000, default=CONNECTIONS_MAX
        ),
        per_address_max=reader.number(
            "limits", "per_address_max", 1, 100_000, default=PER_ADDRESS_MAX
        ),
        handshakes_per_s=reader.number(
            "limits", "handshakes_per_s", 1, 1_000, default=HANDSHAKES_PER_S
        ),
        handshake_s=reader.number("limits", "handshake_s", 1, 60, default=HANDSHAKE_S),
        idle_s=reader.number("limits", "idle_s", 1, 86_400, default=IDLE_S),
        stall_s=reader.number("limits", "stall_s", 1, 3_600, default=STALL_S),
    )
