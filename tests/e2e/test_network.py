"""The network lives through what operators fear: dead primaries, power loss, late nodes."""

from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path

import pytest

from client.errors import ClientError
from client.session import Session
from ledger.certificates import verify_execution_certificate
from ledger.merkle import transaction_leaf, verify_path
from ledger.model import receipt_digest
from tests.e2e.harness import LocalNetwork, shuxin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RESUME_S = 10.0  # issue 2: commits resume within this after the primary's death


def record(session: Session, note: str = "") -> bytes:
    """One evidence record; returns the transaction id once it is certified."""
    name = f"e-{secrets.token_hex(8)}"
    outcome = session.call(
        "evidence", "record", name, "authorization.decision", name, bytes(32), note
    )
    return outcome.receipt.transaction_id


def test_four_nodes_show_one_height_and_one_state_root(network: LocalNetwork) -> None:
    session = network.session("operator")
    with session.node:
        record(session)
    network.wait(network.agree, timeout_s=20, what="all nodes at one certified height")
    status = network.status_json()
    nodes = status["nodes"]
    assert isinstance(nodes, list)
    assert status["agree"] is True
    assert len({node["state_root"] for node in nodes}) == 1
    assert len({node["height"] for node in nodes}) == 1


def test_a_transaction_is_proven_by_a_quorum_on_every_node(network: LocalNetwork) -> None:
    from crypto.providers.software import verify_batch

    session = network.session("operator")
    with session.node:
        wanted = record(session)
        genesis = session.node.genesis()
        chain_id = session.node.chain_id
    network.wait(network.agree, timeout_s=20, what="all nodes certified")
    for index in range(4):
        with network.client(index) as client:
            outcome = client.transaction(wanted, proof=True)
        proof = outcome.proof
        assert proof is not None
        verify_execution_certificate(proof.certificate, genesis.validators, chain_id, verify_batch)
        verify_path(
            transaction_leaf(outcome.transaction),
            proof.transaction_path,
            proof.header.transactions_root,
        )
        verify_path(
            receipt_digest(outcome.receipt),
            proof.receipt_path,
            proof.certificate.statement.receipts_root,
        )


def test_events_resume_from_a_cursor(network: LocalNetwork) -> None:
    session = network.session("operator")
    with session.node:
        seen = [record(session) for _ in range(3)]
        start = session.node.transaction(seen[0], proof=False).height
        found = []
        for event in session.node.events(from_height=start, contract="evidence"):
            if event.transaction_id in seen:
                found.append((event.height, event.index, event.transaction_id))
            if len(found) == 3:
                break
        height, index, _ = found[0]
        resumed = next(
            event
            for event in session.node.events(
                from_height=height, from_index=index + 1, contract="evidence"
            )
            if event.name
        )
    assert [item[2] for item in found] == seen
    assert (resumed.height, resumed.index) == found[1][:2]


class Load:
    """A client that sends all the time and remembers what was acknowledged as certified."""

    def __init__(self, network: LocalNetwork) -> None:
        self._network = network
        self._stop = threading.Event()
        self.acknowledged: list[tuple[float, bytes]] = []
        self._threads = [
            threading.Thread(target=self._run, args=(i,), daemon=True)
            for i in range(len(network.plan.nodes))
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, index: int) -> None:
        session = self._network.session("operator", index)
        with session.node:
            while not self._stop.is_set():
                try:
                    wanted = record(session)
                except ClientError:
                    time.sleep(0.2)
                    continue
                self.acknowledged.append((time.monotonic(), wanted))

    def wait(self, count: int, timeout_s: float = 60) -> None:
        goal = len(self.acknowledged) + count
        self._network.wait(
            lambda: len(self.acknowledged) >= goal, timeout_s=timeout_s, what=f"{count} commits"
        )


@pytest.mark.long
def test_commits_resume_after_the_primary_is_killed(own_network: LocalNetwork) -> None:
    with Load(own_network) as load:
        load.wait(10)
        status = own_network.status(0)
        assert status is not None
        primary = own_network.plan.nodes[status.primary].name
        own_network.kill(primary)
        killed = time.monotonic()
        load.wait(10, timeout_s=RESUME_S + 20)
        resumed = next(at for at, _ in load.acknowledged if at > killed + 1.0)
    assert resumed - killed < RESUME_S
    own_network.wait(own_network.agree, timeout_s=60, what="the killed node caught up")


def test_no_acknowledged_transaction_is_lost_when_all_nodes_are_killed(
    own_network: LocalNetwork,
) -> None:
    with Load(own_network) as load:
        load.wait(30)
        own_network.kill(*[node.name for node in own_network.plan.nodes])
        time.sleep(0.5)
        survivors = len(load.acknowledged)
        load.wait(10, timeout_s=90)
    assert survivors >= 30
    own_network.wait(own_network.agree, timeout_s=60, what="all nodes agree again")
    for index in range(4):
        with own_network.client(index) as client:
            for _, wanted in load.acknowledged:
                assert client.transaction(wanted, proof=False).receipt.status == 0


@pytest.mark.long
def test_seven_nodes_work_too(tmp_path: Path) -> None:
    network = LocalNetwork(tmp_path / "seven", nodes=7)
    try:
        network.up()
        session = network.session("operator", 5)
        with session.node:
            record(session)
        network.wait(network.agree, timeout_s=30, what="seven nodes agree")
        assert len(network.statuses()) == 7
    finally:
        network.down()


def test_an_up_network_is_not_started_twice(network: LocalNetwork) -> None:
    again = shuxin("net", "up", str(network.root))
    assert again.returncode == 1
    assert "net down" in again.stderr
