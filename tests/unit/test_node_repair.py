"""A ledger whose state is not the quorum's is rebuilt out of its own blocks, or said to be past it;
whenever the process dies on the way, the old ledger or the new one is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from contracts.vm.host import WorkerFault
from ledger import store as ledger_store
from ledger.disk import Disk
from ledger.encoding import encode
from ledger.errors import LedgerDamaged
from ledger.model import ExecutionCertificate, execution_message, transaction_id
from ledger.schema import BLOCK, at_height
from ledger.store import Store
from node import ledgers, repair
from node.execute import ChainRules, Diverged, Executor
from node.repair import Incurable, RepairOrder, Workshop, disowned, pending_order, rebuild
from tests.chain_world import Chain, ReplayEngine
from tests.fake_keys import FakeKeys
from tests.ledger_world import World, sign_all

HEADS = 8
WRONG_AT = 5  # the first block of which this node holds another outcome than the others


class Stopped(Exception):
    """The process dies here."""


def ignore(height: int) -> None:
    """Progress that nobody watches."""


class Bench:
    """What the others have, and a node that went wrong at WRONG_AT."""

    def __init__(self, root: Path) -> None:
        self.chain = Chain(World(root / "chain"))
        for _ in range(HEADS):
            self.chain.grow()
        world = self.chain.world
        self.ledger = root / "data" / "ledger"
        self.ledger.parent.mkdir()
        self.engine = ReplayEngine(self.chain)
        self.rules = ChainRules(world.chain_id, world.genesis.limits)
        self.store = World(self.ledger).store

    def go_wrong(self, *, certified: int = WRONG_AT - 1, head: int = HEADS) -> None:
        """Execute up to `head`, the block at WRONG_AT wrongly."""
        self.engine.wrong[WRONG_AT] = 1
        executor = Executor(self.store, self.engine, self.rules)
        for height in range(1, head + 1):
            bundle = self.chain.bundle(height)
            executor.apply(bundle.block, bundle.commit_certificate)
            if height <= certified:
                self.store.certify(self.certificate(height))

    def certificate(self, height: int) -> ExecutionCertificate:
        return self.chain.world.execution_certificate(height)

    def order(self, height: int = WRONG_AT) -> RepairOrder:
        return RepairOrder(self.store.statement(height), self.certificate(height), None)

    def rebuild(
        self, order: RepairOrder | None = None, *, advance: Callable[[int], None] = ignore
    ) -> int:
        world = self.chain.world
        workshop = Workshop(self.ledger, world.genesis, self.rules, FakeKeys(), lambda: self.engine)
        wanted = order or self.order()
        self.store.put_meta(repair.ORDER_KEY, encode(wanted))
        promised = max(self.store.height, disowned(self.store))
        return rebuild(self.store, workshop, advance, promised=promised, order=wanted)

    def reopen(self) -> Store:
        """As the next start of the node does."""
        self.store.close()
        ledgers.settle(self.ledger)
        self.store = Store.open(self.ledger)
        ledgers.tidy(self.ledger)
        return self.store

    def agrees(self) -> bool:
        theirs = self.chain.world.store
        return all(
            self.store.statement(h) == theirs.statement(h) for h in range(self.store.height + 1)
        )

    def folders(self) -> list[str]:
        return sorted(path.name for path in self.ledger.parent.iterdir())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_ledger_is_rebuilt_as_far_as_a_quorum_proves_it(bench: Bench) -> None:
    bench.go_wrong()
    assert not bench.agrees()
    assert bench.rebuild() == WRONG_AT
    store = bench.reopen()
    assert (store.height, store.certified_height) == (WRONG_AT, WRONG_AT)
    assert bench.agrees()
    store.scrub()
    assert bench.folders() == ["ledger", f"ledger.diverged-{WRONG_AT}"]


def test_the_old_ledger_is_kept_with_the_order_that_condemned_it(bench: Bench) -> None:
    bench.go_wrong()
    order = bench.order()
    bench.rebuild(order)
    assert pending_order(bench.reopen()) is None
    (aside,) = ledgers.set_aside(bench.ledger, ledgers.DIVERGED)
    old = Store.open(aside)
    assert pending_order(old) == order
    assert old.statement(WRONG_AT) == order.own
    old.close()


def test_heights_that_may_have_been_signed_wrongly_are_remembered(bench: Bench) -> None:
    bench.go_wrong()
    assert disowned(bench.store) == 0
    bench.rebuild()
    assert disowned(bench.reopen()) == HEADS, "also those that are not rebuilt yet"


def test_a_second_repair_keeps_what_the_first_one_promised(bench: Bench) -> None:
    bench.go_wrong()
    bench.rebuild()
    store = bench.reopen()
    bench.rebuild(bench.order(height=2))
    assert store.height < HEADS == disowned(bench.reopen())


def test_a_block_that_was_never_stored_is_tried_as_well(bench: Bench) -> None:
    bench.go_wrong(head=WRONG_AT - 1)
    bundle = bench.chain.bundle(WRONG_AT)
    executor = Executor(bench.store, bench.engine, bench.rules)
    with pytest.raises(Diverged) as diverged:
        executor.apply(bundle.block, bundle.commit_certificate, bundle.execution_certificate)
    order = repair.order_of(diverged.value.evidence)
    assert order.bundle == bundle
    assert bench.rebuild(order) == WRONG_AT
    assert bench.reopen().height == WRONG_AT
    assert bench.agrees()


def test_blocks_without_certificates_of_their_own_are_proved_by_a_later_one(bench: Bench) -> None:
    bench.go_wrong(certified=2)
    assert bench.rebuild() == WRONG_AT
    store = bench.reopen()
    assert (store.height, store.certified_height) == (WRONG_AT, 2)
    assert bench.agrees()


def test_an_outcome_that_stays_wrong_is_past_repair_and_the_sentence_says_all(bench: Bench) -> None:
    bench.go_wrong()
    bench.engine.wrong[WRONG_AT] = 1
    found = bench.store.statement(WRONG_AT).state_root.hex()
    expected = bench.certificate(WRONG_AT).statement.state_root.hex()
    with pytest.raises(Incurable) as incurable:
        bench.rebuild()
    said = str(incurable.value)
    assert said.startswith(f"block {WRONG_AT}, executed anew")
    assert f"state_root expected {expected}, found {found}" in said
    for transaction in bench.store.block(WRONG_AT).transactions:
        assert transaction_id(transaction).hex() in said
    assert "receipts_root" not in said, "that one agrees"
    store = bench.reopen()
    assert store.height == HEADS, "the old ledger stays"
    assert pending_order(store) is not None, "the next start tries again"


def test_what_is_above_damage_comes_from_peers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_store, "OPEN_CHECK_BLOCKS", 2)
    bench.go_wrong()
    order = bench.order()
    bench.store.close()
    with_hole(bench.ledger, BLOCK, 3)
    bench.store = Store.open(bench.ledger)
    with capture_logs() as logs:
        assert bench.rebuild(order) == 2
    (line,) = [line for line in logs if line["event"] == "rebuild_unreadable"]
    assert "block 3" in line["reason"]
    store = bench.reopen()
    assert store.height == 2
    assert disowned(store) == HEADS
    assert bench.agrees()


def with_hole(ledger: Path, table: bytes, height: int) -> None:
    """Take one record out."""
    disk = Disk(ledger)
    disk.write([(at_height(table, height), None)])
    disk.close()


def test_what_the_certificate_does_not_prove_is_left_to_the_peers(bench: Bench) -> None:
    bench.go_wrong()
    order = bench.order()
    statement = msgspec.structs.replace(order.certificate.statement, block_hash=bytes(32))
    validators = bench.chain.world.validators
    signatures = sign_all(execution_message(statement), validators, (0, 1, 2))
    other = RepairOrder(order.own, ExecutionCertificate(statement, signatures), None)
    with capture_logs() as logs:
        assert bench.rebuild(other) == WRONG_AT - 1
    assert [line["rest"] for line in logs if line["event"] == "rebuild_unproved"]
    bench.reopen()
    assert bench.agrees()


def test_a_fault_of_the_engine_leaves_all_as_it_was(bench: Bench) -> None:
    bench.go_wrong()

    def fail(height: int) -> None:
        raise WorkerFault("no memory")

    with pytest.raises(WorkerFault):
        bench.rebuild(advance=fail)
    assert bench.reopen().height == HEADS
    assert bench.rebuild() == WRONG_AT


# --- death on the way -----------------------------------------------------------------------


@pytest.mark.parametrize("height", range(1, WRONG_AT + 1))
def test_a_repair_that_is_cut_off_begins_again(bench: Bench, height: int) -> None:
    bench.go_wrong()

    def stop(reached: int) -> None:
        if reached == height:
            raise Stopped

    with pytest.raises(Stopped):
        bench.rebuild(advance=stop)
    assert "ledger.repair" in bench.folders()
    store = bench.reopen()
    assert bench.folders() == ["ledger"], "what is left is removed"
    order = pending_order(store)
    assert order is not None
    assert bench.rebuild(order) == WRONG_AT
    bench.reopen()
    assert bench.agrees()


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_swap_that_is_cut_off_is_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    bench.go_wrong()
    bench.rebuild()
    bench.store.close()
    left = Counter(renames=renames)
    rename = Path.rename

    def die(path: Path, target: Path) -> Path:
        if not left["renames"]:
            raise Stopped
        left["renames"] -= 1
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", die)
    if renames < 2:
        with pytest.raises(Stopped):
            ledgers.settle(bench.ledger)
    else:
        ledgers.settle(bench.ledger)
    monkeypatch.setattr(Path, "rename", rename)
    bench.reopen()
    assert bench.agrees()
    assert bench.folders() == ["ledger", f"ledger.diverged-{WRONG_AT}"]


def test_the_newest_ledgers_that_were_set_aside_are_kept(bench: Bench) -> None:
    for name in ("7", "12", "12.2", "12.10"):
        (bench.ledger.parent / f"ledger.diverged-{name}").mkdir()
    with capture_logs() as logs:
        ledgers.tidy(bench.ledger)
    assert bench.folders() == ["ledger", "ledger.diverged-12.10", "ledger.diverged-12.2"]
    assert len([line for line in logs if line["event"] == "old_ledger_removed"]) == 2


def test_a_second_repair_at_one_height_overwrites_nothing(bench: Bench) -> None:
    bench.go_wrong()
    bench.rebuild()
    bench.reopen()
    bench.rebuild(bench.order())
    bench.reopen()
    first, second = ledgers.set_aside(bench.ledger, ledgers.DIVERGED)
    assert (first.name, second.name) == (
        f"ledger.diverged-{WRONG_AT}",
        f"ledger.diverged-{WRONG_AT}.2",
    )


def test_an_order_that_is_damaged_is_said_to_be(bench: Bench) -> None:
    bench.store.put_meta(repair.ORDER_KEY, b"\x00garbage")
    with pytest.raises(LedgerDamaged, match="order to repair"):
        pending_order(bench.store)


def test_an_order_survives_its_encoding(bench: Bench) -> None:
    bench.go_wrong()
    order = bench.order()
    bench.store.put_meta(repair.ORDER_KEY, encode(order))
    assert pending_order(bench.reopen()) == order


def test_a_folder_that_is_no_ledger_of_ours_is_left_alone(bench: Bench) -> None:
    other = bench.ledger.parent / "ledger.diverged-old"
    other.mkdir()
    ledgers.tidy(bench.ledger)
    assert other.exists()
