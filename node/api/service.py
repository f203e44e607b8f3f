"""The methods of shuxin.v1.Node."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Final

import grpc

from crypto.errors import CryptoError
from ledger import merkle
from ledger.encoding import decode, encode
from ledger.model import (
    DIGEST_SIZE,
    PROTOCOL_VERSION,
    TAG_QUERY,
    Query,
    SignedQuery,
    address_of,
    block_hash,
    receipt_digest,
)
from node import VERSION, intake, refusals, wire
from node.api import guard, history, states
from node.api.access import caller, drawing
from node.api.backend import Backend
from node.api.levels import Level
from node.mempool import Admitted
from node.refusals import Refusal
from shuxin.v1 import node_pb2 as pb
from shuxin.v1 import node_pb2_grpc

BATCH_MAX = 1000  # transactions of one call: a block's worth, verified in under a second
WAIT_MS_MAX = 30_000  # a waiting call pins a thread; clients ask again
QUICK_THREADS = 4  # that no waiting call may take: status and submissions are answered always
QUERY_SIZE_MAX = 64 << 10  # bytes
# How far a query's time may be from this machine's clock. Not from the committee's time: it is the
# client's clock that is compared, nothing on the chain depends on it, and these are other threads.
QUERY_WINDOW_MS = 60_000
HEARTBEAT_S = 2.0  # an idle event stream moves its cursor this often
EVENTS_BLOCKS_MAX = 64  # heights read between two looks at whether the client is still there
# A stream that is behind reads the disk for as long as its caller's quota lasts. By what it takes
# (node.api.quotas): some 20 empty blocks, or some 300 receipts, take the time of a unit.
BLOCKS_PER_UNIT = 16
RECEIPTS_PER_UNIT = 256
# What a status tells of the machine and of the links: not for everybody.
INSIDE: Final = ("peers", "resident_bytes", "mempool_transactions", "jail", "is_jailed", "growth")
COMMITTEES_MAX = 64  # of one answer: 1.7 MB of committees of 64


class NodeService(node_pb2_grpc.NodeServicer):
    """Stateless but for the count of subscribers; all state is the backend's."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._subscribers = threading.Semaphore(backend.subscribers_max)
        self._waiters = threading.Semaphore(max(1, backend.threads - QUICK_THREADS))

    @guard.unary
    def Submit(self, request: pb.SubmitRequest, context: grpc.ServicerContext) -> pb.SubmitReply:
        verdict = self._admit([request.transaction])[0]
        if isinstance(verdict, Refusal):
            raise verdict
        return pb.SubmitReply(transaction_id=verdict.id)

    @guard.unary
    def SubmitBatch(
        self, request: pb.SubmitBatchRequest, context: grpc.ServicerContext
    ) -> pb.SubmitBatchReply:
        if len(request.transactions) > BATCH_MAX:
            raise Refusal(refusals.BATCH_SIZE, f"a batch takes {BATCH_MAX} transactions: split it")
        return pb.SubmitBatchReply(
            verdicts=[
                pb.SubmitVerdict(error=verdict.code, detail=verdict.detail)
                if isinstance(verdict, Refusal)
                else pb.SubmitVerdict(transaction_id=verdict.id)
                for verdict in self._admit(request.transactions)
            ]
        )

    def _admit(self, encoded: Sequence[bytes]) -> list[Admitted | Refusal]:
        backend = self._backend
        backend.check_open()  # before signatures are verified in vain; `hold` asks again
        verdicts = intake.admit(
            encoded,
            rules=backend.rules,
            height=backend.store.height,
            is_known=lambda wanted: backend.store.find_transaction(wanted) is not None,
            provider=backend.provider,
        )
        good = [verdict for verdict in verdicts if isinstance(verdict, Admitted)]
        held = dict(zip((item.id for item in good), backend.hold(good), strict=True))
        return [
            Refusal(refusals.POOL_FULL, "the pool is full: wait a second and send it again")
            if isinstance(verdict, Admitted) and not held[verdict.id]
            else verdict
            for verdict in verdicts
        ]

    @guard.unary
    def WaitReceipt(
        self, request: pb.WaitReceiptRequest, context: grpc.ServicerContext
    ) -> pb.TransactionReply:
        wanted = _digest(request.transaction_id)
        timeout_s = min(request.timeout_ms, WAIT_MS_MAX) / 1000
        if not self._waiters.acquire(blocking=False):
            timeout_s = 0.0  # look once; the client comes back
            return self._wait_receipt(wanted, timeout_s, context, request.with_proof)
        try:
            return self._wait_receipt(wanted, timeout_s, context, request.with_proof)
        finally:
            self._waiters.release()

    def _wait_receipt(
        self, wanted: bytes, timeout_s: float, context: grpc.ServicerContext, with_proof: bool
    ) -> pb.TransactionReply:
        backend = self._backend
        deadline = time.monotonic() + timeout_s
        while True:
            seen = backend.announcer.certified_height
            place = backend.store.find_transaction(wanted)
            if place is not None and place[0] <= seen:
                return self._transaction(place, with_proof=with_proof)
            if place is None and backend.has_expired(wanted):
                raise Refusal(refusals.EXPIRED, "no block included it in time: build it anew")
            if backend.announcer.closed:
                backend.check_open()
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not context.is_active() or backend.announcer.closed:
                raise Refusal(refusals.PENDING, self._why_pending(wanted, place))
            backend.announcer.wait_above(seen, left_s)

    def _why_pending(self, wanted: bytes, place: tuple[int, int] | None) -> str:
        if place is not None:
            return f"executed at height {place[0]}, not yet certified by a quorum: wait on"
        if self._backend.is_held(wanted):
            return "it waits in this node's pool for a block: wait on"
        return "this node does not know it (never sent here, or expired): send it again"

    @guard.unary
    def GetTransaction(
        self, request: pb.GetTransactionRequest, context: grpc.ServicerContext
    ) -> pb.TransactionReply:
        self._backend.check_readable()
        wanted = _digest(request.transaction_id)
        place = self._backend.store.find_transaction(wanted)
        if place is None:
            raise self._not_found("no block of this node holds that transaction")
        return self._transaction(place, with_proof=request.with_proof)

    def _not_found(self, what: str) -> Refusal:
        """Another code where it may stand in a block that is no longer here."""
        base = self._backend.store.base
        if not base:
            return Refusal(refusals.NOT_FOUND, what)
        return Refusal(
            refusals.PRUNED,
            f"{what}, whose ledger begins at block {base}: ask a node that keeps more, or read "
            "the archives of the blocks below",
        )

    def _transaction(self, place: tuple[int, int], *, with_proof: bool) -> pb.TransactionReply:
        height, index = place
        store = self._backend.store
        block = store.block(height)
        receipts = store.receipts(height)
        reply = wire.transaction_reply(
            block.transactions[index], receipts[index], height=height, index=index
        )
        if with_proof:
            certificate = store.execution_certificate(height)
            if certificate is None:
                raise Refusal(refusals.PENDING, f"height {height} is not certified yet: wait")
            wire.add_proof(
                reply,
                header=block.header,
                certificate=certificate,
                transaction_path=merkle.path(
                    [merkle.transaction_leaf(found) for found in block.transactions], index
                ),
                receipt_path=merkle.path([receipt_digest(found) for found in receipts], index),
            )
        return reply

    @guard.unary
    def View(self, request: pb.ViewRequest, context: grpc.ServicerContext) -> pb.ViewReply:
        query = self._verified_query(request.query)
        if address_of(query.sender) != caller().address:
            # A query has no nonce: who saw one could show it again in its window.
            raise Refusal(refusals.QUERY, "the query is of another account than its header")
        viewed = self._backend.view(query)
        return pb.ViewReply(value=viewed.value, height=viewed.height, gas_used=viewed.gas_used)

    def _verified_query(self, encoded: bytes) -> Query:
        signed = decode(encoded, SignedQuery, size_max=QUERY_SIZE_MAX)
        query = decode(signed.body, Query, size_max=QUERY_SIZE_MAX)
        if query.version != PROTOCOL_VERSION or query.chain_id != self._backend.rules.chain_id:
            raise Refusal(refusals.QUERY, "made for another chain or version: check the network")
        if abs(query.time_ms - time.time_ns() // 1_000_000) > QUERY_WINDOW_MS:
            raise Refusal(
                refusals.QUERY_TIME,
                f"signed more than {QUERY_WINDOW_MS // 1000} s away from this node's clock: "
                "set the clock (NTP) and sign a fresh query",
            )
        try:
            self._backend.provider.verify(query.sender, TAG_QUERY + signed.body, signed.signature)
        except CryptoError as error:
            raise Refusal(
                refusals.SIGNATURE, f"the query's signature does not hold: {error}"
            ) from None
        return query

    @guard.unary
    def GetBlock(self, request: pb.GetBlockRequest, context: grpc.ServicerContext) -> pb.BlockReply:
        self._backend.check_readable()
        store = self._backend.store
        height = request.height
        if request.hash:
            found = store.find_block(_digest(request.hash))
            if found is None:
                raise self._not_found("no block with that hash on this node")
            height = found
        if height > store.height:
            raise Refusal(refusals.NOT_FOUND, f"height {height} is above the head {store.height}")
        return wire.block_reply(
            store.block(height),
            store.receipts(height),
            store.commit_certificate(height),
            store.execution_certificate(height),
        )

    @guard.unary
    def GetState(self, request: pb.GetStateRequest, context: grpc.ServicerContext) -> pb.StateReply:
        return states.prove_state(self._backend, request)

    @guard.unary
    def GetStates(
        self, request: pb.GetStatesRequest, context: grpc.ServicerContext
    ) -> pb.StatesReply:
        return states.prove_states(self._backend, request)

    @guard.streaming
    def FollowEvents(
        self, request: pb.FollowEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.EventItem]:
        self._backend.check_readable()
        if not self._subscribers.acquire(blocking=False):
            raise Refusal(refusals.SUBSCRIBERS, "no event stream is free: try another node")
        try:
            yield from self._follow(request, context)
        finally:
            self._subscribers.release()

    def _follow(
        self, request: pb.FollowEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.EventItem]:
        announcer, draw = self._backend.announcer, drawing()
        height, index = request.from_height, request.from_index
        while context.is_active():
            certified = announcer.certified_height
            last = min(certified, height + EVENTS_BLOCKS_MAX)
            is_behind = last == height + EVENTS_BLOCKS_MAX
            receipts = 0
            while height <= last:
                receipts += yield from self._events_at(request, height, index)
                height, index = height + 1, 0
            if is_behind:
                cost = EVENTS_BLOCKS_MAX // BLOCKS_PER_UNIT + receipts // RECEIPTS_PER_UNIT
                time.sleep(draw(cost) / 1000)  # on a thread of its own
            if announcer.closed and height > certified:
                self._backend.check_open()  # no more will come: say why, so that clients move on
                return
            if not announcer.wait_above(height - 1, HEARTBEAT_S):
                yield wire.event_item(None, height=height, index=0, transaction_id=b"", time_ms=0)

    def _events_at(
        self, request: pb.FollowEventsRequest, height: int, first: int
    ) -> Generator[pb.EventItem, None, int]:
        """The events of a height from index `first` on; returns how many receipts were read."""
        store = self._backend.store
        time_ms = store.header(height).time_ms
        index = -1
        receipts = store.receipts(height)
        for receipt in receipts:
            for event in receipt.events:
                index += 1
                if index < first or request.contract not in ("", event.contract):
                    continue
                if request.name in ("", event.name):
                    yield wire.event_item(
                        event,
                        height=height,
                        index=index,
                        transaction_id=receipt.transaction_id,
                        time_ms=time_ms,
                    )
        return len(receipts)

    @guard.unary
    def GetStatus(
        self, request: pb.GetStatusRequest, context: grpc.ServicerContext
    ) -> pb.StatusReply:
        reply = self._status()
        if Level.MEMBER not in caller().levels:
            for inside in INSIDE:
                reply.ClearField(inside)
        return reply

    def _status(self) -> pb.StatusReply:
        backend = self._backend
        situation = backend.situation()
        statement = backend.store.head_statement()
        header = backend.store.header(statement.height)
        return pb.StatusReply(
            name=situation.name,
            version=VERSION,
            chain_id=backend.rules.chain_id,
            height=statement.height,
            certified_height=backend.announcer.certified_height,
            block_hash=block_hash(header),
            state_root=statement.state_root,
            view=situation.view,
            primary=situation.primary,
            index=situation.index or 0,
            is_observer=situation.index is None,
            epoch=situation.epoch,
            validators=situation.members,
            mempool_transactions=situation.mempool_transactions,
            time_ms=header.time_ms,
            resident_bytes=situation.resident_bytes,
            phase=situation.phase,
            engine=pb.EngineStatus(
                vm_version=situation.engine.vm_version,
                next_vm_version=situation.engine.next_vm_version,
                next_height=situation.engine.next_height,
                missing_height=situation.engine.missing_height,
            ),
            jail=situation.jail,
            is_jailed=situation.is_jailed,
            growth=wire.growth_status(situation.growth),
            peers=[
                pb.PeerStatus(name=peer.name, peer_id=peer.peer_id, connected=peer.connected)
                for peer in situation.peers
            ],
        )

    @guard.unary
    def GetGenesis(
        self, request: pb.GetGenesisRequest, context: grpc.ServicerContext
    ) -> pb.GenesisReply:
        return pb.GenesisReply(genesis=encode(self._backend.genesis))

    @guard.unary
    def GetCommittees(
        self, request: pb.GetCommitteesRequest, context: grpc.ServicerContext
    ) -> pb.CommitteesReply:
        store = self._backend.store
        items: list[pb.CommitteeItem] = []
        for epoch in store.epochs.all[1:]:
            if epoch.base > store.height:
                break  # decided, but not there yet
            certificate = store.execution_certificate(epoch.base)
            if certificate is None:
                break  # nobody has handed over to it yet
            if epoch.base <= request.above:
                continue
            if len(items) == COMMITTEES_MAX:
                return pb.CommitteesReply(committees=items, is_complete=False)
            items.append(wire.committee_item(epoch, certificate))
        return pb.CommitteesReply(committees=items, is_complete=True)

    @guard.unary
    def KeyHistory(
        self, request: pb.KeyHistoryRequest, context: grpc.ServicerContext
    ) -> pb.KeyHistoryReply:
        return history.key_history(self._backend, request)

    @guard.unary
    def AccountHistory(
        self, request: pb.AccountHistoryRequest, context: grpc.ServicerContext
    ) -> pb.AccountHistoryReply:
        asking = caller()
        is_own = request.address.hex() == asking.address
        if not (is_own or asking.levels & {Level.AUDITOR, Level.OPERATOR}):
            raise Refusal(
                refusals.ACCESS_OWN,
                "the history of another account is for auditors and this node's operators alone",
            )
        return history.account_history(self._backend, request)

    @guard.unary
    def SubjectHistory(
        self, request: pb.SubjectHistoryRequest, context: grpc.ServicerContext
    ) -> pb.SubjectHistoryReply:
        return history.subject_history(self._backend, request)


def _digest(data: bytes) -> bytes:
    if len(data) != DIGEST_SIZE:
        raise Refusal(refusals.QUERY, f"a digest takes {DIGEST_SIZE} bytes, got {len(data)}")
    return data
