"""A replay that is stopped goes on where it was, for the same source, genesis and release only."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import plyvel
import pytest
from msgspec.structs import replace

from ledger.archive import export
from ledger.genesis import Genesis
from ledger.schema import CERTIFIED_KEY, EXECUTION_CERTIFICATE, at_height, number
from node.audit import Kind, Verdict, replay, replayed
from node.audit.work import CHECKPOINT, WorkRefused, opened_work
from node.bootstrap import LEDGER
from tests.archive_world import bent, entries_of, rewrite, with_block
from tests.moving_chain import Moving
from tests.node_world import OpenEngine

STOP = 20


class Stopped(Exception):
    """The auditor pressed ^C."""


@pytest.fixture(scope="module")
def archive(moving: Moving, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "archive"
    export(moving.chain.store, path, lambda done, total: None)
    return path


def sitting(source: Path, genesis: Genesis, work: Path, *, until: int | None = None) -> Verdict:
    def advance(done: int, total: int | None) -> None:
        if done == until:
            raise Stopped

    return replay(source, genesis, advance=advance, work=work)


@pytest.fixture
def stopped(moving: Moving, archive: Path, tmp_path: Path) -> Path:
    """A folder in which a sitting got to STOP."""
    with pytest.raises(Stopped):
        sitting(archive, moving.chain.genesis, tmp_path / "work", until=STOP)
    return tmp_path / "work"


def test_going_on_gives_the_verdict_of_one_sitting(
    moving: Moving, archive: Path, stopped: Path, tmp_path: Path
) -> None:
    genesis = moving.chain.genesis
    seen: list[int] = []
    on = replay(archive, genesis, advance=lambda done, total: seen.append(done), work=stopped)
    once = sitting(archive, genesis, tmp_path / "other")
    assert seen == list(range(STOP + 1, moving.head + 1))
    assert (on.divergence, on.resumed_height) == (None, STOP)
    for field in ("height", "certified_height", "transactions", "signatures", "state_root"):
        assert getattr(on, field) == getattr(once, field)
    assert (on.content, on.committees) == (once.content, once.committees)
    assert sitting(archive, genesis, stopped).resumed_height == moving.head, "nothing is left to do"


def test_an_archive_and_its_ledger_have_one_content(
    moving: Moving, stopped: Path, tmp_path: Path
) -> None:
    """So what was begun on a copy of the ledger can go on with an archive of it."""
    shutil.copytree(moving.chain.data, tmp_path / "data")
    verdict = sitting(tmp_path / "data", moving.chain.genesis, stopped)
    assert (verdict.divergence, verdict.resumed_height) == (None, STOP)
    assert verdict.archive == ""


def test_without_a_checkpoint_all_but_execution_is_done_again(
    moving: Moving, archive: Path, stopped: Path, tmp_path: Path
) -> None:
    """The power failed between two checkpoints: the ledger is further than what was checked."""
    (stopped / CHECKPOINT).unlink()
    entries = entries_of(archive)
    block = entries[STOP - 1].block
    forged = replace(block.transactions[0], signature=bent(block.transactions[0].signature))
    receipt = entries[STOP - 1].receipts[0]
    genesis = moving.chain.genesis

    entries[STOP - 1] = replace(
        entries[STOP - 1], receipts=(replace(receipt, gas_used=receipt.gas_used + 1),)
    )
    path = rewrite(tmp_path / "receipt", archive, genesis, entries)
    divergence = sitting(path, genesis, stopped).divergence
    assert divergence is not None
    assert (divergence.kind, divergence.height) == (Kind.RECEIPT, STOP - 1)
    (stopped / CHECKPOINT).unlink()

    entries = entries_of(archive)
    entries[STOP - 1] = with_block(entries[STOP - 1], transactions=(forged,))
    path = rewrite(tmp_path / "signature", archive, genesis, entries)
    divergence = sitting(path, genesis, stopped).divergence
    assert divergence is not None
    assert (divergence.kind, divergence.height) == (Kind.SIGNATURE, STOP - 1)
    (stopped / CHECKPOINT).unlink()

    verdict = sitting(archive, genesis, stopped)
    assert (verdict.divergence, verdict.resumed_height) == (None, 0)


def test_a_certificate_that_the_power_failure_took_is_verified_again(
    moving: Moving, archive: Path, stopped: Path
) -> None:
    """It is what is written last; whoever reads the replay's ledger relies on it."""
    with plyvel.DB(str(stopped / LEDGER / "db"), bloom_filter_bits=10) as database:
        database.delete(at_height(EXECUTION_CERTIFICATE, STOP))
        database.put(CERTIFIED_KEY, number(STOP - 1))
    genesis = moving.chain.genesis
    with replayed(archive, genesis, advance=lambda done, total: None, work=stopped) as found:
        assert (found.verdict.divergence, found.verdict.resumed_height) == (None, 0)
        assert found.again is not None
        assert found.again.certified_height == found.verdict.height == moving.head


def test_a_ledger_behind_its_checkpoint_is_verified_again(
    moving: Moving, archive: Path, stopped: Path, tmp_path: Path
) -> None:
    genesis = moving.chain.genesis
    with pytest.raises(Stopped):
        sitting(archive, genesis, tmp_path / "behind", until=STOP - 5)
    shutil.copy(stopped / CHECKPOINT, tmp_path / "behind" / CHECKPOINT)
    verdict = sitting(archive, genesis, tmp_path / "behind")
    assert (verdict.divergence, verdict.resumed_height) == (None, 0)


KILLED = """
import os, signal, sys
from pathlib import Path
from ledger.genesis import load_genesis
from node.audit import replay
source, genesis, work = map(Path, sys.argv[1:4])
def advance(done, total):
    if done == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
replay(source, load_genesis(genesis), advance=advance, work=work)
"""


@pytest.mark.slow
def test_a_replay_that_is_killed_goes_on(moving: Moving, archive: Path, tmp_path: Path) -> None:
    """Nothing is closed, synced or told: what was executed is there, all else is done again."""
    genesis, work = moving.chain.root / "genesis.json", tmp_path / "work"
    words = [str(archive), str(genesis), str(work), str(STOP)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    verdict = sitting(archive, moving.chain.genesis, work)
    assert (verdict.divergence, verdict.height) == (None, moving.head)


# --- what does not fit ------------------------------------------------------------------------


def test_a_source_that_was_altered_below_the_checkpoint_is_refused(
    moving: Moving, archive: Path, stopped: Path, tmp_path: Path
) -> None:
    genesis, entries = moving.chain.genesis, entries_of(archive)
    certificate = entries[3].execution_certificate
    assert certificate is not None
    fewer = replace(certificate, signatures=certificate.signatures[1:])
    entries[3] = replace(entries[3], execution_certificate=fewer)
    path = rewrite(tmp_path / "altered", archive, genesis, entries)
    kept = (stopped / CHECKPOINT).read_bytes()
    with pytest.raises(WorkRefused, match=f"up to block {STOP} the source is not what it was"):
        sitting(path, genesis, stopped)
    assert (stopped / CHECKPOINT).read_bytes() == kept, "what was done stays usable"
    assert sitting(archive, genesis, stopped).resumed_height == STOP


def test_another_block_where_only_execution_was_done_is_refused(
    moving: Moving, archive: Path, stopped: Path, tmp_path: Path
) -> None:
    (stopped / CHECKPOINT).unlink()
    entries = entries_of(archive)
    entries[STOP] = with_block(entries[STOP], dropped=(bytes(32),))
    path = rewrite(tmp_path / "altered", archive, moving.chain.genesis, entries)
    with pytest.raises(WorkRefused, match=f"up to block {STOP} the source is not what it was"):
        sitting(path, moving.chain.genesis, stopped)


def reopen(work: Path, genesis: Genesis) -> None:
    """As a sitting does first, before an engine is asked for anything."""
    with opened_work(work, genesis, OpenEngine()):
        pass


def test_a_folder_of_another_genesis_is_refused(moving: Moving, stopped: Path) -> None:
    other = replace(moving.chain.genesis, name="another")
    with pytest.raises(WorkRefused, match="another genesis"):
        reopen(stopped, other)
    (stopped / CHECKPOINT).unlink()
    with pytest.raises(WorkRefused, match="another genesis"):
        reopen(stopped, other)


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_another_release_does_not_go_on(
    moving: Moving, stopped: Path, monkeypatch: pytest.MonkeyPatch, has_checkpoint: bool
) -> None:
    if not has_checkpoint:
        (stopped / CHECKPOINT).unlink()
    monkeypatch.setattr("node.audit.work.VERSION", "9.9.9")
    with pytest.raises(WorkRefused, match="this is 9.9.9"):
        reopen(stopped, moving.chain.genesis)


def test_the_ledger_of_a_node_is_no_work_of_a_replay(moving: Moving, tmp_path: Path) -> None:
    """Or else what is examined would be believed."""
    data = tmp_path / "data"
    moving.chain.forked(data).store.close()
    with pytest.raises(WorkRefused, match="no replay made its ledger"):
        reopen(data, moving.chain.genesis)


def test_every_byte_of_a_checkpoint_flipped_in_turn_is_refused(
    moving: Moving, stopped: Path
) -> None:
    good = (stopped / CHECKPOINT).read_bytes()
    for place in range(len(good)):
        bad = good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :]
        (stopped / CHECKPOINT).write_bytes(bad)
        with pytest.raises(WorkRefused, match="checkpoint is damaged"):
            reopen(stopped, moving.chain.genesis)


def test_a_damaged_ledger_of_the_replay_is_refused(moving: Moving, stopped: Path) -> None:
    (log,) = (stopped / LEDGER / "db").glob("*.log")
    tables = list((stopped / LEDGER / "db").glob("*.ldb"))
    largest = max([log, *tables], key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(bytes(content))
    with pytest.raises(WorkRefused, match="its ledger is damaged"):
        reopen(stopped, moving.chain.genesis)
