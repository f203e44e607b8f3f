"""Archives: what goes in comes out; whatever else a file holds, it is refused with one error."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger.archive
from crypto import sm3
from ledger.archive import (
    CLOSING,
    DEFLATE_GAIN_MAX,
    FRAME_HEADER,
    FRAME_SIZE_MAX,
    TAG_ARCHIVE,
    TAG_STEM,
    ArchiveChunk,
    ArchiveHead,
    ArchiveIndex,
    ArchiveWriter,
    Closing,
    Exported,
    FrameKind,
    IndexEntry,
    Part,
    entry_of,
    export,
    frame_digest,
    index_digest,
)
from ledger.archive_reader import Archive
from ledger.commit import StoredBlock
from ledger.encoding import encode
from ledger.errors import ArchiveIncomplete, ArchiveInvalid, ArchiveTruncated
from ledger.genesis import Limits
from ledger.store import Store
from tests import archive_opinion
from tests.ledger_world import World, committee

HEAD = 5


@dataclass(frozen=True, slots=True)
class Made:
    store: Store
    path: Path
    written: Exported

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    def blocks(self) -> list[StoredBlock]:
        return list(self.store.iterate_blocks(0, HEAD))


def ignore(done: int, total: int | None) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Five blocks of which one lacks a certificate, in chunks of two or three."""
    folder = tmp_path_factory.mktemp("archive")
    world = World(folder / "ledger", limits=Limits(watermark_window=2))
    world.commit(decides=committee(5))
    while world.store.height < HEAD:
        world.commit(transactions=1)
    for height in range(1, HEAD):
        world.certify(height)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger.archive, "CHUNK_SIZE", 2000)
        written = export(world.store, folder / "archive", ignore)
    yield Made(world.store, folder / "archive", written)
    world.store.close()


def read(path: Path) -> list[StoredBlock]:
    """As an auditor does: everything."""
    with Archive.open(path) as archive:
        return list(archive.iterate_blocks(0, archive.height))


def test_an_archive_holds_all_that_the_ledger_does_but_the_state(made: Made) -> None:
    assert read(made.path) == made.blocks()
    with Archive.open(made.path) as archive:
        assert archive.chain_id == made.store.chain_id
        assert archive.height == HEAD
        assert archive.digest == made.written.digest
        assert archive.epochs(made.store.genesis).all == made.store.epochs.all
        assert archive.transactions == made.written.transactions == HEAD + 2
    assert made.written.chunks > 2
    assert made.written.size == len(made.data)


def test_one_ledger_gives_one_archive(made: Made, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger.archive, "CHUNK_SIZE", 2000)
        export(made.store, tmp_path / "again", ignore)
    assert (tmp_path / "again").read_bytes() == made.data


def test_a_reader_written_from_the_page_alone_agrees(made: Made) -> None:
    found = [
        (height, b"\x95" + b"".join(msgpack.packb(part) for part in entry))
        for height, entry in archive_opinion.entries(made.path)
    ]
    assert found == [(h, encode(entry_of(stored))) for h, stored in enumerate(made.blocks())]


@given(st.integers(0, HEAD), st.integers(0, HEAD))
def test_any_range_can_be_read(made: Made, one: int, other: int) -> None:
    first, last = min(one, other), max(one, other)
    with Archive.open(made.path) as archive:
        assert list(archive.iterate_blocks(first, last)) == made.blocks()[first : last + 1]


def test_an_existing_file_is_not_overwritten(made: Made, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(ArchiveInvalid, match="not overwritten"):
        export(made.store, tmp_path / "kept", ignore)
    assert (tmp_path / "kept").read_text() == "kept"


def test_an_export_that_fails_leaves_nothing(made: Made, tmp_path: Path) -> None:
    def fail(done: int, total: int | None) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        export(made.store, tmp_path / "archive", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_height_that_no_frame_holds_is_refused(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger.archive, "FRAME_SIZE_MAX", 500)
    with pytest.raises(ArchiveInvalid, match="do not fit"):
        export(made.store, tmp_path / "archive", ignore)


# --- damage -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_byte_flipped_in_turn_is_noticed(made: Made, tmp_path: Path) -> None:
    good, path = made.data, tmp_path / "flipped"
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :])
        with pytest.raises(ArchiveInvalid):
            read(path)


@pytest.mark.slow
def test_every_truncation_is_noticed_when_the_file_is_opened(made: Made, tmp_path: Path) -> None:
    good, path = made.data, tmp_path / "cut"
    heights: list[int] = []
    for length in range(len(TAG_ARCHIVE), len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(ArchiveTruncated) as caught:
            Archive.open(path)
        assert caught.value.height is not None
        heights.append(caught.value.height)
    assert heights == sorted(heights), "what is missing begins later and later"
    assert (heights[0], heights[-1]) == (0, HEAD + 1)


def test_bytes_after_the_end_are_noticed(made: Made, tmp_path: Path) -> None:
    (tmp_path / "longer").write_bytes(made.data + b"\0")
    with pytest.raises(ArchiveTruncated):
        Archive.open(tmp_path / "longer")


@settings(max_examples=200)
@given(data=st.binary(max_size=400))
def test_no_bytes_do_anything_else_than_be_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    for begin in (b"", TAG_ARCHIVE):
        path.write_bytes(begin + data)
        with pytest.raises(ArchiveInvalid):
            read(path)


def test_another_version_is_told_apart_from_something_else(tmp_path: Path) -> None:
    (tmp_path / "newer").write_bytes(TAG_STEM + b"9\0" + bytes(200))
    with pytest.raises(ArchiveInvalid, match="newer release"):
        Archive.open(tmp_path / "newer")
    (tmp_path / "text").write_text("hello " * 50)
    with pytest.raises(ArchiveInvalid, match="does not begin like one"):
        Archive.open(tmp_path / "text")


# --- archives with good digests and bad contents ------------------------------------------------


@dataclass
class Crafted:
    """A file whose digests all fit, of frames that may be anything."""

    path: Path

    def frames(self, *frames: tuple[int, bytes, int]) -> Path:
        """(kind, bytes as stored, length they are said to inflate to) each."""
        data, entries = TAG_ARCHIVE, []
        for kind, stored, size in frames:
            digest = frame_digest(kind, size, stored)
            entries.append(IndexEntry(kind, 0, len(data), digest))
            data += FRAME_HEADER.pack(kind, len(stored), size, digest) + stored
        return self.closed(data, entries)

    def closed(self, data: bytes, entries: list[IndexEntry], height: int = 0) -> Path:
        content = encode(ArchiveIndex(tuple(entries)))
        stored = zlib.compress(content)
        digest = frame_digest(FrameKind.INDEX, len(content), stored)
        index = FRAME_HEADER.pack(FrameKind.INDEX, len(stored), len(content), digest) + stored
        closing = Closing(len(data), height, 0, index_digest([digest]))
        self.path.write_bytes(data + index + closing.encoded())
        return self.path


@pytest.fixture
def crafted(tmp_path: Path) -> Crafted:
    return Crafted(tmp_path / "crafted")


def plain(kind: FrameKind, content: bytes) -> tuple[int, bytes, int]:
    return kind, zlib.compress(content), len(content)


HEADED = plain(FrameKind.HEAD, encode(ArchiveHead(bytes(32), 0, 0, bytes(32))))


def refused(path: Path) -> str:
    with pytest.raises(ArchiveInvalid) as caught:
        read(path)
    return str(caught.value)


def test_a_bomb_is_not_inflated(crafted: Crafted) -> None:
    bomb, blocks = zlib.compress(bytes(64 << 20), 9), plain(FrameKind.BLOCKS, b"\x92\x00\x90")
    assert "another size" in refused(crafted.frames((FrameKind.HEAD, bomb, 10), blocks))
    said = len(bomb) * DEFLATE_GAIN_MAX + 1
    assert "promises more" in refused(crafted.frames((FrameKind.HEAD, bomb, said), blocks))
    said = FRAME_SIZE_MAX + 1
    assert "larger than it can be" in refused(crafted.frames((FrameKind.HEAD, bomb, said), blocks))


def test_tables_beyond_memory_are_refused(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    Archive.open(made.path).close()
    monkeypatch.setattr("ledger.archive_reader._TABLES_SIZE_MAX", 100)
    with pytest.raises(ArchiveInvalid, match="no chain has such"):
        Archive.open(made.path)


def test_what_does_not_inflate_to_what_it_says_is_refused(crafted: Crafted) -> None:
    kind, stored, size = HEADED
    blocks = plain(FrameKind.BLOCKS, b"\x92\x00\x90")
    for bad in (
        (kind, stored, size - 1),
        (kind, stored, size + 1),
        (kind, stored + b"\0", size),
        (kind, stored[:-1], size),
        (kind, bytes(40), size),
    ):
        assert "inflate" in refused(crafted.frames(bad, blocks))


@pytest.mark.parametrize(
    "kinds",
    [
        (),
        (FrameKind.BLOCKS,),
        (FrameKind.HEAD,),
        (FrameKind.HEAD, FrameKind.HEAD, FrameKind.BLOCKS),
        (FrameKind.HEAD, FrameKind.BLOCKS, FrameKind.PLAN),
        (FrameKind.HEAD, FrameKind.INDEX, FrameKind.BLOCKS),
        (FrameKind.HEAD, 9, FrameKind.BLOCKS),
    ],
)
def test_frames_out_of_order_are_refused(crafted: Crafted, kinds: tuple[int, ...]) -> None:
    frames = [(kind, HEADED[1], HEADED[2]) for kind in kinds]
    assert "out of order" in refused(crafted.frames(*frames))


def test_a_frame_between_those_of_the_index_is_refused(made: Made, crafted: Crafted) -> None:
    """Every byte belongs to a frame that the index lists."""
    data = TAG_ARCHIVE
    kind, stored, size = HEADED
    head = FRAME_HEADER.pack(kind, len(stored), size, frame_digest(kind, size, stored)) + stored
    entries = [
        IndexEntry(FrameKind.HEAD, 0, len(data), frame_digest(kind, size, stored)),
        IndexEntry(FrameKind.BLOCKS, 0, len(data + head) + 5, bytes(32)),
    ]
    assert "not the one in the index" in refused(crafted.closed(data + head + bytes(99), entries))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (FrameKind.HEAD, b"\xc0"),
        (FrameKind.PLAN, b"\x90"),
        (FrameKind.COMMITTEE, b"\x92\x01\x91\x90"),
        (FrameKind.BLOCKS, b"\x92\x00\x90"),
        (FrameKind.BLOCKS, b"\x92\x05\x91\xc4\x00"),
        (FrameKind.BLOCKS, b"\x92\x00\x91\xc4\x00"),
        (FrameKind.BLOCKS, b"\xff"),
    ],
)
def test_malformed_contents_are_refused(crafted: Crafted, kind: FrameKind, content: bytes) -> None:
    frames = {FrameKind.HEAD: HEADED, FrameKind.BLOCKS: plain(FrameKind.BLOCKS, b"\x92\x00\x90")}
    frames[kind] = plain(kind, content)
    path = crafted.frames(*(frames[found] for found in sorted(frames)))
    with pytest.raises(ArchiveInvalid):
        read(path)


@pytest.mark.parametrize("missing", [0, 3, HEAD])
def test_a_height_that_is_not_there_is_named(made: Made, tmp_path: Path, missing: int) -> None:
    path = tmp_path / "gap"
    with path.open("wb") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger.archive, "CHUNK_SIZE", 1)
        writer = ArchiveWriter(file)
        writer.begin(made.store.chain_id, Part(0, HEAD))
        for height, stored in enumerate(made.blocks()):
            if height != missing:
                writer.add_block(entry_of(stored))
        writer.close()
    with pytest.raises(ArchiveIncomplete) as caught:
        read(path)
    assert caught.value.height == missing


@pytest.mark.parametrize("beyond", [3, HEAD + 1])
def test_a_height_too_many_is_named(made: Made, tmp_path: Path, beyond: int) -> None:
    """Nobody would look at it: neither where two chunks overlap, nor after the last height."""
    path, entries = tmp_path / "more", [entry_of(stored) for stored in made.blocks()]
    with path.open("wb") as file:
        writer = ArchiveWriter(file)
        writer.begin(made.store.chain_id, Part(0, HEAD))
        for first in sorted({0, beyond} & set(range(HEAD + 1))):
            last = beyond if first < beyond else HEAD
            chunk = [*entries, entries[-1]][first : last + 1]
            content = encode(ArchiveChunk(first, tuple(encode(entry) for entry in chunk)))
            writer.add(FrameKind.BLOCKS, content, first=first)
        writer.close()
    with pytest.raises(ArchiveInvalid, match="holds it twice, or more") as caught:
        read(path)
    assert caught.value.height == beyond


def test_two_ends_that_do_not_fit_are_refused(crafted: Crafted) -> None:
    blocks = plain(FrameKind.BLOCKS, b"\x92\x00\x90")
    data = crafted.frames(HEADED, blocks).read_bytes()
    fields = CLOSING.unpack(data[-CLOSING.size :])
    body = CLOSING.pack(fields[0], fields[1], 7, *fields[3:])[:-32]
    crafted.path.write_bytes(data[: -CLOSING.size] + body + sm3.digest(body))
    assert "ends as one of 7" in refused(crafted.path)


def test_an_index_beyond_the_file_is_refused(crafted: Crafted) -> None:
    blocks = plain(FrameKind.BLOCKS, b"\x92\x00\x90")
    data = crafted.frames(HEADED, blocks).read_bytes()
    closing = Closing(1 << 60, 0, 0, bytes(32)).encoded()
    crafted.path.write_bytes(data[: -CLOSING.size] + closing)
    assert "points outside" in refused(crafted.path)
