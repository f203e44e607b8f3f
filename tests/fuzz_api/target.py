"""The node under test, seen from outside: its process, its memory, its log."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.processes import usage
from bench.quotas import lift
from cli import supervisor
from client.errors import ClientError
from tests.e2e.harness import LocalNetwork

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a node's processes hold: itself and its workers."""

    held_mib: float
    threads: int
    files: int


@dataclass(frozen=True, slots=True)
class Victim:
    """The first node of a network of which nobody else asks anything."""

    network: LocalNetwork
    pid: int
    log: Path
    log_start: int  # bytes of it that were there before

    @property
    def address(self) -> str:
        return self.network.plan.nodes[0].api

    @property
    def ports(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Host and port for clients, and those for peers."""
        host, _, port = self.address.rpartition(":")
        listen = self.network.plan.nodes[0].listen.split("/")  # /ip4/HOST/tcp/PORT
        return (host, int(port)), (listen[2], int(listen[4]))

    def vitals(self) -> Vitals:
        """Raises psutil.NoSuchProcess when it is gone."""
        node = psutil.Process(self.pid)
        # Not what is resident: tables that LevelDB maps grow with the chain, and are the kernel's.
        held = usage({"": self.pid})[""].anonymous
        return Vitals(held / MIB, node.num_threads(), node.num_fds())

    def troubles(self) -> list[str]:
        """What the log tells of our own bugs, and of ends of the process."""
        found = []
        said = self.log.read_bytes()[self.log_start :].decode(errors="replace")
        for line in said.splitlines():
            if any(word in line for word in ("Traceback", "api_failure", "unhandled", "Exception")):
                found.append(line[:400])
        if supervisor.process_pids(self.network.root).get(self.network.plan.nodes[0].name) != (
            self.pid
        ):
            found.append("the process of the node ended")
        return found

    def last_call(self) -> str:
        """Why a call through it is not certified any more; empty: it is."""
        try:
            session = self.network.session("supplier-a")
            with session.node:
                name = f"after-{secrets.token_hex(4)}"
                session.call(
                    *("evidence", "record", name, "development.result", "node", bytes(32), "")
                )
        except ClientError as error:
            return f"afterwards a good call fails: {error}"
        return ""


@contextmanager
def victim(root: Path) -> Iterator[Victim]:
    """A network of four of its own, for as long as it is needed."""
    network = LocalNetwork(root)
    try:
        lift(root)
        network.up()
        yield victim_of(network)
    finally:
        network.down()


def victim_of(network: LocalNetwork) -> Victim:
    entry = network.plan.nodes[0]
    pid = supervisor.process_pids(network.root)[entry.name]
    log = network.root / "nodes" / entry.name / "node.log"
    return Victim(network, pid, log, log.stat().st_size)
