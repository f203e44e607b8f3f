"""Nodes with behaviour for the tests of a client of several: real gRPC servers before one chain.

The chain is a list of blocks with one transaction each. A node holds what it was handed in until
somebody waits there; then it makes the next block of it. What each node does to its next calls
the test writes down.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from typing import NoReturn

import grpc

from client.account import Account
from client.build import build_transaction
from client.cluster import Cluster
from client.trial import Clock
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.encoding import decode
from ledger.model import Event, Receipt, Transaction, TransactionBody, transaction_id
from ledger.values import encode_value
from node import wire
from shuxin.v1 import node_pb2 as pb
from shuxin.v1 import node_pb2_grpc

CHAIN = bytes(range(32))
WINDOW = 600
SIZE_MAX = 1 << 20
EVENTS = 2  # of each block
HEARTBEAT_S = 0.02


class Act(Enum):
    """What a node does to a call."""

    ANSWER = auto()
    GONE = auto()  # no answer, and nothing done
    LOST = auto()  # done, but the answer does not arrive
    LATE = auto()  # the same, and the client's patience with the call is over
    RESTART = auto()  # no answer, and the pool is empty afterwards
    STOPPING = auto()
    HALTED = auto()
    BUSY = auto()
    BUG = auto()
    LAG = auto()  # answers as it would have two blocks ago
    IDLE = auto()  # nothing becomes final in time


class Chain:
    """What all nodes agree on. Heights from 1; an event per block."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.blocks: list[Transaction] = []
        self.places: dict[bytes, int] = {}
        self.grown = threading.Event()

    def include(self, transaction: Transaction) -> None:
        with self.lock:
            wanted = bytes(transaction_id(transaction))
            if wanted not in self.places:
                self.blocks.append(transaction)
                self.places[wanted] = len(self.blocks)
                self.grown.set()

    def counted(self) -> Counter[bytes]:
        """How often each transaction is in the chain."""
        return Counter(bytes(transaction_id(transaction)) for transaction in self.blocks)


class FakeNode(node_pb2_grpc.NodeServicer):
    """Follows its script, then answers; `lag` blocks of the chain it has not seen."""

    def __init__(self, name: str, chain: Chain) -> None:
        self.name = name
        self.chain = chain
        self.chain_id = CHAIN
        self.script: deque[Act] = deque()
        self.pool: dict[bytes, Transaction] = {}
        self.calls: Counter[str] = Counter()
        self.lag = 0
        self.has_history = True
        self.asked = pb.KeyHistoryRequest()
        self.events_per_stream = 1_000_000
        self.port = 0
        self._server: grpc.Server | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        node_pb2_grpc.add_NodeServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None
        self.pool.clear()

    # --- the calls --------------------------------------------------------------------------

    def GetStatus(
        self, request: pb.GetStatusRequest, context: grpc.ServicerContext
    ) -> pb.StatusReply:
        act = self._begin("status", context)
        height = self._height(act)
        self._end(act, context)
        return pb.StatusReply(
            name=self.name, chain_id=self.chain_id, height=height, certified_height=height
        )

    def SubmitBatch(
        self, request: pb.SubmitBatchRequest, context: grpc.ServicerContext
    ) -> pb.SubmitBatchReply:
        act = self._begin("submit", context)
        verdicts = [self._verdict(data, act) for data in request.transactions]
        self._end(act, context)
        return pb.SubmitBatchReply(verdicts=verdicts)

    def _verdict(self, data: bytes, act: Act) -> pb.SubmitVerdict:
        """In the order of the real intake: scope first, then whether it is known."""
        transaction = decode(data, Transaction, size_max=SIZE_MAX)
        body = decode(transaction.body, TransactionBody, size_max=SIZE_MAX)
        wanted = bytes(transaction_id(transaction))
        height = self._height(act)
        if body.valid_until <= height:
            return pb.SubmitVerdict(error="transaction.expired", detail="too old")
        if body.valid_until > height + WINDOW:
            return pb.SubmitVerdict(error="transaction.too_early", detail="too far")
        if self._place(wanted, act):
            return pb.SubmitVerdict(error="transaction.replayed", detail="known")
        self.pool[wanted] = transaction
        return pb.SubmitVerdict(transaction_id=wanted)

    def WaitReceipt(
        self, request: pb.WaitReceiptRequest, context: grpc.ServicerContext
    ) -> pb.TransactionReply:
        act = self._begin("wait", context)
        held = self.pool.pop(request.transaction_id, None) if act is not Act.IDLE else None
        if held is not None:
            self.chain.include(held)
        self._end(act, context)
        return self._reply(request.transaction_id, act, context, "receipt.pending")

    def GetTransaction(
        self, request: pb.GetTransactionRequest, context: grpc.ServicerContext
    ) -> pb.TransactionReply:
        act = self._begin("transaction", context)
        self._end(act, context)
        return self._reply(request.transaction_id, act, context, "not_found")

    def View(self, request: pb.ViewRequest, context: grpc.ServicerContext) -> pb.ViewReply:
        """The height, as a view of the chain would see it."""
        act = self._begin("view", context)
        height = self._height(act)
        self._end(act, context)
        return pb.ViewReply(value=encode_value(height), height=height)

    def FollowEvents(
        self, request: pb.FollowEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.EventItem]:
        act = self._begin("events", context)
        self._end(act, context)
        ended = threading.Event()

        def end() -> None:
            ended.set()
            self.chain.grown.set()

        context.add_callback(end)
        height, index = max(1, request.from_height), request.from_index
        for _ in range(self.events_per_stream):
            while height > self._height(act):
                self.chain.grown.clear()
                if height > self._height(act):
                    self.chain.grown.wait(HEARTBEAT_S)
                if ended.is_set():
                    return
                yield wire.event_item(None, height=height, index=0, transaction_id=b"", time_ms=0)
            yield from (event_at(height, number) for number in range(index, EVENTS))
            height, index = height + 1, 0
        _refuse(context, grpc.StatusCode.UNAVAILABLE, "node.stopping")

    def Submit(self, request: pb.SubmitRequest, context: grpc.ServicerContext) -> pb.SubmitReply:
        raise NotImplementedError

    def GetBlock(self, request: pb.GetBlockRequest, context: grpc.ServicerContext) -> pb.BlockReply:
        raise NotImplementedError

    def GetState(self, request: pb.GetStateRequest, context: grpc.ServicerContext) -> pb.StateReply:
        raise NotImplementedError

    def GetStates(
        self, request: pb.GetStatesRequest, context: grpc.ServicerContext
    ) -> pb.StatesReply:
        raise NotImplementedError

    def GetGenesis(
        self, request: pb.GetGenesisRequest, context: grpc.ServicerContext
    ) -> pb.GenesisReply:
        raise NotImplementedError

    def GetCommittees(
        self, request: pb.GetCommitteesRequest, context: grpc.ServicerContext
    ) -> pb.CommitteesReply:
        act = self._begin("committees", context)
        self._end(act, context)
        return pb.CommitteesReply(is_complete=True)

    def KeyHistory(
        self, request: pb.KeyHistoryRequest, context: grpc.ServicerContext
    ) -> pb.KeyHistoryReply:
        if not self.has_history:
            _refuse(context, grpc.StatusCode.UNIMPLEMENTED, "history.off")
        act = self._begin("history", context)
        self._end(act, context)
        self.asked = request
        row = pb.KeyHistoryRow(height=1, present=True, value=self.name.encode())
        end = pb.PageEnd(is_complete=True, height=self._height(act))
        return pb.KeyHistoryReply(rows=[row], end=end)

    def AccountHistory(
        self, request: pb.AccountHistoryRequest, context: grpc.ServicerContext
    ) -> pb.AccountHistoryReply:
        return pb.AccountHistoryReply(end=pb.PageEnd(is_complete=True))

    def SubjectHistory(
        self, request: pb.SubjectHistoryRequest, context: grpc.ServicerContext
    ) -> pb.SubjectHistoryReply:
        return pb.SubjectHistoryReply(end=pb.PageEnd(is_complete=True))

    # --- behaviour --------------------------------------------------------------------------

    def _begin(self, call: str, context: grpc.ServicerContext) -> Act:
        """What to do to this call; does not return when that is nothing."""
        self.calls[call] += 1
        act = self.script.popleft() if self.script else Act.ANSWER
        match act:
            case Act.GONE:
                context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            case Act.RESTART:
                self.pool.clear()
                context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")
            case Act.STOPPING:
                _refuse(context, grpc.StatusCode.UNAVAILABLE, "node.stopping")
            case Act.HALTED:
                _refuse(context, grpc.StatusCode.UNAVAILABLE, "node.halted")
            case Act.BUSY:
                _refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "node.busy")
            case Act.BUG:
                context.abort(grpc.StatusCode.INTERNAL, "the node failed to answer; see its log")
            case Act.ANSWER | Act.LOST | Act.LATE | Act.LAG | Act.IDLE:
                return act

    def _end(self, act: Act, context: grpc.ServicerContext) -> None:
        if act is Act.LOST:
            context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")
        if act is Act.LATE:
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "too late")

    def _height(self, act: Act) -> int:
        lag = self.lag + (2 if act is Act.LAG else 0)
        return max(0, len(self.chain.blocks) - lag)

    def _place(self, wanted: bytes, act: Act) -> int | None:
        place = self.chain.places.get(wanted)
        return place if place is not None and place <= self._height(act) else None

    def _reply(
        self, wanted: bytes, act: Act, context: grpc.ServicerContext, code: str
    ) -> pb.TransactionReply:
        place = self._place(wanted, act)
        if place is None:
            _refuse(context, grpc.StatusCode.NOT_FOUND, code)
        receipt = Receipt(wanted, 0, 1, (), encode_value(None), "", "")
        return wire.transaction_reply(self.chain.blocks[place - 1], receipt, height=place, index=0)


def event_at(height: int, index: int) -> pb.EventItem:
    event = Event("notes", "Written", (("place", encode_value([height, index])),))
    return wire.event_item(
        event, height=height, index=index, transaction_id=bytes(32), time_ms=height
    )


def _refuse(context: grpc.ServicerContext, status: grpc.StatusCode, code: str) -> NoReturn:
    context.set_trailing_metadata((("shuxin-code", code),))
    context.abort(status, f"says {code}")


class Passing:
    """A clock that moves a little with each look, and by what is paused."""

    def __init__(self, *, step_s: float = 0.001) -> None:
        self.step_s = step_s
        self.now_s = 0.0
        self.pauses: list[float] = []

    def now(self) -> float:
        self.now_s += self.step_s
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=self.now, pause=self.pause)


class World:
    """`size` nodes of one chain, and an account."""

    def __init__(self, size: int = 4) -> None:
        self.chain = Chain()
        self.nodes = [FakeNode(f"node{index}", self.chain) for index in range(size)]
        self.account = Account(SoftwareProvider(sm2.generate()))
        for node in self.nodes:
            node.start()

    def close(self) -> None:
        for node in self.nodes:
            node.stop()

    def cluster(self, passing: Passing | None = None, *, patience_s: float = 30.0) -> Cluster:
        return Cluster(
            [node.target for node in self.nodes],
            patience_s=patience_s,
            wait_turn_s=0.01,
            clock=(passing or Passing()).clock,
        )

    def reset(self, scripts: Sequence[Sequence[Act]]) -> None:
        """A new chain, empty pools, and what the nodes do from now on."""
        self.chain = Chain()
        for node, script in zip(self.nodes, scripts, strict=True):
            node.chain, node.lag = self.chain, 0
            node.pool.clear()
            node.script = deque(script)

    def grow(self, count: int) -> None:
        """Blocks of others' transactions."""
        for _ in range(count):
            self.chain.include(self.transaction())

    def transaction(self, *, valid_until: int = 300) -> Transaction:
        return build_transaction(
            self.account,
            chain_id=CHAIN,
            valid_until=valid_until,
            contract="notes",
            method="write",
            args=["k", "x"],
        )
