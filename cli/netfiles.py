"""The files of a new local network: keys, genesis, configurations; one folder, nothing outside.

N/genesis.json                      what every node and auditor trusts
N/network.json                      names, addresses, processes: for `shuxin net`
N/nodes/NAME/node.toml, keys/, data/
N/parties/PARTY/client.toml, keys/  homes for `shuxin --home`; with ca/, the party's authority
N/executors/PARTY/executor.toml     one beside each supplier's data; a home for `shuxin`, too
"""

from __future__ import annotations

import json
import secrets
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.client_file import render_client_config
from cli.common import KEYS_FOLDER
from cli.netcerts import (
    certify_node,
    create_authority,
    create_tls_key,
    open_authority,
    root_certificates,
)
from cli.options import PASSPHRASE_FILE
from cli.output import CommandRefused
from cli.supervisor import Program
from client.account import Account
from contracts.bundle import GenesisAlgorithm, genesis_contracts
from contracts.vm import engines
from crypto import sm2
from crypto.keys import save_key
from crypto.passphrase import passphrase_of_file
from crypto.x509.profile import Role, Subject
from executors.builtin import built_in
from ledger.genesis import Genesis, GenesisParty, Limits, chain_id, save_genesis
from ledger.model import PROTOCOL_VERSION, Validator, ValidatorSet, address_of
from node.config_template import render_config
from node.keys import save_network_key, write_private
from p2p.identity import generate_seed, peer_id_of

NODES_MIN = 4  # fewer tolerate no fault
NODES_MAX = 31  # one machine's worth of processes
PORT_BASE = 27_000  # nodes listen from here, their client interfaces 500 above
PORT_END = 32_000  # below the ports that a kernel gives to outgoing connections
PORT_STEP = 50
API_OFFSET = 500
HOST = "127.0.0.1"
# Networks are often made inside a checkout; `git add .` must not take their keys along.
GITIGNORE = "# Keys, passphrases and ledgers of a local network: never commit them.\n*\n"

# The six roles of the standard (clause 6) on a small network: who they are and who runs a node.
PARTIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("manager", "管理方 Data Authority", ("manager",)),
    ("operator", "授权运营方 Data Operations Ltd", ("operator",)),
    ("supplier-a", "数据提供方 A", ("supplier",)),
    ("supplier-b", "数据提供方 B", ("supplier",)),
    ("supplier-c", "数据提供方 C", ("supplier",)),
    ("consumer", "数据需求方 Insurance Co", ("consumer",)),
    ("tech", "技术提供方 Computing Ltd", ("tech_provider",)),
    ("developer", "服务开发方 Platform Ltd", ("developer",)),
)
PROVIDER = "tech"  # answers for the algorithms that come with this software
EXECUTORS = ("supplier-a", "supplier-b", "supplier-c")


@dataclass(frozen=True, slots=True)
class NodeEntry:
    name: str
    party: str
    listen: str
    api: str


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """What `network.json` says."""

    name: str
    chain_id: str
    nodes: tuple[NodeEntry, ...]
    executors: tuple[str, ...]


def create(
    root: Path,
    *,
    nodes: int,
    port_base: int,
    executors: bool,
    vm_version: str = engines.LATEST.vm_version,
) -> NetworkPlan:
    """Write a whole network into the new folder `root`. Raises CommandRefused, EngineUnknown."""
    engines.find(vm_version, where="--vm-version names")
    if not NODES_MIN <= nodes <= NODES_MAX:
        raise CommandRefused("net.size", f"--nodes takes {NODES_MIN} to {NODES_MAX}")
    if root.exists() and any(root.iterdir()):
        raise CommandRefused("net.exists", f"{root} is not empty: choose a new folder")
    entries = _entries(nodes, port_base or free_port_base(nodes))
    root.mkdir(parents=True, exist_ok=True)
    (root / ".gitignore").write_text(GITIGNORE)
    validators = tuple(_node_keys(root, entry) for entry in entries)
    parties = tuple(
        _party_keys(root, party, name, roles, executors, entries) for party, name, roles in PARTIES
    )
    authorities = {
        party: create_authority(root / "parties" / party, party) for party, _, _ in PARTIES
    }
    committee, limits = ValidatorSet(validators), Limits()
    genesis = Genesis(
        version=PROTOCOL_VERSION,
        name=root.name,
        time_ms=time.time_ns() // 1_000_000,
        validators=committee,
        parties=parties,
        contracts=genesis_contracts(
            parties,
            validators=committee,
            limits=limits,
            addresses={entry.name: entry.listen for entry in entries},
            roots=root_certificates(root),
            algorithms=agreed_algorithms(),
        ),
        limits=limits,
        vm_version=vm_version,
    )
    save_genesis(genesis, root / "genesis.json")
    for entry in entries:
        certify_node(authorities[entry.party], root / "nodes" / entry.name)
        _node_config(root, entry, entries)
    names = EXECUTORS if executors else ()
    plan = NetworkPlan(root.name, chain_id(genesis).hex(), entries, names)
    _save_plan(root, plan)
    return plan


def agreed_algorithms() -> list[tuple[str, GenesisAlgorithm]]:
    """What may be run from the beginning, each with its provider: the engines installed here."""
    return [(PROVIDER, algorithm) for algorithm in built_in()]


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node that the registry does not know yet: what a proposal to admit it has to say."""

    entry: NodeEntry
    public_key: bytes
    peer_id: str


def add_node(root: Path, plan: NetworkPlan, *, party: str) -> NewNode:
    """Keys and configuration of one more node of `plan`. Raises CommandRefused."""
    if party not in [known for known, _, _ in PARTIES]:
        raise CommandRefused("net.party", f"no party {party}: see the folders in {root}/parties")
    if len(plan.nodes) >= NODES_MAX:
        raise CommandRefused("net.size", f"a local network has at most {NODES_MAX} nodes")
    number = len(plan.nodes)
    listen, api = _next_ports(plan)
    entry = NodeEntry(f"node{number}", party, f"/ip4/{HOST}/tcp/{listen}", f"{HOST}:{api}")
    validator = _node_keys(root, entry)
    certify_node(open_authority(root, party), root / "nodes" / entry.name)
    entries = (*plan.nodes, entry)
    _node_config(root, entry, entries)
    _save_plan(root, NetworkPlan(plan.name, plan.chain_id, entries, plan.executors))
    return NewNode(entry, validator.public_key, validator.peer_id)


def _next_ports(plan: NetworkPlan) -> tuple[int, int]:
    """Ports above those of the network that nobody listens on."""
    listens = [int(node.listen.rsplit("/", 1)[1]) for node in plan.nodes]
    first = max(listens) + 1
    for listen in range(first, first + PORT_STEP):
        api = listen + API_OFFSET
        if _is_free(listen) and _is_free(api):
            return listen, api
    raise CommandRefused("net.ports", f"no free ports from {first} on: stop what holds them")


def program_of(root: Path, entry: NodeEntry) -> Program:
    """The process of one node."""
    return Program(
        name=entry.name,
        command=(
            *(sys.executable, "-m", "cli.main"),
            *("node", "run", str(root / "nodes" / entry.name / "node.toml")),
        ),
        log=root / "nodes" / entry.name / "node.log",
    )


def load_plan(root: Path) -> NetworkPlan:
    """Raises CommandRefused when `root` holds no network."""
    try:
        data = json.loads((root / "network.json").read_text())
        return NetworkPlan(
            name=str(data["name"]),
            chain_id=str(data["chain_id"]),
            nodes=tuple(
                NodeEntry(str(n["name"]), str(n["party"]), str(n["listen"]), str(n["api"]))
                for n in data["nodes"]
            ),
            executors=tuple(str(name) for name in data["executors"]),
        )
    except FileNotFoundError:
        raise CommandRefused(
            "net.missing", f"{root} holds no network: `shuxin net new {root}` makes one"
        ) from None
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise CommandRefused("net.damaged", f"{root}/network.json: {error!r}") from None


def account_in(root: Path, plan: NetworkPlan) -> Account | None:
    """An account whose key lies in the network's folder; None where all were taken out of it."""
    for party in dict.fromkeys(node.party for node in plan.nodes):
        keys = root / "parties" / party / KEYS_FOLDER
        key, passphrase = keys / f"{party}.pem", keys / PASSPHRASE_FILE
        if key.is_file() and passphrase.is_file():
            return Account.load(key, passphrase_of_file(passphrase))
    return None


def programs(root: Path, plan: NetworkPlan) -> list[Program]:
    """The processes of the network, nodes first."""
    shuxin = (sys.executable, "-m", "cli.main")
    listed = [program_of(root, entry) for entry in plan.nodes]
    listed += [
        Program(
            name=f"executor-{party}",
            command=(
                *shuxin,
                "executor",
                "run",
                str(root / "executors" / party / "executor.toml"),
            ),
            log=root / "executors" / party / "executor.log",
        )
        for party in plan.executors
    ]
    return listed


def free_port_base(nodes: int) -> int:
    """A base whose ports nobody listens on: drawn, so that networks made at once do not meet."""
    bases = list(range(PORT_BASE, PORT_END, PORT_STEP))
    secrets.SystemRandom().shuffle(bases)
    for base in bases:
        ports = [base + i for i in range(nodes)] + [base + API_OFFSET + i for i in range(nodes)]
        if all(_is_free(port) for port in ports):
            return base
    raise CommandRefused("net.ports", "no free ports: name a range with --port-base")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _entries(nodes: int, base: int) -> tuple[NodeEntry, ...]:
    return tuple(
        NodeEntry(
            name=f"node{i}",
            party=PARTIES[i % len(PARTIES)][0],
            listen=f"/ip4/{HOST}/tcp/{base + i}",
            api=f"{HOST}:{base + API_OFFSET + i}",
        )
        for i in range(nodes)
    )


def _node_keys(root: Path, entry: NodeEntry) -> Validator:
    keys = root / "nodes" / entry.name / KEYS_FOLDER
    passphrase = _new_passphrase(keys)
    private = sm2.generate()
    save_key(keys / "consensus.pem", private, passphrase)
    seed = generate_seed()
    save_network_key(keys / "network.pem", seed, passphrase)
    create_tls_key(keys.parent, Subject(entry.party, entry.name, Role.NODE, peer_id_of(seed)))
    return Validator(entry.name, entry.party, sm2.public_key(private), peer_id_of(seed))


def _node_config(root: Path, entry: NodeEntry, entries: Sequence[NodeEntry]) -> None:
    text = render_config(
        name=entry.name,
        genesis="../../genesis.json",
        listen=entry.listen,
        api=entry.api,
        peers={other.name: other.listen for other in entries if other.name != entry.name},
    )
    (root / "nodes" / entry.name / "node.toml").write_text(text, encoding="utf-8")


def _party_keys(
    root: Path,
    party: str,
    name: str,
    roles: tuple[str, ...],
    executors: bool,
    entries: Sequence[NodeEntry],
) -> GenesisParty:
    home = root / "parties" / party
    accounts = [_account_key(home, party)]
    place = [p for p, _, _ in PARTIES].index(party)
    own = place % len(entries)  # the node that the party runs, or is a guest of
    apis = [entry.api for entry in (*entries[own:], *entries[:own])]
    config = render_client_config(
        nodes=apis,
        key=party,
        passphrase_file=f"{KEYS_FOLDER}/{PASSPHRASE_FILE}",
        genesis="../../genesis.json",
    )
    (home / "client.toml").write_text(config, encoding="utf-8")
    if executors and party in EXECUTORS:
        accounts.append(_executor_home(root / "executors" / party, party, apis[0], config))
    return GenesisParty(party, name, roles, tuple(accounts))


def _executor_home(home: Path, party: str, api: str, client_config: str) -> str:
    from executors.config import render_config as render_executor_config

    address = _account_key(home, party)
    text = render_executor_config(party=party, node=api, key=f"{KEYS_FOLDER}/{party}.pem")
    (home / "executor.toml").write_text(text, encoding="utf-8")
    # So that `shuxin dataset register --home` speaks as the executor's account, too.
    (home / "client.toml").write_text(client_config, encoding="utf-8")
    return address


def _account_key(home: Path, name: str) -> str:
    keys = home / KEYS_FOLDER
    passphrase = _new_passphrase(keys)
    private = sm2.generate()
    save_key(keys / f"{name}.pem", private, passphrase)
    return address_of(sm2.public_key(private))


def _new_passphrase(keys: Path) -> bytes:
    """A random passphrase beside the keys it opens: fit for a network on one machine only."""
    keys.mkdir(mode=0o700, parents=True)
    passphrase = secrets.token_hex(24).encode()
    write_private(keys / PASSPHRASE_FILE, passphrase + b"\n")
    return passphrase


def _save_plan(root: Path, plan: NetworkPlan) -> None:
    data = {
        "name": plan.name,
        "chain_id": plan.chain_id,
        "nodes": [
            {"name": n.name, "party": n.party, "listen": n.listen, "api": n.api} for n in plan.nodes
        ],
        "executors": list(plan.executors),
    }
    (root / "network.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
