"""A local network under test: what an operator would do with `shuxin net`, from Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli import supervisor
from cli.netfiles import NetworkPlan, load_plan
from client.account import Account
from client.errors import ClientError
from client.node import NodeClient
from client.session import Session
from client.status import NodeStatus

REPOSITORY = Path(__file__).resolve().parents[2]


def shuxin(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class LocalNetwork:
    """A network in a folder; `up` and `down` are the command line's."""

    def __init__(
        self, root: Path, *, nodes: int = 4, executors: bool = False, vm_version: str = ""
    ) -> None:
        self.root = root
        self._accounts: dict[str, Account] = {}
        flags = ["--executors" if executors else "--no-executors"]
        if vm_version:
            flags += ["--vm-version", vm_version]
        made = shuxin("net", "new", str(root), "--nodes", str(nodes), *flags)
        assert made.returncode == 0, made.stderr
        self.plan: NetworkPlan = load_plan(root)

    def up(self) -> None:
        result = shuxin("net", "up", str(self.root))
        assert result.returncode == 0, result.stderr + self.logs()

    def down(self) -> None:
        supervisor.stop(self.root)

    def logs(self, lines: int = 15) -> str:
        """The ends of all logs, for a failing test's message."""
        parts = []
        for path in sorted(self.root.glob("*/*/*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            parts.append(f"--- {path.parent.name}\n" + "\n".join(tail))
        return "\n".join(parts)

    def status_json(self) -> dict[str, object]:
        result = shuxin("net", "status", str(self.root), "--json")
        answer: dict[str, object] = json.loads(result.stdout)
        return answer

    def client(self, index: int = 0, caller: str = "manager") -> NodeClient:
        """Asks as a party."""
        return NodeClient(self.plan.nodes[index].api, caller=self.account(caller))

    def account(self, party: str) -> Account:
        if party not in self._accounts:  # a key is slow to open, on purpose
            keys = self.root / "parties" / party / "keys"
            passphrase = (keys / "passphrase").read_bytes().strip()
            self._accounts[party] = Account.load(keys / f"{party}.pem", passphrase)
        return self._accounts[party]

    def session(self, party: str, index: int = 0) -> Session:
        return Session(self.client(index, party), self.account(party))

    def status(self, index: int) -> NodeStatus | None:
        try:
            with self.client(index) as client:
                return client.status()
        except ClientError:
            return None

    def statuses(self) -> list[NodeStatus | None]:
        return [self.status(index) for index in range(len(self.plan.nodes))]

    def kill(self, *names: str) -> None:
        """SIGKILL; the supervisor starts them again."""
        pids = supervisor.process_pids(self.root)
        for name in names:
            os.kill(pids[name], signal.SIGKILL)

    @contextmanager
    def hung(self, index: int) -> Iterator[None]:
        """The node's process stands still inside: its connections are open and silent."""
        pid = supervisor.process_pids(self.root)[self.plan.nodes[index].name]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def restart(self, index: int, *, timeout_s: float) -> float:
        """SIGTERM; seconds until the node is back and has what the others had by then."""
        name = self.plan.nodes[index].name
        old = supervisor.process_pids(self.root)[name]
        os.kill(old, signal.SIGTERM)
        began = time.monotonic()
        self.wait(
            lambda: supervisor.process_pids(self.root).get(name, old) != old,
            timeout_s=timeout_s,
            what=f"{name} was started again",
        )
        goal = max(found.certified_height for found in self.statuses() if found is not None)

        def is_back() -> bool:
            found = self.status(index)
            return (
                found is not None and found.phase == "ordering" and found.certified_height >= goal
            )

        self.wait(is_back, timeout_s=timeout_s, what=f"{name} caught up")
        return time.monotonic() - began

    def wait(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> float:
        """Seconds until `condition` held; fails the test with all logs otherwise."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < timeout_s, f"not within {timeout_s} s: {what}\n" + (
                self.logs()
            )
            time.sleep(0.1)
        return time.monotonic() - began

    def agree(self) -> bool:
        """All nodes answer, at one certified height, with one state root."""
        found = self.statuses()
        first = found[0]
        return first is not None and all(
            one is not None
            and (one.certified_height, one.height, one.state_root)
            == (first.height, first.height, first.state_root)
            for one in found
        )
