"""Snapshots: one state is cut in one way, and no byte of what was cut can be another."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import sm3
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, LedgerDamaged, SnapshotInvalid
from ledger.model import ExecutionCertificate, ExecutionStatement
from ledger.proof import state_path
from ledger.snapshot import (
    CHUNK_SIZE_MAX,
    Chunk,
    Cutter,
    Entry,
    Manifest,
    check_chunk,
    check_manifest,
    decode_manifest,
    leaf_of,
)
from ledger.snapshot_file import SnapshotReader, SnapshotWriter
from ledger.succession import CommitteeChange
from tests.ledger_world import World, committee, fake_verify_batch
from tests.snapshot_world import (
    assert_is_cut_as,
    naive_cut,
    naive_tree,
    snapshot_of,
    write_snapshot,
)

SMALL = 400  # bytes of a chunk: some ten keys of the test chain


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ledger")
    for _ in range(12):
        made.commit(writes=made.writes(20))
    yield made
    made.store.close()


@pytest.fixture
def snapshot(world: World, tmp_path: Path) -> Iterator[SnapshotReader]:
    with snapshot_of(world, tmp_path, size=SMALL) as reader:
        yield reader


def checked(world: World, manifest: Manifest) -> None:
    check_manifest(manifest, world.genesis, fake_verify_batch)


# --- cutting --------------------------------------------------------------------------------

STATES = st.dictionaries(
    st.tuples(st.sampled_from(["a", "balances"]), st.binary(max_size=6)),
    st.binary(max_size=80),
    min_size=1,
    max_size=60,
)


@given(state=STATES, size=st.integers(1, 900))
def test_a_state_is_cut_as_the_page_says(state: dict[tuple[str, bytes], bytes], size: int) -> None:
    leaves = sorted(
        (leaf_of(namespace, key, value) for (namespace, key), value in state.items()),
        key=lambda leaf: leaf.path,
    )
    cutter = Cutter(size)
    chunks = [chunk for leaf in leaves for chunk in cutter.add(leaf)]
    chunks += cutter.finish()
    entries = {state_path(*name): (name, value) for name, value in state.items()}
    tree = naive_tree(
        [(leaf.path, sm3.digest(entries[leaf.path][1]), len(leaf.encoded)) for leaf in leaves]
    )
    cut = naive_cut(tree, size)
    assert cutter.nodes == [node.hash for node in cut]
    assert cutter.root == tree.hash
    for node, data in zip(cut, chunks, strict=True):
        found = decode(data, Chunk, size_max=CHUNK_SIZE_MAX).entries
        wanted = [(*entries[path][0], entries[path][1]) for path, _ in node.leaves]
        assert [(e.namespace, e.key, e.value) for e in found] == wanted


def test_a_snapshot_has_all_of_the_state(world: World, snapshot: SnapshotReader) -> None:
    manifest = snapshot.manifest
    checked(world, manifest)
    found = {}
    for index in range(snapshot.chunks):
        for entry in check_chunk(manifest, index, snapshot.chunk(index)):
            found[entry.namespace, entry.key] = entry.value
    assert found == {(n, k): v for n, k, v in world.store.iterate_state()}
    assert snapshot.chunks > 10
    leaves = sorted(
        (state_path(n, k), sm3.digest(v), len(encode(Entry(n, k, v))))
        for n, k, v in world.store.iterate_state()
    )
    assert_is_cut_as(manifest, naive_cut(naive_tree(leaves), SMALL))


def test_where_a_state_came_from_does_not_matter(world: World, tmp_path: Path) -> None:
    certificate = world.execution_certificate(world.store.height)
    state = list(world.store.iterate_state())
    with snapshot_of(world, tmp_path, size=SMALL) as first:
        data = first.data
    random.Random(3).shuffle(state)
    with write_snapshot(tmp_path, state, certificate, size=SMALL) as second:
        assert second.data == data


def test_a_value_larger_than_a_chunk_stands_alone(world: World, tmp_path: Path) -> None:
    large = bytes(5000)
    state = [("n", b"%d" % i, large if i == 7 else b"v") for i in range(40)]
    leaves = sorted((leaf_of(*one) for one in state), key=lambda leaf: leaf.path)
    cutter = Cutter(1000)
    chunks = [chunk for leaf in leaves for chunk in cutter.add(leaf)]
    chunks += cutter.finish()
    sizes = [len(chunk) for chunk in chunks]
    assert sorted(sizes)[-1] > 5000 and sorted(sizes)[-2] <= 1004


def test_values_that_are_not_those_of_the_root_make_no_snapshot(
    world: World, tmp_path: Path
) -> None:
    state = list(world.store.iterate_state())
    state[3] = (*state[3][:2], b"altered")
    with pytest.raises(LedgerDamaged, match="contradict the state root"):
        write_snapshot(tmp_path, state, world.execution_certificate(world.store.height))
    assert {path.name for path in tmp_path.iterdir()} == {"ledger"}


# --- lies -----------------------------------------------------------------------------------


@settings(max_examples=300)
@given(data=st.data())
def test_no_byte_of_a_chunk_can_be_another(data: st.DataObject) -> None:
    entries = [("n", b"%d" % i, b"value %d" % i) for i in range(6)]
    cutter = Cutter()
    leaves = sorted((leaf_of(*one) for one in entries), key=lambda leaf: leaf.path)
    chunks = [c for leaf in leaves for c in cutter.add(leaf)] + list(cutter.finish())
    (chunk,) = chunks
    certificate = _certificate(cutter.root)
    manifest = Manifest(1, certificate, (), tuple(cutter.nodes), bytes(cutter.splits))
    check_chunk(manifest, 0, chunk)
    place = data.draw(st.integers(0, len(chunk) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != chunk[place]))
    altered = chunk[:place] + bytes([other]) + chunk[place + 1 :]
    with pytest.raises(SnapshotInvalid, match="chunk 0 of the snapshot"):
        check_chunk(manifest, 0, altered)
    with pytest.raises(SnapshotInvalid):
        check_chunk(manifest, 0, chunk[:place])


def _certificate(root: bytes) -> ExecutionCertificate:
    statement = ExecutionStatement(bytes(32), 9, bytes(32), root, bytes(32), bytes(32), 1)
    return ExecutionCertificate(statement, ())


def test_chunks_that_are_swapped_cut_or_padded_are_refused(
    world: World, snapshot: SnapshotReader
) -> None:
    manifest = snapshot.manifest
    chunk = decode(snapshot.chunk(0), Chunk, size_max=CHUNK_SIZE_MAX)
    entries = chunk.entries
    other = decode(snapshot.chunk(1), Chunk, size_max=CHUNK_SIZE_MAX).entries
    for forged in (
        other,
        (),
        entries[:-1],
        entries[1:],
        entries[::-1],
        (entries[0], *entries),
        (*entries, entries[-1]),
        (*entries, other[0]),
        (Entry("balances", b"new", b"money"), *entries),
    ):
        with pytest.raises(SnapshotInvalid):
            check_chunk(manifest, 0, encode(Chunk(tuple(forged))))
    with pytest.raises(SnapshotInvalid, match="exceed the limit"):
        check_chunk(manifest, 0, bytes(CHUNK_SIZE_MAX + 1))


def test_no_byte_of_a_manifest_can_be_another(world: World, snapshot: SnapshotReader) -> None:
    data = snapshot.data
    rng = random.Random(5)
    for place in range(0, len(data), 1 if len(data) < 2000 else 2):
        altered = bytearray(data)
        altered[place] ^= 1 << rng.randrange(8)
        with pytest.raises((DecodeError, SnapshotInvalid)):
            checked(world, decode_manifest(bytes(altered)))


def test_nodes_that_are_swapped_or_missing_are_refused(
    world: World, snapshot: SnapshotReader
) -> None:
    manifest = snapshot.manifest
    nodes, splits = manifest.nodes, manifest.splits
    for forged_nodes, forged_splits in (
        ((nodes[1], nodes[0], *nodes[2:]), splits),
        (nodes[:-1], splits[:-1]),
        (nodes[1:], splits[1:]),
        ((nodes[0], *nodes), bytes([splits[0]]) + splits),
        (nodes, splits[1:] + splits[:1]),
        (nodes, splits[::-1]),
    ):
        forged = msgspec.structs.replace(manifest, nodes=forged_nodes, splits=forged_splits)
        with pytest.raises(SnapshotInvalid, match="do not make up the certified state"):
            checked(world, decode_manifest(encode(forged)))


def test_what_no_quorum_signed_is_refused(world: World, snapshot: SnapshotReader) -> None:
    manifest, genesis = snapshot.manifest, world.genesis
    certificate = manifest.certificate
    statement = certificate.statement
    uncertified = msgspec.structs.replace(certificate, signatures=certificate.signatures[:2])
    other_root = msgspec.structs.replace(
        certificate, statement=msgspec.structs.replace(statement, state_root=manifest.nodes[0])
    )
    forged = msgspec.structs.replace(
        manifest, certificate=other_root, nodes=manifest.nodes[:1], splits=b""
    )
    cases = (
        (msgspec.structs.replace(manifest, certificate=uncertified), "3 of 4 validators"),
        (forged, "did not sign this"),
    )
    for case, match in cases:
        with pytest.raises(SnapshotInvalid, match=match):
            checked(world, case)
    strange = msgspec.structs.replace(genesis, name="another")
    with pytest.raises(SnapshotInvalid, match="is of the chain"):
        check_manifest(manifest, strange, fake_verify_batch)
    change = CommitteeChange(committee(5), certificate)
    with pytest.raises(SnapshotInvalid, match="hands over to another committee"):
        checked(world, msgspec.structs.replace(manifest, changes=(change,)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("nodes", ()),
        ("splits", b""),
        ("nodes", (bytes(32),)),
        ("nodes", (b"short",)),
    ],
)
def test_misshapen_manifests_do_not_decode(
    snapshot: SnapshotReader, field: str, value: object
) -> None:
    forged = msgspec.structs.replace(snapshot.manifest, **{field: value})
    if field == "nodes" and value != ():
        forged = msgspec.structs.replace(forged, splits=b"")
    with pytest.raises(DecodeError):
        decode_manifest(encode(forged))


# --- the file -------------------------------------------------------------------------------


def test_a_file_gives_back_what_was_written(world: World, tmp_path: Path) -> None:
    certificate = world.execution_certificate(world.store.height)
    state = list(world.store.iterate_state())
    with write_snapshot(tmp_path, state, certificate, size=SMALL, runs=[b"one", b"two"]) as found:
        assert [found.run(index) for index in range(found.runs)] == [b"one", b"two"]
        assert found.manifest.height == world.store.height


def test_no_byte_of_a_file_can_be_another(world: World, tmp_path: Path) -> None:
    with snapshot_of(world, tmp_path, size=4000) as reader:
        path = reader.path
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        altered = bytearray(whole)
        altered[place] ^= 1
        path.write_bytes(altered)
        with pytest.raises(SnapshotInvalid), SnapshotReader(path) as reader:
            for index in range(reader.chunks):
                reader.chunk(index)
    for size in (0, 10, 40, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(SnapshotInvalid):
            SnapshotReader(path)


def test_a_file_that_was_removed_is_let_go_with_its_last_reader(
    world: World, tmp_path: Path
) -> None:
    def is_open() -> bool:
        links = [Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        return any("40.snapshot" in os.readlink(link) for link in links if link.is_symlink())

    certificate = world.execution_certificate(world.store.height)
    reader = write_snapshot(tmp_path, world.store.iterate_state(), certificate)
    moved = reader.path.rename(tmp_path / "40.snapshot")
    moved.unlink()
    assert reader.chunk(0) and is_open()
    del reader
    assert not is_open()


def test_an_unfinished_file_has_no_name(tmp_path: Path) -> None:
    writer = SnapshotWriter(tmp_path / "1.snapshot")
    writer.chunk(b"chunk")
    assert not (tmp_path / "1.snapshot").exists()
    writer.abandon()
    assert list(tmp_path.iterdir()) == []
