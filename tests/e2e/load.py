"""Clients that keep a network busy and remember every answer.

A call counts as acknowledged only when it is certified by a quorum. Every client lists all nodes,
each beginning with another one: when a node is away, the call goes on at the next without a word.
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
from client.cluster import Cluster
from client.errors import ClientError
from client.session import Session
from ledger.model import Receipt
from tests.e2e.manifest import LoadEntry

STOP_S = 120.0  # for a call that is under way to end: the patience of a cluster, twice over
NOTE_SIZE = 1024  # the longest note of an evidence record


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A call that a client was told is certified; times are of the monotonic clock."""

    began: float
    ended: float
    height: int
    receipt: Receipt


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
    failed: list[Failed] = field(default_factory=list)


class Load:
    """Runs `entry.clients` threads between `__enter__` and `__exit__`."""

    def __init__(self, entry: LoadEntry, targets: Sequence[str], account: Account) -> None:
        self.answers = Answers()
        self._entry = entry
        self._stop = threading.Event()
        firsts = [number % len(targets) for number in range(entry.clients)]
        self._clusters = [Cluster([*targets[n:], *targets[:n]], caller=account) for n in firsts]
        self._account = account
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
            self._call(Session(self._clusters[number], self._account))
            due = max(due + spacing, time.monotonic())

    def _call(self, session: Session) -> None:
        name = f"e-{secrets.token_hex(8)}"
        note = "" if self._entry.kind == "evidence" else "x" * NOTE_SIZE
        began = time.monotonic()
        try:
            outcome = session.call(
                "evidence", "record", name, "authorization.decision", name, bytes(32), note
            )
        except ClientError as error:
            self.answers.failed.append(Failed(began, time.monotonic(), str(error)))
            return
        self.answers.acknowledged.append(
            Acknowledged(began, time.monotonic(), outcome.height, outcome.receipt)
        )
