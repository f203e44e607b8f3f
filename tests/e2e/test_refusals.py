"""Bad input over gRPC: each kind has its own code and a sentence, and nothing changes."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import msgspec
import pytest

from client.account import Account
from client.build import build_transaction
from client.errors import Refused
from client.node import NodeClient
from client.session import Session
from client.signing import SERVICE, signed
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.encoding import decode, encode
from ledger.model import TAG_TRANSACTION, Transaction, TransactionBody
from ledger.values import Value, encode_value
from node import refusals
from shuxin.v1 import node_pb2, node_pb2_grpc
from tests.business import DEMAND
from tests.e2e.harness import LocalNetwork

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@dataclass(frozen=True)
class Forge:
    """Makes transactions that are wrong in one way."""

    account: Account
    chain_id: bytes
    height: int

    def good(self, **changes: object) -> Transaction:
        """A signed transaction with some fields of the body changed before signing."""
        transaction = build_transaction(
            self.account,
            chain_id=self.chain_id,
            valid_until=self.height + 100,
            contract="evidence",
            method="record",
            args=[f"refusal-{secrets.token_hex(6)}", "authorization.decision", "s", bytes(32), ""],
        )
        body = decode(transaction.body, TransactionBody, size_max=1 << 20)
        return self.sign(encode(msgspec.structs.replace(body, **changes)))

    def sign(self, body: bytes) -> Transaction:
        return Transaction(body=body, signature=self.account.sign(TAG_TRANSACTION + body))


@pytest.fixture
def forge(network: LocalNetwork) -> Forge:
    account = network.account("operator")
    with network.client() as client:
        status = client.status()
    return Forge(account, status.chain_id, status.height)


def off_curve_key() -> bytes:
    return bytes(31) + b"\x05" + bytes(31) + b"\x07"


def wide_integers(encoded: bytes) -> bytes:
    """The same array with its version written as a 64-bit integer: decodable, not canonical."""
    assert encoded[1] == 1
    return encoded[:1] + b"\xcf" + (1).to_bytes(8, "big") + encoded[2:]


REFUSED_AT_THE_DOOR: dict[str, tuple[Callable[[Forge], Transaction], str]] = {
    "bad signature": (
        lambda f: msgspec.structs.replace(
            f.good(), signature=bytes(31) + b"\x01" + bytes(31) + b"\x02"
        ),
        refusals.SIGNATURE,
    ),
    "signature of another body": (
        lambda f: msgspec.structs.replace(f.good(), signature=f.good().signature),
        refusals.SIGNATURE,
    ),
    "off-curve key": (lambda f: f.good(sender=off_curve_key()), refusals.SIGNATURE),
    "short key": (lambda f: f.good(sender=b"\x01" * 33), refusals.KEY),
    "expired": (lambda f: f.good(valid_until=0), refusals.EXPIRED),
    "valid for too long": (lambda f: f.good(valid_until=f.height + 10_000), refusals.TOO_EARLY),
    "another chain": (lambda f: f.good(chain_id=bytes(32)), refusals.CHAIN),
    "another version": (lambda f: f.good(version=99), refusals.VERSION),
    "oversized": (lambda f: f.good(args=encode_value(["x" * 60_000] * 4)), refusals.OVERSIZED),
    "non-canonical encoding": (lambda f: f.sign(wide_integers(f.good().body)), refusals.ENCODING),
    "trailing bytes": (lambda f: f.sign(f.good().body + b"\x00"), refusals.ENCODING),
    "arguments that are no list": (lambda f: f.good(args=encode_value("x")), refusals.ARGUMENTS),
    "no gas": (lambda f: f.good(gas_limit=0), refusals.GAS_LIMIT),
    "too much gas": (lambda f: f.good(gas_limit=10**12), refusals.GAS_LIMIT),
}


@pytest.mark.parametrize("kind", sorted(REFUSED_AT_THE_DOOR))
def test_a_bad_transaction_is_refused_with_its_own_code(
    network: LocalNetwork, forge: Forge, kind: str
) -> None:
    make, code = REFUSED_AT_THE_DOOR[kind]
    with network.client() as client:
        before = client.status()
        with pytest.raises(Refused) as caught:
            client.submit(make(forge))
        assert caught.value.code == code
        assert len(caught.value.detail) > 20, "a refusal says what to do"
        verdict = client.submit_batch([make(forge)])[0]
        assert verdict.error == code
        after = client.status()
    assert (after.height, after.state_root) == (before.height, before.state_root)


def test_a_transaction_in_a_block_is_not_taken_again(network: LocalNetwork, forge: Forge) -> None:
    transaction = forge.good()
    with network.client() as client:
        client.wait(client.submit(transaction))
        with pytest.raises(Refused) as caught:
            client.submit(transaction)
    assert caught.value.code == refusals.REPLAYED


REFUSED_BY_EXECUTION: dict[str, tuple[str, str, list[object], int, str]] = {
    "unknown contract": ("nothing-here", "call", [], 500_000, "unknown_contract"),
    "unknown method": ("evidence", "vanish", [], 500_000, "unknown_method"),
    "too few arguments": ("evidence", "record", ["id"], 500_000, "bad_arguments"),
    "wrong argument types": ("evidence", "record", [1, 2, 3, 4, 5], 500_000, "bad_arguments"),
    "out of gas": (
        "evidence",
        "record",
        ["gas-1", "authorization.decision", "s", bytes(32), ""],
        10,
        "out_of_gas",
    ),
}


@pytest.mark.parametrize("kind", sorted(REFUSED_BY_EXECUTION))
def test_a_call_that_cannot_run_has_a_receipt_with_its_code(
    network: LocalNetwork, kind: str
) -> None:
    contract, method, args, gas, code = REFUSED_BY_EXECUTION[kind]
    session = network.session("operator")
    with session.node, pytest.raises(Refused) as caught:
        session.call(contract, method, *args, gas_limit=gas)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert len(caught.value.detail) > 10, "a refusal says what to do"


def test_a_stranger_is_no_party(network: LocalNetwork) -> None:
    stranger = Account(SoftwareProvider(sm2.generate()))
    with network.client() as client, pytest.raises(Refused) as caught:
        Session(client, stranger).call(
            "evidence", "record", "stranger-1", "authorization.decision", "s", bytes(32), ""
        )
    assert caught.value.code == "refused"


SUPPLIERS = ("supplier-a", "supplier-b", "supplier-c")
GRANT_S = 10.0  # long enough to sign it and create a task, short enough to wait for its end


@dataclass(frozen=True)
class Granted:
    """A demand that was approved, and a task under its grant; ids are this run's own."""

    network: LocalNetwork
    mark: str

    def call(self, party: str, contract: str, method: str, *args: Value) -> None:
        session = self.network.session(party)
        with session.node:
            session.call(contract, method, *args)

    def refusal(self, party: str, contract: str, method: str, *args: Value) -> Refused:
        with pytest.raises(Refused) as caught:
            self.call(party, contract, method, *args)
        return caught.value

    @property
    def datasets(self) -> list[Value]:
        return [f"{supplier}-{self.mark}" for supplier in SUPPLIERS]

    def approve(self) -> None:
        for supplier, dataset in zip(SUPPLIERS, self.datasets, strict=True):
            schema: Value = [["cost", "int", "claim"]]
            text: list[Value] = ["t", "d", ["x"], schema, "claims", 3, 0]
            self.call(supplier, "catalog", "draft", dataset, "", *text)
            rows: list[Value] = [5, bytes(32), [["completeness", 1_000_000]]]
            self.call(supplier, "catalog", "collect", dataset, *rows)
            self.call(supplier, "catalog", "register", dataset)
        demand = f"demand-{self.mark}"
        self.call("consumer", "demand", "file", demand, *DEMAND)
        self.call("operator", "demand", "prescreen", demand, True, "complete")
        self.call("manager", "demand", "review", demand, True, "lawful", self.datasets)

    def issue(self, grant: str, seconds: float) -> None:
        expires_ms = int((time.time() + seconds) * 1000)
        self.call(
            "operator", "grant", "request", grant, f"demand-{self.mark}", "pricing",
            self.datasets, ["statistics/1"], ["statistics"], ["derive"], [], [],
            0, expires_ms, 5, "none", "",
        )  # fmt: skip
        session = self.network.session("manager")
        with session.node:
            shown = session.view("grant", "show", grant)
        assert isinstance(shown, dict)
        self.call("manager", "grant", "review", grant)
        self.call("manager", "grant", "decide", grant, True, "lawful", shown["digest"])
        self.call("operator", "grant", "accept", grant, shown["digest"])

    def order(self, task: str, grant: str, seconds: float = GRANT_S / 2) -> list[Value]:
        participants: list[Value] = [
            [supplier, dataset] for supplier, dataset in zip(SUPPLIERS, self.datasets, strict=True)
        ]
        deadline_ms = int((time.time() + seconds) * 1000)
        words: list[Value] = [task, grant, "statistics/1", b"program", participants, bytes(64)]
        return [*words, deadline_ms, "", ""]


@pytest.fixture(scope="module")
def granted(network: LocalNetwork) -> Granted:
    case = Granted(network, secrets.token_hex(4))
    case.approve()
    return case


def test_a_task_without_a_grant_is_refused(granted: Granted) -> None:
    refusal = granted.refusal(
        "operator", "task", "create", *granted.order("task-x", "no-such-grant")
    )
    assert refusal.code == "refused"
    assert "grant.unknown" in refusal.detail


def test_a_task_under_an_expired_grant_is_refused(granted: Granted) -> None:
    grant = f"short-{granted.mark}"
    granted.issue(grant, GRANT_S)
    granted.call("operator", "task", "create", *granted.order(f"in-{granted.mark}", grant))
    time.sleep(GRANT_S)
    refusal = granted.refusal(
        "operator", "task", "create", *granted.order(f"late-{granted.mark}", grant)
    )
    assert refusal.code == "refused"
    assert "grant.expired" in refusal.detail


def test_a_result_from_a_party_that_was_not_assigned_is_refused(granted: Granted) -> None:
    grant, task = f"long-{granted.mark}", f"task-{granted.mark}"
    granted.issue(grant, 3600)
    granted.call("operator", "task", "create", *granted.order(task, grant))
    refusal = granted.refusal(
        "consumer", "task", "report", task, bytes(32), bytes(32), bytes(32), b"share", [1], "none"
    )
    assert refusal.code == "refused"
    assert "task.participant" in refusal.detail


def test_a_query_signed_by_another_is_refused(network: LocalNetwork) -> None:
    from client.build import build_query

    account = network.account("operator")
    with network.client() as client:
        chain = client.chain_id
    query = build_query(account, chain_id=chain, contract="parties", method="list", args=[0, 10])
    forged = msgspec.structs.replace(query, signature=bytes(63) + b"\x01")
    with grpc.insecure_channel(network.plan.nodes[0].api) as channel:
        stub = node_pb2_grpc.NodeStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            request = node_pb2.ViewRequest(query=encode(forged))
            header = signed(account, request, method=SERVICE + "View", chain_id=chain)
            stub.View(request, timeout=10, metadata=header)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("size", [0, 1, 100, 100_000])
def test_random_bytes_are_refused_as_encoding(network: LocalNetwork, size: int) -> None:
    with network.client() as client:
        verdict = client.submit_encoded([secrets.token_bytes(size)])[0]
    assert verdict.error == refusals.ENCODING


def test_garbage_on_the_ports_closes_the_connection_and_nothing_else(
    network: LocalNetwork,
) -> None:
    entry = network.plan.nodes[1]
    p2p_port = int(entry.listen.rsplit("/", 1)[1])
    api_port = int(entry.api.rsplit(":", 1)[1])
    for port in (p2p_port, api_port):
        with socket.create_connection(("127.0.0.1", port), timeout=15) as raw:
            raw.sendall(b"\x00\xff" * 5_000)
            answer = b"waiting"
            while answer:
                try:
                    answer = raw.recv(65536)
                except ConnectionResetError:
                    break
    status = network.status(1)
    assert status is not None
    assert status.phase == "ordering"
    assert isinstance(NodeClient(entry.api).bare_status().height, int)
