"""The history of a running node: follows what is certified, and answers clients within bounds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from client import history as rows_of
from client.errors import Refused
from client.history import check_account, check_subject
from client.node import NodeClient
from client.signing import SERVICE, signed
from ledger.bundle import Certified, TransactionFacts
from ledger.encoding import decode
from ledger.errors import DecodeError, LedgerDamaged, LedgerError
from ledger.genesis import chain_id
from ledger.history.database import History
from ledger.history.pages import Span, encode_cursor
from ledger.history.rows import Source
from ledger.model import TransactionBody, address_of
from ledger.store import Store
from ledger.values import encode_value
from node import refusals
from node.announce import Announcer
from node.config import NodeConfig
from node.history import HISTORY, Follower, history_of
from shuxin.v1 import node_pb2, node_pb2_grpc
from tests.history_world import pages
from tests.ledger_world import NAMESPACE, World
from tests.node_world import Nodes, quick_clock, running

ALL = (0, 1, 2, 3)
R = TypeVar("R")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "ledger")


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def committee(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


def _grown(world: World, announcer: Announcer, blocks: int) -> None:
    for _ in range(blocks):
        world.commit()
        world.certify(world.store.height)
    announcer.announce(world.store.certified_height)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def _history(folder: Path, store: Store) -> History:
    history = history_of(folder, store)
    assert history is not None
    return history


def _follower(world: World, announcer: Announcer, *, keep_blocks: int = 0) -> Follower:
    history = _history(world.path.parent, world.store)
    return Follower(history, world.store, announcer, keep_blocks=keep_blocks)


# --- the follower ----------------------------------------------------------------------------


def test_it_stays_below_what_is_certified(world: World) -> None:
    announcer = Announcer(0)
    _grown(world, announcer, 3)
    world.commit()
    follower = _follower(world, announcer)
    follower.start()
    follower.history.wait_for(3, 20)
    assert (follower.history.height, follower.lag_blocks, world.store.height) == (3, 0, 4)
    world.certify(4)
    announcer.announce(4)
    follower.history.wait_for(4, 20)
    assert follower.history.height == 4
    announcer.close()
    follower.close()


def test_made_again_it_is_what_it_was_block_by_block(world: World) -> None:
    announcer = Announcer(0)
    follower = _follower(world, announcer)
    follower.start()
    for height in range(1, 13):
        _grown(world, announcer, 1)
        follower.history.wait_for(height, 20)
    keys = sorted({write.key for h in range(13) for write in world.store.changes(h) or ()})

    def told(history: History) -> list[object]:
        return [history.of_key(NAMESPACE, key, Span()).rows for key in keys]

    before = told(follower.history)
    assert any(len(rows) > 1 for rows in before if isinstance(rows, tuple))
    announcer.close()
    follower.close()
    shutil.rmtree(world.path.parent / HISTORY)
    with capture_logs() as log:
        again = _follower(world, announcer)
    assert [entry["event"] for entry in log] == ["history_begun"]
    again.start()
    again.history.wait_for(12, 20)
    assert told(again.history) == before
    announcer.close()
    again.close()


def test_a_ledger_that_lacks_its_newest_block_makes_it_begin_anew(
    tmp_path: Path, world: World
) -> None:
    announcer = Announcer(0)
    _grown(world, announcer, 3)
    follower = _follower(world, announcer)
    follower.start()
    follower.history.wait_for(3, 20)
    announcer.close()
    follower.close()
    other = World(tmp_path / "other", seed=2)
    for blocks in (1, 3):  # shorter, and another block 3
        _grown(other, Announcer(0), blocks)
        shutil.copytree(tmp_path / HISTORY, tmp_path / f"copy{blocks}" / HISTORY)
        history = _history(tmp_path / f"copy{blocks}", other.store)
        assert history.height == -1
        history.close()


def test_a_fault_of_the_disk_is_told_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    announcer = Announcer(0)
    failures = [LedgerError("no room")]
    add = History.add

    def failing(history: History, source: Source) -> None:
        if failures:
            raise failures.pop()
        add(history, source)

    monkeypatch.setattr(History, "add", failing)
    monkeypatch.setattr("node.history.RETRY_S", 0.0)
    with capture_logs() as log:
        follower = _follower(world, announcer)
        follower.start()
        follower.history.wait_for(0, 20)
        follower.close()
    assert ("history_failed", "no room") in [(one["event"], one.get("reason")) for one in log]


def test_a_fault_of_the_program_ends_it_and_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(history: History, source: Source) -> None:
        raise ValueError("a fault of the program")

    monkeypatch.setattr(History, "add", failing)
    with capture_logs() as log:
        follower = _follower(world, Announcer(0))
        follower.start()
        _until(lambda: any(one["event"] == "history_stopped" for one in log))
        follower.close()


def test_it_keeps_what_it_is_told_to_keep(world: World) -> None:
    announcer = Announcer(0)
    _grown(world, announcer, 9)
    follower = _follower(world, announcer, keep_blocks=4)
    follower.start()
    follower.history.wait_for(9, 20)
    _until(lambda: follower.history.first == 6)
    announcer.close()
    follower.close()


def test_a_folder_that_cannot_be_used_is_told_and_stops_no_node(world: World) -> None:
    (world.path.parent / HISTORY).write_text("a file")
    with capture_logs() as log:
        assert history_of(world.path.parent, world.store) is None
    assert [entry["event"] for entry in log] == ["history_unusable"]


def test_closing_does_not_wait_for_the_ledger_to_grow(world: World) -> None:
    announcer = Announcer(0)
    follower = _follower(world, announcer)
    follower.start()
    follower.history.wait_for(0, 20)
    began = time.monotonic()
    announcer.close()
    follower.close()
    assert time.monotonic() - began < 5


# --- the interface ---------------------------------------------------------------------------


class SomeNodes(Nodes):
    """Node 3 keeps no history, node 2 two blocks of it."""

    def config(self, index: int) -> NodeConfig:
        config = super().config(index)
        return replace(config, has_history=index != 3, history_keep_blocks=2 * (index == 2))


async def _said(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        await trio.to_thread.run_sync(call)
    return refused.value.code


async def test_what_a_client_was_told_is_in_the_history_next(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL):
        heights: list[int] = []
        for text in ("one", "two", "three"):
            ids = await committee.hand_in(0, committee.transaction("k", text=text))
            await committee.certified(ids, *ALL)
            place = committee.node(0).store.find_transaction(ids[0])
            assert place is not None
            heights.append(place[0])
            for index in ALL:
                with committee.client(index) as client:
                    page = await trio.to_thread.run_sync(
                        client.key_history, "notes", encode_value(["notes", "k"])
                    )
                    assert [row.height for row in page.rows] == heights[::-1]
                    sent = await trio.to_thread.run_sync(
                        client.account_history, committee.account.address
                    )
                    assert sent.rows[0].transaction_id == ids[0]
                    told = await trio.to_thread.run_sync(client.subject_history, "k")
                    assert [row.event.name for row in told.rows] == ["Written"] * len(heights)
                    assert told.rows[0].fields == ("key",)


async def test_limits_and_refusals(tmp_path: Path, clock: MockClock) -> None:
    committee = SomeNodes(tmp_path)
    async with running(committee, *ALL):
        for number in range(4):
            ids = await committee.hand_in(0, committee.transaction("k", text=str(number)))
            await committee.certified(ids, *ALL)
        with committee.client(0) as client:

            def paged() -> list[int]:
                found = pages(lambda span: client.subject_history("k", span), Span(rows_max=1))
                return [len(page.rows) for page in found]

            assert sum(await trio.to_thread.run_sync(paged)) == 4
            for bad in (
                lambda: client.key_history("n", b"k", Span(after=b"\x07")),
                lambda: client.key_history("n" * 256, b"k"),
                lambda: client.key_history("n", b"k" * 5000),
                lambda: client.account_history("ab" * 19),
                lambda: client.subject_history("x" * 70_000),
            ):
                assert await _said(bad) == refusals.QUERY
            stub = node_pb2_grpc.NodeStub(grpc.insecure_channel(client.target))
            for raw in (b"", b"\x05", b"\xc1", encode_value(["list"]), b"\xa5cut"):
                request = node_pb2.SubjectHistoryRequest(subject=raw)

                def ask(request: node_pb2.SubjectHistoryRequest = request) -> object:
                    method = SERVICE + "SubjectHistory"
                    chain = chain_id(committee.genesis)
                    header = signed(committee.account, request, method=method, chain_id=chain)
                    return stub.SubjectHistory(request, metadata=header)

                with pytest.raises(grpc.RpcError) as error:
                    await trio.to_thread.run_sync(ask)
                assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with committee.client(3) as client:
            assert await _said(lambda: client.subject_history("k")) == refusals.HISTORY_OFF
        with committee.client(2) as client:
            page = await trio.to_thread.run_sync(client.subject_history, "k")
            assert page.first == page.height - 1 and len(page.rows) < 4
        assert not (committee.data_dir(3) / HISTORY).exists()


def _torn(*_: object, **__: object) -> Iterator[tuple[bytes, bytes]]:
    raise LedgerDamaged("as on a bad disk")


async def test_a_damaged_history_is_refused_and_the_node_goes_on(
    committee: Nodes, clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(committee, *ALL):
        ids = await committee.hand_in(0, committee.transaction("k"))
        await committee.certified(ids, *ALL)
        with committee.client(0) as client, monkeypatch.context() as patch:
            await trio.to_thread.run_sync(client.subject_history, "k")
            patch.setattr("ledger.history.database.read_range", _torn)
            assert await _said(lambda: client.subject_history("k")) == refusals.HISTORY_DAMAGED
        ids = await committee.hand_in(0, committee.transaction("k2"))
        await committee.certified(ids, *ALL)
        await committee.stop(0)
        async with trio.open_nursery() as nursery:
            await committee.start(nursery, 0)
            with committee.client(0) as client:
                page = await trio.to_thread.run_sync(client.subject_history, "k")
                assert len(page.rows) == 1, "it was made again"
            await committee.stop(0)


# --- what a client believes ------------------------------------------------------------------


def _end(**said: object) -> node_pb2.PageEnd:
    return node_pb2.PageEnd(**{"is_complete": True, **said})  # type: ignore[arg-type]


def test_a_node_that_answers_nonsense_is_not_believed() -> None:
    row, digest = node_pb2.KeyHistoryRow, bytes(32)
    reply = node_pb2.KeyHistoryReply(rows=[row(height=1), row(height=2)], end=_end())
    with pytest.raises(DecodeError, match="order"):
        rows_of.key_page(reply, Span())
    assert rows_of.key_page(reply, Span(is_newest_first=False)).is_complete
    doubled = node_pb2.KeyHistoryReply(rows=[row(height=1), row(height=1)], end=_end())
    with pytest.raises(DecodeError, match="order"):
        rows_of.key_page(doubled, Span())
    for cursor in (b"", b"x", encode_cursor(5, 0), encode_cursor(6, 0)):
        endless = node_pb2.KeyHistoryReply(end=_end(is_complete=False, cursor=cursor))
        with pytest.raises(DecodeError):
            rows_of.key_page(endless, Span(after=encode_cursor(5, 0)))
    short = node_pb2.AccountHistoryReply(
        rows=[node_pb2.AccountHistoryRow(transaction_id=digest[1:])], end=_end()
    )
    with pytest.raises(DecodeError, match="32 bytes"):
        rows_of.account_page(short, Span())
    empty = node_pb2.SubjectHistoryRow(item=node_pb2.EventItem(transaction_id=digest))
    with pytest.raises(DecodeError):
        rows_of.subject_page(node_pb2.SubjectHistoryReply(rows=[empty], end=_end()), Span())


async def test_rows_that_differ_from_the_proof_are_refused(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL):
        ids = await committee.hand_in(0, committee.transaction("k"))
        await committee.certified(ids, *ALL)
        with committee.client(0) as client:
            facts = await trio.to_thread.run_sync(_facts, client, ids[0])
            sent = await trio.to_thread.run_sync(client.account_history, facts.sender)
            told = await trio.to_thread.run_sync(client.subject_history, "k")
    (entry,), (about,) = sent.rows, told.rows
    check_account(entry, facts.sender, facts)
    check_subject(about, "k", facts)
    for change in (
        {"height": 9},
        {"time_ms": 1},
        {"transaction_id": bytes(32)},
        {"contract": "grant"},
        {"method": "revoke"},
        {"status": 1},
        {"error": "refused"},
    ):
        with pytest.raises(Refused, match="history is wrong"):
            check_account(replace(entry, **change), facts.sender, facts)
    with pytest.raises(Refused):
        check_account(entry, "00" * 20, facts)
    with pytest.raises(Refused):
        check_subject(about, "another", facts)
    with pytest.raises(Refused):
        check_subject(replace(about, fields=("text",)), "k", facts)
    with pytest.raises(Refused):
        made_up = replace(about, event=type(about.event)("grant", "Revoked", about.event.fields))
        check_subject(made_up, "k", facts)


def _facts(client: NodeClient, wanted: bytes) -> TransactionFacts:
    """What a checked proof would give."""
    outcome = client.transaction(wanted)
    assert outcome.proof is not None
    data = outcome.transaction.body
    body = decode(data, TransactionBody, size_max=len(data))
    statement = outcome.proof.certificate.statement
    certified = Certified(
        height=statement.height,
        time_ms=statement.time_ms,
        block_hash=statement.block_hash,
        state_root=statement.state_root,
        chain_id=statement.chain_id,
        signers=(),
        epoch=0,
        quorum=3,
        validators=4,
    )
    return TransactionFacts(certified, wanted, address_of(body.sender), body, outcome.receipt, None)
