"""Signed transactions, senders, and a watcher that sees when they are final."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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
DRAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Signed:
    id: bytes
    encoded: bytes


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
                        self.final[receipt.transaction_id] = now
                        self.failed += receipt.status != 0
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
    targets: Sequence[str],
    load: Sequence[Signed],
    watcher: Watcher,
    window: int,
) -> float:
    """Committed transactions per second with at most `window` outstanding at any time."""
    submitted = 0
    start = len(watcher.final)
    began = time.monotonic()
    clients = [NodeClient(target, caller=watcher.caller) for target in targets]
    try:
        while submitted < len(load):
            outstanding = submitted - (len(watcher.final) - start)
            if outstanding + BATCH > window:
                time.sleep(0.01)
                continue
            client = clients[(submitted // BATCH) % len(clients)]
            submitted += BATCH
            refused = _submit(client, load[submitted - BATCH : submitted])
            if refused:
                raise RuntimeError(f"{refused} transactions were refused under the window")
        deadline = time.monotonic() + DRAIN_S
        while len(watcher.final) - start < len(load):
            if time.monotonic() > deadline:
                raise RuntimeError("not everything that was accepted became final")
            time.sleep(0.02)
    finally:
        for client in clients:
            client.close()
    return len(load) / (max(watcher.final[item.id] for item in load) - began)
