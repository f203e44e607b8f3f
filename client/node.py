"""NodeClient: the node's interface as typed Python calls."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.message import Message

from client.account import Account
from client.build import build_query
from client.channel import NO_SECURITY, Channel, Security
from client.errors import NodeUnavailable, Refused
from client.history import (
    account_page,
    account_request,
    key_page,
    key_request,
    subject_page,
    subject_request,
)
from client.signing import SERVICE, Metadata, signed
from client.status import NodeStatus, status_of
from client.translation import (
    BUSY,
    INCONSISTENT,
    MESSAGE_SIZE_MAX,
    explained,
    translated,
    unreadable,
)
from ledger.batch_proof import BatchProof
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.genesis import GENESIS_SIZE_MAX, Genesis
from ledger.history.pages import WHOLE, AccountEntry, KeyChange, Page, Span, SubjectEntry
from ledger.merkle import ListPath
from ledger.model import (
    Block,
    BlockHeader,
    CommitCertificate,
    Event,
    ExecutionCertificate,
    Receipt,
    Transaction,
    ValidatorSet,
    transaction_id,
)
from ledger.proof import StateKey, StateProof
from ledger.succession import COMMITTEE_CHANGES_MAX, CommitteeChange
from ledger.values import Value, decode_value
from shuxin.v1 import node_pb2, node_pb2_grpc

CALL_TIMEOUT_S = 15.0
WAIT_SLICE_MS = 10_000  # one waiting call; longer waits are made of several
WAIT_PAUSE_S = 0.25  # before a node is asked again whose waiting calls are all taken
PENDING = "receipt.pending"

Q = TypeVar("Q", bound=Message)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fate of one transaction of a batch; `error` is empty when it was accepted."""

    transaction_id: bytes
    error: str
    detail: str


@dataclass(frozen=True, slots=True)
class Proven:
    """What ties a transaction to an execution certificate."""

    header: BlockHeader
    certificate: ExecutionCertificate
    transaction_path: ListPath
    receipt_path: ListPath


@dataclass(frozen=True, slots=True)
class Outcome:
    """A transaction in a certified block, and what became of it."""

    transaction: Transaction
    receipt: Receipt
    height: int
    index: int
    proof: Proven | None


@dataclass(frozen=True, slots=True)
class BlockView:
    block: Block
    hash: bytes
    receipts: tuple[Receipt, ...]
    commit_certificate: CommitCertificate | None
    execution_certificate: ExecutionCertificate | None


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """One event; (height, index) is its place, and the cursor to resume after it.

    `name` is empty for a heartbeat: nothing happened below this height that was asked for.
    """

    height: int
    index: int
    transaction_id: bytes
    contract: str
    name: str
    fields: dict[str, Value]
    time_ms: int


@dataclass(frozen=True, slots=True)
class Viewed:
    """What a view returned, and the height whose state it saw."""

    value: Value
    height: int


@dataclass(frozen=True, slots=True)
class StateValue:
    value: bytes | None
    proof: StateProof
    certificate: ExecutionCertificate


@dataclass(frozen=True, slots=True)
class StatesProven:
    """What many keys hold, in the order asked, is `proof.values`: None for absent ones."""

    proof: BatchProof
    certificate: ExecutionCertificate


class NodeClient:
    """A connection to one node. Thread safe; close it, or use it as a context manager.

    Every call raises Refused or NodeUnavailable, nothing else (but ValueError for arguments that
    are no contract values).
    """

    def __init__(
        self,
        target: str,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        chain_id: bytes | None = None,
        security: Security = NO_SECURITY,
        caller: Account | None = None,
    ) -> None:
        """`target` is an address as client.channel has them, which `security` is for.

        `chain_id`: what is signed is for this chain, whatever the node says of itself. `caller` is
        who the node is told that asks; without one it answers what is public. Raises ValueError
        for an address that cannot be used.
        """
        self.target = target
        self._caller = caller
        self._timeout_s = timeout_s
        self._channel = Channel(
            target,
            security,
            options=[
                ("grpc.max_receive_message_length", MESSAGE_SIZE_MAX),
                ("grpc.max_send_message_length", MESSAGE_SIZE_MAX),
                ("grpc.enable_http_proxy", 0),
                ("grpc.min_reconnect_backoff_ms", 200),
                ("grpc.max_reconnect_backoff_ms", 2000),
                # A stream from a node that hangs, or whose machine is gone, ends within half a
                # minute. (A node takes a ping every 10 s. gRPC's own bounds are a ping a minute
                # and a minute's patience with its answer.)
                ("grpc.keepalive_time_ms", 15_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.http2.max_pings_without_data", 0),
                ("grpc.http2.ping_timeout_ms", 10_000),
            ],
        )
        self._stub = node_pb2_grpc.NodeStub(self._channel.calls)
        self._chain_id = chain_id
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all calls under way, also those of other threads: they raise NodeUnavailable."""
        self._is_closed = True
        self._channel.close()

    def check_open(self) -> None:
        """Raises NodeUnavailable once the client is closed."""
        if self._is_closed:
            raise NodeUnavailable(self.target, "this client is closed")

    @property
    def patience_s(self) -> float:
        return self._timeout_s

    def why_away(self, said: str) -> str:
        """Why there is no connection, where this end knows; `said` is gRPC's account."""
        return self._channel.why_away(said)

    @property
    def chain_id(self) -> bytes:
        """SM3 of the node's genesis: as given, or asked once."""
        if self._chain_id is None:
            self._chain_id = self.bare_status().chain_id
        return self._chain_id

    def _ask(self, name: str, call: grpc.UnaryUnaryMultiCallable[Q, R], request: Q) -> R:
        """One signed call with one answer."""
        return call(request, timeout=self._timeout_s, metadata=self._signed(name, request))

    def _signed(self, name: str, request: Message) -> Metadata:
        """What says who asks; nothing where nobody is named."""
        return () if self._caller is None else self._signed_by(self._caller, name, request)

    def _signed_by(self, account: Account, name: str, request: Message) -> Metadata:
        return signed(account, request, method=SERVICE + name, chain_id=self.chain_id)

    @translated
    def status(self) -> NodeStatus:
        """What a node says of itself; to who is not known to it, without its inside."""
        request = node_pb2.GetStatusRequest()
        reply = self._ask("GetStatus", self._stub.GetStatus, request)
        return status_of(reply)

    @translated
    def bare_status(self) -> NodeStatus:
        """What a node says to anybody: unsigned, so also before its chain is known."""
        return status_of(self._stub.GetStatus(node_pb2.GetStatusRequest(), timeout=self._timeout_s))

    @translated
    def genesis(self) -> Genesis:
        reply = self._stub.GetGenesis(node_pb2.GetGenesisRequest(), timeout=self._timeout_s)
        return decode(reply.genesis, Genesis, size_max=GENESIS_SIZE_MAX)

    def committee_changes(self, above: int = 0) -> tuple[CommitteeChange, ...]:
        """All changes of the committee that took effect with a base above `above`, oldest first.

        They are the node's word: `ledger.succession.follow_changes` checks them.
        """
        found: list[CommitteeChange] = []
        is_complete = False
        while not is_complete:
            page, is_complete = self._committees(found[-1].base if found else above)
            found += page
            if len(found) > COMMITTEE_CHANGES_MAX or not (page or is_complete):
                raise Refused(
                    INCONSISTENT,
                    f"the node lists changes of the committee without an end, or more than "
                    f"{COMMITTEE_CHANGES_MAX}: ask another node",
                )
        return tuple(found)

    @translated
    def _committees(self, above: int) -> tuple[list[CommitteeChange], bool]:
        """The changes of one answer, and whether these are the last."""
        request = node_pb2.GetCommitteesRequest(above=above)
        reply = self._stub.GetCommittees(request, timeout=self._timeout_s)
        changes = []
        for item in reply.committees:
            change = CommitteeChange(
                validators=_decoded(item.validators, ValidatorSet),
                certificate=_decoded(item.certificate, ExecutionCertificate),
            )
            if not above < change.base == item.base:
                raise Refused(INCONSISTENT, "the changes of the committee do not follow each other")
            above = change.base
            changes.append(change)
        return changes, reply.is_complete

    @translated
    def submit(self, transaction: Transaction) -> bytes:
        """Hands in a transaction; returns its id once the node holds it (not: once final)."""
        request = node_pb2.SubmitRequest(transaction=encode(transaction))
        return self._ask("Submit", self._stub.Submit, request).transaction_id

    @translated
    def submit_batch(self, transactions: Sequence[Transaction]) -> list[Verdict]:
        """Hands in many at once; one verdict each, in order."""
        return self.submit_encoded([encode(transaction) for transaction in transactions])

    @translated
    def submit_encoded(self, transactions: Sequence[bytes]) -> list[Verdict]:
        """`submit_batch` for transactions that are bytes already."""
        request = node_pb2.SubmitBatchRequest(transactions=transactions)
        reply = self._ask("SubmitBatch", self._stub.SubmitBatch, request)
        return [Verdict(v.transaction_id, v.error, v.detail) for v in reply.verdicts]

    def wait(self, wanted: bytes, *, timeout_s: float = 30.0, proof: bool = False) -> Outcome:
        """Waits until `wanted` is in a certified block; with what proves it if `proof`.

        Raises Refused("receipt.pending") when `timeout_s` is over, Refused("transaction.expired")
        when it can no longer be included, Refused("node.halted") when the node moves no more.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            began = time.monotonic()
            left_ms = max(1, int((deadline - began) * 1000))
            try:
                return self._wait_once(wanted, min(left_ms, WAIT_SLICE_MS), proof)
            except Refused as refusal:
                if refusal.code not in (PENDING, BUSY) or time.monotonic() >= deadline:
                    raise
            if time.monotonic() - began < WAIT_PAUSE_S:  # it did not wait: no thread was free
                time.sleep(min(WAIT_PAUSE_S, max(0.0, deadline - time.monotonic())))

    @translated
    def _wait_once(self, wanted: bytes, timeout_ms: int, proof: bool) -> Outcome:
        request = node_pb2.WaitReceiptRequest(
            transaction_id=wanted, timeout_ms=timeout_ms, with_proof=proof
        )
        timeout_s = timeout_ms / 1000 + self._timeout_s
        return _outcome(
            self._stub.WaitReceipt(
                request, timeout=timeout_s, metadata=self._signed("WaitReceipt", request)
            ),
            wanted,
        )

    @translated
    def transaction(self, wanted: bytes, *, proof: bool = True) -> Outcome:
        """A transaction in a stored block; with its Merkle paths and certificate if `proof`."""
        request = node_pb2.GetTransactionRequest(transaction_id=wanted, with_proof=proof)
        return _outcome(self._ask("GetTransaction", self._stub.GetTransaction, request), wanted)

    def view(self, account: Account, contract: str, method: str, *args: Value) -> Value:
        """The value of a view, asked as `account`."""
        return self.viewed(account, contract, method, *args).value

    @translated
    def viewed(self, account: Account, contract: str, method: str, *args: Value) -> Viewed:
        """`view`, with the height at which the value holds."""
        query = build_query(
            account, chain_id=self.chain_id, contract=contract, method=method, args=args
        )
        request = node_pb2.ViewRequest(query=encode(query))
        # The header is of who the contract is told that asks.
        reply = self._stub.View(
            request, timeout=self._timeout_s, metadata=self._signed_by(account, "View", request)
        )
        return Viewed(decode_value(reply.value), reply.height)

    @translated
    def block(self, height: int) -> BlockView:
        request = node_pb2.GetBlockRequest(height=height)
        reply = self._ask("GetBlock", self._stub.GetBlock, request)
        return BlockView(
            block=_decoded(reply.block, Block),
            hash=reply.hash,
            receipts=tuple(_decoded(receipt, Receipt) for receipt in reply.receipts),
            commit_certificate=_optional(reply.commit_certificate, CommitCertificate),
            execution_certificate=_optional(reply.execution_certificate, ExecutionCertificate),
        )

    @translated
    def state(self, namespace: str, key: bytes, *, height: int = 0) -> StateValue:
        """A raw state value, at `height` or (0) the newest certified one, with its proof."""
        request = node_pb2.GetStateRequest(namespace=namespace, key=key, height=height)
        reply = self._ask("GetState", self._stub.GetState, request)
        return StateValue(
            value=reply.value if reply.present else None,
            proof=_decoded(reply.proof, StateProof),
            certificate=_decoded(reply.certificate, ExecutionCertificate),
        )

    @translated
    def states(self, keys: Sequence[StateKey], *, height: int = 0) -> StatesProven:
        """Many keys (1 to BATCH_KEYS_MAX, each once) of one height with one proof."""
        request = node_pb2.GetStatesRequest(
            keys=[node_pb2.StateKey(namespace=namespace, key=key) for namespace, key in keys],
            height=height,
        )
        reply = self._ask("GetStates", self._stub.GetStates, request)
        proof = _decoded(reply.proof, BatchProof)
        if len(proof.values) != len(keys):
            raise Refused(INCONSISTENT, "the node's answer is about another number of keys")
        return StatesProven(proof, _decoded(reply.certificate, ExecutionCertificate))

    @translated
    def key_history(self, namespace: str, key: bytes, span: Span = WHOLE) -> Page[KeyChange]:
        """What blocks left under a key, a page of it. The node's word."""
        request = key_request(namespace, key, span)
        return key_page(self._ask("KeyHistory", self._stub.KeyHistory, request), span)

    @translated
    def account_history(self, address: str, span: Span = WHOLE) -> Page[AccountEntry]:
        """The transactions that an account sent, a page of them (client.history checks rows)."""
        request = account_request(address, span)
        return account_page(self._ask("AccountHistory", self._stub.AccountHistory, request), span)

    @translated
    def subject_history(
        self, subject: str | bytes, span: Span = WHOLE, *, contract: str = "", field: str = ""
    ) -> Page[SubjectEntry]:
        """The events about a subject, a page of them (client.history checks rows)."""
        request = subject_request(subject, span, contract=contract, field=field)
        return subject_page(self._ask("SubjectHistory", self._stub.SubjectHistory, request), span)

    def events(
        self, *, from_height: int = 0, from_index: int = 0, contract: str = "", name: str = ""
    ) -> Generator[ChainEvent, None, None]:
        """Follows certified events from a cursor, for ever; heartbeats have an empty name."""
        self.check_open()
        request = node_pb2.FollowEventsRequest(
            from_height=from_height, from_index=from_index, contract=contract, name=name
        )
        stream = self._stub.FollowEvents(request, metadata=self._signed("FollowEvents", request))
        try:
            for item in stream:
                yield _event(item)
        except grpc.RpcError as error:
            raise explained(error, self) from None
        except DecodeError as error:
            raise unreadable(error) from None
        finally:
            stream.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it bare


def _decoded(data: bytes, kind: type[R]) -> R:
    return decode(data, kind, size_max=MESSAGE_SIZE_MAX)


def _optional(data: bytes, kind: type[R]) -> R | None:
    return _decoded(data, kind) if data else None


def _outcome(reply: node_pb2.TransactionReply, wanted: bytes) -> Outcome:
    transaction = _decoded(reply.transaction, Transaction)
    receipt = _decoded(reply.receipt, Receipt)
    if not receipt.transaction_id == transaction_id(transaction) == wanted:
        raise Refused(INCONSISTENT, "the node's answer is about another transaction")
    proof = None
    if reply.header:
        proof = Proven(
            header=_decoded(reply.header, BlockHeader),
            certificate=_decoded(reply.certificate, ExecutionCertificate),
            transaction_path=_path(reply.transaction_path),
            receipt_path=_path(reply.receipt_path),
        )
    return Outcome(transaction, receipt, reply.height, reply.index, proof)


def _path(path: node_pb2.MerklePath) -> ListPath:
    return ListPath(index=path.index, size=path.size, siblings=tuple(path.siblings))


def _event(item: node_pb2.EventItem) -> ChainEvent:
    if not item.event:
        return ChainEvent(item.height, item.index, b"", "", "", {}, item.time_ms)
    event = _decoded(item.event, Event)
    return ChainEvent(
        height=item.height,
        index=item.index,
        transaction_id=item.transaction_id,
        contract=event.contract,
        name=event.name,
        fields={name: decode_value(value) for name, value in event.fields},
        time_ms=item.time_ms,
    )
