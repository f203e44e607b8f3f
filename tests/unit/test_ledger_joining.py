"""A ledger made out of a snapshot is one that a scrub accepts and that goes on like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.base import base_max
from ledger.encoding import encode
from ledger.errors import HeightPruned, LedgerDamaged, LedgerError, SnapshotInvalid
from ledger.joining import Joining, PastBlock
from ledger.snapshot import check_chunk, check_manifest
from ledger.snapshot_file import SnapshotReader
from ledger.store import Store
from ledger.succession import CommitteeChange
from tests.ledger_world import World, fake_verify_batch
from tests.pruned_world import KEPT, contents, grown
from tests.snapshot_world import write_snapshot

HEIGHT = 40
SMALL = 300


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = grown(tmp_path / "ledger", HEIGHT, sizes={5: 5, 30: 4, HEIGHT: 7})
    yield made
    made.store.close()


@pytest.fixture
def snapshot(world: World, tmp_path: Path) -> Iterator[SnapshotReader]:
    store = world.store
    certificate = store.execution_certificate(HEIGHT)
    assert certificate is not None
    with write_snapshot(
        tmp_path, store.iterate_state(), certificate, changes_of(store, HEIGHT), size=SMALL
    ) as reader:
        yield reader


def changes_of(store: Store, height: int) -> list[CommitteeChange]:
    found = []
    for epoch in store.epochs.decided[1:]:
        certificate = store.execution_certificate(epoch.base) if epoch.base <= height else None
        if certificate is not None:
            found.append(CommitteeChange(epoch.validators, certificate))
    return found


def past(store: Store, first: int, last: int) -> list[PastBlock]:
    blocks = []
    for stored in store.iterate_blocks(first, last):
        assert stored.commit_certificate and stored.execution_certificate
        blocks.append(
            PastBlock(
                stored.block,
                stored.receipts,
                stored.commit_certificate,
                stored.execution_certificate,
            )
        )
    return blocks


def filled(joining: Joining, world: World, snapshot: SnapshotReader) -> None:
    for index in joining.missing:
        joining.add_chunk(index, check_chunk(snapshot.manifest, index, snapshot.chunk(index)))
    joining.add_past(past(world.store, joining.next_past, HEIGHT))


def test_it_has_what_a_pruned_ledger_has_and_goes_on(
    world: World, snapshot: SnapshotReader, tmp_path: Path
) -> None:
    epochs = check_manifest(snapshot.manifest, world.genesis, fake_verify_batch)
    path = tmp_path / "joining"
    joining = Joining.create(path, snapshot.manifest, world.genesis)
    assert joining.base == base_max(HEIGHT, world.genesis.limits) == HEIGHT + 1 - KEPT
    filled(joining, world, snapshot)
    joining.finish(epochs, world.store.epochs.newest)
    joined = World(path, limits=world.genesis.limits)
    store = joined.store
    try:
        store.scrub()
        assert (store.base, store.height, store.certified_height) == (joining.base, HEIGHT, HEIGHT)
        assert store.epochs.all == world.store.epochs.all
        assert dict_of(store) == dict_of(world.store)
        assert contents(store) == contents_from(world.store, store.base)
        with pytest.raises(HeightPruned):
            store.block(joining.base - 1)
        for key in (b"k000000", b"absent"):
            assert store.prove_certified("balances", key) == world.store.prove_certified(
                "balances", key
            )
        for one in (world, joined):
            one.random.seed(9)
            for _ in range(5):
                one.commit(transactions=2)
                one.certify(one.store.height)
        assert store.head_statement() == world.store.head_statement()
        store.scrub()
    finally:
        store.close()


def dict_of(store: Store) -> dict[tuple[str, bytes], bytes]:
    return {(n, k): v for n, k, v in store.iterate_state()}


def contents_from(store: Store, base: int) -> list[bytes]:
    blocks = [
        encode((found.block, found.receipts, found.statement, found.execution_certificate))
        for found in store.iterate_blocks(base, HEIGHT)
    ]
    ends = [epoch.base for epoch in store.epochs.all if 0 < epoch.base <= HEIGHT]
    return blocks + [encode(store.execution_certificate(end)) for end in ends]


def test_it_goes_on_where_it_was(world: World, snapshot: SnapshotReader, tmp_path: Path) -> None:
    epochs = check_manifest(snapshot.manifest, world.genesis, fake_verify_batch)
    path = tmp_path / "joining"
    joining = Joining.create(path, snapshot.manifest, world.genesis)
    for index in (0, 3, 5):
        joining.add_chunk(index, check_chunk(snapshot.manifest, index, snapshot.chunk(index)))
    joining.add_past(past(world.store, joining.base, joining.base + 2))
    joining.close()
    with pytest.raises(LedgerError):  # it is no ledger yet
        Store.open(path)
    joining = Joining.resume(path, world.genesis)
    assert joining.data == snapshot.data
    assert not {0, 3, 5} & set(joining.missing)
    assert len(joining.missing) == snapshot.chunks - 3
    assert joining.next_past == joining.base + 3
    filled(joining, world, snapshot)
    joining.finish(epochs, world.store.epochs.newest)
    store = Store.open(path)
    store.scrub()
    assert dict_of(store) == dict_of(world.store)
    store.close()
    with pytest.raises(LedgerDamaged, match="no download"):
        Joining.resume(path, world.genesis)


def test_a_chain_shorter_than_its_window_needs_no_snapshot(tmp_path: Path) -> None:
    short = grown(tmp_path / "ledger", KEPT - 1)
    store = short.store
    certificate = store.execution_certificate(KEPT - 1)
    assert certificate is not None
    with (
        write_snapshot(tmp_path, store.iterate_state(), certificate) as reader,
        pytest.raises(SnapshotInvalid, match="saves nothing"),
    ):
        Joining.create(tmp_path / "joining", reader.manifest, short.genesis)
    store.close()
