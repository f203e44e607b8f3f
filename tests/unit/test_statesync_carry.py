"""A snapshot in a file: written by a running node, believed by nobody, made a ledger of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cli.main import main
from ledger.errors import SnapshotInvalid
from ledger.joining import Joining
from ledger.snapshot import Entry, Manifest, check_chunk
from ledger.snapshot_file import SnapshotReader, SnapshotWriter
from ledger.store import Store
from node.backup import errors
from node.bootstrap import LEDGER
from node.config_template import render_config
from node.ledgers import joining
from node.statesync import carry
from node.statesync.carry import (
    Carried,
    OutputExists,
    SnapshotTooOld,
    TargetHasLedger,
    join_from_file,
    take_snapshot,
)
from tests.backup_world import open_door
from tests.fake_keys import FakeKeys
from tests.ledger_world import World
from tests.node_world import Nodes
from tests.snapshot_world import write_snapshot
from tests.statesync_world import grow, grown

HEIGHT = 40


@dataclass
class Case:
    world: World
    data_dir: Path  # of the node that runs
    file: Path
    target: Path  # of the node that joins

    def take(self) -> Carried:
        with open_door(self.data_dir, self.world.store):
            return take_snapshot(self.data_dir, self.file, ignore)

    def join(self, *, height_min: int = 0) -> Carried:
        return join_from_file(
            self.file,
            self.target,
            self.world.genesis,
            FakeKeys(0),
            height_min=height_min,
            advance=ignore,
        )


def ignore(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    monkeypatch.setattr("ledger.snapshot.CHUNK_SIZE", 300)
    (tmp_path / "data").mkdir()
    world = grown(tmp_path / "data" / LEDGER, HEIGHT, sizes={5: 5, 30: 4})
    yield Case(world, tmp_path / "data", tmp_path / "file.snapshot", tmp_path / "target")
    world.store.close()


def test_it_is_taken_from_a_running_node_and_makes_another(case: Case) -> None:
    taken = case.take()
    assert taken == case.join() and taken.height == HEIGHT and taken.chunks > 10
    store = Store.open(case.target / LEDGER)
    store.scrub()
    assert store.head_statement() == case.world.store.head_statement()
    assert store.epochs.all == case.world.store.epochs.all
    store.close()
    assert [path.name for path in case.target.iterdir()] == [LEDGER]


def test_the_command_line_writes_one(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["node", "snapshot", str(case.data_dir), "--output", str(case.file), "--json"]
    with open_door(case.data_dir, case.world.store), capture_logs():
        assert main(arguments) == 0
        told = json.loads(capsys.readouterr().out)
        assert main(arguments) == 1
    assert "refused" in capsys.readouterr().err
    assert told["height"] == HEIGHT
    made = case.join(height_min=HEIGHT)
    assert (made.state_root.hex(), made.chunks) == (told["state_root"], told["chunks"])


def test_the_command_line_begins_a_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is of another chain than the node's genesis."""
    nodes = Nodes(tmp_path)
    config = tmp_path / "node0" / "node.toml"
    text = render_config(
        name="node0",
        genesis="../genesis.json",
        listen="/ip4/127.0.0.1/tcp/7001",
        api="127.0.0.1:7101",
        peers={},
    )
    config.write_text(text.replace("keys/", ""), encoding="utf-8")
    world = grown(tmp_path / "other" / LEDGER, HEIGHT)
    certificate = world.store.execution_certificate(HEIGHT)
    assert certificate is not None
    state = world.store.iterate_state()
    with write_snapshot(tmp_path, state, certificate, size=300) as strange:
        assert main(["node", "join", str(config), "--snapshot", str(strange.path)]) == 1
    told = capsys.readouterr().err
    assert "snapshot_invalid" in told and "is of the chain" in told
    assert not (nodes.data_dir(0) / LEDGER).exists()
    world.store.close()


def test_what_is_there_is_not_written_over(case: Case) -> None:
    case.take()
    with pytest.raises(OutputExists):
        case.take()
    case.join()
    with pytest.raises(TargetHasLedger):
        case.join()


def test_an_old_one_is_refused_by_who_knows_the_height(case: Case) -> None:
    case.take()
    with pytest.raises(SnapshotTooOld, match="of block 40, below 41"):
        case.join(height_min=HEIGHT + 1)
    assert not case.target.joinpath(LEDGER).exists()


def test_a_chain_without_snapshots_says_so(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    short = grown(tmp_path / "data" / LEDGER, 3)
    with (
        open_door(tmp_path / "data", short.store),
        pytest.raises(errors.NodeRefused, match="has no snapshots yet"),
    ):
        take_snapshot(tmp_path / "data", tmp_path / "file", ignore)
    short.store.close()


def test_no_damage_makes_a_ledger(case: Case) -> None:
    case.take()
    whole = case.file.read_bytes()
    for place in range(16, len(whole), max(1, len(whole) // 40)):
        altered = bytearray(whole)
        altered[place] ^= 1
        case.file.write_bytes(altered)
        with pytest.raises(SnapshotInvalid):
            case.join()
        assert not (case.target / LEDGER).exists()


def test_what_was_forged_makes_no_ledger(case: Case, tmp_path: Path) -> None:
    """The digests of a file protect from disks only."""
    case.take()
    with SnapshotReader(case.file) as honest:
        for kind in ("chunk", "swapped", "runs", "cut"):
            forged = tmp_path / f"{kind}.snapshot"
            write_forged(honest, forged, kind)
            case.file = forged
            with pytest.raises(SnapshotInvalid):
                case.join()
            assert not (case.target / LEDGER).exists()


def write_forged(honest: SnapshotReader, path: Path, kind: str) -> None:
    writer = SnapshotWriter(path)
    chunks = [honest.chunk(index) for index in range(honest.chunks)]
    runs = [honest.run(index) for index in range(honest.runs)]
    match kind:
        case "chunk":
            chunks[1] = chunks[1][:-1] + bytes([chunks[1][-1] ^ 1])
        case "swapped":
            chunks[0], chunks[1] = chunks[1], chunks[0]
        case "runs":
            runs[0] = runs[0][:-1] + bytes([runs[0][-1] ^ 1])
        case "cut":
            runs.pop()
    for chunk in chunks:
        writer.chunk(chunk)
    for run in runs:
        writer.run(run)
    writer.finish(honest.manifest)


def test_an_interrupted_join_goes_on(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = case.take()
    checked: list[int] = []

    def dies(manifest: Manifest, index: int, data: bytes) -> tuple[Entry, ...]:
        if len(checked) == 5:
            raise KeyboardInterrupt
        checked.append(index)
        return check_chunk(manifest, index, data)

    monkeypatch.setattr(carry, "check_chunk", dies)
    with pytest.raises(KeyboardInterrupt):
        case.join()
    with Joining.resume(joining(case.target / LEDGER), case.world.genesis) as left:
        assert len(left.missing) == taken.chunks - 5
    monkeypatch.setattr(carry, "check_chunk", check_chunk)
    assert case.join() == taken


def test_another_file_begins_anew(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.take()
    with SnapshotReader(case.file) as first:
        path = joining(case.target / LEDGER)
        case.target.mkdir()
        Joining.create(path, first.manifest, case.world.genesis).close()
    grow(case.world, 3)
    case.file = case.file.with_name("newer.snapshot")
    case.take()
    assert case.join().height == HEIGHT + 3
