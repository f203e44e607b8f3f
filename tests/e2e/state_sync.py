"""A new node joins a long chain by snapshot while the network commits, and three of four peers lie.

    python -m tests.e2e.state_sync --transactions 100000

Four validators commit that many transactions. Then one of them serves wrong chunks, one an old
snapshot, one a state that no quorum certified; the honest one is slow. A fifth node is made and
admitted, begins with an empty data directory, is killed in the middle of its download, and has to
come to the others' head with the others' state root. The load goes on all the while.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.flow import Signed
from bench.load import Watcher, saturate
from cli import netfiles, supervisor
from cli.netfiles import NewNode
from cli.supervisor import Program
from client.account import Account
from client.build import build_transaction
from ledger.encoding import encode
from ledger.model import transaction_id
from ledger.values import Value
from tests.e2e.harness import REPOSITORY, LocalNetwork, shuxin
from tests.e2e.launcher import CHUNK_SIZE, SNAPSHOTS
from tests.e2e.stage import found_anew

HONEST, WRONG, STALE, UNCERTIFIED = range(4)
SENDERS = 8
WINDOW = 2_000  # transactions outstanding while the chain grows
UP_S, SNAPSHOT_S, JOIN_S, AGREE_S = 90.0, 240.0, 300.0, 300.0
PAUSE_S = 0.5  # between two blocks' worth of load while the new node joins


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. `slow_s`: of the honest peer, between two chunks, until the node was killed."""

    transactions: int
    round: int  # transactions that are signed and sent together: they must not expire before
    every: int
    behind_max: int
    valid_window: int  # blocks; so many come with a snapshot, and a transaction waits for fewer
    note: int = 0  # characters in each record
    chunk_size: int = 512 << 10
    slow_s: float = 1.0
    load: int = 50  # transactions of each burst while the new node joins


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it; seconds are of the wall clock, sizes in bytes."""

    transactions: int
    blocks: int
    grown_s: float
    rate: float  # committed transactions a second while the chain grew
    snapshot_height: int
    chunks: int
    snapshot_bytes: int
    snapshot_s: float  # the making of it, paced, on a node under load
    joined_s: float  # from the new node's start to its ledger, less the time it was dead
    chunks_at_kill: int  # that were not fetched again
    head_s: float  # from there until it had the head
    committed_meanwhile: int
    base: int
    refused: dict[str, str]


class Scene(LocalNetwork):
    """The network and what is done to it."""

    def __init__(self, root: Path, plan: Plan) -> None:
        super().__init__(root)
        found_anew(root, self.plan, {"valid_window": plan.valid_window, "watermark_window": 16})
        self.plan = netfiles.load_plan(root)
        self.wanted = plan
        self._numbers = iter(range(1 << 40))
        for node in self.plan.nodes:
            self._configure(node.name, every_blocks=plan.every)
        self._senders = [self.account("operator")]

    def node_dir(self, name: str) -> Path:
        return self.root / "nodes" / name

    def _configure(self, name: str, *, every_blocks: int, mode: str = "blocks") -> None:
        path = self.node_dir(name) / "node.toml"
        text = path.read_text()
        for old, new in (
            ("every_blocks = 2000", f"every_blocks = {every_blocks}"),
            ('mode = "blocks"', f'mode = "{mode}"'),
            ("behind_max = 20000", f"behind_max = {self.wanted.behind_max}"),
        ):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path.write_text(text)
        controls = self.node_dir(name) / "controls"
        controls.mkdir()
        (controls / CHUNK_SIZE).write_text(str(self.wanted.chunk_size))

    def program(self, name: str) -> Program:
        folder = self.node_dir(name)
        command = (
            *("env", "--chdir", str(REPOSITORY), sys.executable, "-m", "tests.e2e.launcher"),
            *(str(folder / "node.toml"), str(folder / "controls")),
        )
        return Program(name=name, command=command, log=folder / "node.log")

    def up(self) -> None:
        supervisor.start_detached(self.root, [self.program(n.name) for n in self.plan.nodes])
        self.wait(
            lambda: all(s is not None and s.phase == "ordering" for s in self.statuses()),
            timeout_s=UP_S,
            what="all nodes order",
        )

    def behave(self, index: int, how: str | None) -> None:
        control = self.node_dir(self.plan.nodes[index].name) / "controls" / SNAPSHOTS
        if how is None:
            control.unlink(missing_ok=True)
            return
        partial = control.with_suffix(".new")
        partial.write_text(how)
        partial.rename(control)

    # --- load -------------------------------------------------------------------------------

    def signed(self, account: Account, count: int) -> list[Signed]:
        with self.client() as node:
            status = node.status()
        return [self._record(account, status.chain_id, status.height) for _ in range(count)]

    def _record(self, account: Account, chain: bytes, height: int) -> Signed:
        name = f"e-{next(self._numbers)}"
        args: tuple[Value, ...] = (
            *(name, "authorization.decision", name, bytes(32), "x" * self.wanted.note),
        )
        transaction = build_transaction(
            account,
            chain_id=chain,
            valid_until=height + 2 * self.wanted.valid_window // 3,
            contract="evidence",
            method="record",
            args=args,
            gas_limit=400_000,
        )
        return Signed(transaction_id(transaction), encode(transaction))

    @contextmanager
    def load(self, account: Account, watcher: Watcher) -> Iterator[None]:
        """Bursts to the validators, one after the other, until the end."""
        stop = threading.Event()
        targets = [node.api for node in self.plan.nodes[:4]]

        def run() -> None:
            while not stop.wait(PAUSE_S):
                saturate(targets, self.signed(account, self.wanted.load), watcher, WINDOW)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    # --- snapshots and the new node ---------------------------------------------------------

    def kept(self, index: int) -> list[Path]:
        """The snapshots that a node keeps, oldest first."""
        folder = self.node_dir(self.plan.nodes[index].name) / "data" / "snapshots"
        return sorted(folder.glob("*.snapshot"), key=lambda path: int(path.stem))

    def keep_old(self, index: int) -> Path:
        """A copy of the oldest one, for who will serve it when it is stale."""
        self.wait(lambda: bool(self.kept(index)), timeout_s=SNAPSHOT_S, what="a first snapshot")
        old = self.kept(index)[0]
        copy = self.root / f"old-{old.name}"
        shutil.copyfile(old, copy)
        return copy

    def newcomer(self) -> NewNode:
        """The files of a fifth node, of which the chain knows."""
        new = netfiles.add_node(self.root, self.plan, party="tech")
        self.plan = netfiles.load_plan(self.root)
        self._configure(new.entry.name, every_blocks=self.wanted.every, mode="snapshot")
        entry = new.entry
        described = (entry.name, entry.party, new.public_key, new.peer_id, entry.listen)
        self._call("manager", "admit_observer", "newcomer", *described, "state sync")
        for node in self.plan.nodes[1:3]:  # who proposes has voted
            self._call(node.party, "approve", "newcomer")
        return new

    def _call(self, party: str, method: str, *args: Value) -> None:
        """A step of a proposal, certified; a client's own expiry is beyond these windows."""
        with self.client() as node:
            status = node.status()
            transaction = build_transaction(
                self.account(party),
                chain_id=status.chain_id,
                valid_until=status.height + self.wanted.valid_window // 2,
                contract="proposal",
                method=method,
                args=args,
            )
            outcome = node.wait(node.submit(transaction))
            assert outcome.receipt.status == 0, outcome.receipt

    def told(self, name: str, event: str) -> list[dict[str, Any]]:
        """What a node's log says of an event."""
        path = self.node_dir(name) / "node.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        found = [json.loads(line) for line in lines if f'"{event}"' in line]
        return [line for line in found if line["event"] == event]


def play(root: Path, plan: Plan) -> Figures:
    """Raises AssertionError with the ends of all logs where something is not as it has to be."""
    scene = Scene(root, plan)
    try:
        scene.up()
        account = scene.account("operator")
        with Watcher(scene.plan.nodes[0].api, account) as watcher:
            name, known = _play(scene, plan, account, watcher)
        return _figures(scene, name, **known)
    finally:
        scene.down()


def _play(
    scene: Scene, plan: Plan, account: Account, watcher: Watcher
) -> tuple[str, dict[str, float]]:
    """The new node's name, and what was measured."""
    targets = [node.api for node in scene.plan.nodes]
    began = time.monotonic()
    old: Path | None = None
    while len(watcher.final) < plan.transactions:
        left = plan.transactions - len(watcher.final)
        saturate(targets, scene.signed(account, min(plan.round, left)), watcher, WINDOW)
        if old is None and scene.kept(STALE):
            old = scene.keep_old(STALE)
    grown_s = time.monotonic() - began
    assert old is not None and not watcher.failed, "a snapshot was made, and all calls succeeded"
    status = scene.status(HONEST)
    assert status is not None
    with scene.load(account, watcher):
        _await_common(scene, int(old.name.split("-")[1].split(".")[0]), plan)
        scene.behave(HONEST, f"slow {plan.slow_s}")
        scene.behave(WRONG, "wrong")
        scene.behave(STALE, f"stale {old}")
        scene.behave(UNCERTIFIED, "uncertified")
        new = scene.newcomer()
        before = len(watcher.final)
        joined_s, chunks = _join(scene, new.entry.name)
        head_s = _reach_head(scene)
        meanwhile = len(watcher.final) - before
    scene.wait(scene.agree, timeout_s=AGREE_S, what="the new node agrees with the others")
    return new.entry.name, {
        "transactions": plan.transactions,
        "blocks": status.height,
        "grown_s": grown_s,
        "rate": plan.transactions / grown_s,
        "joined_s": joined_s,
        "chunks_at_kill": chunks,
        "head_s": head_s,
        "committed_meanwhile": meanwhile,
    }


def _await_common(scene: Scene, old: int, plan: Plan) -> None:
    """Until all keep the same newest snapshot, and the old one is stale by it."""

    def is_common() -> bool:
        newest = {kept[-1].name for i in range(4) if (kept := scene.kept(i))}
        if len(newest) != 1 or any(not scene.kept(i) for i in range(4)):
            return False
        return int(newest.pop().split(".")[0]) > old + plan.behind_max

    scene.wait(is_common, timeout_s=SNAPSHOT_S, what="all keep one new snapshot")


def _join(scene: Scene, name: str) -> tuple[float, int]:
    """Start the new node, kill it in the middle; seconds to its ledger, and what it had then."""
    data = scene.node_dir(name) / "data"
    began = time.monotonic()
    entry = next(node for node in scene.plan.nodes if node.name == name)
    supervisor.extend(scene.root, netfiles.program_of(scene.root, entry))  # the product alone
    scene.wait(
        lambda: any((data / "ledger.joining" / "db").glob("*.log")),
        timeout_s=JOIN_S,
        what="the download has begun",
    )
    time.sleep(4 * scene.wanted.slow_s)
    assert not (data / "ledger").exists(), "it was too fast to be killed in the middle"
    pid = supervisor.process_pids(scene.root)[name]
    scene.kill(name)
    killed = time.monotonic()
    scene.wait(
        lambda: supervisor.process_pids(scene.root).get(name, pid) != pid,
        timeout_s=60,
        what="it was started again",
    )
    dead_s = time.monotonic() - killed
    scene.behave(HONEST, None)
    scene.wait((data / "ledger").exists, timeout_s=JOIN_S, what="it has a ledger")
    joined_s = time.monotonic() - began - dead_s
    resumed = scene.told(name, "download_goes_on")
    assert resumed, "it went on where it was"
    (made, *_) = _made(scene, int(resumed[-1]["height"]))
    return joined_s, int(made["chunks"]) - int(resumed[-1]["chunks_left"])


def _made(scene: Scene, height: int) -> list[dict[str, Any]]:
    """What the honest node said of a snapshot that it made."""
    name = scene.plan.nodes[HONEST].name
    return [line for line in scene.told(name, "snapshot_made") if line["height"] == height]


def _reach_head(scene: Scene) -> float:
    began = time.monotonic()

    def is_there() -> bool:
        found, first = scene.status(len(scene.plan.nodes) - 1), scene.status(HONEST)
        return (
            found is not None
            and first is not None
            and found.phase == "observing"
            and found.height + 4 >= first.height
        )

    scene.wait(is_there, timeout_s=AGREE_S, what="the new node has the head")
    return time.monotonic() - began


def _figures(scene: Scene, name: str, **known: float) -> Figures:
    (joined,) = scene.told(name, "joined")
    height = int(joined["height"])
    said = [*scene.told(name, "peer_struck"), *scene.told(name, "snapshot_stale")]
    refused = {line["peer"]: line["reason"] for line in said}
    (made, *_) = _made(scene, height)
    scene.down()
    verified = shuxin("node", "verify", str(scene.node_dir(name) / "data"), "--json", timeout=600)
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["verdict"] == "intact"
    return Figures(
        snapshot_height=height,
        chunks=made["chunks"],
        snapshot_bytes=made["bytes"],
        snapshot_s=made["seconds"],
        base=height + 1 - scene.wanted.valid_window,
        refused=refused,
        **known,  # type: ignore[arg-type]  # numbers, each of its kind
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=100_000)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--behind", type=int, default=150)
    parser.add_argument("--folder", type=Path, help="keep the network here")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    plan = Plan(given.transactions, 4_000, given.every, given.behind, valid_window=300)
    if given.folder is not None:
        figures = play(given.folder, plan)
    else:
        with tempfile.TemporaryDirectory() as folder:
            figures = play(Path(folder) / "net", plan)
    print(json.dumps(asdict(figures), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
