"""Crashes while ledgers take each other's places: repair, recovery, restore and backup."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from crypto import sm2
from ledger.encoding import encode
from ledger.errors import LedgerError
from ledger.recovery import next_recovery
from ledger.store import Store
from node import ledgers, recover
from node.backup import door
from node.backup import take as taking
from node.backup.errors import BackupError, RestoreTargetNotEmpty
from node.backup.read import check_chunks, read_segments
from node.backup.restore import Target, restore
from node.bootstrap import LEDGER
from node.execute import ChainRules, Executor
from node.journal import Journal
from node.ledgers import JOURNAL
from node.recover import DROPPED, Site
from node.repair import ORDER_KEY, RepairOrder, Workshop, disowned, rebuild
from tests.backup_world import ignore, open_door
from tests.chain_world import Chain, ReplayEngine
from tests.crash.check import Case, Said
from tests.crash.node_case import NodeCase
from tests.crash.record import say
from tests.fake_keys import FakeKeys
from tests.ledger_world import World, fake_verify_batch

HEADS, WRONG_AT, KEPT = 5, 3, 2
VOTE = b"a vote"
ORIGIN, KEY = "origin", "key"  # beside the root: the node that is backed up, and its operator's key
_folders: list[tempfile.TemporaryDirectory[str]] = []  # until the process ends


@cache
def quorum() -> Chain:
    """What the others have; the same in every process."""
    _folders.append(tempfile.TemporaryDirectory())
    chain = Chain(World(Path(_folders[-1].name) / "chain"))
    for _ in range(HEADS):
        chain.grow()
        chain.world.certify(chain.world.store.height)
    return chain


def rules() -> ChainRules:
    world = quorum().world
    return ChainRules(world.chain_id, world.genesis.limits)


def grow(data_dir: Path, engine: ReplayEngine, *, certified: int) -> None:
    """A node's ledger up to HEADS, executed by `engine`, and a vote in its journal."""
    chain = quorum()
    data_dir.mkdir()
    with closing(World(data_dir / LEDGER).store) as store:
        executor = Executor(store, engine, rules())
        for height in range(1, HEADS + 1):
            bundle = chain.bundle(height)
            executor.apply(bundle.block, bundle.commit_certificate)
            if height <= certified:
                store.certify(chain.world.execution_certificate(height))
    with closing(Journal(data_dir / JOURNAL)) as journal:
        journal.append([([], VOTE)])


@dataclass(frozen=True, slots=True)
class Moved:
    """What a crash in the middle of a move left, and whether the move could be made again."""

    error: str = ""
    height: int = -1  # of the ledger in place
    is_moved: bool = False  # the ledger in place is the new one
    has_aside: bool = False  # what it replaced is there, whole


def looked(look: Callable[[], Moved]) -> Moved:
    try:
        return look()
    except (LedgerError, BackupError, OSError, AssertionError) as error:
        return Moved(error=f"{type(error).__name__}: {error}")


def agrees(store: Store) -> bool:
    theirs = quorum().world.store
    return all(store.statement(h) == theirs.statement(h) for h in range(store.height + 1))


def votes_in(folder: Path) -> bool:
    if not folder.exists():
        return False
    with closing(Journal(folder)) as journal:
        return VOTE in journal.recovered.records


# --- repair ---------------------------------------------------------------------------------


def run_repair(root: Path) -> None:
    """The outcome of a block differs from the quorum's: the ledger is rebuilt and replaced."""
    ledger = root / "data" / LEDGER
    chain = quorum()
    with closing(Store.open(ledger)) as old:
        order = RepairOrder(
            old.statement(WRONG_AT), chain.world.execution_certificate(WRONG_AT), None
        )
        world = chain.world
        engine = ReplayEngine(chain)
        workshop = Workshop(ledger, world.genesis, rules(), FakeKeys(), lambda: engine)
        old.put_meta(ORDER_KEY, encode(order))
        promised = max(old.height, disowned(old))
        rebuild(old, workshop, lambda height: None, promised=promised, order=order)
    say(root, ["published"])
    ledgers.settle(ledger)
    say(root, ["settled"])
    with closing(Store.open(ledger)):
        ledgers.tidy(ledger)
    say(root, ["tidied"])


class RepairCase:
    """The old ledger or the new one; the old one is kept for examination."""

    name = "repair"

    def prepare(self, root: Path) -> None:
        engine = ReplayEngine(quorum())
        engine.wrong[WRONG_AT] = 1
        grow(root / "data", engine, certified=WRONG_AT - 1)

    def look(self, root: Path, *, goes_on: bool) -> Moved:
        return looked(lambda: self._look(root, goes_on=goes_on))

    def _look(self, root: Path, *, goes_on: bool) -> Moved:
        ledger = root / "data" / LEDGER
        ledgers.settle(ledger)
        with closing(Store.open(ledger)) as store:
            store.scrub()
            ledgers.tidy(ledger)
            height, is_moved = store.height, agrees(store)
            assert disowned(store) == (HEADS if is_moved else 0), "it knows what it may have signed"
        assert votes_in(root / "data" / JOURNAL), "the votes stay"
        if not is_moved and goes_on:
            run_repair(root)
            assert self._look(root, goes_on=False).is_moved, "the repair begins again"
        aside = ledgers.set_aside(ledger, ledgers.DIVERGED)
        for one in aside:
            Store.open(one).close()
        return Moved(height=height, is_moved=is_moved, has_aside=len(aside) == 1)

    def broken(self, found: Moved, said: Said) -> Iterator[str]:
        if found.error:
            yield f"it does not open: {found.error}"
        elif found.height != (WRONG_AT if found.is_moved else HEADS):  # no more is proved
            yield f"the ledger ends at {found.height}"
        elif said.all("published") and not found.is_moved:
            yield "the rebuilt ledger was whole, and is not used"
        elif found.is_moved and not found.has_aside:
            yield "the old ledger is gone"


# --- recovery -------------------------------------------------------------------------------


def run_recover(root: Path) -> None:
    """A recovery plan is applied: ledger and journal are set aside. Its signatures are not judged
    here, and the engine has the name of a test's."""
    chain = quorum()
    certificate = chain.world.execution_certificate(KEPT)
    recovery = next_recovery((), certificate, chain.world.chain_id, "a fork", 7)
    site = Site(root / "data", chain.world.genesis, FakeKeys(), lambda: ReplayEngine(chain))
    with (
        patch.object(recover, "open_or_create", lambda *_: Store.open(root / "data" / LEDGER)),
        patch.object(recover, "verify_recovery"),
        patch.object(Executor, "_check_recovery"),
    ):
        recover.recover(site, recovery, advance=lambda height: None)
    say(root, ["recovered"])


class RecoverCase:
    """The old ledger with its votes, or the new one with both set aside."""

    name = "recover"

    def prepare(self, root: Path) -> None:
        grow(root / "data", ReplayEngine(quorum()), certified=HEADS)

    def look(self, root: Path, *, goes_on: bool) -> Moved:
        return looked(lambda: self._look(root, goes_on=goes_on))

    def _look(self, root: Path, *, goes_on: bool) -> Moved:
        ledger = root / "data" / LEDGER
        ledgers.settle(ledger)
        with closing(Store.open(ledger)) as store:
            store.scrub()
            height, is_moved = store.height, len(store.recoveries) == 1
        if not is_moved:
            assert votes_in(root / "data" / JOURNAL), "the votes stay with their ledger"
        if not is_moved and goes_on:
            run_recover(root)
            assert self._look(root, goes_on=False).is_moved, "the plan is applied again"
        return Moved(height=height, is_moved=is_moved, has_aside=self._has_aside(root / "data"))

    def _has_aside(self, data_dir: Path) -> bool:
        aside = ledgers.archive(data_dir / LEDGER, 1)
        if not (aside / LEDGER).exists():
            return False
        with closing(Store.open(aside / LEDGER)) as old:
            lines = (aside / DROPPED).read_text().splitlines()
            assert len(lines) == 3 * (HEADS - KEPT), "what was dropped is listed"
            return old.height == HEADS and votes_in(aside / JOURNAL)

    def broken(self, found: Moved, said: Said) -> Iterator[str]:
        if found.error:
            yield f"it does not open: {found.error}"
        elif found.height != (KEPT if found.is_moved else HEADS):
            yield f"the ledger ends at {found.height}"
        elif said.all("recovered") and not found.is_moved:
            yield "the plan was applied, and is forgotten"
        elif found.is_moved and not found.has_aside:
            yield "what was set aside is gone"


# --- backup and restore ---------------------------------------------------------------------


def make_origin(folder: Path) -> bytes:
    """A node that is backed up, in `folder`; the key of its backups."""
    (folder / ORIGIN).mkdir()
    chain = Chain(World(folder / ORIGIN / LEDGER))
    for _ in range(HEADS):
        chain.grow()
        chain.world.certify(chain.world.store.height)
    chain.world.store.close()
    (folder / KEY).write_bytes(sm2.generate())
    return (folder / KEY).read_bytes()


def take_backup(origin: Path, folder: Path, key: Path) -> int:
    """A segment for every block, and another run for one that is new; the last height."""
    public = sm2.public_key(key.read_bytes())
    with (
        patch.object(door, "CHUNK_SIZE", 1),
        patch.object(taking, "SEGMENT_CHUNKS", 1),
        closing(Store.open(origin / LEDGER)) as store,
        open_door(origin, store),
    ):
        verify = fake_verify_batch
        return taking.take(origin, folder, public, verify_batch=verify, advance=ignore).last


def run_backup(root: Path) -> None:
    last = take_backup(root.parent / ORIGIN, root / "backup", root.parent / KEY)
    say(root, ["taken", str(last)])


class BackupCase:
    """Whole segments, and another run goes on after them."""

    name = "backup"

    def prepare(self, root: Path) -> None:
        make_origin(root.parent)

    def look(self, root: Path, *, goes_on: bool) -> Moved:
        return looked(lambda: self._look(root, goes_on=goes_on))

    def _look(self, root: Path, *, goes_on: bool) -> Moved:
        chain = quorum().world.chain_id
        folder = root / "backup"
        segments = read_segments(folder, chain, fake_verify_batch) if folder.exists() else []
        for segment in segments:
            check_chunks(segment)
        if goes_on:
            assert take_backup(root.parent / ORIGIN, folder, root.parent / KEY) == HEADS
        return Moved(height=segments[-1].manifest.last if segments else 0)

    def broken(self, found: Moved, said: Said) -> Iterator[str]:
        if found.error:
            yield f"it cannot be read: {found.error}"
        elif said.all("taken") and found.height != HEADS:
            yield f"the backup was taken, and ends at {found.height}"


def run_restore(root: Path) -> None:
    chain = quorum()
    target = Target(
        root / "bare" / "data", chain.world.genesis, FakeKeys(), lambda: ReplayEngine(chain)
    )
    key = (root.parent / KEY).read_bytes()
    restore(root.parent / "backup", key, target, advance=lambda done, total: None)
    say(root, ["restored"])


class RestoreCase:
    """No ledger, and the restore begins again; or all of it, and another is refused."""

    name = "restore"

    def prepare(self, root: Path) -> None:
        make_origin(root.parent)
        take_backup(root.parent / ORIGIN, root.parent / "backup", root.parent / KEY)

    def look(self, root: Path, *, goes_on: bool) -> Moved:
        return looked(lambda: self._look(root, goes_on=goes_on))

    def _look(self, root: Path, *, goes_on: bool) -> Moved:
        ledger = root / "bare" / "data" / LEDGER
        is_moved = ledger.exists()
        if is_moved:
            try:
                run_restore(root)
                raise AssertionError("a restore overwrites a ledger")
            except RestoreTargetNotEmpty:
                pass
        elif goes_on:
            run_restore(root)
        if not ledger.exists():
            return Moved()
        with closing(Store.open(ledger)) as store:
            store.scrub()
            assert agrees(store)
            return Moved(height=store.height, is_moved=is_moved)

    def broken(self, found: Moved, said: Said) -> Iterator[str]:
        if found.error:
            yield f"it is not as it was, and not restored: {found.error}"
        elif said.all("restored") and not found.is_moved:
            yield "the ledger was restored, and is gone"
        elif found.height not in (-1, HEADS):
            yield f"the ledger ends at {found.height}"


CASES: dict[str, Callable[[], Case[Any]]] = {
    "node": NodeCase,
    "repair": RepairCase,
    "recover": RecoverCase,
    "backup": BackupCase,
    "restore": RestoreCase,
}
MOVES: dict[str, Callable[[Path], None]] = {
    "repair": run_repair,
    "recover": run_recover,
    "backup": run_backup,
    "restore": run_restore,
}
