"""Damaged data is found, part by part, and mended from what proves itself; the rest is left to the
peers, and votes that are lost are never cast again."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import plyvel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.encoding import decode, encode
from ledger.errors import LedgerDamaged, LedgerInUse, OtherFormat
from ledger.findings import BOOKS, FINDINGS_MAX, HISTORY, INDEX, JOURNAL, STATE, Finding, Findings
from ledger.model import CommitCertificate, ExecutionCertificate
from ledger.recovery import next_recovery
from ledger.schema import (
    BLOCK,
    CERTIFIED_KEY,
    COMMIT_CERTIFICATE,
    EXECUTION_CERTIFICATE,
    FORMAT_KEY,
    GENESIS_KEY,
    HASH,
    HEAD_KEY,
    META,
    PAGE,
    RECEIPTS,
    RECOVERY,
    SEQUENCE_KEY,
    TRANSACTION,
    at_height,
    number,
)
from ledger.schema import STATE as STATE_TABLE
from ledger.scrub import ignore_progress, scrub_files
from ledger.store import Store
from node import ledgers
from node.journal import Journal
from node.mend import mend, mend_journal
from node.recover import Site
from node.repair import DISOWNED_KEY, Incurable, disowned
from node.verify import examine, examine_journal
from tests.chain_world import Chain, ReplayEngine
from tests.fake_keys import FakeKeys
from tests.ledger_world import World, fake_verify_batch

HEADS = 24
Change = Callable[[bytes], bytes | None]


class Bench:
    """A node's closed data, whole, and copies of it to be damaged."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.chain = Chain(World(root / "whole" / "ledger"))
        world = self.chain.world
        for height in range(1, HEADS + 1):
            self.chain.grow()
            world.certify(height)
            if height == HEADS // 2:
                world.reopen()
        world.store.put_meta(DISOWNED_KEY, number(3))
        world.store.close()
        with closing(Journal(root / "whole" / "journal")) as journal:
            for vote in (b"one", b"two", b"three"):
                journal.append([((), vote)])
        self.data = root / "data"

    def fresh(self) -> Path:
        shutil.rmtree(self.data, ignore_errors=True)
        return Path(shutil.copytree(self.root / "whole", self.data))

    @property
    def site(self) -> Site:
        genesis = self.chain.world.genesis
        return Site(self.data, genesis, FakeKeys(), lambda: ReplayEngine(self.chain))

    def examine(self) -> list[Finding]:
        found = examine(
            self.data,
            self.data / "ledger",
            verify_batch=fake_verify_batch,
            progress=ignore_progress,
        )
        return found.findings.all

    def examine_journal(self) -> list[Finding]:
        findings = Findings()
        examine_journal(self.data, findings)
        return findings.all

    def edit(self, key: bytes, change: Change) -> None:
        """Change a row; LevelDB's checksums will be right."""
        with plyvel.DB(str(self.data / "ledger" / "db"), compression=None) as database:
            value = database.get(key)
            assert value is not None
            changed = change(value)
            if changed is None:
                database.delete(key)
            else:
                database.put(key, changed)

    def first(self, table: bytes) -> bytes:
        with plyvel.DB(str(self.data / "ledger" / "db"), compression=None) as database:
            return bytes(next(database.iterator(prefix=table, include_value=False)))

    def whole(self) -> Store:
        store = Store.open(self.data / "ledger")
        theirs = Store.open(self.root / "whole" / "ledger")
        with closing(theirs):
            for height in range(store.height + 1):
                assert store.statement(height) == theirs.statement(height)
                assert store.receipts(height) == theirs.receipts(height)
        return store


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("mend"))


def bend(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1])


def test_what_is_whole_is_found_to_be(bench: Bench) -> None:
    bench.fresh()
    assert bench.examine() == []


@pytest.mark.parametrize(
    ("table", "area"),
    [
        (BLOCK, HISTORY),
        (RECEIPTS, HISTORY),
        (COMMIT_CERTIFICATE, HISTORY),
        (EXECUTION_CERTIFICATE, HISTORY),
        (HASH, HISTORY),
        (TRANSACTION, HISTORY),
        (STATE_TABLE, STATE),
        (PAGE, STATE),
        (META, BOOKS),
        (GENESIS_KEY, BOOKS),
        (HEAD_KEY, BOOKS),
        (CERTIFIED_KEY, BOOKS),
    ],
)
def test_a_bent_value_is_found_and_mended(bench: Bench, table: bytes, area: str) -> None:
    bench.fresh()
    bench.edit(bench.first(table), bend)
    assert area in {one.area for one in bench.examine()}
    mend(bench.site)
    assert bench.examine() == []
    store = bench.whole()
    with closing(store):
        assert disowned(store) >= HEADS


def test_a_newest_height_beyond_all_blocks_is_found_at_once(bench: Bench) -> None:
    bench.fresh()
    bench.edit(HEAD_KEY, lambda old: bytes([0x40]) + old[1:])
    assert BOOKS in {one.area for one in bench.examine()}


@settings(max_examples=40)
@given(drawn=st.randoms(use_true_random=False))
def test_any_bit_of_any_value_is_found(bench: Bench, drawn: random.Random) -> None:
    bench.fresh()
    with plyvel.DB(str(bench.data / "ledger" / "db"), compression=None) as database:
        rows = [row for row in database.iterator() if row[1] and row[0] != SEQUENCE_KEY]
    key, value = drawn.choice(rows)
    place, bit = drawn.randrange(len(value)), 1 << drawn.randrange(8)
    bench.edit(key, lambda old: old[:place] + bytes([old[place] ^ bit]) + old[place + 1 :])
    assert bench.examine(), (key, place, bit)


def test_many_places_are_told_apart(bench: Bench) -> None:
    bench.fresh()
    for height in (2, 9, HEADS):
        bench.edit(at_height(RECEIPTS, height), bend)
    bench.edit(bench.first(STATE_TABLE), bend)
    found = bench.examine()
    assert {one.height for one in found if one.area == HISTORY} == {2, 9, HEADS}
    assert any(one.area == STATE for one in found)
    mend(bench.site)
    assert bench.examine() == []
    with closing(bench.whole()) as store:
        assert store.height == HEADS, "receipts are made again, not fetched"


def test_what_is_missing_is_left_to_the_peers_and_the_damaged_ledger_kept(bench: Bench) -> None:
    bench.fresh()
    bench.edit(at_height(BLOCK, 10), lambda value: None)
    done = mend(bench.site)
    assert (done.height, done.old_height) == (9, HEADS)
    with closing(bench.whole()) as store:
        assert disowned(store) == HEADS
    aside = Path(done.set_aside)
    assert aside.name == f"ledger.damaged-{HEADS}"
    found = examine(
        bench.data, aside, verify_batch=fake_verify_batch, progress=ignore_progress
    ).findings.all
    assert any(one.height == 10 for one in found), "the evidence is as it was"


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-*", "*.ldb", "*.log"])
def test_without_one_of_its_files_a_ledger_is_made_again(bench: Bench, name: str) -> None:
    bench.fresh()
    for path in (bench.data / "ledger" / "db").glob(name):
        path.unlink()
    assert bench.examine()
    mend(bench.site)
    assert bench.examine() == []
    bench.whole().close()


def test_a_ledger_of_which_nothing_is_left_begins_at_the_genesis(bench: Bench) -> None:
    bench.fresh()
    shutil.rmtree(bench.data / "ledger" / "db")
    assert mend(bench.site).height == 0
    assert bench.examine() == []


def test_a_certificate_that_proves_nothing_is_not_believed(bench: Bench) -> None:
    bench.fresh()

    def forge(data: bytes) -> bytes:
        found = decode(data, CommitCertificate, size_max=1 << 20)
        return encode(
            CommitCertificate(0, found.height, found.proposal_digest, found.signatures[:1])
        )

    bench.edit(at_height(COMMIT_CERTIFICATE, 7), forge)
    assert mend(bench.site).height == 6


def test_a_recovery_plan_that_is_damaged_is_for_people(bench: Bench) -> None:
    bench.fresh()
    with closing(Store.open(bench.data / "ledger")) as store:
        proof = store.execution_certificate(HEADS)
        assert isinstance(proof, ExecutionCertificate)
        plan = next_recovery((), proof, store.chain_id, "fork", 1)
        store.follow(plan)
    bench.edit(at_height(RECOVERY, 1), bend)
    assert bench.examine()
    with pytest.raises(Incurable, match="apply the plans"):
        mend(bench.site)
    assert not list(bench.data.glob("ledger.damaged-*")), "nothing was changed"


def test_a_file_that_the_disk_does_not_give_is_a_finding(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.fresh()

    def fail(path: Path, mode: str = "r") -> object:
        raise OSError(5, "Input/output error")

    findings = Findings()
    database = bench.data / "ledger" / "db"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fail)
        scrub_files(database, findings, ignore_progress, every_block=False)
    assert {Path(one.file).suffix for one in findings.all} >= {".ldb"}
    assert all("Input/output error" in one.text for one in findings.all)


def test_nobody_mends_what_another_has_open(bench: Bench) -> None:
    bench.fresh()
    code = "import sys, plyvel; d = plyvel.DB(sys.argv[1]); print('', flush=1); sys.stdin.read()"
    database = str(bench.data / "ledger" / "db")
    command = [sys.executable, "-c", code, database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"\n"
        with pytest.raises(LedgerInUse):
            mend(bench.site)
        other.communicate()
    assert not list(bench.data.glob("ledger.*"))


def test_a_ledger_of_another_release_is_said_to_be(bench: Bench) -> None:
    bench.fresh()
    bench.edit(FORMAT_KEY, lambda value: b"shuxin ledger 7")
    with pytest.raises(OtherFormat, match="use the release that wrote it"):
        Store.open(bench.data / "ledger")


# --- votes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0.1, 0.6, 0.9, 0.999])
def test_damaged_votes_are_set_aside_and_remembered(bench: Bench, place: float) -> None:
    bench.fresh()
    (path,) = (bench.data / "journal").glob("*.log")
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 4
    path.write_bytes(data)
    assert [one.area for one in bench.examine()] == [JOURNAL]
    journal = bench.data / "journal"
    assert ledgers.lost_votes(journal) == -1
    assert mend_journal(bench.data, 17)
    assert ledgers.lost_votes(journal) == 17
    assert mend_journal(bench.data, 40) == "", "a whole one, or none, is left alone"
    assert bench.examine() == []


def test_any_altered_bit_of_the_last_votes_is_no_torn_end(bench: Bench) -> None:
    bench.fresh()
    (path,) = (bench.data / "journal").glob("*.log")
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in (1, 16, 128):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            assert [one.area for one in bench.examine_journal()] == [JOURNAL], (place, bit)
    for end in range(len(whole) - 30, len(whole)):
        path.write_bytes(whole[:end])
        assert bench.examine_journal() == [], "cut off: nothing that was there had been synced"


# --- the collection -------------------------------------------------------------------------


def test_findings_have_a_bound() -> None:
    findings = Findings()
    for height in range(FINDINGS_MAX + 7):
        findings.add(Finding(INDEX, "x", height))
    assert (len(findings.all), findings.more) == (FINDINGS_MAX, 7)
    with pytest.raises(LedgerDamaged) as first:
        findings.raise_first()
    assert first.value.height == 0
