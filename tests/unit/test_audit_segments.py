"""Audit of what a node archived and pruned: the whole chain again, or what of it is wrong where."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from msgspec.structs import replace as struct_replace

from cli.main import main
from client.node import NodeClient
from crypto import sm2
from crypto.providers.software import SoftwareProvider, verify_batch
from ledger.archive import NO_ARCHIVE, Part, write
from ledger.commit import StoredBlock
from ledger.errors import ArchiveInvalid
from ledger.model import block_hash
from ledger.segment_check import check_segments
from ledger.segments import read_segments, segment_name, write_segment
from ledger.store import Store
from node.audit import Kind, Verdict, replay
from node.bootstrap import LEDGER
from tests.moving_chain import Chain, Moving, served

LENGTH = 5
COUNT = 5
BASE = LENGTH * COUNT  # where the pruned ledger begins


@dataclass(frozen=True, slots=True)
class Split:
    """A node's chain: its archives, and the data folder with the rest."""

    chain: Chain
    archives: Path
    data: Path
    whole: Path  # the data folder as it was before

    def file(self, number: int) -> Path:
        return self.archives / segment_name(number * LENGTH, number * LENGTH + LENGTH - 1)

    def examined(self, source: Path, archives: Path | None = None) -> Verdict:
        return replay(
            source, self.chain.genesis, advance=lambda done, total: None, archives=archives
        )


def split(chain: Chain, folder: Path) -> Split:
    archives, data, whole = folder / "archives", folder / "data", folder / "whole"
    for made in (data, whole):
        shutil.copytree(chain.data, made)
    archives.mkdir()
    store = Store.open(data / LEDGER)
    keys, previous = SoftwareProvider(sm2.generate()), NO_ARCHIVE
    for number in range(COUNT):
        part = Part(number * LENGTH, number * LENGTH + LENGTH - 1, previous)
        previous = write_segment(store, archives, part, keys, lambda height: None).digest
    store.prune(BASE)
    store.close()
    return Split(chain, archives, data, whole)


@pytest.fixture(scope="module")
def made(moving: Moving, tmp_path_factory: pytest.TempPathFactory) -> Split:
    return split(moving.chain, tmp_path_factory.mktemp("split"))


@pytest.fixture
def copy(made: Split, tmp_path: Path) -> Split:
    archives = Path(shutil.copytree(made.archives, tmp_path / "archives"))
    data = Path(shutil.copytree(made.data, tmp_path / "data"))
    return Split(made.chain, archives, data, made.whole)


def figures(verdict: Verdict) -> tuple[object, ...]:
    return (
        verdict.divergence,
        verdict.height,
        verdict.certified_height,
        verdict.transactions,
        verdict.signatures,
        verdict.state_root,
        verdict.content,
        verdict.committees,
        verdict.anomalies,
        verdict.contracts,
    )


# --- the whole chain --------------------------------------------------------------------------


def test_archives_and_the_rest_replay_as_the_full_ledger_does(copy: Split, moving: Moving) -> None:
    full = copy.examined(copy.whole)
    joined = copy.examined(copy.data, copy.archives)
    assert full.divergence is None and full.height == moving.head
    assert figures(joined) == figures(full)
    assert joined.kind == "ledger"


def test_archives_alone_replay_up_to_where_they_end(copy: Split) -> None:
    verdict = copy.examined(copy.archives)
    assert verdict.divergence is None
    assert (verdict.height, verdict.certified_height) == (BASE - 1, BASE - 1)
    assert verdict.kind == "archive" and verdict.archive


def test_archives_and_a_running_node_replay_as_one(copy: Split) -> None:
    chain = copy.chain.forked(copy.data.with_name("running"))
    chain.store.prune(BASE)
    with served(chain) as target, NodeClient(target) as node:
        verdict = replay(
            node, chain.genesis, advance=lambda done, total: None, archives=copy.archives
        )
    chain.store.close()
    assert verdict.divergence is None and verdict.height == chain.store.height


# --- what is wrong ----------------------------------------------------------------------------


def test_a_pruned_ledger_alone_is_refused_with_what_to_do(
    copy: Split, capsys: pytest.CaptureFixture[str]
) -> None:
    genesis = str(copy.chain.root / "genesis.json")
    for command in (
        ["audit", "replay", str(copy.data), "--genesis", genesis],
        ["audit", "export", str(copy.data), "--output", str(copy.data / "archive")],
    ):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert f"begins at block {BASE}" in said and "--archives" in said


def test_the_command_takes_both(copy: Split, capsys: pytest.CaptureFixture[str]) -> None:
    genesis, whole = str(copy.chain.root / "genesis.json"), copy.data.with_name("whole")
    both = [str(copy.data), "--archives", str(copy.archives)]
    assert main(["audit", "replay", *both, "--genesis", genesis]) == 0
    assert main(["audit", "export", *both, "--output", str(whole)]) == 0
    assert main(["audit", "replay", str(whole), "--genesis", genesis]) == 0
    assert capsys.readouterr().out.count("intact: ") == 2


def test_a_folder_is_listed_and_verified_without_executing_anything(
    copy: Split, capsys: pytest.CaptureFixture[str]
) -> None:
    genesis = ["--genesis", str(copy.chain.root / "genesis.json"), "--json"]
    assert main(["archive", "list", str(copy.archives), *genesis]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["first"] for row in listed] == list(range(0, BASE, LENGTH))
    assert main(["archive", "verify", str(copy.archives), *genesis]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["archives"], told["height"]) == (COUNT, BASE - 1)
    assert told["digest"] == listed[-1]["digest"]
    copy.file(0).unlink()
    assert main(["archive", "verify", str(copy.archives), *genesis]) == 1
    assert "no archive begins with the genesis" in capsys.readouterr().err
    assert main(["archive", "list", str(copy.data), *genesis]) == 1
    assert "holds no archives" in capsys.readouterr().err


class Liar:
    """Writes archives of a chain that is not quite what the ledger holds."""

    def __init__(self, store: Store, height: int, twist: Callable[[StoredBlock], StoredBlock]):
        self._store, self._height, self._twist = store, height, twist

    def write(self, folder: Path) -> None:
        previous = NO_ARCHIVE
        for number in range(COUNT):
            part = Part(number * LENGTH, number * LENGTH + LENGTH - 1, previous)
            path = folder / segment_name(part.first, part.last)
            blocks = [
                self._twist(stored) if stored.block.header.height == self._height else stored
                for stored in self._store.iterate_blocks(part.first, part.last)
            ]
            keys = SoftwareProvider(sm2.generate())
            done = write(self._store, path, part, blocks, lambda done, total: None, sealed_by=keys)
            previous = done.digest


def without_receipts(stored: StoredBlock) -> StoredBlock:
    return replace(stored, receipts=())


def without_transactions(stored: StoredBlock) -> StoredBlock:
    return replace(stored, block=struct_replace(stored.block, transactions=()))


def another_outcome(stored: StoredBlock) -> StoredBlock:
    statement = struct_replace(stored.statement, state_root=bytes(32))
    assert stored.execution_certificate is not None
    certificate = struct_replace(stored.execution_certificate, statement=statement)
    return replace(stored, statement=statement, execution_certificate=certificate)


def another_statement(stored: StoredBlock) -> StoredBlock:
    return replace(stored, statement=struct_replace(stored.statement, state_root=bytes(32)))


def another_link(stored: StoredBlock) -> StoredBlock:
    header = struct_replace(stored.block.header, previous_hash=bytes(32))
    statement = struct_replace(stored.statement, block_hash=block_hash(header))
    block = struct_replace(stored.block, header=header)
    return replace(stored, block=block, statement=statement)


@pytest.mark.parametrize(
    ("twist", "says"),
    [
        (without_receipts, "its receipts are not those"),
        (without_transactions, "its transactions are not those"),
        (another_outcome, "signature"),
        (another_statement, "about another outcome"),
        (another_link, "does not follow"),
    ],
)
def test_signed_archives_that_lie_are_found_without_executing_anything(
    moving: Moving, tmp_path: Path, twist: Callable[[StoredBlock], StoredBlock], says: str
) -> None:
    """Whoever has the node's key can sign what he likes: the quorum did not."""
    height = moving.first_base
    Liar(moving.chain.store, height, twist).write(tmp_path)
    chain = moving.chain
    found = read_segments(tmp_path, chain.chain_id, verify_batch)
    with pytest.raises(ArchiveInvalid, match=says) as caught:
        check_segments(found, chain.genesis, verify_batch, lambda done, total: None)
    assert caught.value.height == height
    name = segment_name(height // LENGTH * LENGTH, height // LENGTH * LENGTH + LENGTH - 1)
    assert name in str(caught.value)


@pytest.mark.parametrize("missing", range(COUNT))
def test_a_missing_archive_is_told_at_its_first_block(copy: Split, missing: int) -> None:
    copy.file(missing).unlink()
    for source, archives in ((copy.archives, None), (copy.data, copy.archives)):
        divergence = copy.examined(source, archives).divergence
        if missing == COUNT - 1 and archives is None:
            assert divergence is None, "a shorter chain is a chain"
            continue
        assert divergence is not None and divergence.kind is Kind.MISSING_BLOCK
        assert divergence.height == missing * LENGTH


def test_an_altered_archive_is_told_with_its_file(copy: Split) -> None:
    path = copy.file(2)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    divergence = copy.examined(copy.data, copy.archives).divergence
    assert divergence is not None and divergence.kind is Kind.DAMAGE
    assert path.name in divergence.sentence()


def test_an_empty_folder_is_told(copy: Split, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    divergence = copy.examined(copy.data, tmp_path / "empty").divergence
    assert divergence is not None and "holds no archives" in divergence.sentence()


def part_of(store: Store, path: Path, first: int, last: int) -> Path:
    """An archive that nobody signed."""
    blocks = store.iterate_blocks(first, last)
    write(store, path, Part(first, last), blocks, lambda done, total: None)
    return path


def test_what_is_older_than_the_archives_is_told(copy: Split, tmp_path: Path) -> None:
    older = part_of(copy.chain.store, tmp_path / "older", 0, BASE - 2)
    divergence = copy.examined(older, copy.archives).divergence
    assert divergence is not None
    assert f"reach to block {BASE - 1}" in divergence.sentence()


def test_one_archive_can_be_the_rest_if_it_begins_where_the_others_end(
    copy: Split, tmp_path: Path, moving: Moving
) -> None:
    rest = part_of(copy.chain.store, tmp_path / "rest", BASE, moving.head)
    assert figures(copy.examined(rest, copy.archives)) == figures(copy.examined(copy.whole))
    gap = part_of(copy.chain.store, tmp_path / "gap", BASE + 2, moving.head)
    divergence = copy.examined(gap, copy.archives).divergence
    assert divergence is not None and divergence.kind is Kind.MISSING_BLOCK
    assert divergence.height == BASE
    assert f"blocks {BASE} to {BASE + 1} are missing" in divergence.sentence()
    alone = copy.examined(rest).divergence
    assert alone is not None and (alone.height, alone.kind) == (0, Kind.MISSING_BLOCK)
