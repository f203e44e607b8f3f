"""Follows the task contract's events in a thread of its own, through interruptions."""

from __future__ import annotations

import queue
import threading

from client.errors import NodeUnavailable, Refused
from client.node import ChainEvent
from executors.chain import Chain
from executors.cursor import Cursor
from executors.logs import Log
from executors.speaker import RETRY_S

PUT_S = 0.5  # how fast a full queue notices a stop


class Follower:
    """Puts events into `queue` in order; blocks when it is full, so nothing is lost."""

    def __init__(
        self,
        chain: Chain,
        cursor: Cursor,
        notices: queue.Queue[ChainEvent],
        *,
        stop: threading.Event,
        log: Log,
    ) -> None:
        self._chain = chain
        self._cursor = cursor
        self._notices = notices
        self._stop = stop
        self._log = log
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        tries = 0
        while not self._stop.is_set():
            try:
                for event in self._chain.events(
                    from_height=self._cursor.height, from_index=self._cursor.index
                ):
                    tries = 0
                    if not self._put(event):
                        return
            except (NodeUnavailable, Refused) as error:
                reason = error.code if isinstance(error, Refused) else "node unavailable"
                self._log.warning("events_interrupted", reason=reason, attempt=tries + 1)
            self._stop.wait(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1

    def _put(self, event: ChainEvent) -> bool:
        while not self._stop.is_set():
            try:
                self._notices.put(event, timeout=PUT_S)
            except queue.Full:
                continue
            self._cursor = Cursor(event.height, event.index)
            return True
        return False
