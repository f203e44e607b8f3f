"""`make bench-business`: grants, evidence and tasks on a network, beside plain transfers.

Every workload saturates four real nodes in rounds that take turns with those of the others, so
that its rate and the rate of transfers come from one minute of one machine. Cases with several
stages, such as a task, go on as a client would: the next stage is sent when the nodes have
certified the one before. What a case takes alone, from sending to its last certificate, is measured
afterwards.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import business_report, load, processes
from bench.business_acts import WINDOW, Act, Workload, preparation, workloads
from bench.business_report import Measured
from bench.flow import Case, Signed
from bench.network import Network
from bench.references import measure
from client.build import build_transaction
from client.session import Session
from ledger.encoding import encode
from ledger.model import transaction_id

NODES = 4
ROUNDS = 5
TRANSACTIONS = 3_000  # of a workload in a round
ALONE = 9  # cases of each workload, one after the other


class Bench:
    """The parties of a running network, and the cases that were begun."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._sessions: dict[str, Session] = {}
        self._begun: dict[str, int] = {}  # cases by workload

    def session(self, party: str) -> Session:
        if party not in self._sessions:
            self._sessions[party] = self.network.session(party)
        return self._sessions[party]

    def prepare(self, now_ms: int) -> None:
        for act in preparation(now_ms):
            session = self.session(act.party)
            session.call(act.contract, act.method, *act.args, gas_limit=act.gas_limit)

    def alone(self, workload: Workload, watcher: load.Watcher) -> float:
        """Seconds of one case with nothing beside it."""
        return self._drive(workload, 1, watcher)[0]

    def saturate(
        self, workload: Workload, count: int, watcher: load.Watcher
    ) -> tuple[float, float]:
        """Transactions a second of `count` cases, and processor seconds of one node."""
        pids = self.network.pids()
        before = processes.usage(pids)
        seconds, transactions = self._drive(workload, count, watcher)
        after = processes.usage(pids)
        cpu_s = statistics.mean(after[name].cpu_s - before[name].cpu_s for name in pids)
        return transactions / seconds, cpu_s

    def _drive(self, workload: Workload, count: int, watcher: load.Watcher) -> tuple[float, int]:
        """Seconds of the next `count` cases, already signed, and how many transactions they are."""
        first = self._begun.get(workload.name, 0)
        self._begun[workload.name] = first + count
        cases = self._signed([workload.cases(first + number) for number in range(count)])
        seconds = load.drive(
            self.network.targets, cases, watcher, open_max=workload.open_max, window=WINDOW
        )
        return seconds, sum(len(stage) for case in cases for stage in case)

    def _signed(self, cases: Sequence[Sequence[Sequence[Act]]]) -> list[Case]:
        status = self.session("operator").node.status()
        until = status.height + load.VALID_HEIGHTS

        def sign(act: Act) -> Signed:
            transaction = build_transaction(
                self.network.account(act.party),
                chain_id=status.chain_id,
                valid_until=until,
                contract=act.contract,
                method=act.method,
                args=act.args,
                gas_limit=act.gas_limit,
            )
            return Signed(transaction_id(transaction), encode(transaction))

        return [[[sign(act) for act in stage] for stage in case] for case in cases]


def run(bench: Bench, rounds: int, transactions: int) -> list[Measured]:
    """All workloads, taking turns."""
    now_ms = time.time_ns() // 1_000_000
    bench.prepare(now_ms)
    chosen = workloads(now_ms, bench.session("operator").node.chain_id)
    sizes = [sum(len(stage) for stage in workload.cases(0)) for workload in chosen]
    measured = [
        Measured(workload.name, workload.item, size, workload.items)
        for workload, size in zip(chosen, sizes, strict=True)
    ]
    with load.Watcher(bench.network.targets[-1], bench.network.account("operator")) as watcher:
        for number in range(1, rounds + 1):
            print(f"round {number} of {rounds} …", file=sys.stderr)
            for workload, one in zip(chosen, measured, strict=True):
                count = max(1, transactions // one.transactions)
                rate, cpu_s = bench.saturate(workload, count, watcher)
                one.rates.append(rate)
                one.cpu_s += cpu_s
                one.sent += count * one.transactions
        print("one at a time …", file=sys.stderr)
        for _ in range(ALONE):
            for workload, one in zip(chosen, measured, strict=True):
                one.alone_s.append(bench.alone(workload, watcher))
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.business", description=__doc__)
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--transactions", type=int, default=TRANSACTIONS, help="of a workload in a round"
    )
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    load_average = os.getloadavg()[0]
    print("measuring the machine …", file=sys.stderr)
    references = measure()
    with (
        tempfile.TemporaryDirectory() as folder,
        Network(Path(folder) / "net", options.nodes) as network,
    ):
        measured = run(Bench(network), options.rounds, options.transactions)
    text = business_report.render(
        references, measured, nodes=options.nodes, rounds=options.rounds, load=load_average
    )
    print(text)
    if options.output:
        options.output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
