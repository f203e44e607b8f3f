"""After a fork beyond f the organizations agree on a block: nodes go back to it, set aside what
they have above it, and go on; what was signed above it before counts no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from client.account import Account
from contracts.vm.engine_schedule import schedule_of
from crypto import sm2
from crypto.providers.software import SoftwareProvider, verify_batch
from ledger.archive import export
from ledger.certificates import commit_items
from ledger.errors import RecoveryInvalid
from ledger.genesis import Limits
from ledger.recovery import (
    PlanSignature,
    Recovery,
    domain_after,
    next_recovery,
    plan_message,
    with_signature,
)
from ledger.store import Store
from node import ledgers
from node.audit import Kind, Verdict, replay
from node.journal import Journal
from node.recover import DROPPED, Recovered, RecoverRefused, Site, read_dropped, recover
from node.repair import disowned
from tests.node_world import eventually, quick_clock, running
from tests.unit.test_node_committee import WINDOW, Consortium

ALL = (0, 1, 2, 3)
KEPT = 3  # the block from which the chain goes on


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def network(tmp_path: Path) -> Consortium:
    limits = Limits(watermark_window=WINDOW, heartbeat_ms=1 << 40)  # no blocks but the test's
    return Consortium(tmp_path, size=4, members=4, limits=limits)


def ignore(height: int) -> None:
    """Progress that nobody watches."""


def signed(recovery: Recovery, *accounts: Account) -> Recovery:
    for account in accounts:
        signature = account.sign(plan_message(recovery.plan))
        recovery = with_signature(recovery, PlanSignature(account.public_key, signature))
    return recovery


def drafted(network: Consortium, height: int = KEPT, *, node: int = 0) -> Recovery:
    """As the command line drafts it from a stopped node."""
    store = Store.open(network.data_dir(node) / "ledger")
    certificate = store.execution_certificate(height)
    assert certificate is not None
    recovery = next_recovery(store.recoveries, certificate, store.chain_id, "more than f lied", 1)
    store.close()
    return recovery


def agreed(network: Consortium, height: int = KEPT, *, node: int = 0) -> Recovery:
    return signed(drafted(network, height, node=node), network.manager, *network.voices[:3])


def site(network: Consortium, index: int) -> Site:
    return Site(
        network.data_dir(index),
        network.genesis,
        SoftwareProvider(sm2.generate()),
        lambda: network.engines[index],
    )


async def follow(
    network: Consortium, recovery: Recovery, *indexes: int, start_over: bool = False
) -> list[Recovered]:
    return [
        await trio.to_thread.run_sync(
            lambda index=index: recover(
                site(network, index), recovery, start_over=start_over, advance=ignore
            )
        )
        for index in indexes
    ]


async def blocks(network: Consortium, count: int, *indexes: int) -> list[bytes]:
    ids: list[bytes] = []
    for _ in range(count):
        key = f"note {network.root.name} {len(ids)} {network.node(indexes[0]).store.height}"
        made = await network.hand_in(indexes[0], network.transaction(key, valid_until=500))
        await network.certified(made, *indexes)
        ids += made
    return ids


def alike(network: Consortium, indexes: Sequence[int] = ALL) -> bool:
    stores = [network.node(index).store for index in indexes]
    height = min(store.height for store in stores)
    return len({store.statement(height).block_hash for store in stores}) == 1


async def test_all_go_back_and_go_on(network: Consortium, clock: MockClock) -> None:
    async with running(network, *ALL) as nursery:
        ids = await blocks(network, KEPT + 2, *ALL)
        old = network.node(0).store.statement(KEPT + 1)
        await network.stop(*ALL)
        recovery = agreed(network)
        for done in await follow(network, recovery, *ALL):
            assert (done.number, done.height, done.dropped) == (1, KEPT, 2)
        store = Store.open(network.data_dir(0) / "ledger")
        assert disowned(store) == 0, "it says of those blocks what it said"
        store.close()
        await network.start(nursery, *ALL)
        for index in ALL:
            store = network.node(index).store
            assert store.find_transaction(ids[KEPT - 1]) is not None
            assert store.find_transaction(ids[KEPT]) is None
        await blocks(network, 3, *ALL)
        assert alike(network)
        new = network.node(0).store.statement(KEPT + 1)
        assert new.block_hash != old.block_hash
        assert new.chain_id == domain_after(recovery.plan) != old.chain_id
        assert network.node(0).store.block(KEPT + 1).header.chain_id == old.chain_id
        await network.stop(*ALL)
    for index in ALL:
        store = Store.open(network.data_dir(index) / "ledger")
        store.scrub()
        assert store.recoveries == (recovery,)
        store.close()
    for examine in (audited, archived):
        verdict = await trio.to_thread.run_sync(examine, network, 0)
        assert (verdict.divergence, verdict.recoveries) == (None, 1)


async def test_a_ledger_without_its_beginning_has_to_start_over(
    network: Consortium, clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(network, *ALL):
        await blocks(network, KEPT + 1, *ALL)
        await network.stop(*ALL)
    recovery = agreed(network)
    monkeypatch.setattr(Store, "base", 2)
    with pytest.raises(RecoverRefused, match="begins at block 2.*--start-over"):
        await follow(network, recovery, 0)
    await follow(network, recovery, 0, start_over=True)


@pytest.mark.long
async def test_a_plan_leads_out_of_an_engine_that_no_release_has(
    network: Consortium, clock: MockClock
) -> None:
    async with running(network, *ALL) as nursery:
        ids = await blocks(network, KEPT, *ALL)
        change_at = KEPT + 4 + WINDOW + 1  # above the proposal, three approvals and the window
        absent = "shuxin-vm/9+cpython-3.11+0123456789abcdef"
        await network.change_engine(absent, change_at)
        await blocks(network, change_at - 1 - network.node(0).store.height, *ALL)
        ids += await network.hand_in(0, network.transaction("for that height"))
        for index in ALL:
            await network.phase(index, "halted")
        await network.stop(*ALL)
        for done in await follow(network, agreed(network), *ALL):
            assert done.height == KEPT
        await network.start(nursery, *ALL)
        await blocks(network, change_at + 2 - KEPT, *ALL)
        store = network.node(0).store
        assert store.height > change_at and schedule_of(store).after(0) == ()
        assert store.find_transaction(ids[KEPT - 1]) is not None
        await network.stop(*ALL)


def audited(network: Consortium, index: int) -> Verdict:
    return replay(network.data_dir(index), network.genesis, advance=lambda done, total: None)


def archived(network: Consortium, index: int) -> Verdict:
    """Of an archive of that node's ledger."""
    path = network.data_dir(index) / "archive"
    store = Store.open(network.data_dir(index) / "ledger")
    export(store, path, lambda done, total: None)
    store.close()
    return replay(path, network.genesis, advance=lambda done, total: None)


async def test_audit_names_a_plan_that_too_few_agreed_on(stopped: Consortium) -> None:
    ledger = stopped.data_dir(0) / "ledger"
    plan = drafted(stopped, KEPT + 1)
    store = Store.open(ledger)
    store.follow(signed(plan, stopped.manager, *stopped.voices[:2]))
    store.close()
    for examine in (audited, archived):
        verdict = await trio.to_thread.run_sync(examine, stopped, 0)
        assert verdict.divergence is not None
        assert verdict.divergence.height == KEPT + 1
        assert verdict.divergence.kind is Kind.RECOVERY
        assert "2 of 4 organizations signed the plan" in verdict.divergence.check


@pytest.mark.long
async def test_what_was_set_aside_is_kept_and_can_be_sent_again(
    network: Consortium, clock: MockClock
) -> None:
    async with running(network, *ALL) as nursery:
        ids = await blocks(network, KEPT + 2, *ALL)
        await network.stop(*ALL)
        (done, *_) = await follow(network, agreed(network), *ALL)
        assert done.set_aside == network.data_dir(0) / "recovered" / "1"
        lines = (done.set_aside / DROPPED).read_text(encoding="utf-8").splitlines()
        listed = [json.loads(line) for line in lines]
        assert [line["transaction_id"] for line in listed] == [i.hex() for i in ids[KEPT:]]
        assert [line["height"] for line in listed] == [KEPT + 1, KEPT + 2]
        aside = Store.open(done.set_aside / "ledger")
        assert aside.height == KEPT + 2
        aside.close()
        Journal(done.set_aside / "journal").close()
        await network.start(nursery, *ALL)
        with network.client(0) as client:
            encoded = list(read_dropped(done.set_aside / DROPPED))
            verdicts = await trio.to_thread.run_sync(client.submit_encoded, encoded)
        assert [verdict.error for verdict in verdicts] == ["", ""]
        await network.certified(ids, *ALL)


@pytest.mark.long
async def test_a_node_that_does_not_follow_yet_has_no_say_and_comes_back_by_the_plan(
    network: Consortium, clock: MockClock
) -> None:
    async with running(network, *ALL) as nursery:
        await blocks(network, KEPT + 2, *ALL)
        await network.stop(*ALL)
        recovery = agreed(network)
        await follow(network, recovery, 0, 1, 2)
        with capture_logs():
            await network.start(nursery, *ALL)
            old = network.node(3).store.statement(KEPT + 1)
            ids = await blocks(network, 3, 0, 1, 2)
            assert network.node(3).store.statement(KEPT + 1) == old
            assert network.node(0).store.statement(KEPT + 1) != old
        await network.stop(3)
        await follow(network, recovery, 3)
        await network.start(nursery, 3)
        await network.certified(ids, *ALL, within_s=120)
        assert alike(network)


async def test_a_new_node_that_knows_the_plan_gets_the_agreed_history(
    network: Consortium, clock: MockClock
) -> None:
    async with running(network, *ALL) as nursery:
        await blocks(network, KEPT + 2, *ALL)
        await network.stop(*ALL)
        recovery = agreed(network)
        await follow(network, recovery, 0, 1, 2)
        (done,) = await follow(network, recovery, 3, start_over=True)
        assert done.height == 0
        store = Store.open(network.data_dir(3) / "ledger")
        assert disowned(store) == KEPT, "what it signed of those blocks is not known any more"
        store.close()
        await network.start(nursery, *ALL)
        ids = await blocks(network, 2, 0, 1, 2)
        await network.certified(ids, *ALL, within_s=120)
        assert alike(network)


@pytest.mark.long
async def test_a_node_below_the_plan_keeps_what_it_has_and_fetches_the_rest(
    network: Consortium, clock: MockClock
) -> None:
    async with running(network, *ALL) as nursery:
        await blocks(network, 1, *ALL)
        await network.stop(3)
        await blocks(network, KEPT + 1, 0, 1, 2)
        await network.stop(0, 1, 2)
        recovery = agreed(network)
        await follow(network, recovery, 0, 1, 2)
        (done,) = await follow(network, recovery, 3)
        assert (done.height, done.dropped) == (1, 0)
        await network.start(nursery, *ALL)
        ids = await blocks(network, 2, 0, 1, 2)
        await network.certified(ids, *ALL, within_s=120)


@pytest.mark.long
async def test_a_second_plan_follows_the_first(network: Consortium, clock: MockClock) -> None:
    async with running(network, *ALL) as nursery:
        await blocks(network, KEPT + 2, *ALL)
        await network.stop(*ALL)
        first = agreed(network)
        await follow(network, first, *ALL)
        await network.start(nursery, *ALL)
        await blocks(network, 3, *ALL)
        await network.stop(*ALL)
        second = agreed(network, KEPT + 1)
        assert second.plan.number == 2
        await follow(network, second, *ALL)
        with pytest.raises(RecoveryInvalid, match="follows 2"):
            await follow(network, first, 0)
        await network.start(nursery, *ALL)
        await blocks(network, 2, *ALL)
        assert alike(network)
        store = network.node(0).store
        domains = [store.statement(KEPT + offset).chain_id for offset in (0, 1, 2)]
        assert domains == [
            store.chain_id,
            domain_after(first.plan),
            domain_after(second.plan),
        ]


@pytest.mark.long
async def test_old_certificates_do_not_hold_above_the_plan(
    network: Consortium, clock: MockClock
) -> None:
    async with running(network, *ALL) as nursery:
        await blocks(network, KEPT + 1, *ALL)
        old = network.node(0).store.commit_certificate(KEPT + 1)
        assert old is not None
        await network.stop(*ALL)
        await follow(network, agreed(network), *ALL)
        await network.start(nursery, *ALL)
        epoch = network.node(0).store.epochs.at(KEPT + 1)
        items = commit_items(old, epoch.validators, epoch.domain)
        assert not any(verify_batch(items))
        items = commit_items(old, epoch.validators, network.node(0).store.chain_id)
        assert all(verify_batch(items)), "it was good before"


# --- who may decide it ----------------------------------------------------------------------


@pytest.fixture
async def stopped(network: Consortium, clock: MockClock) -> Consortium:
    """Node 0 has blocks above KEPT and is not running."""
    async with running(network, *ALL):
        await blocks(network, KEPT + 1, *ALL)
    return network


async def test_a_plan_needs_a_quorum_of_organizations_and_the_manager(stopped: Consortium) -> None:
    plan, voices, manager = drafted(stopped), stopped.voices, stopped.manager
    stranger = Account(SoftwareProvider(sm2.generate()))
    short = (
        (signed(plan, manager, voices[0], voices[1]), "2 of 4 organizations"),
        (signed(plan, manager, voices[0], voices[1], stranger), "not yet: p2, p3"),
        (signed(plan, *voices), "no account of the manager"),
        (plan, "0 of 4"),
    )
    for recovery, why in short:
        with pytest.raises(RecoveryInvalid, match=why):
            await follow(stopped, recovery, 0)
    store = Store.open(stopped.data_dir(0) / "ledger")
    assert (store.height, store.recoveries) == (KEPT + 1, ()), "the node is as it was"
    store.close()
    await follow(stopped, signed(plan, manager, *voices[1:]), 0)


async def test_altered_plans_are_refused(stopped: Consortium) -> None:
    good = agreed(stopped)
    plan, certificate = good.plan, good.certificate
    other = drafted(stopped, KEPT - 1)
    replace = msgspec.structs.replace
    altered = {
        "does not hold": replace(good, plan=replace(plan, reason="because")),
        "another block than the plan names": replace(good, certificate=other.certificate),
        "for the chain": replace(good, plan=replace(plan, chain_id=bytes(32))),
        "follows 0": replace(good, plan=replace(plan, number=2, previous=bytes([1]) * 32)),
    }
    for why, recovery in altered.items():
        with pytest.raises(RecoveryInvalid, match=why):
            await follow(stopped, recovery, 0)
    forged = replace(certificate, signatures=certificate.signatures[:2])
    with pytest.raises(RecoveryInvalid, match="not certified"):
        await follow(stopped, replace(good, certificate=forged), 0)


async def test_a_plan_for_another_history_says_to_start_over(stopped: Consortium) -> None:
    plan = drafted(stopped).plan
    statement = msgspec.structs.replace(
        drafted(stopped).certificate.statement, block_hash=bytes(32)
    )
    certificate = msgspec.structs.replace(drafted(stopped).certificate, statement=statement)
    other = Recovery(msgspec.structs.replace(plan, block_hash=bytes(32)), certificate, ())
    other = signed(other, stopped.manager, *stopped.voices)
    with pytest.raises(RecoverRefused, match="--start-over"):
        await follow(stopped, other, 0)


# --- death on the way -----------------------------------------------------------------------


@pytest.mark.parametrize("renames", [0, 1, 2])
async def test_a_swap_that_is_cut_off_is_finished(
    stopped: Consortium, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    ledger = stopped.data_dir(0) / "ledger"
    settle, rename, left = ledgers.settle, Path.rename, [renames]

    class Stopped(Exception):
        pass

    def die(path: Path, target: Path) -> Path:
        if not left[0]:
            raise Stopped
        left[0] -= 1
        return rename(path, target)

    def settle_and_die(path: Path) -> None:
        if list(path.parent.glob("ledger.recovered-*")):
            monkeypatch.setattr(Path, "rename", die)
        settle(path)

    monkeypatch.setattr("node.recover.settle", settle_and_die)
    with pytest.raises(Stopped):
        await follow(stopped, agreed(stopped), 0)
    monkeypatch.setattr(Path, "rename", rename)
    settle(ledger)
    store = Store.open(ledger)
    assert (store.height, len(store.recoveries)) == (KEPT, 1)
    store.close()
    assert sorted(path.name for path in (ledger.parent / "recovered" / "1").iterdir()) == [
        DROPPED,
        "journal",
        "ledger",
    ]
    assert not (ledger.parent / "journal").exists()


async def test_a_plan_that_fails_on_the_way_leaves_the_node_as_it_was(stopped: Consortium) -> None:
    def stop(height: int) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        recover(site(stopped, 0), agreed(stopped), advance=stop)
    async with running(stopped, 0, 1, 2, 3):
        await blocks(stopped, 1, *ALL)
        assert stopped.node(0).store.height == KEPT + 2
        await eventually(lambda: stopped.node(0).store.certified_height == KEPT + 2)
        assert stopped.node(0).store.recoveries == ()


@pytest.mark.long
@pytest.mark.parametrize("keeps_decision", [False, True])
async def test_limits_are_those_of_the_chain_that_goes_on(
    network: Consortium, clock: MockClock, keeps_decision: bool
) -> None:
    """The plan goes back to the block that decided other limits, or to the one before it."""
    fewer = 10
    async with running(network, *ALL) as nursery:
        first = await network.change_parameters(("block_transactions_max", fewer))
        decided = first - WINDOW - 1
        await network.pass_heights(first + 1, *ALL)
        assert network.node(0).rulebook.at(first + 2).block_transactions_max == fewer
        await network.stop(*ALL)
        back_to = decided if keeps_decision else decided - 1
        await follow(network, agreed(network, back_to), *ALL)
        await network.start(nursery, *ALL)
        await network.pass_heights(first, *ALL)
        begun = network.node(0).store.height
        await network.hand_in_notes("full", 2 * fewer, *ALL)
        stores = [network.node(index).store for index in ALL]
        sizes = [len(stores[0].block(h).transactions) for h in range(begun, stores[0].height + 1)]
        assert (max(sizes) <= fewer) is keeps_decision
        assert alike(network)
