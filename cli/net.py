"""A local network: keys, genesis, configuration, processes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import VmVersion
from cli.language import say
from cli.options import Invocation, verb
from cli.output import DONE, REFUSED, Answer, CommandRefused, Fields, Json, Table, note

if TYPE_CHECKING:
    from cli.netfiles import NetworkPlan
    from client.account import Account

app = typer.Typer()

UP_TIMEOUT_S = 90.0  # first start compiles the genesis contracts on every node
DEATHS_MAX = 2  # of one process at start; a port may be free again a second later

Root = Annotated[Path, typer.Argument(help="Folder of the network.")]


@verb(app, "new")
def new(
    ask: Invocation,
    root: Root,
    nodes: Annotated[int, typer.Option(help="Number of validators, 4 to 31.")] = 4,
    port_base: Annotated[
        int, typer.Option(help="First port; 0 finds a free range on this machine.")
    ] = 0,
    executors: Annotated[
        bool, typer.Option(help="Also an executor for each of the three suppliers.")
    ] = True,
    vm_version: VmVersion = "",
) -> Answer:
    """Make keys, genesis and commented configurations for a network on this machine."""
    from cli import netfiles
    from contracts.vm import engines

    plan = netfiles.create(
        root,
        nodes=nodes,
        port_base=port_base,
        executors=executors,
        vm_version=vm_version or engines.LATEST.vm_version,
    )
    return Fields(
        {
            "folder": str(root),
            "chain_id": plan.chain_id,
            "nodes": [f"{node.name} ({node.party}) {node.api}" for node in plan.nodes],
            "executors": list(plan.executors),
            "next": f"shuxin net up {root}",
        }
    )


@verb(app, "add")
def add(
    ask: Invocation,
    root: Root,
    party: Annotated[str, typer.Option(help="Which party runs it.")],
) -> Answer:
    """Make one more node, and start it if the network runs; it waits to be admitted (观察节点)."""
    from cli import netfiles, supervisor

    root = root.resolve()
    plan = netfiles.load_plan(root)
    new = netfiles.add_node(root, plan, party=party)
    is_up = supervisor.supervisor_pid(root) is not None
    if is_up:
        supervisor.extend(root, netfiles.program_of(root, new.entry))
    name = new.entry.name
    return Fields(
        {
            "node": name,
            "party": party,
            "public_key": new.public_key.hex(),
            "peer_id": new.peer_id,
            "address": new.entry.listen,
            "api": new.entry.api,
            "started": is_up,
            "next": f"shuxin proposal admit-observer admit-{name} --name {name} --party {party} "
            f"--public-key {new.public_key.hex()} --peer-id {new.peer_id} "
            f"--address {new.entry.listen} --reason WHY",
        }
    )


@verb(app, "up")
def up(
    ask: Invocation,
    root: Root,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait until all nodes agree on a height.")
    ] = UP_TIMEOUT_S,
) -> Answer:
    """Start all processes and keep them running; returns when every node serves."""
    from cli import netfiles, supervisor

    root = root.resolve()
    plan = netfiles.load_plan(root)
    try:
        supervisor.start_detached(root, netfiles.programs(root, plan))
    except supervisor.AlreadyRunning as running:
        raise CommandRefused("net.running", str(running)) from None
    except supervisor.StartFailed as failed:
        raise CommandRefused("net.supervisor", str(failed)) from None
    deadline = time.monotonic() + timeout
    told = -1
    watch = Watch(root, frozenset(node.name for node in plan.nodes))
    caller = netfiles.account_in(root, plan)
    while True:
        rows = _status_rows(plan, caller)
        ready = [row for row in rows if row[1] in _SERVING]
        if len(ready) == len(plan.nodes):
            return Table(_COLUMNS, rows, title=f"{plan.name}: up")
        watch.look()
        if halted := [str(row[0]) for row in rows if row[1] == "halted"]:
            raise CommandRefused(
                "net.halted",
                f"halted: {', '.join(halted)}; the line `halted` in {root}/nodes/NAME/node.log "
                "says why",
            )
        if time.monotonic() > deadline:
            waiting = [str(row[0]) for row in rows if row not in ready]
            raise CommandRefused(
                "net.slow",
                f"not serving after {timeout:.0f} s: {', '.join(waiting)}; see "
                f"{root}/nodes/NAME/node.log, or `shuxin net down {root}`",
            )
        if len(ready) != told:
            told = len(ready)
            note(say("{count} of {all} nodes serve", count=told, all=len(plan.nodes)))
        time.sleep(0.5)


class Watch:
    """Looks for processes that die while the network starts, and says why they did."""

    def __init__(self, root: Path, needed: frozenset[str]) -> None:
        self._root = root
        self._needed = needed
        self._told: set[str] = set()

    def look(self) -> None:
        """A remark for the first death of a process; a refusal when its restart did not help.

        Raises CommandRefused for processes that `net up` waits for.
        """
        from cli import supervisor

        if supervisor.supervisor_pid(self._root) is None:
            raise CommandRefused(
                "net.supervisor", f"the supervisor ended; see {self._root}/run/supervisor.log"
            )
        for end in supervisor.ends(self._root):
            if end.count >= DEATHS_MAX and end.name in self._needed:
                raise CommandRefused(
                    "net.died",
                    f"{end.sentence()}; correct that, then `shuxin net down {self._root}` and up "
                    "again",
                )
            if end.name not in self._told:
                self._told.add(end.name)
                note(end.sentence())


@verb(app, "down")
def down(ask: Invocation, root: Root) -> Answer:
    """Stop every process of the network."""
    from cli import netfiles, supervisor

    root = root.resolve()
    plan = netfiles.load_plan(root)
    stopped = supervisor.stop(root)
    return Fields({"network": plan.name, "stopped": stopped})


@verb(app, "status")
def status(ask: Invocation, root: Root) -> Answer:
    """Where every node stands; exit code 1 unless all serve and none differs in state."""
    from cli import netfiles, supervisor

    root = root.resolve()
    plan = netfiles.load_plan(root)
    rows = _status_rows(plan, netfiles.account_in(root, plan))
    fine = all(row[1] in _SERVING for row in rows) and _agree(rows)
    if ask.json:
        return Fields(
            {
                "network": plan.name,
                "chain_id": plan.chain_id,
                "agree": _agree(rows),
                "nodes": [dict(zip(_COLUMNS, row, strict=True)) for row in rows],
                "processes": dict(supervisor.process_pids(root)),
            },
            exit_code=DONE if fine else REFUSED,
        )
    return Table(_COLUMNS, rows, title=plan.name, exit_code=DONE if fine else REFUSED)


_SERVING = ("ordering", "observing")
_COLUMNS = (
    "node",
    "phase",
    "height",
    "certified",
    "state_root",
    "view",
    "primary",
    "pool",
    "peers",
    "memory_mb",
    "api",
)


def _status_rows(plan: NetworkPlan, caller: Account | None) -> list[list[Json]]:
    from client.errors import ClientError
    from client.node import NodeClient

    rows: list[list[Json]] = []
    for entry in plan.nodes:
        try:
            with NodeClient(entry.api, timeout_s=3.0, caller=caller) as node:
                found = node.status()
        except ClientError:
            rows.append([entry.name, "down", 0, 0, "", 0, 0, 0, 0, 0, entry.api])
            continue
        # Another network may have taken the port: its node must not pass for one of ours.
        is_ours = found.chain_id.hex() == plan.chain_id
        rows.append(
            [
                entry.name,
                found.phase if is_ours else "foreign",
                found.height,
                found.certified_height,
                found.state_root.hex(),
                found.view,
                found.primary,
                found.mempool_transactions,
                sum(peer.connected for peer in found.peers),
                found.resident_bytes >> 20,
                entry.api,
            ]
        )
    return rows


def _agree(rows: list[list[Json]]) -> bool:
    """No two nodes at one height with different roots."""
    roots: dict[Json, Json] = {}
    return all(roots.setdefault(row[2], row[4]) == row[4] for row in rows if row[1] != "down")
