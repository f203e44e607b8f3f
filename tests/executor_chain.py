"""The chain of `business` as executors see it: real contracts, and a node that can fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from client.errors import NodeUnavailable, Refused
from client.node import ChainEvent
from contracts.vm.codes import ViewRefused
from contracts.vm.testing import account
from ledger.model import Receipt
from ledger.values import Value, decode_value
from tests.business import Business


class SharedChain:
    """One business and its events, used by several executors' threads."""

    def __init__(self, business: Business) -> None:
        self.business = business
        self.events: list[ChainEvent] = []
        self.changed = threading.Condition()

    def call(self, party: str, contract: str, method: str, *args: Value) -> Receipt:
        """A call as `party`, whatever came of it; its events are published."""
        with self.changed:
            receipt = self.business.act(party, contract, method, *args)
            for index, event in enumerate(receipt.events):
                fields = {name: decode_value(value) for name, value in event.fields}
                self.events.append(
                    ChainEvent(
                        height=self.business.chain.height,
                        index=index + 1,
                        transaction_id=receipt.transaction_id,
                        contract=event.contract,
                        name=event.name,
                        fields=fields,
                        time_ms=self.business.now_ms,
                    )
                )
            self.changed.notify_all()
        return receipt

    def must(self, party: str, contract: str, method: str, *args: Value) -> None:
        receipt = self.call(party, contract, method, *args)
        assert receipt.status == 0, (contract, method, receipt.error, receipt.detail)

    def task(self, task_id: str) -> dict[str, Value]:
        """The task's record, as its operator reads it."""
        with self.changed:
            file = self.business.ask_record("opco", "task", "show", task_id)
        task = file["task"]
        assert isinstance(task, dict)
        return {str(name): value for name, value in task.items()}

    def now_ms(self) -> int:
        return self.business.now_ms


class PartyChain:
    """An executor's Chain: one party's account at a node that can be made to fail."""

    def __init__(self, shared: SharedChain, party: str) -> None:
        self._shared = shared
        self._party = party
        self._closed = False
        self.away = 0  # so many more attempts find no node
        self.lost_answers = 0  # so many more calls go through and are not answered
        self.followed_from: list[tuple[int, int]] = []
        self.calls: list[str] = []

    @property
    def address(self) -> str:
        return account(self._party)

    def call(self, contract: str, method: str, *args: Value) -> None:
        self._reach()
        receipt = self._shared.call(self._party, contract, method, *args)
        self.calls.append(method)
        if self.lost_answers:
            self.lost_answers -= 1
            raise NodeUnavailable("fake", "connection lost")
        if receipt.status != 0:
            raise Refused(receipt.error, receipt.detail)

    def view(self, contract: str, method: str, *args: Value) -> Value:
        self._reach()
        with self._shared.changed:
            try:
                return self._shared.business.ask(self._party, contract, method, *args)
            except ViewRefused as refusal:
                raise Refused(refusal.code, refusal.detail) from None

    def events(self, *, from_height: int, from_index: int) -> Iterator[ChainEvent]:
        self.followed_from.append((from_height, from_index))
        self._reach()
        position = 0
        while True:
            with self._shared.changed:
                while position >= len(self._shared.events) and not self._closed:
                    self._shared.changed.wait()
                if self._closed:
                    raise Refused("cancelled", "the channel was closed")
                event = self._shared.events[position]
            position += 1
            is_new = (event.height, event.index) > (from_height, from_index)
            if is_new and event.contract == "task":
                yield event

    def close(self) -> None:
        with self._shared.changed:
            self._closed = True
            self._shared.changed.notify_all()

    def _reach(self) -> None:
        if self.away:
            self.away -= 1
            raise NodeUnavailable("fake", "unavailable")
