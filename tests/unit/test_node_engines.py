"""A chain changes its engine at a height: nodes warn, halt before it, and go on with a release that
has it; a ledger replays across the change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from cli.main import main
from contracts.vm import engines, jail
from contracts.vm.code_records import CODE
from contracts.vm.codes import Code
from contracts.vm.engine_schedule import (
    KEY,
    EngineSchedule,
    EngineTerm,
    encode_schedule,
    schedule_of,
)
from contracts.vm.engines import LATEST, Engine, EngineUnknown
from contracts.vm.version import vm_version
from ledger import hashes
from ledger.errors import LedgerDamaged
from ledger.model import Height, Receipt, StateWrite
from ledger.store import Store
from ledger.values import encode_value
from node import edges
from node.audit import replay
from node.bootstrap import LEDGER, open_or_create
from tests.moving_chain import Chain
from tests.node_world import Nodes, OpenEngine, running
from tests.unit.test_node_metrics import ShownNodes, scrape

ALL = (0, 1, 2, 3)
ONE, TWO = vm_version(1), vm_version(2)
COMING = "shuxin-vm/9+cpython-3.11+0123456789abcdef"
CHANGE_AT = 3


def schedule(*terms: tuple[int, str]) -> StateWrite:
    value = EngineSchedule(tuple(EngineTerm(Height(height), name) for height, name in terms))
    return StateWrite(CODE, KEY, encode_schedule(value))


@pytest.fixture
def clock() -> MockClock:
    """Time that jumps when nothing happens."""
    return MockClock(autojump_threshold=0.01)


def has(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """From now on the release has these engines; what it does not know runs like the latest."""
    found = {name: engines.ENGINES.get(name, Engine(name, LATEST.language, {})) for name in names}
    monkeypatch.setattr(engines, "ENGINES", MappingProxyType(found))


def deciding(committee: Nodes, name: str) -> Nodes:
    """Every block of these nodes puts it on record that `name` runs from CHANGE_AT on."""
    for engine in committee.engines:
        engine.extra = (schedule((0, LATEST.vm_version), (CHANGE_AT, name)),)
    return committee


# --- nodes --------------------------------------------------------------------------------------


async def test_all_nodes_halt_before_a_height_that_none_can_run_and_lose_nothing(
    tmp_path: Path,
    clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    committee = ShownNodes(tmp_path)
    deciding(committee, COMING)
    with capture_logs() as logs:
        async with running(committee, *ALL):
            ids = await committee.hand_in(0, committee.transaction("a"))
            await committee.certified(ids, *ALL)
            engine = (await committee.status(0)).engine
            shown = await trio.to_thread.run_sync(scrape, committee.port)
            node = f"127.0.0.1:{committee.running[0][2]}"
            assert await trio.to_thread.run_sync(main, ["node", "status", "--node", node]) == 0
            told = capsys.readouterr().out
            ids = await committee.hand_in(0, committee.transaction("b"))
            await committee.certified(ids, *ALL)
            ids = await committee.hand_in(0, committee.transaction("c"))
            for index in ALL:
                await committee.phase(index, "halted")
            heights = [committee.node(index).store.height for index in ALL]
            waiting = [i for i in ids if committee.node(0).store.find_transaction(i) is None]
    assert f"this release halts at height {CHANGE_AT}" in told
    assert f"{COMING} from height {CHANGE_AT}" in told and "INCOMPLETE" in told
    assert (engine.vm_version, engine.next_vm_version) == (LATEST.vm_version, COMING)
    assert engine.next_height == engine.missing_height == CHANGE_AT
    assert shown["shuxin_engine_missing_height", ()] == CHANGE_AT
    assert shown["shuxin_engine_next_height", ()] == CHANGE_AT
    names = (("next_vm_version", COMING), ("vm_version", LATEST.vm_version))
    assert shown["shuxin_engine_info", names] == 1
    assert heights == [CHANGE_AT - 1] * 4
    assert waiting == ids, "it was ordered at the height that nobody could run"
    warned = [line for line in logs if line["event"] == "engine_missing"]
    assert [line["log_level"] for line in warned] == ["error"] * 4
    assert {(line["vm_version"], line["blocks_left"]) for line in warned} == {
        (COMING, CHANGE_AT - 1)
    }
    reasons = {line["reason"] for line in logs if line["event"] == "halted"}
    (reason,) = reasons
    assert f"from height {CHANGE_AT} on this chain runs under the engine {COMING}" in reason
    assert "install a release that has it; nothing is lost" in reason

    has(monkeypatch, LATEST.vm_version, COMING)
    with capture_logs() as logs:
        async with running(committee, *ALL):
            await committee.certified(waiting, *ALL)
            engine = (await committee.status(0)).engine
            roots = {committee.node(index).store.statement(CHANGE_AT).state_root for index in ALL}
    assert (engine.vm_version, engine.next_height, engine.missing_height) == (COMING, 0, 0)
    assert len(roots) == 1
    changed = [line for line in logs if line["event"] == "engine_changed"]
    assert [line["height"] for line in changed] == [CHANGE_AT] * 4


async def test_a_node_of_an_older_release_halts_alone_and_catches_up_with_a_newer_one(
    tmp_path: Path, clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(monkeypatch, LATEST.vm_version, COMING)
    committee = deciding(Nodes(tmp_path), COMING)
    committee.engines[3].lacks = frozenset({COMING})
    async with running(committee, *ALL) as nursery:
        ids: list[bytes] = []
        for number in range(CHANGE_AT + 1):
            ids += await committee.hand_in(0, committee.transaction(f"k{number}"))
            await committee.certified(ids, 0, 1, 2)
        await committee.phase(3, "halted")
        assert committee.node(3).store.height == CHANGE_AT - 1
        await committee.stop(3)
        committee.engines[3].lacks = frozenset()
        await committee.start(nursery, 3)
        await committee.certified(ids, *ALL, within_s=120)


async def test_a_node_without_a_jail_says_so(tmp_path: Path, clock: MockClock) -> None:
    committee = ShownNodes(tmp_path)
    committee.engines[1].layers = ("landlock", "limits", "seccomp")
    async with running(committee, *ALL):
        bare, jailed = await committee.status(0), await committee.status(1)
        shown = await trio.to_thread.run_sync(scrape, committee.port)
    assert (bare.jail, bare.is_jailed) == ((), False)
    assert (jailed.jail, jailed.is_jailed) == (("landlock", "limits", "seccomp"), True)
    assert shown["shuxin_jailed", ()] == 0


@pytest.mark.parametrize("layers", [(), ("limits",), ("network namespace", "landlock", "limits")])
def test_workers_without_a_required_layer_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layers: tuple[str, ...]
) -> None:
    monkeypatch.setattr(edges, "Worker", lambda *, allow_unjailed: OpenEngine(layers=layers))
    with capture_logs() as logs:
        edges.open_engine(Nodes(tmp_path, size=1).config(0))
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("unjailed", "warning")
    assert set(line["missing"]) == set(jail.REQUIRED) - set(layers)
    assert "allow_unjailed is set" in line["advice"]


def test_hashes_of_python_are_warned_of_and_compiled_ones_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for reason in (None, "not built; run make setup"):
        monkeypatch.setattr(hashes, "WHY_PLAIN", reason)
        with capture_logs() as logs:
            edges.warn_of_plain_hashes()
        told = [(line["event"], line["log_level"], line["reason"]) for line in logs]
        assert told == ([] if reason is None else [("hashes_plain", "warning", reason)])


def test_a_jailed_worker_is_nothing_to_warn_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges, "Worker", lambda *, allow_unjailed: OpenEngine(layers=jail.REQUIRED))
    with capture_logs() as logs:
        edges.open_engine(Nodes(tmp_path, size=1).config(0))
    assert [(line["event"], line["log_level"]) for line in logs] == [("engine", "info")]


# --- opening ------------------------------------------------------------------------------------


def test_a_ledger_beyond_what_the_release_runs_is_not_opened(
    changed: Changed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = changed.copy(tmp_path)
    open_or_create(data, changed.chain.genesis, OpenEngine()).close()
    has(monkeypatch, ONE)
    with pytest.raises(EngineUnknown, match=f"after {changed.height} run under the engine"):
        open_or_create(data, changed.chain.genesis, OpenEngine())
    monkeypatch.undo()
    open_or_create(data, changed.chain.genesis, OpenEngine()).close()


@pytest.mark.parametrize("value", [None, b"\xc1", schedule((0, ONE)).value])
def test_a_ledger_that_did_not_begin_as_its_genesis_says_is_damaged(
    tmp_path: Path, value: bytes | None
) -> None:
    genesis = Nodes(tmp_path / "files", size=1).genesis
    assert genesis.vm_version != ONE
    writes = [write for write in OpenEngine().apply_genesis(genesis).writes if write.key != KEY]
    if value is not None:
        writes.append(StateWrite(CODE, KEY, value))
    (tmp_path / "data").mkdir()
    Store.create(tmp_path / "data" / LEDGER, genesis, writes).close()
    with pytest.raises(LedgerDamaged):
        open_or_create(tmp_path / "data", genesis, OpenEngine())


# --- replaying ----------------------------------------------------------------------------------

NEW = """
from contracts.dialect import ctx, view
@view
def who() -> str:
    return ctx.party
"""


class Changed:
    """A chain that began on the first language, and what came of deploying a contract of the
    second in the last block before the change and in the first one after it."""

    def __init__(self, root: Path) -> None:
        self.chain = chain = Chain(root, vm_version=ONE)
        self.height = chain.change_engine(TWO)
        chain.grow_to(self.height - 2)
        self.before = self._deploy()
        self.at = self._deploy()
        self.head = chain.store.height
        chain.grow_to(self.height + 2)

    def _deploy(self) -> Receipt:
        chain = self.chain
        args = ("new", NEW, encode_value([]))
        (receipt,) = chain.attempt(chain.act(chain.manager, "contract", "deploy", *args))
        return receipt

    def copy(self, folder: Path) -> Path:
        data = folder / "data"
        shutil.copytree(self.chain.data, data)
        return data


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changed]:
    found = Changed(tmp_path_factory.mktemp("changed"))
    with closing(found.chain.store):
        yield found


def test_the_block_of_the_height_is_the_first_on_the_new_engine(changed: Changed) -> None:
    assert changed.head == changed.height
    assert (changed.before.status, changed.at.status) == (Code.check_failed, Code.ok)
    terms = schedule_of(changed.chain.store).terms
    assert [(t.from_height, t.vm_version) for t in terms] == [(0, ONE), (changed.height, TWO)]


def test_an_audit_verifies_across_the_change(changed: Changed, tmp_path: Path) -> None:
    verdict = replay(
        changed.copy(tmp_path), changed.chain.genesis, advance=lambda done, total: None
    )
    assert verdict.divergence is None
    assert verdict.certified_height == changed.height + 2


def test_an_audit_that_ignored_the_change_would_find_it(
    changed: Changed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the audit rests on: under the engine of before, the block comes out differently."""
    monkeypatch.setattr("contracts.vm.host.engine_at", lambda reader, height: engines.find(ONE))
    verdict = replay(
        changed.copy(tmp_path), changed.chain.genesis, advance=lambda done, total: None
    )
    assert verdict.divergence is not None
    assert verdict.divergence.height == changed.height


def test_an_audit_by_a_release_without_the_engine_says_which_it_needs(
    changed: Changed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    has(monkeypatch, ONE)
    data = str(changed.copy(tmp_path))
    code = main(["audit", "replay", data, "--genesis", str(changed.chain.root / "genesis.json")])
    told = capsys.readouterr().err
    assert code != 0
    assert f"from height {changed.height} on" in told
    assert "install a release that has it" in told.replace("\n", " ")
