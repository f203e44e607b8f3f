"""One of four nodes goes wrong: it notices, rebuilds its ledger in the same process, and goes on;
or it says that no repair can help."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from cli.main import main
from client.errors import Refused
from consensus.pbft.messages import Certified, Checkpoint, SignedMessage, decode_message
from ledger.encoding import decode
from ledger.genesis import Limits
from ledger.model import ExecutionCertificate, ExecutionStatement
from ledger.schema import RECEIPTS, at_height, state_key
from ledger.store import Store
from node import refusals
from node.ledgers import DAMAGED, DIVERGED, set_aside
from p2p.limits import Channel
from tests.node_world import Nodes, eventually, quick_clock, running

ALL = (0, 1, 2, 3)
HEALTHY = (0, 1, 2)
WRONG_AT = 2
FOR_EVER = 1 << 30


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def committee(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path, limits=Limits(heartbeat_ms=1 << 40))  # no blocks but the test's


async def blocks(committee: Nodes, *names: str) -> list[bytes]:
    """One block after the other, certified by the healthy nodes."""
    ids: list[bytes] = []
    for name in names:
        made = await committee.hand_in(0, committee.transaction(name))
        await committee.certified(made, *HEALTHY)
        ids += made
    return ids


async def alike(committee: Nodes, ids: list[bytes]) -> None:
    """Until all four have everything, with the same roots."""
    await committee.certified(ids, *ALL, within_s=120)
    stores = [committee.node(index).store for index in ALL]
    height = min(store.height for store in stores)
    assert len({store.statement(height).state_root for store in stores}) == 1


async def has_followed(committee: Nodes, old: Store) -> None:
    """Until another node runs on node 3's files."""
    await eventually(lambda: committee.node(3).store is not old, within_s=120)


@contextmanager
def held_up(committee: Nodes) -> Iterator[threading.Event]:
    """Node 3 begins no ledger inside before the event is set."""
    go_on = threading.Event()

    def wait() -> None:
        go_on.wait()

    committee.engines[3].on_genesis = wait
    try:
        yield go_on
    finally:
        go_on.set()
        committee.engines[3].on_genesis = lambda: None


def accusations(committee: Nodes) -> list[str]:
    return sorted(
        path.name for index in ALL for path in (committee.data_dir(index) / "accusations").glob("*")
    )


async def test_a_node_that_went_wrong_once_repairs_itself_and_goes_on(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].wrong[WRONG_AT] = 1
    with capture_logs() as logs:
        async with running(committee, *ALL):
            old = committee.node(3).store
            ids = await blocks(committee, "a", "b", "c", "d")
            await has_followed(committee, old)
            ids += await blocks(committee, "e")
            await alike(committee, ids)
            assert (await committee.status(3)).phase == "ordering"
    alerts = [line["event"] for line in logs if line["log_level"] == "critical"]
    assert alerts == ["halted", "repairing", "repaired"]
    (aside,) = set_aside(committee.data_dir(3) / "ledger", DIVERGED)
    assert aside.name == f"ledger.diverged-{WRONG_AT}"
    (kept,) = accusations(committee)
    assert kept.startswith("halt-"), "its evidence; and nobody saw it contradict itself"


async def test_the_evidence_shows_both_outcomes(
    committee: Nodes, clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    committee.engines[3].wrong[WRONG_AT] = 1
    async with running(committee, *ALL):
        old = committee.node(3).store
        await blocks(committee, "a", "b")
        await has_followed(committee, old)
        signed = committee.node(3).store.statement(WRONG_AT)
    (file,) = (committee.data_dir(3) / "accusations").glob("halt-*")
    reason, (own, certificate) = decode(
        file.read_bytes(), tuple[str, tuple[bytes, bytes]], size_max=1 << 20
    )
    assert "differs from a quorum's" in reason
    assert decode(own, ExecutionStatement, size_max=1 << 20).state_root != signed.state_root
    found = decode(certificate, ExecutionCertificate, size_max=1 << 20)
    assert (found.statement, len(found.signatures)) == (signed, 3)
    capsys.readouterr()
    assert main(["node", "halt-report", str(committee.data_dir(3)), "--json"]) == 0
    ours, theirs = json.loads(capsys.readouterr().out)
    assert ours["file"] == theirs["file"] == file.name
    assert (ours["by"], len(theirs["by"]), theirs["forged"]) == ([], 3, [])


async def test_what_is_wrong_while_catching_up_is_repaired_too(
    committee: Nodes, clock: MockClock
) -> None:
    async with running(committee, *ALL) as nursery:
        ids = await blocks(committee, "a")
        await committee.certified(ids, 3)
        await committee.stop(3)
        ids += await blocks(committee, "b", "c", "d")
        committee.engines[3].wrong[WRONG_AT] = 1
        await committee.start(nursery, 3)
        await has_followed(committee, committee.node(3).store)
        await alike(committee, ids)
    assert len(set_aside(committee.data_dir(3) / "ledger", DIVERGED)) == 1


async def test_while_it_repairs_it_says_so_and_neither_votes_nor_lets_itself_be_read(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].wrong[WRONG_AT] = 1
    async with running(committee, *ALL):
        old = committee.node(3).store
        ids = await blocks(committee, "a")
        await committee.certified(ids, 3)
        with held_up(committee) as go_on:
            ids += await blocks(committee, "b")
            await committee.phase(3, "repairing")
            voted = committee.air.sent[committee.peer_id(3), Channel.VOTES]
            with committee.client(3) as client:
                transaction = committee.transaction("c")
                for call in (
                    lambda: client.submit(transaction),
                    lambda: client.block(1),
                    lambda: client.transaction(ids[0]),
                    lambda: client.state("notes", b"k"),
                    lambda: client.view(committee.account, "notes", "read", "a"),
                    lambda: list(client.events()),
                ):
                    with pytest.raises(Refused) as refused:
                        await trio.to_thread.run_sync(call)
                    assert refused.value.code == refusals.REPAIRING
                assert (await trio.to_thread.run_sync(client.status)).phase == "repairing"
                assert (await trio.to_thread.run_sync(client.genesis)) == committee.genesis
            ids += await blocks(committee, "d", "e")
            assert committee.air.sent[committee.peer_id(3), Channel.VOTES] == voted
            go_on.set()
            await has_followed(committee, old)
        await alike(committee, ids)


async def test_an_engine_that_is_always_wrong_halts_the_node_for_good(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].wrong[WRONG_AT] = FOR_EVER
    with capture_logs() as logs:
        async with running(committee, *ALL):
            ids = await blocks(committee, "a", "b")
            await committee.phase(3, "halted")
            right = committee.node(0).store.statement(WRONG_AT).state_root.hex()
            wrong = committee.node(3).store.statement(WRONG_AT).state_root.hex()
            with pytest.raises(Refused) as refused, committee.client(3) as client:
                await trio.to_thread.run_sync(lambda: client.block(1))
            assert refused.value.code == refusals.HALTED
            ids += await blocks(committee, "c")
    (line,) = [line for line in logs if line["event"] == "repair_failed"]
    assert line["log_level"] == "critical"
    assert line["reason"].startswith(
        f"block {WRONG_AT}, executed anew on a state rebuilt from the genesis, again differs from "
        f"what a quorum signed: state_root expected {right}, found {wrong}; "
        f"transaction {ids[1].hex()}; so the fault is in this release"
    )
    assert set_aside(committee.data_dir(3) / "ledger", DIVERGED) == []


async def test_another_release_repairs_what_the_wrong_one_could_not(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].wrong[WRONG_AT] = FOR_EVER
    async with running(committee, *ALL) as nursery:
        ids = await blocks(committee, "a", "b")
        await committee.phase(3, "halted")
        await committee.stop(3)
        committee.engines[3].wrong.clear()
        await committee.start(nursery, 3)
        await alike(committee, ids)


def copy_of_disk(data: Path, copy: Path) -> None:
    """What a killed node leaves, but for its sockets, which are nothing that could be copied."""
    shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*.sock"))


async def test_a_node_that_was_killed_in_its_repair_begins_it_again(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].wrong[WRONG_AT] = 1
    data = committee.data_dir(3)
    copy = data.with_name("as killed")
    async with running(committee, *ALL) as nursery:
        ids = await blocks(committee, "a")
        await committee.certified(ids, 3)
        with held_up(committee) as go_on:
            ids += await blocks(committee, "b")
            await committee.phase(3, "repairing")
            await eventually(lambda: committee.node(3).store.get_meta(b"repair/order") is not None)
            await trio.to_thread.run_sync(copy_of_disk, data, copy)
            go_on.set()
            await committee.stop(3)
        shutil.rmtree(data)
        copy.rename(data)
        (data / "ledger.repair.new").mkdir()
        with capture_logs() as logs:
            await committee.start(nursery, 3)
            await alike(committee, ids)
        (line,) = [line for line in logs if line["event"] == "halted"]
        assert line["reason"].endswith("repair goes on")
    assert sorted(path.name for path in data.iterdir()) == [
        "access",
        "accusations",
        "history",
        "journal",
        "ledger",
        f"ledger.diverged-{WRONG_AT}",
    ]


async def test_a_node_that_stops_in_its_repair_stops(committee: Nodes, clock: MockClock) -> None:
    committee.engines[3].wrong[WRONG_AT] = 1
    async with running(committee, *ALL):
        ids = await blocks(committee, "a")
        await committee.certified(ids, 3)
        with held_up(committee) as go_on:
            await blocks(committee, "b")
            await committee.phase(3, "repairing")
            committee.engines[3].on_genesis = lambda: None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(committee.stop, 3)
                await trio.testing.wait_all_tasks_blocked()
                go_on.set()
    assert set_aside(committee.data_dir(3) / "ledger", DIVERGED) == []


def spoken(body: bytes) -> tuple[ExecutionStatement | None, bool]:
    """The outcome that a frame of votes is about, and whether its sender states it himself."""
    signed = decode(body, SignedMessage, size_max=1 << 20)
    match decode_message(signed.message):
        case Checkpoint(statement=statement):
            return statement, True
        case Certified(certificate=certificate):
            return certificate.statement, False
    return None, False


async def test_a_repaired_node_never_states_a_second_outcome(
    committee: Nodes, clock: MockClock
) -> None:
    committee.engines[3].wrong[WRONG_AT] = 1
    quiet_from = dict.fromkeys(ALL, WRONG_AT + 1) | {3: WRONG_AT}  # outcomes that nobody hears
    said: dict[int, set[bytes]] = {}

    def hears(sender: str, to: str, channel: Channel, body: bytes) -> bool:
        statement, is_own = spoken(body) if channel is Channel.VOTES else (None, False)
        if statement is None:
            return True
        if is_own and sender == committee.peer_id(3):
            said.setdefault(statement.height, set()).add(statement.state_root)
        (index,) = [i for i in ALL if committee.peer_id(i) == to]
        return statement.height < quiet_from[index]

    committee.air.hears = hears
    async with running(committee, *ALL):
        old = committee.node(3).store
        ids = await blocks(committee, "a", "b")
        ids += await committee.hand_in(0, committee.transaction("c"))
        await eventually(lambda: old.height == WRONG_AT + 1)
        await eventually(lambda: WRONG_AT + 1 in said)
        quiet_from[3] = WRONG_AT + 1
        await has_followed(committee, old)
        new = committee.node(3).store
        await eventually(lambda: new.height == WRONG_AT + 1, within_s=120)
        quiet_from.update(dict.fromkeys(ALL, FOR_EVER))
        await alike(committee, ids)
        assert new.statement(WRONG_AT + 1).state_root not in said[WRONG_AT + 1]
    assert all(len(roots) == 1 for roots in said.values())


# --- damage ---------------------------------------------------------------------------------


async def test_damaged_history_is_mended_while_the_node_votes(committee: Nodes) -> None:
    async with running(committee, *ALL):
        ids = await blocks(committee, "a", "b", "c")
        await alike(committee, ids)
        node = committee.node(3)
        old = node.store
        old._disk.write([(at_height(RECEIPTS, 2), b"altered")])
        node.keeping.patrol.ask()
        await has_followed(committee, old)
        await alike(committee, ids)
        ids += await blocks(committee, "d")
        await alike(committee, ids)
        committee.node(3).store.scrub()
    assert len(set_aside(committee.data_dir(3) / "ledger", DAMAGED)) == 1


async def test_a_damaged_state_stops_the_votes_until_it_is_mended(committee: Nodes) -> None:
    async with running(committee, *ALL):
        ids = await blocks(committee, "a", "b")
        await alike(committee, ids)
        node = committee.node(3)
        old = node.store
        old._disk.write([(state_key("notes", b"no such key"), b"altered")])
        with capture_logs() as logs:
            node.keeping.patrol.ask()
            await has_followed(committee, old)
        assert [line["event"] for line in logs if line["log_level"] == "critical"][:2] == [
            "halted",
            "repairing",
        ]
        await alike(committee, ids)
        committee.node(3).store.scrub()


async def test_a_node_that_may_only_halt_keeps_the_damaged_ledger(committee: Nodes) -> None:
    committee.repair = "halt"
    async with running(committee, *ALL):
        await alike(committee, await blocks(committee, "a", "b"))
        node = committee.node(3)
        node.store._disk.write([(at_height(RECEIPTS, 1), b"altered")])
        node.keeping.patrol.ask()
        await eventually(lambda: node.reception.situation().phase == "halted")
        await blocks(committee, "c")
    assert set_aside(committee.data_dir(3) / "ledger", DAMAGED) == []


async def test_a_node_that_lost_its_votes_follows_without_a_vote(committee: Nodes) -> None:
    async with running(committee, *ALL):
        ids = await blocks(committee, "a")
        await alike(committee, ids)
    (committee.data_dir(3) / "journal.lost-1").mkdir()
    async with running(committee, *ALL):
        ids += await blocks(committee, "b")
        await alike(committee, ids)
        assert committee.node(3).reception.situation().phase == "observing"
