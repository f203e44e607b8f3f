"""The client interface of a running node, and NodeClient at its other end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from client.errors import NodeUnavailable, Refused
from client.node import NodeClient
from client.session import Session
from contracts.vm.code_records import CODE, FROZEN, REVOKED, ContractRecord, changed
from contracts.vm.codes import ADVICE, Code
from contracts.vm.host import WorkerFault
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, LedgerClosed
from ledger.model import Query, StateWrite
from ledger.store import Store
from ledger.values import decode_value, encode_value
from node import refusals
from node.api import guard
from node.refusals import Refusal
from node.views import Views
from tests.fake_keys import fake_public
from tests.node_world import Nodes, OpenEngine, eventually, quick_clock, running

ALL = (0, 1, 2, 3)


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def committee(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


# --- a running node -------------------------------------------------------------------------


async def test_a_session_calls_waits_and_views(committee: Nodes, clock: MockClock) -> None:
    async with running(committee, *ALL):
        with committee.client(1) as client:
            session = Session(client, committee.account)
            outcome = await trio.to_thread.run_sync(session.call, "notes", "write", "k", "text")
            assert outcome.receipt.status == 0
            assert await trio.to_thread.run_sync(session.view, "notes", "read", "k") == "text"
            with pytest.raises(Refused) as refused:
                await trio.to_thread.run_sync(session.call, "notes", "write", "k", "")
            assert (refused.value.code, refused.value.detail) == ("refused", "empty")


async def test_who_waits_for_an_expired_transaction_is_told_so(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL):
        node = committee.node(0)
        lost = committee.admitted(committee.transaction("lost", valid_until=1))
        committee.air.hears = lambda sender, to, channel, body: committee.peer_id(0) != sender
        others = [index for index in ALL if index]
        await committee.hand_in(0, lost.transaction)
        ids = await committee.hand_in(1, committee.transaction("k"))
        await committee.certified(ids, *others)
        committee.air.hears = lambda sender, to, channel, body: True
        await committee.certified(ids, 0)
        await eventually(
            lambda: (
                node.reception.has_expired(lost.id) or bool(node.store.find_transaction(lost.id))
            )
        )
        with committee.client(0) as client, pytest.raises(Refused) as refused:
            await trio.to_thread.run_sync(lambda: client.wait(lost.id, timeout_s=20))
        assert refused.value.code == refusals.EXPIRED


async def test_events_come_in_order_and_end_with_the_node(
    committee: Nodes, clock: MockClock
) -> None:
    seen: list[tuple[int, object]] = []
    ended: list[str] = []
    async with running(committee, *ALL):
        client = committee.client(0)

        def follow() -> None:
            try:
                for event in client.events(contract="notes"):
                    if event.name:
                        seen.append((event.height, event.fields["key"]))
            except (Refused, NodeUnavailable) as end:
                ended.append(type(end).__name__)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, follow)
            for number in range(3):
                ids = await committee.hand_in(1, committee.transaction(f"k{number}"))
                await committee.certified(ids, 0)
            await eventually(lambda: len(seen) == 3)
            await committee.stop(0)
        client.close()
    assert [key for _, key in seen] == ["k0", "k1", "k2"]
    assert sorted(seen) == seen
    assert len(ended) == 1, "the stream does not just fall silent"


async def test_waiting_calls_leave_threads_for_others(committee: Nodes, clock: MockClock) -> None:
    """api_threads is 6, of which 2 may wait; a dozen clients do."""
    answers: list[str] = []

    def wait(client: NodeClient) -> None:
        try:
            client.wait(bytes(32), timeout_s=2)
        except Refused as refused:
            answers.append(refused.code)

    async with running(committee, *ALL):
        with committee.client(0) as client:
            async with trio.open_nursery() as nursery:
                for _ in range(12):
                    nursery.start_soon(trio.to_thread.run_sync, wait, client)
                status = await committee.status(0)
                assert status.phase == "ordering"
    assert answers == [refusals.PENDING] * 12


async def test_more_subscribers_than_there_are_streams_are_refused(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL):
        with committee.client(0) as client:
            first = [client.events(), client.events()]
            for stream in first:
                await trio.to_thread.run_sync(next, stream)
            with pytest.raises(Refused) as refused:
                await trio.to_thread.run_sync(next, client.events())
            assert refused.value.code == refusals.SUBSCRIBERS


async def test_a_closed_client_and_a_dead_node_are_unavailable(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL):
        client = committee.client(0)
        assert (await trio.to_thread.run_sync(client.status)).index == 0
        await committee.stop(0)
        with pytest.raises(NodeUnavailable):
            await trio.to_thread.run_sync(client.status)
        client.close()
        calls: list[Callable[[], object]] = [client.status, lambda: next(client.events())]
        for call in calls:
            with pytest.raises(NodeUnavailable, match="closed"):
                call()


# --- views ----------------------------------------------------------------------------------


def query(committee: Nodes, contract: str, method: str = "read") -> Query:
    return Query(1, bytes(32), fake_public(1), 0, contract, method, encode_value(["k"]))


def store_with(committee: Nodes, folder: Path, status: str) -> Store:
    """A ledger whose contract `notes` has the given status from the start."""
    engine = OpenEngine()
    writes = []
    for write in engine.apply_genesis(committee.genesis).writes:
        if write.namespace == CODE and write.key == b"notes" and write.value is not None:
            found = decode(write.value, ContractRecord, size_max=1 << 20)
            write = StateWrite(CODE, b"notes", encode(changed(found, status=status)))
        writes.append(write)
    return Store.create(folder / "ledger", committee.genesis, writes)


@pytest.mark.parametrize(
    ("status", "contract", "method", "code"),
    [
        (FROZEN, "absent", "read", Code.unknown_contract),
        (FROZEN, "notes", "write", Code.unknown_method),
        (FROZEN, "notes", "nothing", Code.unknown_method),
        (REVOKED, "notes", "read", Code.contract_revoked),
    ],
)
def test_a_view_that_cannot_be_answered_says_why(
    committee: Nodes, tmp_path: Path, status: str, contract: str, method: str, code: Code
) -> None:
    store = store_with(committee, tmp_path, status)
    with pytest.raises(Refusal) as refused:
        Views(store, OpenEngine()).view(query(committee, contract, method))
    assert refused.value.code == code.name
    assert refused.value.detail
    store.close()


def test_a_frozen_contract_still_answers_views(committee: Nodes, tmp_path: Path) -> None:
    store = store_with(committee, tmp_path, FROZEN)
    viewed = Views(store, OpenEngine()).view(query(committee, "notes"))
    assert decode_value(viewed.value) == ""
    assert viewed.height == 0
    store.close()


def test_every_code_of_a_view_has_advice() -> None:
    assert set(ADVICE) == set(Code) - {Code.ok}


def test_a_failing_view_engine_is_busy_not_broken(committee: Nodes, tmp_path: Path) -> None:
    store = store_with(committee, tmp_path, "active")
    engine = OpenEngine()
    engine.faults.append(WorkerFault("it died"))
    views = Views(store, engine)
    with pytest.raises(Refusal) as refused:
        views.view(query(committee, "notes"))
    assert refused.value.code == refusals.POOL_FULL
    assert "died" not in refused.value.detail
    assert views.view(query(committee, "notes")).height == 0
    store.close()


def test_nobody_waits_for_ever_behind_a_slow_view(committee: Nodes, tmp_path: Path) -> None:
    store = store_with(committee, tmp_path, "active")
    is_in, may_go = threading.Event(), threading.Event()

    def hold_up() -> None:
        is_in.set()
        may_go.wait(20)

    views = Views(store, OpenEngine(on_view=hold_up), patience_s=0.05)
    outcomes: list[int] = []

    def ask() -> None:
        outcomes.append(views.view(query(committee, "notes")).height)

    thread = threading.Thread(target=ask)
    thread.start()
    assert is_in.wait(10)
    with pytest.raises(Refusal, match="too many views"):
        views.view(query(committee, "notes"))
    may_go.set()
    thread.join(10)
    assert outcomes == [0]
    store.close()


# --- guard ----------------------------------------------------------------------------------


class Aborted(Exception):
    """What gRPC raises when a call is ended."""


class Context:
    """A ServicerContext, as far as the guard uses it."""

    def __init__(self) -> None:
        self.metadata: tuple[tuple[str, str], ...] = ()
        self.end: tuple[grpc.StatusCode, str] | None = None

    def set_trailing_metadata(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self.metadata = metadata

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.end = (code, details)
        raise Aborted


def refused_with(error: Exception) -> Context:
    context = Context()

    class Service:
        @guard.unary
        def Method(self, request: object, given: grpc.ServicerContext) -> None:  # noqa: N802
            raise error

    with pytest.raises(Aborted), capture_logs():
        Service().Method(None, context)  # type: ignore[arg-type]
    return context


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (Refusal(refusals.EXPIRED, "late"), refusals.EXPIRED, "FAILED_PRECONDITION"),
        (Refusal(refusals.POOL_FULL, "full"), refusals.POOL_FULL, "RESOURCE_EXHAUSTED"),
        (Refusal(refusals.HALTED, "halted"), refusals.HALTED, "UNAVAILABLE"),
        (Refusal("contract.code", "no"), "contract.code", "INVALID_ARGUMENT"),
        (DecodeError("not canonical"), refusals.ENCODING, "INVALID_ARGUMENT"),
        (LedgerClosed("closed"), refusals.STOPPING, "UNAVAILABLE"),
        (trio.RunFinishedError("over"), refusals.STOPPING, "UNAVAILABLE"),
    ],
)
def test_a_refusal_carries_its_code(error: Exception, code: str, status: str) -> None:
    context = refused_with(error)
    assert context.metadata == ((guard.CODE_KEY, code),)
    assert context.end is not None
    assert context.end[0].name == status


def test_a_bug_tells_the_client_nothing_and_the_log_once() -> None:
    secret = "/home/operator/keys"
    context = Context()

    class Service:
        @guard.streaming
        def Stream(  # noqa: N802
            self, request: object, given: grpc.ServicerContext
        ) -> Iterator[object]:
            raise KeyError(secret)

    with capture_logs() as logs:
        for _ in range(50):
            with pytest.raises(Aborted):
                list(Service().Stream(None, context))  # type: ignore[arg-type]
    assert context.end is not None
    assert context.end[0] is grpc.StatusCode.INTERNAL
    assert secret not in context.end[1] and "KeyError" not in context.end[1]
    assert context.metadata == ()
    assert [line["event"] for line in logs] == ["api_failure"]
