"""The administrator's socket: who is heard, within which bounds, and what is put on record."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from node.accesslog.entry import ANSWERED, REFUSED
from node.admin import ask
from node.admin.door import PEERS_MAX, AdminDoor, OrderRefused
from node.admin.form import (
    LOG_LEVEL,
    ORDER_SIZE_MAX,
    REPLY_SIZE_MAX,
    SOCKET,
    STOP,
    Order,
    Reply,
    Taken,
    decode_order,
)
from node.local import LENGTH, Connection, Peer, peer_of, reachable
from tests.access_world import Remembered

NOBODY = 65_534
PATIENT_S = 30.0
STATED = Taken(True, "0a", 7)


@dataclass
class Node:
    """Does what it is told, and remembers it."""

    told: list[Order] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    record: Remembered = field(default_factory=Remembered)

    async def carry_out(self, order: Order) -> bytes:
        self.told.append(order)
        if order.text == "loud":
            raise OrderRefused("no level")
        if order.text == "broken":
            raise KeyError("broken")
        return b"info" if order.what == LOG_LEVEL else encode(STATED)

    def stop(self) -> None:
        self.stops.append(len(self.told))


@contextmanager
def opened(
    folder: Path,
    node: Node,
    *,
    who: Callable[[Connection], Peer] = peer_of,
    order_s: float = PATIENT_S,
) -> Iterator[None]:
    """The door of a running node, in a thread with a loop of its own."""
    door = AdminDoor(folder, node.record, node.carry_out, node.stop, peer_of=who, order_s=order_s)
    is_open = threading.Event()
    life: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def run() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(door.run)
                life.append((trio.lowlevel.current_trio_token(), scope))
                is_open.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(run,))
    thread.start()
    assert is_open.wait(10)
    try:
        yield
    finally:
        token, scope = life[0]
        token.run_sync_soon(scope.cancel)
        thread.join(10)
        assert not thread.is_alive()


def connected(folder: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(10)
    with reachable(folder, SOCKET) as path:
        line.connect(path)
    return line


def rest(line: socket.socket) -> bytes:
    """All that comes until the node hangs up."""
    data = b""
    try:
        while more := line.recv(4096):
            data += more
    except ConnectionResetError:
        pass
    return data


def framed(data: bytes) -> bytes:
    return LENGTH.pack(len(data)) + data


def test_the_socket_is_for_the_nodes_user_alone_and_goes_with_the_node(tmp_path: Path) -> None:
    (tmp_path / SOCKET).write_bytes(b"left by a node that was killed")
    with opened(tmp_path, Node()):
        mode = (tmp_path / SOCKET).stat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    assert not (tmp_path / SOCKET).exists()


def test_another_user_hears_nothing_and_is_on_record(tmp_path: Path) -> None:
    node = Node()
    with (
        opened(tmp_path, node, who=lambda line: Peer(7, NOBODY)),
        capture_logs() as logs,
        connected(tmp_path) as line,
    ):
        assert rest(line) == b""
        with pytest.raises(ask.AdminAway):
            ask.stop(tmp_path)
    assert (node.told, node.stops) == ([], [])
    ((request, code), _) = node.record.repeated
    assert (request.levels, request.peer, code) == ((), f"local uid {NOBODY}", "admin.stranger")
    assert {line["event"] for line in logs} == {"admin_stranger"}


def test_root_and_the_nodes_own_user_are_heard_and_on_record_as_admin(tmp_path: Path) -> None:
    for uid in (0, os.geteuid()):
        node = Node()
        with opened(tmp_path, node, who=lambda line, uid=uid: Peer(7, uid)):  # type: ignore[misc]
            assert ask.reload(tmp_path) == STATED
        ((request, outcome, code),) = node.record.entries
        assert (request.method, request.levels) == ("/admin/reload", ("admin",))
        assert (request.peer, outcome, code) == (f"local uid {uid}", ANSWERED, "")


@pytest.mark.parametrize(
    "data",
    [
        framed(b"\xc1" * 8),
        framed(b""),
        framed(encode(Order("format-disk"))),
        framed(encode(Order(STOP, "now"))),
        framed(encode(Order(LOG_LEVEL))),
        framed(bytes(ORDER_SIZE_MAX)),
        LENGTH.pack(ORDER_SIZE_MAX + 1),
        LENGTH.pack(0xFFFFFFFF),
    ],
)
def test_what_is_no_order_is_refused_and_the_next_one_is_heard(tmp_path: Path, data: bytes) -> None:
    node = Node()
    with opened(tmp_path, node):
        with connected(tmp_path) as line:
            line.sendall(data)
            reply = decode(rest(line)[LENGTH.size :], Reply, size_max=REPLY_SIZE_MAX)
            assert "use the command line of this node's release" in reply.refused
        assert not node.told
        assert ask.set_log_level(tmp_path, "debug") == "info"
    assert [code for _, code in node.record.repeated] == ["admin.order"]


@given(st.binary(max_size=ORDER_SIZE_MAX))
def test_any_bytes_are_an_order_or_none(data: bytes) -> None:
    try:
        order = decode_order(data)
    except DecodeError:
        return
    assert encode(order) == data


def test_who_sends_half_an_order_and_waits_is_hung_up_on(tmp_path: Path) -> None:
    node = Node()
    with opened(tmp_path, node, order_s=0.2), connected(tmp_path) as line:
        line.sendall(LENGTH.pack(9) + b"half")
        assert rest(line) == b""
        assert not node.told


def test_more_than_some_at_a_time_are_hung_up_on_and_those_before_still_heard(
    tmp_path: Path,
) -> None:
    node = Node()
    with opened(tmp_path, node):
        first = [connected(tmp_path) for _ in range(PEERS_MAX)]
        with connected(tmp_path) as late:
            assert rest(late) == b""
        for line in first:
            line.sendall(framed(encode(Order(LOG_LEVEL, "debug"))))
            assert rest(line)
            line.close()
        assert ask.reload(tmp_path) == STATED
    assert len(node.told) == PEERS_MAX + 1


def test_an_order_that_is_refused_or_fails_says_so_and_the_node_goes_on(tmp_path: Path) -> None:
    node = Node()
    with opened(tmp_path, node), capture_logs() as logs:
        with pytest.raises(ask.AdminRefused, match="no level"):
            ask.set_log_level(tmp_path, "loud")
        with pytest.raises(ask.AdminRefused, match="a fault of the node, which goes on"):
            ask.set_log_level(tmp_path, "broken")
        assert ask.reload(tmp_path) == STATED
    assert [outcome for _, outcome, _ in node.record.entries] == [REFUSED, REFUSED, ANSWERED]
    assert "admin_fault" in {line["event"] for line in logs}


def test_the_order_to_stop_is_replied_to_and_then_followed(tmp_path: Path) -> None:
    node = Node()
    with opened(tmp_path, node):
        assert ask.stop(tmp_path) == os.getpid(), "the process at the other end, by the kernel"
    assert node.stops == [1]


def test_a_disk_that_takes_no_entry_does_not_lock_out_who_makes_room(tmp_path: Path) -> None:
    node = Node(record=Remembered(is_full=True))
    with opened(tmp_path, node), capture_logs() as logs:
        assert ask.reload(tmp_path) == STATED
    assert "admin_unrecorded" in {line["event"] for line in logs}


def test_a_socket_that_cannot_be_made_stops_no_node(tmp_path: Path) -> None:
    (tmp_path / SOCKET).mkdir()
    with capture_logs() as logs, opened(tmp_path, Node()):
        pass
    assert [line["event"] for line in logs] == ["admin_door_missing"]


def test_a_folder_without_a_node_is_named(tmp_path: Path) -> None:
    with pytest.raises(ask.AdminAway, match="as the user who runs it"):
        ask.status(tmp_path)


def test_the_command_line_speaks_to_no_other_users_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node()
    with opened(tmp_path, node):
        monkeypatch.setattr("node.local.peer_of", lambda line: Peer(7, NOBODY))
        monkeypatch.setattr("os.geteuid", lambda: 1_000)
        with pytest.raises(ask.AdminRefused, match="another user's process"):
            ask.status(tmp_path)
    assert not node.told
