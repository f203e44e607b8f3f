"""`make bench`: a network on this machine under load, and what the machine could do at best."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from bench import load, processes, report
from bench.flow import Signed
from bench.network import Network
from bench.references import References, measure
from client.account import Account
from client.node import NodeClient
from client.session import Session
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.values import Value, encode_value

SENDERS = 8
ROUNDS = 3  # saturated rounds; the rate is their median
WINDOW = 2_000  # transactions outstanding while saturating: two full blocks
OPEN_LOOP_SHARE = 0.8  # of the committed rate, where finality is measured


class Bench:
    """The workloads of a running network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.targets = network.targets
        self.operator = network.session("operator")
        self.total = 0

    def transfer_senders(self) -> list[Session]:
        """Deploys the transfer contract and funds the senders."""
        source = resources.files("bench.contracts").joinpath("transfer.py").read_text()
        self.operator.call(
            "contract", "deploy", "transfer", source, encode_value([[]]), gas_limit=20_000_000
        )
        sessions = []
        for number in range(SENDERS):
            account = Account(SoftwareProvider(sm2.generate()))
            # The senders are strangers to the register: the operator hands in for them.
            target = self.targets[number % len(self.targets)]
            session = Session(NodeClient(target, caller=self.operator.account), account)
            session.call("transfer", "faucet")
            sessions.append(session)
        return sessions

    def signed(self, sessions: Sequence[Session], call: load.Call, count: int) -> list[Signed]:
        share = count // len(sessions)
        parts = []
        for session in sessions:
            parts.append(load.sign(session, call, self.total, share))
            self.total += share
        return [item for row in zip(*parts, strict=True) for item in row]

    def run(
        self, name: str, sessions: Sequence[Session], call: load.Call, references: References,
        *, saturating: int, seconds: float,
    ) -> report.Result:  # fmt: skip
        """Saturate, then measure finality in an open loop at a share of the rate found."""
        pids = self.network.pids()
        with load.Watcher(self.targets[-1], self.operator.account) as watcher:
            rates = []
            cpu = 0.0  # seconds of one node, over all rounds
            for _ in range(ROUNDS):
                batch = self.signed(sessions, call, saturating)
                before = processes.usage(pids)
                rates.append(load.saturate(self.targets, batch, watcher, WINDOW))
                after = processes.usage(pids)
                cpu += sum(after[n].cpu_s - before[n].cpu_s for n in pids) / len(pids)
            rate = statistics.median(rates)
            cpu_per_transaction = cpu / (ROUNDS * saturating)
            goal = rate * OPEN_LOOP_SHARE
            batch = self.signed(sessions, call, int(goal * seconds) // 400 * 400 or 400)
            sent = load.send(self.targets, batch, goal, caller=self.operator.account)
            _settle(watcher, sent)
            if watcher.failed:
                raise RuntimeError(f"{name}: {watcher.failed} transactions failed")
            delays = [watcher.final[i] - at for i, at in sent.due.items() if i in watcher.final]
        return report.Result(
            workload=name,
            committed_rate=rate,
            share_of_bound=rate / references.bound(len(self.targets)),
            open_loop_rate=goal,
            p50_s=report.percentile(delays, 0.50),
            p99_s=report.percentile(delays, 0.99),
            refused=sent.refused,
            cpu_per_node=cpu_per_transaction * rate,
            cpu_ms_per_transaction=cpu_per_transaction * 1000,
        )

    def memory_after(
        self, sessions: Sequence[Session], call: load.Call, marks: Sequence[int]
    ) -> list[report.Memory]:
        """Send until each mark of total transactions, and look at the largest node there."""
        found = []
        with load.Watcher(self.targets[-1], self.operator.account) as watcher:
            for mark in marks:
                while self.total < mark:
                    batch = self.signed(sessions, call, min(8_000, max(400, mark - self.total)))
                    load.saturate(self.targets, batch, watcher, WINDOW)
                nodes = processes.usage(self.network.pids()).values()
                held = max(usage.anonymous for usage in nodes)
                resident = max(usage.resident for usage in nodes)
                found.append(report.Memory(self.total, held / 1e6, resident / 1e6))
        return found


def _settle(watcher: load.Watcher, sent: load.Sent) -> None:
    deadline = time.monotonic() + load.DRAIN_S
    while time.monotonic() < deadline:
        if sum(i in watcher.final for i in sent.due) >= len(sent.due) - sent.refused:
            return
        time.sleep(0.1)
    raise RuntimeError("transactions that were accepted did not become final")


def evidence_call(number: int) -> Sequence[Value]:
    name = f"bench-{number}"
    return [name, "development.process", name, number.to_bytes(32, "big"), ""]


def transfer_call(number: int) -> Sequence[Value]:
    return [f"{number % 1000:040x}", 1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--transactions", type=int, default=4_000, help="per saturated round")
    parser.add_argument("--seconds", type=float, default=15.0, help="of the open loop")
    parser.add_argument("--memory", type=int, default=50_000, help="transactions; 0 leaves it out")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    print("measuring the machine …", file=sys.stderr)
    references = measure()
    with (
        tempfile.TemporaryDirectory() as folder,
        Network(Path(folder) / "net", options.nodes) as net,
    ):
        results, memory = _measure(Bench(net), references, options)
    began = time.strftime("%Y-%m-%d", time.gmtime())
    text = report.render(references, results, memory, options.nodes, {"Measured": began})
    print(text)
    if options.output:
        options.output.write_text(text)
    return 0


def _measure(
    it: Bench, references: References, options: argparse.Namespace
) -> tuple[list[report.Result], list[report.Memory]]:
    evidence = load.Call("evidence", "record", evidence_call)
    transfer = load.Call("transfer", "transfer", transfer_call)
    senders = it.transfer_senders()
    results = []
    for name, sessions, call in (
        ("evidence", [it.operator], evidence),
        ("transfer", senders, transfer),
    ):
        print(f"workload {name} …", file=sys.stderr)
        results.append(
            it.run(
                name,
                sessions,
                call,
                references,
                saturating=options.transactions,
                seconds=options.seconds,
            )
        )
    memory = []
    if options.memory:
        print(f"memory after {options.memory:,} transactions …", file=sys.stderr)
        marks = [options.memory // 2, options.memory, options.memory * 3 // 2, options.memory * 2]
        memory = it.memory_after([it.operator], evidence, marks)
    return results, memory


if __name__ == "__main__":
    sys.exit(main())
