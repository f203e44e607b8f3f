"""The store: what is committed is there, what is wrong is named, readers see one state."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from ledger.batch_proof import verify_batch_proof
from ledger.blocks import genesis_block
from ledger.commit import Commit
from ledger.errors import (
    CertificateInvalid,
    DecodeError,
    HeightUnknown,
    LedgerClosed,
    LedgerDamaged,
    LedgerInUse,
)
from ledger.merkle import path, receipts_leaves, verify_path
from ledger.model import ExecutionCertificate, StateWrite, transaction_id
from ledger.proof import verify_state_proof
from ledger.scrub import ScrubProgress
from ledger.store import Store
from ledger.versions import VERSIONS_MIN
from tests.ledger_world import NAMESPACE, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "ledger")


def _write(key: bytes, value: bytes | None) -> StateWrite:
    return StateWrite(NAMESPACE, key, value)


# --- opening -----------------------------------------------------------------------------------


def test_a_directory_without_a_ledger_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    for directory in (tmp_path / "nothing", tmp_path):
        with pytest.raises(LedgerDamaged, match="holds no ledger; check data_dir"):
            Store.open(directory)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_in_use_is_not_opened_twice(world: World) -> None:
    with pytest.raises(LedgerInUse, match="stop that node first"):
        Store.open(world.path)


def test_an_interrupted_creation_is_started_over(tmp_path: Path) -> None:
    half_made = tmp_path / "ledger.new"
    half_made.mkdir()
    (half_made / "junk").write_text("x")
    assert World(tmp_path / "ledger").store.height == 0
    assert not half_made.exists()


def test_a_ledger_of_another_format_names_both_formats(world: World) -> None:
    import plyvel

    world.store.close()
    with plyvel.DB(str(world.path / "db")) as database:
        database.put(b"!format", b"shuxin ledger 99")
    with pytest.raises(LedgerDamaged, match=r"ledger 99.*ledger 2"):
        Store.open(world.path)


def test_the_genesis_block_is_there_from_the_start(world: World) -> None:
    store = world.store
    assert store.block(0) == genesis_block(world.genesis) and store.chain_id == world.chain_id
    assert store.commit_certificate(0) is None and store.execution_certificate(0) is None
    assert (store.height, store.certified_height) == (0, 0)
    assert store.get(NAMESPACE, b"k000001") == b"opening"
    assert store.prove_certified(NAMESPACE, b"k000001") is None


def test_everything_is_there_again_after_reopening(world: World) -> None:
    for _ in range(20):
        world.commit()
    for height in range(1, 18):
        world.certify(height)
    before = list(world.store.iterate_blocks(0, 20))
    world.reopen()
    store = world.store
    assert list(store.iterate_blocks(0, 20)) == before
    assert (store.height, store.certified_height) == (20, 17)
    assert store.tree.root == store.head_statement().state_root == before[-1].statement.state_root
    world.commit()
    store.scrub()


def test_a_closed_ledger_says_so(world: World) -> None:
    world.store.close()
    world.store.close()
    with pytest.raises(LedgerClosed):
        world.store.get(NAMESPACE, b"k000001")


# --- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [-1, 2, 2**64])
def test_heights_outside_the_ledger_are_refused(world: World, height: int) -> None:
    world.commit()
    for read in (
        world.store.header,
        world.store.block,
        world.store.receipts,
        world.store.statement,
        world.store.commit_certificate,
        world.store.execution_certificate,
    ):
        with pytest.raises(HeightUnknown, match="ends at 1"):
            read(height)
    with pytest.raises(HeightUnknown):
        list(world.store.iterate_blocks(0, height))


def test_transactions_and_blocks_are_found_by_their_hashes(world: World) -> None:
    for _ in range(6):
        world.commit(transactions=4)
    store = world.store
    for height in range(1, 7):
        assert store.find_block(store.statement(height).block_hash) == height
        for index, transaction in enumerate(store.block(height).transactions):
            assert store.find_transaction(transaction_id(transaction)) == (height, index)
            proof = path(receipts_leaves(store.receipts(height)), index)
            leaf = receipts_leaves(store.receipts(height))[index]
            verify_path(leaf, proof, store.statement(height).receipts_root)
    assert store.find_transaction(b"?" * 32) is None and store.find_block(b"?" * 32) is None


def test_an_overlong_namespace_is_a_decode_error(world: World) -> None:
    world.commit()
    world.certify(1)
    for read in (world.store.get, world.store.prove, world.store.prove_certified):
        with pytest.raises(DecodeError, match="namespace"):
            read("x" * 300, b"k")


def test_a_snapshot_does_not_move_with_later_commits(world: World) -> None:
    world.commit(writes=[_write(b"a", b"1")])
    world.certify(1)
    with world.store.snapshot() as snapshot:
        world.commit(writes=[_write(b"a", b"2"), _write(b"k000001", None)])
        world.certify(2)
        assert snapshot.statement.height == 1
        assert snapshot.get(NAMESPACE, b"a") == b"1"
        assert snapshot.get(NAMESPACE, b"k000001") == b"opening"
    assert world.store.snapshot().get(NAMESPACE, b"a") == b"2"


def test_many_keys_are_proved_at_one_certified_height(world: World) -> None:
    keys = [(NAMESPACE, b"a"), (NAMESPACE, b"absent"), (NAMESPACE, b"k000001")]
    world.commit(writes=[_write(b"a", b"1")])
    assert world.store.prove_batch(keys) is None
    world.certify(1)
    world.commit(writes=[_write(b"a", b"2"), _write(b"k000001", None)])
    found = world.store.prove_batch(keys)
    assert found is not None
    proof, certificate = found
    assert certificate.statement.height == 1
    assert proof.values == (b"1", None, b"opening")
    verify_batch_proof(proof, certificate.statement.state_root, keys)


def test_snapshots_show_the_newest_certified_state(world: World) -> None:
    world.commit(writes=[_write(b"a", b"1")])
    world.certify(1)
    world.commit(writes=[_write(b"a", b"2")])
    assert world.store.snapshot().statement.height == 1
    assert world.store.get(NAMESPACE, b"a") == b"2"
    world.certify(2)
    assert world.store.snapshot().statement.height == 2


def test_proofs_are_made_at_the_certified_height_while_the_head_runs_ahead(world: World) -> None:
    world.commit(writes=world.writes(60))
    world.certify(1)
    wanted = [b"k%06d" % i for i in range(0, 1000, 9)]
    values = {key: world.store.get(NAMESPACE, key) for key in wanted}
    for _ in range(VERSIONS_MIN - 1):
        world.commit(writes=world.writes(60))
    world.store.tree.apply(world.writes(60))  # a staged block must not show either
    for key in wanted:
        found = world.store.prove_certified(NAMESPACE, key)
        assert found is not None
        value, proof, certificate = found
        assert certificate.statement.height == 1 and value == values[key]
        root = certificate.statement.state_root
        assert verify_state_proof(proof, root, NAMESPACE, key) == value
    world.store.tree.discard()
    world.commit()  # one version too many: the certified one is given up, memory stays bounded
    assert world.store.prove_certified(NAMESPACE, wanted[0]) is None
    proof, statement = world.store.prove(NAMESPACE, wanted[0])
    verify_state_proof(proof, statement.state_root, NAMESPACE, wanted[0])


@pytest.mark.parametrize("kept", [VERSIONS_MIN, 20])
def test_the_newest_heights_are_provable_as_they_were(world: World, kept: int) -> None:
    store = world.store
    store.keep_versions(kept)
    assert store.provable == (1, 0)
    wanted = [b"k%06d" % i for i in range(0, 1000, 97)]
    values: dict[int, dict[bytes, bytes | None]] = {}
    for height in range(1, 26):
        world.commit(writes=world.writes(80))
        world.certify(height)
        values[height] = {key: store.get(NAMESPACE, key) for key in wanted}
    assert store.provable == (26 - kept, 25)
    world.commit()  # not certified: not provable
    assert store.provable == (max(27 - kept, 1), 25)
    first, last = store.provable
    for height in range(first, last + 1):
        root = store.statement(height).state_root
        for key in wanted:
            found = store.prove_certified(NAMESPACE, key, height)
            assert found is not None
            value, proof, certificate = found
            assert (value, certificate.statement.height) == (values[height][key], height)
            assert verify_state_proof(proof, root, NAMESPACE, key) == value
    for height in (first - 1, 26, 99):
        assert store.prove_certified(NAMESPACE, wanted[0], height) is None


def test_what_is_provable_is_counted_anew_from_each_opening(world: World) -> None:
    for height in range(1, 5):
        world.commit()
        world.certify(height)
    world.reopen()
    assert world.store.provable == (4, 4)


def test_readers_see_whole_blocks_while_one_thread_commits(world: World) -> None:
    keys = [b"a", b"b", b"c"]
    world.commit(writes=[_write(key, b"0") for key in keys])
    world.certify(1)
    stop = threading.Event()
    torn: list[object] = []

    def read() -> None:
        while not stop.is_set():
            snapshot = world.store.snapshot()
            if len({snapshot.get(NAMESPACE, key) for key in keys}) != 1:
                torn.append(snapshot.statement.height)
            found = world.store.prove_certified(NAMESPACE, b"a")
            if found is not None:
                root = found[2].statement.state_root
                verify_state_proof(found[1], root, NAMESPACE, b"a")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for height in range(2, 25):
            world.commit(writes=[_write(key, b"%d" % height) for key in keys])
            world.certify(height)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert torn == []


# --- writing -----------------------------------------------------------------------------------


def test_a_commit_that_does_not_fit_changes_nothing(world: World) -> None:
    world.commit()
    writes = world.writes(5)
    block, certificate = world.block([world.transaction()])
    receipts, statement = world.outcome(block, writes)
    good = Commit(block, receipts, writes, statement, certificate)
    wrong = msgspec.structs.replace
    for bad in (
        Commit(world.store.block(1), receipts, writes, statement, certificate),
        Commit(block, (), writes, statement, certificate),
        Commit(block, receipts, writes, statement, None),
        Commit(block, receipts, writes, wrong(statement, state_root=bytes(32)), certificate),
        Commit(block, receipts, writes, wrong(statement, block_hash=bytes(32)), certificate),
    ):
        with pytest.raises(AssertionError):
            world.store.commit(bad)
    assert world.store.height == 1
    world.store.commit(good)
    assert world.store.height == 2


def test_certified_height_advances_without_gaps(world: World) -> None:
    for _ in range(4):
        world.commit()
    for height, certified in [(3, 0), (2, 0), (1, 3), (1, 3), (4, 4)]:
        world.certify(height)
        assert world.store.certified_height == certified
    world.reopen()
    assert world.store.certified_height == 4


def test_a_certificate_over_another_outcome_is_refused(world: World) -> None:
    world.commit()
    good = world.execution_certificate(1)
    statement = msgspec.structs.replace(good.statement, state_root=b"x" * 32)
    with pytest.raises(CertificateInvalid, match="compare it with its peers"):
        world.store.certify(ExecutionCertificate(statement, good.signatures))
    beyond = msgspec.structs.replace(good.statement, height=2)
    with pytest.raises(HeightUnknown):
        world.store.certify(ExecutionCertificate(beyond, good.signatures))
    assert world.store.certified_height == 0


def test_meta_survives_reopening_and_can_be_removed(world: World) -> None:
    world.store.put_meta(b"name", b"value")
    world.reopen()
    assert world.store.get_meta(b"name") == b"value"
    world.store.put_meta(b"name", None)
    assert world.store.get_meta(b"name") is None


def test_a_scrub_reports_its_progress_beside_commits(world: World) -> None:
    for _ in range(5):
        world.commit()
    seen: list[ScrubProgress] = []

    def progress(step: ScrubProgress) -> None:
        seen.append(step)
        if len(seen) == 2:
            world.commit()  # the scrub goes on over the state it began with

    world.store.scrub(progress)
    assert [step.done for step in seen if step.stage == "blocks"] == [1, 2, 3, 4, 5, 6]
    assert {step.stage for step in seen} == {"blocks", "database", "files"}
