"""Transactions of a workload, senders, and a watcher that sees when they are final."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from bench.flow import Case, Flow, Signed
from client.account import Account
from client.build import build_transaction
from client.errors import ClientError
from client.node import NodeClient
from client.session import Session
from ledger.encoding import encode
from ledger.model import transaction_id
from ledger.values import Value

BATCH = 50  # transactions per call: a client with a queue, not a flood of single calls
GAS_LIMIT = 200_000
VALID_HEIGHTS = 590
POLL_S = 0.02
FLOW_POLL_S = 0.01
DRAIN_S = 60.0  # without any transaction becoming final


@dataclass(frozen=True, slots=True)
class Call:
    contract: str
    method: str
    args: Callable[[int], Sequence[Value]]


def sign(session: Session, call: Call, first: int, count: int) -> list[Signed]:
    """`count` transactions of a workload, numbered from `first`."""
    status = session.node.status()
    result = []
    for number in range(first, first + count):
        transaction = build_transaction(
            session.account,
            chain_id=status.chain_id,
            valid_until=status.height + VALID_HEIGHTS,
            contract=call.contract,
            method=call.method,
            args=call.args(number),
            gas_limit=GAS_LIMIT,
        )
        result.append(Signed(transaction_id(transaction), encode(transaction)))
    return result


@dataclass(slots=True)
class Watcher:
    """Follows one node's certified blocks; notes when each transaction became final."""

    target: str
    caller: Account
    final: dict[bytes, float] = field(default_factory=dict)
    failed: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watcher:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(30)

    def _run(self) -> None:
        with NodeClient(self.target, caller=self.caller) as node:
            height = node.bare_status().certified_height
            while not self._stop.is_set():
                certified = node.bare_status().certified_height
                now = time.monotonic()
                for number in range(height + 1, certified + 1):
                    for receipt in node.block(number).receipts:
                        self.failed += receipt.status != 0  # before anybody goes on
                        self.final[receipt.transaction_id] = now
                height = max(height, certified)
                time.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class Sent:
    """When each transaction was due, and how many the nodes did not take."""

    due: dict[bytes, float]
    refused: int
    seconds: float


def send(targets: Sequence[str], load: Sequence[Signed], rate: float, *, caller: Account) -> Sent:
    """Open loop: every batch has its time, whether or not the earlier ones were answered.

    A thread per node, so that a slow node delays its own queue only; lateness counts as
    latency, because `due` is the scheduled time.
    """
    due: dict[bytes, float] = {}
    refused = [0] * len(targets)
    began = time.monotonic() + 0.2
    shares = [load[i :: len(targets)] for i in range(len(targets))]
    spacing = BATCH * len(targets) / rate

    def run(place: int) -> None:
        offset = began + spacing * place / len(targets)
        with NodeClient(targets[place], caller=caller) as node:
            for number in range(0, len(shares[place]), BATCH):
                batch = shares[place][number : number + BATCH]
                at = offset + spacing * (number // BATCH)
                time.sleep(max(0.0, at - time.monotonic()))
                for item in batch:
                    due[item.id] = at
                refused[place] += _submit(node, batch)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(targets))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Sent(due, sum(refused), time.monotonic() - began)


def _submit(node: NodeClient, batch: Sequence[Signed]) -> int:
    """How many were refused."""
    try:
        verdicts = node.submit_encoded([item.encoded for item in batch])
    except ClientError:
        return len(batch)
    return sum(bool(verdict.error) for verdict in verdicts)


def saturate(
    targets: Sequence[str], load: Sequence[Signed], watcher: Watcher, window: int
) -> float:
    """Committed transactions per second with at most `window` outstanding at any time."""
    cases = [[[item]] for item in load]
    return len(load) / drive(targets, cases, watcher, open_max=window, window=window)


def drive(
    targets: Sequence[str], cases: Sequence[Case], watcher: Watcher, *, open_max: int, window: int
) -> float:
    """Sends all of `cases` to `targets` in turn; seconds until the last transaction was final.

    Raises RuntimeError when a node takes one not, when one fails or when nothing moves any more.
    """
    flow = Flow(cases, open_max=open_max, window=window)
    clients = [NodeClient(target, caller=watcher.caller) for target in targets]
    failed = watcher.failed
    began = moved = time.monotonic()
    turn = ended = 0
    try:
        while not flow.is_done:
            flow.note(watcher.final)
            if watcher.failed > failed:
                raise RuntimeError(f"{watcher.failed - failed} transactions failed")
            if flow.ended > ended:
                ended, moved = flow.ended, time.monotonic()
            if batch := flow.due(BATCH):
                if refused := _submit(clients[turn % len(clients)], batch):
                    raise RuntimeError(f"{refused} transactions were refused under the window")
                turn += 1
                continue
            if time.monotonic() > moved + DRAIN_S:
                raise RuntimeError("not everything that was accepted became final")
            time.sleep(FLOW_POLL_S)
    finally:
        for client in clients:
            client.close()
    everything = chain.from_iterable(chain.from_iterable(cases))
    return max(watcher.final[item.id] for item in everything) - began
