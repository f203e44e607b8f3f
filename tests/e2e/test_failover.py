"""Nodes are restarted one after the other, or hang, and no client of the network notices."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import ExitStack

import pytest

from client.cluster import Cluster
from client.errors import ClientError
from client.node import ChainEvent
from client.session import Session
from tests.e2e.harness import LocalNetwork

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CLIENTS = 4
RESTART_S = 45.0  # for one node on a busy machine; about 6 on an idle one
CALLS_BETWEEN = 8  # that must go through between two restarts, so that each is under load
CALL_S = 60.0
HUNG_CALL_S = 15.0  # one attempt at the hung node (5 s), then a call; a busy machine
HUNG_STREAM_S = 45.0  # a ping after 15 s, 10 s for its answer; a busy machine


class Caller(threading.Thread):
    """Records evidence without a pause, through the nodes from number `first` on."""

    def __init__(self, network: LocalNetwork, first: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        apis = [node.api for node in network.plan.nodes]
        account = network.account("operator")
        self.cluster = Cluster([*apis[first:], *apis[:first]], caller=account)
        self._session = Session(self.cluster, account)
        self._stop_asked = stop
        self.acknowledged: dict[str, bytes] = {}  # evidence id -> transaction id
        self.failures: list[ClientError] = []
        self.longest_s = 0.0

    def run(self) -> None:
        while not self._stop_asked.is_set():
            name = f"e-{secrets.token_hex(8)}"
            began = time.monotonic()
            try:
                outcome = self._session.call(
                    "evidence",
                    "record",
                    *(name, "authorization.decision", name, bytes(32), ""),
                    timeout_s=CALL_S,
                )
                shown = self._session.view("evidence", "show", name)
            except ClientError as error:
                self.failures.append(error)
                continue
            assert isinstance(shown, dict), "what was acknowledged is there for the next read"
            self.acknowledged[name] = outcome.receipt.transaction_id
            self.longest_s = max(self.longest_s, time.monotonic() - began)


class Listener(threading.Thread):
    """Follows the evidence contract from the beginning, through all nodes."""

    def __init__(self, network: LocalNetwork) -> None:
        super().__init__(daemon=True)
        self.cluster = Cluster(
            [node.api for node in network.plan.nodes], caller=network.account("operator")
        )
        self.events: list[ChainEvent] = []
        self.end = ""

    def run(self) -> None:
        try:
            for event in self.cluster.events(contract="evidence"):
                if event.name:
                    self.events.append(event)
        except ClientError as error:
            self.end = str(error)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_no_call_fails_while_every_node_is_restarted_under_load(own_network: LocalNetwork) -> None:
    stop = threading.Event()
    callers = [Caller(own_network, first, stop) for first in range(CLIENTS)]
    listener = Listener(own_network)
    with ExitStack() as stack:
        for caller in callers:
            stack.callback(caller.cluster.close)
            caller.start()
        stack.callback(listener.cluster.close)
        listener.start()

        def calls() -> int:
            assert not [failure for caller in callers for failure in caller.failures]
            return sum(len(caller.acknowledged) for caller in callers)

        def go_through() -> None:
            goal = calls() + CALLS_BETWEEN
            own_network.wait(lambda: calls() >= goal, timeout_s=CALL_S, what="calls go through")

        restarts = []
        for index in range(len(own_network.plan.nodes)):
            go_through()
            restarts.append(own_network.restart(index, timeout_s=RESTART_S))
        go_through()
        stop.set()
        for caller in callers:
            caller.join(CALL_S)
            assert not caller.is_alive()
        own_network.wait(own_network.agree, timeout_s=30, what="all nodes agree")
        acknowledged = {k: v for caller in callers for k, v in caller.acknowledged.items()}
        own_network.wait(
            lambda: len(listener.events) >= len(acknowledged), timeout_s=20, what="all events"
        )
    longest_s = max(caller.longest_s for caller in callers)
    took = ", ".join(f"{seconds:.1f}" for seconds in restarts)
    print(f"{len(acknowledged)} calls, the longest {longest_s:.2f} s; restarts took {took} s")
    assert [failure for caller in callers for failure in caller.failures] == []
    seen = [(event.height, event.index) for event in listener.events]
    assert seen == sorted(set(seen)), "events come in order, none twice"
    assert sorted(event.transaction_id for event in listener.events) == sorted(
        acknowledged.values()
    ), "each acknowledged call took effect once, and nothing else did"
    for index in range(len(own_network.plan.nodes)):
        with own_network.client(index) as client:
            for wanted in acknowledged.values():
                assert client.transaction(wanted, proof=False).receipt.status == 0


@pytest.mark.long
def test_a_node_that_hangs_is_left_by_calls_and_event_streams(own_network: LocalNetwork) -> None:
    stop = threading.Event()
    caller = Caller(own_network, 0, stop)
    listener = Listener(own_network)
    with ExitStack() as stack:
        stack.callback(caller.cluster.close)
        stack.callback(listener.cluster.close)
        listener.start()
        caller.start()
        own_network.wait(
            lambda: len(listener.events) >= CALLS_BETWEEN, timeout_s=CALL_S, what="events come"
        )
        with own_network.hung(0):
            began = len(caller.acknowledged)
            took = own_network.wait(
                lambda: len(caller.acknowledged) > began + 1, timeout_s=CALL_S, what="calls go on"
            )
            own_network.wait(
                lambda: len(listener.events) > began + CALLS_BETWEEN,
                timeout_s=HUNG_STREAM_S,
                what="events go on",
            )
        stop.set()
        caller.join(CALL_S)
    assert took < HUNG_CALL_S
    assert caller.failures == []
    places = [(event.height, event.index) for event in listener.events]
    assert places == sorted(set(places))
