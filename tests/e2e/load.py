"""Clients that keep a network busy and remember every answer.

A call counts as acknowledged only when it is certified by a quorum. A client whose node fails
turns to the next one with the same transaction: it is included once, whoever hands it in.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType

from client.account import Account
from client.build import VALID_HEIGHTS, build_transaction
from client.errors import ClientError, NodeUnavailable, Refused
from client.node import BUSY, PENDING, NodeClient, Outcome
from ledger.model import Receipt, Transaction, transaction_id
from ledger.values import Value
from node import refusals
from tests.e2e.manifest import LoadEntry

CALL_S = 60.0  # a call that no node answers for so long has failed
ANSWER_S = 2.0  # for a node to answer at all, before the next one is asked
CERTIFY_S = 3.0  # for a node to show the outcome, before the next one is asked
PAUSE_S = 0.1  # between two attempts: all nodes may be refusing at once
STOP_S = CALL_S + 10.0
NOTE_SIZE = 1024  # the longest note of an evidence record

# What another node, or the same one later, may answer differently.
_RETRIED = frozenset({BUSY, PENDING, refusals.HALTED, refusals.STOPPING})


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A call that a client was told is certified; times are of the monotonic clock."""

    began: float
    ended: float
    node: str  # whose word it is
    height: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call to one node that brought no answer; the client turned to the next one."""

    at: float
    node: str
    reason: str  # a refusal's code, or "no answer"


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that the client gave up: its caller saw an error."""

    began: float
    ended: float
    reason: str


@dataclass(slots=True)
class Answers:
    """All that the clients were told, over all threads."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    retried: list[Attempt] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


class Cluster:
    """One account's calls at whichever node answers, beginning with number `first`."""

    def __init__(
        self, targets: Sequence[tuple[str, str]], account: Account, first: int, answers: Answers
    ) -> None:
        """`targets`: names and addresses."""
        self._nodes = [(name, NodeClient(api, timeout_s=ANSWER_S)) for name, api in targets]
        self._account = account
        self._place = first % len(targets)
        self._answers = answers

    def close(self) -> None:
        for _, node in self._nodes:
            node.close()

    def call(self, contract: str, method: str, *args: Value) -> tuple[str, Outcome]:
        """The certified outcome, and the node that showed it. Raises ClientError."""
        deadline = time.monotonic() + CALL_S
        transaction = None
        while True:
            name, node = self._nodes[self._place]
            try:
                if transaction is None:
                    transaction = build_transaction(
                        self._account,
                        chain_id=node.chain_id,
                        valid_until=node.status().height + VALID_HEIGHTS,
                        contract=contract,
                        method=method,
                        args=args,
                    )
                return name, node.wait(_submit(node, transaction), timeout_s=CERTIFY_S)
            except ClientError as error:
                if time.monotonic() > deadline or not _is_retried(error):
                    raise
                self._answers.retried.append(Attempt(time.monotonic(), name, _reason(error)))
            self._place = (self._place + 1) % len(self._nodes)
            time.sleep(PAUSE_S)


class Load:
    """Runs `entry.clients` threads between `__enter__` and `__exit__`."""

    def __init__(
        self, entry: LoadEntry, targets: Sequence[tuple[str, str]], account: Account
    ) -> None:
        self.answers = Answers()
        self._entry = entry
        self._stop = threading.Event()
        self._clusters = [
            Cluster(targets, account, number, self.answers) for number in range(entry.clients)
        ]
        self._pool = ThreadPoolExecutor(entry.clients, "client")
        self._running: list[Future[None]] = []

    def __enter__(self) -> Load:
        self._running = [self._pool.submit(self._run, n) for n in range(self._entry.clients)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Every call that has begun gets its answer first."""
        self._stop.set()
        try:
            for client in self._running:
                client.result(STOP_S)  # raises what ended a client before its time
        finally:
            for cluster in self._clusters:
                cluster.close()
            self._pool.shutdown()

    def _run(self, number: int) -> None:
        spacing = self._entry.clients / self._entry.rate
        due = time.monotonic() + spacing * number / self._entry.clients
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            self._call(self._clusters[number])
            due = max(due + spacing, time.monotonic())

    def _call(self, cluster: Cluster) -> None:
        name = f"e-{secrets.token_hex(8)}"
        note = "" if self._entry.kind == "evidence" else "x" * NOTE_SIZE
        began = time.monotonic()
        try:
            node, outcome = cluster.call(
                "evidence", "record", name, "authorization.decision", name, bytes(32), note
            )
        except ClientError as error:
            self.answers.failed.append(Failed(began, time.monotonic(), str(error)))
            return
        self.answers.acknowledged.append(
            Acknowledged(began, time.monotonic(), node, outcome.height, outcome.receipt)
        )


def _submit(node: NodeClient, transaction: Transaction) -> bytes:
    """The id; a transaction that a block holds already was handed in before."""
    try:
        return node.submit(transaction)
    except Refused as refusal:
        if refusal.code != refusals.REPLAYED:
            raise
        return transaction_id(transaction)


def _reason(error: ClientError) -> str:
    return error.code if isinstance(error, Refused) else "no answer"


def _is_retried(error: ClientError) -> bool:
    return isinstance(error, NodeUnavailable) or (
        isinstance(error, Refused) and error.code in _RETRIED
    )
