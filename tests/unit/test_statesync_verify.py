"""The committees of a real chain, as who joins it by a snapshot finds them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from crypto.providers.software import verify_batch
from ledger.encoding import decode
from ledger.errors import SnapshotInvalid
from ledger.joining import PastBlock
from ledger.model import ExecutionCertificate
from ledger.snapshot import CHUNK_SIZE, check_manifest
from node.statesync.keeper import changes_up_to
from node.statesync.messages import PastRun, decode_run
from node.statesync.serve import past_run
from node.statesync.verify import check_past, coming_committee
from tests.moving_chain import WINDOW, Moving
from tests.snapshot_world import write_snapshot


def certificate_of(moving: Moving) -> ExecutionCertificate:
    found = moving.chain.store.execution_certificate(moving.head)
    assert found is not None
    return found


def run_from(moving: Moving, first: int) -> tuple[PastBlock, ...]:
    data = past_run(moving.chain.store, first)
    assert data is not None
    return decode_run(data).blocks


def test_committees_follow_from_genesis_certificates_and_state(
    moving: Moving, tmp_path: Path
) -> None:
    """Also the one that no block names yet: it was decided, and waits to take over."""
    chain, head = moving.chain, moving.head
    changes = changes_up_to(chain.store, head)
    assert [change.base for change in changes] == [moving.first_base, moving.second_base]
    with write_snapshot(
        tmp_path, chain.store.iterate_state(), certificate_of(moving), changes, size=CHUNK_SIZE
    ) as snapshot:
        epochs = check_manifest(snapshot.manifest, chain.genesis, verify_batch)
        lacking = msgspec.structs.replace(snapshot.manifest, changes=tuple(changes[:1]))
        with pytest.raises(SnapshotInvalid, match="is not certified"):
            check_manifest(lacking, chain.genesis, verify_batch)
    coming = coming_committee(chain.store, epochs, head, WINDOW)
    assert coming is not None and coming.base == moving.coming_base
    assert epochs.with_next(coming).all == chain.store.epochs.all


def test_what_took_over_already_does_not_come_again(moving: Moving) -> None:
    store = moving.chain.store
    assert coming_committee(store, store.epochs, moving.head, WINDOW) is None


def test_blocks_of_three_committees_are_proved(moving: Moving) -> None:
    store = moving.chain.store
    blocks = run_from(moving, 1)
    assert blocks[-1].block.header.height == moving.head
    previous = store.statement(0).block_hash
    check_past(blocks, 1, previous, store.epochs, verify_batch)
    with pytest.raises(SnapshotInvalid, match="does not follow"):
        check_past(blocks, 1, bytes(32), store.epochs, verify_batch)
    first = moving.first_base
    swapped = msgspec.structs.replace(
        blocks[first], execution_certificate=blocks[first - 1].execution_certificate
    )
    with pytest.raises(SnapshotInvalid, match="was asked for"):
        check_past((swapped,), first + 1, None, store.epochs, verify_batch)


def test_blocks_that_are_not_there_are_not_given(moving: Moving) -> None:
    store = moving.chain.store
    assert past_run(store, 0) is None
    assert past_run(store, moving.head + 1) is None
    data = past_run(store, moving.head)
    assert data is not None and len(decode(data, PastRun, size_max=1 << 20).blocks) == 1
