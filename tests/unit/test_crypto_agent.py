"""The passphrase agent over its real socket: what it keeps, for how long, and for whom."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
from pathlib import Path
from types import TracebackType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.agent import ask, wire
from crypto.agent.serve import Agent
from crypto.agent.vault import SLOTS, Vault
from crypto.agent.wire import AgentFault, Head, Operation, decode_answer, decode_head, encode_head

KEY, OTHER = Path("/keys/consensus.pem"), Path("/keys/other.pem")
SECRET = b"correct horse battery staple"


class Running:
    """An agent on a thread; its clock stands until it is told otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_s = 1000.0
        self.vault = Vault(lambda: self.now_s)
        self.agent = Agent(path, self.vault)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self.agent.run, args=(self._over.is_set,))

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self.agent.close()


def say(path: Path, data: bytes) -> bytes:
    """What the agent answers to any bytes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        answer = b""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may hang up
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(4096):
                answer += more
        return answer


def test_what_it_holds_it_gives_until_it_is_told_to_forget(tmp_path: Path) -> None:
    with Running(tmp_path / "s") as running:
        ask.hold(running.path, KEY, SECRET, seconds=600)
        ask.hold(running.path, OTHER, b"x", seconds=60)
        assert ask.give(running.path, KEY) == SECRET
        assert ask.held(running.path) == [(str(KEY), 600), (str(OTHER), 60)]
        assert ask.drop(running.path, KEY) and not ask.drop(running.path, KEY)
        assert ask.give(running.path, KEY) is None
        assert ask.give(running.path, OTHER) == b"x"
        assert ask.drop(running.path, None)
        assert ask.held(running.path) == [] and running.vault.is_wiped()


def test_a_passphrase_told_anew_replaces_the_old_one(tmp_path: Path) -> None:
    with Running(tmp_path / "s") as running:
        ask.hold(running.path, KEY, SECRET, seconds=600)
        ask.hold(running.path, KEY, b"short", seconds=600)
        assert ask.give(running.path, KEY) == b"short"


def test_it_forgets_in_time_and_wipes(tmp_path: Path) -> None:
    with Running(tmp_path / "s") as running:
        ask.hold(running.path, KEY, SECRET, seconds=600)
        running.now_s += 599
        assert ask.give(running.path, KEY) == SECRET
        running.now_s += 1
        assert ask.give(running.path, KEY) is None
        assert running.vault.is_wiped()


def test_its_room_is_bounded_and_comes_back(tmp_path: Path) -> None:
    with Running(tmp_path / "s") as running:
        for number in range(SLOTS):
            ask.hold(running.path, Path(f"/{number}"), b"x" * 1024, seconds=60)
        with pytest.raises(AgentFault, match="key lock"):
            ask.hold(running.path, KEY, SECRET, seconds=60)
        assert ask.drop(running.path, Path("/3"))
        ask.hold(running.path, KEY, SECRET, seconds=60)


def test_the_socket_is_its_owners_and_goes_with_the_agent(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Running(path) as running:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        ask.hold(running.path, KEY, SECRET, seconds=60)
    assert not path.exists() and running.vault.is_wiped()
    with pytest.raises(AgentFault, match="key agent"):
        ask.give(path, KEY)


def test_a_second_agent_is_refused_and_a_dead_ones_socket_taken(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Running(path), pytest.raises(AgentFault, match="already"):
        Running(path)
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(path))
    left.close()
    with Running(path) as running:
        assert ask.held(running.path) == []
    path.write_text("something else")
    with pytest.raises(AgentFault, match="no socket"):
        Running(path)
    assert path.read_text() == "something else"


def test_neither_side_talks_to_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Running(tmp_path / "s") as running:
        ask.hold(running.path, KEY, SECRET, seconds=60)
        mine = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: mine + 1)
        with pytest.raises(AgentFault, match="another user"):
            ask.hold(running.path, OTHER, SECRET, seconds=60)
        head = encode_head(Head(Operation.GIVE, len(str(KEY)), 0, 0))
        assert say(running.path, head + str(KEY).encode()) == b""
        monkeypatch.undo()
        assert ask.held(running.path) == [(str(KEY), 60)]


def test_half_a_secret_is_not_kept(tmp_path: Path) -> None:
    with Running(tmp_path / "s") as running:
        head = encode_head(Head(Operation.HOLD, 4, 20, 60))
        assert say(running.path, head + b"/key" + b"only ten..") == b""
        assert ask.held(running.path) == [] and running.vault.is_wiped()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"SXA2" + encode_head(Head(Operation.LIST, 0, 0, 0))[4:],
        b"SXA1" + bytes((9,)) + bytes(8),
        encode_head(Head(Operation.HOLD, 1, 1025, 60)) + b"k" + bytes(1025),
        encode_head(Head(Operation.HOLD, 1, 0, 60)) + b"k",
        encode_head(Head(Operation.HOLD, 1, 1, 0)) + b"kx",
        encode_head(Head(Operation.HOLD, 1, 1, wire.SECONDS_MAX + 1)) + b"kx",
        encode_head(Head(Operation.HOLD, 0, 1, 60)) + b"x",
        encode_head(Head(Operation.GIVE, 0, 0, 0)),
        encode_head(Head(Operation.GIVE, 5000, 0, 0)) + b"k" * 5000,
        encode_head(Head(Operation.GIVE, 1, 0, 0)) + b"\xff",
        encode_head(Head(Operation.DROP, 1, 3, 0)) + b"kxxx",
    ],
)
def test_what_no_client_of_ours_sends_is_refused_and_the_agent_stays(
    tmp_path: Path, data: bytes
) -> None:
    with Running(tmp_path / "s") as running:
        answer = say(running.path, data)
        assert decode_answer(answer) == (wire.Status.REFUSED, 0)
        ask.hold(running.path, KEY, SECRET, seconds=60)
        assert ask.give(running.path, KEY) == SECRET


@given(st.binary(max_size=40))
@settings(max_examples=300)
def test_any_bytes_are_a_request_an_answer_or_one_error(data: bytes) -> None:
    for decode in (decode_head, decode_answer):
        try:
            decode(data)
        except AgentFault:
            continue


def test_a_passphrase_that_no_key_file_takes_is_not_sent(tmp_path: Path) -> None:
    with Running(tmp_path / "s") as running:
        for secret in (b"", b"x" * 1025):
            with pytest.raises(AgentFault, match="1 to 1024"):
                ask.hold(running.path, KEY, secret, seconds=60)
