"""Calls and views that insist: a node that is away or busy is asked again, within bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from client.errors import NodeUnavailable, Refused
from executors.chain import Chain, is_transient
from executors.logs import Log
from ledger.values import Value

RETRY_S = (0.5, 1.0, 2.0, 3.0)  # between attempts; the last repeats

R = TypeVar("R")


class Stopping(Exception):
    """The executor was told to stop while it waited for its node."""


class TooLate(Exception):
    """The time for a call passed while the node was away."""


class Speaker:
    """A party's voice on the chain; safe to use from several threads."""

    def __init__(
        self, chain: Chain, *, stop: threading.Event, now_ms: Callable[[], int], log: Log
    ) -> None:
        self._chain = chain
        self._stop = stop
        self._now_ms = now_ms
        self._log = log

    def call(self, contract: str, method: str, *args: Value, until_ms: int) -> None:
        """Returns when the call is final. Raises Refused, TooLate or Stopping.

        A repeated call may find that its first attempt went through after all: then the
        contract refuses, and its code says so.
        """
        self._insist(lambda: self._chain.call(contract, method, *args), method, until_ms)

    def view(self, contract: str, method: str, *args: Value) -> Value:
        """Raises Refused or Stopping."""
        return self._insist(lambda: self._chain.view(contract, method, *args), method, None)

    def _insist(self, attempt: Callable[[], R], method: str, until_ms: int | None) -> R:
        tries = 0
        while True:
            try:
                return attempt()
            except Refused as refusal:
                if not is_transient(refusal):
                    raise
                reason = refusal.code
            except NodeUnavailable:
                reason = "node unavailable"
            if until_ms is not None and self._now_ms() >= until_ms:
                raise TooLate(method)
            self._log.warning("node_retry", method=method, reason=reason, attempt=tries + 1)
            if self._stop.wait(RETRY_S[min(tries, len(RETRY_S) - 1)]):
                raise Stopping
            tries += 1
