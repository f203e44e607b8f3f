"""Whole nodes: three commit and make snapshots, the fourth begins with one."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
import trio
import trio.lowlevel
from structlog.testing import capture_logs
from trio.testing import MockClock

from ledger import snapshot
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, HeightPruned
from ledger.genesis import Limits
from ledger.snapshot import CHUNK_SIZE_MAX, Chunk
from node.bootstrap import LEDGER
from node.statesync.messages import Status, Told, decode_message, encode_message
from p2p.limits import Channel
from tests.node_world import Nodes, eventually, quick_clock, running
from tests.pruned_world import cut

pytestmark = pytest.mark.slow  # whole nodes, a block after the other

SOURCES = (0, 1, 2)
ALL = (0, 1, 2, 3)
EVERY = 20
LIMITS = Limits(heartbeat_ms=1 << 40, valid_window=8, watermark_window=4)
CHUNK = 60  # bytes: a chunk for every key


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def committee(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    monkeypatch.setattr(snapshot, "CHUNK_SIZE", CHUNK)
    made = Nodes(tmp_path, limits=LIMITS)
    made.snapshots_every = EVERY
    made.sync_modes[3] = "snapshot"
    return made


async def grown(committee: Nodes, height: int, *indexes: int) -> list[bytes]:
    """One block after the other until `height`."""
    ids: list[bytes] = []
    while committee.node(0).store.height < height:
        head = committee.node(0).store.height
        transaction = committee.transaction(f"k{head}", valid_until=head + LIMITS.valid_window)
        ids += await committee.hand_in(0, transaction)
        await committee.certified(ids[-1:], *(indexes or SOURCES))
    return ids


async def snapshots_made(committee: Nodes, height: int, *indexes: int) -> None:
    def are_made() -> bool:
        return all(
            (committee.data_dir(index) / "snapshots" / f"{height}.snapshot").exists()
            for index in indexes or SOURCES
        )

    await eventually(are_made, within_s=120)


def assert_alike(committee: Nodes) -> None:
    stores = [committee.node(index).store for index in ALL]
    height = min(store.certified_height for store in stores)
    assert len({store.statement(height) for store in stores}) == 1


async def test_a_node_joins_while_the_network_commits(committee: Nodes, clock: MockClock) -> None:
    async with running(committee, *SOURCES) as nursery:
        await grown(committee, EVERY + 3)
        await snapshots_made(committee, EVERY)
        await committee.start(nursery, 3)
        more = await grown(committee, EVERY + 8)
        await committee.certified(more, *ALL, within_s=120)
        store = committee.node(3).store
        assert store.base == EVERY + 1 - 16 and committee.engines[3].blocks <= store.height - EVERY
        with pytest.raises(HeightPruned):
            store.block(1)
        store.scrub()
        assert_alike(committee)
        # It has a vote again: without it and another one there is no quorum.
        await committee.stop(2)
        late = await grown(committee, store.height + 3, 0, 1, 3)
        await committee.certified(late, 0, 1, 3)
        # And makes snapshots like everybody else.
        await grown(committee, 2 * EVERY + 1, 0, 1, 3)
        await snapshots_made(committee, 2 * EVERY, 0, 1, 3)
        kept = [(committee.data_dir(i) / "snapshots" / f"{2 * EVERY}.snapshot") for i in (0, 3)]
        assert kept[0].read_bytes()[:4000] == kept[1].read_bytes()[:4000]


async def test_a_peer_that_serves_a_wrong_chunk_is_replaced(
    committee: Nodes, clock: MockClock
) -> None:
    """The others ask for time until it has lied, so that it is asked at all."""
    liar = committee.peer_id(1)
    lies: list[bytes] = []

    def lie(sender: str, channel: Channel, body: bytes) -> bytes:
        message = decode_message(body) if channel is Channel.SNAPSHOTS else None
        if not isinstance(message, Told) or message.status != Status.HERE:
            return body
        try:
            chunk = decode(message.data, Chunk, size_max=CHUNK_SIZE_MAX)
        except DecodeError:
            return body  # another kind of answer
        if sender == liar:
            first = msgspec.structs.replace(chunk.entries[0], value=b"mine")
            lies.append(encode(Chunk((first, *chunk.entries[1:]))))
            return encode_message(msgspec.structs.replace(message, data=lies[-1]))
        return body if lies else encode_message(Told(message.number, Status.BUSY, b""))

    committee.air.alter = lie
    async with running(committee, *SOURCES) as nursery:
        await grown(committee, EVERY + 1)
        await snapshots_made(committee, EVERY)
        with capture_logs() as logs:
            await committee.start(nursery, 3)
        struck = [log for log in logs if log["event"] == "peer_struck"]
        assert [log["peer"] for log in struck] == ["node1"]
        assert "not those of the certified state" in struck[0]["reason"]
        more = await grown(committee, EVERY + 3)
        await committee.certified(more, *ALL, within_s=120)
        assert_alike(committee)


async def test_a_node_whose_blocks_nobody_keeps_joins_again(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *SOURCES) as nursery:
        await committee.start(nursery, 3)
        await grown(committee, 2, *ALL)
        await committee.stop(3)
        await grown(committee, EVERY + 3)
        await snapshots_made(committee, EVERY)
        for index in SOURCES:
            await committee.stop(index)
            cut(committee.data_dir(index) / LEDGER, EVERY + 1 - 16)
        await committee.start(nursery, *SOURCES)
        with capture_logs() as logs:
            await committee.start(nursery, 3)
            await eventually(lambda: any(log["event"] == "outrun" for log in logs), within_s=240)
            more = await grown(committee, committee.node(0).store.height + 3)
            await committee.certified(more, *ALL, within_s=240)
        assert_alike(committee)
        aside = list(committee.data_dir(3).glob("ledger.outrun-*"))
        assert [path.name for path in aside] == [f"ledger.outrun-{EVERY}"]
        committee.node(3).store.scrub()


async def test_without_leave_it_stays_and_says_what_to_do(
    committee: Nodes, clock: MockClock
) -> None:
    committee.sync_modes.clear()
    async with running(committee, *SOURCES) as nursery:
        await grown(committee, EVERY + 3)
        for index in SOURCES:
            await committee.stop(index)
            cut(committee.data_dir(index) / LEDGER, 5)
        await committee.start(nursery, *SOURCES)
        with capture_logs() as logs:
            await committee.start(nursery, 3)
            await grown(committee, EVERY + 5)
            await eventually(lambda: any(log["event"] == "outrun" for log in logs), within_s=240)
        (told, *_) = [log for log in logs if log["event"] == "outrun"]
        assert 'set [sync] mode = "snapshot"' in told["advice"]
        assert committee.node(3).store.height == 0


async def test_a_kept_snapshot_outlives_a_restart_and_its_leftovers_do_not(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *SOURCES) as nursery:
        await grown(committee, EVERY + 1)
        await snapshots_made(committee, EVERY)
        await committee.stop(*SOURCES)
        folder = committee.data_dir(0) / "snapshots"
        (folder / "40.snapshot.part").write_bytes(b"half")
        (folder / "sorting").mkdir()
        (folder / "sorting" / "00").write_bytes(b"half")
        (committee.data_dir(1) / "snapshots" / f"{EVERY}.snapshot").write_bytes(b"damaged")
        shutil.rmtree(committee.data_dir(2) / "snapshots")
        await committee.start(nursery, *SOURCES)
        assert [path.name for path in folder.iterdir()] == [f"{EVERY}.snapshot"]
        await committee.start(nursery, 3)  # from node 0 alone
        more = await grown(committee, EVERY + 3)
        await committee.certified(more, *ALL, within_s=120)
        assert committee.node(3).store.base == EVERY + 1 - 16
        await trio.lowlevel.checkpoint()
