"""The driver in its node: it orders, survives loss, refuses forgery, journals before it sends."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from client.errors import Refused
from consensus.pbft import messages, wal
from ledger.encoding import decode, encode
from ledger.model import proposal_digest
from node import refusals
from p2p.limits import Channel
from p2p.network import Frame
from tests.node_world import Nodes, eventually, quick_clock, running

ALL = (0, 1, 2, 3)


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def committee(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


def signed(body: bytes) -> messages.SignedMessage:
    return decode(body, messages.SignedMessage, size_max=1 << 24)


async def test_four_nodes_order_a_batch_alike(committee: Nodes, clock: MockClock) -> None:
    async with running(committee, *ALL):
        ids = await committee.hand_in(1, *(committee.transaction(f"k{i}") for i in range(20)))
        await committee.certified(ids, *ALL)
        stores = [committee.node(index).store for index in ALL]
        roots = {store.statement(stores[0].height).state_root for store in stores}
        assert len(roots) == 1
        assert [len(store.block(1).transactions) for store in stores] == [20] * 4


async def test_lost_votes_are_survived(committee: Nodes, clock: MockClock) -> None:
    # Drawn, not counted: every third frame of broadcasts to three would always be the same peer's.
    draw = random.Random(3)

    def hears(sender: str, to: str, channel: Channel, body: bytes) -> bool:
        return channel is not Channel.VOTES or draw.random() > 1 / 3

    committee.air.hears = hears
    async with running(committee, *ALL):
        ids = await committee.hand_in(2, *(committee.transaction(f"k{i}") for i in range(3)))
        await committee.certified(ids, *ALL)


async def test_a_transaction_whose_forwarding_was_lost_is_offered_again(
    committee: Nodes, clock: MockClock
) -> None:
    committee.air.hears = lambda sender, to, channel, body: channel is not Channel.TRANSACTIONS
    async with running(committee, *ALL):
        primary = (await committee.status(0)).primary
        holder = (primary + 1) % 4
        ids = await committee.hand_in(holder, committee.transaction("k"))
        await trio.sleep(0.5)
        committee.air.hears = lambda sender, to, channel, body: True
        await committee.certified(ids, *ALL)


async def test_what_waits_for_long_is_shown_to_all(committee: Nodes, clock: MockClock) -> None:
    """Or a primary that withholds it would only ever meet one backup that minds."""
    async with running(committee, *ALL):
        primary = (await committee.status(0)).primary
        holder, other = (primary + 1) % 4, (primary + 2) % 4
        committee.air.hears = lambda sender, to, channel, body: channel is not Channel.TRANSACTIONS
        (wanted,) = await committee.hand_in(holder, committee.transaction("k"))
        await trio.sleep(1)
        silent = {committee.peer_id(primary)}
        committee.air.hears = lambda sender, to, channel, body: (
            channel is not Channel.TRANSACTIONS or to not in silent
        )
        await eventually(lambda: committee.node(other).reception.is_held(wanted))


async def test_a_dead_primary_is_replaced(committee: Nodes, clock: MockClock) -> None:
    async with running(committee, *ALL):
        primary = (await committee.status(0)).primary
        await committee.stop(primary)
        rest = [index for index in ALL if index != primary]
        with capture_logs() as logs:
            ids = await committee.hand_in(rest[0], committee.transaction("k"))
            await committee.certified(ids, *rest)
    told = [(line["event"], line.get("from"), line.get("to", line.get("view"))) for line in logs]
    assert told.count(("view_change", 0, 1)) == told.count(("view_entered", None, 1)) == len(rest)


async def test_a_vote_in_another_members_name_is_refused(
    committee: Nodes, clock: MockClock
) -> None:
    heard: list[bytes] = []
    committee.air.watch = lambda sender, channel, body: (
        heard.append(body) if channel is Channel.VOTES and signed(body).sender == 1 else None
    )
    async with running(committee, *ALL):
        await trio.sleep(2)
        assert heard, "node 1 says something"
        end = committee.air.ends[committee.peer_id(0)]
        with capture_logs() as logs:
            for body in heard[:3]:
                end.put(Channel.VOTES, Frame(committee.peer_id(2), body))
            await trio.sleep(1)
    refused = [line for line in logs if line["event"] == "vote_refused"]
    assert [line["peer"] for line in refused] == [committee.peer_id(2)], "one line for all three"
    assert "another member's name" in refused[0]["reason"]


async def test_a_vote_with_a_bad_signature_is_refused_and_ordering_goes_on(
    committee: Nodes, clock: MockClock
) -> None:
    def forge(sender: str, to: str, channel: Channel, body: bytes) -> bool:
        if channel is Channel.VOTES and sender == committee.peer_id(3):
            message = signed(body)
            bad = messages.SignedMessage(message.sender, message.message, bytes(63) + b"\x01")
            committee.air.ends[to].put(Channel.VOTES, Frame(sender, encode(bad)))
            return False
        return True

    committee.air.hears = forge
    with capture_logs() as logs:
        async with running(committee, *ALL):
            ids = await committee.hand_in(0, committee.transaction("k"))
            await committee.certified(ids, 0, 1, 2)
    refused = [line for line in logs if line["event"] == "vote_refused"]
    assert {line["peer"] for line in refused} == {committee.peer_id(3)}
    assert "signature" in refused[0]["reason"]


async def test_garbage_votes_fill_no_log(committee: Nodes, clock: MockClock) -> None:
    with capture_logs() as logs:
        async with running(committee, *ALL):
            end = committee.air.ends[committee.peer_id(0)]
            for number in range(500):
                end.put(Channel.VOTES, Frame(committee.peer_id(1), b"garbage %d" % number))
            ids = await committee.hand_in(0, committee.transaction("k"))
            await committee.certified(ids, *ALL)
    assert len([line for line in logs if line["event"] == "vote_refused"]) < 5


def journaled(folder: Path) -> set[tuple[int, int, bytes]]:
    """(view, height, digest) of every prepare vote in a journal."""
    votes = set()
    for path in folder.glob("*.log"):
        for kind, payload in wal.read_frames(path.read_bytes())[0]:
            record = wal.decode_record(payload) if kind == wal.RECORD else None
            if isinstance(record, wal.SavedPrepare):
                votes.add((record.view, record.height, record.digest))
    return votes


async def test_no_prepare_leaves_before_the_journal_has_it(
    committee: Nodes, clock: MockClock
) -> None:
    folders = {committee.peer_id(i): committee.data_dir(i) / "journal" for i in ALL}
    checked = 0

    def watch(sender: str, channel: Channel, body: bytes) -> None:
        nonlocal checked
        if channel is not Channel.VOTES:
            return
        message = messages.decode_message(signed(body).message)
        if isinstance(message, messages.PrePrepare):
            proposal = message.proposal
            vote = (message.view, proposal.height, bytes(proposal_digest(proposal)))
        elif isinstance(message, messages.Prepare):
            vote = (message.view, message.height, message.digest)
        else:
            return
        assert vote in journaled(folders[sender])
        checked += 1

    committee.air.watch = watch
    async with running(committee, *ALL):
        ids = await committee.hand_in(0, committee.transaction("k"))
        await committee.certified(ids, *ALL)
    assert checked >= 4 * 3


async def test_a_full_disk_halts_the_node_and_nothing_unkept_leaves(
    committee: Nodes, clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(committee, *ALL):
        full = str(committee.data_dir(3))
        sync = os.fdatasync

        def fdatasync(descriptor: int) -> None:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith(full):
                raise OSError(errno.ENOSPC, "No space left on device")
            sync(descriptor)

        monkeypatch.setattr("node.journal.os.fdatasync", fdatasync)
        prepares = []

        def watch(sender: str, channel: Channel, body: bytes) -> None:
            if sender == committee.peer_id(3) and channel is Channel.VOTES:
                message = messages.decode_message(signed(body).message)
                prepares.extend([message] if isinstance(message, messages.Prepare) else [])

        committee.air.watch = watch
        with capture_logs() as logs:
            ids = await committee.hand_in(0, committee.transaction("k"))
            await committee.certified(ids, 0, 1, 2)
            await committee.phase(3, "halted")
        assert prepares == []
        (line,) = [line for line in logs if line["event"] == "halted"]
        assert "No space left" in line["reason"]
        with committee.client(3) as client:
            with pytest.raises(Refused) as refused:
                await trio.to_thread.run_sync(client.submit, committee.transaction("l"))
            assert refused.value.code == refusals.HALTED
            status = await trio.to_thread.run_sync(client.status)
            assert (status.phase, status.height) == ("halted", 0)


async def test_a_node_that_was_stopped_says_again_what_it_said(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL) as nursery:
        ids = await committee.hand_in(0, committee.transaction("k"))
        await committee.certified(ids, *ALL)
        await committee.stop(*ALL)
        await committee.start(nursery, *ALL)
        more = await committee.hand_in(2, committee.transaction("l"))
        await committee.certified([*ids, *more], *ALL)
