"""The network of a manifest: made, changed where the manifest asks for it, started, touched.

All nodes run under the product's supervisor, as an operator's do. Three things are added from
outside: a gate before each command (a node that is killed and has to stay down is restarted, but
waits there), a network namespace, and for some the launcher of `tests.e2e.launcher`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path

import msgspec

from cli import netfiles, supervisor
from cli.netcerts import root_certificates
from cli.netfiles import NetworkPlan, NewNode
from cli.supervisor import Program
from client.errors import ClientError
from client.node import NodeClient
from client.status import NodeStatus
from contracts.bundle import genesis_contracts
from crypto.providers.software import verify_batch
from ledger.committee import Epochs
from ledger.genesis import Genesis, chain_id, load_genesis, save_genesis
from ledger.model import ValidatorSet
from ledger.succession import follow_changes
from tests.e2e.harness import REPOSITORY, LocalNetwork
from tests.e2e.launcher import CLOCK, EQUIVOCATE
from tests.e2e.manifest import Manifest
from tests.e2e.namespaces import Isolation, NotAllowed

UP_S = 120.0
STATUS_S = 2.0  # a stopped process does not answer: ask the next one soon
SERVING = ("ordering", "observing")
# $0 is the gate: as long as the file is there the command waits. `exec` keeps the process id.
GATE = ("/bin/sh", "-c", 'while [ -e "$0" ]; do sleep 0.1; done; exec "$@"')


class Stage(LocalNetwork):
    """A network in the folder `root` as `manifest` wants it."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        """Raises namespaces.NotAllowed if links must be cut and this machine lets nobody."""
        self._isolation = _isolation(manifest)
        try:
            super().__init__(root, nodes=manifest.network.nodes)
            self.new_nodes = _more(root, manifest)
            if self._isolation is not None:
                _move(root, self._isolation)
            self.genesis = found_anew(root, netfiles.load_plan(root), manifest.network.limits)
        except BaseException:
            self._close_isolation()
            raise
        self.plan = netfiles.load_plan(root)
        self.names = tuple(node.name for node in self.plan.nodes)
        self._launched = manifest.launched
        self.running = [name for name in self.names if name in manifest.seats_at_start.members]
        self._epochs = follow_changes(
            self.genesis.validators, (), chain_id(self.genesis), verify_batch
        )
        self._controls: dict[str, Path] = {}
        for name in self.names:
            self._controls[name] = root / "nodes" / name / "controls"
            self._controls[name].mkdir()
        self.caller = self.account("manager")
        self._clients = {
            n.name: NodeClient(n.api, timeout_s=STATUS_S, caller=self.caller)
            for n in self.plan.nodes
        }

    def up(self) -> None:
        """Start the validators of the genesis."""
        programs = [self._program(name) for name in self.running]
        supervisor.start_detached(self.root, programs)
        self.wait(
            lambda: all(map(self.serves, self.running)), timeout_s=UP_S, what="all nodes serve"
        )

    def start(self, name: str) -> None:
        """Start one that has only been files so far."""
        supervisor.extend(self.root, self._program(name))
        self.running.append(name)

    def down(self) -> None:
        """Stop everything, also what the test stopped or held back."""
        for name in self.names:
            self.signal(name, signal.SIGCONT)
        super().down()
        for client in self._clients.values():
            client.close()
        self._close_isolation()

    # --- looking ----------------------------------------------------------------------------

    def status_of(self, name: str) -> NodeStatus | None:
        try:
            return self._clients[name].status()
        except ClientError:
            return None

    def serves(self, name: str) -> bool:
        found = self.status_of(name)
        return found is not None and found.phase in SERVING

    def committee(self, asked: Collection[str]) -> ValidatorSet:
        """Who orders now, by the word of the one of `asked` that is farthest, and by proof."""
        found = self._foremost(asked)
        if found is None:
            return self._epochs.newest.validators
        epoch = self._epochs.starting_at(found.epoch)
        if epoch is None:
            self._epochs = self.epochs(found.name)
            epoch = self._epochs.starting_at(found.epoch)
        assert epoch is not None, f"{found.name} is in an epoch that it cannot prove"
        return epoch.validators

    def epochs(self, name: str) -> Epochs:
        """All committees that `name` shows, proven. Raises ClientError, CertificateInvalid."""
        changes = self._clients[name].committee_changes()
        chain = chain_id(self.genesis)
        return follow_changes(self.genesis.validators, changes, chain, verify_batch)

    def primary(self, asked: Collection[str]) -> str | None:
        """Who proposes next, by the word of the one of `asked` that is in the highest view."""
        found = self._foremost(asked)
        if found is None:
            return None
        return self.committee([found.name]).validators[found.primary].name

    def _foremost(self, asked: Collection[str]) -> NodeStatus | None:
        """What the member among `asked` says that is in the latest epoch and highest view."""
        found = [status for name in asked if (status := self.status_of(name)) is not None]
        members = [status for status in found if not status.is_observer]
        return max(members, key=lambda s: (s.epoch, s.view, s.height), default=None)

    def agreement(self, names: Collection[str]) -> int | None:
        """The height at which all of `names` stand, certified and with one state root."""
        found = [self.status_of(name) for name in names]
        heads = {(s.certified_height, s.height, s.state_root) for s in found if s is not None}
        if None in found or len(heads) != 1:
            return None
        certified, height, _ = heads.pop()
        return height if certified == height else None

    def accusations(self, name: str) -> list[Path]:
        folder = self.root / "nodes" / name / "data" / "accusations"
        return sorted(folder.glob("*.bin"))

    def pid(self, name: str) -> int | None:
        return supervisor.process_pids(self.root).get(name)

    # --- touching ---------------------------------------------------------------------------

    def signal(self, name: str, number: signal.Signals) -> bool:
        """False if the node has no process now."""
        pid = self.pid(name)
        try:
            if pid is None:
                return False
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def hold_down(self, name: str) -> None:
        """Once the node ends it does not come back."""
        self._gate(name).touch()

    def let_up(self, name: str) -> None:
        self._gate(name).unlink(missing_ok=True)

    def set_clock(self, name: str, *, offset_s: float, stopped: bool) -> None:
        """From now on; a clock that is stopped shows the time at which it stopped."""
        offset_ms = int(offset_s * 1000)
        text = f"offset {offset_ms}"
        if stopped:
            text = f"stopped {time.time_ns() // 1_000_000 + offset_ms}"
        control = self._controls[name] / CLOCK
        partial = control.with_suffix(".new")
        partial.write_text(text)
        partial.rename(control)

    def right_clock(self, name: str) -> None:
        (self._controls[name] / CLOCK).unlink(missing_ok=True)

    def make_liar(self, name: str) -> None:
        (self._controls[name] / EQUIVOCATE).touch()

    def make_honest(self, name: str) -> None:
        (self._controls[name] / EQUIVOCATE).unlink(missing_ok=True)

    def cut(self, names: Collection[str]) -> None:
        assert self._isolation is not None, "the manifest has a partition"
        self._isolation.cut([self.names.index(name) for name in names])

    def heal(self, names: Collection[str]) -> None:
        assert self._isolation is not None, "the manifest has a partition"
        self._isolation.heal([self.names.index(name) for name in names])

    # --- starting ---------------------------------------------------------------------------

    def _program(self, name: str) -> Program:
        config = self.root / "nodes" / name / "node.toml"
        command: tuple[str, ...] = (sys.executable, "-m", "cli.main", "node", "run", str(config))
        if name in self._launched:
            module = (sys.executable, "-m", "tests.e2e.launcher")
            command = (
                "env", "--chdir", str(REPOSITORY), *module, str(config), str(self._controls[name])
            )  # fmt: skip
        where = () if self._isolation is None else self._isolation.inside(self.names.index(name))
        return Program(
            name=name,
            command=(*where, *GATE, str(self._gate(name)), *command),
            log=self.root / "nodes" / name / "node.log",
        )

    def _gate(self, name: str) -> Path:
        return self._controls[name] / "gate"

    def _close_isolation(self) -> None:
        if self._isolation is not None:
            self._isolation.close()


def _isolation(manifest: Manifest) -> Isolation | None:
    """Namespaces wherever they are allowed: in them no other network can take a port of ours."""
    try:
        return Isolation(len(manifest.everyone))
    except NotAllowed:
        if manifest.is_partitioned:
            raise
        return None


def _more(root: Path, manifest: Manifest) -> dict[str, NewNode]:
    """Keys and configurations, as of `shuxin net add`, of the observers and spares."""
    made: dict[str, NewNode] = {}
    for name in manifest.everyone[manifest.network.nodes :]:
        plan = netfiles.load_plan(root)
        party = netfiles.PARTIES[len(plan.nodes) % len(netfiles.PARTIES)][0]
        new = netfiles.add_node(root, plan, party=party)
        assert new.entry.name == name
        made[name] = new
    return made


def found_anew(root: Path, plan: NetworkPlan, changes: dict[str, int]) -> Genesis:
    """The genesis in `root` anew, for other limits and the addresses of `plan`."""
    path = root / "genesis.json"
    genesis = load_genesis(path)
    limits = msgspec.structs.replace(genesis.limits, **changes)
    addresses = {node.name: node.listen for node in plan.nodes}
    contracts = genesis_contracts(
        genesis.parties,
        validators=genesis.validators,
        limits=limits,
        addresses=addresses,
        roots=root_certificates(root),
        algorithms=netfiles.agreed_algorithms(),
    )
    genesis = msgspec.structs.replace(genesis, limits=limits, contracts=contracts)
    save_genesis(genesis, path)
    written = json.loads((root / "network.json").read_text())
    written["chain_id"] = chain_id(genesis).hex()
    (root / "network.json").write_text(json.dumps(written))
    return genesis


def _move(root: Path, isolation: Isolation) -> None:
    """Write the addresses of the namespaces into all configurations; ports stay."""
    moves: dict[str, str] = {}
    for index, node in enumerate(netfiles.load_plan(root).nodes):
        for old in (node.listen, node.api):
            moves[f'"{old}"'] = f'"{old}"'.replace(netfiles.HOST, isolation.address(index))
    for path in [root / "network.json", *root.glob("*/*/*.toml")]:
        text = path.read_text(encoding="utf-8")
        for old, new in moves.items():
            text = text.replace(old, new)
        # The namespaces are a network of our own, which plain calls may cross.
        text = text.replace("# plain = true", "plain = true")
        path.write_text(text, encoding="utf-8")
