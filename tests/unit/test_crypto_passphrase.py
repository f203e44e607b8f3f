"""Where a daemon's passphrase comes from, in order; what is wrong is said, and never the secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from crypto.agent import ask
from crypto.errors import KeyFileInvalid
from crypto.passphrase import PASSPHRASE_VARIABLE, find_passphrase, passphrase_of_file
from node.keys import write_private
from tests.unit.test_crypto_agent import Running

KEY = Path("/somewhere/consensus.pem")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (PASSPHRASE_VARIABLE, ask.AGENT_VARIABLE, "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(variable, raising=False)


def test_the_passphrase_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    write_private(path, b"open sesame\r\nnotes\n")
    assert find_passphrase(path) == b"open sesame"


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 2000])
def test_an_empty_or_endless_passphrase_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "passphrase"
    write_private(path, content)
    with pytest.raises(KeyFileInvalid):
        passphrase_of_file(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "passphrase"
    write_private(path, b"open sesame")
    path.chmod(mode)
    with pytest.raises(KeyFileInvalid, match="chmod 600") as refused:
        passphrase_of_file(path)
    assert "sesame" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileInvalid, match="nowhere"):
        passphrase_of_file(tmp_path / "nowhere")


def test_file_comes_before_environment_and_that_before_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "passphrase"
    write_private(path, b"of the file")
    with Running(tmp_path / "agent.sock") as agent:
        ask.hold(agent.path, KEY, b"of the agent", seconds=60)
        monkeypatch.setenv(ask.AGENT_VARIABLE, str(agent.path))
        assert find_passphrase(None, keys=[Path("/other"), KEY]) == b"of the agent"
        monkeypatch.setenv(PASSPHRASE_VARIABLE, "of the environment")
        assert find_passphrase(None, keys=[KEY]) == b"of the environment"
        assert find_passphrase(path, keys=[KEY]) == b"of the file"


def test_where_there_is_none_all_ways_to_give_one_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyFileInvalid, match=f"passphrase_file.*{PASSPHRASE_VARIABLE}"):
        find_passphrase(None)
    with pytest.raises(KeyFileInvalid, match=f"key unlock {KEY}; no agent is named"):
        find_passphrase(None, keys=[KEY])
    monkeypatch.setenv(ask.AGENT_VARIABLE, str(tmp_path / "agent.sock"))
    with pytest.raises(KeyFileInvalid, match="no agent at .*agent.sock"):
        find_passphrase(None, keys=[KEY])
    with (
        Running(tmp_path / "agent.sock"),
        pytest.raises(KeyFileInvalid, match="holds none for it"),
    ):
        find_passphrase(None, keys=[KEY])


def test_the_environment_gives_the_bytes_that_a_file_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are no UTF-8 come as surrogates, and failed with an error that quotes them."""
    path = tmp_path / "passphrase"
    write_private(path, b"caf\xe9")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "caf\udce9")
    assert find_passphrase(None) == find_passphrase(path) == b"caf\xe9"


def test_a_key_path_that_is_no_utf_8_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ask.AGENT_VARIABLE, str(tmp_path / "agent.sock"))
    with Running(tmp_path / "agent.sock"), pytest.raises(KeyFileInvalid, match="UTF-8"):
        find_passphrase(None, keys=[Path("/keys/caf\udce9.pem")])
