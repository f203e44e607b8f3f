"""The parties of a local network: who they are, which key each signs with, at whose node.

Everything is read from the network's folder and from the chain; a party's documents (what its
evidence is about) stay below its own home.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from client.account import Account
from client.cluster import open_connection
from client.errors import ClientError
from client.node import NodeClient
from client.session import Session
from client.status import NodeStatus
from crypto import sm3
from crypto.keys import load_key
from crypto.passphrase import passphrase_of_file
from scenarios.record import ScenarioFailed

DOCUMENTS = "documents"
INBOX = "inbox"  # where what others hand over arrives, outside the chain


@dataclass(frozen=True, slots=True)
class NodePlace:
    """A node of the network: its name and its client interface, host:port."""

    name: str
    api: str


@dataclass(frozen=True, slots=True)
class Member:
    """A party that acts: `role` is what the scenario knows it for."""

    party: str
    role: str
    title: str  # its name on the chain
    node: str  # name of the node it speaks to
    home: Path
    session: Session
    key_path: Path
    passphrase_path: Path

    def private_key(self) -> bytes:
        """Read for the moment of opening an envelope. Raises crypto errors."""
        return load_key(self.key_path, passphrase_of_file(self.passphrase_path))

    def keep(self, name: str, content: bytes) -> bytes:
        """Files a document among the party's own; its SM3 digest, for evidence."""
        folder = self.home / DOCUMENTS
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / name).write_bytes(content)
        return sm3.digest(content)

    def document(self, name: str) -> bytes:
        """What it filed by that name."""
        return (self.home / DOCUMENTS / name).read_bytes()

    def receive(self, name: str, content: bytes) -> Path:
        """Takes what another party hands over outside the chain."""
        folder = self.home / INBOX
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / name
        path.write_bytes(content)
        return path

    def received(self, name: str) -> bytes:
        """What another party handed over by that name."""
        return (self.home / INBOX / name).read_bytes()


@dataclass(frozen=True, slots=True)
class Consortium:
    """The members of the network in `root`, in the order of the genesis."""

    root: Path
    nodes: tuple[NodePlace, ...]
    executor_parties: tuple[str, ...]
    members: tuple[Member, ...]
    clients: tuple[NodeClient, ...]  # one per node

    def one(self, role: str) -> Member:
        """The first member with `role`."""
        return self.all(role)[0]

    def all(self, role: str) -> tuple[Member, ...]:
        """Every member with `role`. Raises ScenarioFailed when there is none."""
        found = tuple(member for member in self.members if member.role == role)
        if not found:
            raise ScenarioFailed(
                f"the network in {self.root} has no party with the role {role} and a home below "
                "parties/; make one with `shuxin net new`"
            )
        return found

    def executor_home(self, party: str) -> Path:
        """Where the executor of `party` keeps its data sets. Raises ScenarioFailed."""
        home = self.root / "executors" / party
        if party not in self.executor_parties or not (home / "executor.toml").is_file():
            raise ScenarioFailed(
                f"{party} has no executor in {self.root}; make the network with --executors"
            )
        return home

    def statuses(self) -> list[NodeStatus | None]:
        """Where every node stands; None for one that does not answer."""
        return [_status(client) for client in self.clients]


@contextmanager
def connected(
    root: Path, nodes: Sequence[NodePlace], executors: Sequence[str]
) -> Iterator[Consortium]:
    """The consortium of a network that is up; its connections are closed on leaving."""
    with ExitStack() as stack:
        with NodeClient(nodes[0].api) as first:
            members = tuple(_members(root, nodes, first, stack))
        caller = members[0].session.account
        clients = tuple(stack.enter_context(NodeClient(n.api, caller=caller)) for n in nodes)
        yield Consortium(root, tuple(nodes), tuple(executors), members, clients)


def _members(
    root: Path, nodes: Sequence[NodePlace], client: NodeClient, stack: ExitStack
) -> Iterator[Member]:
    names = {place.api: place.name for place in nodes}
    for party in client.genesis().parties:
        home = root / "parties" / party.id
        if not (home / "client.toml").is_file():
            continue
        settings = tomllib.loads((home / "client.toml").read_text(encoding="utf-8"))
        targets = _targets(settings, names)
        passphrase = home / _text(settings, "passphrase_file")
        key = home / "keys" / f"{_text(settings, 'key')}.pem"
        account = Account.load(key, passphrase_of_file(passphrase))
        yield Member(
            party=party.id,
            role=party.roles[0],
            title=party.name,
            node=names[targets[0]],
            home=home,
            session=Session(stack.enter_context(open_connection(targets, caller=account)), account),
            key_path=key,
            passphrase_path=passphrase,
        )


def _status(client: NodeClient) -> NodeStatus | None:
    try:
        return client.status()
    except ClientError:
        return None


def _targets(settings: Mapping[str, object], names: Mapping[str, str]) -> list[str]:
    """The nodes of this network that a party speaks to, the preferred one first."""
    listed = settings.get("node")
    apis = listed if isinstance(listed, list) else [listed]
    found = [api for api in apis if isinstance(api, str) and api in names]
    return found or list(names)


def _text(settings: Mapping[str, object], name: str) -> str:
    value = settings.get(name)
    if not isinstance(value, str):
        raise ScenarioFailed(f"client.toml of a party lacks the text setting {name}")
    return value
