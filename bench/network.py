"""A network of real nodes on this machine, whose clients may ask as much as they can."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from bench.quotas import lift
from cli import netfiles, supervisor
from client.account import Account
from client.errors import ClientError
from client.node import NodeClient
from client.session import Session

READY_S = 90.0


class Network:
    """Starts the nodes of a new folder `root` on entering and stops them on leaving.

    Raises RuntimeError when they do not come up.
    """

    def __init__(self, root: Path, nodes: int) -> None:
        self.root = root
        self.plan = netfiles.create(root, nodes=nodes, port_base=0, executors=False)
        lift(root)
        self.targets = [node.api for node in self.plan.nodes]
        self.account = cache(self._account)  # a key is slow to open, on purpose

    def __enter__(self) -> Network:
        supervisor.start_detached(self.root, netfiles.programs(self.root, self.plan))
        deadline = time.monotonic() + READY_S
        while not all(_serves(target) for target in self.targets):
            if time.monotonic() > deadline:
                supervisor.stop(self.root)
                raise RuntimeError(f"the network in {self.root} does not start; see its logs")
            time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        supervisor.stop(self.root)

    def session(self, party: str) -> Session:
        """`party` at the first node."""
        return Session(NodeClient(self.targets[0], caller=self.account(party)), self.account(party))

    def pids(self) -> dict[str, int]:
        """The processes of the nodes by name."""
        return dict(supervisor.process_pids(self.root))

    def _account(self, party: str) -> Account:
        keys = self.root / "parties" / party / "keys"
        return Account.load(keys / f"{party}.pem", (keys / "passphrase").read_bytes().strip())


def _serves(target: str) -> bool:
    try:
        with NodeClient(target, timeout_s=3) as node:
            return node.bare_status().phase == "ordering"
    except ClientError:
        return False
