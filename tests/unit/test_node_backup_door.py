"""The door of a node: open to its own user, for blocks and a true manifest, and nothing else."""

from __future__ import annotations

import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from crypto.errors import KeyInvalid
from ledger.encoding import decode, encode
from node import refusals
from node.backup import door, errors
from node.backup.door import ASK_SIZE_MAX, SOCKET, Answer, Ask
from node.backup.form import CHUNK_SIZE_MAX, Manifest, Run
from node.backup.visitor import Visitor
from node.local import LENGTH, reachable
from node.refusals import Refusal
from tests.backup_world import Origin, open_door

BLOCKS = 4


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path, blocks=BLOCKS)


def connected(data_dir: Path) -> socket.socket:
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    raw.settimeout(10)
    with reachable(data_dir, SOCKET) as path:
        raw.connect(path)
    return raw


def test_nobody_but_the_nodes_user_can_open_it(origin: Origin) -> None:
    with open_door(origin.data_dir, origin.store):
        mode = (origin.data_dir / SOCKET).stat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    assert not (origin.data_dir / SOCKET).exists()


def test_a_visitor_of_another_user_hears_nothing(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.local.may_command", lambda uid: False)
    with (
        open_door(origin.data_dir, origin.store),
        pytest.raises(errors.NodeAway, match="run this again"),
        Visitor(origin.data_dir) as visitor,
    ):
        visitor.standing()


def test_a_socket_left_by_a_killed_node_is_replaced(origin: Origin) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with reachable(origin.data_dir, SOCKET) as path:
        left.bind(path)
    left.close()
    with pytest.raises(errors.NodeAway, match="no node answers"):
        origin.take_through()
    assert origin.take().last == BLOCKS


def test_a_folder_deeper_than_a_socket_name_may_be_is_served(tmp_path: Path) -> None:
    origin = Origin(tmp_path / ("deep" * 20) / ("deeper" * 20), blocks=1)
    assert origin.take().last == 1


def test_a_node_that_can_have_no_door_says_so_and_goes_on(origin: Origin) -> None:
    (origin.data_dir / SOCKET).mkdir()
    with capture_logs() as logs, open_door(origin.data_dir, origin.store):
        pass
    assert [line["event"] for line in logs] == ["backup_door_missing"]


def test_the_second_visitor_is_told_to_wait(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "TURN_S", 0.2)
    with (
        open_door(origin.data_dir, origin.store),
        Visitor(origin.data_dir) as first,
        Visitor(origin.data_dir) as second,
    ):
        first.standing()
        with pytest.raises(errors.NodeRefused, match="another backup"):
            second.standing()
        assert first.standing().last == BLOCKS


def test_a_ledger_in_doubt_is_not_backed_up(origin: Origin) -> None:
    def check() -> None:
        raise Refusal(refusals.REPAIRING, "this node's state is being rebuilt")

    with (
        open_door(origin.data_dir, origin.store, check_readable=check),
        pytest.raises(errors.NodeRefused, match="being rebuilt"),
    ):
        origin.take_through()


@pytest.mark.parametrize(
    "said",
    [
        LENGTH.pack(ASK_SIZE_MAX + 1),
        LENGTH.pack(0xFFFFFFFF) + b"x" * 100,
        LENGTH.pack(4) + b"\xc1\xc1\xc1\xc1",
        LENGTH.pack(0),
    ],
)
def test_garbage_is_hung_up_on_and_the_next_visitor_served(origin: Origin, said: bytes) -> None:
    with open_door(origin.data_dir, origin.store):
        with connected(origin.data_dir) as raw:
            raw.sendall(said)
            with suppress(ConnectionResetError):  # what was not read is lost with the line
                assert raw.recv(1) == b""
        assert origin.take_through().last == BLOCKS


def test_half_a_question_harms_nobody(origin: Origin) -> None:
    with open_door(origin.data_dir, origin.store):
        with connected(origin.data_dir) as raw:
            raw.sendall(LENGTH.pack(100) + b"half")
        assert origin.take_through().last == BLOCKS


@pytest.mark.parametrize(
    "ask",
    [
        Ask("keys"),
        Ask(door.BLOCKS, 0, 1),
        Ask(door.BLOCKS, 2, 1),
        Ask(door.BLOCKS, 1, BLOCKS + 1),
        Ask(door.BLOCKS, -(1 << 62), 1),
        Ask(door.SIGN, data=b"anything at all"),
    ],
)
def test_what_it_does_not_do_is_refused_with_a_sentence(origin: Origin, ask: Ask) -> None:
    with open_door(origin.data_dir, origin.store), connected(origin.data_dir) as raw:
        data = encode(ask)
        raw.sendall(LENGTH.pack(len(data)) + data)
        (length,) = LENGTH.unpack(raw.recv(4, socket.MSG_WAITALL))
        answer = decode(raw.recv(length, socket.MSG_WAITALL), Answer, size_max=1000)
    assert answer.refused and not answer.data


@pytest.mark.parametrize(
    "lie",
    [
        {"chain_id": bytes(32)},
        {"block_hash": bytes(32)},
        {"state_root": bytes(32)},
        {"time_ms": 1},
        {"disowned": 1},
        {"plans": (b"plan",)},
        {"signer": bytes(64)},
        {"chunks": ()},
    ],
)
def test_only_a_true_manifest_is_signed(origin: Origin, lie: dict[str, object]) -> None:
    origin.take()
    manifest: Manifest = msgspec.structs.replace(origin.manifest(1), **lie)
    with (
        open_door(origin.data_dir, origin.store),
        Visitor(origin.data_dir) as visitor,
        pytest.raises(errors.NodeRefused),
    ):
        visitor.sign(encode(manifest))


def test_what_no_quorum_certified_is_not_signed(origin: Origin) -> None:
    origin.take()
    origin.grow(1, certified=False)
    statement = origin.store.statement(BLOCKS + 1)
    manifest = origin.manifest(1)
    (chunk,) = manifest.chunks
    early = msgspec.structs.replace(
        manifest,
        last=BLOCKS + 1,
        block_hash=statement.block_hash,
        state_root=statement.state_root,
        time_ms=statement.time_ms,
        chunks=(msgspec.structs.replace(chunk, last=BLOCKS + 1),),
    )
    with open_door(origin.data_dir, origin.store), Visitor(origin.data_dir) as visitor:
        with pytest.raises(errors.NodeRefused, match="as it stands"):
            visitor.sign(encode(early))
        origin.chain.world.certify(BLOCKS + 1)
        visitor.sign(encode(early))


def test_a_recipient_that_is_no_key_is_refused_before_anything_is_made(origin: Origin) -> None:
    origin.public = bytes(64)
    with pytest.raises(KeyInvalid):
        origin.take()
    assert not origin.folder.exists()


def test_the_largest_chunk_holds_the_largest_block(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_door(origin.data_dir, origin.store), Visitor(origin.data_dir) as visitor:
        whole = decode(visitor.blocks(1, BLOCKS), Run, size_max=CHUNK_SIZE_MAX)
        assert len(whole.bundles) == BLOCKS, "small blocks share a chunk"
        monkeypatch.setattr(door, "CHUNK_SIZE", len(encode(whole.bundles[0])) + 1)
        part = decode(visitor.blocks(1, BLOCKS), Run, size_max=CHUNK_SIZE_MAX)
        assert len(part.bundles) == 2


# --- a node that answers nonsense -----------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", errors.NodeAway),
        (LENGTH.pack(1 << 31), errors.NodeRefused),
        (LENGTH.pack(3) + b"abc", errors.NodeRefused),
        (LENGTH.pack(9) + b"abc", errors.NodeAway),
        (LENGTH.pack(4) + encode(Answer("", b"x"))[:4], errors.NodeRefused),
    ],
)
def test_nonsense_from_a_node_is_one_of_our_errors(
    tmp_path: Path, said: bytes, error: type[errors.BackupError]
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as fake:
        with reachable(tmp_path, SOCKET) as path:
            fake.bind(path)
        fake.listen(1)

        def answer() -> None:
            visitor, _ = fake.accept()
            with visitor:
                visitor.recv(1 << 16)
                visitor.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(error), Visitor(tmp_path) as visitor:
            visitor.standing()
        thread.join(10)
